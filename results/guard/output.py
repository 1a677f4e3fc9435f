"""A guard's verdicts: on the terminal, as Markdown for a job's summary, as JUnit XML."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from rich.console import Console

from results.guard.verdict import FAIL, UNSURE, GuardRow, exit_code
from results.show.terminal import show_texts

HEADINGS = {
    "timed": "time, against the reference",
    "exact": "counts, against the baseline",
    "quality": "quality, against the reference",
}
SUMMARIES = {0: "fine", 1: "failed", 3: "cannot tell"}


def show_guard(rows: Sequence[GuardRow], console: Console) -> None:
    """A table a kind. Of what is the same, only how much."""
    for kind, heading in HEADINGS.items():
        some = [row for row in rows if row["kind"] == kind]
        if some:
            told = [_texts(row) for row in some if row["verdict"] != "same"]
            same = len(some) - len(told)
            said = [f"{same:,} the same"] if same else []
            show_texts(heading, told, said + notes(some), console) if told else console.print(
                f"{heading}: {'; '.join([*said, *notes(some)])}", soft_wrap=True
            )
            console.print()
    console.print(f"guard: {SUMMARIES[exit_code(rows)]}")


def _texts(row: GuardRow) -> dict[str, str]:
    if row["kind"] == "timed":
        return {
            "subject": row["subject"],
            "verdict": row["verdict"],
            "ratio": _number(row["ratio"]),
            "interval": "" if row["low"] is None else f"{row['low']:.3f}-{row['high']:.3f}",
            "itself": _number(row.get("again_ratio")),
            "planted": _number(row.get("planted_ratio")),
            "rounds": "+".join(map(str, row["rounds"])),
            "counts that differ": ", ".join(
                f"{name} {before:,} → {now:,}"
                for name, (before, now) in row.get("counts", {}).items()
                if before is not None and now is not None
            ),
            "why": row.get("why", ""),
        }
    if row["kind"] == "exact":
        return {
            "subject": row["subject"],
            "verdict": row["verdict"],
            "count": row["count"],
            "baseline": "" if row["before"] is None else f"{row['before']:,}",
            "now": "" if row["now"] is None else f"{row['now']:,}",
        }
    return {
        "subject": row["subject"],
        "verdict": row["verdict"],
        "measure": row["measure"],
        "effect": row.get("effect", ""),
        "seeds": str(row.get("pairs", "")),
        "p": "" if row.get("p") is None else f"{row['p']:.3f}",
        "why": row["why"],
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def notes(rows: Sequence[GuardRow]) -> list[str]:
    """What has to be said below the rows of one kind."""
    proven = [row for row in rows if "trials" in row]
    if not proven:
        return []
    trials = sum(row["trials"] for row in proven)
    alarms = sum(row["false_alarms"] for row in proven)
    missed = sum(row["missed"] for row in proven)
    said = [
        f"its own proof: {alarms} of {trials} comparisons of the reference with itself raised an "
        f"alarm, {missed} of {trials} planted slow-downs of 10 % were missed",
    ]
    if any(row["verdict"] in UNSURE for row in proven):
        said.append("cannot tell: too noisy here, or too short; --minutes gives it more time")
    return said


def markdown(rows: Sequence[GuardRow]) -> str:
    """All that is not the same, as tables."""
    parts = [f"### bench guard: {SUMMARIES[exit_code(rows)]}"]
    for kind, heading in HEADINGS.items():
        some = [row for row in rows if row["kind"] == kind]
        texts = [_texts(row) for row in some if row["verdict"] != "same"]
        if not some:
            continue
        lines = [f"**{heading}**", ""]
        if texts:
            used = [title for title in texts[0] if any(text.get(title) for text in texts)]
            lines.append("| " + " | ".join(used) + " |")
            lines.append("|" + " --- |" * len(used))
            lines += [
                "| " + " | ".join(text[title].replace("|", "\\|") for title in used) + " |"
                for text in texts
            ]
        same = len(some) - len(texts)
        said = ([f"{same:,} the same"] if same else []) + notes(some)
        parts.append("\n".join(lines) + "".join(f"\n\n{note}." for note in said))
    return "\n\n".join(parts) + "\n"


def junit(rows: Sequence[GuardRow]) -> str:
    """A test case a row: what fails is a failure, what cannot be told an error."""
    failed = sum(row["verdict"] in FAIL for row in rows)
    unsure = sum(row["verdict"] in UNSURE for row in rows)
    counts = {"tests": str(len(rows)), "failures": str(failed), "errors": str(unsure)}
    suite = ElementTree.Element("testsuite", {"name": "bench guard", **counts})
    for row in rows:
        name = " ".join(filter(None, [row["subject"], row.get("count"), row.get("measure")]))
        case = ElementTree.SubElement(suite, "testcase", classname=row["kind"], name=name)
        text = ", ".join(f"{key} {value}" for key, value in _texts(row).items() if value)
        if row["verdict"] in FAIL:
            ElementTree.SubElement(case, "failure", message=row["verdict"]).text = text
        elif row["verdict"] in UNSURE:
            ElementTree.SubElement(case, "error", message=row["verdict"]).text = text
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
