"""Takes an evaluation apart into passes: the encoder on some examples, then the decoder's steps.

A pass is what hangs together on the tape by computed values. In it, the decoder's embedded symbols
and the choices of symbols (argmax, topk, ...) take turns, or there is one of each for a whole
sequence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from bench.watching.read.entries import Lookup, entries
from bench.watching.read.flow import Flow
from bench.watching.read.predictions import CRITERIA
from bench.watching.record.places import CodeLine
from bench.watching.record.rounds import EvaluationCalls
from bench.watching.record.tape import Tape

CHOICES = frozenset("argmax topk max multinomial sort argsort".split())
"""Calls that choose symbols by their logits or probabilities."""
ADDING = frozenset("add __add__ __iadd__ add_ __radd__ sum".split())

Feeding = Literal["own", "reference", "constant", "unknown"]


@dataclass
class ChosenSymbols:
    """Symbols that a call chose."""

    call: int
    number: int
    """Number of the symbols; the logits' is the call's first input."""
    ids: Tensor


@dataclass(frozen=True)
class Sides:
    """The places and weights by which source and decoder embed their symbols in training."""

    source_places: frozenset[CodeLine | None] = frozenset()
    decoder_places: frozenset[CodeLine | None] = frozenset()
    source_weights: frozenset[str] = frozenset()
    decoder_weights: frozenset[str] = frozenset()
    symbols: int = 0
    """Number of symbols that the model predicts; 0 if unknown."""

    def of(self, entry: Lookup, weight: str | None) -> str:
        """Return source, decoder or ? for an entry of an evaluation."""
        for key, source, decoder in (
            (entry.place, self.source_places, self.decoder_places),
            (weight, self.source_weights, self.decoder_weights),
        ):
            if (key in source) != (key in decoder):
                return "decoder" if key in decoder else "source"
        return "?"


@dataclass
class Pass:
    """One run of the model in an evaluation."""

    tape: Tape
    flow: Flow
    values: Mapping[int, Tensor]
    source: list[Lookup] = field(default_factory=list)
    decoder: list[Lookup] = field(default_factory=list)
    choices: list[ChosenSymbols] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    """Indices of the calls that lead to its choices and losses."""

    @property
    def by_steps(self) -> bool:
        """Return whether the decoder is fed one symbol of each example at a time."""
        sizes = {-1 if entry.ids is None else entry.ids.numel() for entry in self.decoder}
        rows = {choice.ids.numel() for choice in self.choices}
        size = (
            self.decoder[0].ids.numel() if self.decoder and self.decoder[0].ids is not None else 0
        )
        return len(self.decoder) > 1 and len(sizes) == 1 and rows == {size}

    @cached_property
    def fed(self) -> list[Feeding]:
        """Return for each of the decoder's entries after the first where its symbols are from."""
        return [self._feeding(entry) for entry in self._later]

    @property
    def _later(self) -> list[Lookup]:
        return self.decoder if self._whole else self.decoder[1:]

    @property
    def _whole(self) -> bool:
        """Return whether the decoder is fed a whole sequence at once."""
        return len(self.decoder) == 1

    def chosen_before(self, entry: Lookup) -> ChosenSymbols | None:
        """Return the last choice before an entry."""
        before = [choice for choice in self.choices if choice.call < entry.call]
        return before[-1] if before else None

    def chosen_after(self, entry: Lookup) -> ChosenSymbols | None:
        """Return the first choice after an entry."""
        return next((choice for choice in self.choices if choice.call > entry.call), None)

    def _feeding(self, entry: Lookup) -> Feeding:
        if entry.ids is None:
            return "unknown"
        made_of = self.flow.ancestors(entry.ids_number)
        # a symbol that went through Python leaves no trace but its value
        if any(choice.number in made_of for choice in self.choices) or self._repeats(entry):
            return "own"
        sequences = [
            n
            for n in self.flow.moved_from(entry.ids_number)
            if not self.values[n].is_floating_point()
            and self.values[n].numel() > (1 if self._whole else entry.ids.numel())
        ]
        if not sequences:
            return "unknown"
        flat = entry.ids.reshape(-1)
        if len(flat) > 1 and bool((flat == flat[0]).all()):
            return "constant"
        return "reference"

    def _repeats(self, entry: Lookup) -> bool:
        """Return whether the symbols fed are those chosen in the step before, by their values."""
        assert entry.ids is not None
        if self._whole:
            chosen, fed = self.choices[0].ids, entry.ids
            if chosen.shape != fed.shape or fed.dim() != 2:
                return False
            return any(
                bool((chosen.narrow(d, 0, n) == fed.narrow(d, 1, n)).all())
                for d in (0, 1)
                if (n := fed.shape[d] - 1) > 0
            )
        choice = self.chosen_before(entry)
        if choice is None or choice.ids.numel() != entry.ids.numel():
            return False
        return bool((choice.ids.reshape(-1) == entry.ids.reshape(-1)).all())


