"""Times training and decoding of variants side by side, on given batches or along a sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bench.plan.groups import not_stackable
from bench.speed import timing
from bench.speed.cases import Case, Shape, Workload, random_workload, task_workload
from bench.training.process import cached_task, prepare_process
from tasks.choices import one_of
from variants import Variant, axes, inapplicable
from variants.precision import missing

WORKS = ("training", "decoding")
"""What can be timed."""
SWEPT_SHAPES: dict[str, tuple[str, ...]] = {
    **{size: (size,) for size in Shape._fields},
    "length": ("source", "target"),
}
"""What a sweep can change of the batches."""
SWEPT_AXES = ("hidden", "embedding", "depth", "encoder_depth", "decoder_depth", "heads", "window")
"""Axes that a sweep can change: those of a size, as others do not change what is computed."""
FEWEST_SYMBOLS = 4
"""Smallest vocabulary: three reserved ids and one symbol."""
LARGEST = 1_000_000
"""Largest size of a batch and its symbols, and largest number of batches or rounds."""
MOST_REPLICAS = 10_000
"""Largest number of models that are trained as one."""
DEFAULT_SHAPE = Shape()
"""Shape of the random batches."""


@dataclass(frozen=True)
class ThroughputOptions:
    """The cases that are to be timed, as a user describes them.

    Attributes:
        variants: Differences from the base, as `axis=value,axis=value`.
        base: The variant that they differ from.
        task: Take batches of this task; None for random batches of the shape.
        batches: Number of batches of the task.
        shape: Shape of random batches; with a task only its batch size counts.
        sweep: `hidden=64..1024` (doubling) or `hidden=64,96`; None for no sweep.
        work: `training`, `decoding` or `both`.
        repeats: Rounds, each of which times every case once.
        replicas: Numbers of replicas to time as well, as `64` or `1,64`; None for none.
    """

    variants: Sequence[str] = ("base",)
    base: str = "base"
    task: str | None = None
    batches: int = 20
    shape: Shape = DEFAULT_SHAPE
    sweep: str | None = None
    work: str = "both"
    repeats: int = 9
    replicas: str | None = None


class Sweep(NamedTuple):
    """A size or axis that changes from case to case, and its values; no sweep has one case."""

    along: str
    values: list[int]

    @property
    def changes_shape(self) -> bool:
        """Return whether batches change along the sweep, not the variant."""
        return self.along in SWEPT_SHAPES


class SweptCase(NamedTuple):
    """A prepared case and its place in the sweep."""

    case: Case
    along: str
    value: int


def prepared_cases(
    options: ThroughputOptions, device: str, data: Path, on_left_out: Callable[[str], None]
) -> list[SweptCase]:
    """Check options and return all cases that apply, warmed up.

    Args:
        options: What is to be timed.
        device: `cpu` or `cuda`.
        data: Folder of corpora and word vectors.
        on_left_out: Called with a sentence for each case that does not apply.

    Raises:
        ValueError: An option is wrong, or no case applies.
    """
    base = axes.parse(options.base)
    variants = {name: axes.parse(name, base) for name in options.variants}
    sweep = read_sweep(options.sweep)
    works, counts = read_works(options.work), read_replicas(options.replicas)
    if counts and "training" not in works:
        raise ValueError("replicas are trained together and decode nothing; leave --replicas out")
    _check_sizes(options, sweep)
    prepare_process(1)
    _load_kernels(device)
    cases = [
        SweptCase(case, sweep.along, value)
        for value in sweep.values
        for workload in [_workload(options, sweep, value, device, data)]
        for name, variant in variants.items()
        for case in _Preparation(workload, works, counts, device, data, on_left_out).cases(
            name, variant, sweep, value
        )
    ]
    if not cases:
        raise ValueError("nothing of this applies: a tagger decodes nothing, and see above")
    return cases


def time_cases(
    cases: Sequence[SweptCase],
    device: str,
    repeats: int,
    on_round: Callable[[int], None] = lambda done: None,
) -> list[dict[str, Any]]:
    """Time all cases and return a row for each, with units in the keys.

    on_round: called with the number of rounds done, after each.
    """
    timed = [case for case, _, _ in cases]
    rates = timing.measure(timed, device, repeats, on_round)
    return [
        {**row, "sweep": along, "sweep_value": value}
        for row, (_, along, value) in zip(timing.rows(timed, rates, device), cases, strict=True)
    ]


def _load_kernels(device: str) -> None:
    """Do a tiny case first, so that what torch loads at its first use is no case's memory."""
    tiny = random_workload(Shape(2, 3, 3, 9), device)
    timing.prepare("", axes.parse("cell=lstm,attention=dot"), tiny, "training", device)


