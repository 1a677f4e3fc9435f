"""Joins tasks, variants and results: plans a matrix, trains and evaluates it, and has the commands.

For scripts and notebooks:

    bench.run("reversal", cell=["gru", "lstm"], seeds=5)    trains, and returns the tables
    bench.runs(), bench.curves(), bench.outputs(RUN)        what a store holds, as DataFrames
    bench.score(RUN, METRIC)                                outputs scored again
    bench.compare(A, B), bench.axis(NAME), bench.claim(NAME)   verdicts
    bench.diagnose(RUN)                                     why a run did not learn
    bench.task(LABEL), bench.model(VARIANT, task=LABEL)     data and models
    bench.load(RUN)                                         a trained model that translates
    bench.plot                                              pictures of the same
    bench.register(FILE)                                    parts and tasks of your own
    bench.examine, bench.watch                              a model, or a training, of your own

Importing `bench` loads nothing else: each of these is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.notebook import plot
    from bench.notebook.frames import curves, outputs, runs, score
    from bench.notebook.models import load, model, task
    from bench.notebook.parts import register
    from bench.notebook.questions import axis, claim, compare, diagnose
    from bench.notebook.work import run
    from bench.watching.examine.examine import examine
    from bench.watching.watch import watch

__all__ = [
    "axis",
    "claim",
    "compare",
    "curves",
    "diagnose",
    "examine",
    "load",
    "model",
    "outputs",
    "plot",
    "register",
    "run",
    "runs",
    "score",
    "task",
    "watch",
]
_HOMES = {
    "bench.notebook.frames": ("curves", "outputs", "runs", "score"),
    "bench.notebook.models": ("load", "model", "task"),
    "bench.notebook.parts": ("register",),
    "bench.notebook.questions": ("axis", "claim", "compare", "diagnose"),
    "bench.notebook.work": ("run",),
}
_FOR_STRANGERS = {"examine": "bench.watching.examine.examine", "watch": "bench.watching.watch"}
"""Functions for code that knows nothing of this suite, and may have a tasks.py of its own."""


def __getattr__(name: str) -> Any:
    """Load what is for Python callers when it is asked for, so that help appears at once."""
    if name == "plot":
        return import_module("bench.notebook.plot")
    if name in _FOR_STRANGERS:
        from bench.packages import own_packages

        with own_packages():
            return getattr(import_module(_FOR_STRANGERS[name]), name)
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'bench' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return what is for Python callers, so that a notebook completes it."""
    return [*globals(), *__all__]
