"""Fills stores with hostile names and texts, and sends them through every verb and format."""

from __future__ import annotations

import random
from pathlib import Path

from results.store import writing
from tests.hostile import PIECES, hostile_records
from tests.perf.break_it.calling import CONTROL, Tally, call
from tests.records import SUITE

FORMATS = ("csv", "markdown", "json", "latex")
VERBS = (
    ["table"],
    ["table", "--json"],
    ["status"],
    ["curves"],
    ["curves", "--json"],
    ["doctor", "--all"],
    ["doctor", "--all", "--json"],
    ["compare", "--axis", "cell"],
    ["compare", "--axis", "all"],
    ["compare", "base", "cell=lstm"],
    *(["export", "--format", form] for form in FORMATS),
    *(["export", "--effects", "--format", form] for form in FORMATS),
    ["verify"],
)


def try_names(count: int, folder: Path, chance: random.Random) -> Tally:
    """Try verbs on so many stores, each full of one hostile text."""
    tally = Tally("hostile names and texts, verbs")
    for place in range(count):
        text = "a" + "".join(chance.choices(PIECES, k=chance.randrange(1, 5)))
        store = folder / f"names-{place}"
        with writing(store) as opened:
            for one in hostile_records(text):
                opened.add(one, commit=False)
            opened.commit()
            opened.set_plan([], SUITE)
        shown = [["show", one.id] for one in hostile_records(text)]
        for verb in (*VERBS, *shown):
            tally.add(call(*verb, "--store", str(store)).wrong, f"{verb} {text!r}")
        page = store / "r.html"
        wrong = call("report", "--output", str(page), "--store", str(store)).wrong
        if not wrong:
            content = page.read_text("utf-8")
            wrong = "raw in the report" if _is_raw(content) else ""
        tally.add(wrong, f"report {text!r}")
    return tally


def _is_raw(page: str) -> bool:
    return "<script>alert" in page or CONTROL.search(page) is not None
