"""Renders claims as Markdown, for `bench claims show --markdown`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.cli.tables import markdown_table
from results.compare.claims import ClaimRow
from results.compare.measures import measure
from results.tables.claims import claim_verdict_text
from results.tables.effects import effect_text, interval_text

HEAD = """# What others reported

Each claim is a file in `bench/claims` with its source, the reported figures and what it was scaled
down to for this suite. A small task need not confirm a result of a large one: verdicts are of the
task and budget named here. Made by `bench claims show --markdown`."""
IN_BOLD = ("reproduced", "reversed")
"""Verdicts that are printed in bold."""


def claims_page(claims: Sequence[Mapping[str, Any]], rows: Sequence[ClaimRow]) -> str:
    """Return a page with a table of verdicts, if there are runs, and one of how claims are tried.

    Args:
        claims: Descriptions of the claims.
        rows: Their comparisons, each with its verdict.
    """
    parts = [HEAD]
    if any(row["pairs"] for row in rows):
        header = ["claim", "reported by", "here", "effect, 95 % interval"]
        parts.append(
            "## Verdicts\n\n" + markdown_table(header, [_verdict_cells(row) for row in rows])
        )
    says: dict[str, list[str]] = {}
    for row in rows:
        says.setdefault(row["claim"], []).append(row["says"])
    header = ["claim", "says", "source", "reported", "tried on"]
    cells = [
        [
            f"`{claim['claim']}`",
            "; ".join(says[claim["claim"]]),
            claim["source"],
            claim["reported"],
            f"{claim['task']}, {claim['budget']}; {claim['scaled']}",
        ]
        for claim in claims
    ]
    parts.append("## Claims\n\n" + markdown_table(header, cells))
    return "\n\n".join(parts) + "\n"


def _verdict_cells(row: ClaimRow) -> list[str]:
    verdict = f"**{row['word']}**" if row["word"] in IN_BOLD else claim_verdict_text(row)
    return [f"`{row['claim']}`: {row['says']}", row["source"], verdict, _effect(row)]


def _effect(row: ClaimRow) -> str:
    """Return an effect with its interval as text, or why there is none."""
    if row["refused"]:
        return str(row["refused"]) if row["pairs"] else "no runs"
    known = measure(row["measure"])
    text = f"{known.title} {effect_text(row)} ({interval_text(row)})"
    if row["near"] is not None and row["a_mean"] is not None:
        mean, reported = (known.write_value(value) for value in (row["a_mean"], row["near"]))
        text += f"; stands at {mean}, reported {reported}"
    return text
