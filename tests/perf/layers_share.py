"""Prints what `bench run --layers` costs: `python -m tests.perf.layers_share`.

CPU time, as a share of that of the training steps; evaluations are as near to each other as they
are recorded at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from unittest import mock

from bench import runner
from bench.doctor import inside
from bench.specs import Budget, make
from bench.training import layers, loop
from bench.training.process import prepare_process
from tasks import build
from variants.axes import parse

CASES = (
    ("reversal", "base", 200),
    ("reversal", "cell=lstm,attention=additive", 200),
    ("keyphrase", "base", 100),
)
"""Task, variant and steps of each run."""


class Stopwatch:
    """Adds up the CPU time of the functions that it wraps."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, timed."""

        def within(*given: Any, **named: Any) -> Any:
            began = time.process_time()
            try:
                return function(*given, **named)
            finally:
                self.seconds += time.process_time() - began

        return within


def share(task: str, variant: str, steps: int) -> float:
    """Return the time of recording over that of training steps in one run."""
    recording, training = Stopwatch(), Stopwatch()
    budget = Budget(steps=steps, every=layers.RECORDED_APART, stop="budget")
    spec = make(task, build(task).digest(), asdict(parse(variant)), budget, 0, "cpu")
    with (
        mock.patch.object(runner, "layer_figures", recording.timed(inside.layer_figures)),
        mock.patch.object(loop, "parameter_figures", recording.timed(layers.parameter_figures)),
        mock.patch.object(loop, "_timed_steps", training.timed(loop._timed_steps)),
    ):
        runner.execute(spec, None, lambda point, clock: None, layers=True)
    return recording.seconds / training.seconds


if __name__ == "__main__":
    prepare_process(1)
    for case in CASES:
        print(f"{case[0]}  {case[1]}  {case[2]} steps: {share(*case):.1%}", flush=True)
