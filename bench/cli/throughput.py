"""bench throughput: how fast is each variant here?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.shared import (
    STORE,
    CommandError,
    JsonOption,
    PluginOption,
    StoreOption,
    chosen_device,
    console,
    load_plugins,
    say,
    usage,
    writes_unicode,
)

if TYPE_CHECKING:
    from bench.speed.timing import Case, Shape, Workload
    from variants import Variant

WORKS = ("training", "decoding")
SHAPES: dict[str, tuple[str, ...]] = {
    **{size: (size,) for size in ("batch", "source", "target", "vocabulary")},
    "length": ("source", "target"),
}
"""What `--sweep` can change of the batches, beside axes of the variant."""


def throughput(
    variants: Annotated[
        list[str] | None, typer.Argument(help="Variants, axis=value,axis=value. Default: base.")
    ] = None,
    base: Annotated[str, typer.Option(help="What they are differences from.")] = "base",
    task: Annotated[
        str | None, typer.Option(help="Batches of this task, instead of one of a given shape.")
    ] = None,
    batches: Annotated[int, typer.Option(help="With --task: how many.")] = 20,
    batch: Annotated[int, typer.Option(help="Examples a batch.")] = 64,
    source: Annotated[int, typer.Option(help="Symbols a source.")] = 20,
    target: Annotated[int, typer.Option(help="Tokens a target, eos among them.")] = 20,
    vocabulary: Annotated[int, typer.Option(help="Symbols of either side.")] = 8000,
    sweep: Annotated[
        str | None,
        typer.Option(help="hidden=64..1024 (doubling) or hidden=64,96; also length, batch, depth."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="With --sweep: an SVG file of time along it.")
    ] = None,
    work: Annotated[str, typer.Option(help="training, decoding or both.")] = "both",
    repeats: Annotated[int, typer.Option(help="Rounds.")] = 9,
    replicas: Annotated[
        str | None,
        typer.Option(help="Also that many of each trained as one stacked model: 64, or 1,64."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    as_rows: JsonOption = False,
    plugin: PluginOption = None,
    store: StoreOption = STORE,
) -> None:
    """Time training and decoding of variants, side by side, on one thread."""
    load_plugins(plugin)
    from bench.speed import timing as measuring
    from bench.speed.timing import Shape
    from bench.training.process import prepare_process
    from results.export.files import as_json
    from results.show import throughput as shown
    from variants import axes

    with usage():
        where = chosen_device(device)
        given = _variants(variants or ["base"], base)
        shape = Shape(
            _above("batch", batch, 1),
            _above("source", source, 1),
            _above("target", target, 1),
            _above("vocabulary", vocabulary, 4),
        )
        _above("batches", batches, 1)
        along, values = _sweep(sweep) if sweep else ("", [0])
        works = _works(work)
        counts = _counts(replicas)
        _above("repeats", repeats, 1)
        if plot is not None and not sweep:
            raise ValueError("--plot needs to know along what; add --sweep hidden=64..1024")
        if plot is not None and not plot.parent.is_dir():
            raise ValueError(f"there is no folder {plot.parent} for --plot; make it")
        if task is not None and along in SHAPES and along != "batch":
            raise ValueError(f"--sweep {along} changes made-up batches; leave --task out")
        for value in values if along in SHAPES else []:
            _above(along, value, 4 if along == "vocabulary" else 1)
        prepare_process(1)
        # what torch loads at its first use is no case's memory
        tiny = measuring.of_shape(Shape(2, 3, 3, 9), where)
        measuring.prepare("", axes.parse("cell=lstm,attention=dot"), tiny, "training", where)
        cases = [
            (case, along, value)
            for value in values
            for case in _cases(
                given, along, value, shape, task, batches, works, counts, where, store / "data"
            )
        ]
    if not cases:
        raise CommandError("nothing of this applies: a tagger decodes nothing, and see above")
    limits = measuring.measure(
        [case for case, _, _ in cases], where, repeats, lambda done: _report(done, repeats)
    )
    rows = [
        {**row, "sweep": along, "sweep_value": value}
        for row, (_, along, value) in zip(
            measuring.rows([case for case, _, _ in cases], limits, where), cases, strict=True
        )
    ]
    if as_rows:
        print(as_json(rows, ascii_only=not writes_unicode()))
    else:
        shown.show_throughput(rows, console())
    if plot is not None:
        with usage():
            shown.plot(rows, plot)


def _cases(
    variants: dict[str, Variant],
    along: str,
    value: int,
    shape: Shape,
    task: str | None,
    batches: int,
    works: list[str],
    counts: list[int],
    device: str,
    data: Path,
) -> Iterator[Case]:
    from dataclasses import asdict

    from bench.plan.groups import not_stackable
    from bench.speed import timing as measuring
    from bench.training.process import cached_task
    from variants import axes, inapplicable
    from variants.precision import missing

    if along in SHAPES:
        shape = shape._replace(**dict.fromkeys(SHAPES[along], value))
    workload: Workload
    if task is None:
        workload = measuring.of_shape(shape, device)
    else:
        workload = measuring.of_task(cached_task(task, data), task, shape.batch, batches, device)
    for name, variant in variants.items():
        changed = variant
        if along and along not in SHAPES:
            changed = axes.change(variant, {along: value})
        reason = inapplicable(changed, workload.facts.tagging) or missing(changed.precision, device)
        if reason is not None:
            at = f" at {along}={value}" if along else ""
            say(f"{name} is left out{at}: {reason}")
            continue
        for work in works:
            if work == "training" or not workload.facts.tagging:
                yield measuring.prepare(name, changed, workload, work, device, data)
        alone = not_stackable(asdict(changed))
        if counts and alone is not None:
            say(f"{name} has no replicas: {alone}")
            continue
        for count in counts if "training" in works else []:
            together = f"{name} ×{count}"
            yield measuring.prepare(together, changed, workload, "training", device, data, count)


def _variants(names: list[str], base: str) -> dict[str, Variant]:
    from variants import axes

    return {name: axes.parse(name, axes.parse(base)) for name in names}


def _works(asked: str) -> list[str]:
    from tasks.choices import one_of

    one_of("work", asked, (*WORKS, "both"))
    return list(WORKS) if asked == "both" else [asked]


def _counts(text: str | None) -> list[int]:
    try:
        counts = [int(part) for part in text.split(",")] if text else []
    except ValueError:
        counts = [0]
    if any(count < 1 for count in counts):
        raise ValueError(f"--replicas {text!r} is no list of whole numbers; write 64, or 1,64")
    return counts


def _sweep(text: str) -> tuple[str, list[int]]:
    """`hidden=64..1024`, doubling, or `hidden=64,96`."""
    from variants import axes

    along, _, listed = (part.strip() for part in text.partition("="))
    if along not in SHAPES:
        axes.check_axis(along)
    first, dots, last = listed.partition("..")
    try:
        if dots:
            value, values = int(first), []
            while 0 < value <= int(last):
                values.append(value)
                value *= 2
        else:
            values = [int(part) for part in listed.split(",")]
    except ValueError:
        values = []
    if not values or min(values) < 1:
        raise ValueError(
            f"--sweep {text!r} is no range of whole numbers; write hidden=64..1024 or hidden=64,96"
        )
    return along, values


def _above(what: str, value: int, least: int) -> int:
    if value < least:
        raise ValueError(f"{what}={value} is too small; give at least {least}")
    return value


def _report(done: int, repeats: int) -> None:
    import sys

    if sys.stderr.isatty():
        print(f"\rround {done} of {repeats}", end="\n" if done == repeats else "", file=sys.stderr)
