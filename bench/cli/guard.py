"""Implements `bench guard`, which says whether the code became slower or learns worse."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.heeding import refuse_unheeded
from bench.cli.shared import (
    NOTHING_MEASURED,
    STORE,
    CommandError,
    DeviceOption,
    JsonOption,
    PluginOption,
    StoreOption,
    console,
    load_plugins,
    output_errors,
    print_json,
    print_notice,
    say,
    user_errors,
)
from bench.cli.terminal.busy import Busy

if TYPE_CHECKING:
    from bench.api.guard import GuardOptions, Versions
    from results.guard.verdict import GuardRow

BASELINE = Path("guard.json")
"""Where counts are kept unless --baseline names another file."""


def guard(
    context: typer.Context,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="REVISION",
            help="A git revision or baseline file to compare with. Default: that of --baseline.",
        ),
    ] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Write a new baseline of counts.")
    ] = False,
    init: Annotated[
        bool,
        typer.Option(
            "--init",
            help="Write a baseline and a GitHub workflow that checks against it, for a plugin's "
            "repository.",
        ),
    ] = False,
    baseline: Annotated[
        Path, typer.Option(metavar="FILE", help="The file that holds the counts.")
    ] = BASELINE,
    quality: Annotated[
        bool,
        typer.Option(
            "--quality",
            help="With a revision: train by both versions and compare what comes out, without "
            "timing. Runs a small matrix, or that of --matrix; --variant and --task replace its "
            "own.",
        ),
    ] = False,
    pytest_benchmark: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="OLD NEW",
            help="Instead: compare two JSON files of pytest-benchmark, old and new.",
        ),
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VARIANT", help="Guard this variant, not the default ones. Repeatable."
        ),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(metavar="TASK", help="Guard on this task, not the default ones. Repeatable."),
    ] = None,
    minutes: Annotated[
        float, typer.Option(metavar="MINUTES", help="Time limit of all timing.")
    ] = 5.0,
    threshold: Annotated[
        float, typer.Option(metavar="PERCENT", help="The slow-down that matters, in per cent.")
    ] = 5.0,
    matrix: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --quality: a matrix file of your own.")
    ] = None,
    device: DeviceOption = "cpu",
    markdown: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Append the results to this Markdown file, for a job's summary."
        ),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the results to this JUnit XML file.")
    ] = None,
    as_json: JsonOption = False,
    plugin: PluginOption = None,
    store: StoreOption = STORE,
) -> None:
    """Compare the code with a baseline or a git revision.

    Counts of operations are compared with a baseline file, times and quality with a revision, and
    two files of pytest-benchmark with each other.

    Exit codes: 0 fine, 1 slower, more work or worse quality, 2 wrong usage, 3 cannot tell.
    """
    # bytes are counted by torch's profiler, which would log every start and stop; it reads this
    # variable when torch is imported
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    from bench.api import guard as guards
    from results.guard.verdict import exit_code

    baseline, revision = _baseline_or_revision(against, baseline)
    refuse_unheeded(context, "guard", _mode(update, init, quality, pytest_benchmark, revision))
    _check_options(threshold, minutes, quality and revision is None)
    load_plugins(plugin)
    options = _options(variant, task, device, store)
    if init:
        _write_workflow(baseline, options, plugin or [])
    if update or init:
        _update_baseline(baseline, options)
        return
    if pytest_benchmark is not None or revision is None:
        rows = _rows_from_files(pytest_benchmark, baseline, options, threshold / 100)
    else:
        with user_errors(), _guard_errors():
            versions = guards.versions(revision, plugin or ())
        if quality:
            rows = _quality_rows(versions, matrix, options, store)
        else:
            rows = _timed_rows(versions, options, threshold / 100, minutes)
    _write(rows, markdown, junit)
    _show(rows, as_json)
    raise typer.Exit(exit_code(rows))


def _options(
    variant: list[str] | None, task: list[str] | None, device: str, store: Path
) -> GuardOptions:
    """Return what is guarded, and where."""
    from bench.api.device import device_of
    from bench.api.guard import GuardOptions

    with user_errors(), _guard_errors():
        return GuardOptions(
            tuple(variant or ()), tuple(task or ()), device_of(device), store / "data"
        )


def _mode(
    update: bool,
    init: bool,
    quality: bool,
    pytest_benchmark: tuple[Path, Path] | None,
    revision: str | None,
) -> str:
    """Return the mode in which the guard is used, by its name in `bench.cli.heeding`.

    Of several, an option that writes comes first, and a revision last.
    """
    modes = {
        "--update": update,
        "--init": init,
        "--pytest-benchmark": pytest_benchmark is not None,
        "--quality": quality,
        "--against a revision": revision is not None,
    }
    return next((mode for mode, used in modes.items() if used), "a baseline")


def _write_workflow(baseline: Path, options: GuardOptions, plugins: Sequence[Path]) -> None:
    """Write the workflow of a plugin's repository, and print where it is."""
    from bench.guard.workflow import WORKFLOW, workflow_text, write_workflow

    with user_errors(), _guard_errors(), output_errors():
        write_workflow(workflow_text(baseline, options.variants, options.tasks, plugins))
    say(f"{WORKFLOW}: checks every pull request against {baseline}; commit both files")


