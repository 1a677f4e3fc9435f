"""Judges whether code became slower or does other work, from what a guard measured.

Rows are plain numbers and words. A row's kind is `timed`, `exact` or `quality`. Its verdict is one
of a few words, and the worst of them decides the exit code.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from results.stats.median import median_interval

GuardRow = dict[str, Any]
"""Verdict on one subject, as `bench guard --json` prints it; its keys depend on its kind."""
FAIL = ("slower", "more", "less", "gone", "new", "worse")
"""Verdicts that make a guard fail."""
UNSURE = ("cannot tell",)
"""Verdicts that make a guard end with exit code 3."""
PLANTED = 0.10
"""Slow-down that every guard plants in the reference, to check that it would find one."""
LOOKS = (10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320)
"""Numbers of rounds after which verdicts are formed."""
LOOK_CONFIDENCE = 0.995
"""Confidence of an interval at each look; high, because there are many looks and subjects."""
FLOOR = 0.4
"""Share of the threshold beyond which the whole interval of a slow-down must be.

Two processes of one program differ by a little for as long as they live, because their memory lies
at different addresses.
"""
FINE = 0.8
"""Share of the threshold within which the whole interval must be for `fine`, for that reason."""


@dataclass(frozen=True)
class RatioVerdict:
    """Holds the verdict on the median ratio of two times.

    Attributes:
        verdict: slower, faster, fine or cannot tell.
        ratio: the median.
        low, high: its interval.
    """

    verdict: str
    ratio: float
    low: float
    high: float


def judge(ratios: Sequence[float], threshold: float) -> RatioVerdict:
    """Return the verdict on the ratios of all rounds.

    Args:
        ratios: the time of one program divided by that of the other, for each round.
        threshold: the smallest slow-down that matters, 0.05 for 5 %.
    """
    if not ratios:
        return RatioVerdict("cannot tell", math.nan, math.nan, math.nan)
    interval = median_interval(ratios, LOOK_CONFIDENCE)
    verdict = "cannot tell"
    # few rounds have no interval of that confidence
    if interval.confidence >= LOOK_CONFIDENCE:
        verdict = word_of_ratio(interval.low, interval.high, threshold, FLOOR * threshold)
    return RatioVerdict(verdict, interval.median, interval.low, interval.high)


def word_of_ratio(low: float, high: float, threshold: float, floor: float) -> str:
    """Return the verdict on the interval of a ratio.

    It is slower or faster if all of the interval is beyond the floor, and fine if all of it is
    within FINE of the threshold.
    """
    if low > 1 + floor:
        return "slower"
    if high < 1 / (1 + floor):
        return "faster"
    bound = 1 + FINE * threshold
    within = 1 / bound < low and high < bound
    return "fine" if within else "cannot tell"


@dataclass
class Trial:
    """Holds the ratios of one subject, measured in one set of fresh processes.

    All ratios are to the time of the reference in the same round.

    Attributes:
        subject: its name.
        threshold: the smallest slow-down that matters.
        present: of the present code.
        again: of the reference itself, in another process.
        planted: of the reference with PLANTED more work.
    """

    subject: str
    threshold: float
    present: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    planted: list[float] = field(default_factory=list)

    @property
    def judged(self) -> RatioVerdict:
        """The verdict on the present code, unless the guard's own checks contradict it."""
        found = judge(self.present, self.threshold)
        # a guard that misses what was planted cannot say that nothing is there
        missed = found.verdict == "fine" and not self.caught
        alarm = found.verdict in ("slower", "faster") and self.false_alarm
        if missed or alarm:
            return RatioVerdict("cannot tell", found.ratio, found.low, found.high)
        return found

    @property
    def caught(self) -> bool:
        """True if the planted slow-down was found."""
        return judge(self.planted, self.threshold).verdict == "slower"

    @property
    def false_alarm(self) -> bool:
        """True if the reference seems to differ from itself."""
        return judge(self.again, self.threshold).verdict in ("slower", "faster")

    @property
    def settled(self) -> bool:
        """True if more rounds are not needed."""
        return self.judged.verdict != "cannot tell"


def timed_row(trials: Sequence[Trial], counts: Mapping[str, Sequence[int | None]]) -> GuardRow:
    """Return the verdict on a subject from all its trials.

    Args:
        trials: one for each set of processes, in order.
        counts: the counts that differ, as (reference, present) by name.
    """
    last = trials[-1]
    found = last.judged
    return {
        "kind": "timed",
        "subject": last.subject,
        "verdict": _confirmed(trials),
        "ratio": _finite(found.ratio),
        "low": _finite(found.low),
        "high": _finite(found.high),
        "rounds": [len(trial.present) for trial in trials],
        "again_ratio": _finite(judge(last.again, last.threshold).ratio),
        "false_alarms": sum(trial.false_alarm for trial in trials),
        "planted_ratio": _finite(judge(last.planted, last.threshold).ratio),
        "missed": sum(not trial.caught for trial in trials),
        "trials": len(trials),
        "counts": {name: list(both) for name, both in counts.items()},
    }


def _confirmed(trials: Sequence[Trial]) -> str:
    """Return the last verdict, but `cannot tell` for an alarm that no second trial confirmed."""
    first, last = trials[0].judged.verdict, trials[-1].judged.verdict
    # fresh processes lie elsewhere in memory: a difference that they do not show was no change
    alarm = first in ("slower", "faster")
    contradicted = last not in (first, "fine")
    return "cannot tell" if alarm and (len(trials) == 1 or contradicted) else last


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def exact_rows(
    before: Mapping[str, Mapping[str, int | None]], now: Mapping[str, Mapping[str, int | None]]
) -> list[GuardRow]:
    """Compare counts with a baseline, and return a row per count that changed.

    Args:
        before: the baseline's counts, by subject and name.
        now: the present counts.

    Returns:
        Rows with the verdicts `more` and `less`; one `same` for a subject of which nothing
        changed, `new` for one that the baseline lacks, `gone` for one that only it has.
    """
    rows = []
    for subject, counts in now.items():
        if subject in before:
            rows += _count_rows(subject, before[subject], counts)
        else:
            rows.append(_exact_row(subject, "new"))
    return rows + [_exact_row(subject, "gone") for subject in before if subject not in now]


def _count_rows(
    subject: str, before: Mapping[str, int | None], now: Mapping[str, int | None]
) -> list[GuardRow]:
    rows = []
    for name, new in now.items():
        old = before.get(name)
        if new != old:
            # a count that the baseline lacks, or that can no longer be taken, is a change too
            grown = old is None or (new is not None and new > old)
            rows.append(_exact_row(subject, "more" if grown else "less", name, old, new))
    return rows or [_exact_row(subject, "same")]


def _exact_row(
    subject: str,
    verdict: str,
    count: str = "",
    before: int | None = None,
    now: int | None = None,
) -> GuardRow:
    return {
        "kind": "exact",
        "subject": subject,
        "count": count,
        "before": before,
        "now": now,
        "verdict": verdict,
    }


def exit_code(rows: Iterable[GuardRow]) -> int:
    """Return 1 if a row fails, else 3 if one is unsure or there are none, else 0."""
    verdicts = {row["verdict"] for row in rows}
    if verdicts & set(FAIL):
        return 1
    # no verdict at all must not pass for a good one
    return 3 if not verdicts or verdicts & set(UNSURE) else 0
