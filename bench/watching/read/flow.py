"""Follows values through a tape: what a tensor was made of, and by which calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property

from bench.watching.record.calls import HANDING
from bench.watching.record.replaying import Call
from bench.watching.record.tape import Tape

MOVES = frozenset(
    "view reshape transpose permute __getitem__ cat concat concatenate stack hstack vstack squeeze "
    "unsqueeze contiguous flatten ravel split chunk index_select clone to float double half "
    "bfloat16 type t T.__get__ mT.__get__ unbind select narrow expand expand_as view_as reshape_as "
    "movedim swapaxes swapdims unflatten data.__get__ detach masked_select zeros zeros_like empty "
    "new_zeros new_empty __setitem__ tensor as_tensor pad requires_grad_ squeeze_ unsqueeze_ "
    "transpose_ copy_ type_as cpu cuda index_put_ masked_scatter index_copy_ "
    "_pad_packed_sequence _pack_padded_sequence".split()
)
"""Calls that pass values on without computing new ones."""


class Flow:
    """The calls of a tape as a graph."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.makers: dict[int, list[int]] = defaultdict(list)
        """By number of a tensor, the calls that made it or wrote to it."""
        self.users: dict[int, list[int]] = defaultdict(list)
        """By number of a tensor, the calls that took it."""
        for index, call in enumerate(tape.calls):
            if call.name in HANDING:
                continue
            for number in dict.fromkeys(call.results):
                if number >= 0:
                    self.makers[number].append(index)
            for number in call.written:
                self.makers[number].append(index)
            for number in dict.fromkeys(call.inputs):
                self.users[number].append(index)

    @cached_property
    def computed(self) -> set[int]:
        """Return the tensors that were computed with parameters, and the parameters."""
        found = {number for number, root in self.tape.roots.items() if root.parameter}
        for call in self.tape.calls:
            if found.intersection(call.inputs):
                found.update(number for number in (*call.results, *call.written) if number >= 0)
        return found

    @cached_property
    def differentiable(self) -> set[int]:
        """Return those that gradients could reach: no chosen symbols, nor what they give."""
        whole = self.tape.whole
        found = {number for number, root in self.tape.roots.items() if root.parameter}
        for call in self.tape.calls:
            if found.intersection(call.inputs):
                made = (*call.results, *call.written)
                found.update(n for n in made if n >= 0 and n not in whole)
        return found

    def sources(self, number: int) -> list[int]:
        """Return the tensors that a tensor was made of, in one step."""
        found: dict[int, None] = {}
        for index in self.makers[number]:
            found.update(dict.fromkeys(n for n in self.tape.calls[index].inputs if n != number))
        return list(found)

    def ancestors(self, number: int) -> set[int]:
        """Return all tensors that a tensor was made of, in any number of steps, and itself."""
        seen, todo = {number}, [number]
        while todo:
            for before in self.sources(todo.pop()):
                if before not in seen:
                    seen.add(before)
                    todo.append(before)
        return seen

    def before(self, number: int, names: frozenset[str]) -> list[int]:
        """Return the nearest calls of these names on every way back from a tensor."""
        found, seen, todo = set(), {number}, [number]
        while todo:
            current = todo.pop()
            hits = [i for i in self.makers[current] if self.tape.calls[i].name in names]
            found.update(hits)
            if hits:
                continue
            for before in self.sources(current):
                if before not in seen:
                    seen.add(before)
                    todo.append(before)
        return sorted(found)

    def moved_from(self, number: int, through: frozenset[str] = MOVES) -> set[int]:
        """Return the tensors whose values a tensor holds, moved but not computed with."""
        seen, todo = {number}, [number]
        while todo:
            current = todo.pop()
            for index in self.makers[current]:
                if self.tape.calls[index].name in through:
                    for before in self.tape.calls[index].inputs:
                        if before not in seen:
                            seen.add(before)
                            todo.append(before)
        return seen

    def calls(self, *names: str) -> Iterator[tuple[int, Call]]:
        """Yield the calls of these names with their indices."""
        wanted = set(names)
        for index, call in enumerate(self.tape.calls):
            if call.name in wanted:
                yield index, call
