"""The training loop. All that could differ between two runs is passed in."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from bench.specs import Budget
from bench.training.batching import Position, collate, endless
from bench.training.decoding import Decoding
from bench.training.evaluation import GREEDY, Collate, Evaluation, evaluate, saturation
from bench.training.losses import training_loss
from bench.training.randomness import torch_generator
from tasks import Facts, Indices, Split, Task
from variants import Batch, Model, Variant
from variants.forcing import probability, toss
from variants.learning_rates import factor as rate_factor
from variants.optimizers import OPTIMIZERS

EXPLODED = 10.0
"""A training loss this many times that of guessing evenly counts as exploded."""


def build_optimizer(variant: Variant, model: nn.Module) -> torch.optim.Optimizer:
    """The variant's optimizer over all that is trained."""
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    build = OPTIMIZERS[variant.optimizer].build
    return build(trained, variant.learning_rate, variant.weight_decay)


def _trained(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def train_step(
    state: TrainState,
    variant: Variant,
    facts: Facts,
    loss_of: Loss,
    batch: Batch,
    fed_BT: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """One update: its loss, and the gradient norm before clipping. Waits for no device."""
    state.optimizer.zero_grad()
    loss = loss_of(state.model, batch, fed_BT, state.dropout, facts, variant.label_smoothing)
    # the scaler passes everything through as it is, but for fp16, where it waits for the device
    state.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    state.scaler.unscale_(state.optimizer)
    norm = nn.utils.clip_grad_norm_(_trained(state.model), variant.clip or math.inf)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    return loss.detach(), norm


Loss = Callable[
    [Model, Batch, Tensor | None, torch.Generator | None, Facts, float],
    Tensor,
]
"""As `training_loss`."""
Step = Callable[["TrainState", Variant, Facts, Loss, Batch, Tensor | None], tuple[Tensor, Tensor]]
"""As `train_step`."""


def _as_it_is(model: Model) -> Model:
    return model


@dataclass(frozen=True)
class Recipe:
    """The functions a run is made of; a plugin or a planted fault replaces one of them.

    Training and evaluation both go through `collate`. built: is given the model as it was built.
    """

    collate: Collate = collate
    loss: Loss = training_loss
    optimizer: Callable[[Variant, nn.Module], torch.optim.Optimizer] = build_optimizer
    step: Step = train_step
    evaluate: Callable[[Model, Task, Split, str, Collate, Decoding], Evaluation] = evaluate
    built: Callable[[Model], Model] = _as_it_is


@dataclass
class TrainState:
    """All that changes while a run trains: saved and put back, it goes on as if never stopped.

    position: the next batch. curve: one dict of plain numbers an evaluation; what a clock says
    stands apart in `clock`, row by row. best: the weights that did best on valid. losses, norm: of
    the steps since the last evaluation, and the last one's gradient norm. resumed: how often it
    went on from a checkpoint. first_size: `size`, before the first step.
    """

    model: Model
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    forcing: torch.Generator
    dropout: torch.Generator
    position: Position = field(default_factory=Position)
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    curve: list[dict[str, Any]] = field(default_factory=list)
    clock: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Any] | None = None
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    to_target: dict[str, int] | None = None
    seconds_to_target: float | None = None
    status: str = "running"
    losses: list[Tensor] = field(default_factory=list)
    norm: Tensor = field(default_factory=lambda: torch.zeros(()))
    resumed: int = 0
    first_size: float = math.nan


def size(model: nn.Module) -> float:
    """The norm of all that is trained."""
    norms = [parameter.detach().norm() for parameter in _trained(model)]
    return float(torch.linalg.vector_norm(torch.stack(norms))) if norms else 0.0


def start(model: Model, variant: Variant, seed: int, device: str, recipe: Recipe) -> TrainState:
    """The state before the first step."""
    model.to(device)
    optimizer = recipe.optimizer(variant, model)
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])  # what its schedule multiplies
    return TrainState(
        model=model,
        optimizer=optimizer,
        scaler=torch.amp.GradScaler(device, enabled=variant.precision == "fp16"),
        forcing=torch_generator(seed, "forcing"),
        dropout=torch_generator(seed, "dropout", device=device),
        first_size=size(model),
    )


