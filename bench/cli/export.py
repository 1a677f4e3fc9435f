"""Implements `bench export` and `bench report`, which write results for others to read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.heeding import refuse_unheeded
from bench.cli.shared import (
    NOTHING_MEASURED,
    STORE,
    AgainOption,
    CommandError,
    StoreOption,
    TaskOption,
    comparison_errors,
    output_errors,
    reading,
    say,
    store_errors,
    user_errors,
    writes_unicode,
)
from bench.cli.terminal.busy import Busy
from results.escapes import without_passwords

HTML_ENDINGS = (".html", ".htm")
"""Endings of the name of a report."""


def export(
    context: typer.Context,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="Tables as csv, markdown, json, latex or parquet; runs to mlflow, tensorboard or "
            "trackio.",
        ),
    ] = "csv",
    output: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="The file to write; for mlflow a SQLite file or a tracking URI, for tensorboard "
            "and trackio a folder. Default: standard output.",
        ),
    ] = None,
    effects: Annotated[
        bool,
        typer.Option(
            "--effects", help="Export the effect of each value of every axis, with its verdict."
        ),
    ] = False,
    layers: Annotated[
        bool,
        typer.Option(
            "--layers",
            help="Export the figures of every parameter and layer, of runs made with bench run "
            "--layers, as csv, json or parquet.",
        ),
    ] = False,
    runs: Annotated[
        bool,
        typer.Option("--runs", help="Export a row for each run, with its settings and scores."),
    ] = False,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow",
            help="Go on telling a tracker of runs while another bench does them, each evaluation "
            "when it is there.",
        ),
    ] = False,
    again: AgainOption = None,
    task: TaskOption = None,
    store: StoreOption = STORE,
) -> None:
    """Export the tables with every column, or the runs to a tracker."""
    from bench.api.export import TRACKERS, MissingPackageError, check_export, rendered
    from results.seeds import read_seeds

    refuse_unheeded(context, "export", "a tracker" if form in TRACKERS else "tables")
    with user_errors():
        check_export(form, output is not None, effects, layers, runs, again is not None)
        seeds = None if again is None else read_seeds(again)
    try:
        if form in TRACKERS:
            _track(form, str(output), follow, task, store)
            return
        with user_errors(), Busy("reading the store"):
            ascii_only = output is None and not writes_unicode()
            content = rendered(store, form, task, effects, ascii_only, layers, runs, seeds)
    except MissingPackageError as error:
        raise CommandError(str(error)) from error
    if output is not None:
        with output_errors():
            Path(output).write_bytes(content)
        return
    say(content.decode())


def _track(form: str, output: str, follow: bool, task: list[str] | None, store: Path) -> None:
    """Send runs to a tracker and print how many."""
    from bench.api.export import track
    from results.export.tracker_target import TrackerError

    try:
        with store_errors():
            if follow:
                _follow(form, output, task, store)
                return
            with Busy(f"telling {form}"):
                added, known = track(store, form, output, task)
    except TrackerError as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(
            f"{output} cannot be written ({error.strerror}); name another place"
        ) from error
    there = f", {known:,} were there" if known else ""
    say(f"{without_passwords(output)}: {added:,} runs{there}")


def _follow(form: str, output: str, task: list[str] | None, store: Path) -> None:
    """Tell a tracker of runs until no driver does any more, or Ctrl-C is pressed."""
    import time

    from bench.api.export import tracker_of
    from bench.api.live.export import LiveExport
    from bench.api.live.following import LOOKED_EVERY

    with reading(store) as opened:
        tracker = tracker_of(form, output, opened.base())
    live = LiveExport(store, tracker, task)
    try:
        with Busy(f"telling {form}, Ctrl-C ends it") as busy:
            while (sight := live.look(time.time())).active:
                busy.count(live.added, sight.planned)
                time.sleep(LOOKED_EVERY)
    except KeyboardInterrupt:
        say("no longer followed; the runs go on")
    say(f"{without_passwords(output)}: {live.added:,} runs")


def report(
    output: Annotated[Path, typer.Option(metavar="FILE", help="The HTML file to write.")] = Path(
        "report.html"
    ),
    open_it: Annotated[
        bool, typer.Option("--open", help="Open the report in a browser when it is written.")
    ] = False,
    again: AgainOption = None,
    task: TaskOption = None,
    store: StoreOption = STORE,
) -> None:
    """Write verdicts, effects, curves and runs as one HTML file.

    The file works without a network. A browser with scripts can filter and sort its tables, zoom
    into its charts, and open each run.
    """
    from datetime import UTC, datetime

    from results.seeds import read_seeds

    if output.suffix.lower() not in HTML_ENDINGS:
        raise CommandError(
            f"{output} does not end in .html, and a report is HTML; name it so (a browser prints "
            "it to PDF)"
        )
    from bench.api.report import report_on

    with user_errors():
        seeds = None if again is None else read_seeds(again)
    with comparison_errors("writing the report"):
        written = report_on(store, task, datetime.now(UTC).date(), seeds)
    content = written.html.encode()
    with output_errors():
        output.write_bytes(content)
    say(f"{output}: {written.runs:,} runs, {len(content) / 1e6:.1f} MB")
    if open_it:
        _open(output)


def _open(file: Path) -> None:
    """Open a file in a browser, or say that there is none."""
    import webbrowser

    if not webbrowser.open(file.absolute().as_uri()):
        raise CommandError(
            f"no browser could be started here; open {file} in one", NOTHING_MEASURED
        )
