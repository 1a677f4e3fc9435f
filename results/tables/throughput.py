"""Writes timings of variants as tables of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from results.metrics import megabytes, short
from results.stats.median import median_interval
from results.tables.text import Texts, TextTable, grouped_rows

ThroughputRow = dict[str, Any]
"""Timings of one variant, as `bench throughput --json` prints them."""


def throughput_tables(rows: Sequence[ThroughputRow]) -> list[TextTable]:
    """Return a table for each kind of work (training, decoding) and workload or sweep."""
    groups = grouped_rows(
        ((row["work"], "" if row["sweep"] else row["workload"]), row) for row in rows
    )
    return [
        TextTable(
            f"{work}  ({workload or 'along ' + group[0]['sweep']})",
            [throughput_line(row) for row in group],
            throughput_notes(group),
        )
        for (work, workload), group in groups.items()
    ]


def throughput_line(row: ThroughputRow) -> Texts:
    """Return a row as texts by column title, the most important first."""
    step = median_interval(row["step_seconds_each"])
    line = {"variant": row["variant"]}
    if row["sweep"]:
        line[row["sweep"]] = f"{row['sweep_value']:,}"
    line |= {
        "ms a step": milliseconds(step.median),
        "interval": f"{milliseconds(step.low)}-{milliseconds(step.high)}",
        "tokens/s": short(row["tokens_per_second"]),
        "of machine": _or_blank(row["machine_share"], "{:.0%}"),
        "busy": f"{row['disturbed']}/{row['repeats']}" if row["disturbed"] else "",
        "GFLOP/s": _or_blank(row["flops_per_second"], "{:.1f}", 1e-9),
        "peak MiB": "" if row["peak_bytes"] is None else megabytes(row["peak_bytes"]),
        "source tokens/s": short(row["source_tokens_per_second"]),
        "padding": f"{row['padding_share']:.1%}",
        "GFLOP a step": _or_blank(row["flops_per_step"], "{:.2f}", 1e-9),
        "parameters": short(row["parameters"]),
        "warm-up s": f"{row['warm_up_seconds']:.2f}",
    }
    if row["device_seconds"] is not None:
        line["device ms"] = milliseconds(row["device_seconds"])
        line["busy ms"] = milliseconds(row["busy_seconds"])
        line["reserved MiB"] = megabytes(row["reserved_bytes"])
    return line


def throughput_notes(rows: Sequence[ThroughputRow]) -> list[str]:
    """Return the remarks below a table: the machine, and how to read the columns."""
    first = rows[0]
    machine = first["machine"]
    confidence = median_interval(first["step_seconds_each"]).confidence
    notes = [
        f"{machine['device'] if machine['device'] != 'cpu' else machine['processor']}, "
        f"{machine['threads']} thread{'s' * (machine['threads'] > 1)}, torch {machine['torch']}; "
        f"median of {first['repeats']} rounds, its {confidence:.0%} interval",
        f"of machine: the least time that {first['machine_flops_per_second'] / 1e9:.0f} GFLOP/s "
        f"and {first['machine_bytes_per_second'] / 1e9:.0f} GB/s, measured in the same rounds, "
        "allow, as a share of the time taken; float32 alone",
    ]
    if any(row["disturbed"] for row in rows):
        notes.append("busy: rounds in which others used the machine; do not rely on those rows")
    return notes


def _or_blank(value: float | None, form: str, factor: float = 1.0) -> str:
    return "" if value is None else form.format(value * factor)


def milliseconds(seconds: float) -> str:
    """Write seconds as milliseconds with three digits: `0.412`, `14.2`, `1,204`."""
    value = seconds * 1e3
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
