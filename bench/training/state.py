"""A run while it trains: the functions it is made of, its fixed setting, its changing state."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from bench.specs import EXECUTIONS, Budget
from bench.training.batching import DataPosition, collate
from bench.training.decoding import Decoding
from bench.training.evaluation import GREEDY, Collate, Evaluation, evaluate
from bench.training.layers import LayerProbe
from bench.training.losses import training_loss
from bench.training.randomness import torch_generator
from bench.training.schedules import remember_peak_rates
from tasks import Facts, Split, Task
from variants import Batch, Model, Variant
from variants.optimizers import OPTIMIZERS

Loss = Callable[
    [Model, Batch, Tensor | None, torch.Generator | None, Facts, float],
    Tensor,
]
"""A function like `training_loss`."""
UpdateStep = Callable[
    ["TrainState", Variant, Facts, Loss, Batch, Tensor | None], tuple[Tensor, Tensor]
]
"""A function like `train_step`."""


def build_optimizer(variant: Variant, model: nn.Module) -> torch.optim.Optimizer:
    """Return the variant's optimizer over all parameters of a model that are trained."""
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    build = OPTIMIZERS[variant.optimizer].build
    return build(trained, variant.learning_rate, variant.weight_decay)


def trained_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Return the parameters of a model that are not frozen."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def train_step(
    state: TrainState,
    variant: Variant,
    facts: Facts,
    loss_of: Loss,
    batch: Batch,
    fed_BT: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Update a model once; return the loss () and the gradient norm () before clipping.

    fed_BT: True where the reference is fed, None for everywhere. Waits for no device.
    """
    state.optimizer.zero_grad()
    loss = loss_of(state.model, batch, fed_BT, state.dropout, facts, variant.label_smoothing)
    # the scaler passes everything through as it is, but for fp16, where it waits for the device
    state.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    # gradients must have their true size before they are clipped
    state.scaler.unscale_(state.optimizer)
    norm = nn.utils.clip_grad_norm_(trained_parameters(state.model), variant.clip or math.inf)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    return loss.detach(), norm


def _unchanged(model: Model) -> Model:
    return model


@dataclass(frozen=True)
class Recipe:
    """The functions a run is made of; a plugin or a planted fault replaces one of them.

    Training and evaluation both go through `collate`. built: changes the model before training.
    executions: execution modes of the runs that can be made so.
    """

    collate: Collate = collate
    loss: Loss = training_loss
    optimizer: Callable[[Variant, nn.Module], torch.optim.Optimizer] = build_optimizer
    step: UpdateStep = train_step
    evaluate: Callable[[Model, Task, Split, str, Collate, Decoding], Evaluation] = evaluate
    built: Callable[[Model], Model] = _unchanged
    executions: tuple[str, ...] = EXECUTIONS

    def check_execution(self, execution: str) -> None:
        """Raise ValueError for an execution mode that `step` does not carry out."""
        if execution not in self.executions:
            raise ValueError(f"execution={execution!r} is not one of {', '.join(self.executions)}")


@dataclass
class TrainState:
    """All that changes while a run trains: saved and restored, it goes on as if never stopped.

    position: the next batch. seconds: of training, evaluation excluded. curve: one dict of plain
    numbers for each evaluation; what a clock measured is kept apart in `clock`, row by row. best:
    the point of the curve that did best on validation, with its weights in best_weights.
    to_target, seconds_to_target: when the task's target was reached first. losses: of the steps
    since the last evaluation. norm: the last step's gradient norm. resumed: how often the run went
    on from a checkpoint. first_size: the norm of the weights before the first step. layers: figures
    of every parameter and layer at evaluations, in runs that record them.
    """

    model: Model
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    forcing: torch.Generator
    dropout: torch.Generator
    position: DataPosition = field(default_factory=DataPosition)
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
    layers: list[dict[str, Any]] = field(default_factory=list)


def weight_norm(model: nn.Module) -> float:
    """Return the norm of all parameters of a model that are trained, taken as one vector."""
    norms = [parameter.detach().norm() for parameter in trained_parameters(model)]
    return float(torch.linalg.vector_norm(torch.stack(norms))) if norms else 0.0


def start(model: Model, variant: Variant, seed: int, device: str, recipe: Recipe) -> TrainState:
    """Move a model to a device and return the state before its first step."""
    model.to(device)
    optimizer = recipe.optimizer(variant, model)
    remember_peak_rates(optimizer)
    return TrainState(
        model=model,
        optimizer=optimizer,
        scaler=torch.amp.GradScaler(device, enabled=variant.precision == "fp16"),
        forcing=torch_generator(seed, "forcing"),
        dropout=torch_generator(seed, "dropout", device=device),
        first_size=weight_norm(model),
    )


@dataclass(frozen=True)
class Setting:
    """All that stays the same while a run trains.

    decoding: how outputs of the test split are made; while training, they are made greedily.
    layer_probe: measures layers in runs that record them at evaluations; None for others.
    """

    task: Task
    variant: Variant
    budget: Budget
    seed: int
    device: str
    recipe: Recipe
    decoding: Decoding = GREEDY
    layer_probe: LayerProbe | None = None

    def steps_to_evaluation(self, state: TrainState) -> int:
        """Return the steps to the next multiple of the interval, or to the budget's end."""
        steps = self.budget.interval - state.step % self.budget.interval
        return min(steps, self.budget.steps - state.step) if self.budget.steps else steps

    def budget_spent(self, state: TrainState, seconds: float) -> bool:
        """Return whether the budget is used up after so many seconds of training."""
        budget = self.budget
        return (
            (budget.steps > 0 and state.step >= budget.steps)
            or (budget.tokens > 0 and state.tokens >= budget.tokens)
            or (budget.seconds > 0 and seconds >= budget.seconds)
        )
