"""Measures how often verdicts come again: the words of two disjoint halves of a store's seeds.

    python -m tests.perf.words_twice STORE [--again 100:110] [--claims | --page docs/claims.md]

Effects of every axis, and with --claims the claims, are judged twice, by the same rules, on runs
that have no seed in common. With --page the first half of the claims is what a page says that
`bench claims show --markdown` wrote, so that its runs need not be in the store. It prints a
Markdown table of the share of words that agree, and one of those that do not, with what is seen of
the reason. Without --again the upper half of the seeds is the second one. Effects of fewer than six
seeds in a half, which cannot be significant, are counted apart. It trains nothing: bench run
--matrix NAME --seeds 100:110, and bench claims run --seeds 100:110, do the runs.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.api.claims import planned_claims, stored_verdicts
from bench.cli.pages.tables import markdown_table
from results.compare.again import OF_DIFFERENCE, row_key
from results.compare.axis_effects import page_of_axes
from results.compare.claims import NO_DIFFERENCE, REPRODUCED, UNDECIDED, WORST_FIRST, ClaimRow
from results.compare.judging import ComparisonRow
from results.record import Record
from results.seeds import read_seeds, write_seeds
from results.stats.inference import ALPHA, fewest_pairs
from results.store import reading
from results.tables.claims import EACH_TUNED
from results.tables.effects import effect_text, interval_text

NUMBER = r"[+-][0-9.]+"
ROW = re.compile(
    r"^\| (?P<what>`[^|]+) \| [^|]+ \| (?P<word>[^|]+) \| "
    rf"(?P<effect>[^|]*?(?P<mean>{NUMBER}) \((?:(?P<low>{NUMBER}) to (?P<high>{NUMBER})"
    r"|no spread seen)\)[^|]*) \| [^|]*\|$",
    re.MULTILINE,
)
"""A line of the tables of verdicts on a page of claims."""


class Half(NamedTuple):
    """Holds what the runs of some seeds say of one effect.

    word: the verdict, or the word for the claim. effect: with its interval, as text. low, high:
    the interval's ends; None if open. sign: of the effect, 1 or -1, if its word says that there is
    a difference, else 0. pairs: seeds of both sides; None if unknown.
    """

    word: str
    effect: str
    low: float | None
    high: float | None
    sign: int
    pairs: int | None


class SameEffect(NamedTuple):
    """Holds what two halves say of one effect: what is compared, and each half's answer."""

    what: str
    first: Half
    second: Half

    @property
    def enough(self) -> bool:
        """Return whether each half has enough seeds for a word."""
        known = [half.pairs for half in (self.first, self.second) if half.pairs is not None]
        return min(known, default=0) >= fewest_pairs(ALPHA)

    @property
    def agrees(self) -> bool:
        """Return whether both halves have the same word."""
        return self.first.word == self.second.word

    @property
    def named(self) -> bool:
        """Return whether a half says that there is a difference."""
        return bool(self.first.sign or self.second.sign)

    @property
    def opposite(self) -> bool:
        """Return whether the halves say opposite things."""
        return self.first.sign * self.second.sign < 0


def half_of(row: ComparisonRow, word: str) -> Half:
    """Return what a comparison says, in a word."""
    effect = f"{effect_text(row)} ({interval_text(row)})"
    sign = _sign(row["effect"] or 0.0) if row["verdict"] in OF_DIFFERENCE else 0
    return Half(word, effect, row["low"], row["high"], sign, row["pairs"])


def _sign(effect: float) -> int:
    return (effect > 0) - (effect < 0)


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
            *(half_of(half, str(half["verdict"])) for half in (row, second[key])),
        )
        for key, row in first.items()
        if key in second and None not in (row["verdict"], second[key]["verdict"])
    ]


def of_claims(first: Sequence[ClaimRow], second: Sequence[ClaimRow]) -> list[SameEffect]:
    """Return what both halves of the seeds say of the comparisons of claims."""
    return [
        SameEffect(_named(one), half_of(one, one["word"]), half_of(two, two["word"]))
        for one, two in zip(first, second, strict=True)
        if None not in (one["verdict"], two["verdict"])
    ]


def _named(row: ClaimRow) -> str:
    return f"{row['claim']}: {row['says']}"


def of_page(page: str, rows: Sequence[ClaimRow]) -> list[SameEffect]:
    """Return what a page of claims and the runs of other seeds say of the comparisons of both.

    page: Markdown with the tables of verdicts that `bench claims show --markdown` writes.
    """
    published = {found["what"].replace("`", ""): _published(found) for found in ROW.finditer(page)}
    return [
        SameEffect(_named(row), published[_named(row)], half_of(row, row["word"]))
        for row in rows
        if row["verdict"] is not None and _named(row) in published
    ]


def _published(found: re.Match[str]) -> Half:
    """Return what one line of a page says."""
    said = found["word"].strip("*").removesuffix(EACH_TUNED)
    word = said if said in (REPRODUCED, *WORST_FIRST) else UNDECIDED
    low, high = (float(found[end] or found["mean"]) for end in ("low", "high"))
    sign = 0 if word in (NO_DIFFERENCE, UNDECIDED) else _sign(float(found["mean"]))
    return Half(word, found["effect"], low, high, sign, None)


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
        str(sum(effect.opposite for effect in named)),
    ]


def difference_table(effects: Sequence[SameEffect]) -> str:
    """Return a Markdown table of the effects whose word is not the same twice; "" without any."""
    rows = [
        [effect.what, *map(_half, (effect.first, effect.second)), reason(effect)]
        for effect in effects
        if effect.enough and not effect.agrees
    ]
    header = ["effect", "first half", "second half", "why"]
    return markdown_table(header, rows) if rows else ""


def _half(half: Half) -> str:
    return f"{half.word}, {half.effect}"


def reason(effect: SameEffect) -> str:
    """Return why two words differ, as far as the intervals of both halves show it."""
    if effect.opposite:
        return "opposite: a false word in one half"
    first, second = effect.first, effect.second
    if None in (first.low, first.high, second.low, second.high):
        return "an interval is open"
    apart = first.low > second.high or second.low > first.high  # type: ignore[operator]
    if apart:
        return "intervals apart: the halves differ by more than chance allows in 19 of 20 cases"
    return "intervals overlap: too few seeds for an effect of this size"


def main(words: Sequence[str] | None = None) -> None:
    """Print how often verdicts of a store come again; words: of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--again", metavar="A:B", help="seeds of the second half")
    parser.add_argument("--claims", action="store_true", help="claims too")
    parser.add_argument("--page", type=Path, help="page of claims that is the first half of them")
    given = parser.parse_args(words)
    with reading(given.store) as store:
        records, suite = list(store.records()), store.base()
    again = halves_of([record.seed for record in records], given.again)
    rest = [record.seed for record in records if record.seed not in again]
    effects = {"axes": of_axes(records, suite, again)}
    if given.page:
        page = given.page.read_text("utf-8")
        planned = planned_claims([], "cpu", given.store, again)
        effects["claims"] = of_page(page, stored_verdicts(planned, given.store))
    elif given.claims:
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
