"""Proves what must hold of any schedule of the simulated cluster."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.perf.simulated_cluster import Cluster, makespan

LENGTHS = st.lists(st.floats(0.1, 500), min_size=1, max_size=60)
IDEAL = Cluster(1, 0.0, start=0.0, rate=1e9)


def span(lengths: list[float], cluster: Cluster, seed: int = 0) -> float:
    return makespan(lengths, cluster, np.random.default_rng(seed))


@given(lengths=LENGTHS, nodes=st.integers(1, 20))
def test_without_failures_it_is_between_the_bounds(lengths: list[float], nodes: int) -> None:
    """Graham 1969: longest first takes at most 4/3 of the best schedule."""
    found = span(lengths, replace(IDEAL, nodes=nodes))
    best_at_least = max(max(lengths), sum(lengths) / nodes)
    assert found >= best_at_least * (1 - 1e-6)
    assert found <= (sum(lengths) / nodes + max(lengths)) * (1 + 1e-6)
    if nodes == 1:
        assert found == pytest.approx(sum(lengths))


@given(lengths=LENGTHS, nodes=st.integers(1, 20), seed=st.integers(0, 99))
def test_failures_and_starts_only_cost(lengths: list[float], nodes: int, seed: int) -> None:
    calm = span(lengths, replace(IDEAL, nodes=nodes))
    assert span(lengths, replace(IDEAL, nodes=nodes, start=5.0)) >= calm * (1 - 1e-6)
    failing = replace(IDEAL, nodes=1, failures=20.0)
    assert span(lengths, failing, seed) >= sum(lengths) * (1 - 1e-6)


def test_what_was_kept_is_not_done_again() -> None:
    """A node that fails for certain: without checkpoints a long run hardly ever ends."""
    kept = replace(IDEAL, failures=30.0, checkpoint=10.0, back=0.0)
    never = replace(kept, checkpoint=1e9)
    spans = [[span([600.0], one, seed) for seed in range(40)] for one in (kept, never)]
    assert np.median(spans[0]) < 0.3 * np.median(spans[1])


def test_the_driver_hands_over_so_many_a_second() -> None:
    found = span([0.001] * 100, replace(IDEAL, nodes=100, rate=10.0))
    assert found == pytest.approx(10.0, rel=0.02)
