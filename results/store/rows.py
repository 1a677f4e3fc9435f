"""Writes records as rows of the database, and reads them back."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import orjson

from results.files import json_text, utf8
from results.record import HEAVY, Record


def insert(connection: sqlite3.Connection, record: Record) -> None:
    """Insert a record, or replace the one with its id; the caller commits."""
    light, heavy = _split(record)
    named = (record.id, utf8(record.task), record.seed, record.status)
    run = (json_text(record.spec), *light)
    connection.execute(
        "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (*named, time.time(), *run),
    )
    connection.execute("INSERT OR REPLACE INTO details VALUES (?, ?, ?)", (record.id, *heavy))
    digests = (_digest(record.id, run), _digest(record.id, heavy))
    connection.execute("INSERT OR REPLACE INTO digests VALUES (?, ?, ?)", (record.id, *digests))
    connection.execute("DELETE FROM again WHERE id = ?", (record.id,))


def _digest(run: str, texts: Sequence[str]) -> str:
    """Return a digest of a row, which holds its id too: a row may not pass for another run's."""
    return hashlib.blake2b("\n".join([run, *texts]).encode(), digest_size=8).hexdigest()


def _split(record: Record) -> tuple[list[str], list[str]]:
    """Return outcome and measured as JSON twice: what tables read, and the rest."""
    light, heavy = [], []
    for part, keys in HEAVY.items():
        values: dict[str, Any] = dict(getattr(record, part))
        heavy.append(json_text({key: values.pop(key) for key in keys if key in values}))
        light.append(json_text(values))
    return light, heavy


LIGHT = ("runs.spec", "runs.outcome", "runs.measured")
"""Columns of a record without its details."""
DETAILS = ("details.outcome", "details.measured")
"""Columns of a record's details."""
CURVES = """
    SELECT id, json_extract(outcome, '$.curve') AS curve FROM details
    WHERE id IN (SELECT value FROM json_each(?)) AND curve IS NOT NULL
"""
"""SQL that reads the curves of runs, whose ids are one JSON array."""


def query(details: bool) -> str:
    """Return the SQL that reads rows for `record_of`, to which a condition may be added."""
    columns, tables = ["runs.id", "digests.run", *LIGHT], "runs LEFT JOIN digests USING (id)"
    if details:
        # a run whose details are gone is an error, not a run less
        columns += ["digests.details", *DETAILS]
        tables += " LEFT JOIN details ON details.id = runs.id"
    return f"SELECT {', '.join(columns)} FROM {tables}"


def record_of(run: str, row: Sequence[str | None]) -> Record:
    """Build the record of a row of `query`, with the same checks as for a journal.

    Args:
        run: the run's id.
        row: a digest or None, and JSON of spec, outcome and measured; then, if details were asked
            for, a digest or None and JSON of the details of outcome and measured.

    Raises:
        sqlite3.DatabaseError: the row is damaged.
    """
    light, heavy = row[: 1 + len(LIGHT)], row[1 + len(LIGHT) :]
    try:
        spec_text, *texts = _checked(run, light)
        spec, (outcome, measured) = _spec(spec_text), map(_parsed, texts)
        if heavy:
            more_outcome, more_measured = map(_parsed, _checked(run, heavy))
            outcome, measured = outcome | more_outcome, measured | more_measured
        return Record.read({"id": run, "spec": spec, "outcome": outcome, "measured": measured})
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise sqlite3.DatabaseError(f"malformed row {run}") from error


def _checked(run: str, row: Sequence[str | None]) -> list[str]:
    """Return the texts that a digest precedes; ValueError if they do not fit it."""
    digest, *texts = row
    whole = [text for text in texts if isinstance(text, str)]
    if len(whole) < len(texts):
        raise ValueError("a text is missing")
    if digest is not None and digest != _digest(run, whole):
        raise ValueError("the texts are not those that were written")
    return whole


def _parsed(text: str) -> Any:
    """Return the value of a JSON text, as json does in three times the time.

    An integer of more than 64 bits becomes a float, which equals it to 16 digits.
    """
    try:
        return orjson.loads(text)
    except ValueError:
        return json.loads(text)  # halves of surrogate pairs, and NaN, are for json alone


SEED = re.compile(r'"seed": (-?(?:0|[1-9]\d*))(?=[,}])')
"""Finds the seed in the text of a spec; within a string its quotes would be escaped."""


def _spec(text: str) -> Any:
    """Return the spec of a text; those that differ in their seed alone share all nested values.

    Most runs of a store do, so reading many takes less time and memory.
    """
    around = SEED.split(text)
    if len(around) == 3:
        before, seed, after = around
        shared = _spec_of_seed_0(f'{before}"seed": 0{after}')
        if isinstance(shared, dict) and shared.get("seed") == 0:
            return {**shared, "seed": int(seed)}
    return json.loads(text)


@lru_cache(maxsize=1024)
def _spec_of_seed_0(text: str) -> Any:
    return json.loads(text)
