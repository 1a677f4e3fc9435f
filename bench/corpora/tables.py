"""Reads rows of columns: TSV, CSV, JSON lines, Parquet and TMX, by the libraries that know them."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from bench.corpora.given import GivenFile, lines_of
from tasks.choices import one_of

FORMS = ("tsv", "csv", "jsonl", "parquet", "tmx")
"""Forms of a file of columns."""
_BY_SUFFIX = {
    "csv": "csv",
    "json": "jsonl",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "parquet": "parquet",
    "tmx": "tmx",
}
_XML_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_SNIFFED_LINES = 50


@dataclass(frozen=True)
class ReadOptions:
    """Holds how files are to be read, as a person says.

    columns: numbers from 1, or names; () for all. header: whether the first row holds names, None
    if nothing was said. form: one of FORMS, or "". separator: between columns, or "".
    """

    columns: tuple[str, ...] = ()
    header: bool | None = None
    form: str = ""
    separator: str = ""
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Table:
    """Rows of text, and the names of their columns where the file has them."""

    form: str
    names: tuple[str, ...]
    rows: Iterator[Sequence[str]]


def form_of(file: GivenFile, reading: ReadOptions) -> str:
    """Return the form of a file: as said, by its first bytes, or by its name."""
    if reading.form:
        return one_of("format", reading.form, FORMS)
    head = file.head().lstrip(b"\xef\xbb\xbf \r\n\t")
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b'{"'):
        return "jsonl"
    if head.startswith((b"<?xml", b"<tmx", b"<!DOCTYPE tmx")):
        return "tmx"
    return _BY_SUFFIX.get(file.suffix, "tsv")


def read_table(file: GivenFile, reading: ReadOptions, languages: Sequence[str] = ()) -> Table:
    """Open a file of columns.

    languages: the codes that a TMX or translation record is asked for, if they were said.

    Raises ValueError for a file that is not what it is taken for.
    """
    form = form_of(file, reading)
    if form == "jsonl":
        return _json_table(file, reading, languages)
    if form == "parquet":
        return _parquet_table(file, reading, languages)
    if form == "tmx":
        return _tmx_table(file, languages)
    rows = _csv_rows(file, reading) if form == "csv" else _tsv_rows(file, reading)
    names: tuple[str, ...] = ()
    if reading.header:
        names = tuple(name.strip() for name in next(rows, []))
    return Table(form, names, _chosen(rows, reading.columns, names, file.label))


def _tsv_rows(file: GivenFile, reading: ReadOptions) -> Iterator[Sequence[str]]:
    separator = _separator(reading) or "\t"
    for line in lines_of(file, reading.encoding):
        yield line.split(separator)


def _separator(reading: ReadOptions) -> str:
    return {"tab": "\t", "TAB": "\t", "\\t": "\t", "space": " "}.get(
        reading.separator, reading.separator
    )


def _csv_rows(file: GivenFile, reading: ReadOptions) -> Iterator[Sequence[str]]:
    csv.field_size_limit(sys.maxsize)
    separator = _separator(reading)
    if not separator:
        sample = "\n".join(islice(lines_of(file, reading.encoding), _SNIFFED_LINES))
        try:
            separator = csv.Sniffer().sniff(sample, delimiters=",;\t|").delimiter
        except csv.Error:
            separator = ","
    if len(separator) != 1:
        raise ValueError(f"the separator {separator!r} of a CSV file is not one character")
    lines = (f"{line}\n" for line in lines_of(file, reading.encoding))
    try:
        yield from csv.reader(lines, delimiter=separator, strict=True)
    except csv.Error as error:
        raise ValueError(f"{file.label} is not CSV ({error}); correct it") from None


def _chosen(
    rows: Iterator[Sequence[str]], columns: Sequence[str], names: Sequence[str], label: str
) -> Iterator[Sequence[str]]:
    """Yield the chosen columns of rows; a row that lacks one is yielded as far as it goes."""
    if not columns:
        yield from rows
        return
    places = [_place(column, names, label) for column in columns]
    for row in rows:
        yield [row[place] for place in places if place < len(row)]


def _place(column: str, names: Sequence[str], label: str) -> int:
    if column in names:
        return names.index(column)
    if column.isascii() and column.isdigit() and int(column):
        return int(column) - 1
    known = f"one of {', '.join(names)}" if names else "a number from 1, or give --header"
    raise ValueError(f"{label} has no column {column!r}; give {known}")


def _json_table(file: GivenFile, reading: ReadOptions, languages: Sequence[str]) -> Table:
    def records() -> Iterator[Mapping[str, Any]]:
        for number, line in enumerate(lines_of(file, reading.encoding), start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                raise ValueError(
                    f"{file.label}, line {number} is not JSON ({error}); give one record a line"
                ) from None
            if not isinstance(record, dict):
                raise ValueError(f"{file.label}, line {number} is no record of named texts")
            yield record

    first = next(records(), None)
    if first is None:
        raise ValueError(f"{file.label} is empty; give a record a line")
    names = _record_names(first, reading.columns, languages, file.label)
    return Table("jsonl", names, (_fields(record, names) for record in records()))


def _record_names(
    record: Mapping[str, Any], columns: Sequence[str], languages: Sequence[str], label: str
) -> tuple[str, ...]:
    """Return the names of a record's source and target.

    They are those asked for, else the languages, else the only two texts that the record has.
    """
    inner = _inner(record)
    if columns:
        if lacking := [name for name in columns if name not in inner]:
            raise ValueError(f"{label} has no column {lacking[0]!r}, but {', '.join(inner)}")
        return tuple(columns)
    if len(languages) == 2 and set(languages) <= set(inner):
        return tuple(languages)
    texts = [name for name, value in inner.items() if isinstance(value, str)]
    if len(texts) == 2:
        return tuple(texts)
    raise ValueError(
        f"{label} has the columns {', '.join(inner)}; say which is the source and which the "
        "target, with: --columns NAME,NAME"
    )


def _inner(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the texts of a record; Hugging Face puts them under `translation`."""
    inner = record.get("translation")
    return inner if isinstance(inner, dict) else record


