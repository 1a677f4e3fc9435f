"""A pass of an evaluation: the encoder on some examples, then the decoder's steps.

In a pass, the decoder's embedded symbols and the choices of symbols (argmax, topk, ...) take turns,
or there is one of each for a whole sequence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from bench.watching.read.entries import Lookup
from bench.watching.read.flow import Flow
from bench.watching.record.places import CodeLine
from bench.watching.record.rounds import EvaluationCalls
from bench.watching.record.tape import Tape

Feeding = Literal["own", "reference", "constant", "unknown"]


@dataclass
class ChosenSymbols:
    """Symbols that a call chose, or that Python chose of the scores that it was given."""

    call: int
    number: int
    """Number of the symbols, or of the scores that were handed over; the call's first input are the
    logits."""
    ids: Tensor
    handed: bool = False
    """Whether the choice was made outside torch: ids are the best of the scores."""
    left_out: int = 0
    """Number of first symbols that were cut off the scores: ids are counted with them."""

    def among(self, values: Mapping[int, Tensor]) -> Tensor:
        """Return the symbols chosen in another run of the tape."""
        made = values[self.number].argmax(-1) if self.handed else values[self.number]
        return made + self.left_out


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
    every_choice: list[ChosenSymbols] = field(default_factory=list)
    """The choices of all passes of the evaluation."""

    @property
    def chosen(self) -> set[int]:
        """Return the numbers of the symbols that calls of torch chose."""
        return {choice.number for choice in self.choices if not choice.handed}

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
        return len(self.decoder) == 1 and not self.one_for_all

    @property
    def one_for_all(self) -> bool:
        """Return whether one symbol of each example is fed to every step, and none after it."""
        entry = self.decoder[0]
        rows = {choice.ids.numel() for choice in self.choices}
        each = entry.times > 1 and len(self.choices) > 1
        return each and entry.ids is not None and rows == {entry.ids.numel()}

    def chosen_before(self, entry: Lookup) -> ChosenSymbols | None:
        """Return the last choice before an entry."""
        before = [choice for choice in self.choices if choice.call < entry.at]
        return before[-1] if before else None

    def chosen_after(self, entry: Lookup) -> ChosenSymbols | None:
        """Return the first choice after an entry."""
        return next((choice for choice in self.choices if choice.call > entry.at), None)

    def _feeding(self, entry: Lookup) -> Feeding:
        if entry.ids is None:
            return "unknown"
        made_of = self.flow.ancestors(entry.ids_number)
        # a symbol that went through Python leaves no trace but its value
        if any(choice.number in made_of for choice in self.choices):
            return "own"
        if self._repeats(entry) or self._continues(entry):
            return "own"
        flat = entry.ids.reshape(-1)
        constant = len(flat) > 1 and bool((flat == flat[0]).all())
        if self._of_sequence(entry):
            return "constant" if constant else "reference"
        return "unknown"

    def _of_sequence(self, entry: Lookup) -> bool:
        """Return whether symbols are a part of a larger tensor of symbols, or fed as a whole."""
        assert entry.ids is not None
        least = 1 if self._whole else entry.ids.numel()
        return any(
            not self.values[n].is_floating_point() and self.values[n].numel() > least
            for n in self.flow.moved_from(entry.ids_number)
        )

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

    def _continues(self, entry: Lookup) -> bool:
        """Return whether all symbols that were chosen are fed again, with each new one added."""
        assert entry.ids is not None
        earlier = [choice.ids for choice in self.every_choice if choice.call < entry.at]
        rows = entry.ids.unsqueeze(0) if entry.ids.dim() == 1 else entry.ids
        if rows.dim() != 2:
            return False
        return any(_grown(ids_BT, earlier) for ids_BT in (rows, rows.t()))


def _grown(ids_BT: Tensor, chosen: list[Tensor]) -> bool:
    """Return whether what follows the first symbols are the latest ones that were chosen."""
    examples, steps = ids_BT.shape
    if steps < 2 or len(chosen) < steps - 1:
        return False
    latest = chosen[len(chosen) - (steps - 1) :]
    if any(ids.numel() % examples or not ids.numel() for ids in latest):
        return False
    added = [ids.reshape(examples, -1)[:, -1] for ids in latest]
    return bool((torch.stack(added, 1) == ids_BT[:, 1:]).all())


PassesOfEvaluation = tuple[EvaluationCalls, list[Pass]]
