"""Keeps runs in one folder: a database, journals, weights, checkpoints and data.

    .bench/store.sqlite3        finished runs, and the last plan
    .bench/journal/ID.jsonl     log of each run; `bench rebuild` makes the database from these
    .bench/outputs/ID-DIGEST.xz all outputs of each run on its test splits, see `outputs.py`
    .bench/weights/ID.safetensors
    .bench/checkpoints/         training state of runs that have not ended
    .bench/dropped/             journals, outputs and weights of dropped runs, until they are purged
    .bench/data/                corpora, see `bench data`
    .bench/lock                 locked by the one driver that may write
    .bench/engine.json          state of the engine that is running, for `bench status`

A record's outputs are written before its journal, and this before the database, so that a kill at
any moment loses nothing: the next driver inserts what only a journal has. SQLite commits with
`synchronous=FULL`, so that a power cut loses nothing that was committed.
"""

from results.store.access import exists, reading, writing
from results.store.database import Planned, Store
from results.store.dropping import drop, dropped, purge, undrop
from results.store.lock import has_driver
from results.store.merging import MergedRun, check_other, merge
from results.store.rebuilding import rebuild
from results.store.verifying import Problem, Verification, verify

__all__ = [
    "MergedRun",
    "Planned",
    "Problem",
    "Store",
    "Verification",
    "check_other",
    "drop",
    "dropped",
    "exists",
    "has_driver",
    "merge",
    "purge",
    "reading",
    "rebuild",
    "undrop",
    "verify",
    "writing",
]
