"""Renders claims as Markdown: docs/claims.md, by `bench claims show --markdown`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.cli.pages.tables import markdown_table
from results.compare.claims import OTHER_WAY, REPRODUCED, REVERSED, ClaimRow
from results.compare.measures import measure
from results.tables.claims import claim_verdict_text, verdict_counts
from results.tables.effects import effect_text, interval_text

CLAIMS_HEAD = """# Claims: what others reported, tested here

This page says which published results, and which observations of the documents that the project
started from, came out the same way in this suite. `bench claims run` does the runs and prints the
verdicts; `bench claims show --markdown > docs/claims.md` then writes this page, the verdicts from
the store and all else from the files of the claims. A test holds all but the verdicts current.

A claim is a file in [bench/claims](../bench/claims): its source, the reported figures, and the
task, model size and budget to which it was scaled down (`bench claims show NAME` prints it all). A
small task need not bear out a large one: a verdict holds for the task and budget used here. Each
claim says how its source trained, as far as this project was told, and how it is tried here: at one
rate or tuned, for how long, and to the end or until flat. The published figures were taken as given
to this project and were not checked against the papers.

| verdict of a claim | meaning |
| --- | --- |
| reproduced | the comparison came out as reported |
| the other way round at this budget | the other side was ahead, after this much training at these \
rates; with more, or with a rate for each side, the order may turn |
| reversed | the same, where each side had the rate that was tuned for it, not the smallest or \
largest tried, and both had flattened |
| a difference at this budget | there is one, and none was reported |
| another value | the comparison came out as reported, but not the value of a side |
| no difference | no difference that matters was seen |
| not significant yet (about n more seeds) | so many would settle it if the difference stays as it \
is: `bench claims run NAME --seeds N` |
| ..., each side tuned | validation chose the learning rate of each side, of the same candidates, \
on seeds that are not reported |
| not run yet, not compared | there are no runs, or what is compared was not measured in them |

How the comparison itself is decided: [verdicts](verdicts.md). What went wrong in the experiments of
the students, and how it was found: [doctor](doctor.md)."""
VERDICTS_HEADING = "## Verdicts"
"""Opens the section of verdicts, the only one that depends on runs."""
CLAIMS_HEADING = "## Claims"
"""Opens the section of sources, reported figures and sides."""
WHOLE_CLAIM = (
    "A claim with several comparisons is reproduced only if each of them is. The verdict is "
    "that at the end of training; along the curves stands who was ahead when, with less of it."
)
"""Says what the verdict on a claim is made of, and what stands beside it."""
IN_BOLD = (REPRODUCED, REVERSED, OTHER_WAY)
"""Verdicts that are printed in bold."""


def claims_page(claims: Sequence[Mapping[str, Any]], rows: Sequence[ClaimRow]) -> str:
    """Return a page with a table of verdicts, if there are runs, and one of how claims are tried.

    Args:
        claims: Descriptions of the claims.
        rows: Their comparisons, each with its verdict.
    """
    header = ["claim", "says", "source", "reported", "tried on", "sides"]
    table = markdown_table(header, [_claim_cells(claim) for claim in claims])
    verdicts = [_verdicts(rows)] if any(row["pairs"] for row in rows) else []
    return "\n\n".join([CLAIMS_HEAD, *verdicts, f"{CLAIMS_HEADING}\n\n{table}"]) + "\n"


def _claim_cells(claim: Mapping[str, Any]) -> list[str]:
    return [
        f"`{claim['claim']}`",
        "; ".join(claim["says"]),
        claim["source"],
        f"{claim['reported']}; trained: {claim['trained']}",
        f"{claim['task']}, {claim['budget']}; {claim['rates']}; {claim['scaled']}; {claim['cost']}",
        "; ".join(f"{side}: `{name}`" for side, name in claim["sides"].items()),
    ]


def _verdicts(rows: Sequence[ClaimRow]) -> str:
    """Return the section of verdicts."""
    header = ["claim", "reported by", "here", "effect, 95 % interval", "along the curves"]
    table = markdown_table(header, [_verdict_cells(row) for row in rows])
    return f"{VERDICTS_HEADING}\n\n{verdict_counts(rows)}. {WHOLE_CLAIM}\n\n{table}"


def _verdict_cells(row: ClaimRow) -> list[str]:
    verdict = f"**{row['word']}**" if row["word"] in IN_BOLD else claim_verdict_text(row)
    return [f"`{row['claim']}`: {row['says']}", row["source"], verdict, _effect(row), row["along"]]


def _effect(row: ClaimRow) -> str:
    """Return an effect with its interval as text, or why there is none."""
    if row["refused"]:
        return str(row["refused"]) if row["runs"] else ""
    known = measure(row["measure"])
    text = f"{known.title} {effect_text(row)} ({interval_text(row)})"
    if row["near"] is not None and row["a_mean"] is not None:
        mean, reported = (known.write_value(value) for value in (row["a_mean"], row["near"]))
        text += f"; stands at {mean}, reported {reported}"
    return text
