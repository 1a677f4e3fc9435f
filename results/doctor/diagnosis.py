"""Findings as rows, and as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from results import naming
from results.doctor.rules import chart, findings
from results.grouping import group_text
from results.record import Record

Row = dict[str, Any]


def diagnose(records: Iterable[Record], suite: Mapping[str, Any]) -> list[Row]:
    """One a run. findings: None for a run that was not examined."""
    rows = []
    for record in records:
        of = chart(record)
        rows.append(
            {
                "run": record.id,
                "task": record.task,
                "setting": group_text(record),
                "variant": naming.name(record.variant, suite),
                "seed": record.seed,
                "status": record.status,
                "findings": None if of is None else [asdict(one) for one in findings(of)],
            }
        )
    return rows


def show(rows: Sequence[Row], console: Console) -> None:
    """Runs with findings, each with its evidence; of the others how many there are."""
    for row in rows:
        if row["findings"] or len(rows) == 1:
            _show_one(row, console)
    healthy = sum(row["findings"] == [] for row in rows)
    unknown = sum(row["findings"] is None for row in rows)
    if len(rows) > 1 and healthy:
        console.print(f"nothing found in {healthy:,} of {len(rows):,} runs", soft_wrap=True)
    if unknown:
        console.print(
            f"not examined: {unknown:,} runs, ended by an error or short, of which only some seeds "
            "are; bench doctor RUN does one again and examines it",
            soft_wrap=True,
        )


def _show_one(row: Row, console: Console) -> None:
    console.print(
        Text(f"{row['run']}  {row['task']}  {row['variant']}  seed {row['seed']}", "bold")
    )
    console.print(Text(f"{row['status']}, {row['setting']}", "dim"))
    for number, one in enumerate(row["findings"] or [], 1):
        console.print(Text(f"{number}. {one['cause']} ({one['sure']})", "bold"))
        for word, said in (
            ("seen", one["evidence"]),
            ("change", one["change"]),
            ("test it", command(row, one)),
        ):
            console.print(Padding(Text(f"{word}: {said}"), (0, 0, 0, 3), expand=False))
    if row["findings"] == []:
        console.print("nothing found")
    console.print()


def command(row: Row, finding: Mapping[str, Any]) -> str:
    """What tests the advice."""
    if finding["remedy"]:
        return f"bench doctor {row['run'][:8]} --confirm"
    return f"mend it, then bench doctor {row['run'][:8]} --confirm"
