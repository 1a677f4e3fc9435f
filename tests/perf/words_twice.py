"""Measures how often verdicts come again: the words of two disjoint halves of a store's seeds.

    python -m tests.perf.words_twice STORE [--again 100:110] [--claims]

Effects of every axis, and with --claims the claims, are judged twice, by the same rules, on runs
that have no seed in common. It prints a Markdown table of the share of words that agree, and one of
those that do not, with what is seen of the reason. Without --again the upper half of the seeds is
the second one. Effects of fewer than six seeds in a half, which cannot be significant, are counted
apart. It trains nothing: bench run --matrix NAME --seeds 100:110, and bench claims run --seeds
100:110, do the runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.api.claims import planned_claims, stored_verdicts
from bench.cli.pages.tables import markdown_table
from results.compare.again import OF_DIFFERENCE, row_key
from results.compare.axis_effects import page_of_axes
from results.compare.claims import ClaimRow
from results.compare.judging import ComparisonRow
from results.record import Record
from results.seeds import read_seeds, write_seeds
from results.stats.inference import ALPHA, fewest_pairs
from results.store import reading
from results.tables.effects import effect_text, interval_text


class SameEffect(NamedTuple):
    """Holds what two halves say of one effect.

    what: what is compared. words: of the first half and of the second. rows: of both.
    """

    what: str
    words: tuple[str, str]
    rows: tuple[ComparisonRow, ComparisonRow]

    @property
    def enough(self) -> bool:
        """Return whether each half has enough seeds for a word."""
        return min(row["pairs"] for row in self.rows) >= fewest_pairs(ALPHA)

    @property
    def agrees(self) -> bool:
        """Return whether both halves have the same word."""
        return self.words[0] == self.words[1]

    @property
    def named(self) -> bool:
        """Return whether a half says that there is a difference."""
        return any(row["verdict"] in OF_DIFFERENCE for row in self.rows)


def of_axes(records: Sequence[Record], suite: Mapping[str, Any], again: range) -> list[SameEffect]:
    """Return what both halves of the seeds say of every value of every axis, by the score."""
    halves = (
        page_of_axes([run for run in records if (run.seed in again) == second], suite, ())
        for second in (False, True)
    )
    first, second = ({row_key(row): row for row in rows} for rows in halves)
    return [
        SameEffect(
            f"{row['task']}: {row['a']} against {row['b']}",
            (str(row["verdict"]), str(second[key]["verdict"])),
            (row, second[key]),
        )
        for key, row in first.items()
        if key in second and None not in (row["verdict"], second[key]["verdict"])
    ]


def of_claims(first: Sequence[ClaimRow], second: Sequence[ClaimRow]) -> list[SameEffect]:
    """Return what both halves of the seeds say of the comparisons of claims."""
    return [
        SameEffect(f"{one['claim']}: {one['says']}", (one["word"], two["word"]), (one, two))
        for one, two in zip(first, second, strict=True)
        if None not in (one["verdict"], two["verdict"])
    ]


def halves_of(seeds: Sequence[int], given: str | None) -> range:
    """Return the seeds of the second half: those given, or the upper half of all.

    Raises:
        ValueError: There are too few seeds for two halves.
    """
    if given is not None:
        return read_seeds(given)
    known = sorted(set(seeds))
    if len(known) < 2:
        raise ValueError(f"{len(known)} seeds have no two halves; do runs with other seeds")
    return range(known[len(known) // 2], known[-1] + 1)


def share_table(effects: Mapping[str, Sequence[SameEffect]]) -> str:
    """Return a Markdown table: of each kind of effect, how many have the same word twice."""
    header = ["", "effects", "same word", "share", "better or worse in a half", "same of these",
              "opposite"]  # fmt: skip
    return markdown_table(header, [_share_cells(kind, found) for kind, found in effects.items()])


def _share_cells(kind: str, found: Sequence[SameEffect]) -> list[str]:
    judged = [effect for effect in found if effect.enough]
    same = sum(effect.agrees for effect in judged)
    named = [effect for effect in judged if effect.named]
    share = f"{same / len(judged) * 100:.1f} %" if judged else "none"
    return [
        kind,
        str(len(judged)),
        str(same),
        share,
        str(len(named)),
        str(sum(effect.agrees for effect in named)),
        str(sum(_are_opposite(effect) for effect in named)),
    ]


def _are_opposite(effect: SameEffect) -> bool:
    return {row["verdict"] for row in effect.rows} == set(OF_DIFFERENCE)


def difference_table(effects: Sequence[SameEffect]) -> str:
    """Return a Markdown table of the effects whose word is not the same twice; "" without any."""
    rows = [
        [effect.what, *(_half(effect, place) for place in (0, 1)), reason(effect)]
        for effect in effects
        if effect.enough and not effect.agrees
    ]
    header = ["effect", "first half", "second half", "why"]
    return markdown_table(header, rows) if rows else ""


def _half(effect: SameEffect, place: int) -> str:
    row = effect.rows[place]
    return f"{effect.words[place]}, {effect_text(row)} ({interval_text(row)})"


def reason(effect: SameEffect) -> str:
    """Return why two words differ, as far as the intervals of both halves show it."""
    if _are_opposite(effect):
        return "opposite: a false word in one half"
    (low, high), (other_low, other_high) = ((row["low"], row["high"]) for row in effect.rows)
    if None in (low, high, other_low, other_high):
        return "an interval is open"
    apart = low > other_high or other_low > high  # type: ignore[operator]
    if apart:
        return "intervals apart: the halves differ by more than chance allows in 19 of 20 cases"
    return "intervals overlap: too few seeds for an effect of this size"


def main(words: Sequence[str] | None = None) -> None:
    """Print how often verdicts of a store come again; words: of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--again", metavar="A:B", help="seeds of the second half")
    parser.add_argument("--claims", action="store_true", help="claims too")
    given = parser.parse_args(words)
    with reading(given.store) as store:
        records, suite = list(store.records()), store.base()
    again = halves_of([record.seed for record in records], given.again)
    rest = [record.seed for record in records if record.seed not in again]
    effects = {"axes": of_axes(records, suite, again)}
    if given.claims:
        first = range(min(rest, default=0), max(rest, default=0) + 1)
        rows = [
            stored_verdicts(planned_claims([], "cpu", given.store, seeds), given.store)
            for seeds in (first, again)
        ]
        effects["claims"] = of_claims(rows[0], rows[1])
    print(f"second half: seeds {write_seeds(again)}\n\n{share_table(effects)}")
    few = sum(not effect.enough for found in effects.values() for effect in found)
    if few:
        print(f"\nleft out: {few} effects of fewer than {fewest_pairs(ALPHA)} seeds in a half")
    everything = [effect for found in effects.values() for effect in found]
    if table := difference_table(everything):
        print(f"\n{table}")


if __name__ == "__main__":
    main()
