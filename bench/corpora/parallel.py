"""Adds parallel text of any two languages, and keeps it as it was given.

What is stored is what was given, a sentence a line. From training, empty and repeated pairs are
dropped and counted. Valid and test that are given stay whole. Languages are those that were said,
or those that names of files, fields or the script tell; text in another script is refused.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import IO, Any

from bench.corpora.forms import LOOKED_AT, check_columns, credits_in_third
from bench.corpora.given import GivenFile, Held, about_files, files_in, held_splits, lines_of
from bench.corpora.preparation import Prepared
from bench.corpora.publishing import published, write_about_whole
from bench.corpora.tables import ReadOptions, form_of, read_table
from tasks.parallel.languages import (
    UNKNOWN_LANGUAGE,
    Languages,
    contradicts,
    guessed,
    language_code,
    read_languages,
    script_name,
)
from tasks.parallel.stored import PARALLEL_KIND, UNDIVIDED, split_files

PARALLEL_VERSION = 2
"""Version of the preparation: increased when the same text would give another corpus."""
PROGRESS_EVERY = 100_000
"""Number of lines between two reports of progress."""
_SAMPLE = 500
"""Number of pairs at the start of a file whose script is looked at; later ones now and then."""
_SAMPLE_EVERY = 997
EMPTY, REPEATED, SHORT = "empty side", "repeated pair", "no second column"
BREAKS = "line breaks within a sentence became spaces"

Progress = Callable[[int], None]
"""Is told how many lines were read."""
Row = tuple[str, ...]
"""A source, its references, and after them the attribution if there is one."""


@dataclass(frozen=True)
class Given:
    """Holds what a person gave to be added.

    splits: paths of each split, or of UNDIVIDED. languages: as they were said, or "". target: BLEU
    that counts as solved, or None.
    """

    splits: Mapping[str, Sequence[Path]]
    languages: str = ""
    reading: ReadOptions = field(default_factory=ReadOptions)
    target: float | None = None


@dataclass
class SplitRows:
    """Holds a split that is being read.

    rows: its pairs. references: how many each has. credits: whether rows end with an attribution.
    told: the languages that names of files and fields tell, "" for one that they do not.
    """

    rows: Iterator[Row]
    references: int
    credits: bool
    told: tuple[str, str]
    dropped: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    pairs: int = 0


def add_parallel(
    name: str,
    folder: Path,
    given: Given,
    progress: Progress | None = None,
    about: Mapping[str, Any] | None = None,
) -> Prepared:
    """Add a corpus under a new name.

    about: what about.json says of its source and licence, if it is known.

    Raises:
        ValueError: A file has another form, encoding, number of lines or script than it should.
        FileNotFoundError: A file does not exist.
    """
    languages = read_languages(given.languages) if given.languages else None
    with published(name, folder) as fresh:
        paths = held_splits(given.splits, fresh.parent)
        told = about_files(list(chain.from_iterable(paths.values()))) | dict(about or {})
        splits = {
            split: opened_split(split, files, given.reading, languages)
            for split, files in paths.items()
        }
        sampled = SampledLanguages(next(iter(splits.values())).told)
        for split, opened in splits.items():
            _write(fresh, split, opened, sampled, progress or (lambda lines: None))
        found = sampled.languages(languages, given)
        known = {
            "name": name,
            "kind": PARALLEL_KIND,
            **told,
            "languages": list(found),
            "languages_from": "said" if languages else sampled.how,
            "pairs": sum(split.pairs for split in splits.values()),
            "splits": {split: _about_split(opened) for split, opened in splits.items()},
            "target": given.target,
            "preparation": PARALLEL_VERSION,
        }
        known = write_about_whole(fresh, known)
    return Prepared(name, folder / name, known)


def _about_split(opened: SplitRows) -> dict[str, Any]:
    return {
        "pairs": opened.pairs,
        "references": opened.references,
        "dropped": dict(opened.dropped),
        "changed": dict(opened.changed),
    }


def opened_split(
    split: str, files: Sequence[Held], reading: ReadOptions, languages: Languages | None
) -> SplitRows:
    """Open a split: a file a side, or files of columns one after the other."""
    parts = list(chain.from_iterable(map(files_in, files)))
    if len(parts) == 1:
        return _column_split(parts[0], reading, languages, split)
    forms = {form_of(part, reading) for part in parts}
    if forms == {"tsv"} and not reading.form and not reading.columns:
        return _parallel_files(split, parts, reading, languages)
    if len(forms) > 1:
        raise ValueError(
            f"{', '.join(part.label for part in parts)} are of different forms; add them one by one"
        )
    return _joined([_column_split(part, reading, languages, split) for part in parts], split)


def _joined(tables: Sequence[SplitRows], split: str) -> SplitRows:
    """Return one split of the rows of several; ValueError if not all end with an attribution."""
    first = tables[0]
    first.rows = chain.from_iterable([table.rows for table in tables])
    for other in tables[1:]:
        # later parts count into the first
        other.dropped, other.changed = first.dropped, first.changed
        if other.credits != first.credits:
            raise ValueError(f"the files of {split} have different columns; add them one by one")
    return first


def _parallel_files(
    split: str, parts: Sequence[GivenFile], reading: ReadOptions, languages: Languages | None
) -> SplitRows:
    """Open two files whose lines translate each other, and files of further references."""
    parts = _ordered(parts, languages)
    if len(parts) > 2 and split == UNDIVIDED:
        raise ValueError(
            f"{len(parts)} files were given: {', '.join(part.label for part in parts)}; give one "
            "of columns, or two with as many lines each, and further references with --test"
        )
    told = tuple(_language_of(part) for part in parts[:2])
    rows = _together(parts, reading.encoding)
    return SplitRows(rows, len(parts) - 1, False, (told[0], told[1]))


def _ordered(parts: Sequence[GivenFile], languages: Languages | None) -> list[GivenFile]:
    """Return files in the order of the languages, if their names end in these."""
    if languages is None:
        return list(parts)
    codes = [_language_of(part) for part in parts]
    if set(codes) != set(languages):
        return list(parts)
    return sorted(parts, key=lambda part: languages.index(_language_of(part)))


def _language_of(file: GivenFile) -> str:
    """Return the language that the ending of a file's name tells, or ""."""
    code = file.suffix.rstrip("0123456789")
    if code in ("txt", "tsv", "csv", "tok", "bpe", "out", "src", "tgt", "trg", "ref", ""):
        return ""
    try:
        return language_code(code) if len(code) <= 3 else ""
    except ValueError:
        return ""


