"""Builds the HTML of a report from plain parts.

The page can be read without scripts, in light and dark mode, and on a screen of any width. With
scripts it does more: see the folder `scripts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from results.escapes import for_html
from results.report import scripted


def page(title: str, parts: Sequence[str], runs: str) -> str:
    """Return the whole document.

    Args:
        title: the document's.
        parts: the elements of its body.
        runs: what its scripts show, compressed, as base64.
    """
    style = (files("results.report") / "page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # an empty icon, or the browser would ask the server for one
        '<link rel="icon" href="data:,">\n'
        f"<title>{for_html(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        # what no browser takes for a script is left to the page's own
        + f'\n<script type="text/plain" id="runs">{runs}</script>'
        "\n<!-- Vega, Vega-Lite, Vega-Embed (BSD 3-Clause, https://vega.github.io), compressed -->"
        f'\n<script type="text/plain" id="library">{scripted.library()}</script>'
        f"\n<script>{scripted.scripts()}</script>\n</body>\n</html>\n"
    )


@dataclass(frozen=True)
class TableCell:
    """Holds what a cell of a table shows.

    Attributes:
        text: what is printed.
        value: number by which the column is sorted; None sorts by the text.
        kind: the cell's CSS classes; `text` aligns words to the left.
    """

    text: str
    value: float | None = None
    kind: str = ""


Line = Mapping[str, TableCell | str]
"""A line of a table: cells or plain texts, by the titles of their columns."""


def words(text: str) -> TableCell:
    """Return a cell of words, aligned to the left."""
    return TableCell(text, None, "text")


def table(rows: Sequence[Line], caption: str, variants: Sequence[int | None] | None = None) -> str:
    """Return a table that scrolls by itself if it is wider than the page.

    Args:
        rows: its lines.
        caption: its name for screen readers.
        variants: the number of the variant that each line is about, by which scripts filter.
    """
    titles = list(dict.fromkeys(title for row in rows for title in row))
    head = "".join(
        f'<th scope="col"{_title_class(title, rows)}>{for_html(title)}</th>' for title in titles
    )
    body = "".join(
        f"<tr{_of_variant(variant)}>"
        + "".join(_cell(row.get(title, "")) for title in titles)
        + "</tr>"
        for row, variant in zip(rows, variants or [None] * len(rows), strict=True)
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{for_html(caption)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _of_variant(variant: int | None) -> str:
    return "" if variant is None else f' data-variant="{variant}"'


def _title_class(title: str, rows: Sequence[Line]) -> str:
    """Align a title to the left if its column has words."""
    cell = next((row[title] for row in rows if title in row), "")
    return ' class="text"' if isinstance(cell, TableCell) and "text" in cell.kind else ""


def _cell(cell: TableCell | str) -> str:
    if isinstance(cell, str):
        return f"<td>{for_html(cell)}</td>"
    value = "" if cell.value is None else f' data-value="{cell.value:g}"'
    kind = f' class="{cell.kind}"' if cell.kind else ""
    return f"<td{kind}{value}>{for_html(cell.text)}</td>"


def figure(svg: str, caption: str) -> str:
    """Return a chart with its caption, which is also its text for screen readers."""
    named = svg.replace("<svg ", f'<svg role="img" aria-label="{for_html(caption)}" ', 1)
    return f"<figure>{named}<figcaption>{for_html(caption)}</figcaption></figure>"


def heat(
    weights: Sequence[Sequence[float]], across: Sequence[str], down: Sequence[str], caption: str
) -> str:
    """Return attention weights as a table of coloured cells, with the numbers in per cent.

    Args:
        weights: a row for each output symbol, a value for each source symbol.
        across: the source symbols.
        down: the output symbols.
        caption: text below the table.
    """
    head = "".join(f'<th scope="col">{for_html(symbol)}</th>' for symbol in across)
    body = "".join(
        f'<tr><th scope="row">{for_html(symbol)}</th>' + "".join(map(_heat_cell, row)) + "</tr>"
        for symbol, row in zip(down, weights, strict=False)
    )
    return (
        f'<figure><div class="wide" tabindex="0" role="region" aria-label="{for_html(caption)}">'
        f'<table class="heat"><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>'
        f"</div><figcaption>{for_html(caption)}</figcaption></figure>"
    )


def _heat_cell(weight: float) -> str:
    percent = f"{100 * weight:.0f}"
    shown = "" if percent == "0" else percent
    return f'<td style="background:rgba(68,119,170,{weight:.2f})" title="{weight:.2f}">{shown}</td>'


def note(lines: Sequence[str]) -> str:
    """Return remarks, each as a paragraph in small print."""
    return "".join(f'<p class="note">{for_html(line)}</p>' for line in lines)


def folded(summary: str, content: str) -> str:
    """Return content that is hidden until its summary is clicked."""
    return f"<details><summary>{for_html(summary)}</summary>{content}</details>"


def drawn_by_scripts(kind: str, content: str = "") -> str:
    """Return content that scripts replace by a chart of a kind that answers to the reader."""
    return f'<div data-chart="{kind}">{content}</div>'
