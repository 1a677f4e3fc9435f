"""Lists the tasks, matrices, axes and faults that a user can name."""

from __future__ import annotations

from typing import Any

from bench.doctor.faults import FAULTS
from bench.plan import matrix_file
from tasks import TASKS, describe
from variants import AXES, axes


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
