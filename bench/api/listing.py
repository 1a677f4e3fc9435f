"""Lists the tasks, matrices, axes and faults that a user can name."""

from __future__ import annotations

from typing import Any

from bench.doctor.faults import FAULTS
from bench.plan import matrix_file
from tasks import TASKS, describe
from variants import AXES, TOGETHER, axes


def listing() -> list[dict[str, Any]]:
    """Return a row per task, matrix, axis and fault; `kind` says which of these it is."""
    return [
        *(
            {
                "kind": "task",
                "name": task.name,
                "about": task.about,
                "settings": describe(task.name),
            }
            for task in TASKS
        ),
        *(
            {"kind": "matrix", "name": name, "about": matrix_file.about(name)}
            for name in matrix_file.names()
        ),
        *(
            {
                "kind": "axis",
                "name": name,
                "about": axis.metadata["about"],
                "base": axis.default,
                "values": axes.values(name) or None,
            }
            for name, axis in AXES.items()
        ),
        *({"kind": "fault", "name": name, "about": fault.about} for name, fault in FAULTS.items()),
    ]


def described_listing() -> list[dict[str, Any]]:
    """Return the rows of `listing` with what else tables show.

    tasks: to which a fault applies. together: shorthands that set an axis. meanings: of the values
    of an axis.
    """
    rows = listing()
    for row in rows:
        if row["kind"] == "fault":
            row["tasks"] = FAULTS[row["name"]].tasks
        elif row["kind"] == "axis":
            row["together"] = [short for short, set_ in TOGETHER.items() if row["name"] in set_]
            parts = axes.registry(row["name"])
            row["meanings"] = {value: axes.meaning(part) for value, part in parts.items()}
    return rows
