"""Writes records as rows of the database, and reads them back."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from typing import Any

from results.record import HEAVY, Record


def insert(connection: sqlite3.Connection, record: Record) -> None:
    """Insert a record, or replace the one with its id; the caller commits."""
    light, heavy = _split(record)
    named = (record.id, record.task, record.seed, record.status)
    connection.execute(
        "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (*named, time.time(), dump(record.spec), *light),
    )
    connection.execute("INSERT OR REPLACE INTO details VALUES (?, ?, ?)", (record.id, *heavy))


def _split(record: Record) -> tuple[list[str], list[str]]:
    """Return outcome and measured as JSON twice: what tables read, and the rest."""
    light, heavy = [], []
    for part, keys in HEAVY.items():
        values: dict[str, Any] = dict(getattr(record, part))
        heavy.append(dump({key: values.pop(key) for key in keys if key in values}))
        light.append(dump(values))
    return light, heavy


def record_of(run: str, texts: Sequence[str]) -> Record:
    """Build the record of a row, with the same checks as for a journal.

    Args:
        run: the run's id.
        texts: JSON of spec, outcome and measured, then of the details of outcome and measured if
            these were asked for.

    Raises:
        sqlite3.DatabaseError: the row is damaged.
    """
    try:
        spec, outcome, measured, *details = map(json.loads, texts)
        if details:
            outcome, measured = outcome | details[0], measured | details[1]
        return Record.read({"id": run, "spec": spec, "outcome": outcome, "measured": measured})
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise sqlite3.DatabaseError(f"malformed row {run}") from error


def dump(value: object) -> str:
    """Return a value as JSON; ValueError for one that is not finite."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
