"""Proves that runs on Ray come out to the bit as they do locally, though nodes die, join late or
cannot do their work meanwhile."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.engines import ray_cluster, ray_engine
from bench.engines.contract import EngineError, Event
from bench.specs import Budget

pytest.importorskip("ray")
from tests.bench.engines.on_ray import LONG, Nodes, all_of, calm, spec

pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_node_killed_and_one_that_joins_late(nodes: Nodes, tmp_path: Path) -> None:
    """For a while there is none at all."""
    (first,) = nodes.exactly(1)
    specs = [spec(0, LONG), spec(1)]
    engine = nodes.engine(tmp_path)
    left: list[float] = []

    def at(event: Event) -> None:
        if event.kind == "point" and not left:
            nodes.cluster.remove_node(first, allow_graceful=False)
            left.append(time.monotonic())
        if event.kind == "idle" and len(left) == 1 and time.monotonic() - left[0] > 2:
            nodes.add_plain()
            left.append(0.0)

    ended, events = all_of(engine, specs, at)
    assert [event.value["reason"] for event in events if event.kind == "lost"] == ["its node died"]
    assert ended == calm(specs)


def test_what_waits_for_a_node_that_went_is_done_on_another(nodes: Nodes, tmp_path: Path) -> None:
    """A budget in seconds asks for a whole node, of those there are."""
    nodes.exactly(1)
    large = nodes.add(num_cpus=2)
    timed = replace(spec(0), budget=Budget(seconds=2.0, batch=32, every=10, stop="budget"))
    specs = [timed, *(spec(seed) for seed in range(1, 4))]
    gone: list[Event] = []

    def at(event: Event) -> None:
        if event.kind == "started" and event.id == timed.id and not gone:
            nodes.cluster.remove_node(large, allow_graceful=False)
            gone.append(event)

    ended, _ = all_of(nodes.engine(tmp_path), specs, at)
    assert "failed" not in {one["status"] for one in ended.values()}
    assert len(ended) == 4


def test_what_waits_for_a_node_that_went_is_done_on_one_that_was_barred(
    nodes: Nodes, tmp_path: Path
) -> None:
    """Ray holds a task to the nodes that it was submitted for."""
    (unable,), dead = nodes.exactly(1), nodes.add()
    engine = nodes.engine(tmp_path)
    # Ray takes some seconds to see that a node has died
    nodes.cluster.remove_node(dead, allow_graceful=False)
    until = time.monotonic() + 3.0
    cluster_view = engine._cluster
    cluster_view._exclusions[unable.node_id] = ray_cluster.Exclusion(until, 1, "its disk was full")
    cluster_view.expire()
    ended, _ = all_of(engine, [spec(0)])
    assert ended == calm([spec(0)])


def test_a_node_that_cannot_do_its_work_loses_no_run(
    nodes: Nodes, unable: dict[str, str], tmp_path: Path
) -> None:
    """It is alone until it has said so: beside another, Ray may give that one all there is."""
    nodes.exactly(0)
    nodes.add(env_vars=unable)
    specs = [spec(0, LONG), *(spec(seed) for seed in range(1, 5))]
    engine = nodes.engine(tmp_path)
    joined: list[Any] = []

    def at(event: Event) -> None:
        if engine.state()["retried"] and not joined:
            joined.append(nodes.add_plain())

    ended, _ = all_of(engine, specs, at)
    assert ended == calm(specs)
    # neither for ever, nor over and over while the other is at work, which may begin late
    assert 1 <= engine.state()["retried"] <= 10


def test_where_no_node_can_do_its_work_the_reason_is_said(
    nodes: Nodes,
    unable: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nodes.exactly(0)
    nodes.add(env_vars=unable)
    monkeypatch.setattr(ray_engine, "NO_ROOM_FOR", 2.0)
    with pytest.raises(EngineError, match=r"no node .* can do its work; .* File exists"):
        all_of(nodes.engine(tmp_path), [spec(0)])
