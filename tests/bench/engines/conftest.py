"""Gives the tests of Ray the nodes of one cluster, which all of them share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.bench.engines.on_ray import Nodes


@pytest.fixture(scope="session")
def kept_nodes() -> Iterator[Nodes]:
    """Start Ray's cluster once in a run of the tests, and end it with the run."""
    import ray

    from tests.bench.engines.on_ray import Nodes, start_cluster

    cluster = start_cluster()
    yield Nodes(cluster)
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def nodes(kept_nodes: Nodes) -> Iterator[Nodes]:
    yield kept_nodes
    kept_nodes.tidy()


@pytest.fixture
def unable(tmp_path: Path) -> dict[str, str]:
    """The environment of a node that cannot write where it has to, as one whose disk is full."""
    folder = tmp_path / "no-folder"
    folder.mkdir()
    (folder / f"seq2seq-bench-{os.getuid()}").touch()
    return {"TMPDIR": str(folder)}
