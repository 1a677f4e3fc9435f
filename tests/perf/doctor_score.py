"""Scores how well the doctor's findings name the planted faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from results.doctor.examined import examined_run
from results.doctor.rules import findings
from results.grouping import test_score
from results.record import Record
from results.show.terminal import print_table
from results.tables.text import TextTable

FALL = 0.05
"""Fall of the test score (0 to 1; BLEU divided by 100) that counts as harm."""
LONGER = 1.5
"""Ratio of tokens to the target that counts as harm."""
HARMLESS, NOTHING = "no harm", "nothing found"


@dataclass(frozen=True)
class Case:
    """A run with a fault, what was found in it, and whether it fell behind its healthy twin."""

    fault: str
    task: str
    found: tuple[str, ...]
    harmed: bool


def case(fault: str, run: Record, twin: Record) -> Case:
    """Return the case of a faulty run, judged by the same run without the fault."""
    return Case(fault, run.task, causes(run), harmed(run, twin))


def causes(run: Record) -> tuple[str, ...]:
    """Return the causes found in a run, most certain first; none if it was not examined."""
    examined = examined_run(run)
    return tuple(found.cause for found in findings(examined)) if examined else ()


def harmed(run: Record, twin: Record) -> bool:
    """Return whether the score fell by FALL, or the target was missed or took LONGER."""
    mine, other = (_share(record) for record in (run, twin))
    if mine < other - FALL:
        return True
    reached, before = run.outcome.get("to_target"), twin.outcome.get("to_target")
    if before is None:
        return False
    return reached is None or reached["tokens"] > LONGER * before["tokens"]


def _share(record: Record) -> float:
    score = test_score(record.outcome)
    if score is None:
        return 0.0
    return score / 100 if record.outcome.get("metric") in ("bleu", "chrf") else score


def summary(cases: Sequence[Case], healthy: Iterable[Record]) -> dict[str, Any]:
    """Return the shares of harmful faults named first and among the first two.

    The row also holds the share of healthy runs in which anything is found.
    """
    harmful = [case for case in cases if case.harmed]
    sound = [causes(record) for record in healthy]
    return {
        "faults": len({case.fault for case in harmful}),
        "runs": len(harmful),
        "first": _mean(case.found[:1] == (case.fault,) for case in harmful),
        "first_two": _mean(case.fault in case.found[:2] for case in harmful),
        "harmless_runs": len(cases) - len(harmful),
        "healthy_runs": len(sound),
        "false_findings": _mean(bool(found) for found in sound),
        "false_causes": dict(Counter(found[0] for found in sound if found)),
    }


def _mean(values: Iterable[bool]) -> float:
    flags = list(values)
    return sum(flags) / len(flags) if flags else 0.0


def confusion(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Return a row per fault: how many runs it harmed, and which cause was named first."""
    rows = []
    for fault in dict.fromkeys(case.fault for case in cases):
        of_fault = [case for case in cases if case.fault == fault]
        harmful = [case for case in of_fault if case.harmed]
        named = Counter(case.found[0] if case.found else NOTHING for case in harmful)
        rows.append(
            {
                "fault": fault,
                "runs": len(of_fault),
                "harmed": len(harmful),
                "named": named.pop(fault, 0),
                "otherwise": dict(named.most_common()),
            }
        )
    return rows


def show(cases: Sequence[Case], healthy: Sequence[Record], half: str, console: Console) -> None:
    """Print the confusion table and its summary."""
    texts = [
        {
            "fault": row["fault"],
            "named first": f"{row['named']}/{row['harmed']}" if row["harmed"] else HARMLESS,
            "runs": str(row["runs"]),
            "otherwise": ", ".join(f"{cause} {n}" for cause, n in row["otherwise"].items()),
        }
        for row in confusion(cases)
    ]
    totals = summary(cases, healthy)
    false = ", ".join(f"{cause} {n}" for cause, n in totals["false_causes"].items())
    notes = [
        f"{totals['runs']} runs harmed by {totals['faults']} faults: "
        f"named first {totals['first']:.1%}, among the first two {totals['first_two']:.1%}; "
        f"{totals['harmless_runs']} runs unharmed",
        f"{totals['healthy_runs']} healthy runs: something found in {totals['false_findings']:.1%}"
        + (f" ({false})" if false else ""),
    ]
    print_table(TextTable(f"faults planted, {half}", texts, notes), console)
