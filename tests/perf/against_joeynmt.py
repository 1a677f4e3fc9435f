"""How fast this suite is beside JoeyNMT 2.3.0, doing the same work with the same weights.

make peers
.venv/bin/python -m tests.perf.against_joeynmt [--rows large,small] [--repeats 9] [--device cuda]

Both sides start from the same weights and the same examples, and the script stops if their first
losses or their outputs differ. Then they are timed in turns, one thread each, and the table gives
medians and the ratio of the two, with an interval over the turns.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from bench.speed import flops
from bench.speed.roofline import Probe
from bench.training.batching import by_length, collate, length_batches
from bench.training.decoding import greedy
from bench.training.process import cached_task, prepare_process
from bench.training.randomness import numpy_generator, torch_generator
from bench.training.replicas.stacked import Replicas, repeat
from bench.training.state import Recipe, start
from results.stats.median import median_interval
from tasks import EOS, Facts, Ragged, Split
from tests.peers.joeynmt_weights import theirs
from tests.perf.peer_process import PeerProcess
from variants import Batch, build
from variants.axes import parse
from variants.seq2seq import Seq2Seq

PYTHON = os.environ.get("JOEYNMT_PYTHON", ".venv-joeynmt/bin/python")
VARIANT = (
    "cell=lstm,direction=bidirectional,attention=general,input_feeding=on,bridge=zero,"
    "learning_rate=0.001,hidden={0},embedding={0}"
)
WARM_UP = 3
TAUGHT = 400
"""Steps before decoding is compared, so that outputs end as those of a trained model do."""
EXAMPLES = 4000
"""Of Tatoeba's training pairs, one epoch: an epoch of all 20,000 takes a peer minutes."""


class Row(NamedTuple):
    """One line of the table. hidden: also of embeddings. shape: examples a batch, S, T and
    vocabulary, or None for Tatoeba. goal: how many times as fast. turn: steps a timing."""

    title: str
    hidden: int
    shape: tuple[int, int, int, int] | None
    work: str
    goal: float
    turn: int = 1


ROWS = {
    "large": Row("large step", 256, (64, 20, 20, 8000), "step", 1.6, 2),
    "small": Row("small step", 64, (64, 10, 11, 101), "step", 2.5, 20),
    "epoch": Row("Tatoeba epoch", 256, None, "epoch", 2.0),
    "decode": Row("Tatoeba decoding", 256, None, "decode", 2.0),
}
LEGEND = f"""Bidirectional LSTM encoder, LSTM decoder, general attention after the cell,
input feeding, batch 64, one thread, float32. Large: hidden 256, 8,000 symbols,
S = T = 20. Small: hidden 64, 101 symbols, S 10, T 11. A step: forward,
backward, clipping, Adam. Epoch: {EXAMPLES:,} of Tatoeba's training pairs, hidden 256,
each side's own batching. Decoding: Tatoeba's test set, greedy."""


def data_of(row: Row) -> tuple[Split, Facts]:
    """What is trained on or decoded."""
    if row.shape is not None:
        batch, source, target, symbols = row.shape
        draw = np.random.default_rng(0)
        sources = draw.integers(EOS + 1, symbols, size=(batch, source)).tolist()
        targets = draw.integers(EOS + 1, symbols, size=(batch, target - 1)).tolist()
        return Split(Ragged.of(sources), (Ragged.of(targets),)), Facts(symbols, (symbols,), target)
    task = cached_task("en-zh:corpus=tatoeba", Path(os.environ["BENCH_STORE"]) / "data")
    if row.work == "decode":
        return task.splits["test"], task.facts
    train = task.splits["train"]
    some = np.random.default_rng(0).permutation(len(train))[:EXAMPLES]
    return train.take(some), task.facts


