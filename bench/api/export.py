"""Renders the tables of a store for other programs, and sends its runs to trackers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.api.store import runs_of
from results.compare import axis_effects
from results.compare.pairs import ComparisonRow
from results.export import files
from results.store import reading
from results.summary import SummaryRow, summarise
from results.tables.comparisons import overview_tables
from results.tables.summaries import summary_tables
from results.tables.text import TextTable
from tasks.choices import one_of

TRACKERS = ("mlflow", "tensorboard")
"""Formats that are given runs instead of tables."""


class MissingPackageError(Exception):
    """A format needs a package that an extra installs."""


def check_export(form: str, has_output: bool, effects: bool) -> None:
    """Raise a ValueError for an unknown format, or one that does not go with the other options."""
    one_of("format", form, (*files.FORMATS, *TRACKERS))
    if form in (*files.BINARY, *TRACKERS) and not has_output:
        raise ValueError(f"{form} is no text; name where it goes with --output")
    if form in TRACKERS and effects:
        raise ValueError(f"{form} is given runs; leave out --effects")


def rendered(
    folder: Path,
    form: str,
    tasks: Sequence[str] | None = None,
    effects: bool = False,
    ascii_only: bool = False,
) -> bytes:
    """Return the tables of a store in a format of `results.export.files.FORMATS`.

    Args:
        folder: The store.
        form: The format.
        tasks: Labels or names of tasks; None for all.
        effects: Instead of summaries, what each value of every axis does.
        ascii_only: Escape other characters in JSON.

    Raises:
        ValueError: There are no runs to compare.
        MissingPackageError: Parquet without pyarrow.
    """
    rows, tables = (_effects if effects else _summary)(folder, tasks)
    if form == "json":
        return files.as_json(rows, ascii_only).encode()
    if form == "csv":
        return files.as_csv(rows).encode()
    if form == "parquet":
        try:
            return files.as_parquet(rows)
        except ImportError as error:
            raise _missing("Parquet", "pyarrow", "parquet") from error
    write = {"markdown": files.as_markdown, "latex": files.as_latex}[form]
    return write(tables).encode()


def _summary(folder: Path, tasks: Sequence[str] | None) -> tuple[list[SummaryRow], list[TextTable]]:
    with reading(folder) as store:
        rows = summarise(runs_of(store, tasks), store.base())
    return rows, summary_tables(rows)


def _effects(
    folder: Path, tasks: Sequence[str] | None
) -> tuple[list[ComparisonRow], list[TextTable]]:
    with reading(folder) as store:
        records, suite = runs_of(store, tasks), store.base()
    rows = axis_effects.every_axis(records, suite, axis_effects.OVERVIEW_COSTS)
    return rows, overview_tables(rows)


def track(
    folder: Path, form: str, target: str, tasks: Sequence[str] | None = None
) -> tuple[int, int]:
    """Send runs to a tracker; return how many were added and how many were there already.

    Args:
        folder: The store.
        form: One of `TRACKERS`.
        target: For mlflow a SQLite file or tracking URI, for tensorboard a folder.
        tasks: Labels or names of tasks; None for all.

    Raises:
        TrackerError: The tracker refuses.
        MissingPackageError: The tracker is not installed.
        OSError: The target cannot be written.
    """
    from results.export import trackers

    with reading(folder) as store:
        records, suite = runs_of(store, tasks, details=True), store.base()
    try:
        if form == "mlflow":
            added = trackers.to_mlflow(records, suite, target)
        else:
            added = trackers.to_tensorboard(records, suite, Path(target))
    except ImportError as error:
        raise _missing("this format", form, "trackers") from error
    return added, len(records) - added


def _missing(what: str, package: str, extra: str) -> MissingPackageError:
    return MissingPackageError(f"{what} needs {package}; pip install 'seq2seq-bench[{extra}]'")
