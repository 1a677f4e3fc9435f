"""Damages stores in random ways: what is read is right or refused, and mended as far as can be."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from results import packing
from results.errors import StoreError
from results.record import Record
from results.store import reading, writing
from tests.perf.break_it.calling import call
from tests.perf.break_it.trials import Attempt, Trial
from tests.records import SUITE, failed, record


def content_of(run: str) -> bytes:
    """Return the outputs that a run has in these stores."""
    return f"outputs of {run}".encode()


def with_outputs(seed: int) -> Record:
    """Return a record of a run whose outputs are kept."""
    one = record(seed)
    kept = {**one.outcome, "outputs": packing.digest(content_of(one.id))}
    return Record(one.id, one.spec, kept, one.measured)


RECORDS = (
    *(with_outputs(seed) for seed in range(2)),
    *(record(seed) for seed in range(2, 4)),
    record(0, None, cell="lstm"),
    failed(7),
)
VERBS = (["table", "--json"], ["curves", "--json"], ["status"], ["verify"], ["export"])
PAGE = 4096
STATEMENTS = (
    "DELETE FROM details WHERE id = '{run}'",
    "UPDATE runs SET spec = (SELECT spec FROM runs WHERE id = '{other}') WHERE id = '{run}'",
    "UPDATE runs SET outcome = '[]' WHERE id = '{run}'",
    "UPDATE runs SET outcome = replace(outcome, '0.5', '0.9') WHERE id = '{run}'",
    "UPDATE details SET measured = 'x' WHERE id = '{run}'",
    "DELETE FROM runs WHERE id = '{run}'",
    "DROP TABLE details",
    "DROP TABLE plan",
    "PRAGMA user_version = 99",
)

Damage = Callable[[Path, random.Random], str]


def some_file(folder: Path, chance: random.Random) -> Path:
    """Return one of the files of a store."""
    return chance.choice(sorted(path for path in folder.rglob("*") if path.is_file()))


def altered(folder: Path, chance: random.Random) -> str:
    """Alter bytes of a file."""
    path = some_file(folder, chance)
    content = bytearray(path.read_bytes())
    for _ in range(chance.choice([1, 10, 100])):
        if content:
            content[chance.randrange(len(content))] = chance.randrange(256)
    path.write_bytes(content)
    return f"bytes of {path.name}"


def cut(folder: Path, chance: random.Random) -> str:
    """Cut a file, or lengthen it by noise."""
    path = some_file(folder, chance)
    content = path.read_bytes()
    end = chance.randrange(len(content) + 1)
    path.write_bytes(chance.choice([content[:end], content + chance.randbytes(100)]))
    return f"length of {path.name}"


def zeroed(folder: Path, chance: random.Random) -> str:
    """Overwrite a page of the database with zeros."""
    path = folder / "store.sqlite3"
    content = path.read_bytes()
    start = chance.randrange(0, len(content), PAGE)
    path.write_bytes(content[:start] + bytes(PAGE) + content[start + PAGE :])
    return f"page {start // PAGE} of zeros"


def removed(folder: Path, chance: random.Random) -> str:
    """Remove a file, or put something else in its place."""
    path = some_file(folder, chance)
    path.unlink()
    kind = chance.choice(["nothing", "pipe", "folder", "loop", "device"])
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind in ("loop", "device"):
        path.symlink_to(path.name if kind == "loop" else "/dev/zero")
    return f"{kind} for {path.name}"


def stated(folder: Path, chance: random.Random) -> str:
    """Change the database by a statement."""
    run, other = chance.sample([one.id for one in RECORDS], 2)
    statement = chance.choice(STATEMENTS).format(run=run, other=other)
    with closing(sqlite3.connect(folder / "store.sqlite3")) as connection:
        connection.execute(statement)
        connection.commit()
    return statement


def added(folder: Path, chance: random.Random) -> str:
    """Put something among the journals that does not belong there."""
    path = folder / "journal" / f"{chance.getrandbits(64):016x}.jsonl"
    kind = chance.choice(["pipe", "loop", "copy", "noise"])
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(folder / "journal", target_is_directory=True)
    elif kind == "copy":
        shutil.copy(folder / "journal" / f"{RECORDS[0].id}.jsonl", path)
    else:
        path.write_bytes(chance.randbytes(500))
    return f"{kind} among the journals"


DAMAGES: tuple[Damage, ...] = (altered, cut, zeroed, removed, stated, added)


def stores(folder: Path) -> Attempt:
    """Return what damages a store, reads it, rebuilds it, and compares what is there with what
    was."""
    sound = folder / "sound"
    with writing(sound) as store:
        for one in RECORDS:
            store.begin(one.id, one.spec)
            if "outputs" in one.outcome:
                store.keep_outputs(one.id, content_of(one.id))
            store.add(one)
        store.set_plan([], SUITE)
    expected = _read(sound)

    def attempt(place: int, chance: random.Random) -> list[Trial]:
        damaged = folder / f"damaged-{place}"
        shutil.copytree(sound, damaged)
        what = DAMAGES[place % len(DAMAGES)](damaged, chance)
        wrong = _judged(damaged, expected)
        shutil.rmtree(damaged)
        return [Trial(wrong, f"{place}: {what}")]

    return attempt


def _read(folder: Path) -> dict[str, Any]:
    """Return all runs as `bench show` has them, by id; those alone that can be read."""
    found = {}
    for one in RECORDS:
        called = call("show", one.id, "--json", "--store", str(folder))
        if called.code == 0:
            found[one.id] = json.loads(called.out)["rows"][0]
    return found


def _outputs(folder: Path) -> dict[str, bytes]:
    """Return the outputs of all runs that can be read, by id."""
    found = {}
    with contextlib.suppress(StoreError), reading(folder) as store:
        for one in store.records():
            with contextlib.suppress(OSError, ValueError):
                found[one.id] = store.outputs.read(one)
    return found


def _judged(folder: Path, expected: dict[str, Any]) -> str:
    """Return what is wrong with how a damaged store was read and mended."""
    for verb in VERBS:
        if wrong := call(*verb, "--store", str(folder)).wrong:
            return wrong
    if _is_wrong(folder, expected):
        return "believed wrongly"
    # what another store takes from it is right too
    taking = folder.with_name(f"{folder.name}-merged")
    wrong = call("merge", str(folder), "--store", str(taking)).wrong
    if not wrong and _is_wrong(taking, expected):
        wrong = "merged wrongly"
    shutil.rmtree(taking, ignore_errors=True)
    if wrong:
        return wrong
    if wrong := call("rebuild", "--store", str(folder)).wrong:
        return wrong
    if _is_wrong(folder, expected):
        return "believed wrongly"
    mended = _read(folder)
    # one damage never hits both a run's journal and its row, unless the whole folder is no store
    if len(mended) < len(expected) and call("table", "--store", str(folder)).code == 0:
        return "lost"
    return ""


def _is_wrong(folder: Path, expected: dict[str, Any]) -> bool:
    """Return whether anything that a store gives is not what was stored."""
    runs, outputs = _read(folder), _outputs(folder)
    return any(expected[run] != found for run, found in runs.items()) or any(
        content_of(run) != found for run, found in outputs.items()
    )
