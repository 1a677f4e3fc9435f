"""Reads what runs with --layers recorded: figures of every parameter and layer over training.

An examination, which most runs have without that option, holds such figures once, of its end.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypedDict

from results import naming
from results.curves import CurvePoint, CurveRow
from results.grouping import by_variant, grouped
from results.record import Record

PARAMETER_FIGURES = ("gradient_norm", "update_ratio", "weight_norm", "zero_gradients")
"""Figures of a parameter: see `bench.training.layers.parameter_figures`."""
CELL_FIGURES = ("saturation", "gates", "memory", "memory_largest")
"""Figures of a recurrent layer: see `bench.doctor.inside.layer_figures`."""
LAYER_TITLES = {
    "gradient_norm": "norm of the gradient, before clipping",
    "update_ratio": "change of the last step over the value, as norms",
    "weight_norm": "norm of the value",
    "zero_gradients": "share of the gradient that is 0",
    "saturation": "share of outputs beyond ±0.99",
    "gates": "share of gates within 0.01 of 0 or 1",
    "memory": "mean absolute value of the memory",
    "memory_largest": "largest absolute value of the memory",
}
"""Figures in words, in the order in which they are shown."""


class LayerCurve(CurveRow):
    """Holds the curve of one figure of one parameter or layer of a variant."""

    layer: str


class LayerRow(TypedDict):
    """Holds one figure of one parameter or layer at one evaluation: a row of a data frame."""

    run: str
    task: str
    setting: str
    variant: str
    seed: int
    step: int
    layer: str
    figure: str
    value: float | None


def figures_by_layer(point: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    """Return the figures of a recorded evaluation by parameter or layer, parameters first."""
    return {**point["parameters"], **point["layers"]}


def layer_rows(records: Iterable[Record], suite: Mapping[str, Any]) -> Iterator[LayerRow]:
    """Yield every recorded figure of these runs, in the order of training.

    suite: the suite's base variant, for names.
    """
    for (task, setting), runs in grouped(records).items():
        for record in runs:
            name = naming.name(record.named, suite)
            for point in record.outcome.get("layers", ()):
                for layer, figures in figures_by_layer(point).items():
                    for figure, value in figures.items():
                        yield {
                            "run": record.id,
                            "task": task,
                            "setting": setting,
                            "variant": name,
                            "seed": record.seed,
                            "step": point["step"],
                            "layer": layer,
                            "figure": figure,
                            "value": value,
                        }


def layer_curves(
    records: Iterable[Record], suite: Mapping[str, Any], figure: str
) -> list[LayerCurve]:
    """Return a curve for each parameter or layer of each variant, averaged over its seeds.

    A point has a mean only where all seeds that recorded anything have a value.

    Args:
        records: runs with their curves.
        suite: the suite's base variant.
        figure: what is drawn, one of LAYER_TITLES.

    Raises:
        ValueError: there is no such figure, or no run recorded any.
    """
    if figure not in LAYER_TITLES:
        raise ValueError(
            f"no layer has {figure!r}; there are {', '.join(LAYER_TITLES)}: choose one with "
            "--metric"
        )
    recorded = [record for record in records if record.outcome.get("layers")]
    if not recorded:
        raise ValueError(
            "no run here recorded its layers; do one with bench run --layers (--rerun does "
            "finished runs again)"
        )
    curves: list[LayerCurve] = []
    for (task, setting), runs in grouped(recorded).items():
        base = naming.shared_base([run.named for run in runs], suite)
        for name, seeds in sorted(by_variant(runs, base).items()):
            for layer, points in _points_by_layer(seeds, figure).items():
                curves.append(
                    {
                        "task": task,
                        "setting": setting,
                        "variant": name,
                        "layer": layer,
                        "metric": figure,
                        "seeds": len(seeds),
                        "points": points,
                    }
                )
    return curves


def _points_by_layer(runs: Sequence[Record], figure: str) -> dict[str, list[CurvePoint]]:
    """Return the points of each parameter or layer that has the figure."""
    values: dict[str, dict[int, list[float | None]]] = {}
    for run in runs:
        for point in run.outcome["layers"]:
            for layer, figures in figures_by_layer(point).items():
                if figure in figures:
                    at_step = values.setdefault(layer, {}).setdefault(point["step"], [])
                    at_step.append(figures[figure])
    return {
        layer: [_point(step, found, len(runs)) for step, found in sorted(by_step.items())]
        for layer, by_step in values.items()
    }


def _point(step: int, values: Sequence[float | None], seeds: int) -> CurvePoint:
    known = [value for value in values if value is not None]
    if len(known) < seeds:
        return {"step": step, "mean": None, "least": None, "most": None}
    return {
        "step": step,
        "mean": statistics.fmean(known),
        "least": min(known),
        "most": max(known),
    }


def examined_layers(health: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    """Return the figures that one examination holds, by parameter or layer; {} if it has none.

    Parameters have gradient_norm and update_ratio, layers saturation and gates (those of the last
    step), memory and memory_largest; frozen parameters have update_ratio 0 alone.
    """
    step = health.get("step") or {}
    found: dict[str, dict[str, float | None]] = {}
    for key, figure in (("gradients", "gradient_norm"), ("updates", "update_ratio")):
        for name, value in (step.get(key) or {}).items():
            found.setdefault(name, {})[figure] = value
    for name, cell in (health.get("hidden") or {}).items():
        found[name] = {
            "saturation": _last(cell.get("saturated")),
            "gates": _last(cell.get("gates")),
            "memory": cell.get("memory_mean"),
            "memory_largest": cell.get("memory"),
        }
    return found


def _last(values: Sequence[float | None] | None) -> float | None:
    return values[-1] if values else None
