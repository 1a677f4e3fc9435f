"""Draws a store's runs with matplotlib; every function returns the Axes, to be changed or saved.

ax = bench.plot.curves("valid_loss")
ax.figure.savefig("curves.pdf")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from numpy.typing import NDArray

from bench.api.outputs import mistakes
from bench.api.store import runs_of
from bench.notebook.answers import Answer
from bench.notebook.frames import runs
from bench.notebook.stores import Names, RunName, folder_of, names, run_of, sentences
from results import metrics as known_metrics
from results.curves import average_curves, only_variants
from results.mistakes import ExampleRow
from results.mistakes import by_length as by_lengths
from results.store import reading

COSTS = ("parameters", "train_seconds", "tokens_to_target", "peak_mib")
"""Columns of `bench.runs` that `cost` can draw scores against."""


@sentences()
def curves(
    metric: str = "valid_loss",
    *,
    task: Names = None,
    variants: Names = None,
    store: str | Path | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a metric while training: a line per variant, shaded from the lowest seed to the highest.

    Args:
        metric: A column of `bench.curves`.
        task: The task; needed where the store has several.
        variants: Names of variants; None for all.
        store: Folder of the store; None for BENCH_STORE or `.bench`.
        ax: Axes to draw on; None for a new figure.

    Raises:
        ValueError: There are no such runs, or they are of several tasks or settings.
    """
    with reading(folder_of(store)) as opened:
        records, suite = runs_of(opened, names(task), details=True), opened.base()
    rows = average_curves(records, suite, metric)
    chosen = names(variants)
    rows = only_variants(rows, chosen) if chosen else rows
    tables = sorted({(row["task"], row["setting"]) for row in rows})
    if len(tables) != 1:
        raise ValueError(
            f"curves of {len(tables)} tables do not fit one picture; choose one with task= and "
            f"store=: {'; '.join(' '.join(table) for table in tables)}"
        )
    ax = ax or _new()
    for row in rows:
        steps = [point["step"] for point in row["points"]]
        mean, least, most = (_values(row["points"], key) for key in ("mean", "least", "most"))
        (line,) = ax.plot(steps, mean, label=row["variant"])
        ax.fill_between(steps, least, most, color=line.get_color(), alpha=0.2, linewidth=0)
    ax.set(title=", ".join(tables[0]), xlabel="training step", ylabel=_title(metric))
    ax.legend(frameon=False, fontsize="small")
    return ax


def _values(points: Sequence[Mapping[str, Any]], key: str) -> NDArray[np.float64]:
    """Return a value of each point, NaN where a seed has none."""
    return np.array([point[key] for point in points], dtype=np.float64)


