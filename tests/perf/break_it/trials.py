"""Tries one kind of breakage after another, keeps how each trial went, and counts them."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple


class Trial(NamedTuple):
    """Holds how one trial went. wrong: what was wrong, empty if nothing was; example: of what."""

    wrong: str
    example: str


Attempt = Callable[[int, random.Random], list[Trial]]
"""Makes the trials of a place, which is their number; its generator depends on the place alone."""


class Kind(NamedTuple):
    """A kind of breakage. places: how many there are to try; prepare: gives what tries one."""

    what: str
    places: int
    prepare: Callable[[Path], Attempt]


class Kept:
    """Keeps trials in a file, so that a measurement that was stopped goes on where it was."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[tuple[str, int], list[Trial]] = {}
        lines = path.read_text("utf-8").splitlines() if path and path.exists() else []
        for line in lines:
            what, place, trials = json.loads(line)
            self._known[what, place] = [Trial(*trial) for trial in trials]

    def found(self, what: str, place: int) -> list[Trial] | None:
        """Return the trials of a place that was tried before, or None."""
        return self._known.get((what, place))

    def add(self, what: str, place: int, trials: list[Trial]) -> None:
        """Keep the trials of a place."""
        if self._path:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([what, place, trials]) + "\n")


def tally_of(kind: Kind, kept: Kept, folder: Path, seed: int) -> Tally:
    """Try every place of a kind that was not tried before, and return the count of all."""
    tally = Tally(kind.what)
    for trial in _trials(kind, kept, folder, seed):
        tally.add(trial)
    return tally


def _trials(kind: Kind, kept: Kept, folder: Path, seed: int) -> Iterator[Trial]:
    attempt: Attempt | None = None
    for place in range(kind.places):
        trials = kept.found(kind.what, place)
        if trials is None:
            attempt = attempt or kind.prepare(folder)
            trials = attempt(place, random.Random(f"{seed} {kind.what} {place}"))
            kept.add(kind.what, place, trials)
        yield from trials


class Tally:
    """Counts what was tried and what went wrong, with an example of each kind."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.tried = 0
        self.wrong: Counter[str] = Counter()
        self.examples: dict[str, str] = {}

    def add(self, trial: Trial) -> None:
        """Count one trial."""
        self.tried += 1
        if trial.wrong:
            self.wrong[trial.wrong] += 1
            self.examples.setdefault(trial.wrong, trial.example)

    def row(self) -> str:
        """Return a row of the table in Markdown."""
        wrong = ", ".join(f"{count} {what}" for what, count in self.wrong.most_common())
        right = self.tried - self.wrong.total()
        return f"| {self.what} | {self.tried:,} | {right:,} | {wrong or '–'} |"
