"""One run: from a spec to a finished record."""

from __future__ import annotations

import json
import platform
import time
import traceback
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from bench import machine
from bench.evaluation import samples
from bench.randomness import torch_generator
from bench.specs import RunSpec
from bench.training import Recipe, Setting, TrainState, start, train
from tasks import Task
from tasks import build as build_task
from variants import Model, Variant
from variants import build as build_model

SAMPLES = 6
Report = Callable[[dict[str, Any], dict[str, float]], None]


@lru_cache(maxsize=4)
def cached_task(label: str, data: Path | None) -> Task:
    """A worker meets the same task many times."""
    return build_task(label, data)


def build(spec: RunSpec, task: Task) -> Model:
    """The spec's model before its first step, on the CPU."""
    return build_model(
        Variant(**spec.variant),
        task.facts.source_size,
        task.facts.target_sizes,
        task.facts.tagging,
        lambda name: torch_generator(spec.seed, "init", name),
    )


def execute(
    spec: RunSpec, data: Path | None, report: Report, weights: Path | None = None
) -> dict[str, Any]:
    """Train, evaluate, and give the record as plain values; an exception makes it `failed`.

    report: called with every point of the curve. weights: where to keep the best weights.
    """
    began = time.time()
    machine.reset_peak(spec.device)
    try:
        task = cached_task(spec.task, data)
        outcome, measured = _run(spec, task, report, weights)
    except Exception as error:
        outcome, measured = failure(error), {}
    measured |= {
        "began": began,
        "run_seconds": time.time() - began,
        "peak_bytes": machine.peak_bytes(spec.device),
        "host": platform.node(),
        "machine": machine.describe(spec.device),
    }
    return {"id": spec.id, "spec": spec.plain(), "outcome": outcome, "measured": measured}


def failure(error: BaseException | str) -> dict[str, Any]:
    """The outcome of a run that an exception ended."""
    if isinstance(error, str):
        return {"status": "failed", "error": error, "traceback": ""}
    return {
        "status": "failed",
        "error": f"{type(error).__name__}: {error}",
        "traceback": "".join(traceback.format_exception(error)),
    }


def _run(
    spec: RunSpec, task: Task, report: Report, weights: Path | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    variant = Variant(**spec.variant)
    recipe = Recipe()
    setting = Setting(task, variant, spec.budget, spec.seed, spec.device, recipe)
    state = start(build(spec, task), variant, spec.seed, spec.device, recipe)
    train(state, setting, report)
    if state.best_weights:
        state.model.load_state_dict(state.best_weights)
    scores, shown = _test(state, setting)
    if weights is not None:
        keep(state.model, spec, weights)
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
    }
    measured = {
        "train_seconds": state.seconds,
        "tokens_per_second": state.tokens / max(state.seconds, 1e-9),
        "evaluate_seconds": sum(row["evaluate_seconds"] for row in state.clock),
        "seconds_to_target": state.seconds_to_target,
        "clock": state.clock,
    }
    return outcome, measured


def _test(
    state: TrainState, setting: Setting
) -> tuple[dict[str, dict[str, float]], list[dict[str, object]]]:
    """Scores on every split that is neither trained nor selected on, read once; and samples.

    A diverged run is scored with its best weights, if it ever had any.
    """
    if state.best is None:
        return {}, []
    task, device = setting.task, setting.device
    scores = {}
    for name, split in task.splits.items():
        if name not in ("train", "valid"):
            result = setting.recipe.evaluate(state.model, task, split, device)
            scores[name] = {**result.scores, "forced_accuracy": result.forced_accuracy}
    return scores, samples(state.model, task, device, SAMPLES)


def keep(model: nn.Module, spec: RunSpec, path: Path) -> None:
    """Weights with the spec that made them, as safetensors; whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".part")
    tensors = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(tensors, half, metadata={"spec": json.dumps(spec.plain())})
    half.replace(path)


def load(spec: RunSpec, task: Task, path: Path) -> Model:
    """The model that `keep` kept."""
    model = build(spec, task)
    model.load_state_dict(load_file(path))
    return model


def prepare_process(threads: int) -> None:
    """What every process that trains does first."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
