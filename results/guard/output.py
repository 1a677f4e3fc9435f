"""Prints a guard's verdicts on a terminal, as Markdown for a job's summary, and as JUnit XML."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from rich.console import Console

from results.escapes import for_markdown, one_line, plain
from results.guard.tables import guard_line, guard_summary, guard_tables
from results.guard.verdict import FAIL, UNSURE, GuardRow
from results.show.terminal import print_table
from results.tables.text import TextTable


def show_guard(rows: Sequence[GuardRow], console: Console) -> None:
    """Print a table for each kind of row, and the verdict on everything."""
    for table in guard_tables(rows):
        if table.lines:
            print_table(table, console)
        else:
            console.print(f"{table.heading}: {'; '.join(table.notes)}", soft_wrap=True)
        console.print()
    console.print(f"guard: {guard_summary(rows)}")


def markdown(rows: Sequence[GuardRow]) -> str:
    """Return the same tables in Markdown."""
    title = f"### bench guard: {guard_summary(rows)}"
    return "\n\n".join([title, *map(_markdown_table, guard_tables(rows))]) + "\n"


def _markdown_table(table: TextTable) -> str:
    lines = [f"**{for_markdown(table.heading)}**", ""]
    if table.lines:
        # all lines of a kind have the same columns
        used = [title for title in table.lines[0] if any(line[title] for line in table.lines)]
        lines.append("| " + " | ".join(used) + " |")
        lines.append("|" + " --- |" * len(used))
        for line in table.lines:
            texts = (for_markdown(line[title]) for title in used)
            lines.append("| " + " | ".join(texts) + " |")
    return "\n".join(lines) + "".join(f"\n\n{for_markdown(note)}." for note in table.notes)


def junit(rows: Sequence[GuardRow]) -> str:
    """Return a JUnit report: what fails is a failure, what cannot be told is an error."""
    failed = sum(row["verdict"] in FAIL for row in rows)
    unsure = sum(row["verdict"] in UNSURE for row in rows)
    counts = {"tests": str(len(rows)), "failures": str(failed), "errors": str(unsure)}
    suite = ElementTree.Element("testsuite", {"name": "bench guard", **counts})
    for row in rows:
        names = [row["subject"], row.get("count"), row.get("measure")]
        name = one_line(" ".join(filter(None, names)))
        case = ElementTree.SubElement(suite, "testcase", classname=row["kind"], name=name)
        text = ", ".join(f"{key} {value}" for key, value in guard_line(row).items() if value)
        text = plain(text)  # XML has no form for control characters
        if row["verdict"] in FAIL:
            ElementTree.SubElement(case, "failure", message=row["verdict"]).text = text
        elif row["verdict"] in UNSURE:
            ElementTree.SubElement(case, "error", message=row["verdict"]).text = text
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