PassesOfEvaluation = tuple[EvaluationCalls, list[Pass]]


def passes(tape: Tape, names: Mapping[int, str], sides: Sides) -> list[Pass]:
    """Return the passes of an evaluation, in order."""
    flow, values = Flow(tape), tape.replay()
    computed = _computed(tape)
    choices = [c for c in _choices(tape, flow, values, computed) if _fits(tape, values, c, sides)]
    wanted = [choice.call for choice in choices]
    wanted += [index for index, _ in flow.calls(*CRITERIA)]
    component = _components(tape, flow, values, computed, wanted)
    found: dict[int, Pass] = {}
    unknown: dict[int, list[Lookup]] = {}
    for choice in choices:
        at = component.get(choice.call)
        if at is not None:
            found.setdefault(at, Pass(tape, flow, values)).choices.append(choice)
    for entry in entries(tape, flow):
        at = component.get(entry.call)
        if at is None:
            users = [i for i in flow.users[entry.number] if i in component]
            at = component[users[0]] if users else None
        if at is None:
            continue
        this = found.setdefault(at, Pass(tape, flow, values))
        side = sides.of(entry, names.get(entry.weight))
        unknown.setdefault(at, [])
        if side == "?":
            unknown[at].append(entry)
        else:
            (this.decoder if side == "decoder" else this.source).append(entry)
    for at, unsure in unknown.items():
        _tell_sides(found[at], unsure)
    for index, at in sorted(component.items()):
        if at in found:
            found[at].calls.append(index)
    return [found[at] for at in sorted(found)]


def _tell_sides(one: Pass, unsure: list[Lookup]) -> None:
    """Give a pass its entries of which training does not tell whether they are the decoder's.

    Where a line looks up the model's own choices, it looks up the first symbol too.
    """
    numbers = [choice.number for choice in one.choices]
    own = {e.place for e in unsure if one.flow.ancestors(e.ids_number).intersection(numbers)}
    for entry in unsure:
        (one.decoder if entry.place in own else one.source).append(entry)
    for entries_of_side in (one.decoder, one.source):
        entries_of_side.sort(key=lambda entry: entry.call)


def _computed(tape: Tape) -> set[int]:
    """Return the tensors that were computed with parameters."""
    found = {number for number, root in tape.roots.items() if root.parameter}
    for call in tape.calls:
        if any(number in found for number in call.inputs):
            found.update(number for number in call.results if number >= 0)
            if call.name == "__setitem__":
                found.add(call.inputs[0])
    return found


def _choices(
    tape: Tape, flow: Flow, values: Mapping[int, Tensor], computed: set[int]
) -> Iterable[ChosenSymbols]:
    for index, call in flow.calls(*CHOICES):
        if not call.inputs or call.inputs[0] not in computed:
            continue
        results = [n for n in call.results if n >= 0 and values[n].dtype == torch.int64]
        if results and values[call.inputs[0]].is_floating_point():
            yield ChosenSymbols(index, results[-1], values[results[-1]])


def _fits(tape: Tape, values: Mapping[int, Tensor], choice: ChosenSymbols, sides: Sides) -> bool:
    """Return whether a choice is among as many symbols as the model predicts."""
    return not sides.symbols or sides.symbols in values[tape.calls[choice.call].inputs[0]].shape


def _components(
    tape: Tape,
    flow: Flow,
    values: Mapping[int, Tensor],
    computed: set[int],
    wanted: Iterable[int],
) -> dict[int, int]:
    """Return for each call that leads to a wanted one the first call of its component."""
    parent: dict[int, int] = {}

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    todo = list(wanted)
    for index in todo:
        parent.setdefault(index, index)
    seen = set(todo)
    while todo:
        index = todo.pop()
        for number in tape.calls[index].inputs:
            if number not in computed or number in tape.roots:
                continue
            for maker in flow.makers[number]:
                call = tape.calls[maker]
                if maker > index or _accumulates(call.name, call.results, values):
                    continue
                parent.setdefault(maker, maker)
                first, second = sorted((root(index), root(maker)))
                parent[second] = first
                if maker not in seen:
                    seen.add(maker)
                    todo.append(maker)
    return {index: root(index) for index in parent}


def _accumulates(name: str, results: tuple[int, ...], values: Mapping[int, Tensor]) -> bool:
    return name in ADDING and all(n < 0 or values[n].dim() == 0 for n in results)
