"""Writes the parts of a comparison's row as text: effect, interval, verdict, values."""

from __future__ import annotations

from results import metrics
from results.compare.measures import measure
from results.compare.pairs import NEITHER, NOT_ALL, ComparisonRow

SIGNS = {"better": "+", "worse": "-", "tie": "=", "undecided": "?"}
"""Verdicts as signs, for tables of many effects."""


def effect_text(row: ComparisonRow) -> str:
    """Return an effect as `+0.120`, or `×0.61` for a ratio; "" if there is none."""
    if row["effect"] is None or row["why"] == NEITHER:
        return ""
    return measure(row["measure"]).write(row["effect"])


def cost_text(row: ComparisonRow) -> str:
    """Return an effect with its verdict as a sign: `×0.61 +`."""
    if row["verdict"] is None:
        return "not compared"
    if row["why"] == NEITHER:
        return "never"
    return f"{effect_text(row)} {SIGNS[row['verdict']]}"


def interval_text(row: ComparisonRow) -> str:
    """Return the interval of an effect: `+0.020 to +0.310`; "" if there is no effect."""
    if row["refused"] or row["why"] == NEITHER:
        return ""
    if row["low"] is None or row["high"] is None:
        return "unknown"
    write = measure(row["measure"]).write
    return f"{write(row['low'])} to {write(row['high'])}"


def verdict_text(row: ComparisonRow) -> str:
    """Return the verdict in words, and how many seeds would decide what is not decided.

    For example `better`, `not significant yet (about 4 more seeds)`, or `large, not yet
    significant: 4 more seeds`.
    """
    if row["verdict"] != "undecided":
        return str(row["verdict"])
    if row["why"] in (NEITHER, NOT_ALL):
        return row["why"]
    more = row["more_seeds"]
    if is_large(row):
        return "large, not yet significant" + (f": {seeds_text(more)}" if more else "")
    return "not significant yet" + (f" (about {seeds_text(more)})" if more else "")


def is_large(row: ComparisonRow) -> bool:
    """Return whether an undecided effect is beyond what matters with all of its interval."""
    if row["verdict"] != "undecided" or row["why"] in (NEITHER, NOT_ALL):
        return False
    low, high = row["low"], row["high"]
    return low is not None and high is not None and (low > row["margin"] or high < -row["margin"])


def seeds_text(more: int) -> str:
    """Return a number of further seeds: `4 more seeds`."""
    return f"{metrics.short(more)} more seed{'s' * (more != 1)}"


def p_text(row: ComparisonRow) -> str:
    """Return the adjusted p value; "" if nothing was tested."""
    return "" if row["p_adjusted"] is None else f"{row['p_adjusted']:.3f}"


def side_text(row: ComparisonRow, side: str) -> str:
    """Return the mean of side `a` or `b`, and whether runs without a target make it too small."""
    mean, censored = row["a_mean"], row["censored_a"]
    if side == "b":
        mean, censored = row["b_mean"], row["censored_b"]
    known = measure(row["measure"])
    if not known.key.endswith("to_target"):
        censored = 0
    # a mean over runs of which some never got there is a lower bound
    if mean is None or censored == row["pairs"] * row["contexts"]:
        return "never"
    return ("> " if censored else "") + known.write_value(mean)


def where_text(row: ComparisonRow) -> str:
    """Return ` (at depth=2)` for an effect that is not that at the base, else ""."""
    return f" (at {row['where']})" if row.get("where") else ""