def compare(answer: Answer, *, measure: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw the effects of a comparison with their 95 % intervals; a line marks no difference.

    Args:
        answer: What `bench.compare`, `bench.axis` or `bench.claim` returned.
        measure: The measure whose effects are drawn; None for the first.
        ax: Axes to draw on; None for a new figure.

    Raises:
        ValueError: No row has such an effect.
    """
    drawn, chosen = _with_effects(answer, measure)
    ax = ax or _new(height=1 + 0.4 * len(drawn))
    for place, row in enumerate(reversed(drawn)):
        ax.plot([row["low"], row["high"]], [place, place], color="tab:blue")
        ax.plot([row["effect"]], [place], "o", color="tab:blue")
    ax.axvline(0, color="gray", linewidth=0.8)
    ax.set_yticks(range(len(drawn)), [_sides(row) for row in reversed(drawn)])
    unit = "logarithm of the ratio a / b" if drawn[0].get("ratio") else "a minus b"
    ax.set(xlabel=f"{_title(chosen)}: {unit}, 95 % interval")
    return ax


def along(answer: Answer, *, task: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw a difference along curves with its 95 % band, dark where one side is surely ahead.

    Args:
        answer: What `bench.compare(a, b, along="steps")` returned.
        task: The task; needed where it has several, or several settings of one.
        ax: Axes to draw on; None for a new figure.

    Raises:
        ValueError: The answer has no such curve, or several.
    """
    table, rows = _one_along_curves(answer, task)
    ax, at = ax or _new(), [row["at"] for row in rows]
    effect, low, high = (_values(rows, key) for key in ("effect", "low", "high"))
    ax.plot(at, effect, color="tab:blue")
    ax.fill_between(at, low, high, color="tab:blue", alpha=0.15, linewidth=0)
    sure = [bool(row["ahead"]) for row in rows]
    ax.fill_between(at, low, high, where=sure, color="tab:blue", alpha=0.35, linewidth=0)
    ax.axhline(0, color="gray", linewidth=0.8)
    first = rows[0]
    ax.set(
        title=table,
        xlabel=first["along"],
        ylabel=f"{_title(first['measure'])}: {first['a']} minus {first['b']}, 95 % band",
    )
    return ax


def _one_along_curves(answer: Answer, task: str | None) -> tuple[str, list[Mapping[str, Any]]]:
    """Return the one comparison along curves that an answer has of a task: its name and rows."""
    rows = [row for row in answer.rows if row.get("along") and row["effect"] is not None]
    rows = [row for row in rows if task is None or row["task"] == task]
    tables = sorted({f"{row['task']} ({row['setting']})" for row in rows})
    if len(tables) != 1:
        known = "; ".join(tables) or "none"
        raise ValueError(f"one comparison along curves is drawn at a time; there are: {known}")
    return tables[0], rows


def _with_effects(answer: Answer, measure: str | None) -> tuple[list[Mapping[str, Any]], str]:
    """Return the rows with an effect on a measure, or on the first there is, and its name."""
    rows = [row for row in answer.rows if row.get("effect") is not None]
    known = list(dict.fromkeys(str(row["measure"]) for row in rows))
    chosen = measure or next(iter(known), "")
    if chosen not in known:
        raise ValueError(f"no row has an effect on {chosen!r}; choose {', '.join(known) or 'none'}")
    return [row for row in rows if row["measure"] == chosen], chosen


def _sides(row: Mapping[str, Any]) -> str:
    return f"{row['task']}: {row['a']} against {row['b']}"


@sentences()
def cost(
    against: str = "parameters",
    *,
    task: Names = None,
    store: str | Path | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw scores against a cost: a point per variant, a line along those that none beats in both.

    Args:
        against: `parameters`, `train_seconds`, `tokens_to_target` or `peak_mib`.
        task: The task; needed where the store has several.
        store: Folder of the store; None for BENCH_STORE or `.bench`.
        ax: Axes to draw on; None for a new figure.

    Raises:
        ValueError: The cost is unknown, or runs are of several metrics.
    """
    if against not in COSTS:
        raise ValueError(f"there is no cost {against!r}; choose {', '.join(COSTS)}")
    frame = runs(store, task)
    metrics = frame["metric"].unique()
    if len(metrics) != 1:
        raise ValueError(f"scores are of several metrics ({', '.join(metrics)}); choose a task")
    means = frame.groupby("variant")[[against, "score"]].mean().dropna().sort_values(against)
    ax = ax or _new()
    ax.plot(means[against], means["score"], "o")
    for variant, row in means.iterrows():
        place = (row[against], row["score"])
        ax.annotate(str(variant), place, (4, 4), textcoords="offset points", fontsize="small")
    ax.margins(0.2)  # room for names
    known = known_metrics.score(str(metrics[0]))
    best = _frontier(means["score"] if known.higher else -means["score"])
    ax.plot(means[against][best], means["score"][best], color="gray", linewidth=0.8)
    ax.set(xlabel=_title(against), ylabel=f"{known.title} on test, mean over seeds")
    return ax


def _frontier(scores: pd.Series[float]) -> pd.Series[bool]:
    """Return which scores, of which more is better, are above all before them as costs rise."""
    before = scores.cummax().shift(fill_value=float("-inf"))
    return scores > before


@sentences()
def by_length(
    *runs: RunName,
    measure: str | None = None,
    split: str = "test",
    task: Names = None,
    store: str | Path | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how a score depends on the length of the source: a line per run, a point per range.

    Args:
        runs: Ids of runs, numbers of rows, or variants, of whose runs the worst is taken.
        measure: A score that single examples have, such as `chrf` or `exact_match`; None for the
            one by which `bench show RUN --errors` ranks examples.
        split: A split that is scored at the end.
        task: Labels or names of tasks, for the runs of variants.
        store: Folder of the store; None for BENCH_STORE or `.bench`.
        ax: Axes to draw on; None for a new figure.

    Raises:
        ValueError: No run was given, outputs were not kept, or there is no such score.
    """
    if not runs:
        raise ValueError("no run was given; give at least one")
    found = [mistakes(folder_of(store), run_of(run), names(task), split) for run in runs]
    ax = ax or _new()
    for run, one in zip(runs, found, strict=True):
        rows = by_lengths(one.rows if measure is None else _with_score(one.rows, measure))
        middles = [(row["shortest"] + row["longest"]) / 2 for row in rows]
        ax.plot(middles, _values(rows, "score"), "o-", label=str(run))
    title = found[0].record.task
    ax.set(title=title, xlabel="symbols of the source", ylabel=_title(measure or "score"))
    ax.legend(frameon=False, fontsize="small")
    return ax


def _with_score(rows: Sequence[ExampleRow], measure: str) -> list[ExampleRow]:
    """Return examples with this score as the one that ranks them."""
    known = sorted({name for row in rows for name in row["scores"]})
    if measure not in known:
        raise ValueError(
            f"single examples have no score {measure!r}; choose {', '.join(known) or 'none'}"
        )
    return [{**row, "score": row["scores"][measure]} for row in rows]


def attention(translation: Mapping[str, Any], *, ax: Axes | None = None) -> Axes:
    """Draw where a model attends: a row per output symbol, a column per source symbol.

    Args:
        translation: What `translate` of a loaded model returned for one text.
        ax: Axes to draw on; None for a new figure.

    Raises:
        ValueError: The model has no attention.
    """
    if translation.get("attention") is None:
        raise ValueError("this model has no attention; load a run of a variant that has")
    ax = ax or _new()
    ax.imshow(translation["attention"], cmap="Greys", vmin=0, vmax=1, aspect="auto")
    for axis, key in ((ax.xaxis, "source_symbols"), (ax.yaxis, "output_symbols")):
        axis.set_ticks(range(len(translation[key])), translation[key])
    ax.set(xlabel="source", ylabel="output")
    return ax


def _new(height: float = 4) -> Axes:
    _, ax = plt.subplots(figsize=(7, height), layout="constrained")
    return ax


def _title(key: str) -> str:
    return key.replace("_", " ")
