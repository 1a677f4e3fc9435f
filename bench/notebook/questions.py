"""Asks what a store's runs say: which variant is better, what others reported, what went wrong."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from bench.api import claims as trials
from bench.api import compare as comparisons
from bench.api.device import device_of
from bench.api.doctor import examine_again
from bench.api.store import choose
from bench.notebook.answers import Answer
from bench.notebook.stores import Names, RunName, folder_of, names, run_of, sentences
from results.doctor import show as doctor_output
from results.doctor.examined import examined_run
from results.doctor.rows import diagnose as diagnosed
from results.seeds import Seeds, read_seeds
from results.show import comparisons as shown
from results.show.along import show_along
from results.show.claims import show_one
from results.store import reading


@sentences()
def compare(
    a: str,
    b: str = "base",
    *,
    metric: str | None = None,
    fair: str | None = None,
    along: str | None = None,
    task: Names = None,
    seeds: Seeds | None = None,
    store: str | Path | None = None,
) -> Answer:
    """Return the effect of variant a against b over shared seeds, with intervals and verdicts.

    Of the score both sources of chance are said: other seeds, and other examples of test.

        bench.compare("cell=lstm", "base", along="steps").frame()

    Args:
        a: A variant, as `axis=value,axis=value`.
        b: The variant to compare it with.
        metric: A score of the task, or `bleu`, `chrf`, `chrf++`, `ter`, `cer`, `wer`, by which
            outputs are scored again; None for the one by which the task selects.
        fair: Compare at equal cost: `steps`, `tokens`, `seconds`, `parameters`, `learning_rate`,
            several separated by commas, or `all`.
        along: Compare at every evaluation of the curves instead, along `steps`, `tokens` or
            `seconds`: a row for each, with the bounds of one band for the whole curve, who is
            surely ahead (`a`, `b` or neither), and in `says` what all of them show.
        task: Labels or names of tasks; None for all.
        seeds: Only these: how many from 0 on, `"100:110"` or a range; None for all.
        store: Folder of the store; None for BENCH_STORE or `.bench`.

    Raises:
        ValueError: There are no such runs, they cannot be compared, or fair and along were both
            given.
    """
    if metric is not None and (fair is not None or along is not None):
        raise ValueError("metric does nothing with fair or along; leave out one of them")
    folder, among = folder_of(store), _among(task, seeds)
    if along is not None:
        if fair is not None:
            raise ValueError("fair and along were both given; give one of them")
        rows = comparisons.along_curves(folder, a, b, along, among)
        return Answer(rows, lambda console: show_along(rows, console))
    if fair is None:
        found = comparisons.two_variants(folder, a, b, among, metric)

        def draw(console: Console) -> None:
            shown.show_pairs(found.effects, console)
            shown.show_chance(found.chance, console)

        return Answer([*found.effects, *found.chance], draw)
    modes = comparisons.modes_of_cost(fair)
    equal = comparisons.at_equal_cost(folder, a, b, modes, among)
    return Answer(equal, lambda console: shown.show_equal_cost(equal, console))


def _among(task: Names, seeds: Seeds | None) -> comparisons.Among:
    """Return which runs are compared; ValueError for what are no seeds."""
    return comparisons.Among(names(task), None if seeds is None else read_seeds(seeds))


@sentences()
def axis(
    name: str,
    *,
    task: Names = None,
    seeds: Seeds | None = None,
    again: Seeds | None = None,
    store: str | Path | None = None,
) -> Answer:
    """Return the effect of each value of an axis against the base's value; `all` for every axis.

    again: seeds that are judged apart, `"100:110"`; their words stand beside those of the others.
    Other arguments and errors as in `compare`.
    """
    folder, among = folder_of(store), _among(task, seeds)
    apart = None if again is None else read_seeds(again)
    if name == "all":
        overview = comparisons.every_axis(folder, among, apart)
        return Answer(overview, lambda console: shown.show_every_axis(overview, console))
    rows, interactions = comparisons.one_axis(folder, name, among, apart)
    return Answer(
        [*rows, *interactions], lambda console: shown.show_effects(rows, interactions, console)
    )


@sentences()
def claim(
    name: str,
    *,
    seeds: Seeds | None = None,
    store: str | Path | None = None,
    device: str = "auto",
) -> Answer:
    """Return what a store's runs say of a claim: its source, its sides and the verdicts.

    Args:
        name: A claim of the suite (`bench claims list`), or the path of a TOML file.
        seeds: Tried with these, as in `bench.run`; None for the claim's own.
        store: Folder of the store; None for BENCH_STORE or `.bench`. It need not exist.
        device: The device that the claim's runs were done on.

    Raises:
        ValueError: There is no such claim.
    """
    folder = folder_of(store)
    (planned,) = trials.planned_claims([name], device_of(device), folder, seeds)
    rows = trials.stored_verdicts([planned], folder)
    sides = trials.stored_records(planned, folder)

    def draw(console: Console) -> None:
        show_one(trials.described(planned), rows, sides, console)

    return Answer(rows, draw)


@sentences()
def diagnose(run: RunName, *, task: Names = None, store: str | Path | None = None) -> Answer:
    """Return why a run did not learn: causes with what was seen and what to change.

    A run that was not examined is done again, which short runs are quick to do.

    Args:
        run: A run's id or its first digits, the number of a row of `bench table`, or a variant, of
            whose runs the worst is taken.
        task: Labels or names of tasks, for the runs of a variant.
        store: Folder of the store; None for BENCH_STORE or `.bench`.

    Raises:
        ValueError: There is no such run, or it cannot be done again.
    """
    folder, asked, tasks = folder_of(store), run_of(run), names(task)
    with reading(folder) as opened:
        (record,) = opened.records([choose(opened, asked, tasks).run.id], details=True)
        suite, everyone = opened.base(), list(opened.records())
        kept = opened.training_state(record.id).is_file()
    if examined_run(record) is None:
        record = examine_again(record, folder)
    rows = diagnosed([record], suite, everyone, lambda run: kept)
    return Answer(rows, lambda console: doctor_output.show(rows, console))