@dataclass(frozen=True)
class Setting:
    """What stays the same while a run trains."""

    task: Task
    variant: Variant
    budget: Budget
    seed: int
    device: str
    recipe: Recipe
    decoding: Decoding = GREEDY

    def ahead(self, state: TrainState) -> int:
        """Steps to the next evaluation, at a multiple of the interval or at the budget's end."""
        ahead = self.budget.interval - state.step % self.budget.interval
        return min(ahead, self.budget.steps - state.step) if self.budget.steps else ahead

    def spent(self, state: TrainState, seconds: float) -> bool:
        """Whether the budget is used up."""
        budget = self.budget
        return (
            (budget.steps > 0 and state.step >= budget.steps)
            or (budget.tokens > 0 and state.tokens >= budget.tokens)
            or (budget.seconds > 0 and seconds >= budget.seconds)
        )


Report = Callable[[dict[str, Any], dict[str, float]], None]
"""Told every point of a curve, and what a clock says of it."""


class Segment(NamedTuple):
    """The steps between two evaluations: mean loss, the last gradient norm before clipping, and
    the last update-to-weight ratio (norm of the last step's change over the norm of the weights).

    The ratio is None where the budget ended before the step that it was to be measured on.
    """

    loss: float
    gradient_norm: float
    update_ratio: float | None


class Keeper(Protocol):
    """Who keeps checkpoints."""

    def due(self) -> bool:
        """Whether it is time for one."""

    def keep(self, states: Sequence[TrainState], shared: Mapping[str, Any] | None = None) -> None:
        """Write where they stand."""


def train(
    state: TrainState, setting: Setting, report: Report, keeper: Keeper | None = None
) -> None:
    """Train until solved, diverged or out of budget, reporting every evaluation."""
    train_split = setting.task.splits["train"]
    batches = endless(train_split, setting.budget.batch, setting.seed, state.position)
    probe = probe_batch(setting)
    while state.status == "running":
        conclude(state, setting, probe, _segment(state, setting, batches, keeper), report)
        if keeper is not None and keeper.due():
            keeper.keep([state])


def conclude(
    state: TrainState, setting: Setting, probe: Batch, segment: Segment, report: Report
) -> None:
    """After a segment: evaluate, put the point on the curve, and see whether this was the best,
    and the last. probe: `probe_batch`."""
    clock = time.perf_counter()
    valid = setting.recipe.evaluate(
        state.model,
        setting.task,
        setting.task.splits["valid"],
        setting.device,
        setting.recipe.collate,
        GREEDY,  # whatever makes the outputs in the end: what is selected hangs not on it
    )
    point: dict[str, Any] = {
        "step": state.step,
        "tokens": state.tokens,
        "epoch": state.position.epoch,
        "loss": segment.loss,
        "valid_loss": valid.loss,
        "forced_accuracy": valid.forced_accuracy,
        **valid.scores,
        "ended": valid.ended,
        "gradient_norm": segment.gradient_norm,
        "update_ratio": segment.update_ratio,
        "saturation": None if setting.task.facts.tagging else saturation(state.model, probe),
    }
    point = {name: _finite(value) for name, value in point.items()}
    timed = {
        "train_seconds": state.seconds,
        "evaluate_seconds": time.perf_counter() - clock,
    }
    state.curve.append(point)
    state.clock.append(timed)
    _select(state, setting, point)
    report(point, timed)


def _segment(
    state: TrainState,
    setting: Setting,
    batches: Iterator[tuple[Indices, Position]],
    keeper: Keeper | None,
) -> Segment:
    """Steps up to the next evaluation."""
    trained = [parameter.detach() for parameter in _trained(state.model)]
    while (left := setting.ahead(state) - 1) and not (
        state.losses and setting.spent(state, state.seconds)
    ):
        _timed_steps(state, setting, batches, left, keeper)
        if keeper is not None and keeper.due():
            keeper.keep([state])
    change = None
    if not (state.losses and setting.spent(state, state.seconds)):
        # copying the weights is measuring, not training, so it stands outside the clock
        before = [weights.clone() for weights in trained]
        _timed_steps(state, setting, batches, 1)
        moved = _norm([new - old for new, old in zip(trained, before, strict=True)])
        change = float(moved / _norm(trained))
    mean = float(torch.stack(state.losses).mean())
    state.losses = []
    return Segment(mean, float(state.norm), change)


