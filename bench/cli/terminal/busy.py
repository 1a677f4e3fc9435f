"""Says that something goes on that takes a while. Loads nothing heavy."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.plan.remaining import TimeLeft

LINE_INTERVAL = 10.0
"""Seconds between lines where there is no terminal."""
REDRAWN_EVERY = 0.5
"""Seconds between two drawings of a line that says what goes on."""

LISTED_RUNS = 8
"""Number of running runs that are listed; as replicas, many more run at once."""
BAR_WIDTH = 24
"""Columns of the progress bar."""


def duration(seconds: float) -> str:
    """Return seconds as text: `45 s`, `12 min` or `3.4 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def left_text(left: TimeLeft) -> str:
    """Return the time left with its bounds: `about 4 min left (3 min to 6 min)`."""
    if not left.about:
        return "done"
    least, about, most = (duration(max(seconds, 1.0)) for seconds in left)
    bounds = f" ({least} to {most})" if least != most else ""
    return f"about {about} left{bounds}"


class Busy:
    """Says on standard error that something goes on, from when it has taken a while.

    Use it as a context. A terminal shows one line with the seconds so far, which is gone at the
    end; elsewhere a line is printed every LINE_INTERVAL.
    """

    def __init__(self, label: str, unit: str = "") -> None:
        """Prepare the line to show.

        Args:
            label: What is done, `checking cell=mine` for example.
            unit: What is counted, `step` for example.
        """
        self._label = label
        self._unit = f"{unit} " if unit else ""
        self._count = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True)

    def __enter__(self) -> Busy:
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def count(self, done: int, total: int) -> None:
        """Note how much of the work is done."""
        self._count = f", {self._unit}{done:,} of {total:,}"

    def _show(self) -> None:
        on_terminal = sys.stderr.isatty()
        pause = REDRAWN_EVERY if on_terminal else LINE_INTERVAL
        shown = False
        while not self._over.wait(pause):
            text = f"{self._label}{self._count}, {duration(time.monotonic() - self._began)}"
            shown = on_terminal
            if on_terminal:
                print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
            else:
                print(f"bench: {text}", file=sys.stderr, flush=True)
        if shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
