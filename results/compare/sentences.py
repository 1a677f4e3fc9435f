"""Says what chance in the examples of test leaves of a difference in scores, beside that in seeds.

It reads the counts of each output, such as runs keep them. Everything else about comparisons is in
`pairs`. Rows call examples sentences, which most of them are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

from results.compare.judging import ComparisonRow
from results.compare.pairs import by_seed
from results.compare.two_variants import runs_of_both
from results.grouping import grouped
from results.outputs import decode
from results.record import Record
from results.stats import aggregates
from results.stats.sentences import Chance, CountsOfRun, over_sentences
from results.store import Store

TEXT_SCORES = (
    *("bleu", "chrf", "chrf++", "ter", "character_error_rate", "token_error_rate"),
)  # fmt: skip
"""Scores of texts, whose examples are sentences."""
TESTED = "test"
"""The split whose examples are drawn anew."""
ReadCounts = Callable[[Record, str], CountsOfRun | None]
"""Returns the counts of a run's outputs on test behind a score; None where there are none."""


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
    counts: ReadCounts,
    records: Sequence[Record],
    suite: Mapping[str, Any],
    compared: Sequence[ComparisonRow],
) -> list[SentencesRow]:
    """Return a row for each compared difference of a score that is computed from counts.

    A task whose test set is its training set has none: no other examples are meant there. Of a
    score of texts there is a row even if nothing was kept, so that this is said.

    Args:
        counts: returns those of a run; `kept_counts` gives what a store kept.
        records: the runs.
        suite: the suite's base variant.
        compared: rows of `compare_variants` on these runs.
    """
    groups = grouped(records)
    rows = []
    for row in compared:
        if row["ratio"] or row["refused"]:
            continue
        both = runs_of_both(groups[row["task"], row["setting"]], suite, row["a"], row["b"])
        if both is None or any(one.outcome.get("memorisation") for side in both for one in side):
            continue
        paired = _paired(counts, *both, row["measure"])
        if paired.ours or _nothing_kept(row["measure"], both):
            rows.append(_row(row, paired))
    return rows


def _nothing_kept(measure: str, both: Sequence[Sequence[Record]]) -> bool:
    """Return whether sentences could be known, had the outputs been kept."""
    kept = ("outputs" in one.outcome for side in both for one in side)
    return measure in TEXT_SCORES and not all(kept)


def _paired(
    counts: ReadCounts, ours: Sequence[Record], theirs: Sequence[Record], measure: str
) -> _Paired:
    a, b = by_seed(ours), by_seed(theirs)
    shared = sorted(a.keys() & b.keys())
    pairs = [
        (one, other)
        for seed in shared
        if (one := counts(a[seed], measure)) is not None
        and (other := counts(b[seed], measure)) is not None
        and one.shape == other.shape
    ]
    return _Paired([a for a, _ in pairs], [b for _, b in pairs], len(shared) - len(pairs))


def kept_counts(store: Store, record: Record, measure: str) -> CountsOfRun | None:
    """Return the counts that a store kept; None where there are none, or they are damaged."""
    try:
        kept = decode(store.outputs.read(record)).get(TESTED)
    except (OSError, ValueError):
        return None
    found = None if kept is None else kept.statistics.get(measure)
    known = found is not None and len(found) and aggregates.is_known(measure, found.shape[1])
    return found if known else None


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
