"""Joins tasks, variants and results: expands a matrix, trains, evaluates, and the commands."""

from typing import Any

__all__ = ["examine"]


def __getattr__(name: str) -> Any:
    """`bench.examine`, loaded when it is asked for, so that help stays quick."""
    if name == "examine":
        from bench.doctor.notebook import examine

        return examine
    raise AttributeError(f"module 'bench' has no attribute {name!r}")
