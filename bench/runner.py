"""One run: from a spec to a finished record."""

from __future__ import annotations

import gc
import json
import platform
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from bench.corpora import vectors
from bench.doctor.examination import of_run, sampled
from bench.doctor.faults import inapplicable_fault, planted
from bench.doctor.inside import layer_figures
from bench.plugins import contract, loading
from bench.specs import RunSpec
from bench.training import machine
from bench.training.checkpoint import Checkpoint
from bench.training.decoding import read_decoding
from bench.training.evaluation import one_definition, samples
from bench.training.loop import Report, train
from bench.training.process import RunError, cached_digest, cached_task
from bench.training.replicas.loop import train_replicas
from bench.training.state import Recipe, Setting, TrainState, start
from bench.training.surroundings import put_back_after
from bench.training.weights import build_initial, save_weights
from results import outputs, packing
from results.doctor.examined import examined_run
from results.doctor.rules import findings
from results.escapes import error_text, shortened
from results.files import state_beside
from results.record import Record
from tasks import Task
from variants import Model, precision
from variants.axes import from_record

SAMPLE_COUNT = 6
"""Number of test examples whose outputs are kept in the record, besides the task's probes."""

TRACEBACK_LENGTH = 50_000
"""Characters of a traceback that are kept at most."""

KeepOutputs = Callable[[str, bytes], None]
"""Is given the id of a run and its outputs on test splits, before its record is there."""
Parts = tuple[dict[str, Any], dict[str, Any]]
"""The two parts of a record that training gives: `outcome`, and its share of `measured`."""


@dataclass(frozen=True)
class Request:
    """A group of runs to be done, and all that they are done with.

    specs: of runs that are trained together, or of one. data: folder of corpora and word vectors.
    reports: called with every point of each run's curve. weights: files for each run's best
    weights, or None. recipe: the functions that the runs are made of. examined: the runs are
    examined however short they are. layers: parameters and layers are recorded at evaluations.
    keep: called with the outputs of each run; None to drop them.
    """

    specs: Sequence[RunSpec]
    data: Path | None
    reports: Sequence[Report]
    weights: Sequence[Path | None]
    recipe: Recipe
    examined: bool
    layers: bool = False
    keep: KeepOutputs | None = None


def execute(
    spec: RunSpec,
    data: Path | None,
    report: Report,
    weights: Path | None = None,
    recipe: Recipe | None = None,
    checkpoint: Path | None = None,
    examined: bool = False,
    layers: bool = False,
    keep: KeepOutputs | None = None,
) -> dict[str, Any]:
    """Train and evaluate one run and return its record as plain values.

    An exception while it trains makes a record whose status is `failed`.

    Args:
        spec: the run.
        data: folder of corpora and word vectors.
        report: called with every point of the curve.
        weights: file for the best weights, or None.
        recipe: the functions that the run is made of; by default the suite's own.
        checkpoint: file that training goes on from, and that says how far it is.
        examined: the run is examined however short it is.
        layers: what every parameter and layer is like is recorded at evaluations.
        keep: called with the run's outputs, whose digest the record then has; None to drop them.

    Raises:
        RunError: if the data is not what the spec was made of, or weights cannot be kept.
    """
    (record,) = execute_group(
        [spec],
        data,
        [report],
        [weights],
        recipe,
        checkpoint,
        examined=examined,
        layers=layers,
        keep=keep,
    )
    return record


