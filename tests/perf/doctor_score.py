"""How well findings name what was planted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from results.doctor.rules import chart, findings
from results.grouping import test_score
from results.record import Record
from results.show.terminal import show_texts

FALL = 0.05
"""By which a score (a share; BLEU over 100) falls where a fault does harm."""
LONGER = 1.5
"""Or by which the target takes as many tokens."""
HARMLESS, NOTHING = "no harm", "nothing found"


@dataclass(frozen=True)
class Case:
    """A run with a fault, what was found in it, and whether it fell behind its healthy twin."""

    fault: str
    task: str
    found: tuple[str, ...]
    harmed: bool


def case(fault: str, run: Record, twin: Record) -> Case:
    """Of a run and the same without the fault."""
    return Case(fault, run.task, causes(run), harmed(run, twin))


def causes(run: Record) -> tuple[str, ...]:
    """What is found, in order; a run that failed says so itself."""
    of = chart(run)
    return tuple(one.cause for one in findings(of)) if of else ()


def harmed(run: Record, twin: Record) -> bool:
    """Whether a run fell behind its twin by FALL, never got where it did, or took LONGER."""
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
    """Shares of harmful faults that are named first and among the first two; of sound runs in
    which anything is found."""
    harmful = [one for one in cases if one.harmed]
    sound = [causes(record) for record in healthy]
    return {
        "faults": len({one.fault for one in harmful}),
        "runs": len(harmful),
        "first": _mean(one.found[:1] == (one.fault,) for one in harmful),
        "first_two": _mean(one.fault in one.found[:2] for one in harmful),
        "harmless_runs": len(cases) - len(harmful),
        "healthy_runs": len(sound),
        "false_findings": _mean(bool(found) for found in sound),
        "false_causes": dict(Counter(found[0] for found in sound if found)),
    }


def _mean(values: Iterable[bool]) -> float:
    given = list(values)
    return sum(given) / len(given) if given else 0.0


def confusion(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """A row a fault: how many did harm, and what was named first in those."""
    rows = []
    for fault in dict.fromkeys(one.fault for one in cases):
        some = [one for one in cases if one.fault == fault]
        harmful = [one for one in some if one.harmed]
        named = Counter(one.found[0] if one.found else NOTHING for one in harmful)
        rows.append(
            {
                "fault": fault,
                "runs": len(some),
                "harmed": len(harmful),
                "named": named.pop(fault, 0),
                "otherwise": dict(named.most_common()),
            }
        )
    return rows


def show(cases: Sequence[Case], healthy: Sequence[Record], half: str, console: Console) -> None:
    """The confusion table and what it comes to."""
    texts = [
        {
            "fault": row["fault"],
            "named first": f"{row['named']}/{row['harmed']}" if row["harmed"] else HARMLESS,
            "runs": str(row["runs"]),
            "otherwise": ", ".join(f"{cause} {n}" for cause, n in row["otherwise"].items()),
        }
        for row in confusion(cases)
    ]
    told = summary(cases, healthy)
    false = ", ".join(f"{cause} {n}" for cause, n in told["false_causes"].items())
    notes = [
        f"{told['runs']} runs harmed by {told['faults']} faults: named first {told['first']:.1%}, "
        f"among the first two {told['first_two']:.1%}; {told['harmless_runs']} runs unharmed",
        f"{told['healthy_runs']} healthy runs: something found in {told['false_findings']:.1%}"
        + (f" ({false})" if false else ""),
    ]
    show_texts(f"faults planted, {half}", texts, notes, console)
