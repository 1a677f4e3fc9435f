"""The training loop: all that could differ between two runs is passed in."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from bench.training.batching import DataPosition, endless
from bench.training.checkpoint import Checkpoint
from bench.training.evaluation import GREEDY, Evaluation, one_definition, saturation
from bench.training.layers import (
    RECORDED_APART,
    RECORDED_ROWS,
    LayerFigures,
    LayerProbe,
    first_rows,
    layer_point,
    parameter_figures,
)
from bench.training.schedules import set_learning_rate, toss_coins
from bench.training.state import Setting, TrainState, trained_parameters
from results.stats.flattening import has_flattened
from tasks import Facts, Indices, Task
from variants import Batch

EXPLODED = 10.0
"""A training loss this many times that of guessing evenly counts as exploded."""
PROBED_ROWS = 64
"""Number of validation examples that saturation is measured on."""

Report = Callable[[dict[str, Any], dict[str, float]], None]
"""A function that is called with every point of a curve, and with what a clock measured of it."""


class Segment(NamedTuple):
    """The steps between two evaluations.

    loss: mean over the steps. gradient_norm: the last step's, before clipping. update_ratio: norm
    of the last step's change over the norm of the weights; None where the budget ended before the
    step that it was to be measured on. parameters: figures of every trained parameter, in runs that
    record them.
    """

    loss: float
    gradient_norm: float
    update_ratio: float | None
    parameters: Mapping[str, LayerFigures] | None = None


def train(
    state: TrainState, setting: Setting, report: Report, checkpoint: Checkpoint | None = None
) -> None:
    """Train until solved, flat, diverged or out of budget, and report every evaluation."""
    train_split = setting.task.splits["train"]
    budget = setting.budget
    batches = endless(train_split, budget.batch, setting.seed, state.position, budget.batching)
    probe = probe_batch(setting)
    while state.status == "running":
        segment = _train_segment(state, setting, batches, checkpoint)
        evaluate_segment(state, setting, probe, segment, report)
        if checkpoint is not None and checkpoint.is_due():
            checkpoint.write([state])


class Validation(NamedTuple):
    """The results on validation, and the seconds that they took."""

    results: Evaluation
    seconds: float


def validate(state: TrainState, setting: Setting) -> Validation:
    """Evaluate a run on validation."""
    began = time.perf_counter()
    results = setting.recipe.evaluate(
        state.model,
        setting.task,
        setting.task.splits["valid"],
        setting.device,
        setting.recipe.collate,
        GREEDY,  # always, so that model selection does not depend on the decoding of test
    )
    return Validation(results, time.perf_counter() - began)


def evaluate_segment(
    state: TrainState,
    setting: Setting,
    probe: Batch,
    segment: Segment,
    report: Report,
    validation: Validation | None = None,
) -> None:
    """Evaluate on validation after a segment, put the point on the curve, and decide how to go on.

    The weights are kept if they are the best so far. The status changes if training is over.
    probe: the batch of `probe_batch`. validation: made with that of others; None to make it here.
    """
    valid, seconds = validation or validate(state, setting)
    began = time.perf_counter()
    point: dict[str, Any] = {
        "step": state.step,
        "tokens": state.tokens,
        "epoch": state.position.epoch,
        "loss": segment.loss,
        "valid_loss": valid.loss,
        "forced_accuracy": valid.forced_accuracy,
        **one_definition(valid, setting.task.facts),
        **valid.scores,
        "ended": valid.ended,
        "gradient_norm": segment.gradient_norm,
        "update_ratio": segment.update_ratio,
        "saturation": None if setting.task.facts.tagging else saturation(state.model, probe),
    }
    point = {name: _finite(value) for name, value in point.items()}
    if setting.layer_probe is not None:
        _record_layers(state, setting.layer_probe, probe, segment)
    clock = {
        "train_seconds": state.seconds,
        "evaluate_seconds": seconds + time.perf_counter() - began,
    }
    state.curve.append(point)
    state.clock.append(clock)
    _select(state, setting, point)
    report(point, clock)


def _record_layers(
    state: TrainState, layer_probe: LayerProbe, probe: Batch, segment: Segment
) -> None:
    """Keep what parameters and layers are like at this evaluation, unless the last was just now."""
    if state.layers and state.step < state.layers[-1]["step"] + RECORDED_APART:
        return
    layers = layer_probe(state.model, first_rows(probe, RECORDED_ROWS))
    state.layers.append(layer_point(state.step, segment.parameters or {}, layers))


def _train_segment(
    state: TrainState,
    setting: Setting,
    batches: Iterator[tuple[Indices, DataPosition]],
    checkpoint: Checkpoint | None,
) -> Segment:
    """Train up to the next evaluation and return what the steps were like.

    The last step stands alone, as its change of the weights is measured.
    """
    # a checkpoint that is due ends `_timed_steps` early, and what is left is done after it; a run
    # resumed within a segment has the losses of its first part
    while (left := setting.steps_to_evaluation(state) - 1) and not _ends_early(state, setting):
        _timed_steps(state, setting, batches, left, checkpoint)
        if checkpoint is not None and checkpoint.is_due():
            checkpoint.write([state])
    change = parameters = None
    if not _ends_early(state, setting):
        change, parameters = _last_step(state, setting, batches)
    mean = float(torch.stack(state.losses).mean())
    state.losses = []
    return Segment(mean, float(state.norm), change, parameters)


def _last_step(
    state: TrainState, setting: Setting, batches: Iterator[tuple[Indices, DataPosition]]
) -> tuple[float, dict[str, LayerFigures] | None]:
    """Take a step; return the relative change of all weights, and what each parameter was like."""
    trained = [parameter.detach() for parameter in trained_parameters(state.model)]
    # copying the weights is measuring, not training, so it stands outside the clock
    before = [weights.clone() for weights in trained]
    _timed_steps(state, setting, batches, 1)
    moved = _total_norm([new - old for new, old in zip(trained, before, strict=True)])
    change = float(moved / _total_norm(trained))
    if setting.layer_probe is None:
        return change, None
    named = [(n, p) for n, p in state.model.named_parameters() if p.requires_grad]
    names, gradients = [name for name, _ in named], [p.grad for _, p in named]
    return change, parameter_figures(names, trained, before, gradients, state.norm)


def _ends_early(state: TrainState, setting: Setting) -> bool:
    """Return whether the budget ends a segment; it has a step, or there were no loss to report."""
    return bool(state.losses) and setting.budget_spent(state, state.seconds)


def _timed_steps(
    state: TrainState,
    setting: Setting,
    batches: Iterator[tuple[Indices, DataPosition]],
    count: int,
    checkpoint: Checkpoint | None = None,
) -> None:
    """Take steps as `_steps` does, and add their time to the training seconds."""
    since = time.perf_counter() - state.seconds
    _steps(state, setting, batches, count, since, checkpoint)
    if setting.device == "cuda":
        # the window's edge: what was queued is part of it
        torch.cuda.synchronize()
    state.seconds = time.perf_counter() - since


def _steps(
    state: TrainState,
    setting: Setting,
    batches: Iterator[tuple[Indices, DataPosition]],
    count: int,
    since: float,
    checkpoint: Checkpoint | None,
) -> None:
    """Take `count` steps, or fewer where the budget ends or a checkpoint is due: the hot loop.

    since: the clock's reading that all training seconds are counted from. Nothing in here waits
    for the device.
    """
    variant, recipe = setting.variant, setting.recipe
    facts, split = setting.task.facts, setting.task.splits["train"]
    for _ in range(count):
        # every segment has a step, or there would be no loss to report
        if state.losses and setting.budget_spent(state, time.perf_counter() - since):
            break
        indices, state.position = next(batches)
        batch = recipe.collate(split.take(indices), facts, setting.device)
        set_learning_rate(state.optimizer, variant, state.step)
        # coins are tossed on the CPU, so that they are the same whatever the device
        fed_BT = toss_coins(
            variant, state.step, len(indices), batch.inputs_BT.shape[1], state.forcing
        )
        if fed_BT is not None:
            fed_BT = fed_BT.to(setting.device, non_blocking=True)
        loss, state.norm = recipe.step(state, variant, facts, recipe.loss, batch, fed_BT)
        # losses stay on the device: reading one would wait for it
        state.losses.append(loss)
        state.step += 1
        state.tokens += batch.tokens
        if checkpoint is not None and checkpoint.is_due():
            break


def _select(state: TrainState, setting: Setting, point: dict[str, Any]) -> None:
    """Keep the weights if they are the best on validation, and end training if it is over."""
    task = setting.task
    if _exploded(point, task.facts, setting.variant.precision == "fp16"):
        state.status = "diverged"
        return
    if state.best is None or _rank(point, task.metric) > _rank(state.best, task.metric):
        state.best = point
        state.best_weights = {
            name: value.detach().clone() for name, value in state.model.state_dict().items()
        }
    if state.to_target is None and _at_target(point, task):
        state.to_target = {"steps": state.step, "tokens": state.tokens}
        state.seconds_to_target = state.seconds
    _end_if_over(state, setting)


def _end_if_over(state: TrainState, setting: Setting) -> None:
    """End training where the budget is spent, or where it stops at a target that was reached."""
    solved = state.to_target is not None
    if _ends_by_choice(state, setting) or setting.budget_spent(state, state.seconds):
        state.status = "solved" if solved else "finished"


def _ends_by_choice(state: TrainState, setting: Setting) -> bool:
    """Return whether training ends before its budget does, as the budget asks for."""
    stop = setting.budget.stop
    if stop == "plateau":
        return has_flattened(state.curve, setting.task.metric)
    return stop == "solved" and state.to_target is not None


def _at_target(point: dict[str, Any], task: Task) -> bool:
    """Return whether a point of a curve reaches the score at which its task counts as solved."""
    return task.solved_at is not None and bool(point[task.metric] >= task.solved_at)


def _rank(point: dict[str, Any], metric: str) -> tuple[float, float]:
    """Return what orders the points of a curve: the score, and among equal ones the loss."""
    return point[metric], -point["valid_loss"]


def _exploded(point: dict[str, Any], facts: Facts, scaled: bool) -> bool:
    """Return whether a point is not finite, or its loss far beyond that of guessing evenly.

    scaled: the loss is, as in fp16; a gradient that overflows is then a step left out, not the end.
    """
    even = sum(
        weight * math.log(size)
        for weight, size in zip(facts.head_weights, facts.target_sizes, strict=True)
    )
    watched = ("loss", "valid_loss") if scaled else ("loss", "valid_loss", "gradient_norm")
    numbers = [point[name] for name in watched]
    return any(number is None for number in numbers) or point["loss"] > EXPLODED * even


def _finite(value: Any) -> Any:
    """Return None for infinity and NaN, which JSON does not have, and anything else unchanged."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _total_norm(tensors: list[Tensor]) -> Tensor:
    """Return the norm () of tensors of any shapes, taken as one vector."""
    norm: Tensor = torch.linalg.vector_norm(torch.stack([t.norm() for t in tensors]))
    return norm


def probe_batch(setting: Setting) -> Batch:
    """Return the fixed batch that saturation is measured on: the first validation examples."""
    valid = setting.task.splits["valid"]
    first = valid.take(np.arange(min(PROBED_ROWS, len(valid)), dtype=np.int64))
    return setting.recipe.collate(first, setting.task.facts, setting.device)
