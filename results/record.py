"""Defines the record of a finished run: its spec, its outcome, and what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Trend = Literal["flattened", "still rising", "cannot tell"]
"""Says whether a run had flattened when training ended (`results.stats.flattening`)."""
STATUSES = ("solved", "finished", "diverged", "failed")
"""Every status that a finished run can have."""
SPENT_KEYS = ("steps", "tokens", "seconds")
"""Kinds of budget, of which a run has exactly one."""
SPEC_KEYS = ("task", "variant", "seed", "budget", "device")
"""Keys that every spec must have; its other keys matter only to whoever trains the run."""
HEAVY = {"outcome": ("curve", "samples", "traceback", "health", "layers"), "measured": ("clock",)}
"""Large values that tables do not need. The store keeps them in a table of their own, so that
reading all runs for a table stays fast."""


TUNED = "tuned"
"""Stands for the value of an axis that tuning chose, in the names of variants."""


@dataclass(frozen=True)
class TunedAxes:
    """Says on which axes a run has the values that tuning chose for its variant.

    candidates: number of combinations that were tried. edges: axes on which the choice is the
    smallest or largest value that was tried.
    """

    axes: tuple[str, ...]
    candidates: int
    edges: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """Holds a finished run as plain, JSON-compatible values.

    Attributes:
        id: hash of the spec.
        spec: everything that determines the outcome.
        outcome: what the run produced; deterministic, so two equal specs have equal outcomes.
        measured: times, memory and machine; never compared for equality.
        trend: whether the run had flattened, if this was read from its curve and the curve itself
            was left in the store; None if not.
        tuned: what tuning chose of it, as far as the store that it was read from says; no part of
            the run.
    """

    id: str
    spec: Mapping[str, Any]
    outcome: Mapping[str, Any]
    measured: Mapping[str, Any]
    trend: Trend | None = field(default=None, compare=False)
    tuned: TunedAxes | None = field(default=None, compare=False)

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Record:
        """Build a record from plain values.

        Raises:
            ValueError: a part or a key of the spec is missing, or the status is unknown.
        """
        parts = ("id", "spec", "outcome", "measured")
        missing_parts = [part for part in parts if part not in plain]
        if missing_parts:
            raise ValueError(f"a record has no {' and no '.join(missing_parts)}")
        record = cls(*(plain[part] for part in parts))
        # only what this package reads is checked; the rest of a spec belongs to its runner
        missing_keys = [key for key in SPEC_KEYS if key not in record.spec]
        if missing_keys:
            raise ValueError(f"a record's spec has no {' and no '.join(missing_keys)}")
        if record.status not in STATUSES:
            raise ValueError(f"a record's status {record.status!r} is none of {STATUSES}")
        return record

    def plain(self) -> dict[str, Any]:
        """Return the record as a dict that can be written as JSON."""
        return {
            "id": self.id,
            "spec": dict(self.spec),
            "outcome": dict(self.outcome),
            "measured": dict(self.measured),
        }

    @property
    def status(self) -> str:
        """The status: solved, finished, diverged or failed."""
        return str(self.outcome.get("status"))

    @property
    def task(self) -> str:
        """The task's label, with its settings if they differ from the defaults."""
        return str(self.spec["task"])

    @property
    def stopped_at_target(self) -> bool:
        """True if training ended at the task's target, with some of the budget unused."""
        budget = self.spec["budget"]
        if budget["stop"] != "solved" or self.status != "solved":
            return False
        return not any(budget[key] and self._spent(key) >= budget[key] for key in SPENT_KEYS)

    def _spent(self, key: str) -> float:
        """Return how much training took of a budget of steps, tokens or seconds."""
        if key == "seconds":
            return self.measured.get("train_seconds") or 0
        return self.outcome.get(key) or 0

    @property
    def variant(self) -> Mapping[str, Any]:
        """The value of every axis, by the axis's name."""
        variant: Mapping[str, Any] = self.spec["variant"]
        return variant

    @property
    def named(self) -> Mapping[str, Any]:
        """The variant as tables name it: with TUNED instead of values that tuning chose."""
        if self.tuned is None:
            return self.variant
        return {**self.variant, **dict.fromkeys(self.tuned.axes, TUNED)}

    @property
    def trained_beside(self) -> int:
        """Number of other runs that were trained at the same time, on other cores or with it."""
        beside, together = self.measured.get("beside") or 0, self.measured.get("replicas") or 1
        return int(beside) + int(together) - 1

    @property
    def seed(self) -> int:
        """The seed of all random draws of the run."""
        return int(self.spec["seed"])


def deciding_metric(records: Iterable[Record]) -> str:
    """Return the key of the score that decides; `score` if no run got far enough to name it."""
    return next((str(r.outcome["metric"]) for r in records if "metric" in r.outcome), "score")
