"""Renders the tables of a store for other programs, and sends its runs to trackers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.api.compare import Among, every_axis
from bench.api.store import run_rows, runs_of
from results.export import files, tracked
from results.export.mlflow_tracker import MlflowTracker
from results.export.tensorboard_tracker import TensorboardTracker
from results.export.tracker_target import check_folder
from results.export.trackio_tracker import TrackioTracker
from results.layers import LayerRow, layer_rows
from results.store import reading
from results.summary import SummaryRow, summarise
from results.tables.comparisons import effect_tables
from results.tables.runs import run_tables
from results.tables.summaries import summary_tables
from results.tables.text import TextTable
from tasks.choices import one_of

TRACKERS = ("mlflow", "tensorboard", "trackio")
"""Formats that are given runs instead of tables."""


LAYER_FORMATS = ("csv", "json", "parquet")
"""Formats of figures of layers, which are too many for a table to read."""


class MissingPackageError(Exception):
    """A format needs a package that an extra installs."""


def check_export(
    form: str,
    has_output: bool,
    effects: bool,
    layers: bool = False,
    runs: bool = False,
    again: bool = False,
) -> None:
    """Raise a ValueError for an unknown format, or one that does not go with the other options."""
    one_of("format", form, (*files.FORMATS, *TRACKERS))
    if form in (*files.BINARY, *TRACKERS) and not has_output:
        raise ValueError(f"{form} is no text; name where it goes with --output")
    if sum((effects, layers, runs)) > 1:
        raise ValueError("--effects, --layers and --runs are exports of their own; give one")
    if again and not effects:
        raise ValueError("--again goes with --effects; give both")
    if layers and (effects or form not in LAYER_FORMATS):
        raise ValueError(
            f"--layers goes with --format {', '.join(LAYER_FORMATS)} and not with --effects"
        )


def rendered(
    folder: Path,
    form: str,
    tasks: Sequence[str] | None = None,
    effects: bool = False,
    ascii_only: bool = False,
    layers: bool = False,
    runs: bool = False,
    again: range | None = None,
) -> bytes:
    """Return the tables of a store in a format of `results.export.files.FORMATS`.

    Args:
        folder: The store.
        form: The format.
        tasks: Labels or names of tasks; None for all.
        effects: Instead of summaries, what each value of every axis does.
        ascii_only: Escape other characters in JSON.
        layers: Instead, every recorded figure of every parameter and layer; as csv, json or
            parquet.
        runs: Instead, a row for each run, with its settings, scores and costs.
        again: With effects, seeds that are kept apart, whose words stand beside those of others.

    Raises:
        ValueError: There are no runs to compare.
        MissingPackageError: Parquet without pyarrow.
    """
    rows: Sequence[Any]
    tables: list[TextTable] = []
    if layers:
        rows = _layers(folder, tasks)
    elif effects:
        rows = every_axis(folder, Among(tasks), again)
        tables = effect_tables(rows)
    else:
        rows, tables = (_runs if runs else _summary)(folder, tasks)
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


def _runs(
    folder: Path, tasks: Sequence[str] | None
) -> tuple[list[dict[str, Any]], list[TextTable]]:
    """Return a row for each run, with its settings and what came of it."""
    with reading(folder) as store:
        rows = run_rows(store, tasks, settings=True)
    return rows, run_tables(rows)


def layer_frame(folder: Path, tasks: Sequence[str] | None = None) -> Any:
    """Return every recorded figure of every parameter and layer as a pandas DataFrame.

    It has a row for each run, evaluation, parameter or layer, and figure; see
    `results.layers.LayerRow` for its columns. For example, the update ratios of one run:

        frame = layer_frame(Path(".bench"))
        ratios = frame[frame.figure == "update_ratio"]
        ratios.pivot(index="step", columns="layer", values="value").plot(logy=True)

    Args:
        folder: The store.
        tasks: Labels or names of tasks; None for all.

    Raises:
        ValueError: No run recorded its layers.
        StoreError: There is no such store or task.
    """
    import pandas as pd  # imported here, so that help stays fast

    return pd.DataFrame(_layers(folder, tasks))


def _layers(folder: Path, tasks: Sequence[str] | None) -> list[LayerRow]:
    with reading(folder) as store:
        rows = list(layer_rows(runs_of(store, tasks, details=True), store.base()))
    if not rows:
        raise ValueError(
            "no run here recorded its layers; do one with bench run --layers (--rerun does "
            "finished runs again)"
        )
    return rows


def track(
    folder: Path, form: str, target: str, tasks: Sequence[str] | None = None
) -> tuple[int, int]:
    """Send runs to a tracker; return how many were added and how many were there already.

    Args:
        folder: The store.
        form: One of `TRACKERS`.
        target: As in `tracker_of`.
        tasks: Labels or names of tasks; None for all.

    Raises:
        TrackerError: The tracker refuses.
        MissingPackageError: The tracker is not installed.
        OSError: The target cannot be written.
    """
    with reading(folder) as store:
        records, suite = runs_of(store, tasks, details=True), store.base()
    added = tracked.export(records, tracker_of(form, target, suite))
    return added, len(records) - added


def tracker_of(form: str, target: str, suite: Mapping[str, Any]) -> tracked.Tracker:
    """Return the tracker that a user means.

    Args:
        form: One of `TRACKERS`.
        target: For mlflow a SQLite file or tracking URI, for the others a folder.
        suite: The suite's base variant.

    Raises:
        TrackerError: The tracker refuses.
        MissingPackageError: It is not installed.
    """
    try:
        if form == "mlflow":
            return MlflowTracker(suite, target)
        check_folder(target)
        if form == "tensorboard":
            return TensorboardTracker(suite, Path(target))
        return TrackioTracker(suite, Path(target))
    except ImportError as error:
        raise _missing("this format", form, "trackers") from error


def _missing(what: str, package: str, extra: str) -> MissingPackageError:
    return MissingPackageError(f"{what} needs {package}; pip install 'seq2seq-bench[{extra}]'")
