"""Proves that the time left is learned, shrinks from moment to moment and never ends early."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.plan.remaining import Remaining


def simulated(costs: list[float], slower: float, workers: int, share_every: int) -> list[float]:
    """Run runs that take `slower` times their cost; return ratios of estimates to the truth.

    share_every: seconds between two news of a run.
    """
    remaining = Remaining({str(n): cost for n, cost in enumerate(costs)}, workers)
    waiting, running, now, seen = list(range(len(costs))), dict[int, float](), 0.0, []
    total = sum(costs) * slower / workers
    while waiting or running:
        while waiting and len(running) < workers:
            running[waiting[0]] = now
            remaining.started(str(waiting.pop(0)), now)
        now += 1.0
        for run, began in list(running.items()):
            share = (now - began) / (slower * costs[run])
            if share >= 1:
                remaining.ended(str(run), now)
                del running[run]
            elif int(now - began) % share_every == 0:
                remaining.advanced(str(run), share, now)
        if 0.5 * total < now < 0.9 * total:
            seen.append(remaining.left(now).about / (total - now))
    assert remaining.left(now) == (0, 0, 0)
    assert remaining.share == pytest.approx(1)
    return seen


@pytest.mark.parametrize("slower", [0.2, 1.0, 8.0])
@pytest.mark.parametrize("workers", [1, 2])
def test_what_runs_take_here_is_learned(slower: float, workers: int) -> None:
    ratios = simulated([50.0] * 12, slower, workers, share_every=5)
    assert ratios
    assert 0.6 < min(ratios) <= max(ratios) < 1.7


def test_one_long_run_is_learned_from_its_steps() -> None:
    """The first run alone, of which nothing has ended, is known to be ten times slower."""
    remaining = Remaining({"a": 10.0}, 1)
    remaining.started("a", 0.0)
    assert remaining.left(0.0).about == pytest.approx(10.0)
    for now in range(1, 51):
        remaining.advanced("a", now / 100, float(now))
    assert 25 < remaining.left(50.0).about < 60


@given(
    st.lists(st.floats(0.1, 100), min_size=1, max_size=8),
    st.lists(st.floats(0.01, 50), min_size=1, max_size=20),
)
def test_it_shrinks_without_news_and_stays_above_zero(
    costs: list[float], pauses: list[float]
) -> None:
    remaining = Remaining({str(n): cost for n, cost in enumerate(costs)}, 2)
    remaining.started("0", 0.0)
    remaining.advanced("0", 0.3, 1.0)
    now, before = 1.0, remaining.left(1.0).about
    for pause in pauses:
        now += pause
        left = remaining.left(now)
        assert 0 <= left.least <= left.about <= left.most
        assert left.about <= before
        before = left.about


def test_the_bounds_narrow_as_runs_end() -> None:
    remaining = Remaining({str(n): 10.0 for n in range(40)}, 1)
    widths = []
    for n in range(20):
        remaining.started(str(n), 12.0 * n)
        remaining.ended(str(n), 12.0 * n + (11.0 if n % 2 else 12.0))
        left = remaining.left(12.0 * (n + 1))
        widths.append(left.most / left.least)
    assert widths[0] == pytest.approx(4.0)  # a factor of two to either side, by rule of thumb
    assert widths[-1] < 1.2
    # a run that starts again counts from its new start
    remaining.started("20", 300.0)
    remaining.advanced("20", 0.9, 310.0)
    remaining.started("20", 320.0)
    assert remaining.share == pytest.approx(0.5)
