"""Fills stores with hostile names and texts, and sends them through every verb and format."""

from __future__ import annotations

import random
from pathlib import Path

from results.store import writing
from tests.hostile import CONTROL, PIECES, READING_VERBS, hostile_records
from tests.perf.break_it.calling import call
from tests.perf.break_it.trials import Attempt, Trial
from tests.records import SUITE


def names(folder: Path) -> Attempt:
    """Return what tries every verb on a store that is full of one hostile text."""

    def attempt(place: int, chance: random.Random) -> list[Trial]:
        text = "a" + "".join(chance.choices(PIECES, k=chance.randrange(1, 5)))
        records, store = hostile_records(text), folder / f"names-{place}"
        with writing(store) as opened:
            for one in records:
                opened.add(one, commit=False)
            opened.commit()
            opened.set_plan([], SUITE)
        trials = [
            Trial(call(*verb, "--store", str(store)).wrong, f"{verb} {text!r}")
            for verb in (*READING_VERBS, *(["show", one.id] for one in records))
        ]
        page = store / "r.html"
        wrong = call("report", "--output", str(page), "--store", str(store)).wrong
        if not wrong and _is_raw(page.read_text("utf-8")):
            wrong = "raw in the report"
        return [*trials, Trial(wrong, f"report {text!r}")]

    return attempt


def _is_raw(page: str) -> bool:
    return "<script>alert" in page or CONTROL.search(page) is not None
