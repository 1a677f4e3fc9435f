"""Shows on a terminal how far runs are that another process does."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bench.api.live.following import LATEST, LOOKED_EVERY, Follower, RunDone, RunUnderWay, Sight
from bench.cli.shared import plural
from bench.cli.terminal.busy import BAR_WIDTH, LINE_INTERVAL, LISTED_RUNS, left_text
from results import metrics

LEAVING = "Ctrl-C ends the watching and leaves the runs alone"


def follow(folder: Path, console: Console) -> None:
    """Show how far the runs of a store are until they are done, no driver is left, or Ctrl-C.

    On a terminal the display is replaced in place; elsewhere lines are printed now and then.

    Raises:
        StoreError: There is no store, or it cannot be read.
    """
    follower = Follower(folder)
    live = Live(console=console, auto_refresh=False)
    told = 0.0
    sight = follower.look(time.time())
    try:
        if console.is_terminal:
            live.start()
        while sight.active:
            if console.is_terminal:
                live.update(_view(sight), refresh=True)
            elif time.monotonic() - told >= LINE_INTERVAL:
                told = time.monotonic()
                for line in _lines(sight):
                    console.print(line, soft_wrap=True)
            time.sleep(LOOKED_EVERY)
            sight = follower.look(time.time())
    except KeyboardInterrupt:
        if console.is_terminal:
            live.update(Text(""), refresh=True)
        console.print("no longer watched; the runs go on")
        return
    finally:
        live.stop()
    for line in _lines(sight):
        console.print(line, soft_wrap=True)
    console.print(_end(sight), soft_wrap=True)


def _end(sight: Sight) -> str:
    """Say why there is nothing more to watch."""
    to_do = sight.planned - len(sight.done)
    if not to_do:
        return "all runs are done"
    left = plural(to_do, "run")
    return f"no driver is at work; {left} to do: the command that began them goes on"


def _view(sight: Sight) -> Group:
    """Return a bar with the summary, then the runs that are done now, then the latest."""
    summary, *rest = _lines(sight)
    grid = Table.grid(padding=(0, 1))
    grid.add_row(ProgressBar(max(sight.planned, 1), len(sight.done), width=BAR_WIDTH), summary)
    shown = [Text(line, overflow="ellipsis", no_wrap=True) for line in rest]
    return Group(grid, *shown, Text(LEAVING, style="dim"))


def _lines(sight: Sight) -> list[str]:
    """Return what there is to say as lines, the summary first."""
    counts = ", ".join(f"{count} {status}" for status, count in sight.statuses.most_common())
    lines = [f"{len(sight.done):,} of {sight.planned:,} runs" + (f", {counts}" if counts else "")]
    if sight.active:
        lines.append(_pace(sight))
        if sight.running:
            lines.append("running:")
            lines += map(_running_line, sight.running[:LISTED_RUNS])
        if (more := len(sight.running) - LISTED_RUNS) > 0:
            lines.append(f"  and {more} more")
    if sight.done:
        lines.append("latest:")
        lines += map(_done_line, sight.done[:LATEST])
    return lines


def _pace(sight: Sight) -> str:
    """Return how many are running and waiting, how fast they end, and the time left."""
    parts = [f"{len(sight.running):,} running, {sight.waiting:,} waiting"]
    if sight.per_minute is not None:
        parts.append(f"{metrics.short(float(f'{sight.per_minute:.2g}'))} runs a minute")
    if sight.left is not None:
        parts.append(left_text(sight.left))
    return ", ".join(parts)


def _running_line(run: RunUnderWay) -> str:
    if run.last is None:
        return f"  {_name(run)} has begun"
    steps = f" of {run.steps:,}" if run.steps else ""
    loss = "not finite" if run.last["loss"] is None else f"{run.last['loss']:.3f}"
    return f"  {_name(run)} step {run.last['step']:,}{steps}, loss {loss}"


def _done_line(run: RunDone) -> str:
    outcome = run.record.outcome
    if run.score is None:
        return f"  {_name(run)} {run.record.status}"
    metric = metrics.score(str(outcome.get("metric")))
    return f"  {_name(run)} {run.record.status}, {metric.title} {metric.write(run.score)}"


def _name(run: RunDone | RunUnderWay) -> str:
    planned = run.planned
    return f"{planned.task} {planned.variant} seed {planned.seed}"
