"""The verbs that only read: list, status, table, curves, show, export. Only list loads torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
    usage,
    writes_unicode,
)

if TYPE_CHECKING:
    from rich.console import Console

    from results.record import Record
    from results.show.terminal import Table
    from results.summary import SummaryRow


def list_all(as_rows: JsonOption = False, plugin: PluginOption = None) -> None:
    """Tasks, matrices, the axes of a variant with their values, and faults to plant."""
    load_plugins(plugin)
    from bench.doctor.faults import FAULTS
    from bench.plan import matrix_file
    from tasks import TASKS, describe
    from variants import AXES, TOGETHER, axes

    rows: list[dict[str, Any]] = [
        {"kind": "task", "name": t.name, "about": t.about, "settings": describe(t.name)}
        for t in TASKS
    ]
    rows += [
        {"kind": "matrix", "name": n, "about": matrix_file.about(n)} for n in matrix_file.names()
    ]
    rows += [
        {
            "kind": "axis",
            "name": name,
            "about": axis.metadata["about"],
            "base": axis.default,
            "values": axes.values(name) or None,
        }
        for name, axis in AXES.items()
    ]
    rows += [{"kind": "fault", "name": n, "about": f.about} for n, f in FAULTS.items()]
    if as_rows:
        print_json(rows)
        return
    from rich.table import Table

    out = console()
    for kind, title in KINDS:
        table = Table(title=title, box=None, title_justify="left", title_style="bold", expand=False)
        table.add_column(no_wrap=True)
        table.add_column()
        table.add_column()
        for row in (row for row in rows if row["kind"] == kind):
            table.add_row(row["name"], _values(row), row["about"])
        table.show_header = False
        out.print(table)
        out.print()
    shorts = ", ".join(f"{name} sets {' and '.join(of)}" for name, of in TOGETHER.items())
    out.print(f"A variant is written axis=value,axis=value; {shorts}; base is all defaults.")
    out.print("A task is written name, or name:setting=value,setting=value.")


KINDS = (
    ("task", "tasks"),
    ("matrix", "matrices"),
    ("axis", "axes of a variant"),
    ("fault", "faults to plant"),
)


def _values(row: dict[str, Any]) -> str:
    if row["kind"] == "task":
        return ", ".join(f"{key}={value}" for key, value in row["settings"].items()) or "-"
    if row["kind"] == "axis":
        another = "a name" if isinstance(row["base"], str) else f"{row['base']} or another number"
        values = row["values"] or [another]
        return ", ".join(f"{v} (base)" if v == row["base"] else str(v) for v in values)
    return ""


def status(as_rows: JsonOption = False, store: StoreOption = STORE) -> None:
    """What was asked for last, and how far it is."""
    from collections import Counter

    from results.store import has_driver

    with reading(store) as opened:
        plan = opened.plan()
        by_id = {record.id: record for record in opened.records()}
        active, engine = has_driver(store), opened.engine_state()
        begun = set(opened.journal.unfinished()) if active else set()
    rows: list[dict[str, Any]] = []
    for row in plan:
        if row.id is None:
            state = "not applicable"
        elif row.id in by_id:
            state = by_id[row.id].status
        else:
            state = "running" if row.id in begun else "waiting"
        rows.append(
            {
                "run": row.id,
                "task": row.task,
                "variant": row.variant,
                "seed": row.seed,
                "state": state,
                "reason": row.reason,
            }
        )
    if as_rows:
        print_json(rows)
        return
    out = console()
    counts = Counter(str(row["state"]) for row in rows)
    planned = sum(row.id is not None for row in plan)
    out.print(f"last asked for: {planned} runs")
    for state, count in counts.most_common():
        out.print(f"  {count:6} {state}")
    others = len(by_id.keys() - {row.id for row in plan})
    if others:
        out.print(f"  {others:6} finished runs of other matrices")
    out.print("a driver is at work" if active else "no driver is at work")
    if engine:
        _show_engine(engine, out)
    for shown in rows:
        if shown["state"] in ("running", "failed", "diverged"):
            name = f"{shown['task']} {shown['variant']} seed {shown['seed']}"
            out.print(f"  {shown['state']}: {shown['run']} {name}", soft_wrap=True)


def _show_engine(engine: dict[str, Any], out: Console) -> None:
    """Where it works, as the driver said a moment ago."""
    nodes = engine["nodes"]
    out.print(
        f"  engine {engine['engine']}, {len(nodes)} node{'s' * (len(nodes) != 1)}: "
        f"{engine['running']} running, {engine['retried']} begun again after a process or node died"
    )
    for node in nodes:
        gpus = f", {node['gpus']:g} GPUs" if node.get("gpus") else ""
        out.print(f"    {node['name']}: {node['cpus']:g} CPUs{gpus}", soft_wrap=True)


def table(task: TaskOption = None, as_rows: JsonOption = False, store: StoreOption = STORE) -> None:
    """Per task: score, share solved, tokens and seconds to the target, speed, size."""
    from results.show.terminal import show_tables
    from results.summary import summarise

    with reading(store) as opened:
        rows = summarise(chosen(opened, task), opened.base())
        plan = opened.plan()
    if as_rows:
        print_json(rows)
    else:
        show_tables(rows, [row for row in plan if row.id is None], console())


def curves(
    task: TaskOption = None,
    metric: Annotated[str, typer.Option(help="What to draw, for example loss.")] = "valid_loss",
    variant: Annotated[
        list[str] | None,
        typer.Option(help="Only this variant, as bench table names it; up to 6 share a chart."),
    ] = None,
    as_rows: JsonOption = False,
    store: StoreOption = STORE,
) -> None:
    """Convergence: how a metric went with training steps."""
    from results.show import curves as drawing

    with reading(store) as opened:
        records = chosen(opened, task, details=True)
        suite = opened.base()
    with usage():
        rows = drawing.curves(records, suite, metric)
        rows = drawing.only(rows, variant) if variant else rows
    if as_rows:
        print_json(rows)
    else:
        drawing.show_curves(rows, console())


def show(
    run: Annotated[str, typer.Argument(help="A run's id, or its first digits.")],
    as_rows: JsonOption = False,
    store: StoreOption = STORE,
) -> None:
    """One run: settings, curve, what it gives for sample inputs."""
    from results.show.run import show_run

    with reading(store) as opened:
        (record,) = opened.records([find_run(opened, run)], details=True)
        suite = opened.base()
    if as_rows:
        print_json([record.plain()])
    else:
        show_run(record, suite, console())


def export(
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="The tables as csv, markdown, json, latex or parquet; the runs to mlflow or "
            "tensorboard.",
        ),
    ] = "csv",
    output: Annotated[
        str | None,
        typer.Option(
            help="File; standard output if left out. Of mlflow a SQLite file or a tracking URI, of "
            "tensorboard a folder.",
        ),
    ] = None,
    effects: Annotated[
        bool,
        typer.Option(
            "--effects",
            help="Instead of the tables: what each value of every axis does, with its verdict.",
        ),
    ] = False,
    task: TaskOption = None,
    store: StoreOption = STORE,
) -> None:
    """The tables for other programs, with every column, or the runs for a tracker."""
    from results.export import files as exports
    from tasks.choices import one_of

    with usage():
        one_of("format", form, (*exports.FORMATS, *TRACKERS))
        if form in (*exports.BINARY, *TRACKERS) and output is None:
            raise ValueError(f"{form} is no text; name where it goes with --output")
        if form in TRACKERS and effects:
            raise ValueError(f"{form} is given runs; leave out --effects")
    if form in TRACKERS:
        assert output is not None
        _track(form, output, task, store)
        return
    with reading(store) as opened:
        records, suite = chosen(opened, task), opened.base()
    rows, tables = (_effects if effects else _summary)(records, suite)
    if form == "json":
        made = exports.as_json(rows, ascii_only=output is None and not writes_unicode()).encode()
    elif form == "parquet":
        with _extra("Parquet", "pyarrow", "parquet"):
            made = exports.as_parquet(rows)
    elif form == "csv":
        made = exports.as_csv(rows).encode()
    else:
        written = {"markdown": exports.as_markdown, "latex": exports.as_latex}
        made = written[form](tables).encode()
    if output is None:
        text = made.decode()
        print(text, end="" if text.endswith("\n") else "\n")
        return
    _save(Path(output), made)


def _summary(
    records: list[Record], suite: Mapping[str, Any]
) -> tuple[list[SummaryRow], list[Table]]:
    from results.export.files import summary_tables
    from results.summary import summarise

    rows = summarise(records, suite)
    return rows, summary_tables(rows)


def _effects(
    records: list[Record], suite: Mapping[str, Any]
) -> tuple[list[SummaryRow], list[Table]]:
    from results.compare import axis_effects
    from results.compare.pairs import ComparisonError
    from results.show import verdicts

    try:
        rows = axis_effects.every_axis(records, suite, verdicts.OVERVIEW)
    except ComparisonError as error:
        raise CommandError(str(error)) from error
    return rows, verdicts.every_axis(rows)


TRACKERS = ("mlflow", "tensorboard")


def _track(form: str, output: str, task: list[str] | None, store: Path) -> None:
    from results.export import trackers

    with reading(store) as opened:
        records = chosen(opened, task, details=True)
        suite = opened.base()
    try:
        with _extra("this format", form, "trackers"):
            if form == "mlflow":
                added = trackers.to_mlflow(records, suite, output)
            else:
                added = trackers.to_tensorboard(records, suite, Path(output))
    except trackers.TrackerError as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(
            f"{output} cannot be written ({error.strerror}); name another place"
        ) from error
    there = len(records) - added
    console().print(f"{output}: {added:,} runs" + (f", {there:,} were there" if there else ""))


@contextmanager
def _extra(what: str, package: str, extra: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise CommandError(
            f"{what} needs {package}; pip install 'seq2seq-bench[{extra}]'"
        ) from error


def _save(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise CommandError(
            f"{file} cannot be written ({error.strerror}); name another file"
        ) from error


def report(
    output: Annotated[Path, typer.Option(help="The HTML file to write.")] = Path("report.html"),
    task: TaskOption = None,
    store: StoreOption = STORE,
) -> None:
    """One HTML file: verdicts, effects, curves, costs, samples; opens without network."""
    from datetime import UTC, datetime

    from results import report as reports

    with reading(store) as opened:
        records = chosen(opened, task)
        text = reports.write(
            records,
            opened.base(),
            lambda ids: list(opened.records(ids, details=True)),
            datetime.now(UTC).date(),
        )
    content = text.encode()
    _save(output, content)
    print(f"{output}: {len(records):,} runs, {len(content) / 1e6:.1f} MB")
