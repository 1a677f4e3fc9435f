"""bench claims: what others reported, tried here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.shared import (
    STORE,
    JsonOption,
    StoreOption,
    chosen_device,
    console,
    print_json,
    reading,
    usage,
    writing,
)

if TYPE_CHECKING:
    from bench.plan.claim_file import Claim
    from bench.plan.matrix import Plan
    from results.compare.pairs import ComparisonRow
    from results.record import Record
    from results.store import Store
    from tasks import Task

app = typer.Typer(
    help="What others reported, tried here.", no_args_is_help=True, rich_markup_mode=None
)
Names = Annotated[
    list[str] | None, typer.Argument(help="Claims (bench claims list), or FILE.toml; all if none.")
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Exit with 1 unless every claim is reproduced.")
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


@app.command("run")
def run(
    claims: Names = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes, one thread each. Default: one a core.")
    ] = None,
    device: Device = "auto",
    strict: Strict = False,
    as_rows: JsonOption = False,
    store: StoreOption = STORE,
) -> None:
    """Do the runs that claims need and have not had, and print the verdicts."""
    from bench.cli.execution import execute_with_progress
    from bench.engines.local import LocalEngine, cores
    from bench.plan.estimate import Estimate
    from bench.plan.matrix import Plan

    with usage():
        found = _named(claims)
        tasks = {claim.task: _task(claim.task, store) for claim in found}
        where = chosen_device(device)
        plans = {claim.name: _plans(claim, where, store) for claim in found}
        specs = {s.id: s for sides in plans.values() for p in sides.values() for s in p.specs}
        most = 1 if where == "cuda" else cores()
        engine = LocalEngine(workers or min(most, len(specs)), store / "data")
    with writing(store) as opened:
        cost = Estimate(tasks, (r for r in opened.records() if r.task in tasks))
        whole = Plan(tuple(specs.values()), ())
        execute_with_progress(opened, whole, cost, engine, to_stderr=as_rows)
        rows = _rows(found, plans, tasks, opened)
    _show(rows, as_rows, strict)


@app.command("list")
def list_all(
    claims: Names = None,
    device: Device = "auto",
    strict: Strict = False,
    as_rows: JsonOption = False,
    store: StoreOption = STORE,
) -> None:
    """Every claim with its verdict by the runs that this store has."""
    with usage():
        rows = _stored(_named(claims), chosen_device(device), store)
    _show(rows, as_rows, strict)


@app.command("show")
def show(
    claim: Annotated[str, typer.Argument(help="A claim's name, or FILE.toml.")],
    device: Device = "auto",
    as_rows: JsonOption = False,
    store: StoreOption = STORE,
) -> None:
    """One claim: its source, what was reported, how it is tried, and what came out."""
    from results.show.claims import show_one

    with usage():
        (found,) = _named([claim])
        where = chosen_device(device)
        rows = _stored([found], where, store)
        plans = _plans(found, where, store)
    if as_rows:
        print_json(rows)
        return
    sides: dict[str, list[Record]] = {}
    if (store / "store.sqlite3").is_file():
        with reading(store) as opened:
            sides = _records(plans, opened)
    show_one(_about(found), rows, sides, console())


def _stored(claims: list[Claim], device: str, store: Path) -> list[ComparisonRow]:
    """Rows by what the store has, which may not be there yet."""
    plans = {claim.name: _plans(claim, device, store) for claim in claims}
    tasks = {claim.task: _task(claim.task, store) for claim in claims}
    if not (store / "store.sqlite3").is_file():
        return _rows(claims, plans, tasks, None)
    with reading(store) as opened:
        return _rows(claims, plans, tasks, opened)


def _named(names: list[str] | None) -> list[Claim]:
    from bench.plan import claim_file

    return [claim_file.named(name) for name in names or claim_file.names()]


def _task(label: str, store: Path) -> Task:
    from bench.training.process import cached_task

    return cached_task(label, store / "data")


def _plans(claim: Claim, device: str, store: Path) -> dict[str, Plan]:
    return claim.plans(_task(claim.task, store), device, store / "data")


def _about(claim: Claim) -> dict[str, Any]:
    from dataclasses import asdict

    from results import naming
    from variants import BASE

    sides = {
        side: naming.name(asdict(next(block.variants())), asdict(BASE))
        + (f", fault {block.fault}" if block.fault else "")
        for side, block in claim.blocks.items()
    }
    block = next(iter(claim.blocks.values()))
    return {
        "claim": claim.name,
        "about": claim.about,
        "source": claim.source,
        "reported": claim.reported,
        "checked": claim.checked,
        "scaled": claim.scaled,
        "task": claim.task,
        "budget": f"{block.budget.text()} of {block.budget.batch} examples, {block.seeds} seeds",
        "sides": sides,
    }


def _rows(
    claims: list[Claim],
    plans: dict[str, dict[str, Plan]],
    tasks: dict[str, Task],
    store: Store | None,
) -> list[ComparisonRow]:
    """A row a comparison of each claim."""
    from results.compare.claims import judge, overall, seeds_wanting

    rows: list[ComparisonRow] = []
    for claim in claims:
        sides = _records(plans[claim.name], store)
        judged = judge(claim.comparisons, sides, tasks[claim.task].metric)
        about = {
            "claim": claim.name,
            "about": claim.about,
            "source": claim.source,
            "verdict_of_claim": overall(judged),
            "further_seeds": seeds_wanting(judged),
            "runs": sum(map(len, sides.values())),
        }
        for row in judged:
            row["task"] = claim.task
            row["word"] = row.pop("claim")
            rows.append({**about, **row})
    return rows


def _records(plans: dict[str, Plan], store: Store | None) -> dict[str, list[Record]]:
    """What is there of each side."""
    if store is None:
        return {side: [] for side in plans}
    return {
        side: list(store.records([spec.id for spec in plan.specs], details=True))
        for side, plan in plans.items()
    }


def _show(rows: list[ComparisonRow], as_rows: bool, strict: bool) -> None:
    from results.show.claims import show_all

    if as_rows:
        print_json(rows)
    else:
        show_all(rows, console())
    if strict and any(row["verdict_of_claim"] != "reproduced" for row in rows):
        raise typer.Exit(1)
