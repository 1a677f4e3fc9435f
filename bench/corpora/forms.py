"""Tells from the first rows of a file whether it has another form than it is taken for.

What is taken wrongly would be learned wrongly, so it is refused with the option that reads it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bench.corpora.tables import ReadOptions
from tasks.parallel.languages import language_code

LOOKED_AT = 200
"""Number of rows from which the form of a file is told."""
_MOST = 0.9
"""Share of rows that have to look alike."""
_RARE_SEPARATORS = (" ||| ", "|||", " ### ")
_NUMBER = re.compile(r"\s*[-+]?\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?\s*")
_TAG = re.compile(r"O|[BIESLUM][-_]\S+")
_HEADER_WORDS = frozenset(
    "source target src tgt trg text translation sentence sentence1 sentence2 input output original "
    "reference ref english german french spanish chinese japanese korean russian arabic italian "
    "portuguese deutsch englisch id score label word phones pronunciation pinyin".split()
)


def check_columns(rows: Sequence[Sequence[str]], reading: ReadOptions, label: str) -> None:
    """Raise ValueError if the first rows are no pairs of sentences.

    Args:
        rows: The first rows of a TSV or CSV file, without blank ones.
        reading: How the file was read.
        label: What errors call the file.
    """
    if not rows:
        raise ValueError(f"{label} is empty; give a line a pair")
    _check_separated(rows, reading, label)
    if reading.header is None:
        _check_header(rows[0], label)
    if reading.columns:
        return
    _check_tagged(rows, label)
    _check_places(rows, label)


def _check_places(rows: Sequence[Sequence[str]], label: str) -> None:
    """Raise ValueError if the first two columns are no source and no target."""
    widest = _usual([len(row) for row in rows])
    numbers = _number_columns(rows, widest)
    texts = [place + 1 for place in range(widest) if place not in numbers]
    read_with = f"read it with: --columns {','.join(map(str, texts[:2]))}"
    if 0 in numbers and len(texts) >= 2:
        raise ValueError(f"{label} has numbers in its first column; {read_with}")
    if widest > 2 and not credits_in_third(rows):
        raise ValueError(
            f"{label} has {widest} columns; say which hold source and target: {read_with}"
        )
    if _share(_quoted(row) for row in rows) > _MOST:
        raise ValueError(f"{label} has quoted columns; read it with: --format csv --separator tab")


def credits_in_third(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the third column is an attribution, as in the files of manythings.org."""
    return _share(len(row) == 3 and "tatoeba.org" in row[2] for row in rows) > _MOST


def _check_separated(rows: Sequence[Sequence[str]], reading: ReadOptions, label: str) -> None:
    """Raise ValueError if most rows have one column."""
    if _share(len(row) < 2 for row in rows) <= 0.5:
        return
    lines = [row[0] if row else "" for row in rows]
    for mark in _RARE_SEPARATORS:
        if _share(mark in line for line in lines) > _MOST:
            raise ValueError(f"{label} separates by {mark!r}; read it with: --separator {mark!r}")
    if reading.form != "csv":
        _check_not_csv(lines, label)
    if _end_in_tags(lines):
        raise ValueError(f"{label} holds tokens and tags; read it with: --tagged --separator space")
    raise ValueError(
        f"most lines of {label} hold no TAB between a source and a target; give such lines, or "
        "two files with as many lines each"
    )


def _check_not_csv(lines: Sequence[str], label: str) -> None:
    """Raise ValueError if most lines have one comma or semicolon, or one next to a quote."""
    for mark in ",;":
        quoted = _share(f'"{mark}' in line or f'{mark}"' in line for line in lines)
        if quoted > _MOST or _share(line.count(mark) == 1 for line in lines) > _MOST:
            raise ValueError(
                f"{label} looks like CSV; read it with: --format csv --separator '{mark}'"
            )


def _end_in_tags(lines: Sequence[str]) -> bool:
    ends = [line.split()[-1] for line in lines if len(line.split()) > 1]
    tagged = _share(bool(_TAG.fullmatch(end)) for end in ends)
    return len(ends) > _MOST * len(lines) and tagged > _MOST


def _check_header(row: Sequence[str], label: str) -> None:
    names = [field.strip().lower() for field in row if field.strip()]
    if len(names) >= 2 and all(_is_name(name) for name in names):
        raise ValueError(
            f"the first line of {label}, {' '.join(row)!r}, looks like names of columns; say so "
            "with --header, or that it is a pair with --no-header"
        )


def _is_name(text: str) -> bool:
    if text in _HEADER_WORDS:
        return True
    if not (text.isascii() and text.isalpha() and len(text) <= 3):
        return False
    try:
        return bool(language_code(text))
    except ValueError:
        return False


def _check_tagged(rows: Sequence[Sequence[str]], label: str) -> None:
    pairs = [row for row in rows if len(row) >= 2]
    tagged = _share(
        " " not in row[0].strip() and bool(_TAG.fullmatch(row[-1].strip())) for row in pairs
    )
    if tagged > _MOST:
        raise ValueError(
            f"{label} holds a token and a tag a line; read it with: --tagged --columns "
            f"1,{len(pairs[0])}"
        )


def _number_columns(rows: Sequence[Sequence[str]], widest: int) -> set[int]:
    return {
        place
        for place in range(widest)
        if _share(bool(_NUMBER.fullmatch(row[place])) for row in rows if len(row) > place) > _MOST
    }


def _quoted(row: Sequence[str]) -> bool:
    return all(len(field) > 1 and field[0] == field[-1] == '"' for field in row)


def _usual(numbers: Sequence[int]) -> int:
    return max(set(numbers), key=list(numbers).count)


def _share(truths: object) -> float:
    found = list(truths)  # type: ignore[call-overload]
    return sum(found) / len(found) if found else 0.0
