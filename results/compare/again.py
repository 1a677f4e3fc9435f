"""Sets the words of some seeds beside those that other seeds give: does a verdict come again?

Both are found in the same way, each on runs that the other does not see. So a word that says more
of the seeds than of the variants is found out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from results.compare.judging import ComparisonRow
from results.compare.pairs import ComparisonError
from results.record import Record
from results.seeds import write_seeds

OF_DIFFERENCE = ("better", "worse")
"""Verdicts that name a difference."""
RowsOf = Callable[[list[Record]], list[ComparisonRow]]
"""Compares runs, for example all values of all axes."""


def beside_again(records: Sequence[Record], again: range, rows_of: RowsOf) -> list[ComparisonRow]:
    """Return the rows of all seeds but some, each with what these few find of the same effect.

    Args:
        records: runs of any seeds.
        again: the seeds that are kept apart.
        rows_of: compares runs.

    Raises:
        ComparisonError: there are no runs of these seeds, or of no others.
    """
    others = [record for record in records if record.seed in again]
    rest = [record for record in records if record.seed not in again]
    if not others or not rest:
        raise ComparisonError(
            f"{'no' if not others else 'every'} run has one of the seeds {write_seeds(again)}, so "
            "nothing can be compared twice; bench run --seeds A:B does others"
        )
    found = {row_key(row): row for row in rows_of(others)}
    return [_beside(row, found.get(row_key(row))) for row in rows_of(rest)]


def row_key(row: ComparisonRow) -> tuple[str, ...]:
    """Return what a row compares, in words."""
    return row["task"], row["setting"], row["a"], row["b"], row.get("where", ""), row["measure"]


def _beside(row: ComparisonRow, other: ComparisonRow | None) -> ComparisonRow:
    effect, verdict = (other["effect"], other["verdict"]) if other else (None, None)
    return {**row, "again_effect": effect, "again_verdict": verdict}


class CameAgain(NamedTuple):
    """Counts words: better and worse ones that other seeds were asked too.

    words: all of them. again: those that came out the same. opposite: those that came out the other
    way round; the rest was not significant.
    """

    words: int
    again: int
    opposite: int


def came_again(rows: Sequence[ComparisonRow]) -> CameAgain:
    """Count how many of the words better and worse came again with the other seeds."""
    asked = [row for row in rows if row["verdict"] in OF_DIFFERENCE and row.get("again_verdict")]
    same = sum(row["again_verdict"] == row["verdict"] for row in asked)
    named = sum(row["again_verdict"] in OF_DIFFERENCE for row in asked)
    return CameAgain(len(asked), same, named - same)
