"""Tests how a cluster that cannot be had ends, with a module of this test in the place of Ray."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from bench.engines import ray_cluster
from bench.engines.contract import EngineError
from bench.engines.ray_cluster import connect


def play_ray(monkeypatch: pytest.MonkeyPatch, init: Callable[..., object]) -> Any:
    """Let this be what `import ray` gives."""
    played = SimpleNamespace(init=init, shutdown=lambda: None)
    monkeypatch.setitem(sys.modules, "ray", played)
    return played


def test_ray_that_never_starts_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it waits for ever for a process of its own that was killed as it started."""
    monkeypatch.setattr(ray_cluster, "ANSWERS_WITHIN", 0.05)
    play_ray(monkeypatch, lambda **_: threading.Event().wait())
    with pytest.raises(EngineError, match=r"cannot be started here \(it did not start within 0.05"):
        connect(None)


@pytest.mark.parametrize("error", [Exception, RuntimeError, ConnectionError, OSError])
def test_whatever_ray_raises_is_a_sentence(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def init(**_: Any) -> None:
        raise error("The current node timed out during startup.\nAnd much more.")

    play_ray(monkeypatch, init)
    with pytest.raises(
        EngineError, match=r"timed out during startup.*give the command again"
    ) as told:
        connect(None)
    assert "\n" not in str(told.value)
    with pytest.raises(EngineError, match=r"no Ray cluster at auto .*ray start --head"):
        connect("auto")


def test_ctrl_c_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = threading.Event.wait

    def stopped(event: threading.Event, timeout: float | None = None) -> bool:
        if timeout == ray_cluster.ANSWERS_WITHIN:
            raise KeyboardInterrupt
        return waited(event, timeout)

    monkeypatch.setattr(threading.Event, "wait", stopped)
    play_ray(monkeypatch, lambda **_: waited(threading.Event()))
    with pytest.raises(KeyboardInterrupt):
        connect(None)


def test_a_cluster_that_starts_is_what_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    played = play_ray(monkeypatch, lambda **options: given.update(options))
    assert connect(None) is played
    assert given["address"] == "local"
    assert not given["log_to_driver"]
