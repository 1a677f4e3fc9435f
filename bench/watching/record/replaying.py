"""Runs recorded calls again, with the values that they had or with others."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.watching.record.calls import CHANGING, CUTTING, SKIPPED
from bench.watching.record.leaves import leaves_of, put_together
from bench.watching.record.places import CodeLine

Change = Callable[[Tensor], Tensor]
"""Returns the value to go on with in place of the one that a call returned."""


@dataclass(frozen=True)
class Slot:
    """Stands for a tensor among the arguments of a call."""

    number: int


@dataclass(frozen=True)
class GeneratorState:
    """Stands for a generator of random numbers among the arguments of a call."""

    state: Tensor
    device: torch.device

    def generator(self) -> torch.Generator:
        """Return a generator that draws what the call drew."""
        return torch.Generator(self.device).set_state(self.state)


@dataclass
class Call:
    """A call of a torch function, with numbers in place of tensors."""

    name: str
    function: Callable[..., Any]
    leaves: list[Any]
    places: Any
    """Positional and keyword arguments, with the place in `leaves` instead of each leaf."""
    results: tuple[int, ...]
    place: CodeLine | None
    modules: tuple[nn.Module, ...]
    """The modules whose forward was running, from the outermost to the innermost."""
    gradients: bool
    """Whether gradients were enabled."""
    autocast: torch.dtype | None = None
    random: Tensor | None = None

    @property
    def inputs(self) -> list[int]:
        """Return the numbers of the tensors among the arguments, in their order."""
        return [leaf.number for leaf in self.leaves if isinstance(leaf, Slot)]

    @property
    def written(self) -> tuple[int, ...]:
        """Return the number of the tensor that the call changes without returning it."""
        return tuple(self.inputs[:1]) if self.name in CHANGING else ()

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return positional and keyword arguments, with a Slot for each tensor."""
        return self.arranged(self.leaves)

    def arranged(self, leaves: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return positional and keyword arguments made of these leaves."""
        args, kwargs = put_together(leaves, self.places)
        return args, kwargs


@dataclass(frozen=True)
class Manner:
    """The way in which calls are run again; see `Tape.replay`."""

    gradients: bool
    uncut: bool
    passed: frozenset[int]
    stop: int | None


def run(
    calls: Sequence[Call],
    values: dict[int, Tensor],
    changes: Mapping[tuple[int, int], Change],
    manner: Manner,
) -> dict[int, Tensor]:
    """Run calls again from the values of their roots, and return these with all others."""
    with (
        torch.random.fork_rng(devices=[]),
        torch._C.DisableTorchFunction(),
        warnings.catch_warnings(),
    ):
        # the script has had its warnings when it made the calls
        warnings.simplefilter("ignore")
        for (index, number), change in changes.items():
            if index < 0:
                values[number] = change(values[number])
        for index, call in enumerate(calls[: manner.stop]):
            if call.name not in SKIPPED:
                _run(index, call, values, changes, manner)
    return values


def _run(
    index: int,
    call: Call,
    values: dict[int, Tensor],
    changes: Mapping[tuple[int, int], Change],
    manner: Manner,
) -> None:
    if index in manner.passed:
        returned = values[call.inputs[0]]
    else:
        leaves = [_given(leaf, index, call, values, changes) for leaf in call.leaves]
        returned = _made(call, call.arranged(leaves), manner)
    flat = _flat(returned) if call.results else ()
    for number, value in zip(call.results, flat, strict=False):
        if number >= 0 and isinstance(value, Tensor):
            change = changes.get((index, number))
            values[number] = value if change is None else change(value)
    for number in call.written:
        if (index, number) in changes:
            values[number] = changes[index, number](values[number])


def _made(call: Call, given: tuple[tuple[Any, ...], dict[str, Any]], manner: Manner) -> Any:
    """Make a call with other arguments, and return what it returns."""
    args, kwargs = given
    if call.random is not None:
        torch.set_rng_state(call.random)
    before = torch.is_grad_enabled()
    wanted = manner.gradients and (call.gradients or manner.uncut)
    # to set it takes longer than many a call, and there are tens of thousands
    if wanted != before:
        torch.set_grad_enabled(wanted)
    try:
        if manner.uncut and _cuts(call, args):
            return args[0].to(kwargs.get("dtype") or args[0].dtype).view_as(args[0])
        if call.autocast is None:
            return call.function(*args, **kwargs)
        with torch.autocast("cpu", dtype=call.autocast):
            return call.function(*args, **kwargs)
    finally:
        if wanted != before:
            torch.set_grad_enabled(before)


def _flat(returned: Any) -> Sequence[Any]:
    """Return what a call returned as a flat sequence."""
    return (returned,) if isinstance(returned, Tensor) else leaves_of(returned)


def _cuts(call: Call, args: tuple[Any, ...]) -> bool:
    """Return whether a call's result is its argument, cut off from its history."""
    return (
        call.name in CUTTING
        and bool(args)
        and isinstance(args[0], Tensor)
        and args[0].is_floating_point()
    )


def _given(
    leaf: Any,
    index: int,
    call: Call,
    values: Mapping[int, Tensor],
    changes: Mapping[tuple[int, int], Change],
) -> Any:
    """Return the argument that stands for what was recorded."""
    if isinstance(leaf, Slot):
        change = changes.get((index, leaf.number))
        taken = change is not None and leaf.number not in (*call.results, *call.written)
        return change(values[leaf.number]) if change is not None and taken else values[leaf.number]
    # what is made of an array may be written to
    if isinstance(leaf, np.ndarray):
        return leaf.copy()
    return leaf.generator() if isinstance(leaf, GeneratorState) else leaf
