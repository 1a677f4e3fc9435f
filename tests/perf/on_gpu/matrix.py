"""Runs a small matrix on a device as a user would."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from typing import Any

from bench.cli import app
from tests.perf.on_gpu.parts import Asked


def matrix(asked: Asked) -> dict[str, Any]:
    """Run two cells with and without attention on reversal, and return the rows of the table."""
    seeds, budget = ("1", "20steps") if asked.quick else ("8", "1000steps")
    with tempfile.TemporaryDirectory() as folder:
        for command in (
            f"run --task reversal --vary cell=gru,lstm --vary attention=none,dot --grid "
            f"--seeds {seeds} --budget {budget} --device {asked.device}",
            "table --json",
        ):
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                code = app.main([*command.split(), "--store", f"{folder}/store"])
            if code:
                raise RuntimeError(f"bench {command}: exit code {code}")
    return {"rows": json.loads(said.getvalue())["rows"]}
