"""Rows as CSV, Markdown or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from results.tables import Row, by_table, cells, heading, notes

SCHEMA = 1
FORMATS = ("csv", "markdown", "json", "latex", "parquet")
BINARY = ("parquet",)
"""Formats that are no text, and so want a file."""


def as_json(rows: Sequence[dict[str, Any]], ascii_only: bool = False) -> str:
    """`{"schema": n, "rows": [...]}`; units stand in the keys."""
    return json.dumps({"schema": SCHEMA, "rows": rows}, ensure_ascii=ascii_only, indent=1)


def as_csv(rows: Sequence[Row]) -> str:
    """One line a row, all columns, nested ones flattened as `outer.inner`."""
    text: str = _flat(rows).to_csv(index=False)
    return text


def as_parquet(rows: Sequence[Row]) -> bytes:
    """The same columns as CSV. ImportError without pyarrow, which the extra `parquet` brings."""
    table = _flat(rows)
    for column in table.columns:
        # a column of lists, as hosts are, reads better as text
        if table[column].map(lambda value: isinstance(value, list)).any():
            table[column] = table[column].map(" ".join)
    data: bytes = table.to_parquet(None, index=False, engine="pyarrow")
    return data


def _flat(rows: Sequence[Row]) -> Any:
    import pandas as pd  # only here, so that tables and help stay quick

    return pd.json_normalize([{**row, "runs": " ".join(row["runs"])} for row in rows])


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


def as_latex(rows: Sequence[Row]) -> str:
    """A table a task and setting with booktabs' rules; needs \\usepackage{booktabs}."""
    parts = []
    for group in by_table(rows).values():
        texts = [cells(row) for row in group]
        titles = _titles(texts)
        lines = [
            r"\begin{table}",
            rf"\caption{{{heading(group[0]).translate(LATEX)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(titles) - 1)}}}",
            r"\toprule",
            " & ".join(title.translate(LATEX) for title in titles) + r" \\",
            r"\midrule",
        ]
        lines += [
            " & ".join(text.get(title, "").translate(LATEX) for title in titles) + r" \\"
            for text in texts
        ]
        lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}"]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def as_markdown(rows: Sequence[Row]) -> str:
    """A table a task and setting, as the terminal has them but with every column."""
    parts = []
    for group in by_table(rows).values():
        texts = [cells(row) for row in group]
        titles = _titles(texts)
        lines = [f"**{heading(group[0])}**", ""]
        lines.append("| " + " | ".join(titles) + " |")
        lines.append("|" + "|".join(" --- " if t == "variant" else " ---: " for t in titles) + "|")
        for text in texts:
            written = (text.get(title, "").replace("|", "\\|") for title in titles)
            lines.append("| " + " | ".join(written) + " |")
        said = [note[0].upper() + note[1:] + "." for note in notes(group)]
        parts.append("\n".join(lines) + ("\n\n" + " ".join(said) if said else ""))
    return "\n\n".join(parts) + "\n"


def _titles(texts: Sequence[dict[str, str]]) -> list[str]:
    """Columns in which any row says something."""
    used = dict.fromkeys(title for text in texts for title in text)
    return [title for title in used if any(text.get(title) for text in texts)]
