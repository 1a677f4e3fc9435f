"""Chooses the library of large matrix products on the CPU by one short measurement, kept for later.

Which of torch's two libraries is faster depends on the processor: on some AMD EPYC oneDNN reaches
twice the rate of the usual one, on others and on Intel's the same or less. Products differ in their
last bits between the two, so a machine measures once and keeps what it found in a file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch

from bench.training import machine
from variants.fast import matmul

MEASURED = ((64, 128, 128), (64, 256, 256), (256, 256, 256), (512, 512, 512))
"""Rows, inner size and columns of the products that are timed, smallest first."""
TAKEN = 7
"""Number of times that each of them is timed by each library, in turns."""
FASTER = 1.1
"""Times as fast that oneDNN must be, as the two libraries are often about equal."""


def choose_library() -> None:
    """Let products of this process go to the library that is faster on this machine."""
    matmul.use_onednn_from(_kept())


@cache
def _kept() -> int | None:
    """Return from how many multiplications on oneDNN is faster; None if it never is.

    As kept in the user's cache folder, or as measured now and then kept.
    """
    about = f"{machine.processor()} {torch.__version__} {torch.get_num_threads()}"
    digest = hashlib.blake2b(about.encode(), digest_size=8).hexdigest()
    with contextlib.suppress(OSError, RuntimeError):  # no home folder, or none to write to
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return _kept_in(caches / "seq2seq-bench" / f"products-{digest}.json")
    return measured()


def _kept_in(file: Path) -> int | None:
    """Return what the file says; if there is none, measure, and keep that unless another did."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps({"onednn_from": measured()}), encoding="utf-8")
        # of processes that measure at the same time the first decides
        with contextlib.suppress(FileExistsError):
            os.link(part, file)
        part.unlink()
    try:
        found = json.loads(file.read_text(encoding="utf-8"))["onednn_from"]
    except (ValueError, KeyError, TypeError):  # damaged
        file.unlink(missing_ok=True)
        return measured()
    return found if isinstance(found, int) else None


def measured() -> int | None:
    """Return the multiplications of the smallest product from which on oneDNN is faster.

    None if it is not for the largest, or not there at all.
    """
    if not matmul.has_onednn():
        return None
    smallest = None
    for rows, inner, columns in reversed(MEASURED):
        left, right = torch.ones(rows, inner), torch.ones(columns, inner)
        usual, onednn = _fastest(
            lambda: matmul.usual_product(left, right),  # noqa: B023 - called before the next shape
            lambda: matmul.onednn_product(left, right),  # noqa: B023
        )
        if usual < FASTER * onednn:
            break
        smallest = math.prod((rows, inner, columns))
    return smallest


def _fastest(*calls: Callable[[], object]) -> list[float]:
    """Return the least CPU seconds of each call, which take turns: others may use the machine."""
    best = [math.inf] * len(calls)
    for _ in range(TAKEN):
        for place, call in enumerate(calls):
            began = time.process_time()
            call()
            best[place] = min(best[place], time.process_time() - began)
    return best
