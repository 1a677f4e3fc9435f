"""Runs a plan with a progress bar, and says how to go on when it is stopped."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.shared import STOPPED, CommandError, console, print_notice

if TYPE_CHECKING:
    from rich.console import Console

    from bench.api.run import Cost
    from bench.engines.contract import Engine
    from bench.plan.matrix import Plan
    from bench.specs import RunSpec
    from results.store import Store


def execute_with_progress(
    store: Store,
    plan: Plan,
    cost: Cost,
    engine: Engine,
    *,
    rerun: str = "",
    keep_weights: bool = False,
    layers: bool = False,
    to_stderr: bool = False,
) -> None:
    """Do the runs of a plan that the store does not hold, showing progress.

    Args:
        store: Opened for writing.
        plan: The runs asked for.
        cost: Estimates the seconds that a run takes.
        engine: Does the runs.
        rerun: Which finished runs are to be done again, `all` or those that `failed`.
        keep_weights: Keep each run's best weights in the store.
        layers: Record every parameter and layer at evaluations.
        to_stderr: Show progress on standard error, because standard output is for JSON.
    """
    from bench.api.run import begin
    from bench.cli.terminal.progress import Progress
    from bench.engines.contract import EngineError
    from bench.engines.driver import drive

    todo = begin(store, plan, rerun)
    _report_finished(store, plan, todo, (keep_weights, layers), to_stderr)
    if not todo:
        return
    specs = {spec.id: spec for spec in todo}
    progress = Progress(specs, cost, engine.workers, console(to_stderr))
    try:
        with progress:
            drive(todo, cost, store, engine, progress, keep_weights, layers, plan.origins)
    except EngineError as error:
        raise CommandError(str(error), 3) from error
    except KeyboardInterrupt:
        raise _stopped(store, plan) from None


def _report_longer(plan: Plan, left: set[str], out: Console) -> None:
    """Print how many of the runs that are left go on from shorter ones, or cannot."""
    if longer := left.intersection(plan.origins):
        out.print(f"{len(longer)} runs go on from where their shorter runs ended")
    if plan.anew and left:
        print_notice(
            f"{plan.anew} runs start at step 0 though shorter ones are stored; only runs with "
            "--keep-weights can go on, all of a command together"
        )


def _report_finished(
    store: Store, plan: Plan, todo: list[RunSpec], kept: tuple[bool, bool], to_stderr: bool
) -> None:
    """Print how many runs are finished already, and what these lack that was asked for.

    kept: whether weights are to be kept, and layers recorded.
    """
    keep_weights, layers = kept
    left, out = {spec.id for spec in todo}, console(to_stderr)
    finished = [spec.id for spec in plan.specs if spec.id not in left]
    failed = set(store.failed())
    _report_longer(plan, left, out)
    if again := failed & left:
        out.print(f"{len(again)} runs that failed are done again")
    if finished:
        out.print(f"{len(finished)} of {len(plan.specs)} runs are finished already")
    if ended := failed.intersection(finished):
        print_notice(f"{len(ended)} of the finished runs failed; --rerun failed does them again")
    for what in _lacking(store, finished, keep_weights, layers):
        print_notice(f"finished runs have no {what}; --rerun does them again")


def _lacking(store: Store, runs: Sequence[str], keep_weights: bool, layers: bool) -> Iterator[str]:
    """Yield what was asked for, and some of these runs do not have."""
    if keep_weights and not all(store.weights(run).exists() for run in runs):
        yield "weights kept"
    if layers and not all(
        record.outcome.get("layers") for record in store.records(runs, details=True)
    ):
        yield "layers recorded"


def _stopped(store: Store, plan: Plan) -> CommandError:
    """Return the error that tells how many runs are left and which command goes on."""
    from bench.engines.driver import to_do

    store.insert_journals()  # a run may have ended between its journal and the database
    left = len(to_do(plan.specs, store))
    command = shlex.join([*_program(), *_without_rerun(sys.argv[1:])])
    return CommandError(
        f"stopped with {left} of {len(plan.specs)} runs to do; go on with: {command}", STOPPED
    )


def _without_rerun(words: list[str]) -> list[str]:
    """Return the words of a command that goes on; which runs are done again is in the store."""
    kept = []
    for before, word in zip(["", *words], words, strict=False):
        if word != "--rerun" and not (before == "--rerun" and word in ("all", "failed")):
            kept.append(word)
    return kept


def _program() -> list[str]:
    """Return the words that start bench here: its name where the shell finds it."""
    if shutil.which("bench"):
        return ["bench"]
    return [sys.argv[0]] if Path(sys.argv[0]).name == "bench" else ["python", "-m", "bench"]
