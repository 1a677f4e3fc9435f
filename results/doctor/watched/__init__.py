"""Why does it not learn? Judges a training script by what was seen while it ran.

Each module has one group of facts (a dataclass that `bench.watch` fills in) and the rules that
read them. A rule is a function from the facts to the findings it makes, mostly none or one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from results.doctor.examined import Finding

__all__ = ["Watched", "judge"]


@dataclass(frozen=True)
class Watched:
    """What was seen of a training; a group is None where nothing could be seen of it."""

    steps: int = 0
    """Training steps taken."""
    unseen: tuple[str, ...] = ()
    """Sentences that say what could not be seen, and why."""


WatchedRule = Callable[[Watched], Iterator[Finding]]

RULES: tuple[WatchedRule, ...] = ()
"""In the order of cause and effect."""


def judge(watched: Watched) -> list[Finding]:
    """Return the causes found, in the order of cause and effect, those that are certain first."""
    found: dict[str, Finding] = {}
    for rule in RULES:
        for finding in rule(watched):
            found.setdefault(finding.cause, finding)
    return sorted(found.values(), key=lambda finding: finding.sure != "certain")