class Ours:
    """This suite's side."""

    def __init__(self, row: Row, split: Split, facts: Facts, device: str) -> None:
        self.row, self.split, self.facts, self.device = row, split, facts, device
        self.variant = parse(VARIANT.format(row.hidden))
        model = build(
            self.variant,
            facts.source_size,
            facts.target_sizes,
            False,
            lambda name: torch_generator(0, "init", name),
            longest=int(split.source.lengths.max()),
        )
        assert isinstance(model, Seq2Seq)
        torch.nn.init.zeros_(model.get_parameter("decoder.output.bias"))
        self.model = model
        self.state = start(model, self.variant, 0, device, Recipe())
        # as the engine trains there: recorded, even if it is one model alone
        self.recorded = (
            Replicas([model], [self.variant], facts, device, Recipe()) if device == "cuda" else None
        )
        self.epochs = 0
        self.outputs: list[Any] = []

    def teach(self) -> None:
        """Train a little on the training pairs; the output bias, which the peer lacks, stays 0."""
        train, _ = data_of(ROWS["epoch"])
        bias = self.model.get_parameter("decoder.output.bias").requires_grad_(False)
        done = 0
        while done < TAUGHT:
            done += self._epoch(train, TAUGHT - done)
        bias.requires_grad_(True)

    def work(self) -> dict[str, float]:
        """What the row asks for, once, and its seconds."""
        if self.row.work == "step":
            batch = collate(self.split, self.facts, "cpu" if self.recorded else self.device)
            return self._timed(lambda: self._steps(batch)[0])
        if self.row.work == "epoch":
            return self._timed(lambda: self._epoch(self.split, 10**9))
        return self._timed(self._decode)

    def _steps(self, batch: Batch) -> list[torch.Tensor]:
        return [self._step(batch) for _ in range(self.row.turn)]

    def _step(self, batch: Batch) -> torch.Tensor:
        if self.recorded is not None:
            return self.recorded.step(repeat(batch, None, 1), 0)[0]
        recipe = Recipe()
        loss, _ = recipe.step(self.state, self.variant, self.facts, recipe.loss, batch, None)
        return loss

    def _epoch(self, split: Split, most: int) -> int:
        self.epochs += 1
        lengths = split.source.lengths, split.targets[0].lengths
        batches = length_batches(*lengths, 64, numpy_generator(0, "order", str(self.epochs)))[:most]
        for indices in batches:
            at = "cpu" if self.recorded else self.device
            self._step(collate(split.take(indices), self.facts, at))
        return len(batches)

    def _decode(self) -> None:
        outputs: list[Any] = [None] * len(self.split)
        for indices in by_length(self.split, 64):
            batch = collate(self.split.take(indices), self.facts, self.device)
            found = greedy(self.model, batch, self.facts.length_limit)
            for index, ids in zip(indices.tolist(), found.ids, strict=True):
                outputs[index] = ids
        self.outputs = outputs

    def _timed(self, work: Callable[[], Any]) -> dict[str, float]:
        if self.device == "cuda":
            torch.cuda.synchronize()
        since = time.perf_counter()
        result = work()
        if self.device == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - since
        return {"seconds": seconds} | (
            {"loss": float(result)} if isinstance(result, torch.Tensor) else {}
        )


class Theirs:
    """JoeyNMT's, in a process of its own."""

    def __init__(self, ours: Ours, folder: Path) -> None:
        self.row, self.folder = ours.row, folder
        split, model = ours.split, ours.model
        weights = theirs(model)
        decoder: Any = model.decoder
        weights["src_embed.lut.weight"] = model.embedding.table
        weights["trg_embed.lut.weight"] = decoder.embedding.table
        given = {f"weights.{name}": value.detach().cpu().numpy() for name, value in weights.items()}
        for name, ragged in (("source", split.source), ("target", split.targets[0])):
            given |= {f"{name}_ids": ragged.ids, f"{name}_offsets": ragged.offsets}
        case = {
            "cell": "lstm",
            "hidden": ours.row.hidden,
            "embedding": ours.row.hidden,
            "sources": ours.facts.source_size,
            "targets": ours.facts.target_sizes[0],
            "batch": 64,
            "limit": ours.facts.length_limit,
            "learning_rate": ours.variant.learning_rate,
            "device": ours.device,
        }
        np.savez(folder / "given.npz", **given)  # type: ignore[arg-type]
        (folder / "case.json").write_text(json.dumps(case))
        worker = str(Path(__file__).with_name("joeynmt_worker.py"))
        self.process = PeerProcess("JoeyNMT", [PYTHON, worker, str(folder)])

    def work(self) -> dict[str, float]:
        """What the row asks for, once, and its seconds."""
        order = {"step": f"train {self.row.turn}", "epoch": "epoch", "decode": "decode"}
        return self.process.ask(order[self.row.work])

    def outputs(self) -> list[Any]:
        """Of the last decoding, up to eos."""
        found = np.load(self.folder / "outputs.npz")
        rows = [found[name] for name in found.files]
        ends = (np.flatnonzero(row == EOS) for row in rows)
        return [row[: end[0]] if len(end) else row for row, end in zip(rows, ends, strict=True)]


