"""Reports on runs made by hand, for tests of what is in them and of what a browser shows."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from results.record import Record
from results.report import write
from tests.records import SUITE, failed, record


def with_attention(one: Record) -> Record:
    """Return a run with a sample whose attention was kept."""
    sample = {
        "source": "我 <b>很</b> 好",
        "reference": "ab",
        "output": "ac",
        "ended": True,
        "attention": [[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]],
        "source_symbols": ["我", "好"],
        "output_symbols": ["a", "c"],
    }
    curve = [
        {**point, "gradient_norm": 0.5, "update_ratio": 0.01} for point in one.outcome["curve"]
    ]
    outcome = {**one.outcome, "samples": [sample], "curve": curve}
    return Record(one.id, one.spec, outcome, one.measured)


RUNS = [
    with_attention(record(seed, score + seed / 100, 1000 + seed, cell=cell, task=task))
    for task in ("reversal", "en-zh")
    for cell, score in (("gru", 0.5), ("lstm", 0.8), ("rnn", 0.5))
    for seed in range(9)
] + [failed(9, task="reversal")]


def report(runs: Sequence[Record] = RUNS, again: range | None = None) -> str:
    """Return a report on runs made by hand."""
    by_id = {one.id: one for one in runs}

    def details(ids: Sequence[str]) -> Iterable[Record]:
        return [by_id[one] for one in ids]

    day = date(2026, 11, 21)
    return write(
        runs, SUITE, details, day, lambda variant: variant["hidden"], lambda run: None, again
    )


def shown_by_scripts(text: str) -> Any:
    """Return what the scripts of a page are given."""
    packed = re.search(r'id="runs">([^<]*)<', text)
    assert packed is not None
    return json.loads(gzip.decompress(base64.b64decode(packed[1])))
