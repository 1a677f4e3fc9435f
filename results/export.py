"""Rows as CSV, Markdown or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from results.tables import Row, by_table, cells, heading, notes

SCHEMA = 1
FORMATS = ("csv", "markdown", "json")


def as_json(rows: Sequence[dict[str, Any]], ascii_only: bool = False) -> str:
    """`{"schema": n, "rows": [...]}`; units stand in the keys."""
    return json.dumps({"schema": SCHEMA, "rows": rows}, ensure_ascii=ascii_only, indent=1)


def as_csv(rows: Sequence[Row]) -> str:
    """One line a row, all columns, nested ones flattened as `outer.inner`."""
    import pandas as pd  # only here, so that tables and help stay quick

    flat = pd.json_normalize([{**row, "runs": " ".join(row["runs"])} for row in rows])
    text: str = flat.to_csv(index=False)
    return text


def as_markdown(rows: Sequence[Row]) -> str:
    """A table a task and setting, as the terminal has them but with every column."""
    parts = []
    for group in by_table(rows).values():
        texts = [cells(row) for row in group]
        used = dict.fromkeys(t for text in texts for t in text)
        titles = [title for title in used if any(text.get(title) for text in texts)]
        lines = [f"**{heading(group[0])}**", ""]
        lines.append("| " + " | ".join(titles) + " |")
        lines.append("|" + "|".join(" --- " if t == "variant" else " ---: " for t in titles) + "|")
        for text in texts:
            written = (text.get(title, "").replace("|", "\\|") for title in titles)
            lines.append("| " + " | ".join(written) + " |")
        said = [note[0].upper() + note[1:] + "." for note in notes(group)]
        parts.append("\n".join(lines) + ("\n\n" + " ".join(said) if said else ""))
    return "\n\n".join(parts) + "\n"