def _timed_steps(
    state: TrainState,
    setting: Setting,
    batches: Iterator[tuple[Indices, Position]],
    count: int,
    keeper: Keeper | None = None,
) -> None:
    """`_steps`, added to the training seconds."""
    since = time.perf_counter() - state.seconds
    _steps(state, setting, batches, count, since, keeper)
    if setting.device == "cuda":
        # the window's edge: what was queued is part of it
        torch.cuda.synchronize()
    state.seconds = time.perf_counter() - since


def _steps(
    state: TrainState,
    setting: Setting,
    batches: Iterator[tuple[Indices, Position]],
    count: int,
    since: float,
    keeper: Keeper | None,
) -> None:
    """The hot loop: `count` steps, or fewer where the budget ends or a checkpoint is due. since:
    the clock's reading that all training seconds are counted from. Does not wait for the
    device."""
    variant, recipe = setting.variant, setting.recipe
    facts, split = setting.task.facts, setting.task.splits["train"]
    for _ in range(count):
        if state.losses and setting.spent(state, time.perf_counter() - since):
            break
        indices, state.position = next(batches)
        batch = recipe.collate(split.take(indices), facts, setting.device)
        factor = rate_factor(
            variant.learning_rate_schedule,
            state.step,
            variant.learning_rate_steps,
            variant.warmup,
        )
        for group in state.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor
        p = probability(variant.forcing, state.step, variant.forcing_rate, variant.forcing_steps)
        fed = toss(p, variant.coin, len(indices), batch.inputs_BT.shape[1], state.forcing)
        if fed is not None:
            fed = fed.to(setting.device, non_blocking=True)
        loss, state.norm = recipe.step(state, variant, facts, recipe.loss, batch, fed)
        state.losses.append(loss)
        state.step += 1
        state.tokens += batch.tokens
        if keeper is not None and keeper.due():
            break


def _select(state: TrainState, setting: Setting, point: dict[str, Any]) -> None:
    """Keep the weights if they are the best on valid, and say whether training is over."""
    task = setting.task
    if _exploded(point, task.facts, setting.variant.precision == "fp16"):
        state.status = "diverged"
        return
    score, loss = point[task.metric], point["valid_loss"]
    if state.best is None or (score, -loss) > (state.best[task.metric], -state.best["valid_loss"]):
        state.best = point
        state.best_weights = {
            name: value.detach().clone() for name, value in state.model.state_dict().items()
        }
    if state.to_target is None and score >= task.solved_at:
        state.to_target = {"steps": state.step, "tokens": state.tokens}
        state.seconds_to_target = state.seconds
    if state.to_target is not None and setting.budget.stop == "solved":
        state.status = "solved"
    elif setting.spent(state, state.seconds):
        state.status = "solved" if state.to_target is not None else "finished"


def _exploded(point: dict[str, Any], facts: Facts, scaled: bool) -> bool:
    """Non-finite, or a loss far beyond guessing evenly.

    scaled: the loss is, and then a gradient that overflows is a step left out, not the end.
    """
    even = sum(
        weight * math.log(size)
        for weight, size in zip(facts.head_weights, facts.target_sizes, strict=True)
    )
    watched = ("loss", "valid_loss") if scaled else ("loss", "valid_loss", "gradient_norm")
    numbers = [point[name] for name in watched]
    return any(number is None for number in numbers) or point["loss"] > EXPLODED * even


def _finite(value: Any) -> Any:
    """JSON has no infinity and no NaN: they are stored as null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _norm(tensors: list[Tensor]) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(torch.stack([t.norm() for t in tensors]))
    return norm


def probe_batch(setting: Setting) -> Batch:
    """The fixed batch that probes read: the first valid examples."""
    valid = setting.task.splits["valid"]
    first = valid.take(np.arange(min(64, len(valid)), dtype=np.int64))
    return setting.recipe.collate(first, setting.task.facts, setting.device)
