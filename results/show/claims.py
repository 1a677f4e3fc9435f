"""Claims and their verdicts as a person reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.text import Text

from results.compare.measures import measure
from results.compare.pairs import ComparisonRow
from results.grouping import test_score
from results.record import Record
from results.show import verdicts
from results.show.terminal import show_texts


def show_all(rows: Sequence[ComparisonRow], console: Console) -> None:
    """A line a comparison; several of one claim stand together."""
    show_texts("claims", [_texts(row) for row in rows], _notes(rows), console)


def show_one(
    about: Mapping[str, Any],
    rows: Sequence[ComparisonRow],
    sides: Mapping[str, Sequence[Record]],
    console: Console,
) -> None:
    """A claim in full, with what each side came to and what the doctor found in it."""
    console.print(Text(f"{about['claim']}: {about['about']}", style="bold"))
    for key in ("source", "reported", "checked", "scaled"):
        console.print(Text(f"{key}: {about[key]}"))
    console.print(Text(f"tried on {about['task']}, {about['budget']}:"))
    for side, name in about["sides"].items():
        console.print(Text(f"  {side}: {name}"))
    console.print()
    ran = [_side_texts(side, records) for side, records in sides.items() if records]
    if ran:
        show_texts("each side", ran, ["found: by bench doctor"], console)
        console.print()
    show_texts("what came out", [_texts(row) for row in rows], _notes(rows), console)
    console.print(Text(f"do its runs with: bench claims run {about['claim']}", style="dim"))


def _side_texts(side: str, records: Sequence[Record]) -> dict[str, str]:
    metric = next((str(r.outcome["metric"]) for r in records if "metric" in r.outcome), "score")
    known = measure(metric)
    losses = [p[-1]["loss"] for r in records if (p := r.outcome.get("curve"))]
    scores = [score for r in records if (score := test_score(r.outcome)) is not None]
    solved = sum(r.outcome.get("to_target") is not None for r in records)
    found = Counter(cause for r in records for cause in r.outcome.get("findings", ()))
    examined = sum("findings" in r.outcome for r in records)
    return {
        "side": side,
        "loss at the end": "" if not losses or None in losses else f"{fmean(losses):.4f}",
        known.title: known.write_value(fmean(scores)) if scores else "none",
        "solved": f"{solved}/{len(records)}",
        "found": ", ".join(f"{cause} {n}/{examined}" for cause, n in found.items())
        or ("nothing" if examined else "not examined"),
    }


def _texts(row: ComparisonRow) -> dict[str, str]:
    texts = {"claim": f"{row['claim']}: {row['says']}", "here": word(row)}
    if row["refused"]:
        return texts | {"effect": "no runs" if not row["pairs"] else row["refused"]}
    effect = verdicts.effect_text(row)
    if row["near"] is not None:
        known = measure(row["measure"])
        effect += f" (a {known.write_value(row['a_mean'])})"
    return texts | {
        "effect": effect,
        "95% interval": verdicts.interval_text(row),
        "seeds": str(row["pairs"]),
        "p": f"{row['p_adjusted']:.3f}",
    }


def word(row: ComparisonRow) -> str:
    """`reproduced`, or `undecided: 3 more seeds`."""
    more = row["more_seeds"] if row["word"] == "undecided" else None
    return str(row["word"]) + (f": {more} more" if more else "")


def _notes(rows: Sequence[ComparisonRow]) -> list[str]:
    counts = Counter({row["claim"]: row["verdict_of_claim"] for row in rows}.values())
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    names = {row["measure"] for row in rows if row["pairs"]}
    titles = ", ".join(sorted(measure(name).title for name in names))
    return [f"{counts.total()} claims: {said}", *([f"effects on {titles}"] if titles else [])]
