"""Proves that a node unpacks what it is sent once, and nothing outside its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.engines import ray_node


def files(**contents: bytes) -> dict[str, Any]:
    return {name: np.frombuffer(content, dtype=np.uint8) for name, content in contents.items()}


def test_what_is_sent_is_written_once(tmp_path: Path) -> None:
    sent = files(one=b"1", two=b"") | {"deep/er/three": np.frombuffer(b"3", dtype=np.uint8)}
    folder = ray_node.unpacked(sent, tmp_path)
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert found == {"one": b"1", "two": b"", "deep/er/three": b"3"}
    before = folder.stat().st_mtime_ns
    assert ray_node.unpacked(sent, tmp_path) == folder
    assert folder.stat().st_mtime_ns == before
    assert ray_node.unpacked(files(one=b"2"), tmp_path) != folder
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", ["../out", "/tmp/out", "a/../../out", ""])
def test_what_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with pytest.raises(ValueError, match="leads out of the folder"):
        ray_node.unpacked({name: np.frombuffer(b"1", dtype=np.uint8)}, scratch)
    assert list(scratch.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["scratch"]