def _together(parts: Sequence[GivenFile], encoding: str) -> Iterator[Row]:
    """Yield the lines of several files side by side; ValueError if they are not equally many."""
    missing = object()
    for row in zip_longest(*(lines_of(part, encoding) for part in parts), fillvalue=missing):
        if missing in row:
            counts = [len(list(lines_of(part, encoding))) for part in parts]
            said = " and ".join(
                f"{part.label} has {count} lines" for part, count in zip(parts, counts, strict=True)
            )
            raise ValueError(f"{said}; give files whose lines translate each other")
        yield tuple(map(str, row))


def _column_split(
    file: GivenFile, reading: ReadOptions, languages: Languages | None, split: str
) -> SplitRows:
    """Open a file of columns, refusing one of another form."""
    table = read_table(file, reading, languages or ())
    told = _told_by(table.names)
    if table.form in ("jsonl", "parquet", "tmx"):
        rows: Iterator[Row] = (tuple(row) for row in table.rows)
        return SplitRows(rows, 1, len(table.names) > 2, told)
    first = list(islice((row for row in table.rows if any(row)), LOOKED_AT))
    check_columns(first, reading, file.label)
    credits = len(reading.columns) == 3
    if not reading.columns and credits_in_third(first):
        credits, told = True, ("en", _told(file.stem))  # as manythings.org writes them
    opened = SplitRows(iter(()), 1, credits, told)
    opened.rows = _whole_rows(chain(first, table.rows), 3 if credits else 2, opened, file, split)
    return opened


def _told_by(names: Sequence[str]) -> tuple[str, str]:
    """Return the languages that the names of the first two columns tell, "" for one unknown."""
    return (_told(names[0]), _told(names[1])) if len(names) >= 2 else ("", "")


def _told(name: str) -> str:
    """Return the language that the name of a column or file is a code of, or ""."""
    try:
        return language_code(name.lower()) if 2 <= len(name) <= 3 else ""
    except ValueError:
        return ""


