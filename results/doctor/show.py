"""Prints findings of runs, with their evidence and what to change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from results import commands
from results.doctor.rows import Row
from results.show.terminal import print_broken
from results.tables.text import grouped_rows

SOLVED = ("solved", "solved late")
"""States of runs that reached their target."""


def show(rows: Sequence[Row], console: Console, folder: str = "") -> None:
    """Print runs with findings, the states of those without, and how many were not examined.

    A run that is the only one is printed in any case.

    Args:
        rows: as `results.doctor.rows` makes them.
        console: where to print.
        folder: the store that commands name; "" where they need not.
    """
    for row in rows:
        if row["findings"] or len(rows) == 1:
            _show_run(row, console, folder)
    if len(rows) > 1:
        _show_states([row for row in rows if row["findings"] == []], len(rows), console, folder)
    unknown = sum(row["findings"] is None for row in rows)
    if unknown:
        console.print(
            f"not examined: {unknown:,} runs, which failed or are short (of short runs only some "
            "seeds are examined); bench doctor RUN runs one again and examines it"
        )


def _show_states(healthy: Sequence[Row], count: int, console: Console, folder: str) -> None:
    """Print what came of the runs in which nothing was found: a line for each state."""
    states = []
    for state, group in grouped_rows((row["state"], row) for row in healthy).items():
        first = commands.in_store(f"bench doctor {group[0]['run'][:8]}", folder)
        more = "" if state in SOLVED else f": {first} says more"
        states.append(f"{len(group):,} {state}{more}")
    if states:
        said = f"nothing found in {len(healthy):,} of {count:,} runs; of these"
        lines = [f"{said} {states[0]}"] if len(states) == 1 else [said, *states]
        console.print("\n  ".join(lines))


def _show_run(row: Row, console: Console, folder: str) -> None:
    title = f"{row['run']}  {row['task']}  {row['variant']}  seed {row['seed']}"
    print_broken(title, console, "bold")
    console.print(Text(f"{row['status']}, {row['setting']}", "dim"))
    for number, finding in enumerate(row["findings"] or [], 1):
        console.print(Text(f"{number}. {finding['cause']} ({finding['sure']})", "bold"))
        for label, text in (
            ("seen", finding["evidence"]),
            ("change", finding["change"]),
            ("test it", command(row, finding, folder)),
        ):
            console.print(Padding(Text(f"{label}: {text}"), (0, 0, 0, 3), expand=False))
    if row["findings"] == []:
        _show_nothing_found(row, console, folder)
    elif row["findings"] is None:
        _show_state(row, console, folder)
    console.print()


def _show_nothing_found(row: Row, console: Console, folder: str) -> None:
    """Print that no cause was found, and all that is known nevertheless."""
    if row["state"] in SOLVED:
        console.print("nothing found")
        _show_state(row, console, folder)
        return
    console.print("nothing found, though it did not reach its target")
    _show_state(row, console, folder)
    asked = row["asked"]
    questions = sum(map(len, asked.values()))
    line = f"asked, and found in order ({questions} questions; --json names them): "
    console.print(Text(line + ", ".join(asked)))


def _show_state(row: Row, console: Console, folder: str) -> None:
    """Print what state a run is in, how to go on, and the nearest run that solved its task."""
    state = Text(row["state"], "bold")
    console.print(state.append(f": {row['state_says']}", "not bold"))
    if row["longer"]:
        how = "go on" if row["goes_on"] else "go on (it starts anew)"
        longer = commands.in_store(row["longer"], folder)
        console.print(f"{how}: {longer}", soft_wrap=True, markup=False)
    if row["nearest_solved"]:
        console.print(Text(f"nearest that solved it: {row['nearest_solved']['says']}"))
    elif row["state"] not in SOLVED:
        console.print("no run of this store solved this task")


def command(row: Row, finding: Mapping[str, Any], folder: str = "") -> str:
    """Return the command that tests a finding's advice. folder: the store, if it is to be named."""
    confirm = commands.in_store(f"bench doctor {row['run'][:8]} --confirm", folder)
    return confirm if finding["remedy"] else f"correct the code, then {confirm}"
