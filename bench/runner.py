"""One run: from a spec to a finished record."""

from __future__ import annotations

import gc
import json
import platform
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.corpora import vectors
from bench.doctor.examination import of_run, sampled
from bench.doctor.faults import planted
from bench.plugins import contract, loading
from bench.specs import EXECUTIONS, PARALLEL, RunSpec
from bench.training import machine
from bench.training.checkpoint import Keeper
from bench.training.decoding import read as read_decoding
from bench.training.evaluation import samples
from bench.training.loop import Recipe, Report, Setting, TrainState, start, train
from bench.training.process import RunError, cached_digest, cached_task
from bench.training.replica_loop import train_together
from bench.training.weights import build_initial, save_weights
from results.doctor.examined import examined_run
from results.doctor.rules import findings
from results.record import Record
from tasks import Task
from variants import Model, precision
from variants.axes import from_record

SAMPLES = 6


def execute(
    spec: RunSpec,
    data: Path | None,
    report: Report,
    weights: Path | None = None,
    recipe: Recipe | None = None,
    checkpoint: Path | None = None,
    examined: bool = False,
) -> dict[str, Any]:
    """Train, evaluate, and give the record as plain values; an exception makes it `failed`.

    report: called with every point of the curve. weights: where to keep the best weights. recipe:
    the functions that the run is made of, the suite's own if None. checkpoint: the file where it
    is kept how far training is, and that it goes on from. examined: however short it is.
    RunError if the data is not what the spec was made of, or weights cannot be kept.
    """
    (record,) = execute_group(
        [spec], data, [report], [weights], recipe, checkpoint, examined=examined
    )
    return record


def execute_group(
    specs: Sequence[RunSpec],
    data: Path | None,
    reports: Sequence[Report],
    weights: Sequence[Path | None],
    recipe: Recipe | None = None,
    checkpoint: Path | None = None,
    keeps: bool = True,
    examined: bool = False,
) -> list[dict[str, Any]]:
    """`execute` for runs that are trained together, or for one. keeps: whether this process writes
    the checkpoint."""
    one, count, began = specs[0], len(specs), time.time()
    worked = time.process_time()
    gc.collect()  # what is left of the run before is not this one's memory
    memory = None  # counted once the task is there, which is not the run's
    done: list[tuple[dict[str, Any], dict[str, Any]]]
    try:
        task = _task(one, data)
        memory = machine.Peak(one.device)
        # a fault may remember more than a checkpoint knows of
        file = None if one.fault else checkpoint
        keeper = Keeper(file, [spec.id for spec in specs], keeps)
        done = _run(specs, task, data, reports, weights, recipe or Recipe(), keeper, examined)
        # what no file can hold would otherwise stop the driver, and again at every start
        json.dumps(done, allow_nan=False)
    except RunError:
        raise
    except Exception as error:
        done = [(failure(error), {})] * count
    peak = None if memory is None else memory.added()
    # what was spent on all of them together falls on each alike
    took = max(time.time() - began, 1e-9)  # a clock may be set back meanwhile
    shared = {
        "began": began,
        "run_seconds": took / count,
        # on a GPU the process waits, and that says nothing
        "core_share": None if one.device != "cpu" else (time.process_time() - worked) / took,
        "peak_bytes": None if peak is None else peak // count,
        "replicas": count,
        "host": platform.node(),
        "machine": machine.describe(one.device),
    }
    return [
        {
            "id": spec.id,
            "spec": spec.plain(),
            "outcome": outcome,
            "measured": {**measured, **shared},
        }
        for spec, (outcome, measured) in zip(specs, done, strict=True)
    ]


def _task(spec: RunSpec, data: Path | None) -> Task:
    """The spec's task; RunError if it, or a plugin, is not what the spec was made of."""
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
    """The outcome of a run that an exception ended."""
    return {
        "status": "failed",
        "error": f"{type(error).__name__}: {error}",
        "traceback": "".join(traceback.format_exception(error)),
    }


