"""Counts what a run gets wrong: by the length of sources, by token, and against another run.

It knows texts and tokens, and nothing of where they come from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypedDict

from results.record import Record

MOST_LENGTHS = 6
"""Number of ranges of lengths at most."""


class ExampleRow(TypedDict):
    """One example of a split, with what a run put out for it.

    length: of the source, in symbols. right: in full; None where that cannot be said. score: the
    one by which examples are ranked, if there is one; scores: all that there are of one example.
    """

    run: str
    split: str
    example: int
    length: int
    source: str
    reference: str
    output: str
    ended: bool
    right: bool | None
    score: float | None
    scores: dict[str, float]


class LengthRow(TypedDict):
    """The examples whose sources have from `shortest` to `longest` symbols."""

    shortest: int
    longest: int
    examples: int
    right: int
    score: float | None


class TokenRow(TypedDict):
    """A token of the references: how often it is wanted, and missing from the outputs.

    instead: how often outputs have it where their references do not.
    """

    token: str
    wanted: int
    missing: int
    instead: int


class TokensOfExample(NamedTuple):
    """Tokens that are wanted of an example, and those that were given."""

    wanted: Sequence[str]
    given: Sequence[str]


class Mistakes(NamedTuple):
    """States what a run gets wrong on a split: all examples, the wrong ones worst first, counts.

    ranked: name of the score that ranks examples, "" if none does. tagging: outputs are the sources
    with marks, and tokens are words, of which those with a wrong label count as missing.
    """

    record: Record
    split: str
    ranked: str
    tagging: bool
    rows: list[ExampleRow]
    wrong: list[ExampleRow]
    lengths: list[LengthRow]
    tokens: list[TokenRow]


class Agreement(TypedDict):
    """Counts examples by which of two runs is right; None where that cannot be said."""

    examples: int
    both: int | None
    first: int | None
    second: int | None
    none: int | None
    same_output: int


class Difference(NamedTuple):
    """States where outputs of two runs differ: counts, and pairs of examples, by difference."""

    first: Record
    second: Record
    split: str
    counts: Agreement
    pairs: list[tuple[ExampleRow, ExampleRow]]


def worst_first(rows: Iterable[ExampleRow]) -> list[ExampleRow]:
    """Return the examples that are wrong, the lowest score first, in the order of the split."""
    wrong = [row for row in rows if row["right"] is not True]
    return sorted(wrong, key=lambda row: (_score(row), row["example"]))


def _score(row: ExampleRow) -> float:
    return 0.0 if row["score"] is None else row["score"]


def by_length(rows: Sequence[ExampleRow]) -> list[LengthRow]:
    """Return ranges of source lengths with about as many examples each, shortest first."""
    ordered = sorted(rows, key=lambda row: row["length"])
    ranges: list[list[ExampleRow]] = []
    for place, row in enumerate(ordered):
        begins = place * MOST_LENGTHS // len(ordered) > len(ranges) - 1
        # a length is never divided between two ranges
        if not ranges or (begins and ranges[-1][-1]["length"] != row["length"]):
            ranges.append([])
        ranges[-1].append(row)
    return [_length_row(found) for found in ranges]


def _length_row(rows: Sequence[ExampleRow]) -> LengthRow:
    scores = [row["score"] for row in rows if row["score"] is not None]
    return {
        "shortest": rows[0]["length"],
        "longest": rows[-1]["length"],
        "examples": len(rows),
        "right": sum(row["right"] is True for row in rows),
        "score": sum(scores) / len(scores) if scores else None,
    }


def by_token(examples: Iterable[TokensOfExample]) -> list[TokenRow]:
    """Return a row per token, those that are missing most often first.

    A token counts as often as it stands in a reference, wherever it stands in the output.
    """
    wanted: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    instead: Counter[str] = Counter()
    for one in examples:
        asked, given = Counter(one.wanted), Counter(one.given)
        wanted.update(asked)
        missing.update(asked - given)
        instead.update(given - asked)
    tokens = sorted(wanted | instead, key=lambda token: (-missing[token], -instead[token], token))
    return [
        {
            "token": token,
            "wanted": wanted[token],
            "missing": missing[token],
            "instead": instead[token],
        }
        for token in tokens
    ]


def agreement(ours: Sequence[ExampleRow], theirs: Sequence[ExampleRow]) -> Agreement:
    """Return in how many examples both runs, one of them, or none is right."""
    pairs = list(zip(ours, theirs, strict=True))
    known = all(a["right"] is not None and b["right"] is not None for a, b in pairs)
    counts = Counter((bool(a["right"]), bool(b["right"])) for a, b in pairs)
    return {
        "examples": len(pairs),
        "both": counts[True, True] if known else None,
        "first": counts[True, False] if known else None,
        "second": counts[False, True] if known else None,
        "none": counts[False, False] if known else None,
        "same_output": sum(a["output"] == b["output"] for a, b in pairs),
    }


def differing(
    ours: Sequence[ExampleRow], theirs: Sequence[ExampleRow]
) -> list[tuple[ExampleRow, ExampleRow]]:
    """Return the examples with different outputs, those that differ most in their score first."""
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if a["output"] != b["output"]]
    return sorted(pairs, key=_how_different)


def _how_different(pair: tuple[ExampleRow, ExampleRow]) -> tuple[float, int]:
    """Return a sorting key: the pair whose scores differ most first."""
    ours, theirs = pair
    return -abs(_score(ours) - _score(theirs)), ours["example"]
