"""Finds, selects and removes runs of a store, and says how far a plan is. Loads no torch."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from results import naming, selection
from results import store as stores
from results.errors import StoreError
from results.grouping import grouped, namings, test_score
from results.record import STATUSES, Record
from results.seeds import write_seeds
from results.stats.flattening import trend
from results.store import Planned, Store
from results.summary import summarise_groups
from results.tables.summaries import base_label
from results.tuning import chosen_text, valid_score


def find_run(store: Store, prefix: str) -> str:
    """Return the one run id that starts with a prefix; StoreError if none or several do."""
    return _the_one(sorted(store.ids()), prefix, f"in {store.folder}")


def _the_one(ids: Sequence[str], prefix: str, place: str) -> str:
    """Return the one id that starts with a prefix; StoreError if it is empty or not one."""
    if not prefix.strip():
        raise StoreError("an empty name names no run; give the first digits of its id")
    found = [run for run in ids if run.startswith(prefix)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise StoreError(f"there is no run {prefix} {place}; bench runs lists their ids")
    raise StoreError(
        f"{prefix} begins {len(found)} runs, {', '.join(found[:4])} ...; give more digits"
    )


class Chosen(NamedTuple):
    """One run out of those that were asked for.

    run: the one to look at, without details. runs: all that were asked for, in the order in which
    they would be looked at; the one alone if its id was given. asked: what they are, in words.
    """

    run: Record
    runs: tuple[Record, ...]
    asked: str

    @property
    def said(self) -> str:
        """Return which run was taken out of how many, or nothing if it was the only one."""
        if len(self.runs) == 1:
            return ""
        return (
            f"{self.asked}: {len(self.runs)} runs; this is {self.run.id[:8]}, seed "
            f"{self.run.seed} ({selection.summary_of(self.run)}); bench runs lists the others"
        )


def choose(
    store: Store, given: str, tasks: Sequence[str] | None = None, best: bool = False
) -> Chosen:
    """Return the run that an id, the number of a row or the name of a variant stands for.

    Of several runs, the worst is taken.

    Args:
        store: Opened for reading.
        given: An id or its first digits, the number of a row of `bench table`, or a variant.
        tasks: Labels or names of tasks, for the runs of a variant; None for all.
        best: Take the best of several runs instead; if weights are kept of some, the best of these.

    Raises:
        StoreError: There is no such run, row, variant or task, or the run is of another task.
    """
    if "=" in given or given.strip() == "base":
        records = runs_of(store, tasks)
        found = selection.of_variant(records, store.base(), given)
        if not found:
            raise StoreError(
                f"no finished run is of the variant {given}; {_suggestion(store, given)}"
            )
        return _chosen(store, found, given, best)
    if selection.is_row_number(given):
        found = selection.of_row(list(store.records()), store.base(), int(given))
        if found:
            _check_task_of(found[0], given, tasks)
            name = naming.name(found[0].named, store.base())
            return _chosen(store, found, f"row {given}, {found[0].task} {name}", best)
        if sum(run.startswith(given) for run in store.ids()) != 1:
            raise StoreError(
                f"there is no row {given} in bench table, and no run of which this is enough of "
                "the id; bench runs lists their ids"
            )
    (record,) = store.records([find_run(store, given)])
    _check_task_of(record, given, tasks)
    return Chosen(record, (record,), given)


def _check_task_of(record: Record, given: str, tasks: Sequence[str] | None) -> None:
    """Raise a StoreError for a run that was asked for with a task which is not its own."""
    if tasks and not is_of(record.task, tasks):
        raise StoreError(
            f"{given} is a run of {record.task}, not of {' or '.join(tasks)}; leave --task out"
        )


def _chosen(store: Store, found: Sequence[Record], asked: str, best: bool) -> Chosen:
    ordered = selection.worst_first(found)
    if best:
        ordered.reverse()
        ordered.sort(key=lambda record: not store.weights(record.id).exists())
    return Chosen(ordered[0], tuple(ordered), asked)


def _suggestion(store: Store, given: str) -> str:
    """Return which variant may be meant by a name that none has, or those that there are."""
    records, suite = list(store.records()), store.base()
    groups = grouped(records)
    bases = selection.table_bases(groups, suite)
    names = {
        base_label(bases[row["task"], row["setting"]])
        if row["variant"] == "base"
        else row["variant"]
        for row in summarise_groups(groups, suite)
    }
    return naming.suggestion(given, names)


def worst_of_last(store: Store, tasks: Sequence[str] | None = None) -> Chosen:
    """Return the worst run of the last matrix, or of the store if none of it is finished."""
    records = runs_of(store, tasks)
    planned = {row.id for row in store.plan()}
    ordered = selection.worst_first(record for record in records if record.id in planned)
    if ordered:
        return Chosen(ordered[0], tuple(ordered), "the worst of the last matrix")
    ordered = selection.worst_first(records)
    return Chosen(ordered[0], tuple(ordered), "the worst of all")


def tuning_runs(store: Store, tasks: Sequence[str] | None = None) -> list[Record]:
    """Return the finished runs that tune, of some tasks or all; StoreError if there is none."""
    records = store.tuning_runs()
    if not records:
        raise StoreError(f"no run in {store.folder} tunes; bench run --tune AXIS=A,B makes some")
    if tasks:
        check_tasks(records, tasks)
    return [record for record in records if not tasks or is_of(record.task, tasks)]


def run_rows(
    store: Store, tasks: Sequence[str] | None = None, settings: bool = False, tuning: bool = False
) -> list[dict[str, Any]]:
    """Return a row for each finished run, by table, variant and seed.

    Args:
        store: Opened for reading.
        tasks: Labels or names of tasks; None for all.
        settings: Include every axis and setting, all scores, and what was measured.
        tuning: Return the runs that tune instead, with their scores on validation.
    """
    records, suite = tuning_runs(store, tasks) if tuning else runs_of(store, tasks), store.base()
    found = []
    for (task, setting), group in grouped(records).items():
        _, named = next(namings(group, suite))
        for name, runs in sorted(named.items()):
            for record in sorted(runs, key=lambda record: record.seed):
                metric = record.outcome.get("metric")
                found.append({
                    "run": record.id,
                    "task": task,
                    "setting": setting,
                    "variant": name,
                    "seed": record.seed,
                    "status": record.status,
                    "metric": metric,
                    "score": valid_score(record) if tuning else test_score(record.outcome),
                } | (_settings_of(record) if settings else {}))  # fmt: skip
    return found


def _settings_of(record: Record) -> dict[str, Any]:
    """Return the settings of a run, its scores and its costs as further columns."""
    outcome, spec = record.outcome, dict(record.spec)
    known = {key: spec[key] for key in spec if key not in ("task", "seed", "variant", "budget")}
    reached = outcome.get("to_target") or {}
    return {
        "axes": dict(record.variant),
        "tuned": chosen_text(record),
        "budget": dict(spec["budget"]),
        **known,
        "scores": outcome.get("scores", {}),
        "steps": outcome.get("steps"),
        "tokens": outcome.get("tokens"),
        "steps_to_target": reached.get("steps"),
        "tokens_to_target": reached.get("tokens"),
        "parameters": outcome.get("parameters"),
        "error": outcome.get("error"),
        "measured": {
            key: value
            for key, value in record.measured.items()
            if isinstance(value, int | float | str)
        },
    }


def runs_of(
    store: Store,
    tasks: Sequence[str] | None = None,
    details: bool = False,
    seeds: range | None = None,
) -> list[Record]:
    """Return the finished runs of some tasks and seeds, or of all.

    Args:
        store: Opened for reading.
        tasks: Labels of tasks, or names that stand for all labels of a task; None for all.
        details: Include curves, samples and tracebacks.
        seeds: None for all.

    Raises:
        StoreError: There is no finished run, or none of one of these tasks or of these seeds.
    """
    with _without_collection():
        records = list(store.records(details=details))
    if not records:
        raise StoreError(
            f"the store in {store.folder} has no finished run; make one with bench run"
        )
    if tasks:
        check_tasks(records, tasks)
        records = [record for record in records if is_of(record.task, tasks)]
    return records if seeds is None else _with_seeds(records, seeds)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Look for no garbage: all records that are read are kept, and to look takes ever longer."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not _others_have_frozen():
            gc.freeze()
            gc.unfreeze()  # all of it is old now, and looked through only when much more is
        if enabled:
            gc.enable()


@cache
def _others_have_frozen() -> bool:
    """Return whether somebody froze objects, which then stay so; asked once, as it counts all."""
    return gc.get_freeze_count() > 0


def _with_seeds(records: Sequence[Record], seeds: range) -> list[Record]:
    """Return the runs of some seeds; StoreError that says which seeds there are if none is."""
    found = [record for record in records if record.seed in seeds]
    if not found:
        known = [record.seed for record in records]
        raise StoreError(
            f"no finished run here has seeds {write_seeds(seeds)}; there are seeds from "
            f"{min(known)} to {max(known)}"
        )
    return found


def with_trends(store: Store, records: Sequence[Record]) -> list[Record]:
    """Return these runs, each with whether it had flattened, without keeping all their curves."""
    known = {record.id: record for record in records}
    found = dict(known)
    for run, curve in store.curves(list(known)):
        metric = str(known[run].outcome["metric"])
        found[run] = replace(known[run], trend=trend(curve, metric))
    return list(found.values())


def check_tasks(records: Iterable[Record], tasks: Sequence[str]) -> None:
    """Raise a StoreError that names similar tasks if a task has no finished run."""
    labels = {record.task for record in records}
    known = sorted(labels | {label.partition(":")[0] for label in labels})
    try:
        for task in tasks:
            from tasks.choices import one_of  # loads numpy

            one_of("task with finished runs", task, known)
    except ValueError as error:
        raise StoreError(str(error)) from None


def is_of(task: str, tasks: Sequence[str]) -> bool:
    """Return whether a task's label is one of these tasks, given as labels or names."""
    return task in tasks or task.partition(":")[0] in tasks


