"""bench doctor: why did it not learn?"""

from __future__ import annotations

import contextlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.shared import (
    STORE,
    CommandError,
    JsonOption,
    PluginOption,
    StoreOption,
    TaskOption,
    chosen,
    console,
    find_run,
    load_plugins,
    print_json,
    reading,
    say,
    usage,
    writing,
)

if TYPE_CHECKING:
    from bench.specs import RunSpec
    from results.doctor.examined import Finding
    from results.record import Record


FALLEN = 0.95
"""Share of a loss, below which another is lower."""


def doctor(
    run: Annotated[str | None, typer.Argument(help="A run's id, or its first digits.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All runs instead, or those of --task.")
    ] = False,
    confirm: Annotated[
        bool,
        typer.Option("--confirm", help="Run it again as advised, and say whether that helped."),
    ] = False,
    task: TaskOption = None,
    as_rows: JsonOption = False,
    plugin: PluginOption = None,
    store: StoreOption = STORE,
) -> None:
    """Name the cause of a run that did not learn, with evidence and what to change.

    A run that was not examined, as a short one of most seeds is not, is done again for it.
    """
    from results.doctor.rows import diagnose
    from results.doctor.show import show

    if (run is None) != everything or (confirm and run is None):
        raise CommandError(
            "name a run (bench doctor RUN; bench table --json lists their ids), or --all; "
            "--confirm takes one run"
        )
    with reading(store) as opened:
        if run is not None:
            records = list(opened.records([find_run(opened, run)], details=True))
        else:
            records = chosen(opened, task, details=True)
        suite = opened.base()
    if run is not None and not _known(records[0]):
        took = records[0].measured.get("run_seconds", 0.0)
        say(f"run {records[0].id} was not examined; doing it again, which took {took:.1f} s")
        load_plugins(plugin)
        records = [_examined(records[0], store)]
    if confirm:
        load_plugins(plugin)
        _confirm(records[0], suite, as_rows, store)
        return
    rows = diagnose(records, suite)
    if as_rows:
        print_json(rows)
    else:
        show(rows, console())


def _confirm(record: Record, suite: Any, as_rows: bool, folder: Path) -> None:
    """The same run as the first finding advises: with axes changed, or its code mended."""
    from results.doctor.examined import examined_run
    from results.doctor.rules import findings
    from results.naming import name

    of = examined_run(record)
    found = findings(of) if of else []
    if not found:
        raise CommandError(f"nothing was found in run {record.id}, so there is no advice to test")
    with usage():
        done = _done(_advised(record, found[0]), folder)
    helped, said = _better(record, done)
    row = {
        "run": record.id,
        "cause": found[0].cause,
        "change": found[0].change,
        "tried": done.id,
        "variant": name(done.variant, suite),
        "helped": helped,
        "said": said,
    }
    if as_rows:
        print_json([row])
        return
    out = console()
    out.print(f"{found[0].cause}: {found[0].change}", soft_wrap=True)
    out.print(f"run {done.id[:8]}, {row['variant']}: {said}", soft_wrap=True)
    out.print("it helped" if helped else "it did not help", style="bold")


def _known(record: Record) -> bool:
    """Whether all is known of the run that there is to know: it was examined, or ended by an
    error."""
    from results.doctor.examined import examined_run

    return record.status == "failed" or examined_run(record) is not None


def _examined(record: Record, folder: Path) -> Record:
    """The run, with what an examination finds when it is done once more. It is kept where the same
    came out; the run's own times stay."""
    from bench.specs import RunSpec
    from results.record import Record

    with usage():
        again = _executed(_present(RunSpec.read(dict(record.spec))), folder, examined=True)
    if again.status == "failed":
        raise CommandError(f"it now fails: {again.outcome['error']}; the run stays as it was", 3)
    seen = Record(record.id, record.spec, again.outcome, record.measured)
    before, now = ({**one.outcome, "health": 0, "findings": 0} for one in (record, seen))
    if again.id == record.id and before == now:
        # else, or where others write now, it is only told
        with contextlib.suppress(CommandError), writing(folder) as opened:
            opened.add(seen)
    return seen


def _present(spec: RunSpec, **changes: Any) -> RunSpec:
    """The spec, changed, as this installation does it, in one process."""
    from bench import specs
    from bench.plugins.loading import digest_of

    spec = replace(spec, **changes)
    return specs.make(
        spec.task,
        spec.data,
        spec.variant,
        spec.budget,
        spec.seed,
        spec.device,
        spec.decoding,
        digest_of(spec.task, spec.variant),
        fault=spec.fault,
    )


def _advised(record: Record, finding: Finding) -> RunSpec:
    from bench.specs import RunSpec
    from variants import axes

    spec = RunSpec.read(dict(record.spec))
    variant = asdict(axes.change(axes.from_record(spec.variant), dict(finding.remedy)))
    advised = _present(spec, variant=variant, fault="")
    if advised.id == record.id:
        raise ValueError(
            f"nothing has changed since run {record.id}: {finding.change}; then give this again, "
            "with --plugin if that is where the code is"
        )
    return advised


def _done(spec: RunSpec, folder: Path) -> Record:
    """From the store, or run now and kept there."""
    from bench.training.process import cached_task
    from variants import axes, inapplicable

    task = cached_task(spec.task, folder / "data")
    reason = inapplicable(axes.from_record(spec.variant), task.facts.tagging)
    if reason:
        raise ValueError(f"the advice does not apply here: {reason}")
    with reading(folder) as opened:
        known = list(opened.records([spec.id], details=True))
    if known:
        return known[0]
    with writing(folder) as opened:
        opened.begin(spec.id, spec.plain())
        record = _executed(spec, folder)
        opened.add(record)
    return record


def _executed(spec: RunSpec, folder: Path, examined: bool = False) -> Record:
    """Run now. examined: however short it is."""
    from bench.engines.contract import EngineError
    from bench.engines.in_process import run_in_process

    try:
        return run_in_process(spec, folder / "data", examined)
    except EngineError as error:
        raise CommandError(str(error), 3) from error


def _better(before: Record, after: Record) -> tuple[bool, str]:
    """By test score, and where that is equal by tokens to the target; where there is no target
    reached, by how far the loss fell."""
    from results import metrics
    from results.grouping import test_score

    scores = [test_score(record.outcome) for record in (before, after)]
    key = str(after.outcome.get("metric", before.outcome.get("metric", "score")))
    metric = metrics.score(key)
    texts = ["none" if score is None else metric.write(score) for score in scores]
    to_target = [record.outcome.get("to_target") for record in (before, after)]
    reached = [
        "" if there is None else f" (target after {metrics.short(there['tokens'])} tokens)"
        for there in to_target
    ]
    said = f"{metric.title} {texts[0]}{reached[0]} before, {texts[1]}{reached[1]} now"
    first, second = (-1.0 if score is None else score for score in scores)
    if to_target[1] is not None and to_target[0] is None:
        return True, said
    if to_target[0] is not None and to_target[1] is not None:
        return to_target[1]["tokens"] < to_target[0]["tokens"], said
    if to_target == [None, None] and abs(second - first) <= metrics.margin(key):
        losses = [record.outcome.get("valid", {}).get("valid_loss") for record in (before, after)]
        if None not in losses:
            said += f"; validation loss {losses[0]:.3g} before, {losses[1]:.3g} now"
            return losses[1] < FALLEN * losses[0], said
    return second > first + metrics.margin(key), said
