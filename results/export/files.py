"""Rows as CSV, Markdown or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from results.show.tables import by_table, cells, heading, notes
from results.show.terminal import Table, titles
from results.summary import SummaryRow

JSON_SCHEMA = 1
FORMATS = ("csv", "markdown", "json", "latex", "parquet")
BINARY = ("parquet",)
"""Formats that are no text, and so want a file."""


def as_json(rows: Sequence[dict[str, Any]], ascii_only: bool = False) -> str:
    """`{"schema": n, "rows": [...]}`; units stand in the keys."""
    return json.dumps({"schema": JSON_SCHEMA, "rows": rows}, ensure_ascii=ascii_only, indent=1)


def as_csv(rows: Sequence[SummaryRow]) -> str:
    """One line a row, all columns, nested ones flattened as `outer.inner`."""
    text: str = _flat(rows).to_csv(index=False)
    return text


def as_parquet(rows: Sequence[SummaryRow]) -> bytes:
    """The same columns as CSV. ImportError without pyarrow, which the extra `parquet` brings."""
    table = _flat(rows)
    for column in table.columns:
        # a column of lists, as hosts are, reads better as text
        if table[column].map(lambda value: isinstance(value, list)).any():
            table[column] = table[column].map(" ".join)
    data: bytes = table.to_parquet(None, index=False, engine="pyarrow")
    return data


def _flat(rows: Sequence[SummaryRow]) -> Any:
    import pandas as pd  # only here, so that tables and help stay quick

    return pd.json_normalize(
        [{key: " ".join(v) if key == "runs" else v for key, v in row.items()} for row in rows]
    )


LATEX = str.maketrans({
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    ">": r"$>$",
    "<": r"$<$",
})  # fmt: skip


def summary_tables(rows: Sequence[SummaryRow]) -> list[Table]:
    """A table a task and setting, as the terminal has them but with every column."""
    return [
        (heading(group[0]), [cells(row) for row in group], notes(group))
        for group in by_table(rows).values()
    ]


def as_latex(tables: Sequence[Table]) -> str:
    """With booktabs' rules; needs \\usepackage{booktabs}."""
    parts = []
    for said, texts, _ in tables:
        columns = titles(texts)
        lines = [
            r"\begin{table}",
            rf"\caption{{{said.translate(LATEX)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}",
            r"\toprule",
            " & ".join(title.translate(LATEX) for title in columns) + r" \\",
            r"\midrule",
        ]
        lines += [
            " & ".join(text.get(title, "").translate(LATEX) for title in columns) + r" \\"
            for text in texts
        ]
        lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}"]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def as_markdown(tables: Sequence[Table]) -> str:
    """Each with its heading above and its notes below."""
    parts = []
    for said, texts, remarks in tables:
        columns = titles(texts)
        lines = [f"**{said}**", ""]
        lines.append("| " + " | ".join(columns) + " |")
        lines.append("| --- |" + " ---: |" * (len(columns) - 1))
        for text in texts:
            written = (text.get(title, "").replace("|", "\\|") for title in columns)
            lines.append("| " + " | ".join(written) + " |")
        sentences = [remark[0].upper() + remark[1:] + "." for remark in remarks]
        parts.append("\n".join(lines) + ("\n\n" + " ".join(sentences) if sentences else ""))
    return "\n\n".join(parts) + "\n"
