"""Writes rows as JSON, CSV or Parquet, and tables of text as Markdown or LaTeX."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from results.escapes import for_csv, for_json, for_latex, for_markdown, plain
from results.tables.text import TextTable, used_titles

JSON_SCHEMA = 1
"""Version of the rows' form in everything that is printed with `--json`."""
FORMATS = ("csv", "markdown", "json", "latex", "parquet")
"""Formats of a table."""
BINARY = ("parquet",)
"""Formats that are not text, and so need a file."""

JsonRow = Mapping[str, Any]
"""A row of any verb, with plain values."""


def as_json(rows: Sequence[JsonRow], ascii_only: bool = False) -> str:
    """Return rows as a JSON object with the keys `schema` and `rows`; keys contain units."""
    plain = {"schema": JSON_SCHEMA, "rows": rows}
    return for_json(json.dumps(plain, ensure_ascii=ascii_only, indent=1))


def as_csv(rows: Sequence[JsonRow]) -> str:
    """Return all columns of the rows; nested ones are flattened as `outer.inner`."""
    table = _flat(rows)
    table.columns = table.columns.map(for_csv)
    text: str = table.map(_csv_cell).to_csv(index=False)
    return text


def _csv_cell(value: object) -> object:
    return for_csv(value) if isinstance(value, str) else value


def as_parquet(rows: Sequence[JsonRow]) -> bytes:
    """Return the same columns as in CSV.

    Raises:
        ImportError: pyarrow is not installed; the extra `parquet` brings it.
    """
    table = _flat(rows)
    for column in table.columns:
        # a column of lists, such as hosts, is easier to use as text
        if table[column].map(lambda value: isinstance(value, list)).any():
            table[column] = table[column].map(" ".join)
    data: bytes = table.to_parquet(None, index=False, engine="pyarrow")
    return data


def _flat(rows: Sequence[JsonRow]) -> Any:
    import pandas as pd  # imported here, so that tables and help stay fast

    return pd.json_normalize(
        [
            {key: " ".join(v) if key == "runs" else _plain(v) for key, v in row.items()}
            for row in rows
        ]
    )


def _plain(value: Any) -> Any:
    """Return a value in which every text, however deep, is harmless."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, Mapping):
        return {plain(str(key)): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def as_latex(tables: Sequence[TextTable]) -> str:
    """Return LaTeX tables with the rules of the package booktabs."""
    return "\n\n".join(map(_latex_table, tables)) + "\n"


def _latex_table(table: TextTable) -> str:
    columns = used_titles(table.lines)
    rows = [[line.get(title, "") for title in columns] for line in table.lines]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{for_latex(table.heading)}}}",
            rf"\label{{tab:{_label(table.heading)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}",
            r"\toprule",
            _latex_row(columns),
            r"\midrule",
            *map(_latex_row, rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _label(heading: str) -> str:
    """Return what a table is referred to by: its heading in letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def _latex_row(texts: Sequence[str]) -> str:
    return " & ".join(map(_latex_text, texts)) + r" \\"


def _latex_text(text: str) -> str:
    """Return text for LaTeX, with the minus of numbers as a minus and not as a hyphen."""
    escaped = for_latex(text).replace("–", "--")
    return re.sub(r"(?<![\w.-])-(?=\d)", "$-$", escaped)


def as_markdown(tables: Sequence[TextTable]) -> str:
    """Return Markdown tables, each with its heading above and its notes below."""
    return "\n\n".join(map(_markdown_table, tables)) + "\n"


def _markdown_table(table: TextTable) -> str:
    columns = used_titles(table.lines)
    lines = [
        f"**{for_markdown(table.heading)}**",
        "",
        "| " + " | ".join(map(for_markdown, columns)) + " |",
        "| --- |" + " ---: |" * (len(columns) - 1),
    ]
    for line in table.lines:
        written = (for_markdown(line.get(title, "")) for title in columns)
        lines.append("| " + " | ".join(written) + " |")
    sentences = [for_markdown(f"{note[0].upper()}{note[1:]}.") for note in table.notes]
    return "\n".join(lines) + ("\n\n" + " ".join(sentences) if sentences else "")