def _whole_rows(
    rows: Iterable[Sequence[str]], width: int, opened: SplitRows, file: GivenFile, split: str
) -> Iterator[Row]:
    """Yield rows of full width; blank lines are passed over, and short ones counted.

    Nothing of a given valid or test set may be dropped, so a short row there is an error.
    """
    for number, row in enumerate(rows, start=1):
        if len(row) >= 2:
            yield (*row, "", "")[:width]
        elif any(row):
            if split in ("valid", "test"):
                raise ValueError(
                    f"{file.label}, row {number}: {row[0][:60]!r} has no second column; correct it"
                )
            opened.dropped[SHORT] += 1


def _write(
    folder: Path, split: str, opened: SplitRows, sampled: SampledLanguages, progress: Progress
) -> None:
    """Write a split's files, a sentence a line."""
    names = split_files(split, opened.references)
    if opened.credits:
        names.append(f"{split}.attribution")
    held_out = split in ("valid", "test")
    seen: set[bytes] = set()
    with ExitStack() as stack:
        streams = [
            stack.enter_context((folder / name).open("w", encoding="utf-8", newline="\n"))
            for name in names
        ]
        for number, row in enumerate(opened.rows, start=1):
            if number % PROGRESS_EVERY == 0:
                progress(number)
            lines = [one_line(text, opened.changed) for text in row]
            if not held_out and _is_dropped(lines[: 1 + opened.references], opened.dropped, seen):
                continue
            _write_row(streams, lines, split)
            sampled.see(lines, opened.pairs)
            opened.pairs += 1
    if not opened.pairs:
        raise ValueError(f"no pair is left for {split}; give lines of a source and a target")


def _write_row(streams: Sequence[IO[str]], lines: Sequence[str], split: str) -> None:
    try:
        for stream, line in zip(streams, lines, strict=True):
            stream.write(line + "\n")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"a sentence of {split} holds half a character ({error.object[:40]!a}); correct it"
        ) from None


def one_line(text: str, changed: Counter[str]) -> str:
    """Return a sentence on one line, and count it if it was on several."""
    if "\n" not in text and "\r" not in text:
        return text
    changed[BREAKS] += 1
    return " ".join(part for part in text.replace("\r", "\n").split("\n") if part)


def _is_dropped(lines: Sequence[str], dropped: Counter[str], seen: set[bytes]) -> bool:
    """Count a training pair that is empty or repeated, and return whether it is."""
    if not all(line.strip() for line in lines):
        dropped[EMPTY] += 1
        return True
    text = "\n".join(lines).encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(text, digest_size=12).digest()
    if digest in seen:
        dropped[REPEATED] += 1
        return True
    seen.add(digest)
    return False


class SampledLanguages:
    """Tells the languages of a corpus by names, or by the script of some of its sentences.

    told: the languages that names of files and fields tell, "" for one that they do not.
    """

    def __init__(self, told: tuple[str, str] = ("", "")) -> None:
        self.told = told
        self._sources: list[str] = []
        self._targets: list[str] = []

    def see(self, row: Sequence[str], number: int) -> None:
        """Keep a pair if its number is among the first, or comes now and then."""
        if number < _SAMPLE or number % _SAMPLE_EVERY == 0:
            self._sources.append(row[0])
            self._targets.append(row[1])

    @property
    def how(self) -> str:
        """The way in which languages that were not said are known."""
        return "told by names" if all(self.told) else "guessed from the script"

    def languages(self, said: Languages | None, given: Given) -> Languages:
        """Return the languages; ValueError if the script contradicts them."""
        found = said or Languages(
            self.told[0] or guessed(self._sources) or UNKNOWN_LANGUAGE,
            self.told[1] or guessed(self._targets) or UNKNOWN_LANGUAGE,
        )
        for what, code, texts, other in (
            ("source", found.source, self._sources, self._targets),
            ("target", found.target, self._targets, self._sources),
        ):
            if contradicts(code, texts):
                swapped = not contradicts(code, other)
                raise ValueError(
                    f"the {what} is said to be {code}, but it is written in {script_name(texts)} "
                    f"script; {_what_then(swapped, given, code)}"
                )
        return found


def _what_then(swapped: bool, given: Given, code: str) -> str:
    if swapped and len(next(iter(given.splits.values()))) == 1:
        columns = given.reading.columns or ("1", "2")
        return f"the columns look swapped: give --columns {columns[1]},{columns[0]}"
    if swapped:
        return "the files look swapped: give them in the order of the languages"
    return f"give the right --languages, or a code with its script, such as {code}_Latn"
