"""Measures what watching costs: `python -m tests.perf.watch_cost`, when nothing else runs.

Scripts of two styles run with and without a watch, in turns, each time for the same number of
steps and in a process of its own. Printed are the medians of the seconds per step, and their
quotient: over all steps, and over the first ones, nearly all of which are recorded. What comes
after the last step (judging) is given beside it. A watch may cost twice the time of the steps.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import runpy
import statistics
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.wild.scripts import scripts

STYLES = ("number_words", "date_notebook")
FIRST = 10
"""Steps that are measured apart: most of them are recorded."""
MOST = 2.0
"""Times that steps may take under a watch."""


class DoneError(Exception):
    """Ends a script after its steps."""


def main() -> int:
    """Measure all styles; return 1 if a watch costs more than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{'script':<16}{'steps':>7}{'alone':>10}{'watched':>10}{'times':>7}{'judging':>10}")
    dearest = 0.0
    for style in STYLES:
        (text,) = [s.text for s in scripts("building") if s.title == f"{style}/train"]
        runs: dict[bool, list[tuple[list[float], float]]] = {False: [], True: []}
        for _ in range(options.rounds):
            for watched in (False, True):
                runs[watched].append(_in_a_process(text, watched, options.steps))
        for steps in (FIRST, options.steps):
            alone, watching = (_per_step(runs[watched], steps) for watched in (False, True))
            judging = statistics.median(after for _, after in runs[True])
            dearest = max(dearest, watching / alone) if steps == options.steps else dearest
            print(
                f"{style:<16}{steps:>7}{alone * 1e3:>7.1f} ms{watching * 1e3:>7.1f} ms"
                f"{watching / alone:>7.2f}{judging:>8.1f} s",
                flush=True,
            )
    return int(dearest > MOST)


def _per_step(runs: list[tuple[list[float], float]], steps: int) -> float:
    """Return the median over runs of the seconds per step, from the second step on."""
    return statistics.median((times[steps - 1] - times[0]) / (steps - 1) for times, _ in runs)


def _in_a_process(text: str, watched: bool, steps: int) -> tuple[list[float], float]:
    """Run a script in a new process; return when each step ended, and the seconds of judging."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(text, watched, steps, there))
    process.start()
    times, judging = here.recv()
    process.join()
    return times, judging


def _run(text: str, watched: bool, steps: int, answer: Connection) -> None:
    import torch
    from torch.optim.optimizer import register_optimizer_step_post_hook

    from bench.watching.watch import Watch

    torch.set_num_threads(1)
    times: list[float] = []

    def note(*_: Any) -> None:
        times.append(time.perf_counter())
        if len(times) >= steps:
            raise DoneError

    register_optimizer_step_post_hook(note)
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.suppress(DoneError),
        Watch() if watched else contextlib.nullcontext(),
    ):
        path = Path(folder) / "train.py"
        path.write_text(text, "utf-8")
        sys.argv = [str(path), "0"]
        runpy.run_path(str(path), run_name="__main__")
    answer.send((times, time.perf_counter() - times[-1]))


if __name__ == "__main__":
    sys.exit(main())