def compare(row: Row, repeats: int, device: str) -> dict[str, Any]:
    """One row of the table."""
    split, facts = data_of(row)
    ours = Ours(row, split, facts, device)
    if row.work == "decode":
        ours.teach()
    with tempfile.TemporaryDirectory() as folder:
        peer = Theirs(ours, Path(folder))
        first, their_first = ours.work(), peer.work()
        _check_alike(row, ours, first, peer, their_first)
        for _ in range(WARM_UP if row.work == "step" else 0):
            ours.work(), peer.work()
        turns = [(ours.work()["seconds"], peer.work()["seconds"]) for _ in range(repeats)]
        peer.process.end()
    mine, other = (sorted(side)[len(side) // 2] for side in zip(*turns, strict=True))
    ratio = median_interval([theirs / ours for ours, theirs in turns])
    counted = None
    if row.work == "step":
        counted = flops.training_flops(ours.model, collate(split, facts, "cpu"), facts)
    return {
        "work": row.title,
        "ours_seconds": mine / row.turn,
        "peer_seconds": other / row.turn,
        "ratio": ratio.median,
        "ratio_low": ratio.low,
        "ratio_high": ratio.high,
        "goal": row.goal,
        "flops": counted,
        "repeats": repeats,
    }


def _check_alike(
    row: Row, ours: Ours, mine: dict[str, float], peer: Theirs, other: dict[str, float]
) -> None:
    if row.work == "step" and abs(mine["loss"] - other["loss"]) > 1e-4:
        raise SystemExit(f"not the same work: losses {mine['loss']} and {other['loss']}")
    if row.work == "decode":
        pairs = zip(ours.outputs, peer.outputs(), strict=True)
        same = sum(np.array_equal(left, right) for left, right in pairs)
        # a tie between two tokens may fall either way
        if same < 0.99 * len(ours.outputs):
            raise SystemExit(f"not the same outputs: {same} of {len(ours.outputs)}")


def rate(device: str, repeats: int) -> float:
    """What a large matrix product reaches here, FLOP/s."""
    probe = Probe(device)
    return median_interval([probe.flops_per_second() for _ in range(repeats)]).median


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    prepare_process(1)
    found: list[dict[str, Any]] = []
    for name in given.rows.split(","):
        row = ROWS[name]
        repeats = given.repeats if row.work == "step" else max(3, given.repeats // 3)
        peak = rate(given.device, 5)
        line = compare(row, repeats, given.device)
        peak = (peak + rate(given.device, 5)) / 2
        found.append(line | {"machine_flops_per_second": peak})
    if given.json:
        print(json.dumps(found, indent=1))
        return
    Console(highlight=False).print(table(found), LEGEND)


def table(found: list[dict[str, Any]]) -> Table:
    """As the README has it. Of peak: of the rate of a large matrix product."""
    shown = Table("work", "ours ms", "JoeyNMT ms", "times as fast", "goal", "of peak")
    for row in found:
        share = ""
        if row["flops"]:
            share = f"{row['flops'] / row['ours_seconds'] / row['machine_flops_per_second']:.0%}"
        shown.add_row(
            row["work"],
            f"{row['ours_seconds'] * 1e3:,.1f}",
            f"{row['peer_seconds'] * 1e3:,.1f}",
            f"{row['ratio']:.2f} ({row['ratio_low']:.2f}-{row['ratio_high']:.2f})",
            f"{row['goal']}",
            share,
        )
    return shown


if __name__ == "__main__":
    main()