class Status(NamedTuple):
    """The state of the last plan of a store.

    rows: one per planned run, with its state. others: finished runs that the plan has not.
    active: a driver is at work. engine: what that driver reports of its nodes, if it does.
    """

    rows: list[dict[str, Any]]
    others: int
    active: bool
    engine: dict[str, Any]

    @property
    def planned(self) -> int:
        """Return the number of planned runs, without combinations that do not apply."""
        return sum(row["run"] is not None for row in self.rows)


def status(store: Store) -> Status:
    """Return how far the last plan is, and whether a driver is at work on it."""
    plan = store.plan()
    finished = {record.id: record.status for record in store.all_runs()}
    active, engine = stores.has_driver(store.folder), store.engine_state()
    unfinished = set(store.journal.unfinished()) if active else set()
    rows = [_status_row(planned, finished, unfinished) for planned in plan]
    others = len(finished.keys() - {planned.id for planned in plan})
    return Status(rows, others, active, engine)


def _status_row(planned: Planned, finished: dict[str, str], unfinished: set[str]) -> dict[str, Any]:
    if planned.id is None:
        state = "not applicable"
    else:
        state = finished.get(planned.id, "running" if planned.id in unfinished else "waiting")
    return {
        "run": planned.id,
        "task": planned.task,
        "variant": planned.variant,
        "seed": planned.seed,
        "state": state,
        "reason": planned.reason,
    }


