"""Runs a plan with a progress bar, and says how to go on when it is stopped."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.shared import STOPPED, CommandError, console, print_notice

if TYPE_CHECKING:
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
    rerun: bool = False,
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
        rerun: Drop finished runs first and do them again.
        keep_weights: Keep each run's best weights in the store.
        layers: Record every parameter and layer at evaluations.
        to_stderr: Show progress on standard error, because standard output is for JSON.
    """
    from bench.api.run import begin
    from bench.cli.progress import Progress
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
            drive(todo, cost, store, engine, progress, keep_weights, layers)
    except EngineError as error:
        raise CommandError(str(error), 3) from error
    except KeyboardInterrupt:
        raise _stopped(store, plan) from None


def _report_finished(
    store: Store, plan: Plan, todo: list[RunSpec], kept: tuple[bool, bool], to_stderr: bool
) -> None:
    """Print how many runs are finished already, and warn if these lack what was asked for.

    kept: whether weights are to be kept, and layers recorded.
    """
    keep_weights, layers = kept
    finished = len(plan.specs) - len(todo)
    if finished:
        count = f"{finished} of {len(plan.specs)}"
        console(to_stderr).print(f"{count} runs are finished already")
    left = {spec.id for spec in todo}
    if keep_weights and any(
        not store.weights(spec.id).exists() for spec in plan.specs if spec.id not in left
    ):
        print_notice("finished runs have no weights kept; --rerun does them again")
    done = [spec.id for spec in plan.specs if spec.id not in left]
    if layers and any(
        not record.outcome.get("layers") for record in store.records(done, details=True)
    ):
        print_notice("finished runs have no layers recorded; --rerun does them again")


def _stopped(store: Store, plan: Plan) -> CommandError:
    """Return the error that tells how many runs are left and which command goes on."""
    from bench.engines.driver import to_do

    store.insert_journals()  # a run may have ended between its journal and the database
    left = len(to_do(plan.specs, store))
    command = shlex.join([*_program(), *(a for a in sys.argv[1:] if a != "--rerun")])
    return CommandError(
        f"stopped with {left} of {len(plan.specs)} runs to do; go on with: {command}", STOPPED
    )


def _program() -> list[str]:
    """Return the words that start bench here: its name where the shell finds it."""
    if shutil.which("bench"):
        return ["bench"]
    return [sys.argv[0]] if Path(sys.argv[0]).name == "bench" else ["python", "-m", "bench"]
