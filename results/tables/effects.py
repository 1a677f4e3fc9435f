"""Writes the parts of a comparison's row as text: effect, interval, verdict, values."""

from __future__ import annotations

from results import metrics
from results.compare.again import OF_DIFFERENCE
from results.compare.judging import NEITHER, ComparisonRow
from results.compare.measures import measure
from results.stats.verdicts import FAILS_LESS, FAILS_MORE

SIGNS = {"better": "+", "worse": "-", "tie": "=", "alike": "~", "undecided": "?"}
"""Verdicts as signs, for tables of many effects."""
VERDICT_LABELS = {"alike": "no difference seen", "undecided": "not significant yet"}
"""Verdicts that are told in other words than those that programs read."""
OPEN = {"": "", "below": "< ", "above": "> "}
"""Signs before an effect that is only known to lie on one side of a value."""
SAID_ALONE = (NEITHER, FAILS_MORE, FAILS_LESS)
"""Reasons for `undecided` that are said in place of it."""


def effect_text(row: ComparisonRow) -> str:
    """Return an effect as `+0.120`, or `×0.61` for a ratio; "" if there is none.

    A ratio of which only a bound is known is `< ×0.61` or `> ×1.20`, or `unknown`.
    """
    if row["why"] == NEITHER or row["refused"]:
        return ""
    if row["effect"] is None:
        return "unknown"
    return OPEN[row["open"]] + measure(row["measure"]).write(row["effect"])


def cost_text(row: ComparisonRow) -> str:
    """Return an effect with its verdict as a sign: `×0.61 +`."""
    if row["verdict"] is None:
        return "not compared"
    if row["why"] == NEITHER:
        return "never"
    return f"{effect_text(row)} {SIGNS[row['verdict']]}{_sign_again(row)}"


def _sign_again(row: ComparisonRow) -> str:
    """Return the sign of other seeds, of a word better or worse that was asked twice."""
    again = row.get("again_verdict")
    return SIGNS[again] if again and row["verdict"] in OF_DIFFERENCE else ""


def again_text(row: ComparisonRow) -> str:
    """Return the effect and the verdict of other seeds: `+0.110, better`; "" of all but words."""
    effect, verdict = row.get("again_effect"), row.get("again_verdict")
    if verdict is None or row["verdict"] not in OF_DIFFERENCE:
        return ""
    word = VERDICT_LABELS.get(verdict, verdict)
    return word if effect is None else f"{measure(row['measure']).write(effect)}, {word}"


def interval_text(row: ComparisonRow) -> str:
    """Return the interval of an effect: `+0.020 to +0.310`; "" if there is no effect.

    Where runs never reached the target one end may be open: `< ×0.94`, or `> ×1.06`. Differences
    that are all the same say nothing about their spread, so they have no interval.
    """
    if row["refused"] or row["why"] == NEITHER:
        return ""
    low, high, write = row["low"], row["high"], measure(row["measure"]).write
    if low is None:
        return "unknown" if high is None else f"< {write(high)}"
    if high is None:
        return f"> {write(low)}"
    return "no spread seen" if low == high else f"{write(low)} to {write(high)}"


def verdict_text(row: ComparisonRow) -> str:
    """Return the verdict in words, how often runs failed, and how many seeds would decide.

    For example `better`, `not significant yet (about 4 more seeds)`, or `large, not yet
    significant: 4 more seeds`.
    """
    return _word(row) + _failures(row)


def _word(row: ComparisonRow) -> str:
    if row["verdict"] is None:
        return "not compared"
    verdict = row["verdict"]
    if verdict != "undecided":
        return VERDICT_LABELS.get(verdict, verdict)
    if row["why"] in SAID_ALONE:
        return row["why"]
    more = row["more_seeds"]
    if is_large(row):
        return "large, not yet significant" + (f": {seeds_text(more)}" if more else "")
    return VERDICT_LABELS[verdict] + (f" (about {seeds_text(more)})" if more else "")


def _failures(row: ComparisonRow) -> str:
    """Return how many runs of a and of b failed, or never reached the target; "" if none did."""
    if (not row["failed_a"] and not row["failed_b"]) or row["why"] == NEITHER:
        return ""
    runs = row["pairs"] * row["contexts"]
    word = "not reached" if row["ratio"] else "failed"
    return f"; {word}: {row['failed_a']} and {row['failed_b']} of {runs}"


def is_large(row: ComparisonRow) -> bool:
    """Return whether an undecided effect is beyond what matters with all of its interval."""
    if row["verdict"] != "undecided" or row["why"] in SAID_ALONE:
        return False
    low, high, margin = row["low"], row["high"], row["margin"]
    return (low is not None and low > margin) or (high is not None and high < -margin)


def seeds_text(more: int) -> str:
    """Return a number of further seeds: `4 more seeds`."""
    return f"{metrics.short(more)} more seed{'s' * (more != 1)}"


def p_text(row: ComparisonRow) -> str:
    """Return the adjusted p value; "" if nothing was tested."""
    return "" if row["p_adjusted"] is None else f"{row['p_adjusted']:.3f}"


def side_text(row: ComparisonRow, side: str) -> str:
    """Return the mean of side `a` or `b`; of costs to the target the median, if not all got there.

    It is `never` if the median run never reached the target.
    """
    mean = row["a_mean"] if side == "a" else row["b_mean"]
    return "never" if mean is None else measure(row["measure"]).write_value(mean)


def where_text(row: ComparisonRow) -> str:
    """Return ` (at depth=2)` for an effect that is not that at the base, else ""."""
    return f" (at {row['where']})" if row.get("where") else ""
