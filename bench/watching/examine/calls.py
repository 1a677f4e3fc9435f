"""Finds out how a model is called with a batch: by the names of its arguments, else by trying."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from bench.watching.examine.outputs import Asked, Predicted, find_predictions
from bench.watching.examine.roles import BatchRole, BatchRoles, role_of

ORDERS: tuple[tuple[BatchRole, ...], ...] = (
    ("source", "fed"),
    ("source", "lengths", "fed"),
    ("source", "fed", "ratio"),
    ("source", "lengths", "fed", "ratio"),
    ("source", "fed", "lengths"),
    ("source", "lengths", "fed", "fed_lengths"),
    ("source", "fed", "lengths", "fed_lengths"),
    ("source", "lengths"),
    ("source", "mask"),
    ("source",),
)
"""Orders of arguments that are tried where their names do not tell what they are."""


@dataclass(frozen=True)
class ModelCall:
    """A way to call a model with a batch: roles by position, then by the names of arguments."""

    by_position: tuple[BatchRole, ...] = ()
    by_name: tuple[tuple[str, BatchRole], ...] = ()
    as_named: tuple[str, ...] = ()
    """Arguments that the batch has parts of the same names for."""
    shortened: bool = False
    """Whether the decoder is fed the reference without its last symbol."""

    def run(self, model: nn.Module, roles: BatchRoles) -> Any:
        """Return what the model gives for a batch."""
        args, kwargs = self.arguments(roles)
        return model(*args, **kwargs)

    def arguments(self, roles: BatchRoles) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments of the call."""
        if self.shortened and roles.target is not None:
            last = roles.target[:-1] if roles.time_first else roles.target[:, :-1]
            roles = replace(roles, fed=last)
        parts = {part.name: part.value for part in roles.named}
        args = [roles.value(role) for role in self.by_position]
        kwargs = {name: roles.value(role) for name, role in self.by_name}
        return args, kwargs | {name: parts[name] for name in self.as_named}

    def possible(self, roles: BatchRoles) -> bool:
        """Return whether the batch has everything that the call needs."""
        args, kwargs = self.arguments(roles)
        return all(value is not None for value in (*args, *kwargs.values()))

    def text(self) -> str:
        """Return the call as code, with what stands for each argument."""
        written = {"fed": "target", "ratio": "1.0", "limit": "target_steps"}
        short = {"fed": "target[:, :-1]", "target": "target[:, :-1]"} if self.shortened else {}
        parts = [short.get(role, written.get(role, role)) for role in self.by_position]
        parts += [f"{name}={short.get(r, written.get(r, r))}" for name, r in self.by_name]
        parts += [f"{name}={name}" for name in self.as_named]
        return f"model({', '.join(parts)})"


@dataclass(frozen=True)
class FoundCall:
    """A call that gives predictions of the right size."""

    call: ModelCall
    predicted: Predicted


def find_call(
    model: nn.Module,
    roles: BatchRoles,
    asked: Asked,
    run: Callable[[ModelCall], Any],
) -> FoundCall | Exception | None:
    """Return the first call whose outputs fit, else the first error that a call ended with.

    run: carries a call out and returns its outputs, without lasting effects.
    """
    first: Exception | None = None
    symbols = {layer.out_features for layer in model.modules() if isinstance(layer, nn.Linear)}
    for call in dict.fromkeys(_candidates(model, roles)):
        if not call.possible(roles):
            continue
        try:
            outputs = run(call)
        except Exception as error:
            first = first or error
            continue
        predicted = find_predictions(outputs, asked, symbols)
        if predicted is not None:
            return FoundCall(call, predicted)
    return first


def required_arguments(function: Callable[..., Any], unknown: int) -> int:
    """Return how many arguments a function or module must be given.

    unknown: the answer where its signature cannot be read.
    """
    call = function.forward if isinstance(function, nn.Module) else function
    try:
        takes = inspect.signature(call).parameters.values()
    except (ValueError, TypeError):
        return unknown
    plain = [p for p in takes if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len([p for p in plain if p.default is p.empty])


def _candidates(model: nn.Module, roles: BatchRoles) -> Iterator[ModelCall]:
    takes = _parameters(model)
    names = {part.name for part in roles.named}
    needed = [p.name for p in takes if p.default is p.empty]
    if names and needed and set(needed) <= names:
        yield ModelCall(as_named=tuple(p.name for p in takes if p.name in names))
        yield ModelCall(as_named=tuple(needed))
    by_role = list(_by_role(takes))
    by_order = [ModelCall(order) for order in ORDERS if _accepts(takes, len(order))]
    for call in (*by_role, *by_order):
        yield call
    for call in (*by_role, *by_order):
        yield replace(call, shortened=True)


def _parameters(model: nn.Module) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(model.forward).parameters.values())
    except (ValueError, TypeError):
        return []


def _accepts(takes: list[inspect.Parameter], count: int) -> bool:
    """Return whether so many arguments can be given by position."""
    if any(p.kind is p.VAR_POSITIONAL for p in takes):
        return True
    positional = [p for p in takes if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p for p in positional if p.default is p.empty]
    return len(needed) <= count <= len(positional)


def _by_role(takes: list[inspect.Parameter]) -> Iterator[ModelCall]:
    """Yield calls in which every argument gets what its name means."""
    plain = [p for p in takes if p.kind is p.POSITIONAL_OR_KEYWORD]
    roles = _told(plain)
    optional: tuple[BatchRole, ...] = ("fed", "target", "ratio", "lengths", "mask", "labels")
    for kept in (optional, optional[:3], ()):
        chosen: list[tuple[str, BatchRole]] = []
        for parameter, role in zip(plain, roles, strict=True):
            needed = parameter.default is parameter.empty
            if needed and (role is None or role == "state"):
                return
            if role is not None and (needed or role in kept):
                chosen.append((parameter.name, role))
        yield ModelCall(by_name=tuple(chosen))


def _told(plain: list[inspect.Parameter]) -> list[BatchRole | None]:
    """Return the roles of arguments; of two sources, the second is what the decoder is fed."""
    roles = [role_of(parameter.name) for parameter in plain]
    for first, second in itertools.combinations(range(len(roles)), 2):
        if roles[first] == roles[second] == "source":
            roles[second] = "fed"
    if "source" not in roles and roles and roles[0] in (None, "target", "labels"):
        roles[0] = "source"
    return roles


def fed_step(run: Callable[[Tensor], Tensor], target_BT: Tensor) -> str:
    """Tell which symbol of the reference the second prediction is fed: `same` step, `before`.

    It is `unknown` if neither changes it, or if there are too few symbols to tell.

    run: returns predictions (B, T, V) for a reference.
    """
    if target_BT.shape[1] < 3:
        return "unknown"
    base = run(target_BT)
    for step, name in ((1, "same"), (0, "before")):
        changed = target_BT.clone()
        changed[:, step] = _others(target_BT[:, step], target_BT)
        if not torch.equal(run(changed)[:, 1], base[:, 1]):
            return name
    return "unknown"


def _others(ids_B: Tensor, among: Tensor) -> Tensor:
    """Return for each symbol another one of those that occur."""
    known = torch.unique(among[among >= 0])
    place = torch.searchsorted(known, ids_B.clamp_min(int(known[0])))
    others: Tensor = known[(place + 1) % len(known)]
    return others
