"""Recognises steps that a script takes without a torch optimizer.

Between the gradients and the next forward pass, such a script computes new weights from the old
ones and their gradients, and writes them in place or keeps them as new tensors. Gradients, and
what is computed from them, are followed through these calls; a weight that such a value changes,
or that is written in place, begins a step. The first call that has nothing to do with weights and
gradients ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from bench.watching.record.calls import asks
from bench.watching.record.gradients import Gradients
from bench.watching.record.leaves import leaves_of
from bench.watching.record.places import CodeLine, place
from bench.watching.record.tape import Tape, memory, plain, takes_gradients

IN_PLACE = frozenset({"__setitem__", "data.__set__"})
GRADIENT = "grad.__get__"
COPYING = frozenset("clone detach data.__get__ tensor to".split())
"""Calls by which a script goes on with the value of a parameter in another tensor."""
LAYERS = frozenset(
    "linear matmul __matmul__ __rmatmul__ mm bmm embedding gru lstm rnn_tanh rnn_relu gru_cell "
    "lstm_cell rnn_tanh_cell rnn_relu_cell conv1d einsum addmm baddbmm bilinear".split()
)
"""Calls by which a forward pass uses weights; an update uses them on gradients only."""


@dataclass(frozen=True)
class HandMadeStep:
    """A step that the script took by itself."""

    place: CodeLine | None
    """The line of the first write."""
    parameters: list[Tensor]
    """The parameters that it changes, as they were in the first round."""
    rate: float
    """Learning rate, below 0 if the step goes up the gradient; nan if it is no multiple of it."""


@dataclass
class _Update:
    """A step that has begun; it is one if no optimizer takes its place."""

    place: CodeLine | None
    changed: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    """By identity of a parameter's first tensor, itself and the latest with its new value."""


