"""Proves what surrounds a CUDA graph, on a stand-in that does its recorded work anew at each
replay: a recording a shape, inputs copied into its own, results safe from the next replay. No GPU
is needed, and none is tried."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.training.cuda_graphs import WARM_UPS, Recorded


class Work:
    """Doubles, and counts its calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.given: tuple[Tensor, ...] = ()
        self.results: tuple[Tensor, ...] = ()

    def __call__(self, *given: Tensor) -> tuple[Tensor, ...]:
        self.calls += 1
        self.given = given
        self.results = tuple(2 * tensor for tensor in given)
        return self.results


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    work = Work()

    class Graph:
        def recorded(self) -> None:
            self.given, self.results = work.given, work.results

        def replay(self) -> None:
            for result, tensor in zip(self.results, self.given, strict=True):
                result.copy_(2 * tensor)

    @contextmanager
    def recording(graph: Graph, pool: Any) -> Iterator[None]:
        yield
        graph.recorded()

    stream = SimpleNamespace(wait_stream=lambda other: None)
    for name, value in {
        "current_stream": lambda: stream,
        "Stream": lambda: stream,
        "stream": lambda _: nullcontext(),
        "CUDAGraph": Graph,
        "graph": recording,
        "graph_pool_handle": lambda: (0, 0),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    for name in ("cuda", "pin_memory"):
        monkeypatch.setattr(torch.Tensor, name, torch.Tensor.clone)
    return work


def test_each_shape_is_recorded_once_and_replayed_on_what_is_given(work: Work) -> None:
    recorded = Recorded(work, "cuda")
    for value in (1.0, 5.0, 7.0):
        (result,) = recorded([torch.full((3,), value)])
        assert result.tolist() == [2 * value] * 3
    assert work.calls == WARM_UPS + 1
    assert recorded([torch.ones(2)])[0].tolist() == [2.0, 2.0]
    assert work.calls == 2 * (WARM_UPS + 1)
    assert recorded([torch.ones(3)])[0].tolist() == [2.0] * 3
    assert work.calls == 2 * (WARM_UPS + 1)


def test_results_outlive_the_next_replay(work: Work) -> None:
    recorded = Recorded(work, "cuda")
    (first,) = recorded([torch.ones(2)])
    recorded([torch.zeros(2)])
    assert first.tolist() == [2.0, 2.0]


def test_on_the_cpu_the_work_is_done(work: Work) -> None:
    recorded = Recorded(work, "cpu")
    assert recorded([torch.ones(1)])[0].tolist() == [2.0]
    assert recorded([torch.ones(1)])[0].tolist() == [2.0]
    assert work.calls == 2
