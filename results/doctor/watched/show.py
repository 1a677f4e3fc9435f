"""Prints what was found in a training that was watched, for someone who wants to correct it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from results.doctor.examined import SURE, Finding
from results.doctor.watched import Watched

LABEL_WIDTH = 11
"""Columns before the texts of a finding, which stand below each other."""
SURE_STYLE, LIKELY_STYLE = "bold red", "bold yellow"


def show(watched: Watched, findings: Sequence[Finding], console: Console) -> None:
    """Print findings with their evidence and what to change, and what could not be seen."""
    for number, finding in enumerate(findings, 1):
        style = SURE_STYLE if finding.sure == SURE else LIKELY_STYLE
        console.print(Text(f"{number}. {finding.cause} ({finding.sure})", style))
        for label, text, text_style in _parts(finding, watched):
            _print_part(label, text, text_style, console)
        console.print()
    if not findings:
        count = f"{watched.steps:,} training steps" if watched.steps else "what was seen"
        console.print(f"nothing found in {count}")
    for sentence in watched.unseen:
        _print_part("not seen", sentence, "dim", console, indent="")


def _parts(finding: Finding, watched: Watched) -> Iterator[tuple[str, str, str]]:
    """Yield the label, text and style of each part of a finding that is known."""
    if finding.place:
        yield "where", finding.place, ""
    for place, line in watched.lines.items():
        if _names(finding.place, place):
            yield "", f"| {line}", "cyan"
    yield "seen", finding.evidence, ""
    if finding.why:
        yield "why", finding.why, ""
    yield "change", finding.change, "green"


def _names(text: str, place: str) -> bool:
    """Return whether a text names a place; train.py:1 is not in train.py:12."""
    return any(word.strip(",;()") == place for word in text.split())


def _print_part(label: str, text: str, style: str, console: Console, indent: str = "   ") -> None:
    """Print a text after its label; further lines stand below the first."""
    room = max(console.width - LABEL_WIDTH, 20)
    lines = Text(text).wrap(console, room) if label else [Text(text[:room])]
    for number, line in enumerate(lines):
        head = f"{indent}{label}" if number == 0 else ""
        line.rstrip()
        line.stylize(style)
        console.print(Text(head.ljust(LABEL_WIDTH), "dim") + line, soft_wrap=True)
