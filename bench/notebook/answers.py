"""Answers that show themselves: as text, as HTML in a notebook, and as a DataFrame."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
from rich.console import Console

from results.show.terminal import SafeConsole

Draw = Callable[[Console], None]
"""Prints an answer on a console, as the command line does."""
WIDTH = 100
"""Columns of an answer's text, which fit a notebook's cell and most terminals."""
HTML = '<pre style="line-height: 1.2; white-space: pre; overflow-x: auto">{code}</pre>'


class Answer:
    """Holds the rows that answer a question, and prints them as the command line does.

    `print(answer)` and a notebook's cell show tables; `frame()` has every number, and `rows` the
    same as plain dicts, as `--json` prints them.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], draw: Draw) -> None:
        """Keep rows and the function that prints them."""
        self.rows = list(rows)
        self._draw = draw

    def frame(self) -> pd.DataFrame:
        """Return one line per row; nested values are columns named `outer.inner`."""
        return pd.json_normalize([dict(row) for row in self.rows])

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def __str__(self) -> str:
        return self._console().export_text().rstrip()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """Return the text with its styles, for a notebook."""
        return self._console().export_html(code_format=HTML, inline_styles=True)

    def _console(self) -> Console:
        """Return a console on which the answer was printed and kept."""
        # in a notebook rich would show each part by itself, besides the answer as a whole
        console = SafeConsole(file=io.StringIO(), width=WIDTH, record=True, force_jupyter=False)
        self._draw(console)
        return console
