"""Prints what was found in a training that was watched."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from results.doctor.examined import Finding
from results.doctor.watched import Watched


def show(watched: Watched, findings: Sequence[Finding], console: Console) -> None:
    """Print findings with their evidence and what to change, and what could not be seen."""
    for number, finding in enumerate(findings, 1):
        console.print(Text(f"{number}. {finding.cause} ({finding.sure})", "bold"))
        for label, text in (
            ("where", finding.place),
            ("seen", finding.evidence),
            ("why", finding.why),
            ("change", finding.change),
        ):
            if text:
                console.print(Padding(Text(f"{label}: {text}"), (0, 0, 0, 3), expand=False))
    if not findings:
        console.print(f"nothing found in {watched.steps:,} training steps")
    for sentence in watched.unseen:
        console.print(Text(f"not seen: {sentence}", "dim"), soft_wrap=True)