def _fields(record: Mapping[str, Any], names: Sequence[str]) -> Sequence[str]:
    inner = _inner(record)
    return [value if isinstance(value := inner.get(name), str) else "" for name in names]


def _parquet_table(file: GivenFile, reading: ReadOptions, languages: Sequence[str]) -> Table:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise ValueError(
            "Parquet needs pyarrow; install it with: pip install 'seq2seq-bench[parquet]'"
        ) from None

    def records() -> Iterator[Mapping[str, Any]]:
        with file.opened() as stream:
            try:
                opened = parquet.ParquetFile(stream)
                for batch in opened.iter_batches(batch_size=4_096):
                    yield from batch.to_pylist()
            except arrow.ArrowException as error:
                raise ValueError(f"{file.label} is no whole Parquet file ({error})") from None

    first = next(records(), None)
    if first is None:
        raise ValueError(f"{file.label} holds no row; give another file")
    names = _record_names(first, reading.columns, languages, file.label)
    return Table("parquet", names, (_fields(record, names) for record in records()))


def _tmx_table(file: GivenFile, languages: Sequence[str]) -> Table:
    first = next(_units(file), None)
    if first is None:
        raise ValueError(f"{file.label} holds no translation unit; give another file")
    held = {_code(code): code for code in first}
    wanted = [_code(code) for code in languages] or list(held)
    if len(wanted) != 2 or any(code not in held for code in wanted):
        raise ValueError(
            f"{file.label} holds {', '.join(first)}; say which is the source and which the "
            "target, with: --languages de-en"
        )

    def rows() -> Iterator[Sequence[str]]:
        for unit in _units(file):
            texts = {_code(code): text for code, text in unit.items()}
            yield [texts.get(code, "") for code in wanted]

    return Table("tmx", tuple(wanted), rows())


def _code(language: str) -> str:
    """Return the bare code of a TMX language: en-US is en."""
    return language.lower().replace("_", "-").split("-")[0]


def _units(file: GivenFile) -> Iterator[dict[str, str]]:
    """Yield the texts of each translation unit by language."""
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import ParseError, iterparse

    with file.opened() as stream:
        try:
            for _, element in iterparse(stream, events=("end",)):
                if element.tag.rsplit("}", 1)[-1] != "tu":
                    continue
                unit = {}
                for variant in element.iter("tuv"):
                    code = variant.get(_XML_LANGUAGE) or variant.get("lang") or "und"
                    unit[code] = "".join("".join(seg.itertext()) for seg in variant.iter("seg"))
                element.clear()
                yield unit
        except (ParseError, DefusedXmlException) as error:
            raise ValueError(f"{file.label} is no whole TMX file ({error}); correct it") from None
