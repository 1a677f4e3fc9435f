"""Writes tables for generated Markdown pages."""

from __future__ import annotations

from collections.abc import Sequence

from results.escapes import plain


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table with one line per row."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    """Return text on one line, with bars escaped; its other marks are the page's own."""
    return plain(" ".join(text.split())).replace("|", "\\|")
