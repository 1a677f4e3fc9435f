"""Seeds and learning rates of one variant as one stacked model.

Every weight has one more axis R in front, and each replica its own examples, forcing coin and
clipping. `torch.func.vmap` runs the parts' plain forms (`variants.fast.forms`) over that axis,
so a step of many replicas starts about as many kernels as a step of one.

Each replica computes what it would by itself, but for rounding: other kernels, padding up to the
group's longest. In float64 the two stay within 1e-9 of each other.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from bench.training.cuda_graphs import Recorded
from bench.training.schedules import remember_peak_rates, set_learning_rate
from bench.training.state import Recipe
from tasks import Facts
from variants import Batch, Model, Variant
from variants.fast.forms import plain_forms

EPSILON = 1e-6
"""Added to norms before they divide, as torch's clip_grad_norm_ does."""


class StackedBatch(NamedTuple):
    """One batch for each replica, on the CPU, all padded to one shape.

    Fields are as in `Batch`, with the axis R in front; fed_RBT is as `toss` gives it.
    """

    source_RBS: Tensor
    source_mask_RBS: Tensor
    inputs_RBT: Tensor
    mask_RBT: Tensor
    targets: tuple[Tensor, ...]
    fed_RBT: Tensor | None

    def tensors(self) -> list[Tensor]:
        """Return all tensors in the order that `_ReplicaLoss` takes them in."""
        fed = [] if self.fed_RBT is None else [self.fed_RBT]
        return [*self[:4], *self.targets, *fed]


class _ReplicaLoss(nn.Module):
    """Computes the training loss of one replica, as vmap needs it: of tensors alone."""

    def __init__(self, model: Model, facts: Facts, smoothing: float) -> None:
        super().__init__()
        self.model = model
        self.facts = facts
        self.smoothing = smoothing

    def forward(self, *tensors: Tensor) -> Tensor:
        """Return the loss (), given one replica's slices of `StackedBatch.tensors`.

        tensors: source_BS, source_mask_BS, inputs_BT, mask_BT, target_BT of each head, and fed_BT
        unless the reference is fed everywhere.
        """
        source_BS, source_mask_BS, inputs_BT, mask_BT, *others = tensors
        heads = len(self.facts.target_sizes)
        targets, fed = others[:heads], others[heads:]
        # the number of real positions differs between replicas, and vmap needs one shape: so all
        # positions have logits, and padding is left out of the sum
        places = torch.arange(mask_BT.numel(), device=mask_BT.device)
        batch = Batch(
            source_BS=source_BS,
            source_mask_BS=source_mask_BS,
            lengths_B=source_mask_BS.sum(1),
            even=False,
            inputs_BT=inputs_BT,
            targets=tuple(targets),
            mask_BT=mask_BT,
            places_N=places,
            tokens=len(places),
        )
        logits = self.model.score(batch, fed[0] if fed else None)
        real_N = mask_BT.flatten()
        parts = []
        for head_NV, target_BT, weight in zip(
            logits, targets, self.facts.head_weights, strict=True
        ):
            entropy_N = nn.functional.cross_entropy(
                head_NV, target_BT.flatten(), reduction="none", label_smoothing=self.smoothing
            )
            parts.append(weight * (entropy_N * real_N).sum() / real_N.sum())
        return torch.stack(parts).sum()


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
        self._loss = _ReplicaLoss(models[0], facts, variants[0].label_smoothing)
        self._weights = {
            f"model.{name}": stacked for name, stacked in _stack_weights(models).items()
        }
        self.trained = [weight for weight in self._weights.values() if weight.requires_grad]
        # gradients keep their place in memory, or a recorded CUDA graph would write to old ones
        self.gradients = [torch.zeros_like(weight) for weight in self.trained]
        for weight, gradient in zip(self.trained, self.gradients, strict=True):
            weight.grad = gradient
        self.optimizers = [self._optimizer(places) for places in self._equal_rates()]
        for optimizer, state in zip(
            self.optimizers, optimizer_states, strict=bool(optimizer_states)
        ):
            optimizer.load_state_dict(state)
        self._recorded = Recorded(self.backward, device)

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
        losses_R, norms_R = self._recorded(stacked.tensors())
        for optimizer in self.optimizers:
            set_learning_rate(optimizer, self.variants[0], steps_done)
            optimizer.step()
        return losses_R, norms_R

    def backward(self, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        """Write clipped gradients to `gradients`; return losses_R and norms_R before clipping.

        tensors: those of `StackedBatch.tensors`, on the device.
        """
        torch._foreach_zero_(self.gradients)
        with plain_forms():
            losses_R = vmap(lambda weights, *own: functional_call(self._loss, weights, own))(
                self._weights, *tensors
            )
        # no replica's loss depends on another's weights, so the sum's gradient is that of each
        losses_R.sum().backward()
        norms_R = replica_norms(self.gradients)
        if clip := self.variants[0].clip:
            scale_R = (clip / (norms_R + EPSILON)).clamp(max=1.0)
            for gradient in self.gradients:
                gradient.mul_(scale_R.view(-1, *[1] * (gradient.ndim - 1)))
        return losses_R.detach(), norms_R

    def optimizer_states_of(self, kept: Sequence[int]) -> list[dict[str, Any]]:
        """Return the optimizers' states for the replicas at these places alone."""
        states = []
        for optimizer, equal in zip(self.optimizers, self._equal_rates(), strict=True):
            places = [place - equal.start for place in kept if equal.start <= place < equal.stop]
            if places:
                states.append(_state_of(optimizer, places))
        return states


def repeat(batch: Batch, fed_BT: Tensor | None, count: int) -> StackedBatch:
    """Return the same examples for each of `count` replicas."""

    def times(values: Tensor) -> Tensor:
        return values.cpu().expand(count, *values.shape).contiguous()

    return StackedBatch(
        times(batch.source_BS),
        times(batch.source_mask_BS),
        times(batch.inputs_BT),
        times(batch.mask_BT),
        tuple(times(target) for target in batch.targets),
        None if fed_BT is None else times(fed_BT),
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


def _stack_weights(models: Sequence[nn.Module]) -> dict[str, Tensor]:
    """Return weights and buffers of R models as one tensor (R, ...) for each name.

    Each model then sees its own slice, so it can be evaluated and kept as if trained by itself.
    """
    tensors = [dict(_parameters_and_buffers(model)) for model in models]
    stacked = {name: _stack([of_model[name] for of_model in tensors]) for name in tensors[0]}
    for place, of_model in enumerate(tensors):
        for name, value in of_model.items():
            value.data = stacked[name].data[place]
    return stacked


def _stack(values: Sequence[Tensor]) -> Tensor:
    """Return one leaf tensor (R, ...) of R tensors of equal shapes."""
    stacked = torch.stack([value.detach() for value in values])
    return stacked.requires_grad_(values[0].requires_grad)


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
