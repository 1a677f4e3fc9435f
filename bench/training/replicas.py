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
from bench.training.loop import Recipe
from tasks import Facts
from variants import Batch, Model, Variant
from variants.fast.forms import plain_forms
from variants.learning_rates import factor as rate_factor

EPSILON = 1e-6
"""Added to norms before they divide, as torch's clip_grad_norm_ does."""


class Stacked(NamedTuple):
    """One batch a replica, on the CPU, padded to one shape. All but fed_RBT as in `Batch`."""

    source_RBS: Tensor
    source_mask_RBS: Tensor
    inputs_RBT: Tensor
    mask_RBT: Tensor
    targets: tuple[Tensor, ...]
    fed_RBT: Tensor | None

    def flat(self) -> list[Tensor]:
        """All tensors in one row; `_Loss` knows their order."""
        fed = [] if self.fed_RBT is None else [self.fed_RBT]
        return [*self[:4], *self.targets, *fed]


class _Loss(nn.Module):
    """Training loss of one replica on what `Stacked.flat` gives of it."""

    def __init__(self, model: Model, facts: Facts, smoothing: float) -> None:
        super().__init__()
        self.model = model
        self.facts = facts
        self.smoothing = smoothing

    def forward(self, *given: Tensor) -> Tensor:
        source_BS, source_mask_BS, inputs_BT, mask_BT, *others = given
        heads = len(self.facts.target_sizes)
        targets, fed = others[:heads], others[heads:]
        # the number of real positions differs between replicas, so all have logits
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

    variants: alike but for the learning rate; equal rates stand side by side, as they share an
    optimizer. optimizers: states to go on from, as `narrowed` gives them. gradients: stacked and
    clipped, as the last step left them.
    """

    def __init__(
        self,
        models: Sequence[Model],
        variants: Sequence[Variant],
        facts: Facts,
        device: str,
        recipe: Recipe,
        optimizers: Sequence[dict[str, Any]] = (),
    ) -> None:
        self.variants = list(variants)
        self._build = recipe.optimizer
        self._loss = _Loss(models[0], facts, variants[0].label_smoothing)
        held = [dict(_held(model)) for model in models]
        self._weights = {f"model.{name}": _stack([one[name] for one in held]) for name in held[0]}
        for place, one in enumerate(held):
            for name, value in one.items():
                value.data = self._weights[f"model.{name}"].data[place]
        self.trained = [weight for weight in self._weights.values() if weight.requires_grad]
        self.gradients = [torch.zeros_like(weight) for weight in self.trained]
        for weight, gradient in zip(self.trained, self.gradients, strict=True):
            weight.grad = gradient
        self.optimizers = [self._optimizer(places) for places in self._shares()]
        for optimizer, state in zip(self.optimizers, optimizers, strict=bool(optimizers)):
            optimizer.load_state_dict(state)
        self._recorded = Recorded(self.backward, device)

    def _shares(self) -> Iterator[slice]:
        """Replicas of one learning rate each."""
        start = 0
        for _, some in itertools.groupby(variant.learning_rate for variant in self.variants):
            end = start + len(list(some))
            yield slice(start, end)
            start = end

    def _optimizer(self, places: slice) -> torch.optim.Optimizer:
        """Of some replicas: its parameters are their slices of the stacked weights."""
        slices = nn.Module()
        both = zip(self.trained, self.gradients, strict=True)
        for number, (weight, gradient) in enumerate(both):
            part = nn.Parameter(weight.detach()[places])
            part.grad = gradient[places]
            slices.register_parameter(str(number), part)
        optimizer = self._build(self.variants[places.start], slices)
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        return optimizer

    def step(self, stacked: Stacked, done: int) -> tuple[Tensor, Tensor]:
        """One update of all replicas: losses_R, and gradient norms_R before clipping. done: steps
        before this one."""
        losses_R, norms_R = self._recorded(stacked.flat())
        variant = self.variants[0]
        factor = rate_factor(
            variant.learning_rate_schedule, done, variant.learning_rate_steps, variant.warmup
        )
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * factor
            optimizer.step()
        return losses_R, norms_R

    def backward(self, *given: Tensor) -> tuple[Tensor, Tensor]:
        """Losses_R and norms_R, and the clipped gradients in their places."""
        torch._foreach_zero_(self.gradients)
        with plain_forms():
            losses_R = vmap(lambda weights, *own: functional_call(self._loss, weights, own))(
                self._weights, *given
            )
        losses_R.sum().backward()
        norms_R = norms(self.gradients)
        if clip := self.variants[0].clip:
            scale_R = (clip / (norms_R + EPSILON)).clamp(max=1.0)
            for gradient in self.gradients:
                gradient.mul_(scale_R.view(-1, *[1] * (gradient.ndim - 1)))
        return losses_R.detach(), norms_R

    def narrowed(self, kept: Sequence[int]) -> list[dict[str, Any]]:
        """The optimizers' states for these replicas alone."""
        own = (
            (optimizer, [place - some.start for place in kept if some.start <= place < some.stop])
            for optimizer, some in zip(self.optimizers, self._shares(), strict=True)
        )
        return [_narrowed(optimizer, places) for optimizer, places in own if places]


def repeated(batch: Batch, fed_BT: Tensor | None, count: int) -> Stacked:
    """The same examples for each of so many replicas."""

    def times(values: Tensor) -> Tensor:
        return values.cpu().expand(count, *values.shape).contiguous()

    return Stacked(
        times(batch.source_BS),
        times(batch.source_mask_BS),
        times(batch.inputs_BT),
        times(batch.mask_BT),
        tuple(times(target) for target in batch.targets),
        None if fed_BT is None else times(fed_BT),
    )


def norms(tensors: Sequence[Tensor]) -> Tensor:
    """Of each replica's share of stacked tensors together, norms_R."""
    squares = [tensor.flatten(1).square().sum(1) for tensor in tensors]
    return torch.stack(squares).sum(0).sqrt()


def leave(model: Model) -> None:
    """What the group goes on to do is not this model's any more."""
    for _, value in _held(model):
        value.data = value.data.clone()


def _held(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return itertools.chain(model.named_parameters(), model.named_buffers())


def _stack(values: Sequence[Tensor]) -> Tensor:
    stacked = torch.stack([value.detach() for value in values])
    return stacked.requires_grad_(values[0].requires_grad)


def _narrowed(optimizer: torch.optim.Optimizer, kept: list[int]) -> dict[str, Any]:
    whole = optimizer.state_dict()
    parameters = [part for group in optimizer.param_groups for part in group["params"]]
    state = {
        number: {
            # one number a replica and weight, or one for all of them
            name: value[kept]
            if isinstance(value, Tensor) and value.shape == parameters[number].shape
            else value
            for name, value in entries.items()
        }
        for number, entries in whole["state"].items()
    }
    return {**whole, "state": state}
