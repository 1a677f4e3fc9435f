"""Estimates the time that is left of many runs, from what runs take here and now.

A run's cost is what it was expected to take. How many seconds a unit of cost really takes, on this
machine under this load, is learned from finished runs and from the steps of running ones; later
runs count more, because the load changes.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from typing import NamedTuple

FORGOTTEN = 0.9
"""Weight that what was learned keeps when another run ends."""
UNLEARNED = math.log(2)
"""Standard deviation of the logarithm of costs before any was compared with what a run took."""
PRIOR = 0.25
"""Runs that the expectation weighs as much as, before anything is learned."""
FEWEST_LEARNED = 3
"""Finished runs from which a spread is computed."""


class TimeLeft(NamedTuple):
    """The seconds left, with bounds that hold in about 95 % of cases."""

    least: float
    about: float
    most: float


class Remaining:
    """Keeps how far runs are, and estimates how long the rest takes.

    Times are seconds of any one clock.
    """

    def __init__(self, costs: Mapping[str, float], workers: int) -> None:
        """Begin with runs of which none has started.

        Args:
            costs: The seconds that each run is expected to take, by its id.
            workers: Number of runs that are done at once.
        """
        self._costs = {run: max(cost, 1e-6) for run, cost in costs.items()}
        self._workers = max(workers, 1)
        self._began: dict[str, float] = {}
        self._reached: dict[str, tuple[float, float]] = {}
        self._ended: set[str] = set()
        # what is expected counts as a small part of a run that took as long as expected
        mean = statistics.fmean(self._costs.values()) if self._costs else 1.0
        self._learned_cost = self._learned_seconds = PRIOR * mean
        self._ratios: list[float] = []

    def started(self, run: str, now: float) -> None:
        """Note that a run starts, or starts again."""
        self._began[run] = now
        self._reached[run] = (0.0, now)

    def advanced(self, run: str, share: float, now: float) -> None:
        """Note which share of its steps a run has done."""
        if run in self._began:
            self._reached[run] = (min(max(share, 0.0), 1.0), now)

    def ended(self, run: str, now: float) -> None:
        """Note that a run is done, and learn from what it took."""
        began = self._began.pop(run, None)
        self._reached.pop(run, None)
        self._ended.add(run)
        if began is None or now <= began:
            return
        self._learned_cost = FORGOTTEN * self._learned_cost + self._costs[run]
        self._learned_seconds = FORGOTTEN * self._learned_seconds + (now - began)
        self._ratios.append((now - began) / self._costs[run])

    @property
    def share(self) -> float:
        """Return the share of all work that is done, by expected cost."""
        total = sum(self._costs.values())
        done = sum(self._costs[run] for run in self._ended)
        # a copy, because the display has its own thread
        reached = list(self._reached.items())
        done += sum(self._costs[run] * share for run, (share, _) in reached)
        return done / total if total else 1.0

    def left(self, now: float) -> TimeLeft:
        """Return the seconds left; above 0 and shrinking from moment to moment, until all ended."""
        waiting = self._costs.keys() - self._ended - self._began.keys()
        if not waiting and not self._began:
            return TimeLeft(0.0, 0.0, 0.0)
        ratio = self._ratio()
        running = [self._of_running(run, ratio, now) for run in list(self._began)]
        total = sum(running) + ratio * sum(self._costs[run] for run in waiting)
        about = max(total / min(self._workers, len(waiting) + len(running)), *running, 0.0)
        factor = math.exp(self._spread(len(waiting) + len(running)))
        return TimeLeft(about / factor, about, about * factor)

    def _ratio(self) -> float:
        """Return the seconds that a unit of cost takes."""
        cost, seconds = self._learned_cost, self._learned_seconds
        for run, (share, at) in list(self._reached.items()):
            began = self._began.get(run, at)
            cost += share * self._costs[run]
            seconds += (at - began) * (share > 0)
        return seconds / cost

    def _of_running(self, run: str, ratio: float, now: float) -> float:
        """Return the seconds left of a run: what was left at its last news, less and less."""
        share, at = self._reached.get(run, (0.0, now))
        # never all of it: until news comes that it has ended, it has not
        expected = max(1 - share, 0.02) * self._costs[run] * ratio
        return expected * math.exp(-max(now - at, 0.0) / expected)

    def _spread(self, runs: int) -> float:
        """Return twice the standard deviation of the logarithm of the time left."""
        if len(self._ratios) < FEWEST_LEARNED:
            return UNLEARNED
        logarithms = [math.log(ratio) for ratio in self._ratios]
        deviation = statistics.stdev(logarithms)
        return 2 * deviation * math.sqrt(1 / len(logarithms) + 1 / max(runs, 1))
