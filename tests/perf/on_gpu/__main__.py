"""Checks and times the suite on a GPU, in at most eight minutes on an H100.

    make peers
    .venv/bin/python -m tests.perf.on_gpu [--keep on_gpu.json] [--minutes 8]
    .venv/bin/python -m tests.perf.on_gpu --device cpu --quick

What each part found is kept as it ends, so the same command goes on where it was stopped; the
tables of docs/speed.md are printed at the end. With --device cpu nothing is shown of GPUs: it is a
dry run. Exit code 1 if a run differs from the CPU's or a part ended in an error, 3 if time ran out.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bench.training.machine import describe
from bench.training.process import prepare_process
from tests.perf.on_gpu import correct, timed
from tests.perf.on_gpu.matrix import matrix
from tests.perf.on_gpu.parts import Asked, Kept, Part, do
from tests.perf.on_gpu.tables import tables

PARTS = (
    Part("cells", correct.cells),
    Part("tasks", correct.tasks),
    Part("replicas", correct.replicas),
    Part("precisions", correct.precisions),
    Part("stacks", timed.stacks),
    Part("joeynmt", timed.joeynmt),
    Part("matrix", matrix),
    Part("layers", timed.layers),
    Part("structures", correct.structures),
)
"""What matters most first, as time may run out."""


def machine_of(device: str) -> dict[str, Any]:
    """Return what the figures depend on: processor or GPU, and torch."""
    known = describe(device)
    return {name: known[name] for name in ("device", "processor", "torch")}


def main(words: list[str] | None = None) -> int:
    """Do the parts that are left, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--keep", type=Path, default=Path("on_gpu.json"))
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--quick", action="store_true", help="one of each kind, small")
    given = parser.parse_args(words)
    if given.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("torch finds no GPU here; --device cpu --quick tries the script itself")
    prepare_process(1)
    kept = Kept(given.keep, machine_of(given.device))
    say = partial(print, file=sys.stderr, flush=True)
    left = do(PARTS, Asked(given.device, given.quick), kept, given.minutes * 60, say)
    print("\n".join(tables(kept.found)))
    if left:
        say(f"no time for: {', '.join(left)}; the same command goes on")
        return 3
    found = kept.found["parts"].values()
    return int(any("error" in part or part.get("wrong") for part in found))


if __name__ == "__main__":
    sys.exit(main())
