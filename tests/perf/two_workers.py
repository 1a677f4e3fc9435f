"""Do two local workers get done what two independent processes do?

.venv/bin/python -m tests.perf.two_workers [--rounds 5]

In turns: one `bench run` with two workers on eight runs, and two `bench run` with one worker each
on four of the same runs, at the same time in stores of their own. Start and end are timed in both.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results.stats.median import median_interval

RUNS = 8
ASKED = ["--task", "reversal", "--base", "cell=lstm", "--budget"]


def seconds(*commands: list[str]) -> float:
    """Until all of these, started together, have ended."""
    since = time.perf_counter()
    started = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    codes = [process.wait() for process in started]
    if any(codes):
        raise SystemExit(f"a run ended with {codes}; run the command by hand to see why")
    return time.perf_counter() - since


def command(store: Path, workers: int, runs: int, budget: str = "400steps") -> list[str]:
    """A run of `runs` seeds in a fresh store."""
    return [
        *(sys.executable, "-m", "bench", "run", *ASKED, budget),
        *("--seeds", str(runs), "--workers", str(workers), "--store", str(store)),
    ]


def main() -> None:
    """Print each round, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    ratios = []
    for number in range(parser.parse_args().rounds):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            together = seconds(command(home / "both", 2, RUNS))
            apart = seconds(*(command(home / side, 1, RUNS // 2) for side in ("left", "right")))
        ratios.append(apart / together)
        print(
            f"round {number + 1}: two workers {together:.1f} s, two processes {apart:.1f} s, "
            f"{ratios[-1]:.3f} of their rate"
        )
    found = median_interval(ratios)
    interval = f"{found.confidence:.0%} interval {found.low:.3f} to {found.high:.3f}"
    print(f"median {found.median:.3f}, {interval}")


if __name__ == "__main__":
    main()
