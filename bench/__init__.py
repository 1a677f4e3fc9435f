"""Joins tasks, variants and results: plans a matrix, trains and evaluates it, and has the commands.

`bench.api` holds what the commands do, for callers in Python; `bench.examine` examines a model of
your own, `bench.watch` watches a training script of your own.
"""

from typing import Any

__all__ = ["examine", "watch"]


def __getattr__(name: str) -> Any:
    """Load what is for Python callers when it is asked for, so that help appears at once."""
    if name == "examine":
        from bench.doctor.notebook import examine

        return examine
    if name == "watch":
        from bench.watch.watch import watch

        return watch
    raise AttributeError(f"module 'bench' has no attribute {name!r}")