def _workload(
    options: ThroughputOptions, sweep: Sweep, value: int, device: str, data: Path
) -> Workload:
    """Return the batches at one place of a sweep."""
    shape = options.shape
    if sweep.changes_shape:
        shape = shape._replace(**dict.fromkeys(SWEPT_SHAPES[sweep.along], value))
    if options.task is None:
        return random_workload(shape, device)
    task = cached_task(options.task, data)
    return task_workload(task, options.task, shape.batch, options.batches, device)


class _Preparation(NamedTuple):
    """Prepares the cases of variants on one workload."""

    workload: Workload
    works: Sequence[str]
    counts: Sequence[int]
    device: str
    data: Path
    on_left_out: Callable[[str], None]

    def cases(self, name: str, variant: Variant, sweep: Sweep, value: int) -> Iterator[Case]:
        """Yield the cases of one variant: each kind of work, then training as replicas."""
        changed, at = variant, ""
        if sweep.along:
            at = f" at {sweep.along}={value}"
            if not sweep.changes_shape:
                changed = axes.change(variant, {sweep.along: value})
        tagging = self.workload.facts.tagging
        reason = inapplicable(changed, tagging) or missing(changed.precision, self.device)
        if reason is not None:
            self.on_left_out(f"{name} is left out{at}: {reason}")
            return
        for work in self.works:
            if work == "training" or not tagging:
                yield self._prepare(name, changed, work)
        yield from self._replicas(name, changed)

    def _replicas(self, name: str, variant: Variant) -> Iterator[Case]:
        reason = not_stackable(asdict(variant), self.device)
        if self.counts and reason is not None:
            self.on_left_out(f"{name} has no replicas: {reason}")
        elif "training" in self.works:
            for count in self.counts:
                yield self._prepare(f"{name} ×{count}", variant, "training", count)

    def _prepare(self, name: str, variant: Variant, work: str, count: int = 0) -> Case:
        return timing.prepare(name, variant, self.workload, work, self.device, self.data, count)


def _check_sizes(options: ThroughputOptions, sweep: Sweep) -> None:
    """Raise a ValueError for a size or number out of bounds, or a sweep of a task's lengths."""
    if options.task is not None and sweep.changes_shape and sweep.along != "batch":
        raise ValueError(f"--sweep {sweep.along} changes made-up batches; leave --task out")
    for size, value in options.shape._asdict().items():
        _check_size(size, value)
    _check_size("batches", options.batches)
    _check_size("repeats", options.repeats)
    for value in sweep.values if sweep.along else []:
        if sweep.changes_shape:
            _check_size(sweep.along, value)
        else:
            axes.change(axes.parse(options.base), {sweep.along: value})


def _check_size(name: str, value: int) -> None:
    least = FEWEST_SYMBOLS if name == "vocabulary" else 1
    if value < least:
        raise ValueError(f"{name}={value} is too small; give at least {least}")
    if value > LARGEST:
        raise ValueError(f"{name}={value} is too large; give at most {LARGEST}")


def read_works(text: str) -> list[str]:
    """Return the kinds of work that a text names; ValueError for an unknown one."""
    one_of("work", text, (*WORKS, "both"))
    return list(WORKS) if text == "both" else [text]


def read_replicas(text: str | None) -> list[int]:
    """Return numbers of replicas from `64` or `1,64`; ValueError if these are none."""
    try:
        counts = [int(part) for part in text.split(",")] if text else []
    except ValueError:
        counts = [0]
    if any(not 1 <= count <= MOST_REPLICAS for count in counts):
        raise ValueError(
            f"--replicas {text!r} is no list of whole numbers from 1 to {MOST_REPLICAS}; write 64, "
            "or 1,64"
        )
    return counts


def read_sweep(text: str | None) -> Sweep:
    """Return a sweep from `hidden=64..1024`, doubling, or `hidden=64,96`; ValueError otherwise."""
    if not text:
        return Sweep("", [0])
    along, _, listed = (part.strip() for part in text.partition("="))
    one_of("size to sweep", along, (*SWEPT_SHAPES, *SWEPT_AXES))
    try:
        values = _doubling(listed) if ".." in listed else [int(v) for v in listed.split(",")]
    except ValueError:
        values = []
    if not values or min(values) < 1:
        raise ValueError(
            f"--sweep {text!r} is no range of whole numbers; write hidden=64..1024 or hidden=64,96"
        )
    return Sweep(along, values)


def _doubling(text: str) -> list[int]:
    """Return 64, 128, ... 1024 from `64..1024`."""
    first, _, last = text.partition("..")
    value, values = int(first), []
    while 0 < value <= int(last):
        values.append(value)
        value *= 2
    return values
