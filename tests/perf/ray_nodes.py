"""Do two Ray nodes of one core get done what one gets done twice, and what two independent
processes do?

.venv/bin/python -m tests.perf.ray_nodes [--rounds 5] [--budget 1600steps]

In turns: `bench run --engine ray` with eight runs on two nodes, with four of them on one node, and
two `bench run` with one worker each on four of the same runs at the same time. The clusters, all
on this machine, are there before; everything else is timed from start to end.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ray.cluster_utils import Cluster

from results.stats.median import median_interval
from tests.perf.two_workers import RUNS, command, seconds

STORE_BYTES = 80 * 2**20


@contextmanager
def cluster(nodes: int) -> Iterator[str]:
    """The address of one with so many nodes of one core, and a head that trains nothing."""
    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE_BYTES}
    made = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(nodes):
        made.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
    try:
        yield str(made.address)
    finally:
        made.shutdown()


def on_ray(store: Path, nodes: int, runs: int, budget: str) -> float:
    """Seconds that the runs take there."""
    given = command(store, 1, runs, budget)
    place = given.index("--workers")
    with cluster(nodes) as address:
        there = ["--engine", "ray", "--address", address]
        return seconds([*given[:place], *there, *given[place + 2 :]])


def main() -> None:
    """Print each round, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--budget", default="1600steps")
    asked = parser.parse_args()
    budget, half = asked.budget, RUNS // 2
    of_processes, of_one = [], []
    for number in range(asked.rounds):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            two = on_ray(home / "two", 2, RUNS, budget)
            one = on_ray(home / "one", 1, half, budget)
            apart = seconds(*(command(home / s, 1, half, budget) for s in ("left", "right")))
        of_processes.append(apart / two)
        of_one.append(one / two)
        print(
            f"round {number + 1}: two nodes {two:.1f} s, one node with half of it {one:.1f} s, two "
            f"processes {apart:.1f} s: {of_processes[-1]:.3f} of the processes' rate, "
            f"{of_one[-1]:.3f} of twice one node's"
        )
    for what, ratios in (("two processes", of_processes), ("twice one node", of_one)):
        found = median_interval(ratios)
        interval = f"{found.confidence:.0%} interval {found.low:.3f} to {found.high:.3f}"
        print(f"of {what}: median {found.median:.3f}, {interval}")


if __name__ == "__main__":
    main()