def chosen(
    store: Store,
    runs: Sequence[str] = (),
    tasks: Sequence[str] = (),
    statuses: Sequence[str] = (),
    every: bool = False,
) -> list[Record]:
    """Return the finished runs that a user chose.

    Args:
        store: Opened for reading or writing.
        runs: Ids, or their first digits.
        tasks: Labels or names; together with statuses, runs that match both.
        statuses: Some of `STATUSES`.
        every: Choose all runs.

    Raises:
        ValueError: Nothing was chosen, or a status is unknown.
        StoreError: There is no such run or task.
    """
    if not (runs or tasks or statuses or every):
        raise ValueError("nothing was chosen; give ids, --task, --status or --all")
    for name in statuses:
        from tasks.choices import one_of  # loads numpy

        one_of("status", name, STATUSES)
    _refuse_row_numbers(runs)
    ids = {find_run(store, run) for run in runs}
    if tasks or statuses or every:
        ids |= _matching(store, tasks, statuses)
    return list(store.records(sorted(ids)))


def _refuse_row_numbers(runs: Sequence[str]) -> None:
    """Raise StoreError for what may be the number of a row: a list may have changed since."""
    for run in runs:
        if selection.is_row_number(run):
            raise StoreError(
                f"{run} may be the number of a row; give {selection.LONGEST_NUMBER + 1} digits "
                "or more of a run's id (bench runs lists them)"
            )


