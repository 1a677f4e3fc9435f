"""Says of a difference in scored text what chance in sentences leaves of it, beside that in seeds.

It reads the counts that runs keep of each output. Everything else about comparisons is in `pairs`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

from results.compare.judging import ComparisonRow
from results.compare.pairs import by_seed
from results.compare.two_variants import runs_of_both
from results.grouping import grouped
from results.outputs import decode
from results.record import Record
from results.stats.sentences import Chance, CountsOfRun, over_sentences
from results.store import Store

TEXT_SCORES = ("bleu", "chrf")
"""Deciding scores of tasks whose outputs are scored as text."""
TESTED = "test"
"""The split whose sentences are drawn anew."""


class SentencesRow(TypedDict):
    """States both sources of chance of one difference; `bench compare --json` prints these rows.

    Bounds and p values are None where nothing can be said.
    """

    task: str
    setting: str
    a: str
    b: str
    measure: str
    sentences: int
    seeds: int
    seeds_without_outputs: int
    difference: float | None
    seeds_low: float | None
    seeds_high: float | None
    seeds_p: float | None
    sentences_low: float | None
    sentences_high: float | None
    sentences_p: float | None
    both_low: float | None
    both_high: float | None
    both_p: float | None


class _Paired(NamedTuple):
    """Counts of the runs of two variants by shared seed, and shared seeds that have none."""

    ours: list[CountsOfRun]
    theirs: list[CountsOfRun]
    without: int


def rows_over_sentences(
    store: Store,
    records: Sequence[Record],
    suite: Mapping[str, Any],
    compared: Sequence[ComparisonRow],
) -> list[SentencesRow]:
    """Return a row for each compared difference of a text score.

    Args:
        store: open for reading; it holds the outputs.
        records: its runs.
        suite: the suite's base variant.
        compared: rows of `compare_variants` on these runs.
    """
    groups = grouped(records)
    rows = []
    for row in compared:
        if row["measure"] not in TEXT_SCORES or row["refused"]:
            continue
        both = runs_of_both(groups[row["task"], row["setting"]], suite, row["a"], row["b"])
        if both is not None:
            rows.append(_row(row, _paired(store, *both, row["measure"])))
    return rows


def _paired(
    store: Store, ours: Sequence[Record], theirs: Sequence[Record], measure: str
) -> _Paired:
    a, b = by_seed(ours), by_seed(theirs)
    shared = sorted(a.keys() & b.keys())
    pairs = [
        (one, other)
        for seed in shared
        if (one := _counts(store, a[seed], measure)) is not None
        and (other := _counts(store, b[seed], measure)) is not None
        and one.shape == other.shape
    ]
    return _Paired([a for a, _ in pairs], [b for _, b in pairs], len(shared) - len(pairs))


def _counts(store: Store, record: Record, measure: str) -> CountsOfRun | None:
    """Return the counts of a run's outputs; None where none were kept, or they are damaged."""
    try:
        kept = decode(store.outputs.read(record)).get(TESTED)
    except (OSError, ValueError):
        return None
    return None if kept is None else kept.statistics.get(measure)


def _row(compared: ComparisonRow, paired: _Paired) -> SentencesRow:
    nothing = Chance(None, None, None)
    found = over_sentences(compared["measure"], paired.ours, paired.theirs) if paired.ours else None
    sentences, both = (found.sentences, found.both) if found else (nothing, nothing)
    both = _widened(both, Chance(compared["low"], compared["high"], compared["p"]), sentences)
    return {
        "task": compared["task"],
        "setting": compared["setting"],
        "a": compared["a"],
        "b": compared["b"],
        "measure": compared["measure"],
        "sentences": found.examples if found else 0,
        "seeds": len(paired.ours),
        "seeds_without_outputs": paired.without,
        "difference": found.effect if found else None,
        "seeds_low": compared["low"],
        "seeds_high": compared["high"],
        "seeds_p": compared["p"],
        "sentences_low": sentences.low,
        "sentences_high": sentences.high,
        "sentences_p": sentences.p,
        "both_low": both.low,
        "both_high": both.high,
        "both_p": both.p,
    }


def _widened(both: Chance, *parts: Chance) -> Chance:
    """Return what both sources leave, no surer than either: what holds for more cannot be.

    It could come out so, as the test of seeds assumes less and knows fewer degrees of freedom.
    """
    if both.low is None or both.high is None or both.p is None:
        return both
    return Chance(
        min([both.low, *(part.low for part in parts if part.low is not None)]),
        max([both.high, *(part.high for part in parts if part.high is not None)]),
        max([both.p, *(part.p for part in parts if part.p is not None)]),
    )
