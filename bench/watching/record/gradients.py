"""Keeps account of the gradients of a round: what its backward passes added, what was applied."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from bench.watching.record.names import Names


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
        )


def _copy(gradient: Tensor) -> Tensor:
    return (gradient.to_dense() if gradient.is_sparse else gradient).detach().clone()


def _norm(tensor: Tensor | None) -> float:
    return 0.0 if tensor is None else float(torch.linalg.vector_norm(tensor.detach().float()))
