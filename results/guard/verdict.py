"""Has the code become slower, or do other work? Verdicts on what a guard measured.

Rows are plain numbers. A row's kind is `timed`, `exact` or `quality`; its verdict is one of the
words below, and the worst of them decides the exit code.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from results.stats.median import median_interval

GuardRow = dict[str, Any]
FAIL = ("slower", "more", "less", "gone", "new", "worse")
UNSURE = ("cannot tell",)
PLANTED = 0.10
"""The slow-down that every guard plants, to see whether it would find one."""
LOOKS = (10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320)
"""Rounds after which verdicts are looked at."""
LOOK_CONFIDENCE = 0.995
"""Of an interval at each look, as there are many looks and many subjects."""
FLOOR = 0.4
"""The share of the threshold that a slow-down must surely be beyond: two processes of one program
differ by a little for as long as they live, by where their memory lies."""
FINE = 0.8
"""The share of the threshold that all else must surely be within, for the same reason."""


@dataclass(frozen=True)
class Judged:
    """Of the median ratio of two times. verdict: slower, faster, fine or cannot tell."""

    verdict: str
    ratio: float
    low: float
    high: float


def judge(ratios: Sequence[float], threshold: float) -> Judged:
    """From ratios of rounds. threshold: a share, 0.05 for 5 %."""
    if not ratios:
        return Judged("cannot tell", math.nan, math.nan, math.nan)
    interval = median_interval(ratios, LOOK_CONFIDENCE)
    verdict = "cannot tell"
    if interval.confidence >= LOOK_CONFIDENCE:
        verdict = word_of_ratio(interval.low, interval.high, threshold, FLOOR * threshold)
    return Judged(verdict, interval.median, interval.low, interval.high)


def word_of_ratio(low: float, high: float, threshold: float, floor: float) -> str:
    """Of an interval of a ratio. slower or faster: all of it is beyond the floor. fine: it is
    within FINE of the threshold."""
    if low > 1 + floor:
        return "slower"
    if high < 1 / (1 + floor):
        return "faster"
    bound = 1 + FINE * threshold
    within = 1 / bound < low and high < bound
    return "fine" if within else "cannot tell"


@dataclass
class Trial:
    """One subject in one set of fresh processes: ratios round by round, of the present code, of
    the reference against itself, and of the reference with PLANTED more to do, each to the
    reference."""

    subject: str
    threshold: float
    present: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    planted: list[float] = field(default_factory=list)

    @property
    def judged(self) -> Judged:
        """Of the present code, if what the guard saw of itself can be believed."""
        found = judge(self.present, self.threshold)
        if found.verdict == "fine" and not self.caught:
            # who does not see what was planted cannot say that nothing is there
            return Judged("cannot tell", found.ratio, found.low, found.high)
        if found.verdict in ("slower", "faster") and self.false_alarm:
            return Judged("cannot tell", found.ratio, found.low, found.high)
        return found

    @property
    def caught(self) -> bool:
        """Whether the planted slow-down was found."""
        return judge(self.planted, self.threshold).verdict == "slower"

    @property
    def false_alarm(self) -> bool:
        """Whether the reference seems to differ from itself."""
        return judge(self.again, self.threshold).verdict in ("slower", "faster")

    @property
    def settled(self) -> bool:
        """Whether more rounds would tell nothing more."""
        return self.judged.verdict != "cannot tell"


def timed_row(trials: Sequence[Trial], counts: Mapping[str, Sequence[int | None]]) -> GuardRow:
    """What all sets of processes say of a subject: an alarm counts once it was confirmed by the
    next set, and what differs between sets cannot be told. counts: (reference, present) of those
    that differ."""
    last = trials[-1]
    first, found = trials[0].judged, last.judged
    verdict = found.verdict
    alone = len(trials) == 1
    if first.verdict in ("slower", "faster") and (alone or verdict not in (first.verdict, "fine")):
        verdict = "cannot tell"
    return {
        "kind": "timed",
        "subject": last.subject,
        "verdict": verdict,
        "ratio": _told(found.ratio),
        "low": _told(found.low),
        "high": _told(found.high),
        "rounds": [len(trial.present) for trial in trials],
        "again_ratio": _told(judge(last.again, last.threshold).ratio),
        "false_alarms": sum(trial.false_alarm for trial in trials),
        "planted_ratio": _told(judge(last.planted, last.threshold).ratio),
        "missed": sum(not trial.caught for trial in trials),
        "trials": len(trials),
        "counts": {name: list(both) for name, both in counts.items()},
    }


def _told(value: float) -> float | None:
    return value if math.isfinite(value) else None


def exact_rows(
    before: Mapping[str, Mapping[str, int | None]], now: Mapping[str, Mapping[str, int | None]]
) -> list[GuardRow]:
    """Counts of subjects against a baseline: same, more, less; `new` where the baseline lacks a
    subject, `gone` where only the baseline has it."""
    rows = []
    for subject in [*now, *(name for name in before if name not in now)]:
        known, seen = before.get(subject), now.get(subject)
        if known is None or seen is None:
            rows.append(_exact(subject, "", None, None, "new" if known is None else "gone"))
            continue
        changed = [name for name in seen if seen[name] != known.get(name)]
        for name in changed:
            old, new = known.get(name), seen[name]
            grown = old is None or (new is not None and new > old)
            rows.append(_exact(subject, name, old, new, "more" if grown else "less"))
        if not changed:
            rows.append(_exact(subject, "", None, None, "same"))
    return rows


def _exact(subject: str, count: str, before: int | None, now: int | None, verdict: str) -> GuardRow:
    return {
        "kind": "exact",
        "subject": subject,
        "count": count,
        "before": before,
        "now": now,
        "verdict": verdict,
    }


def exit_code(rows: Iterable[GuardRow]) -> int:
    """1 if anything failed, else 3 if anything cannot be told or there is nothing, else 0."""
    verdicts = {row["verdict"] for row in rows}
    if verdicts & set(FAIL):
        return 1
    return 3 if not verdicts or verdicts & set(UNSURE) else 0
