"""Checks what others reported against this store's runs: reproduced, another way, or undecided.

A result that came out another way is `reversed` only where both sides were tuned and had flattened,
and neither's rate was the smallest or largest tried, beyond which a better one may lie.
Else less training, or a rate that suits one side, may be all there is to it, and the word says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from results import commands
from results.compare.along import order_along_steps
from results.compare.judging import ComparisonRow, judged
from results.compare.measures import MeasureReader, measure, readable
from results.compare.pairs import Compared, Head, by_seed, mean_seconds, paired
from results.compare.two_variants import rate_is_tuned, tuning_text
from results.record import Record

REPRODUCED = "reproduced"
REVERSED = "reversed"
"""Said where both sides were well tuned and had flattened."""
OTHER_WAY = "the other way round at this budget"
"""Said of a difference where the other side was reported to be ahead."""
DIFFERENT = "a difference at this budget"
"""Said of a difference where none was reported."""
OTHER_VALUE = "another value"
"""Said where the comparison came out as reported, but not the value of a side."""
NO_DIFFERENCE = "no difference"
UNDECIDED = "undecided"
WORST_FIRST = (UNDECIDED, REVERSED, OTHER_WAY, DIFFERENT, OTHER_VALUE, NO_DIFFERENCE)
"""Words of comparisons, of which the first that one has is said of the whole claim: while a part is
open, nothing is said of the whole."""


@dataclass(frozen=True)
class Comparison:
    """States one comparison of a claim.

    Attributes:
        says: the statement in words.
        a, b: names of the two sides.
        key: key of the measure; "" for the task's score.
        expected: what a is compared with b: better, worse or tie.
        near: the value that the mean of a should have; None if none was reported.
        within: the share of `near` by which the mean may differ from it.
    """

    says: str
    a: str
    b: str
    key: str
    expected: str
    near: float | None
    within: float


class ClaimSource(TypedDict):
    """Names a claim, what it is about, and where it was made.

    given: how commands name it, its name or the path of its file.
    """

    claim: str
    given: str
    about: str
    source: str


class JudgedRow(ComparisonRow):
    """States the effect of a claim's comparison, and what that means for the claim."""

    expected: str
    near: float | None
    within: float
    word: str
    """REPRODUCED, or one of WORST_FIRST."""
    along: str
    """Who is ahead at which steps, by the score on validation; "" where no curves tell."""


class ClaimRow(ClaimSource, JudgedRow):
    """States one comparison of a claim; `bench claims --json` prints these rows."""

    verdict_of_claim: str
    further_seeds: int | None
    """Seeds of each side that would decide the claim; None if it is decided or unknown."""
    side_seconds: float
    """Mean seconds that one seed of all sides takes with one worker."""
    runs: int


def claim_rows(
    source: ClaimSource,
    task: str,
    comparisons: Sequence[Comparison],
    sides: Mapping[str, Sequence[Record]],
    metric: str,
) -> list[ClaimRow]:
    """Return a row for each comparison of a claim.

    Args:
        source: the claim.
        task: label of the task on which it was tried.
        comparisons: what the claim says.
        sides: the runs of each side, by name.
        metric: key of the task's score.
    """
    judged_rows = judge(comparisons, sides, metric, task)
    first_seed = min((run.seed for runs in sides.values() for run in runs), default=0)
    return [
        {
            **source,
            "verdict_of_claim": overall(judged_rows),
            "further_seeds": seeds_wanting(judged_rows),
            "side_seconds": sum(map(mean_seconds, sides.values())),
            "runs": sum(map(len, sides.values())),
            "decide": _command(source, row, first_seed),
            **row,
        }
        for row in judged_rows
    ]


def _command(source: ClaimSource, row: JudgedRow, first_seed: int) -> str:
    """Return the command that does the seeds that would decide a comparison; "" if none would."""
    more = row["more_seeds"] if row["verdict"] == "undecided" else None
    seeds = range(first_seed, first_seed + row["pairs"] + (more or 0))
    return commands.more_seeds_of_claim(source["given"], seeds) if more else ""


