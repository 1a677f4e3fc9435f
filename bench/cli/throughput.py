"""Implements `bench throughput`, which times variants on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.heeding import is_typed, refuse_unheeded
from bench.cli.shared import (
    STORE,
    CommandError,
    DeviceOption,
    JsonOption,
    PluginOption,
    StoreOption,
    console,
    load_plugins,
    print_json,
    print_notice,
    user_errors,
)
from bench.cli.terminal.busy import Busy


def throughput(
    context: typer.Context,
    variants: Annotated[
        list[str] | None,
        typer.Argument(help="Variants, as axis=value,axis=value. Default: base."),
    ] = None,
    base: Annotated[
        str, typer.Option(metavar="VARIANT", help="The variant that they differ from.")
    ] = "base",
    task: Annotated[
        str | None,
        typer.Option(
            metavar="TASK",
            help="Use batches of this task, instead of random ones of a given shape.",
        ),
    ] = None,
    batches: Annotated[int, typer.Option(metavar="N", help="With --task: number of batches.")] = 20,
    batch: Annotated[int, typer.Option(metavar="N", help="Number of examples per batch.")] = 64,
    source: Annotated[int, typer.Option(metavar="N", help="Symbols per source.")] = 20,
    target: Annotated[
        int, typer.Option(metavar="N", help="Tokens per target, including eos.")
    ] = 20,
    vocabulary: Annotated[
        int, typer.Option(metavar="N", help="Symbols in each vocabulary.")
    ] = 8000,
    sweep: Annotated[
        str | None,
        typer.Option(
            metavar="SIZES",
            help="Vary a size: hidden=64..1024 (doubling) or hidden=64,96; also length, batch, "
            "depth.",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --sweep: write a plot of time to this SVG file."),
    ] = None,
    work: Annotated[str, typer.Option(metavar="WORK", help="training, decoding or both.")] = "both",
    repeats: Annotated[
        int, typer.Option(metavar="N", help="Number of rounds; each times every case once.")
    ] = 9,
    replicas: Annotated[
        str | None,
        typer.Option(
            metavar="N",
            help="Also time this many of each, trained as one stacked model: 64, or 1,64.",
        ),
    ] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    plugin: PluginOption = None,
    store: StoreOption = STORE,
) -> None:
    """Time training and decoding of variants, side by side."""
    refuse_unheeded(context, "throughput", "made-up batches" if task is None else "--task")
    load_plugins(plugin)
    from bench.api.device import device_of
    from bench.api.throughput import ThroughputOptions, prepared_cases, time_cases
    from bench.speed.cases import Shape
    from results.show import throughput as shown

    shape = Shape(batch, source, target, vocabulary)
    names = variants or ["base"]
    options = ThroughputOptions(names, base, task, batches, shape, sweep, work, repeats, replicas)
    _refuse_swept(context, sweep)
    with user_errors(), Busy("preparing models and batches"):
        _check_plot(plot, sweep)
        where = device_of(device)
        cases = prepared_cases(options, where, store / "data", print_notice)
    rows = time_cases(cases, where, repeats, lambda done: _print_round(done, repeats))
    if as_json:
        print_json(rows)
    else:
        shown.show_throughput(rows, console())
    if plot is not None:
        with user_errors():
            shown.plot(rows, plot)


def _refuse_swept(context: typer.Context, sweep: str | None) -> None:
    """Raise a CommandError for a size that was given and that the sweep takes values for."""
    from bench.api.throughput import SWEPT_SHAPES

    along = (sweep or "").partition("=")[0].strip()
    for size in SWEPT_SHAPES.get(along, ()):
        if is_typed(context, size):
            raise CommandError(f"--{size} does nothing with --sweep {along}; leave one out")


def _check_plot(plot: Path | None, sweep: str | None) -> None:
    """Raise a ValueError before anything is timed if the plot cannot be drawn."""
    if plot is not None and not sweep:
        raise ValueError("--plot needs to know along what; add --sweep hidden=64..1024")
    if plot is not None and not plot.parent.is_dir():
        raise ValueError(f"there is no folder {plot.parent} for --plot; make it")


def _print_round(done: int, repeats: int) -> None:
    """Show on a terminal how many rounds are done."""
    if sys.stderr.isatty():
        print(f"\rround {done} of {repeats}", end="\n" if done == repeats else "", file=sys.stderr)