def _run(
    specs: Sequence[RunSpec],
    task: Task,
    data: Path | None,
    reports: Sequence[Report],
    weights: Sequence[Path | None],
    recipe: Recipe,
    keeper: Keeper,
    examined: bool,
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Outcome and measurements of each."""
    recipe = planted(specs[0].fault, recipe)
    settings = [
        Setting(
            task,
            from_record(spec.variant),
            spec.budget,
            spec.seed,
            spec.device,
            recipe,
            read_decoding(spec.decoding),
        )
        for spec in specs
    ]
    number_format = settings[0].variant.precision
    if reason := precision.missing(number_format, specs[0].device):
        raise ValueError(reason)
    precision.allow(number_format)

    def fresh() -> list[TrainState]:
        return [
            _begin(spec, setting, task, data) for spec, setting in zip(specs, settings, strict=True)
        ]

    states = fresh()
    restored = None
    if keeper.there():
        restored = keeper.restore(states)
        if restored is None:
            states = fresh()
        for state, report in zip(states, reports, strict=True):
            for point, clock in zip(state.curve, state.clock, strict=True):
                report(point, clock)
    if specs[0].execution == "replicas":
        train_together(states, settings, reports, keeper, restored)
    else:
        train(states[0], settings[0], reports[0], keeper)
    return [
        _conclude(state, setting, spec, path, examined)
        for state, setting, spec, path in zip(states, settings, specs, weights, strict=True)
    ]


def _begin(spec: RunSpec, setting: Setting, task: Task, data: Path | None) -> TrainState:
    """Before the first step."""
    _check_known(spec)
    model = setting.recipe.built(build_initial(spec, task, data))
    if spec.plugin:
        _check_shapes(model, task, setting.recipe)
    return start(model, setting.variant, spec.seed, spec.device, setting.recipe)


def _conclude(
    state: TrainState, setting: Setting, spec: RunSpec, weights: Path | None, examined: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """After training: an examination of where it stands, then the best weights on test."""
    task = setting.task
    since = time.perf_counter()
    health = None
    # whatever went wrong early is asked about
    wrong = spec.fault or state.status == "diverged"
    if examined or wrong or sampled(spec.seed, state.step):
        health = _examined(state, setting, spec.execution != "replicas")
    examine_seconds = time.perf_counter() - since
    if state.best_weights:
        state.model.load_state_dict(state.best_weights)
    since = time.perf_counter()
    scores, shown = _test(state, setting)
    test_seconds = time.perf_counter() - since
    if weights is not None:
        save_weights(state.model, spec, weights)
    best = state.best or {}
    outcome = {
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
        "samples": shown,
        "health": health,
    }
    found = examined_run(Record(spec.id, spec.plain(), outcome, {}))
    if found:
        outcome["findings"] = [one.cause for one in findings(found)]
    measured = {
        "train_seconds": state.seconds,
        "tokens_per_second": state.tokens / max(state.seconds, 1e-9),
        "evaluate_seconds": sum(row["evaluate_seconds"] for row in state.clock),
        "test_seconds": test_seconds,
        "examine_seconds": examine_seconds,
        "seconds_to_target": state.seconds_to_target,
        "resumed": state.resumed,
        "clock": state.clock,
    }
    return outcome, measured


def _examined(state: TrainState, setting: Setting, stepped: bool) -> dict[str, Any]:
    """What the doctor reads. A run is not lost because it could not be looked at."""
    try:
        return of_run(state, setting, stepped).plain()
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def _check_known(spec: RunSpec) -> None:
    """A spec that asks for what is not built must not pass for one that does not."""
    if spec.execution not in EXECUTIONS and not spec.execution.startswith(PARALLEL):
        raise ValueError(f"execution={spec.execution!r} is not one of {', '.join(EXECUTIONS)}")


@torch.no_grad()
def _check_shapes(model: Model, task: Task, recipe: Recipe) -> None:
    """What came from outside is looked at once, so that it is told in plain words."""
    train = task.splits["train"]
    first = train.take(np.arange(min(4, len(train)), dtype=np.int64))
    batch = recipe.collate(first, task.facts, "cpu")
    contract.check_shapes(model.score(batch), batch, task.facts.target_sizes)


def _test(
    state: TrainState, setting: Setting
) -> tuple[dict[str, dict[str, float]], list[dict[str, object]]]:
    """Scores on every split that is neither trained nor selected on, read once; and samples.

    A diverged run has none: what it was before it diverged is in its curve.
    """
    if state.status == "diverged":
        return {}, []
    task, device = setting.task, setting.device
    scores = {}
    for name, split in task.splits.items():
        if name not in ("train", "valid"):
            result = setting.recipe.evaluate(
                state.model, task, split, device, setting.recipe.collate, setting.decoding
            )
            scores[name] = {**result.scores, "forced_accuracy": result.forced_accuracy}
    return scores, samples(
        state.model, task, device, SAMPLES, setting.recipe.collate, setting.decoding
    )