def _update_baseline(baseline: Path, options: GuardOptions) -> None:
    """Write a new baseline, and print of how many subjects (a variant on a task) it has counts."""
    from bench.api import guard as guards

    with user_errors(), _guard_errors(), Busy("counting the work of each subject") as busy:
        count = guards.write_baseline(baseline, options, busy.count)
    say(f"{baseline}: counts of {count} subjects")


def _rows_from_files(
    pytest_benchmark: tuple[Path, Path] | None,
    baseline: Path,
    options: GuardOptions,
    threshold: float,
) -> Sequence[GuardRow]:
    """Compare two files of pytest-benchmark, or the code's counts with a baseline file."""
    from bench.api import guard as guards
    from results.guard.pytest_benchmark import compare_benchmark_files

    with user_errors(), _guard_errors(), Busy("counting the work of each subject") as busy:
        if pytest_benchmark is not None:
            return compare_benchmark_files(*pytest_benchmark, threshold)
        return guards.guard_counts(baseline, options, busy.count)


def _baseline_or_revision(against: str | None, baseline: Path) -> tuple[Path, str | None]:
    """Return the baseline file, and the revision if --against names one and no file."""
    if against is None:
        return baseline, None
    return (Path(against), None) if Path(against).is_file() else (baseline, against)


def _check_options(threshold: float, minutes: float, lacks_revision: bool) -> None:
    """Refuse numbers out of range, and --quality without a revision."""
    if not 0 < threshold < 1000 or not 0 < minutes < 10_000:
        raise CommandError(
            f"--threshold {threshold:g} or --minutes {minutes:g} will not do; "
            "give a percentage above 0 and below 1000, and minutes above 0 and below 10000"
        )
    if lacks_revision:
        raise CommandError("--quality compares with a revision; name one: --against main")


def _quality_rows(
    versions: Versions, matrix: Path | None, options: GuardOptions, store: Path
) -> list[GuardRow]:
    """Compare the quality of two versions."""
    from bench.api import guard as guards

    with user_errors():
        chosen = guards.quality_matrix(matrix, options)
    with _guard_errors(), Busy("running the matrix by both versions", "run") as busy:
        return guards.guard_quality(versions, chosen, store, print_notice, busy.count)


def _timed_rows(
    versions: Versions, options: GuardOptions, threshold: float, minutes: float
) -> list[GuardRow]:
    """Compare the speed of two versions."""
    from bench.api import guard as guards

    with user_errors():
        chosen = guards.timed_subjects(options)
    with _guard_errors(), Busy("timing both versions"):
        return guards.guard_times(versions, chosen, options, threshold, minutes, print_notice)


@contextmanager
def _guard_errors() -> Iterator[None]:
    """Turn a GuardError into exit code 3, which says that there is no verdict."""
    from bench.guard.processes import GuardError

    try:
        yield
    except GuardError as error:
        raise CommandError(str(error), NOTHING_MEASURED) from error


def _write(rows: Sequence[GuardRow], markdown: Path | None, junit: Path | None) -> None:
    """Write the files that were asked for."""
    from results.guard import output

    with output_errors():
        if markdown is not None:
            with markdown.open("a", encoding="utf-8") as opened:
                opened.write(output.markdown(rows))
        if junit is not None:
            junit.write_text(output.junit(rows), encoding="utf-8")


def _show(rows: Sequence[GuardRow], as_json: bool) -> None:
    """Print the rows as a table or as JSON."""
    from results.guard.output import show_guard

    if as_json:
        print_json(rows)
    else:
        show_guard(rows, console())
