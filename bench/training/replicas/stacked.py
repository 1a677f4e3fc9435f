"""Seeds and learning rates of one variant as one stacked model.

Every weight has one more axis R in front (`variants.fast.stacked`), and each replica its own
examples, forcing coin and clipping. So a step of many replicas makes about as many calls as a step
of one, each on as many more rows.

Each replica computes what it would by itself, but for rounding: other kernels, padding up to the
group's longest. In float64 the two stay within 1e-9 of each other.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from bench.training.cuda_graphs import Recorded
from bench.training.losses import stacked_loss
from bench.training.schedules import remember_peak_rates, set_learning_rate
from bench.training.state import Recipe, trained_parameters
from tasks import Facts
from variants import Batch, Model, Variant
from variants.dropout import OwnShape, ReplicaGenerators

EPSILON = 1e-6
"""Added to norms before they divide, as torch's clip_grad_norm_ does."""


class StackedBatch(NamedTuple):
    """One batch for each replica, on the CPU, all padded to one shape.

    Fields are as in `Batch`, with the axis R in front; fed_RBT is as `toss` gives it. even: no
    source of any replica is padded. dropout: the replicas' generators; None if nothing is drawn.
    """

    source_RBS: Tensor
    source_mask_RBS: Tensor
    inputs_RBT: Tensor
    mask_RBT: Tensor
    targets: tuple[Tensor, ...]
    fed_RBT: Tensor | None
    even: bool
    dropout: ReplicaGenerators | None = None

    def tensors(self) -> list[Tensor]:
        """Return all tensors in the order that `Replicas.backward` takes them in."""
        fed = [] if self.fed_RBT is None else [self.fed_RBT]
        return [*self[:4], *self.targets, *fed]


class Replicas:
    """Models of one variant, on the device, whose weights become views of stacked ones.

    variants: identical but for the learning rate; equal rates must be neighbours, as they share an
    optimizer. optimizer_states: to go on from, as `optimizer_states_of` returns them. gradients:
    stacked and clipped, as the last step left them.
    """

    def __init__(
        self,
        models: Sequence[Model],
        variants: Sequence[Variant],
        facts: Facts,
        device: str,
        recipe: Recipe,
        optimizer_states: Sequence[dict[str, Any]] = (),
    ) -> None:
        self.variants = list(variants)
        self._build_optimizer = recipe.optimizer
        self._facts = facts
        self.model = stack_models(models)
        self.trained = trained_parameters(self.model)
        # gradients keep their place in memory, or a recorded CUDA graph would write to old ones
        self.gradients = [torch.zeros_like(weight) for weight in self.trained]
        for weight, gradient in zip(self.trained, self.gradients, strict=True):
            weight.grad = gradient
        self.optimizers = [self._optimizer(places) for places in self._equal_rates()]
        for optimizer, state in zip(
            self.optimizers, optimizer_states, strict=bool(optimizer_states)
        ):
            optimizer.load_state_dict(state)
        self._recorded = None if device == "cpu" else Recorded(self.backward, device)

    def _equal_rates(self) -> Iterator[slice]:
        """Yield the places of replicas that have one learning rate."""
        start = 0
        for _, equal in itertools.groupby(variant.learning_rate for variant in self.variants):
            end = start + len(list(equal))
            yield slice(start, end)
            start = end

    def _optimizer(self, places: slice) -> torch.optim.Optimizer:
        """Return an optimizer of some replicas, over their slices of the stacked weights."""
        slices = nn.Module()
        for number, (weight, gradient) in enumerate(zip(self.trained, self.gradients, strict=True)):
            part = nn.Parameter(weight.detach()[places])
            part.grad = gradient[places]
            slices.register_parameter(str(number), part)
        optimizer = self._build_optimizer(self.variants[places.start], slices)
        remember_peak_rates(optimizer)
        return optimizer

    def step(self, stacked: StackedBatch, steps_done: int) -> tuple[Tensor, Tensor]:
        """Update all replicas once; return losses_R, and gradient norms_R before clipping."""
        if self._recorded is not None:
            losses_R, norms_R = self._recorded(stacked.tensors())
        else:
            losses_R, norms_R = self.backward(
                *stacked.tensors(), even=stacked.even, dropout=stacked.dropout
            )
        for optimizer in self.optimizers:
            set_learning_rate(optimizer, self.variants[0], steps_done)
            optimizer.step()
        return losses_R, norms_R

    def backward(
        self, *tensors: Tensor, even: bool = False, dropout: ReplicaGenerators | None = None
    ) -> tuple[Tensor, Tensor]:
        """Write clipped gradients to `gradients`; return losses_R and norms_R before clipping.

        tensors: those of `StackedBatch.tensors`, on the device. even, dropout: as there; what is
        recorded as a CUDA graph does without either.
        """
        torch._foreach_zero_(self.gradients)
        batch, fed_BT = self._rows(tensors, even)
        smoothing = self.variants[0].label_smoothing
        losses_R = stacked_loss(
            self.model, batch, fed_BT, dropout, len(self.variants), self._facts, smoothing
        )
        # no replica's loss depends on another's weights, so the sum's gradient is that of each
        losses_R.sum().backward()  # type: ignore[no-untyped-call]
        norms_R = replica_norms(self.gradients)
        if clip := self.variants[0].clip:
            scale_R = (clip / (norms_R + EPSILON)).clamp(max=1.0)
            for gradient in self.gradients:
                gradient.mul_(scale_R.view(-1, *[1] * (gradient.ndim - 1)))
        return losses_R.detach(), norms_R

    def _rows(self, tensors: Sequence[Tensor], even: bool) -> tuple[Batch, Tensor | None]:
        """Return one batch of the rows of all replicas, and fed_BT unless the reference is fed.

        Their numbers of real positions differ, so all positions count as real here, and padding is
        left out of the loss.
        """
        source_BS, source_mask_BS, inputs_BT, mask_BT, *others = (t.flatten(0, 1) for t in tensors)
        heads = len(self._facts.target_sizes)
        targets, fed = others[:heads], others[heads:]
        places_N = torch.arange(mask_BT.numel(), device=mask_BT.device)
        batch = Batch(
            source_BS=source_BS,
            source_mask_BS=source_mask_BS,
            lengths_B=source_mask_BS.sum(1),
            even=even,
            inputs_BT=inputs_BT,
            targets=tuple(targets),
            mask_BT=mask_BT,
            places_N=places_N,
            tokens=len(places_N),
        )
        return batch, fed[0] if fed else None

    def optimizer_states_of(self, kept: Sequence[int]) -> list[dict[str, Any]]:
        """Return the optimizers' states for the replicas at these places alone."""
        states = []
        for optimizer, equal in zip(self.optimizers, self._equal_rates(), strict=True):
            places = [place - equal.start for place in kept if equal.start <= place < equal.stop]
            if places:
                states.append(_state_of(optimizer, places))
        return states


