"""Prints findings of runs, with their evidence and what to change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from results.doctor.rows import Row


def show(rows: Sequence[Row], console: Console) -> None:
    """Print runs with findings, and how many runs have none or were not examined.

    A run that is the only one is printed in any case. rows: as `results.doctor.rows` makes them.
    """
    for row in rows:
        if row["findings"] or len(rows) == 1:
            _show_run(row, console)
    healthy = sum(row["findings"] == [] for row in rows)
    unknown = sum(row["findings"] is None for row in rows)
    if len(rows) > 1 and healthy:
        console.print(f"nothing found in {healthy:,} of {len(rows):,} runs", soft_wrap=True)
    if unknown:
        console.print(
            f"not examined: {unknown:,} runs, which failed or are short (of short runs only some "
            "seeds are examined); bench doctor RUN runs one again and examines it",
            soft_wrap=True,
        )


def _show_run(row: Row, console: Console) -> None:
    title = f"{row['run']}  {row['task']}  {row['variant']}  seed {row['seed']}"
    console.print(Text(title, "bold"))
    console.print(Text(f"{row['status']}, {row['setting']}", "dim"))
    for number, finding in enumerate(row["findings"] or [], 1):
        console.print(Text(f"{number}. {finding['cause']} ({finding['sure']})", "bold"))
        for label, text in (
            ("seen", finding["evidence"]),
            ("change", finding["change"]),
            ("test it", command(row, finding)),
        ):
            console.print(Padding(Text(f"{label}: {text}"), (0, 0, 0, 3), expand=False))
    if row["findings"] == []:
        console.print("nothing found")
    console.print()


def command(row: Row, finding: Mapping[str, Any]) -> str:
    """Return the command that tests a finding's advice."""
    confirm = f"bench doctor {row['run'][:8]} --confirm"
    return confirm if finding["remedy"] else f"correct the code, then {confirm}"
