"""Prints one run with its settings, scores, curve and sample outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from results import metrics, naming
from results.escapes import plain, shortened
from results.grouping import setting_text
from results.record import Record
from results.show.layers import show_examined_layers
from results.show.terminal import print_broken, sparkline
from results.stats import flattening

TRACEBACK_LENGTH = 20_000
"""Characters of a traceback that are printed at most."""
DRAWN = ("loss", "valid_loss", "forced_accuracy", "gradient_norm", "update_ratio", "saturation")
"""Values of a curve that are drawn; the deciding metric comes after the first three."""


def show_run(record: Record, suite: Mapping[str, Any], console: Console) -> None:
    """Print everything that a record holds, as far as it fits a terminal."""
    name = naming.name(record.variant, suite)
    print_broken(f"{record.id}  {record.task}  {name}  seed {record.seed}", console, "bold")
    for line in _facts(record):
        print_broken(line, console)
    outcome = record.outcome
    if outcome.get("error"):
        console.print(Text(shortened(outcome["error"]), style="red"))
        console.print(Text(shortened(outcome.get("traceback", ""), TRACEBACK_LENGTH), style="dim"))
    if outcome.get("curve"):
        _show_curve(outcome["curve"], outcome["metric"], console)
    show_examined_layers(record, console)
    if outcome.get("samples"):
        _show_samples(outcome["samples"], console)


def _facts(record: Record) -> list[str]:
    """Return status, costs, scores, machine and axes, each as a line."""
    outcome, measured = record.outcome, record.measured
    lines = [f"{record.status}, {setting_text(record)}"]
    if "steps" in outcome:
        lines.append(
            f"{outcome['steps']} steps, {metrics.short(outcome['tokens'])} target tokens, "
            f"{measured['train_seconds']:.1f} s of training at "
            f"{metrics.short(measured['tokens_per_second'])} tokens/s, "
            f"{metrics.short(outcome['parameters'])} parameters"
        )
        lines += [*_scores(outcome), _target(outcome), *_end_of_curve(record)]
    if measured.get("data"):
        lines.append(measured["data"])
    if "machine" in measured:
        machine = measured["machine"]
        others = measured["beside"]
        lines.append(
            f"on {measured['host']}: {machine['processor']}, {machine['threads']} thread of "
            f"{machine['cores']} cores, {others} other run{'s' * (others != 1)} at the same time, "
            f"torch {machine['torch']}"
        )
    lines.append(", ".join(f"{axis}={naming.text(v)}" for axis, v in record.variant.items()))
    return lines


def _scores(outcome: Mapping[str, Any]) -> list[str]:
    """Return a line for each split, and one for each signature of a score."""
    lines = []
    for split, scores in outcome["scores"].items():
        written = ", ".join(
            f"{metrics.score(key).title} {metrics.score(key).write(value)}"
            for key, value in scores.items()
        )
        lines.append(f"{split}: {written}")
    for name, signature in outcome["signatures"].items():
        lines.append(f"{metrics.score(name).title} by {signature}")
    return lines


def _target(outcome: Mapping[str, Any]) -> str:
    """Say whether and when the target was reached."""
    if outcome["solved_at"] is None:
        return f"no target of {outcome['metric']} was set"
    target = f"target {outcome['metric']} {outcome['solved_at']:g} on valid"
    reached = outcome["to_target"]
    if not reached:
        return f"{target} not reached"
    tokens = metrics.short(reached["tokens"])
    return f"{target} reached at step {reached['steps']}, {tokens} tokens"


def _end_of_curve(record: Record) -> list[str]:
    """Say whether the run had flattened; nothing of one that broke off."""
    found, curve = flattening.trend_of(record), record.outcome.get("curve")
    if found is None or not curve:
        return []
    if found == flattening.UNCLEAR:
        return [f"{len(curve)} evaluations are too few to tell whether it had flattened"]
    if found == flattening.FLATTENED:
        return ["it had flattened: no better in the last third of its evaluations"]
    key = str(record.outcome["metric"])
    metric = metrics.score(key)
    better = flattening.improvement(curve, key, flattening.last_third(curve))
    return [
        f"still rising at its end: in the last third of its evaluations {metric.title} got better "
        f"by {metric.write(max(better.score, 0.0))}, the validation loss by "
        f"{max(better.fall, 0.0) * 100:.0f} %"
    ]


def _show_curve(curve: Sequence[Mapping[str, Any]], metric: str, console: Console) -> None:
    """Print a sparkline of each value that the curve has, over the same points."""
    width = max(console.width - 44, 10)
    count = min(width, len(curve))
    # evenly spaced points, always with the first and the last
    picked = [curve[i * (len(curve) - 1) // max(count - 1, 1)] for i in range(count)]
    console.print(Text(f"curve over {curve[-1]['step']} steps, first to last", style="bold"))
    for key in dict.fromkeys((*DRAWN[:3], metric, *DRAWN[3:])):
        values = [point.get(key) for point in picked]
        finite = [value for value in values if value is not None]
        if finite:
            line = sparkline(values, min(finite), max(finite))
            ends = f"{finite[0]:.3g} to {finite[-1]:.3g}"
            console.print(Text(f"  {key:<16} {line}  {ends}"), no_wrap=True, overflow="ellipsis")


def _show_samples(samples: Sequence[Mapping[str, Any]], console: Console) -> None:
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title in ("source", "output", "reference"):
        grid.add_column(title, overflow="fold", ratio=1)
    for sample in samples:
        ended = "" if sample.get("ended", True) else " (no end)"
        grid.add_row(sample["source"], sample["output"] + ended, _reference(sample))
    console.print(grid)


def _reference(sample: Mapping[str, Any]) -> Text:
    """Return the reference, green if the output is identical; a probe has none."""
    if "reference" in sample:
        identical = sample["reference"] == sample["output"]
        return Text(plain(sample["reference"]), style="green" if identical else "")
    return Text("probe, no right answer" if sample.get("probe") else "", style="dim")