def draws(variant: Variant) -> bool:
    """Return whether a step of training draws from a run's generator of dropout."""
    dropped = variant.dropout > 0.0 or variant.recurrent_dropout > 0.0
    return dropped or variant.initial_state == "drawn"


def repeat(
    batch: Batch, fed_BT: Tensor | None, count: int, dropout: Sequence[torch.Generator] = ()
) -> StackedBatch:
    """Return the same examples for each of `count` replicas.

    dropout: each replica's generator; none where nothing is drawn.
    """
    rows, length = batch.source_BS.shape
    own = OwnShape(rows, length, batch.inputs_BT.shape[1])

    def times(values: Tensor) -> Tensor:
        """Return values (...) once for each replica, (R, ...)."""
        return values.cpu().expand(count, *values.shape).contiguous()

    return StackedBatch(
        times(batch.source_BS),
        times(batch.source_mask_BS),
        times(batch.inputs_BT),
        times(batch.mask_BT),
        tuple(times(target) for target in batch.targets),
        None if fed_BT is None else times(fed_BT),
        batch.even,
        ReplicaGenerators(dropout, [own] * count) if dropout else None,
    )


def replica_norms(tensors: Sequence[Tensor]) -> Tensor:
    """Return norms_R: of each replica's slices of stacked tensors (R, ...), taken as one vector."""
    squares = [tensor.flatten(1).square().sum(1) for tensor in tensors]
    return torch.stack(squares).sum(0).sqrt()


def detach_model(model: Model) -> None:
    """Give a model a copy of its slice of the stacked weights, which further steps do not reach."""
    for _, value in _parameters_and_buffers(model):
        value.data = value.data.clone()


def _parameters_and_buffers(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return itertools.chain(model.named_parameters(), model.named_buffers())


def stack_models(models: Sequence[Model]) -> Model:
    """Return one model of R whose weights and buffers have the axis R in front.

    Each of the R then sees its own slice of them, so it can be evaluated and kept as if trained by
    itself.
    """
    stack = copy.deepcopy(models[0])
    tensors = [dict(_parameters_and_buffers(model)) for model in models]
    for name, value in list(_parameters_and_buffers(stack)):
        stacked = torch.stack([of_model[name].detach() for of_model in tensors])
        owner, _, own_name = name.rpartition(".")
        if isinstance(value, nn.Parameter):
            stacked = nn.Parameter(stacked, requires_grad=value.requires_grad)
        setattr(stack.get_submodule(owner), own_name, stacked)
        for place, of_model in enumerate(tensors):
            of_model[name].data = stacked.data[place]
    return stack


def _state_of(optimizer: torch.optim.Optimizer, kept: list[int]) -> dict[str, Any]:
    """Return an optimizer's state with the replicas at these places alone."""
    complete = optimizer.state_dict()
    parameters = [part for group in optimizer.param_groups for part in group["params"]]
    state = {
        number: {
            # one number for each replica and weight, or one for all of them
            name: value[kept]
            if isinstance(value, Tensor) and value.shape == parameters[number].shape
            else value
            for name, value in entries.items()
        }
        for number, entries in complete["state"].items()
    }
    return {**complete, "state": state}
