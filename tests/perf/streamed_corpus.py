"""What memory a corpus larger than memory takes: to prepare, to read through once, to train on.

python -m tests.perf.streamed_corpus [--pairs 500000 5000000] [--steps 200] [--ids 100000000]

Each is done in a process of its own, whose peak of resident memory is printed; that of a process
that only loads the suite stands beside it. The corpus is generated: sentences from a small grammar
with numbers in them, so that no two are alike. `--ids` leaves the text out: so many pairs of random
ids are written as a prepared corpus has them, and read and trained on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tasks.parallel.streamed import STREAMED_KIND
from tasks.vocabulary import SPECIALS, UNKNOWN

NOUNS = tuple(
    zip(
        "cat dog bird teacher child doctor farmer friend river city".split(),
        "猫 狗 鸟 老师 孩子 医生 农夫 朋友 河 城市".split(),
        strict=True,
    )
)
VERBS = tuple(
    zip("sees likes finds remembers knows".split(), "看见 喜欢 找到 记得 认识".split(), strict=True)
)
STARTS = (("today", "今天"), ("yesterday", "昨天"), ("often", "常常"), ("perhaps", "也许"))
CHUNK = 100_000

PEAK = """
import resource, sys, time
since = time.perf_counter()
{work}
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"{{peak:.0f}} MiB at most, {{time.perf_counter() - since:.0f}} s")
"""
LOAD = "import bench.runner"
PREPARE = """
from pathlib import Path
from bench.corpora import catalogue
catalogue.add_streamed_files("big", [Path({file!r})], Path({store!r}) / "data")
"""
READ = """
from pathlib import Path
import bench.runner
from bench.training.batching import DataPosition, endless
from tasks import build
task = build("en-zh:corpus=big", Path({store!r}) / "data")
train, seen = task.splits["train"], 0
for indices, position in endless(train, 64, 0, DataPosition()):
    if position.epoch:
        break
    seen += len(train.take(indices))
print(f"{{seen:,}} pairs,", end=" ")
"""
TRAIN = """
from dataclasses import asdict
from pathlib import Path
from bench.runner import execute
from bench.training.process import cached_digest, prepare_process
from bench.specs import Budget, make
from variants import BASE
from variants.axes import parse
prepare_process(1)
data = Path({store!r}) / "data"
variant = asdict(parse("cell=lstm,attention=general,hidden=128,embedding=128", BASE))
budget = Budget(steps={steps}, batch=64, every=100, stop="budget")
digest = cached_digest("en-zh:corpus=big", data)
spec = make("en-zh:corpus=big", digest, variant, budget, 0, "cpu")
record = execute(spec, data, lambda point, clock: None)
outcome = record["outcome"]
assert outcome["status"] != "failed", outcome["traceback"]
print(f"loss {{outcome['curve'][0]['loss']:.2f}} to {{outcome['curve'][-1]['loss']:.2f}},", end=" ")
"""


def generate(file: Path, pairs: int) -> None:
    """English TAB Chinese, a line a pair."""
    random = np.random.default_rng(0)
    with file.open("w", encoding="utf-8") as opened:
        for start in range(0, pairs, CHUNK):
            count = min(CHUNK, pairs - start)
            drawn = random.integers(0, [len(STARTS), 10, 5, 10], size=(count, 4))
            numbers = random.integers(10, 10**6, size=count)
            lines = []
            for (first, one, verb, other), number in zip(drawn, numbers, strict=True):
                (sa, sb), (oa, ob) = STARTS[first], NOUNS[one]
                (va, vb), (ta, tb) = VERBS[verb], NOUNS[other]
                lines.append(f"{sa} the {oa} {va} {number} {ta}s .\t{sb}{ob}{vb}{number}个{tb}。\n")
            opened.write("".join(lines))


def write_ids(folder: Path, pairs: int) -> None:
    """A prepared corpus of pairs of 8 to 12 ids, the same million again and again."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    symbols = [*SPECIALS, UNKNOWN, *(f"w{number}" for number in range(1000))]
    known: dict[str, object] = {
        "name": "big",
        "kind": STREAMED_KIND,
        "languages": ["en", "zh"],
        "sides": {
            side: {"tokens": "given", "case": "kept", "normal": "none"}
            for side in ("source", "target")
        },
        "longest": 50,
        "dropped": {},
    }
    counts: dict[str, object] = {}
    for side in ("source", "target"):
        lengths = random.integers(8, 13, size=1_000_000)
        ids = random.integers(4, len(symbols), size=int(lengths.sum())).astype(np.int32)
        ends, total = np.cumsum(lengths), 0
        with (
            (folder / f"{side}.ids").open("wb") as to,
            (folder / f"{side}.offsets").open("wb") as at,
        ):
            at.write(np.zeros(1, dtype=np.int64).tobytes())
            for start in range(0, pairs, len(lengths)):
                count = min(len(lengths), pairs - start)
                to.write(ids[: ends[count - 1]].tobytes())
                at.write((ends[:count] + total).tobytes())
                total += int(ends[count - 1])
        counts[side] = {
            "symbols": total,
            "unknown": 0.0,
            "mean": total / pairs,
            "most": 12,
            "longest": 12,
        }
    text = json.dumps({"source": symbols, "target": symbols})
    (folder / "vocabulary.json").write_text(text, encoding="utf-8")
    for name in ("valid.source", "valid.target", "test.source", "test.target"):
        (folder / name).write_text("w1 w2\n" * 100, encoding="utf-8")
    known |= {"digest": f"ids{pairs}", "pairs": pairs, "counts": counts}
    (folder / "about.json").write_text(json.dumps(known), encoding="utf-8")


def of_process(what: str, work: str) -> None:
    """Print what a process of its own says of its peak."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK.format(work=work)], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    print(f"  {what}: {done.stdout.strip()}", flush=True)


def main() -> None:
    """Print a block a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, nargs="*", default=[500_000, 5_000_000])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--ids", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where to write; not a disk of memory")
    asked = parser.parse_args()
    of_process("loading the suite alone", LOAD)
    for pairs in asked.pairs:
        with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
            file, store = Path(folder) / "big.tsv", str(Path(folder) / "store")
            since = time.perf_counter()
            generate(file, pairs)
            size = file.stat().st_size / 2**20
            took = time.perf_counter() - since
            print(f"{pairs:,} pairs, {size:.0f} MiB of text, generated in {took:.0f} s")
            of_process("prepared", PREPARE.format(file=str(file), store=store))
            kept = sum(path.stat().st_size for path in Path(store).rglob("*") if path.is_file())
            print(f"  on disk: {kept / 2**20:.0f} MiB")
            of_process("read through once", READ.format(store=store))
            of_process(f"{asked.steps} steps", TRAIN.format(store=store, steps=asked.steps))
    if asked.ids:
        with tempfile.TemporaryDirectory(dir=asked.folder) as store:
            write_ids(Path(store) / "data" / "big", asked.ids)
            kept = sum(path.stat().st_size for path in Path(store).rglob("*") if path.is_file())
            print(f"{asked.ids:,} pairs of ids, {kept / 2**30:.1f} GiB on disk")
            of_process("read through once", READ.format(store=store))
            of_process(f"{asked.steps} steps", TRAIN.format(store=store, steps=asked.steps))


if __name__ == "__main__":
    main()