def judge(
    comparisons: Sequence[Comparison],
    sides: Mapping[str, Sequence[Record]],
    metric: str,
    task: str = "",
) -> list[JudgedRow]:
    """Return a row for each comparison, with its verdict on the claim as `word`.

    All comparisons of a claim that have one measure are a family.
    """
    reader = MeasureReader([record for records in sides.values() for record in records])
    found: list[Compared] = []
    for comparison in comparisons:
        head: Head = {
            "task": task,
            "setting": "",
            "says": comparison.says,
            "a": comparison.a,
            "b": comparison.b,
        }
        if tuned := _tuning(comparison, sides):
            head["tuned"] = tuned
        ours, theirs = by_seed(sides[comparison.a]), by_seed(sides[comparison.b])
        key = readable(comparison.key or metric, (*ours.values(), *theirs.values()))
        pairs = paired(measure(key), reader, [ours], [theirs])
        found.append(Compared(head, pairs))
    return [
        {
            **row,
            "expected": comparison.expected,
            "near": comparison.near,
            "within": comparison.within,
            "word": _word(row, comparison, _well_tuned(comparison, sides)),
            "along": _along(comparison, sides),
        }
        for row, comparison in zip(judged(found), comparisons, strict=True)
    ]


def _tuning(comparison: Comparison, sides: Mapping[str, Sequence[Record]]) -> str:
    """Return what tuning chose for two sides; "" if for neither, or if one was not run."""
    ours, theirs = sides[comparison.a], sides[comparison.b]
    return tuning_text(ours, theirs) if ours and theirs else ""


def _well_tuned(comparison: Comparison, sides: Mapping[str, Sequence[Record]]) -> bool:
    """Return whether the rates of both sides were tuned, and none lies at an edge."""
    both = [sides[comparison.a], sides[comparison.b]]
    return all(side and rate_is_tuned(side) and not _at_edge(side[0]) for side in both)


def _at_edge(record: Record) -> bool:
    return record.tuned is not None and "learning_rate" in record.tuned.edges


def _along(comparison: Comparison, sides: Mapping[str, Sequence[Record]]) -> str:
    """Return who is ahead at which steps; "" for a comparison of anything but the task's score."""
    if comparison.key:
        return ""
    return order_along_steps(comparison.a, sides[comparison.a], sides[comparison.b])


def _word(row: ComparisonRow, comparison: Comparison, well_tuned: bool) -> str:
    # a source that saw no difference had few runs too, and said nothing of rare failures
    verdict = "tie" if row["verdict"] == "alike" else row["verdict"]
    if verdict in (None, "undecided"):
        return UNDECIDED
    if verdict == comparison.expected:
        return REPRODUCED if _is_near(row["a_mean"], comparison) else OTHER_VALUE
    if verdict == "tie":
        return NO_DIFFERENCE
    if well_tuned and row["settled"]:
        return REVERSED
    return DIFFERENT if comparison.expected == "tie" else OTHER_WAY


def _is_near(mean: float | None, comparison: Comparison) -> bool:
    """Return True if the mean of a is about what was reported, or if nothing was."""
    if mean is None or comparison.near is None:
        return True
    return abs(mean - comparison.near) <= comparison.within * abs(comparison.near)


def overall(rows: Sequence[JudgedRow]) -> str:
    """Return the verdict on a claim: it is reproduced if each of its comparisons is."""
    words = [row["word"] for row in rows]
    return next((word for word in WORST_FIRST if word in words), REPRODUCED)


def seeds_wanting(rows: Sequence[JudgedRow]) -> int | None:
    """Return the number of further seeds that would decide; None if it is unknown."""
    wanting = [row["more_seeds"] for row in rows if row["word"] == "undecided"]
    known = [number for number in wanting if number is not None]
    # if one of them has no answer, the number for the others would promise too much
    return max(known) if known and len(known) == len(wanting) else None
