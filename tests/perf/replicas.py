"""What replicas save on the CPU: calls and CPU time of a training step, per model.

python -m tests.perf.replicas [--replicas 8] [--batch 64,16] [--rounds 5] [VARIANT ...]

Hidden and embedding size 64, 101 symbols, S 10, T 11, one thread. A model by itself and a stack
take turns, and the least CPU time of each counts, so that others may use the machine meanwhile.
Calls are operations that torch dispatches below autograd.
"""

from __future__ import annotations

import argparse
import time

from bench.guard.counts import count_work
from bench.speed.cases import Case, Shape, build_case, random_workload
from bench.training.process import prepare_process
from variants.axes import parse

VARIANTS = (
    "cell=gru,attention=dot,decoder_input=output+context",
    "cell=gru,attention=additive,attention_order=before,decoder_input=output+context",
    "cell=lstm,direction=bidirectional,attention=general,input_feeding=on,bridge=zero",
)
SIZES = ",hidden=64,embedding=64,optimizer=adam"
STEPS = 16
"""Steps of one model in a round; a stack takes as many as come to the same number of steps."""


def cpu_seconds(case: Case) -> float:
    """Return the CPU seconds of a step, per model."""
    steps = max(STEPS // case.count, 1)
    began = time.process_time()
    for _ in range(steps):
        case.once()
    return (time.process_time() - began) / steps / case.count


def main() -> None:
    """Print a line for each variant and batch size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("variants", nargs="*", default=VARIANTS)
    parser.add_argument("--replicas", type=int, default=8)
    parser.add_argument("--batch", default="64,16")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    prepare_process(1)
    for text in given.variants:
        for batch in map(int, given.batch.split(",")):
            workload = random_workload(Shape(batch, 10, 11, 101), "cpu")
            cases = [
                build_case(text, parse(text + SIZES), workload, "training", "cpu", None, count)
                for count in (0, given.replicas)
            ]
            calls = [(count_work(case)["operations"] or 0) // case.count for case in cases]
            rounds = [[cpu_seconds(case) for case in cases] for _ in range(given.rounds)]
            alone, together = (min(column) * 1e3 for column in zip(*rounds, strict=True))
            print(
                f"{text}, batch {batch}: {calls[0]} calls and {alone:.1f} ms alone, "
                f"{calls[1]} and {together:.1f} of {given.replicas}: {alone / together:.2f} times"
            )


if __name__ == "__main__":
    main()