def execute_group(
    specs: Sequence[RunSpec],
    data: Path | None,
    reports: Sequence[Report],
    weights: Sequence[Path | None],
    recipe: Recipe | None = None,
    checkpoint: Path | None = None,
    checkpointer: type[Checkpoint] = Checkpoint,
    examined: bool = False,
    layers: bool = False,
    keep: KeepOutputs | None = None,
) -> list[dict[str, Any]]:
    """Do as `execute` for runs that are trained together, or for one.

    checkpointer: class that reads and writes the checkpoint file.
    """
    request = Request(specs, data, reports, weights, recipe or Recipe(), examined, layers, keep)
    first, count, began = specs[0], len(specs), time.time()
    # not by the clock of `began`, which may be set back meanwhile
    since, worked = time.perf_counter(), time.process_time()
    gc.collect()  # what is left of the run before is not this one's memory
    memory = task = None
    parts: list[Parts]
    try:
        task = _checked_task(first, data)
        memory = machine.Peak(first.device)  # from here on: the task's memory is not the run's
        # a fault may remember more than a checkpoint knows of
        file = None if first.fault else checkpoint
        with put_back_after():
            course = first.course if count == 1 else ""
            parts = _run(request, task, checkpointer(file, [spec.id for spec in specs], course))
        # what no file can hold would otherwise stop the driver, and again at every start
        json.dumps(parts, allow_nan=False)
    except (RunError, KeyboardInterrupt):
        raise
    except BaseException as error:  # a part from outside may raise anything, or exit
        parts = [(failure(error), {})] * count
    took = time.perf_counter() - since
    shared = {
        "began": began,
        **_shared_evenly(count, took, time.process_time() - worked, first.device, memory),
        "data": "" if task is None else task.summary,
    }
    return _values(specs, parts, shared)


