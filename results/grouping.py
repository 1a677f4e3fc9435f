"""Groups the runs that may be compared, and names what each group has in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from results import naming
from results.record import Record

LIMITS = ("steps", "tokens", "seconds")
UNSEEN = ("torch", "data", "execution", "numerics", "host")
"""Of a spec: what a setting does not name unless runs differ in it."""


def grouped(records: Iterable[Record]) -> dict[tuple[str, str], list[Record]]:
    """Runs that may be compared, by task and setting, in order.

    Runs that read alike but differ in what a run's id holds beyond variant and seed (torch's
    version, the data, ...) are kept apart too, and then the setting says in what.
    """
    alike: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        alike.setdefault((record.task, group_text(record)), []).append(record)
    found: dict[tuple[str, str], list[Record]] = {}
    for (task, setting), group in alike.items():
        unlike = [key for key in UNSEEN if len({_compared(r, key) for r in group}) > 1]
        signatures = sorted({signed for r in group if (signed := signature(r.outcome))})
        for record in group:
            said = [f"{key} {_compared(record, key)}" for key in unlike]
            if len(signatures) > 1:
                # a run without scores, being failed, goes with the first
                said.append(f"scored by {signature(record.outcome) or signatures[0]}")
            found.setdefault((task, ", ".join([setting, *said])), []).append(record)
    return dict(sorted(found.items()))


def _compared(record: Record, key: str) -> Any:
    """What must be alike. Vectors that a variant starts from belong to it, not to the task."""
    value = record.spec.get(key)
    return value.partition("+")[0] if key == "data" and isinstance(value, str) else value


def signature(outcome: Mapping[str, Any]) -> str | None:
    """How the deciding score was made, where its scorer says so."""
    signed = outcome.get("signatures", {}).get(outcome.get("metric"))
    return None if signed is None else str(signed)


def group_text(record: Record) -> str:
    """What must be alike for runs to stand in one table: budget, device, and how they scored."""
    budget = record.spec["budget"]
    limit = next(f"{_exactly(budget[k])} {k}" for k in LIMITS if budget[k])
    parts = [limit, f"batch {budget['batch']}", str(record.spec["device"])]
    parts += [f"evaluated every {budget['every']}"] if budget["every"] else []
    parts += ["no early stop"] if budget["stop"] != "solved" else []
    parts += [str(record.spec["fault"])] if record.spec["fault"] else []
    if record.spec["decoding"] != "greedy":
        parts.append(str(record.spec["decoding"]))
    return ", ".join(parts)


def budget(setting: str) -> str:
    """What a setting begins with: `800 steps`."""
    return setting.partition(",")[0]


def _exactly(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def by_variant(records: list[Record], base: Mapping[str, Any]) -> dict[str, list[Record]]:
    """Runs by their variant's name; where one name is another thing by another plugin or other
    vectors, with what tells them apart."""
    named: dict[str, dict[str, list[Record]]] = {}
    for record in records:
        versions = named.setdefault(naming.name(record.variant, base), {})
        plugin, vectors = record.spec.get("plugin"), record.spec.get("data", "").partition("+")[2]
        said = [f"plugin {plugin}"] * bool(plugin) + [f"vectors {vectors}"] * bool(vectors)
        versions.setdefault(", ".join(said), []).append(record)
    return {
        name if len(versions) == 1 else f"{name} [{said}]": runs
        for name, versions in named.items()
        for said, runs in versions.items()
    }


def core_share(records: Iterable[Record]) -> float | None:
    """Of the time of a run, what its process had a core for, at the least; None where no run says.
    What is missing went to other programs, or was waited for."""
    shares = [record.measured.get("core_share") for record in records]
    return min((share for share in shares if share is not None), default=None)


def test_score(outcome: Mapping[str, Any]) -> float | None:
    """The test score that decides; None if the run has none."""
    score = outcome.get("scores", {}).get("test", {}).get(outcome.get("metric"))
    return None if score is None else float(score)
