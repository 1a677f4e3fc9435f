"""Keeps account of the gradients of a round: what its backward passes added, what was applied."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from bench.watching.record.names import Names

ROUNDING = 1e-7
"""Share of a weight that it may change by when it is rounded."""
FITS = 0.99
"""Share of an update that must be a multiple of the gradient for it to have a learning rate."""


@dataclass(frozen=True)
class HandMadeUpdate:
    """A change of a parameter that the script computed by itself."""

    size: float
    """Root mean square of the change."""
    uphill: float
    """Cosine of the angle between the change and the gradient: above 0 if the loss grows."""


@dataclass(frozen=True)
class Norms:
    """Norms of one parameter's gradients, weight and update in a round.

    Its own gradient is the sum of what the round's backward passes added.
    """

    own: float = 0.0
    left_over: float = 0.0
    """What stood in `.grad` before the first backward pass."""
    applied: float | None = None
    """`.grad` when the optimizer stepped; None if there was none, or no optimizer holds it."""
    cosine: float | None = None
    """Of the angle between the own gradient and the one applied; None if either is 0."""
    weight: float = 0.0
    update: float | None = None
    """The change that the optimizer made; None if none holds the parameter."""
    finite: bool = True
    by_hand: HandMadeUpdate | None = None
    """The change that the script made without an optimizer."""


class Gradients:
    """The account of one round."""

    def __init__(self) -> None:
        self._parameters: dict[int, Tensor] = {}
        self._before: dict[int, Tensor | None] = {}
        self._own: dict[int, Tensor] = {}
        self._left: dict[int, float] = {}
        self._applied: dict[int, Tensor | None] = {}
        self._weights: dict[int, Tensor] = {}
        self._updates: dict[int, float] = {}
        self._returned: set[int] = set()
        self._by_hand: dict[int, HandMadeUpdate] = {}

    def before_backward(self, parameters: Iterable[Tensor]) -> None:
        """Copy the gradients as they stand."""
        self._parameters |= {id(p): p for p in parameters if p.is_leaf and not p.is_sparse}
        self._before = {
            key: None if p.grad is None else _copy(p.grad) for key, p in self._parameters.items()
        }
        for key, gradient in self._before.items():
            self._left.setdefault(key, _norm(gradient))

    def after_backward(self) -> None:
        """Add what the backward pass changed to the round's own gradient."""
        for key, parameter in self._parameters.items():
            if parameter.grad is None:
                continue
            before, own = self._before.get(key), self._own.get(key)
            gradient = _copy(parameter.grad)
            added = gradient if before is None else gradient - before
            self._own[key] = added if own is None else own + added

    def before_step(self, optimizer: Optimizer) -> None:
        """Copy the gradients that are applied and the weights."""
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                key = id(parameter)
                self._parameters[key] = parameter
                self._applied[key] = None if parameter.grad is None else _copy(parameter.grad)
                self._weights[key] = parameter.detach().clone()

    def after_step(self, optimizer: Optimizer) -> None:
        """Measure the updates that the optimizer made."""
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                before = self._weights.get(id(parameter))
                if before is not None and before.shape == parameter.shape:
                    self._updates[id(parameter)] = _norm(parameter.detach() - before)

    def given(self, parameters: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> None:
        """Add gradients that were returned instead of being left in `.grad`."""
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is None:
                continue
            key, own = id(parameter), self._own.get(id(parameter))
            self._parameters[key] = parameter
            self._own[key] = _copy(gradient) if own is None else own + gradient.detach()
            self._returned.add(key)

    def before_update(self, parameters: Iterable[Tensor]) -> None:
        """Copy the gradients and weights before the script changes weights by itself."""
        for parameter in parameters:
            key = id(parameter)
            gradient = parameter.grad if parameter.is_leaf else None
            if gradient is not None:
                self._applied[key] = _copy(gradient)
            elif key in self._returned:
                self._applied[key] = self._own[key]
            self._weights[key] = parameter.detach().clone()

    def applies(self, parameter: Tensor) -> bool:
        """Return whether there was a gradient for a parameter before the script changed it."""
        return id(parameter) in self._applied

    def after_update(self, pairs: Iterable[tuple[Tensor, Tensor]]) -> float:
        """Measure the updates of parameters, given with their new values; return their rate."""
        updates, gradients, weights, updated = [], [], [], set()
        for parameter, new in pairs:
            updated.add(id(parameter))
            key = id(parameter)
            self._parameters[key] = parameter
            before, applied = self._weights.get(key), self._applied.get(key)
            if before is None or new.shape != before.shape:
                continue
            update = new.detach() - before
            self._updates[key] = _norm(update)
            if applied is not None:
                self._by_hand[key] = _hand_made(update.double(), applied.double())
                updates.append(update.double())
                gradients.append(applied.double())
                weights.append(before.double())
        self._applied = {key: g for key, g in self._applied.items() if key in updated}
        return _rate_of(updates, gradients, weights)

    def norms(self, names: Names) -> dict[str, Norms]:
        """Return the account, by the parameters' names."""
        return {names.of(p): self._of(key, p) for key, p in self._parameters.items()}

    def _of(self, key: int, parameter: Tensor) -> Norms:
        own, applied = self._own.get(key), self._applied.get(key)
        own_norm, applied_norm = _norm(own), _norm(applied)
        cosine = None
        if own is not None and applied is not None and own_norm and applied_norm:
            dot = float((own.double() * applied.double()).sum())
            cosine = dot / (float(own.double().norm()) * float(applied.double().norm()))
        return Norms(
            own_norm,
            self._left.get(key, 0.0),
            None if applied is None else applied_norm,
            cosine,
            _norm(self._weights.get(key, parameter.detach())),
            self._updates.get(key),
            all(torch.isfinite(t).all() for t in (own, applied) if t is not None),
            self._by_hand.get(key),
        )


def _copy(gradient: Tensor) -> Tensor:
    return (gradient.to_dense() if gradient.is_sparse else gradient).detach().clone()


def _norm(tensor: Tensor | None) -> float:
    return 0.0 if tensor is None else float(torch.linalg.vector_norm(tensor.detach().float()))


def _hand_made(update: Tensor, gradient: Tensor) -> HandMadeUpdate:
    norms = float(update.norm() * gradient.norm())
    uphill = float((update * gradient).sum()) / norms if norms else 0.0
    return HandMadeUpdate(float(update.square().mean().sqrt()), uphill)


def _rate_of(updates: list[Tensor], gradients: list[Tensor], weights: list[Tensor]) -> float:
    """Return the learning rate with which gradients make updates; nan if there is none."""
    if not updates:
        return math.nan
    u, g, w = (torch.cat([t.reshape(-1) for t in part]) for part in (updates, gradients, weights))
    square, whole = float(g @ g), float(u @ u)
    if not square or not whole:
        return math.nan
    rate = -float(u @ g) / square
    rounding = float((w * ROUNDING) @ (w * ROUNDING))
    rest = float((u + rate * g).square().sum())
    return rate if rest <= (1 - FITS) * whole + rounding else math.nan
