"""How long a matrix takes on up to a thousand nodes, and from where more of them help no more:

    python -m tests.perf.simulated_cluster --store FOLDER [--times 20] [--plot FILE.svg]

The lengths of runs are those that the store has measured. What a cluster does to them is drawn:
nodes fail at a stated rate, and come back; a run goes on from its last checkpoint; the driver takes
in so many runs a second and no more; a node's first run waits for torch. Longest first, as the
engines have it.
"""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from results.store import reading

NODES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
EFFICIENT = 0.8
"""Share of the nodes' time that is training, below which more of them are wasted."""


@dataclass(frozen=True)
class Cluster:
    """nodes: of one core each. failures: of a node an hour. back: seconds until it is there again.
    checkpoint: seconds between two. start: seconds before a node's first run, and its first after
    a failure. rate: runs a second that the driver hands over."""

    nodes: int
    failures: float
    back: float = 120.0
    checkpoint: float = 60.0
    start: float = 8.0
    rate: float = 150.0


def makespan(lengths: Sequence[float], cluster: Cluster, random: np.random.Generator) -> float:
    """Seconds until the last of these runs has ended."""
    # what is still to do of every run, longest first; of one whose node fails from then on
    waiting = [(-length, place) for place, length in enumerate(lengths)]
    heapq.heapify(waiting)
    free = [(0.0, node) for node in range(cluster.nodes)]
    fails = random.exponential(3600 / max(cluster.failures, 1e-12), cluster.nodes)
    warm = np.zeros(cluster.nodes, dtype=bool)
    failed: list[tuple[float, float, int]] = []
    handed = end = 0.0
    while waiting or failed:
        now, node = heapq.heappop(free)
        while failed and failed[0][0] <= now:
            _, left, place = heapq.heappop(failed)
            heapq.heappush(waiting, (left, place))
        if not waiting:  # until the next node fails there is nothing to do
            heapq.heappush(free, (failed[0][0], node))
            continue
        left, place = heapq.heappop(waiting)
        began = handed = max(now, handed + 1 / cluster.rate)
        if began >= fails[node]:  # it failed while it waited
            warm[node] = False
            began = max(began, fails[node] + cluster.back)
            fails[node] = began + random.exponential(3600 / max(cluster.failures, 1e-12))
        started = began + (0.0 if warm[node] else cluster.start)
        done = started - left
        if done <= fails[node]:
            warm[node] = True
            end = max(end, done)
            heapq.heappush(free, (done, node))
            continue
        trained = max(fails[node] - started, 0.0)
        kept = trained - trained % cluster.checkpoint
        heapq.heappush(failed, (max(fails[node], started), left + kept, place))
        warm[node] = False
        back = fails[node] + cluster.back
        fails[node] = back + random.exponential(3600 / max(cluster.failures, 1e-12))
        heapq.heappush(free, (back, node))
    return end


def efficiency(lengths: Sequence[float], cluster: Cluster, seeds: int = 5) -> tuple[float, float]:
    """Median makespan, and the share of all nodes' time that was training."""
    spans = [
        makespan(lengths, cluster, np.random.default_rng([seed, cluster.nodes]))
        for seed in range(seeds)
    ]
    span = float(np.median(spans))
    return span, sum(lengths) / (span * cluster.nodes)


def plot(rows: dict[float, list[tuple[int, float, float]]], file: Path, title: str) -> None:
    """Makespan and efficiency against nodes, a line a failure rate."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "seq2seq-bench"
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    styles = ("-", "--", ":")
    for (failures, found), style in zip(rows.items(), styles, strict=False):
        nodes, spans, shares = zip(*found, strict=True)
        label = f"{failures:g} failures a node and hour"
        left.loglog(nodes, [span / 3600 for span in spans], style, label=label)
        right.semilogx(nodes, shares, style, label=label)
    right.axhline(EFFICIENT, color="grey", linewidth=0.8)
    left.set(xlabel="nodes of one core", ylabel="hours", title=title)
    right.set(xlabel="nodes of one core", ylabel="share of time spent training", ylim=(0, 1.05))
    right.legend(frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    """Print a table a failure rate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--times", type=float, default=1.0, help="every run so many times as long")
    parser.add_argument("--failures", type=float, nargs="+", default=[0.0, 0.1, 1.0])
    parser.add_argument("--plot", type=Path)
    asked = parser.parse_args()
    with reading(asked.store) as opened:
        whole = (record for record in opened.records() if not record.measured.get("resumed"))
        measured = [record.measured.get("run_seconds") or 0.0 for record in whole]
    lengths = [seconds * asked.times for seconds in measured if seconds]
    print(
        f"{len(lengths)} runs, {sum(lengths) / 3600:.1f} hours of one core, the longest "
        f"{max(lengths):.0f} s"
    )
    rows: dict[float, list[tuple[int, float, float]]] = {}
    for failures in asked.failures:
        print(f"\n{failures:g} failures a node and hour\nnodes  makespan    training")
        for nodes in NODES:
            span, share = efficiency(lengths, Cluster(nodes, failures))
            rows.setdefault(failures, []).append((nodes, span, share))
            print(f"{nodes:5}  {span / 60:7.1f} min  {share:7.1%}")
        enough = [nodes for nodes, _, share in rows[failures] if share >= EFFICIENT]
        print(f"{EFFICIENT:.0%} of the time is training up to {max(enough, default=0)} nodes")
    if asked.plot:
        plot(rows, asked.plot, f"{len(lengths)} runs, {sum(lengths) / 3600:.0f} hours of one core")


if __name__ == "__main__":
    main()
