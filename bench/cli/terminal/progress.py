"""Shows the progress of runs: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bench.cli.terminal.busy import BAR_WIDTH, LINE_INTERVAL, LISTED_RUNS, left_text
from bench.engines.contract import Event
from bench.plan.estimate import share_done
from bench.plan.remaining import Remaining
from bench.specs import RunSpec
from results.naming import name
from variants import BASE


class Progress:
    """Counts steps and finished runs, and estimates the time left.

    Use it as a context: on a terminal the bar shows while the context is entered.
    """

    interval = LINE_INTERVAL
    """Seconds between two tellings where there is no terminal."""

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
        costs = {run: cost(spec) for run, spec in specs.items()}
        self._remaining = Remaining(costs, workers)
        self._console = console
        self._last_line = time.monotonic()
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
        now = time.monotonic()
        if event.kind == "started":
            self._running[event.id] = ""
            self._remaining.started(event.id, now)
        elif event.kind == "point":
            point = event.value["point"]
            loss = point["loss"]
            text = "not finite" if loss is None else f"{loss:.3f}"
            self._running[event.id] = f"{self._steps(event.id, point)}, loss {text}"
            self._remaining.advanced(event.id, share_done(self._specs[event.id], point), now)
        elif event.kind == "finished":
            self._running.pop(event.id, None)
            self._ended[event.value["outcome"]["status"]] += 1
            self._remaining.ended(event.id, now)
        elif event.kind == "lost":
            self._running.pop(event.id, None)
            self._console.print(
                f"the process of {self._name(event.id)} died ({event.value['reason']}); "
                "the run starts again",
                style="yellow",
            )
        if not self._console.is_terminal and self._is_due():
            self._tell()

    def _tell(self) -> None:
        """Print where things stand, where no terminal shows it all the time."""
        self._console.print(self._summary(), soft_wrap=True)
        for line in self._run_lines():
            self._console.print(line, soft_wrap=True)

    def _is_due(self) -> bool:
        """Return whether the interval has passed since the last telling, and begin anew if so."""
        now = time.monotonic()
        if now - self._last_line < self.interval:
            return False
        self._last_line = now
        return True

    def _steps(self, run: str, point: Mapping[str, Any]) -> str:
        """Return the step that a run has reached, and of how many where that is known."""
        steps = self._specs[run].budget.steps
        return f"step {point['step']:,}" + (f" of {steps:,}" if steps else "")

    def _summary(self) -> str:
        ended = ", ".join(f"{count} {status}" for status, count in self._ended.most_common())
        parts = [f"{self.done} of {len(self._specs)} runs"]
        parts += [ended] if ended else []
        left = self._remaining.left(time.monotonic())
        return ", ".join([*parts, f"{self._remaining.share:.0%} of the work", left_text(left)])

    def _view(self) -> Group:
        grid = Table.grid(padding=(0, 1))
        bar = ProgressBar(1.0, self._remaining.share, width=BAR_WIDTH)
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
