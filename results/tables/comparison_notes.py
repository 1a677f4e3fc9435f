"""Writes the remarks below tables of comparisons: what limits them, and what was left out."""

from __future__ import annotations

from collections.abc import Sequence

from results.compare.again import came_again
from results.compare.interactions import InteractionRow
from results.compare.judging import ComparisonRow
from results.compare.measures import measure
from results.stats.inference import ALPHA, fewest_pairs
from results.stats.verdicts import TIE_RATE, TOO_FEW
from results.tables.effects import is_large, seeds_text
from results.tables.summaries import timing_notes

FAILED_NOTE = "failed: in a group far below the other runs, under half of the best score"
"""Says when a run has failed (`results.stats.failures`)."""
RISING_AT_END = "still rising at the budget, so with more training the order may change"
"""Opens the remark on sides that had not flattened."""
MOST_NAMED = 4
"""Number of sides that a remark names."""
PRICE_BY_HAND = 10
"""False verdicts in 100 of somebody who adds seeds and compares again until something is found.

Measured by tests/perf/verdict_rates.py; with looks that are planned it is 5.
"""

PLANNED_LOOKS = " (--until-decided: in 5)"
"""Says how seeds are added to two variants with looks that are planned."""


def comparison_notes(rows: Sequence[ComparisonRow]) -> list[str]:
    """Return the remarks below a table of these rows."""
    judged = [row for row in rows if row["verdict"] is not None]
    concurrent = max((row["trained_beside"] for row in judged), default=0)
    return [
        *dict.fromkeys(row["tuned"] for row in rows if "tuned" in row),
        *_rising_note(judged),
        *_large_note(judged),
        *(f"not compared: {why}" for why in sorted({row["refused"] for row in rows} - {""})),
        *_too_few_note(judged),
        *_unpaired_note(judged),
        *_failures_note(judged),
        *more_seeds_note(judged),
        *timing_notes(concurrent, (row["core_share"] for row in judged)),
        *_without_score_note(judged),
        *_detectable_note(judged),
    ]


def _rising_note(judged: Sequence[ComparisonRow]) -> list[str]:
    """Say which sides still rose when training ended, so that their order may yet change."""
    found: dict[str, str] = {}
    for row in judged:
        runs, of_set = row["pairs"] * row["contexts"], row.get("variant", "")
        for side, rising in ((row["a"], row["rising_a"]), (row["b"], row["rising_b"])):
            name = f"{of_set} of {side}" if of_set else side
            if rising:
                found.setdefault(name, rising_text(name, rising, runs))
    return rising_notes(list(found.values()))


def rising_text(name: str, rising: int, runs: int) -> str:
    """Say how many runs of a side still rose when training ended."""
    return f"{name} in {rising} of {runs} runs"


def rising_notes(sides: Sequence[str]) -> list[str]:
    """Return a remark on the sides that still rose, each a `rising_text`, if there are any."""
    more = len(sides) - MOST_NAMED
    rest = f" and {more} more" if more > 0 else ""
    return [f"{RISING_AT_END}: {', '.join(sides[:MOST_NAMED])}{rest}"] if sides else []


def _large_note(judged: Sequence[ComparisonRow]) -> list[str]:
    """Say which command decides whether a large effect on the score is significant."""
    scores = [row for row in judged if not row["ratio"]]
    if len(scores) != 1 or not is_large(scores[0]) or not scores[0].get("decide"):
        return []
    (row,) = scores
    more = row["more_seeds"] or 1
    took = duration_text(more * row.get("seed_seconds", 0.0))
    return [f"to decide it, {seeds_text(more)} of both, {took} with one worker: {row['decide']}"]


def duration_text(seconds: float) -> str:
    """Return seconds as text: `about 40 s`, `about 12 min` or `about 3.4 h`."""
    if seconds < 90:
        return f"about {max(seconds, 1):.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"


def _too_few_note(judged: Sequence[ComparisonRow]) -> list[str]:
    if not any(row["why"] == TOO_FEW for row in judged):
        return []
    return [
        f"too few seeds: at least {fewest_pairs(ALPHA)} are needed for a significant difference "
        f"(two-sided sign-flip test at {ALPHA:g})"
    ]


def _failures_note(judged: Sequence[ComparisonRow]) -> list[str]:
    """Say which failure rate the seeds cannot exclude, and when a run has failed."""
    scores = [row for row in judged if not row["ratio"] and row["rate_excluded"]]
    if not scores:
        return []
    rate = max(row["rate_excluded"] or 0.0 for row in scores)
    note = (
        "scores of runs that do not fail; a side may still fail in up to "
        f"{rate * 100:.0f} % of runs{_allowed_to_tie(scores)}{_lead_at_risk(scores, rate)}"
    )
    failed = any(row["failed_a"] or row["failed_b"] for row in scores)
    return [note, FAILED_NOTE] if failed else [note]