def drop(folder: Path, runs: Sequence[str]) -> int:
    """Take these runs out of a store, and return how many; `undrop` brings them back."""
    with stores.writing(folder) as store:
        return stores.drop(store, runs)


def undrop(folder: Path, prefixes: Sequence[str] = ()) -> int:
    """Bring dropped runs back, by their ids or first digits, or all; return how many.

    Raises:
        StoreError: There is no such store, or no such dropped run.
    """
    with stores.reading(folder):
        pass  # raises if there is no store, which `writing` would make
    with stores.writing(folder) as store:
        ids = [record.id for record in stores.dropped(store)]
        place = f"among the {len(ids)} dropped runs of {folder}"
        wanted = [_the_one(ids, prefix, place) for prefix in prefixes] if prefixes else ids
        return stores.undrop(store, wanted)


def purge(folder: Path) -> int:
    """Delete for good what was dropped from a store, and return how many runs that were."""
    with stores.reading(folder):
        pass  # raises if there is no store, which `writing` would make
    with stores.writing(folder) as store:
        return stores.purge(store)


def merge(folder: Path, other: Path) -> list[stores.MergedRun]:
    """Take the runs of another store into a store, which is made if there is none.

    Raises:
        StoreError: The other is no store or this one itself, or one of the two cannot be used.
    """
    stores.check_other(other)  # before `writing` makes a store
    with stores.writing(folder) as store:
        return stores.merge(store, other, _own_id)


def _own_id(record: Record) -> str:
    """Return the id of a record's spec; ValueError if this version does not know it."""
    from bench.specs import RunSpec

    return RunSpec.read(dict(record.spec)).id


def verify(folder: Path) -> stores.Verification:
    """Compare the runs of a store with their journals and with what was written of them.

    Raises:
        StoreError: There is no store, or another process is writing to it.
    """
    if stores.has_driver(folder):
        raise StoreError(f"another bench is writing to {folder}; wait for it, then verify")
    with stores.reading(folder) as store:
        return stores.verify(store, _own_id)


def _matching(store: stores.Store, tasks: Sequence[str], statuses: Sequence[str]) -> set[str]:
    """Return the ids of runs that match both; no tasks, or no statuses, match every run."""
    records = list(store.all_runs())
    if tasks:
        check_tasks(records, tasks)
        records = [record for record in records if is_of(record.task, tasks)]
    return {record.id for record in records if not statuses or record.status in statuses}


def rebuild(folder: Path) -> int:
    """Make the database again from the journals, and return how many runs it holds."""
    from dataclasses import asdict

    from variants import BASE  # loads torch

    return stores.rebuild(folder, asdict(BASE))
