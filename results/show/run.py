"""One run on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from results import metrics, naming
from results.grouping import group_text
from results.record import Record
from results.show.terminal import sparkline

DRAWN = ("loss", "valid_loss", "forced_accuracy", "gradient_norm", "update_ratio", "saturation")


def show_run(record: Record, suite: Mapping[str, Any], console: Console) -> None:
    """Settings, scores, curve and samples of a run."""
    name = naming.name(record.variant, suite)
    console.print(Text(f"{record.id}  {record.task}  {name}  seed {record.seed}", style="bold"))
    outcome, measured = record.outcome, record.measured
    lines = [f"{record.status}, {group_text(record)}"]
    if "steps" in outcome:
        lines.append(
            f"{outcome['steps']} steps, {metrics.short(outcome['tokens'])} target tokens, "
            f"{measured['train_seconds']:.1f} s of training at "
            f"{metrics.short(measured['tokens_per_second'])} tokens/s, "
            f"{metrics.short(outcome['parameters'])} parameters"
        )
        lines += _scores(outcome)
    if "machine" in measured:
        machine = measured["machine"]
        lines.append(
            f"on {measured['host']}: {machine['processor']}, {machine['threads']} thread of "
            f"{machine['cores']} cores, {measured['beside']} runs beside, torch {machine['torch']}"
        )
    settings = ", ".join(f"{axis}={naming.text(value)}" for axis, value in record.variant.items())
    lines.append(settings)
    for line in lines:
        console.print(Text(line))
    if outcome.get("error"):
        console.print(Text(outcome["error"], style="red"))
        console.print(Text(outcome.get("traceback", ""), style="dim"))
    if outcome.get("curve"):
        _show_curve(outcome["curve"], outcome["metric"], console)
    if outcome.get("samples"):
        _show_samples(outcome["samples"], console)


def _scores(outcome: Mapping[str, Any]) -> list[str]:
    lines = []
    for split, scores in outcome["scores"].items():
        shown = ", ".join(
            f"{metrics.score(key).title} {metrics.score(key).write(value)}"
            for key, value in scores.items()
        )
        lines.append(f"{split}: {shown}")
    for name, signature in outcome["signatures"].items():
        lines.append(f"{metrics.score(name).title} by {signature}")
    if outcome["to_target"]:
        reached = outcome["to_target"]
        lines.append(
            f"target {outcome['metric']} {outcome['solved_at']:g} on valid reached at step "
            f"{reached['steps']}, {metrics.short(reached['tokens'])} tokens"
        )
    else:
        lines.append(f"target {outcome['metric']} {outcome['solved_at']:g} on valid not reached")
    return lines


def _show_curve(curve: list[dict[str, Any]], metric: str, console: Console) -> None:
    width = max(console.width - 44, 10)
    count = min(width, len(curve))
    picked = [curve[i * (len(curve) - 1) // max(count - 1, 1)] for i in range(count)]
    console.print(Text(f"curve over {curve[-1]['step']} steps, first to last", style="bold"))
    for key in dict.fromkeys((*DRAWN[:3], metric, *DRAWN[3:])):
        values = [point.get(key) for point in picked]
        finite = [value for value in values if value is not None]
        if finite:
            line = sparkline(values, min(finite), max(finite))
            ends = f"{finite[0]:.3g} to {finite[-1]:.3g}"
            console.print(Text(f"  {key:<16} {line}  {ends}"), no_wrap=True, overflow="ellipsis")


def _show_samples(samples: list[dict[str, Any]], console: Console) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title in ("source", "output", "reference"):
        table.add_column(title, overflow="fold", ratio=1)
    for sample in samples:
        reference = Text("probe, no right answer" if sample.get("probe") else "", style="dim")
        if "reference" in sample:
            right = sample["reference"] == sample["output"]
            reference = Text(sample["reference"], style="green" if right else "")
        ended = "" if sample.get("ended", True) else " (no end)"
        table.add_row(Text(sample["source"]), Text(sample["output"] + ended), reference)
    console.print(table)
