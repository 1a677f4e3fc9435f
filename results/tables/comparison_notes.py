"""Writes the remarks below tables of comparisons: what limits them, and what was left out."""

from __future__ import annotations

from collections.abc import Sequence

from results.compare.interactions import InteractionRow
from results.compare.measures import measure
from results.compare.pairs import ComparisonRow
from results.stats.inference import ALPHA, fewest_pairs
from results.tables.effects import is_large, seeds_text
from results.tables.summaries import timing_notes


def comparison_notes(rows: Sequence[ComparisonRow]) -> list[str]:
    """Return the remarks below a table of these rows."""
    judged = [row for row in rows if row["verdict"] is not None]
    concurrent = max((row["trained_beside"] for row in judged), default=0)
    return [
        *_large_note(judged),
        *_seeds_notes(judged),
        *_unpaired_note(rows),
        *timing_notes(concurrent, (row["core_share"] for row in judged)),
        *_without_score_note(judged),
        *_detectable_note(judged),
        *(f"not compared: {why}" for why in sorted({row["refused"] for row in rows} - {""})),
    ]


def _large_note(judged: Sequence[ComparisonRow]) -> list[str]:
    """Say which command decides whether a large effect on the score is significant."""
    scores = [row for row in judged if not row["ratio"]]
    if len(scores) != 1 or not is_large(scores[0]) or not scores[0].get("decide"):
        return []
    (row,) = scores
    more = row["more_seeds"] or 1
    took = _duration(more * row.get("seed_seconds", 0.0))
    return [f"to decide it, {seeds_text(more)} of both, {took} with one worker: {row['decide']}"]


def _duration(seconds: float) -> str:
    """Return seconds as text: `about 40 s`, `about 12 min` or `about 3.4 h`."""
    if seconds < 90:
        return f"about {max(seconds, 1):.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"


def _seeds_notes(judged: Sequence[ComparisonRow]) -> list[str]:
    """Say if there are too few seeds for any verdict, and explain `more seeds`."""
    notes = []
    if any(row["why"] == "too few seeds" for row in judged):
        # Holm's correction makes large families need more seeds
        least = max(fewest_pairs(ALPHA / row["family"]) for row in judged)
        in_family = " in a family of this size" if least > fewest_pairs(ALPHA) else ""
        notes.append(
            f"too few seeds: at least {least} are needed for a significant difference{in_family} "
            f"(two-sided sign-flip test at {ALPHA:g})"
        )
    if any(row["verdict"] == "undecided" and row["more_seeds"] for row in judged):
        notes.append("more seeds: so many would decide if effect and spread stay the same")
    return notes


def _unpaired_note(rows: Sequence[ComparisonRow]) -> list[str]:
    unpaired = max((row["unpaired"] for row in rows), default=0)
    return [f"{unpaired} seeds that only one side has are left out"] if unpaired else []


def _without_score_note(judged: Sequence[ComparisonRow]) -> list[str]:
    count = sum(row["censored_a"] + row["censored_b"] for row in judged if not row["ratio"])
    return [f"{count} runs without a score count as 0"] if count else []


def _detectable_note(judged: Sequence[ComparisonRow]) -> list[str]:
    """Say what a comparison of scores would have found, if there is one and it is undecided."""
    scores = [row for row in judged if not row["ratio"]]
    if len(scores) != 1 or not scores[0]["detectable"] or scores[0]["verdict"] != "undecided":
        return []
    difference = measure(scores[0]["measure"]).write(scores[0]["detectable"]).lstrip("+")
    return [f"with these seeds, a difference of {difference} would be found in 80 % of cases"]


def interaction_notes(rows: Sequence[InteractionRow]) -> list[str]:
    """Return the interactions that are significant, or how many were tested in vain."""
    if not rows:
        return []
    significant = [_interaction_note(row) for row in rows if row["significant"]]
    if significant:
        return significant
    least = fewest_pairs(ALPHA / rows[0]["family"])
    too_few = max(row["pairs"] for row in rows) < least
    why = f"; it would take at least {least} seeds" if too_few else ""
    return [f"none of {len(rows)} interactions tested is significant{why}"]


def _interaction_note(row: InteractionRow) -> str:
    change = measure(row["measure"]).write(row["effect"])
    return (
        f"the effect of {row['of']} changes by {change} from {row['not_at']} to {row['at']} "
        f"(p {row['p_adjusted']:.3f})"
    )
