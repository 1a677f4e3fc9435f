"""Judges a finished model by what its own code does in eval mode, and by what it never uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from results.doctor.examined import LIKELY, SURE, Finding
from results.doctor.watched.updates import HasUpdates, listed


@dataclass(frozen=True)
class DropoutAlive:
    """A call of dropout that is active although the model is in eval mode."""

    place: str
    rate: float
    changed: float
    """Share of most probable symbols that differ between two passes of one batch."""


@dataclass(frozen=True)
class FinishedSeen:
    """The facts that only an examination of a finished model has."""

    batches: int
    """Batches that were looked at."""
    dropout: DropoutAlive | None = None


class HasFinished(HasUpdates, Protocol):
    """Offers what the rules about a finished model read of all that was seen."""

    @property
    def finished(self) -> FinishedSeen | None:
        """Return the facts that only an examination has, if it was one."""


def dropout_alive(watched: HasFinished) -> Iterator[Finding]:
    """Find dropout that model.eval() does not switch off."""
    if watched.finished is None or watched.finished.dropout is None:
        return
    one = watched.finished.dropout
    yield Finding(
        "dropout-in-evaluation",
        SURE,
        f"dropout of {one.rate:g} is active here although the model is in eval mode; two passes of "
        f"one batch differ in {one.changed:.0%} of the most probable symbols",
        "use an nn.Dropout of the model, or F.dropout(x, p, training=self.training)",
        place=one.place,
        why="Random parts of the state are deleted in evaluation too, so the answers are worse "
        "than what the model has learned.",
    )


def never_used(watched: HasFinished) -> Iterator[Finding]:
    """Find parameters that no pass of a finished model takes, unless it has learned."""
    seen = watched.updates
    learned = watched.rates is not None and watched.rates.learned
    if watched.finished is None or seen is None or learned:
        return
    lost = [p.name for p in seen.parameters if p.steps and not p.used]
    if lost:
        yield Finding(
            "unused-layer",
            LIKELY,
            f"no call takes {listed(lost)}, in any of the passes over {watched.finished.batches} "
            "batches",
            "use that layer in forward(), or take it away",
            why="A layer that is never used cannot help the model, and never learns.",
        )


FINISHED_RULES = (dropout_alive, never_used)
"""The rules that read what only an examination sees."""
