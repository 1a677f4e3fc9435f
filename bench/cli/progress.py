"""Live progress: a bar on a terminal, plain lines elsewhere."""

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

LINES_EVERY = 10.0
"""Seconds between lines where there is no terminal."""
SHOWN = 8
"""Runs that are listed while they run: of replicas many do at once."""


def duration(seconds: float) -> str:
    """`45 s`, `12 min` or `3.4 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Progress:
    """Counts runs and the time left. A context: shows while it is entered."""

    def __init__(
        self,
        specs: Mapping[str, RunSpec],
        cost: Callable[[RunSpec], float],
        workers: int,
        console: Console,
    ) -> None:
        self._specs = specs
        self._cost = {run: cost(spec) for run, spec in specs.items()}
        self._total = sum(self._cost.values())
        self._workers = workers
        self._console = console
        self._began = time.monotonic()
        self._last_line = self._began
        self._running: dict[str, str] = {}
        self._ended: Counter[str] = Counter()
        self._spent = 0.0
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
        """Runs that ended."""
        return self._ended.total()

    def waits(self) -> None:
        """The store's disk is full."""
        self._console.print(
            "the store's disk is full; free some space: the runs wait for it, up to an hour",
            style="yellow",
        )

    def heard(self, event: Event) -> None:
        """An event of the engine."""
        if event.kind == "started":
            self._running[event.id] = ""
        elif event.kind == "point":
            point = event.value["point"]
            loss = point["loss"]
            shown = "not finite" if loss is None else f"{loss:.3f}"
            self._running[event.id] = f"step {point['step']}, loss {shown}"
        elif event.kind == "finished":
            self._running.pop(event.id, None)
            self._ended[event.value["outcome"]["status"]] += 1
            self._spent += self._cost[event.id]
        elif event.kind == "lost":
            self._running.pop(event.id, None)
            self._console.print(
                f"the process of {self._name(event.id)} died ({event.value['reason']}); "
                "the run starts again",
                style="yellow",
            )
        if not self._console.is_terminal and self._due():
            self._console.print(self._summary(), soft_wrap=True)
            for line in self._lines():
                self._console.print(line, soft_wrap=True)

    def _due(self) -> bool:
        now = time.monotonic()
        if now - self._last_line < LINES_EVERY:
            return False
        self._last_line = now
        return True

    def _left(self) -> float | None:
        """Seconds left, once some are done."""
        elapsed = time.monotonic() - self._began
        if not self._spent:
            return self._total / self._workers
        return elapsed * (self._total - self._spent) / self._spent

    def _summary(self) -> str:
        ended = ", ".join(f"{count} {status}" for status, count in self._ended.most_common())
        left = self._left()
        parts = [f"{self.done} of {len(self._specs)} runs"]
        parts += [ended] if ended else []
        parts += [f"about {duration(left)} left"] if left is not None else []
        return ", ".join(parts)

    def _view(self) -> Group:
        grid = Table.grid(padding=(0, 1))
        grid.add_row(ProgressBar(len(self._specs), self.done, width=24), Text(self._summary()))
        rows = [
            Text(line, overflow="ellipsis", no_wrap=True, style="dim") for line in self._lines()
        ]
        return Group(grid, *rows)

    def _lines(self) -> list[str]:
        """What is running, the first of it."""
        running = list(self._running.items())  # the display has its own thread
        shown = [f"  {self._name(run)} {state}" for run, state in running[:SHOWN]]
        more = len(running) - len(shown)
        return [*shown, f"  and {more} more"] if more else shown

    def _name(self, run: str) -> str:
        spec = self._specs[run]
        return f"{spec.task} {name(spec.variant, asdict(BASE))} seed {spec.seed}"
