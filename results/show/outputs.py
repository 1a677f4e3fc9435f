"""Prints what a run gets wrong, and where two runs differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from results import metrics, naming
from results.escapes import one_line
from results.mistakes import Difference, ExampleRow, LengthRow, Mistakes, TokenRow
from results.record import Record
from results.show.terminal import print_broken, print_table
from results.tables.text import Texts, TextTable

TITLES = {"cer": "character_error_rate", "wer": "token_error_rate"}
"""Scores by the short names of metrics."""
SHOWN = 10
"""Number of examples, and of tokens, that are printed unless all are asked for."""


def show_mistakes(found: Mistakes, suite: Mapping[str, Any], console: Console) -> None:
    """Print a run's wrong outputs, worst first, then counts by length and by token."""
    _show_run("", found.record, suite, console)
    right = sum(row["right"] is True for row in found.rows)
    console.print(
        f"{found.split}: {right:,} of {len(found.rows):,} right, {len(found.wrong):,} wrong"
    )
    if not found.wrong:
        return
    # a tagger's output is the source with marks, which need not stand there twice
    titles = ["output", "reference"] if found.tagging else ["source", "output", "reference"]
    grid = _grid(titles)
    for row in found.wrong[:SHOWN]:
        ended = "" if row["ended"] else " (no end)"
        texts = {**row, "output": row["output"] + ended}
        grid.add_row(*(one_line(str(texts[title])) for title in titles))
    console.print(grid)
    _say_more(len(found.wrong), console)
    console.print()
    _show_counts(found, console)


def _show_counts(found: Mistakes, console: Console) -> None:
    """Print what is wrong by the length of the source, and by token."""
    title = metrics.score(found.ranked).title if found.ranked else "score"
    lengths = [_length(row, title) for row in found.lengths]
    print_table(TextTable("by length of the source", lengths, []), console)
    missed = [_token(row) for row in found.tokens if row["missing"]][:SHOWN]
    if missed:
        console.print()
        notes = ["missing: in a reference more often than in its output; instead: the other way"]
        if found.tagging:
            notes = ["missing: words with a wrong label"]
        print_table(TextTable("by token, most often missing", missed, notes), console)


def _show_run(label: str, record: Record, suite: Mapping[str, Any], console: Console) -> None:
    name = naming.name(record.variant, suite)
    text = f"{label}{record.id}  {record.task}  {name}  seed {record.seed}"
    print_broken(text, console, "bold")


def show_difference(found: Difference, suite: Mapping[str, Any], console: Console) -> None:
    """Print in how many examples two runs are right, and their outputs side by side."""
    _show_run("a  ", found.first, suite, console)
    _show_run("b  ", found.second, suite, console)
    counts = found.counts
    console.print(
        f"{found.split}: {counts['examples']:,} examples, {counts['same_output']:,} with the same "
        "output"
    )
    if counts["both"] is not None:
        console.print(
            f"right: both {counts['both']:,}, a alone {counts['first']:,}, "
            f"b alone {counts['second']:,}, none {counts['none']:,}"
        )
    if not found.pairs:
        return
    grid = _grid(["source", "reference", "a", "b"])
    for ours, theirs in found.pairs[:SHOWN]:
        texts = [ours["source"], ours["reference"], _marked(ours), _marked(theirs)]
        grid.add_row(*map(one_line, texts))
    console.print(grid)
    _say_more(len(found.pairs), console)


def _marked(row: ExampleRow) -> str:
    """Return an output with a mark if it is right."""
    return f"✓ {row['output']}" if row["right"] else row["output"]


def _grid(titles: Sequence[str]) -> Table:
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title in titles:
        grid.add_column(title, overflow="fold", ratio=1)
    return grid


def _say_more(count: int, console: Console) -> None:
    if count > SHOWN:
        print_broken(f"{count - SHOWN:,} more: --json prints all", console, "dim")


def _length(row: LengthRow, title: str) -> Texts:
    several = row["longest"] > row["shortest"]
    return {
        "symbols": f"{row['shortest']} to {row['longest']}" if several else str(row["shortest"]),
        "examples": f"{row['examples']:,}",
        "right": metrics.share(row["right"] / row["examples"]),
        f"mean {title}": "" if row["score"] is None else f"{row['score']:.3g}",
    }


def _token(row: TokenRow) -> Texts:
    return {
        "token": one_line(row["token"]),
        "in references": f"{row['wanted']:,}",
        "missing": f"{row['missing']:,}",
        "share missing": metrics.share(row["missing"] / row["wanted"]),
        "instead": f"{row['instead']:,}" if row["instead"] else "",
    }


def show_scores(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print the scores of runs by one metric, and how it was computed."""
    name = str(rows[0]["metric"])
    metric = metrics.score(TITLES.get(name, name))
    title = name if metric.title == name else metric.title
    lines = [
        {
            "run": str(row["run"]),
            "task": str(row["task"]),
            "seed": str(row["seed"]),
            "split": str(row["split"]),
            title: f"{row['score']:.4g}",
        }
        for row in rows
    ]
    signatures = dict.fromkeys(str(row["signature"]) for row in rows if row["signature"])
    print_table(TextTable(f"{title} of kept outputs", lines, list(signatures)), console)
