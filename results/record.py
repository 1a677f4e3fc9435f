"""A finished run: what it was, what came out, what was measured. Immutable, plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STATUSES = ("solved", "finished", "diverged", "failed")
SPEC_KEYS = ("task", "variant", "seed", "budget", "device")
"""What of a spec is read here; the rest is for who runs it."""
HEAVY = {"outcome": ("curve", "samples", "traceback", "health"), "measured": ("clock",)}
"""What a table does not need; the store keeps it apart, so that tables stay quick."""


@dataclass(frozen=True)
class Record:
    """id: of the spec. spec: everything that determines the outcome. outcome: deterministic.
    measured: what a clock or a machine said, never compared for equality."""

    id: str
    spec: Mapping[str, Any]
    outcome: Mapping[str, Any]
    measured: Mapping[str, Any]

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Record:
        """From plain values; ValueError if a part is missing or the status unknown."""
        parts = ("id", "spec", "outcome", "measured")
        missing = [part for part in parts if part not in plain]
        if missing:
            raise ValueError(f"a record has no {' and no '.join(missing)}")
        record = cls(*(plain[part] for part in parts))
        odd = [key for key in SPEC_KEYS if key not in record.spec]
        if odd:
            raise ValueError(f"a record's spec has no {' and no '.join(odd)}")
        if record.status not in STATUSES:
            raise ValueError(f"a record's status {record.status!r} is none of {STATUSES}")
        return record

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "id": self.id,
            "spec": dict(self.spec),
            "outcome": dict(self.outcome),
            "measured": dict(self.measured),
        }

    @property
    def status(self) -> str:
        """solved, finished, diverged or failed."""
        return str(self.outcome.get("status"))

    @property
    def task(self) -> str:
        """The task's label."""
        return str(self.spec["task"])

    @property
    def variant(self) -> Mapping[str, Any]:
        """Every axis and its value."""
        variant: Mapping[str, Any] = self.spec["variant"]
        return variant

    @property
    def seed(self) -> int:
        """The seed."""
        return int(self.spec["seed"])
