"""Builds the HTML of a report from plain parts.

The page can be read without scripts, in light and dark mode, and on a screen of any width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from results.escapes import for_html

PAGE_CSS = """
:root { color-scheme: light dark; --line: #8886; --soft: #8881; }
body { font: 16px/1.5 system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif; margin: 0 auto;
  max-width: 70rem; padding: 1rem; }
h1, h2, h3 { line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
.wide { overflow-x: auto; margin: 1rem 0; } .wide:focus { outline: 2px solid #4477aa; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .2rem .7rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child, .text { text-align: left; }
td:first-child, td.text { white-space: normal; overflow-wrap: anywhere; min-width: 8rem; }
td.text { max-width: 26rem; } .heat td:first-child { min-width: 0; }
.cards { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); }
.card { border: 1px solid var(--line); border-radius: .4rem; padding: 0 1rem;
  overflow-wrap: anywhere; }
.card ul { padding-left: 1.2rem; } .card p { margin: .4rem 0; }
@media (max-width: 45rem) { table { font-size: .8rem; } th, td { padding: .2rem .35rem; }
  th { white-space: normal; } td:first-child, td.text { min-width: 5rem; } }
thead th { border-bottom: 1px solid; } tbody tr:nth-child(odd) { background: var(--soft); }
th button { font: inherit; background: none; border: 0; cursor: pointer; padding: 0;
  color: inherit; }
.heat td, .heat th { padding: 0 .4rem; text-align: center; font-weight: normal; border: 0; }
.heat td { min-width: 1.4rem; height: 1.4rem; }
.better { color: #4477aa; } .worse { color: #d9534f; } .undecided { opacity: .75; }
figure { margin: 1rem 0; display: inline-block; vertical-align: top; max-width: 100%; }
figure svg { max-width: 100%; height: auto; color: inherit; }
figcaption, .note { font-size: .85rem; opacity: .8; } code { font-size: .9em; }
details { margin: 1rem 0; } nav a { margin-right: 1rem; display: inline-block; }
a { color: #4477aa; } @media (prefers-color-scheme: dark) { a, .better { color: #7db3e8; } }
"""
"""Style sheet of the page, whose colours follow the light or dark mode of the reader."""
SORT_SCRIPT = """
document.querySelectorAll('table:not(.heat)').forEach(table => {
  table.querySelectorAll('thead th').forEach((head, column) => {
    const button = document.createElement('button');
    button.textContent = head.textContent; head.textContent = ''; head.append(button);
    button.addEventListener('click', () => {
      const up = head.getAttribute('aria-sort') !== 'ascending';
      table.querySelectorAll('th').forEach(other => other.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      const value = row => {
        const cell = row.cells[column], raw = cell.dataset.value ?? cell.textContent;
        const number = parseFloat(raw);
        return raw === '' ? -Infinity : isNaN(number) ? raw : number;
      };
      const rows = [...table.tBodies[0].rows].sort((a, b) => {
        const x = value(a), y = value(b);
        const order = x < y ? -1 : x > y ? 1 : 0, way = up ? 1 : -1;
        return way * (typeof x === typeof y ? order : typeof x === 'number' ? 1 : -1);
      });
      table.tBodies[0].append(...rows);
    });
  });
});
"""
"""Sorts a table by the column whose title is clicked; an empty cell counts as the least."""


def page(title: str, parts: Sequence[str]) -> str:
    """Return the whole document."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # an empty icon, or the browser would ask the server for one
        '<link rel="icon" href="data:,">\n'
        f"<title>{for_html(title)}</title>\n<style>{PAGE_CSS}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + f"\n<script>{SORT_SCRIPT}</script>\n</body>\n</html>\n"
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


def table(rows: Sequence[Line], caption: str) -> str:
    """Return a table that scrolls by itself if it is wider than the page."""
    titles = list(dict.fromkeys(title for row in rows for title in row))
    head = "".join(
        f'<th scope="col"{_title_class(title, rows)}>{for_html(title)}</th>' for title in titles
    )
    body = "".join(
        "<tr>" + "".join(_cell(row.get(title, "")) for title in titles) + "</tr>" for row in rows
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{for_html(caption)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


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
    """Return attention weights as a table of coloured cells, with the numbers as titles.

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
    return f'<td style="background:rgba(68,119,170,{weight:.2f})" title="{weight:.2f}"></td>'


def note(lines: Sequence[str]) -> str:
    """Return remarks, each as a paragraph in small print."""
    return "".join(f'<p class="note">{for_html(line)}</p>' for line in lines)


def folded(summary: str, content: str) -> str:
    """Return content that is hidden until its summary is clicked."""
    return f"<details><summary>{for_html(summary)}</summary>{content}</details>"