def _allowed_to_tie(scores: Sequence[ComparisonRow]) -> str:
    """Say which failure rate a tie allows, if there is one."""
    tie = any(row["verdict"] == "alike" for row in scores)
    return f" (at most {TIE_RATE * 100:.0f} % for a tie)" if tie else ""


def _lead_at_risk(scores: Sequence[ComparisonRow], rate: float) -> str:
    """Say which failure rate would undo the one lead there is, if it lies below this rate."""
    if len(scores) != 1 or (enough := _outweighed(scores[0])) >= rate:
        return ""
    return f", and {max(enough * 100, 1):.0f} % would outweigh this lead"


def _outweighed(row: ComparisonRow) -> float:
    """Return the failure rate of the better side that would undo its lead in mean; 1 if none."""
    if row["verdict"] not in ("better", "worse") or not measure(row["measure"]).higher:
        return 1.0
    best = max(row["a_mean"] or 0.0, row["b_mean"] or 0.0)
    return abs(row["effect"] or 0.0) / best if best > 0 else 1.0


def more_seeds_note(judged: Sequence[ComparisonRow], how: str = PLANNED_LOOKS) -> list[str]:
    """Explain `more seeds`, and what it costs to follow it by hand. how: by what they are added."""
    if not any(row["verdict"] == "undecided" and row["more_seeds"] for row in judged):
        return []
    return [
        "more seeds: would decide if effect and spread stay the same; to add some and look again "
        f"and again is wrong in {PRICE_BY_HAND} of 100 cases{how}"
    ]


def _unpaired_note(judged: Sequence[ComparisonRow]) -> list[str]:
    unpaired = max((row["unpaired"] for row in judged), default=0)
    return [f"{unpaired} seeds that only one side has are left out"] if unpaired else []


def _without_score_note(judged: Sequence[ComparisonRow]) -> list[str]:
    count = sum(row["censored_a"] + row["censored_b"] for row in judged if not row["ratio"])
    return [f"runs without a score, which are {count}, count as the worst one"] if count else []


def _detectable_note(judged: Sequence[ComparisonRow]) -> list[str]:
    """Say what a comparison of scores would have found, if there is one and it is undecided."""
    scores = [row for row in judged if not row["ratio"]]
    if len(scores) != 1 or not scores[0]["detectable"] or scores[0]["verdict"] != "undecided":
        return []
    difference = measure(scores[0]["measure"]).write(scores[0]["detectable"]).lstrip("+")
    return [f"with these seeds, a difference of {difference} would be found in 80 % of cases"]


def rising_page_note(rows: Sequence[ComparisonRow]) -> list[str]:
    """Say in how many effects of a page a side still rose when training ended."""
    rising = sum(bool(row["rising_a"] or row["rising_b"]) for row in rows)
    judged = sum(row["verdict"] is not None for row in rows)
    return [f"{RISING_AT_END}: a side of {rising} of {judged} effects"] if rising else []


def again_notes(rows: Sequence[ComparisonRow]) -> list[str]:
    """Say how many words came again with other seeds, and how they are marked."""
    if not any("again_verdict" in row for row in rows):
        return []
    words, same, opposite = came_again(rows)
    if not words:
        return ["no effect is better or worse and was compared with other seeds too"]
    return [
        f"again (or a second sign): with other seeds; of {words} words better or worse {same} "
        f"came again, {opposite} the other way round"
    ]


def page_note(rows: Sequence[ComparisonRow]) -> list[str]:
    """Say how many words of a page of all axes may be false."""
    words = sum(row["verdict"] in ("better", "worse") for row in rows)
    if not words:
        return []
    effects = sum(row["verdict"] is not None for row in rows)
    return [
        f"{words} of {effects} effects are + or -: of such words {ALPHA * 100:.0f} in 100 are "
        "false at most, on average; false ones come together, as a task's effects share one base"
    ]


def interaction_notes(rows: Sequence[InteractionRow]) -> list[str]:
    """Return the interactions that are significant, or how many were tested in vain."""
    if not rows:
        return []
    significant = [_interaction_note(row) for row in rows if row["significant"]]
    if significant:
        return significant
    least = fewest_pairs(ALPHA)
    too_few = max(row["pairs"] for row in rows) < least
    why = f"; it would take at least {least} seeds" if too_few else ""
    return [f"none of {len(rows)} interactions tested is significant{why}"]


def _interaction_note(row: InteractionRow) -> str:
    change = measure(row["measure"]).write(row["effect"])
    return (
        f"the effect of {row['of']} changes by {change} from {row['not_at']} to {row['at']} "
        f"(p {row['p_adjusted']:.3f})"
    )