def _values(
    specs: Sequence[RunSpec], parts: Sequence[Parts], shared: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return what is stored of runs that were trained together; shared: measured of all at once."""
    shared = {
        **shared,
        # its numbers depend on these in their last bits: on the shapes and places in the stack
        "trained_with": [spec.id for spec in specs] if len(specs) > 1 else [],
        "host": platform.node(),
        "machine": machine.describe(specs[0].device),
    }
    return [
        {
            "id": spec.id,
            "spec": spec.plain(),
            "outcome": outcome,
            "measured": {**measured, **shared},
        }
        for spec, (outcome, measured) in zip(specs, parts, strict=True)
    ]


def _shared_evenly(
    count: int, took: float, worked: float, device: str, memory: machine.Peak | None
) -> dict[str, Any]:
    """Return each run's share of what was spent on all that were trained together.

    took, worked: seconds on the clock and of the processor. memory: None if nothing was trained.
    """
    peak = None if memory is None else memory.added()
    return {
        "run_seconds": took / count,
        # on a GPU the process waits, and its share of a core says nothing
        "core_share": None if device != "cpu" else worked / took,
        "peak_bytes": None if peak is None else peak // count,
        "replicas": count,
    }


def _checked_task(spec: RunSpec, data: Path | None) -> Task:
    """Return the spec's task; RunError if its data, or a plugin, changed since it was planned."""
    if loading.digest_of(spec.task, spec.variant) != spec.plugin:
        raise RunError(
            f"a plugin of {spec.task} changed since the run was planned; give the same "
            "command again, which plans anew"
        )
    task = cached_task(spec.task, data)
    digest = vectors.digest(cached_digest(spec.task, data), spec.variant, data)
    if digest != spec.data:
        raise RunError(
            f"the data of {spec.task} changed since the run was planned; give the same "
            "command again, which plans anew"
        )
    return task


def failure(error: BaseException) -> dict[str, Any]:
    """Return the outcome of a run that an exception ended."""
    return {
        "status": "failed",
        "error": error_text(error),
        "traceback": shortened("".join(traceback.format_exception(error)), TRACEBACK_LENGTH),
    }


def _run(request: Request, task: Task, checkpoint: Checkpoint) -> list[Parts]:
    """Train the runs, from their checkpoint if there is one, and return what came of each."""
    specs, first = request.specs, request.specs[0]
    settings = _settings(request, task)
    number_format = settings[0].variant.precision
    if reason := precision.missing(number_format, first.device):
        raise ValueError(reason)
    precision.allow(number_format)
    states, restored = _begin_or_resume(request, settings, checkpoint)
    if _is_stack(specs):
        train_replicas(states, settings, request.reports, checkpoint, restored)
    else:
        train(states[0], settings[0], request.reports[0], checkpoint)
        _keep_state(states[0], first, request.weights[0])
    return [
        _conclude(state, setting, spec, file, request)
        for state, setting, spec, file in zip(states, settings, specs, request.weights, strict=True)
    ]


def _is_stack(specs: Sequence[RunSpec]) -> bool:
    """Return whether these runs are trained as one stacked model.

    On the CPU one model by itself has faster forms than a stack of one, with numbers as near.
    """
    first = specs[0]
    return first.execution == "replicas" and (len(specs) > 1 or first.device != "cpu")


def _keep_state(state: TrainState, spec: RunSpec, weights: Path | None) -> None:
    """Keep the state in which training ended with the weights, so that a longer run can go on."""
    if weights is not None and not spec.fault and state.status in ("finished", "solved"):
        Checkpoint(state_beside(weights), [spec.id], spec.course).write([state])


def _settings(request: Request, task: Task) -> list[Setting]:
    first = request.specs[0]
    recipe = planted(first.fault, request.recipe)
    tagging = task.facts.tagging
    if reason := inapplicable_fault(first.fault, from_record(first.variant), tagging):
        raise ValueError(f"this fault does not apply, {reason}; plant another")
    return [
        Setting(
            task,
            from_record(spec.variant),
            spec.budget,
            spec.seed,
            spec.device,
            recipe,
            read_decoding(spec.decoding),
            layer_figures if request.layers else None,
        )
        for spec in request.specs
    ]


def _begin_or_resume(
    request: Request, settings: Sequence[Setting], checkpoint: Checkpoint
) -> tuple[list[TrainState], dict[str, Any] | None]:
    """Return states to train from, and what their checkpoint holds besides, if they have one.

    Points of the curve that a checkpoint has are reported again: the driver forgot them when it
    lost the process.
    """

    def fresh() -> list[TrainState]:
        return [
            _begin(spec, setting, request.data)
            for spec, setting in zip(request.specs, settings, strict=True)
        ]

    states = fresh()
    if not checkpoint.exists():
        return states, None
    restored = checkpoint.restore(states)
    if restored is None:
        states = fresh()  # a file that does not fit may have changed them
    for state, report in zip(states, request.reports, strict=True):
        if not request.layers:
            state.layers = []  # of a shorter run that recorded them
        for point, clock in zip(state.curve, state.clock, strict=True):
            report(point, clock)
    return states, restored


def _begin(spec: RunSpec, setting: Setting, data: Path | None) -> TrainState:
    """Return the state of a run before its first step."""
    setting.recipe.check_execution(spec.execution)
    model = setting.recipe.built(build_initial(spec, setting.task, data))
    if spec.plugin:
        _check_shapes(model, setting.task, setting.recipe)
    return start(model, setting.variant, spec.seed, spec.device, setting.recipe)


def _conclude(
    state: TrainState, setting: Setting, spec: RunSpec, weights: Path | None, request: Request
) -> Parts:
    """Examine a run that has ended, then test its best weights, and return what came of it."""
    began = time.perf_counter()
    health = _health(state, setting, spec, request.examined, _is_stack(request.specs))
    examine_seconds = time.perf_counter() - began
    if state.best_weights:
        state.model.load_state_dict(state.best_weights)
    began = time.perf_counter()
    # a run that tunes chooses by validation, and never reads test
    tested = NOTHING_TESTED if spec.tuning else _test(state, setting)
    test_seconds = time.perf_counter() - began
    if weights is not None:
        save_weights(state.model, spec, weights)
    outcome = _outcome(state, setting.task, tested.scores)
    if spec.tuning:
        outcome["valid"][setting.task.metric] = (state.best or {}).get(setting.task.metric)
    outcome |= {"samples": tested.shown, "health": health}
    if request.keep is not None and tested.outputs:
        outcome["outputs"] = _keep_outputs(tested, spec, request.keep)
    if state.layers:
        outcome["layers"] = state.layers
    found = examined_run(Record(spec.id, spec.plain(), outcome, {}))
    if found:
        outcome["findings"] = [finding.cause for finding in findings(found)]
    return outcome, _measured(state, test_seconds, examine_seconds)


def _keep_outputs(tested: _Tested, spec: RunSpec, keep: KeepOutputs) -> str:
    """Hand over a run's outputs on test splits, and return their digest."""
    content = outputs.encode(tested.outputs)
    keep(spec.id, content)
    return packing.digest(content)


def _measured(state: TrainState, test_seconds: float, examine_seconds: float) -> dict[str, Any]:
    """Return what was measured while a run was trained, examined and tested."""
    return {
        "train_seconds": state.seconds,
        "tokens_per_second": state.tokens / max(state.seconds, 1e-9),
        "evaluate_seconds": sum(row["evaluate_seconds"] for row in state.clock),
        "test_seconds": test_seconds,
        "examine_seconds": examine_seconds,
        "seconds_to_target": state.seconds_to_target,
        "resumed": state.resumed,
        "clock": state.clock,
    }


def _outcome(state: TrainState, task: Task, scores: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Return the deterministic part of a record, but for samples and what the doctor says."""
    best = state.best or {}
    return {
        "status": state.status,
        "metric": task.metric,
        "solved_at": task.solved_at,
        "memorisation": task.facts.memorisation,
        "signatures": dict(task.signatures),
        "steps": state.step,
        "tokens": state.tokens,
        "to_target": state.to_target,
        "best_step": best.get("step"),
        "valid": {name: best.get(name) for name in (*scores.get("test", {}), "valid_loss")},
        "scores": scores,
        "parameters": sum(p.numel() for p in state.model.parameters()),
        "curve": state.curve,
    }


def _health(
    state: TrainState, setting: Setting, spec: RunSpec, examined: bool, stacked: bool
) -> dict[str, Any] | None:
    """Return what an examination finds, or None for a run that is not examined.

    A run that went wrong, or was made to, is always examined. If the examination itself fails, its
    error is returned: the run is not lost for that.
    """
    wrong = spec.fault or state.status == "diverged"
    if not (examined or wrong or sampled(spec.seed, state.step)):
        return None
    try:
        return of_run(state, setting, not stacked).plain()
    except Exception as error:
        return {"error": error_text(error)}


@torch.no_grad()
def _check_shapes(model: Model, task: Task, recipe: Recipe) -> None:
    """Score a small batch with a model from outside, and say in plain words if shapes are wrong."""
    train = task.splits["train"]
    first = train.take(np.arange(min(4, len(train)), dtype=np.int64))
    batch = recipe.collate(first, task.facts, "cpu")
    contract.check_shapes(model.score(batch), batch, task.facts.target_sizes)


class _Tested(NamedTuple):
    """Scores by split, sample outputs, and all outputs by split."""

    scores: dict[str, dict[str, float]]
    shown: list[dict[str, object]]
    outputs: dict[str, outputs.SplitOutputs]


NOTHING_TESTED = _Tested({}, [], {})
"""Of a run that diverged, or that tunes: no scores and no outputs."""


def _test(state: TrainState, setting: Setting) -> _Tested:
    """Test a model on every split that is neither trained nor selected on.

    These splits are read here alone, once. A diverged run has no scores and outputs: what it was
    before it diverged is in its curve.
    """
    if state.status == "diverged":
        return NOTHING_TESTED
    task, device = setting.task, setting.device
    scores, given = {}, {}
    for name, split in task.splits.items():
        if name not in ("train", "valid"):
            result = setting.recipe.evaluate(
                state.model, task, split, device, setting.recipe.collate, setting.decoding
            )
            scores[name] = {
                **result.scores,
                "forced_accuracy": result.forced_accuracy,
                **one_definition(result, task.facts),
            }
            if result.outputs is not None:
                given[name] = outputs.SplitOutputs(
                    [[*stream] for stream in result.outputs],
                    np.array(result.stopped, dtype=bool),
                    dict(task.statistics(result.outputs, split)),
                )
    shown = samples(
        state.model, task, device, SAMPLE_COUNT, setting.recipe.collate, setting.decoding
    )
    return _Tested(scores, shown, given)
