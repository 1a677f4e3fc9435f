"""Shows the progress of runs: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bench.engines.contract import Event
from bench.specs import RunSpec
from results.naming import name
from variants import BASE

LINE_INTERVAL = 10.0
"""Seconds between lines where there is no terminal."""
LISTED_RUNS = 8
"""Number of running runs that are listed; as replicas, many more run at once."""
BAR_WIDTH = 24
"""Columns of the progress bar."""


def duration(seconds: float) -> str:
    """Return seconds as text: `45 s`, `12 min` or `3.4 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Progress:
    """Counts finished runs and estimates the time left.

    Use it as a context: on a terminal the bar shows while the context is entered.
    """

    def __init__(
        self,
        specs: Mapping[str, RunSpec],
        cost: Callable[[RunSpec], float],
        workers: int,
        console: Console,
    ) -> None:
        """Prepare the display of some runs.

        Args:
            specs: The runs to do, by id.
            cost: Estimates the seconds of a run.
            workers: Number of runs that are done at once.
            console: Where progress is shown.
        """
        self._specs = specs
        self._cost = {run: cost(spec) for run, spec in specs.items()}
        self._total_cost = sum(self._cost.values())
        self._finished_cost = 0.0
        self._workers = workers
        self._console = console
        self._began = time.monotonic()
        self._last_line = self._began
        self._running: dict[str, str] = {}
        self._ended: Counter[str] = Counter()
        self._live = Live(console=console, get_renderable=self._view, refresh_per_second=4)

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    @property
    def done(self) -> int:
        """Return the number of runs that ended."""
        return self._ended.total()

    def on_disk_full(self) -> None:
        """Say that runs wait because the disk of the store is full."""
        self._console.print(
            "the store's disk is full; free some space: the runs wait for it, up to an hour",
            style="yellow",
        )

    def on_event(self, event: Event) -> None:
        """Take an event of the engine into account, and print a line if one is due."""
        if event.kind == "started":
            self._running[event.id] = ""
        elif event.kind == "point":
            point = event.value["point"]
            loss = point["loss"]
            text = "not finite" if loss is None else f"{loss:.3f}"
            self._running[event.id] = f"step {point['step']}, loss {text}"
        elif event.kind == "finished":
            self._running.pop(event.id, None)
            self._ended[event.value["outcome"]["status"]] += 1
            self._finished_cost += self._cost[event.id]
        elif event.kind == "lost":
            self._running.pop(event.id, None)
            self._console.print(
                f"the process of {self._name(event.id)} died ({event.value['reason']}); "
                "the run starts again",
                style="yellow",
            )
        if not self._console.is_terminal and self._is_line_due():
            self._console.print(self._summary(), soft_wrap=True)
            for line in self._run_lines():
                self._console.print(line, soft_wrap=True)

    def _is_line_due(self) -> bool:
        """Return whether LINE_INTERVAL has passed since the last line, and start it anew if so."""
        now = time.monotonic()
        if now - self._last_line < LINE_INTERVAL:
            return False
        self._last_line = now
        return True

    def _seconds_left(self) -> float:
        """Return the estimated seconds left, corrected by how long finished runs really took."""
        if not self._finished_cost:
            return self._total_cost / self._workers
        elapsed = time.monotonic() - self._began
        return elapsed * (self._total_cost - self._finished_cost) / self._finished_cost

    def _summary(self) -> str:
        ended = ", ".join(f"{count} {status}" for status, count in self._ended.most_common())
        parts = [f"{self.done} of {len(self._specs)} runs"]
        parts += [ended] if ended else []
        return ", ".join([*parts, f"about {duration(self._seconds_left())} left"])

    def _view(self) -> Group:
        grid = Table.grid(padding=(0, 1))
        bar = ProgressBar(len(self._specs), self.done, width=BAR_WIDTH)
        grid.add_row(bar, Text(self._summary()))
        lines = [
            Text(line, overflow="ellipsis", no_wrap=True, style="dim") for line in self._run_lines()
        ]
        return Group(grid, *lines)

    def _run_lines(self) -> list[str]:
        """Return a line for each of the first runs that are running."""
        running = list(self._running.items())  # a copy, because the display has its own thread
        lines = [f"  {self._name(run)} {state}" for run, state in running[:LISTED_RUNS]]
        more = len(running) - len(lines)
        return [*lines, f"  and {more} more"] if more else lines

    def _name(self, run: str) -> str:
        spec = self._specs[run]
        return f"{spec.task} {name(spec.variant, asdict(BASE))} seed {spec.seed}"