class HandMadeSteps:
    """Follows parameters that no optimizer holds from their gradients to their new values."""

    def __init__(self, held: Callable[[], Iterable[Tensor]]) -> None:
        """Prepare to look for steps; `held` gives the parameters that optimizers hold."""
        self._held = held
        self._present: dict[int, tuple[Tensor, Tensor]] = {}
        """By identity of a tensor that is in use, itself and the first of its line."""
        self._by_memory: dict[int, Tensor] = {}
        self._followed: dict[int, Tensor] = {}
        """Gradients and what was computed from them."""
        self._line: dict[int, tuple[Tensor, Tensor]] = {}
        """New values of parameters, with the first tensor of each."""
        self._copies: dict[int, tuple[Tensor, Tensor]] = {}
        """Copies of parameters since the last step, with the first tensor of each."""
        self._update: _Update | None = None
        self.anew = False
        """Whether the script makes new tensors of its parameters in a step."""
        self.awaited = False
        """Whether gradients have come and no step was taken since."""
        self.functional = False
        """Whether gradients came from torch.func, whose parameters take none outside of it."""

    def first(self, tensor: Tensor) -> Tensor:
        """Return the first tensor of a parameter that the script makes anew with each step."""
        known = self._known(tensor)
        return tensor if known is None else known

    def knows(self, tensor: Tensor) -> bool:
        """Return whether a tensor is a parameter that the script changes by itself."""
        return self._known(tensor) is not None

    def _known(self, tensor: Tensor) -> Tensor | None:
        known = self._present.get(id(tensor)) or self._copies.get(id(tensor))
        return known[1] if known is not None and known[0] is tensor else None

    def copied(self, tensors: list[Tensor], result: object) -> None:
        """Note that a call made copies of tensors, some of them parameters."""
        firsts = [first for tensor in tensors if (first := self._known(plain(tensor))) is not None]
        for leaf in leaves_of(result) if firsts else ():
            if isinstance(leaf, Tensor) and leaf.shape == firsts[0].shape:
                copy = plain(leaf)
                self._copies.setdefault(id(copy), (copy, firsts[0]))

    def know(self, parameters: Iterable[Tensor]) -> None:
        """Note parameters that a round takes."""
        parameters = list(parameters)
        self._present |= {
            k: self._copies.pop(k) for p in parameters if (k := id(p)) in self._copies
        }
        unknown = [p for p in parameters if not self.knows(p) or self.first(p) is p]
        if unknown:
            held = {id(parameter) for parameter in self._held()}
            self._present.update({id(p): (p, p) for p in unknown if id(p) not in held})

    def await_step(self, gradients: Iterable[Tensor] = ()) -> None:
        """Begin to look for a step, once gradients have come.

        gradients: those that do not lie in the parameters' `.grad`.
        """
        if self._update is not None:
            return
        copies, self._copies = self._copies, {}
        self._present |= {k: pair for k, pair in copies.items() if _has_gradient(pair[0])}
        if self._present:
            held = {id(parameter) for parameter in self._held()}
            kept = {k: pair for k, pair in self._present.items() if id(pair[1]) not in held}
            self._present = kept
        present = [pair[0] for pair in self._present.values()]
        self._by_memory = {at: tensor for tensor in present if (at := memory(tensor))}
        self.awaited = bool(present)
        self._followed.update({id(plain(gradient)): plain(gradient) for gradient in gradients})

    def cancel(self) -> None:
        """Forget the step that was awaited: an optimizer took it."""
        self.awaited, self._update = False, None
        self._followed.clear()
        self._line.clear()

    def takes(self, name: str, tensors: list[Tensor]) -> bool:
        """Return whether a call is part of an update, before it is made."""
        if self._update is not None:
            return self._belongs(name, tensors)
        return self._begins(name, tensors) or any(map(self._follows, tensors))

    def begin(self, name: str, tensors: list[Tensor], gradients: Gradients) -> bool:
        """Begin a step if a call is the first to change a parameter; return whether it is."""
        if self._update is not None or not self._begins(name, tensors):
            return False
        self._update = _Update(place())
        present = self._in_use()
        gradients.before_update(present.values())
        return True

    def note(self, name: str, tensors: list[Tensor], result: object) -> None:
        """Follow what a call of an update returned."""
        made = [plain(leaf) for leaf in leaves_of(result) if isinstance(leaf, Tensor)]
        follows = any(map(self._follows, tensors)) or name == GRADIENT
        for tensor, origin in self._pairs(name, tensors, made):
            first = None if name == GRADIENT else self._first_of(origin)
            if first is not None and tensor.shape == first.shape:
                self._line[id(tensor)] = tensor, first
                if self._update is not None and (follows or _writes(name)):
                    self._update.changed[id(first)] = first, tensor
            elif follows:
                self._followed[id(tensor)] = tensor

    def _pairs(
        self, name: str, tensors: list[Tensor], made: list[Tensor]
    ) -> list[tuple[Tensor, Tensor]]:
        """Return what a call made or wrote to, each with the argument that it was made of."""
        if name.startswith("_foreach_"):
            return list(zip(made or tensors, tensors, strict=False))
        if _writes(name):
            return [(plain(tensor), tensor) for tensor in tensors[:1]]
        return [(tensor, self._origin(tensors, tensor)) for tensor in made]

    def _origin(self, tensors: list[Tensor], made: Tensor) -> Tensor:
        """Return the argument of a call that is the old value of the tensor that it made."""
        alike = (t for t in tensors if t.shape == made.shape and self._first_of(t) is not None)
        return next(alike, made)

    @property
    def begun(self) -> bool:
        """Return whether a step has begun."""
        return self._update is not None

    def end(self, gradients: Gradients) -> HandMadeStep | None:
        """End the step that has begun; return it, or None if no parameter has changed."""
        update, self._update = self._update, None
        if update is None:
            return None
        present = self._in_use()
        pairs = [
            (present[key], _value(present[key], new), first)
            for key, (first, new) in update.changed.items()
            if key in present and gradients.applies(present[key])
        ]
        rate = gradients.after_update([(old, new) for old, new, _ in pairs])
        self._renew(pairs)
        self.cancel()
        parameters = [first for _, _, first in pairs]
        return HandMadeStep(update.place, parameters, rate) if parameters else None

    def _in_use(self) -> dict[int, Tensor]:
        """Return the tensor of each parameter that gradients come for, by its first's identity."""
        found: dict[int, Tensor] = {}
        for tensor, first in self._present.values():
            before = found.get(id(first))
            if before is None or takes_gradients(tensor) or not takes_gradients(before):
                found[id(first)] = tensor
        return found

    def trace(self, tape: Tape) -> None:
        """Put the first tensors of parameters in the place of those that a tape took."""
        tape.parameters = {n: self.first(tensor) for n, tensor in tape.parameters.items()}

    def line(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield each tensor in use with the first of its line."""
        yield from self._present.values()

    def _renew(self, pairs: list[tuple[Tensor, Tensor, Tensor]]) -> None:
        """Keep the new tensors of parameters that are not written in place."""
        anew = {id(first) for old, new, first in pairs if new is not old}
        self.anew |= bool(anew)
        kept = {k: pair for k, pair in self._present.items() if id(pair[1]) not in anew}
        later = {k: pair for k, pair in self._line.items() if id(pair[1]) in anew}
        self._present = kept | later

    def _begins(self, name: str, tensors: list[Tensor]) -> bool:
        """Return whether a call writes to a parameter, or joins one with its gradient."""
        if _writes(name):
            return bool(tensors) and self._parameter(tensors[0]) is not None
        parameters = [p for t in tensors if (p := self._parameter(t)) is not None]
        followed = [plain(t).shape for t in tensors if self._follows(t)]
        return not asks(name) and any(p.shape in followed for p in parameters)

    def _belongs(self, name: str, tensors: list[Tensor]) -> bool:
        """Return whether a call after the first write is still part of the step."""
        if any(map(_holds_symbols, tensors)):
            return False
        if any(map(self._follows, tensors)) or not tensors:
            return True
        forward = torch.is_grad_enabled() and any(map(takes_gradients, tensors))
        if name in LAYERS or (forward and not asks(name) and not _writes(name)):
            return False
        return any(self._first_of(t) is not None for t in tensors) or self._all_fit(tensors)

    def _all_fit(self, tensors: list[Tensor]) -> bool:
        """Return whether tensors have shapes of parameters, or are single numbers."""
        shapes = {parameter.shape for parameter in self._by_memory.values()}
        return all(not t.dim() or t.shape in shapes for t in tensors)

    def _follows(self, tensor: Tensor) -> bool:
        tensor = plain(tensor)
        if id(tensor) in self._followed:
            return True
        return any(
            tensor is parameter.grad for parameter in self._by_memory.values() if parameter.is_leaf
        )

    def _parameter(self, tensor: Tensor) -> Tensor | None:
        """Return the parameter that a tensor is, or is another view of."""
        found = self._by_memory.get(memory(plain(tensor)))
        return found if found is not None and found.numel() else None

    def _first_of(self, tensor: Tensor) -> Tensor | None:
        """Return the first tensor of the parameter that a tensor is, or is the new value of."""
        key = id(plain(tensor))
        known = self._line.get(key) or self._present.get(key) or self._copies.get(key)
        if known is not None:
            return known[1]
        parameter = self._parameter(tensor)
        return None if parameter is None else self.first(parameter)


def _writes(name: str) -> bool:
    """Return whether a call of this name changes its first argument."""
    if name in IN_PLACE or (name.startswith("__i") and name not in ("__index__", "__int__")):
        return True
    return name.endswith("_") and not name.endswith("__") and name != "requires_grad_"


def _value(old: Tensor, new: Tensor) -> Tensor:
    """Return the tensor that has a parameter's new value: itself, if it was written in place."""
    return old if memory(new) == memory(old) else new


def _has_gradient(tensor: Tensor) -> bool:
    """Return whether gradients have come to a leaf."""
    return takes_gradients(tensor) and tensor.grad is not None


def _holds_symbols(tensor: Tensor) -> bool:
    """Return whether a tensor holds whole numbers, of which no update is made."""
    return bool(tensor.dim()) and not tensor.is_floating_point() and tensor.dtype != torch.bool
