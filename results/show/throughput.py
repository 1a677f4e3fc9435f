"""How fast variants are: rows of timings as a table and as a plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from results.metrics import megabytes, short
from results.show.terminal import show_texts
from results.stats.median import median_interval

ThroughputRow = dict[str, Any]


def show_throughput(rows: Sequence[ThroughputRow], console: Console) -> None:
    """A table each of training and of decoding, on each workload."""
    groups: dict[tuple[str, str], list[ThroughputRow]] = {}
    for row in rows:
        groups.setdefault((row["work"], "" if row["sweep"] else row["workload"]), []).append(row)
    for (work, workload), group in groups.items():
        where = workload or f"along {group[0]['sweep']}"
        show_texts(f"{work}  ({where})", [cells(row) for row in group], notes(group), console)
        console.print()


def cells(row: ThroughputRow) -> dict[str, str]:
    """A row as texts, by column title; the order is the order of importance."""
    step = median_interval(row["step_seconds_each"])
    texts = {"variant": row["variant"]}
    if row["sweep"]:
        texts[row["sweep"]] = f"{row['sweep_value']:,}"
    texts |= {
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
        texts["device ms"] = milliseconds(row["device_seconds"])
        texts["busy ms"] = milliseconds(row["busy_seconds"])
        texts["reserved MiB"] = megabytes(row["reserved_bytes"])
    return texts


def notes(rows: Sequence[ThroughputRow]) -> list[str]:
    """What has to be said below the rows."""
    first = rows[0]
    machine = first["machine"]
    count = first["repeats"]
    confidence = median_interval(first["step_seconds_each"]).confidence
    said = [
        f"{machine['device'] if machine['device'] != 'cpu' else machine['processor']}, "
        f"{machine['threads']} thread{'s' * (machine['threads'] > 1)}, torch {machine['torch']}; "
        f"median of {count} rounds, its {confidence:.0%} interval",
        f"of machine: the least time that {first['machine_flops_per_second'] / 1e9:.0f} GFLOP/s "
        f"and {first['machine_bytes_per_second'] / 1e9:.0f} GB/s, measured in the same rounds, "
        "allow, as a share of the time taken; float32 alone",
    ]
    if any(row["disturbed"] for row in rows):
        said.append("busy: rounds in which others used the machine; do not go by those rows")
    return said


def _or_blank(value: float | None, form: str, factor: float = 1.0) -> str:
    return "" if value is None else form.format(value * factor)


def milliseconds(seconds: float) -> str:
    """Three digits: `0.412`, `14.2`, `1,204`."""
    value = seconds * 1e3
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def plot(rows: Sequence[ThroughputRow], file: Path) -> None:
    """Time of a step along what was swept, a line a variant, both axes logarithmic; an SVG."""
    import matplotlib as mpl  # only here, so that tables stay quick

    mpl.use("svg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import LogLocator

    works = list(dict.fromkeys(row["work"] for row in rows))
    figure, boxes = plt.subplots(1, len(works), figsize=(5.5 * len(works), 4), squeeze=False)
    for box, work in zip(boxes[0], works, strict=True):
        for name, marker in zip(
            dict.fromkeys(row["variant"] for row in rows), "osD^vP*X<>" * 10, strict=False
        ):
            line = [row for row in rows if row["work"] == work and row["variant"] == name]
            middle = [median_interval(row["step_seconds_each"]) for row in line]
            values = [row["sweep_value"] for row in line]
            box.plot(values, [m.median * 1e3 for m in middle], marker=marker, label=name)
            low, high = [m.low * 1e3 for m in middle], [m.high * 1e3 for m in middle]
            box.fill_between(values, low, high, alpha=0.2)
        box.set_xscale("log", base=2)
        box.set_yscale("log")
        ticks = sorted({row["sweep_value"] for row in rows})
        box.set_xticks(ticks, [f"{value:,}" for value in ticks])
        box.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        box.yaxis.set_major_formatter("{x:,g}")
        box.minorticks_off()
        box.set_xlabel(rows[0]["sweep"])
        box.set_ylabel("ms a step")
        box.set_title(work)
        box.grid(alpha=0.3)
        box.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(file, format="svg", metadata={"Date": None})
    plt.close(figure)
