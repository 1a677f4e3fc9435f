"""Chooses what a report shows of one table: points, curves, findings, samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from results import naming
from results.compare.judging import ComparisonRow
from results.curves import CurvePoint, average_curves
from results.doctor.examined import Finding, examined_run
from results.doctor.rules import findings
from results.grouping import by_variant
from results.layers import LAYER_TITLES, layer_curves
from results.record import Record
from results.summary import SummaryRow

Details = Callable[[Sequence[str]], Iterable[Record]]
"""Reads runs by their ids, with curves and samples."""
DRAWN_AXES = 3
"""Number of axes whose curves are drawn: those with the most values."""
DRAWN_VALUES = 7
"""Number of an axis's values that are drawn besides the base."""
GRADIENT_METRICS = ("gradient_norm", "update_ratio")
"""Curves that are drawn for the first of these axes only."""
FINDINGS = 12
"""Number of variants whose findings are shown with their evidence."""
SAMPLES = 4
"""Number of sample outputs that are shown."""
HEATS = 2
"""Number of samples whose attention is shown."""


@dataclass(frozen=True)
class Section:
    """Holds the runs of one table and what is read from them.

    Attributes:
        name: prefix of the section's ids in the page.
        task, setting: the table.
        group: its runs, without curves.
        suite: the suite's base variant.
        summary: a row per variant, best first.
        scores: the effects of all axes on the score.
        details: reads runs with curves.
    """

    name: str
    task: str
    setting: str
    group: list[Record]
    suite: Mapping[str, Any]
    summary: list[SummaryRow]
    scores: list[ComparisonRow]
    details: Details

    @property
    def base(self) -> dict[str, Any]:
        """The variant at the table's centre."""
        return naming.shared_base([record.named for record in self.group], self.suite)


class SpeedPoint(NamedTuple):
    """Places a variant by its speed and its score."""

    label: str
    cell: str
    tokens_per_second: float
    score: float


def speed_points(section: Section) -> list[SpeedPoint]:
    """Return the variants that have a speed and a score; none if speeds do not compare."""
    # speeds of several machines are not comparable
    if len({host for row in section.summary for host in row["hosts"]}) > 1:
        return []
    named = by_variant(list(section.group), section.base)
    return [
        SpeedPoint(
            row["variant"],
            str(named[row["variant"]][0].variant.get("cell")),
            row["tokens_per_second"],
            row["score_mean"],
        )
        for row in section.summary
        if row["tokens_per_second"] and row["score_mean"] is not None
    ]


class AxisCurves(NamedTuple):
    """Holds the curves of a metric for the values of an axis."""

    axis: str
    metric: str
    lines: dict[str, list[CurvePoint]]


def axis_curves(section: Section) -> list[AxisCurves]:
    """Return the curves of the axes with the most values, each with the base."""
    named = by_variant(list(section.group), section.base)
    counts = Counter(row["a"].partition("=")[0] for row in section.scores)
    found: list[AxisCurves] = []
    metrics: tuple[str, ...] = ("valid_loss", *GRADIENT_METRICS)
    for axis, _ in counts.most_common(DRAWN_AXES):
        values = [label for label in named if label.startswith(f"{axis}=") and "," not in label]
        if "base" in named and values:
            labels = ["base", *values[:DRAWN_VALUES]]
            ids = [run.id for label in labels for run in named[label]]
            found += _curves_of(section, axis, list(section.details(ids)), metrics)
        metrics = ("valid_loss",)
    return found


def _curves_of(
    section: Section, axis: str, runs: Sequence[Record], metrics: Sequence[str]
) -> list[AxisCurves]:
    base = section.base
    found = []
    for metric in metrics:
        try:
            rows = average_curves(runs, section.suite, metric)
        except ValueError:  # measured in none of these runs
            continue
        lines = {_value_text(row["variant"], axis, base): row["points"] for row in rows}
        found.append(AxisCurves(axis, metric, lines))
    return found


class LayerCharts(NamedTuple):
    """Holds the curves of one figure: for each parameter or layer a line for each variant."""

    figure: str
    charts: dict[str, dict[str, list[CurvePoint]]]


def layer_charts(section: Section) -> list[LayerCharts]:
    """Return the recorded figures of the first variants that have any, the base before others."""
    named = by_variant(list(section.group), section.base)
    names = sorted(named, key=lambda name: name != "base")
    # as many variants are read as curves are drawn of an axis
    ids = [run.id for name in names[: DRAWN_VALUES + 1] for run in named[name]]
    runs = [run for run in section.details(ids) if run.outcome.get("layers")]
    found = []
    for figure in LAYER_TITLES if runs else ():
        charts: dict[str, dict[str, list[CurvePoint]]] = {}
        for row in layer_curves(runs, section.suite, figure):
            charts.setdefault(row["layer"], {})[row["variant"]] = row["points"]
        if charts:
            found.append(LayerCharts(figure, charts))
    return found


def _value_text(variant: str, axis: str, base: Mapping[str, Any]) -> str:
    """Return the axis's value of a variant, which the name of the base does not say."""
    return f"{axis}={naming.text(base.get(axis))}" if variant == "base" else variant


class ShownFinding(NamedTuple):
    """Holds a cause that the doctor found in a variant, with the evidence of one run."""

    variant: str
    runs: int
    examined: int
    finding: Finding


def shown_findings(section: Section) -> list[ShownFinding]:
    """Return what the doctor found in the first variants that have findings."""
    rows = [row for row in section.summary if row["findings"]][:FINDINGS]
    if not rows:
        return []
    examples = _examples(section.details([run for row in rows for run in row["runs"]]))
    return [
        ShownFinding(row["variant"], count, row["examined"], examples[cause])
        for row in rows
        for cause, count in row["findings"].items()
        if cause in examples
    ]


class FoundCause(NamedTuple):
    """Holds a cause that the doctor found, in how many runs and where, and one finding of it."""

    cause: str
    runs: int
    where: str
    example: Finding


def found_causes(sections: Sequence[Section]) -> Iterator[FoundCause]:
    """Yield each cause that the doctor found in any table, the most frequent first."""
    counts: Counter[str] = Counter()
    places: dict[str, list[tuple[int, Section, SummaryRow]]] = {}
    for section in sections:
        for row in section.summary:
            counts.update(row["findings"])
            for cause, count in row["findings"].items():
                places.setdefault(cause, []).append((count, section, row))
    for cause, runs in counts.most_common():
        _, section, row = max(places[cause], key=lambda place: place[0])
        example = _examples(section.details(row["runs"])).get(cause)
        if example is not None:
            names = [f"{place.task} {one['variant']}" for _, place, one in places[cause]]
            yield FoundCause(cause, runs, naming.listed(names), example)


def _examples(records: Iterable[Record]) -> dict[str, Finding]:
    """Return the first finding of each cause."""
    found: dict[str, Finding] = {}
    for record in records:
        read = examined_run(record)
        for finding in findings(read) if read else ():
            found.setdefault(finding.cause, finding)
    return found


def best_samples(section: Section) -> list[Mapping[str, Any]]:
    """Return the sample outputs of a run of the best variant."""
    # the summary is sorted, and its runs are by seed: the first seed of the best variant
    (best,) = section.details([section.summary[0]["runs"][0]])
    samples: list[Mapping[str, Any]] = best.outcome.get("samples", [])
    return samples


def attended(samples: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the first samples whose attention can be shown."""
    return [s for s in samples if s.get("attention") and s.get("source_symbols")][:HEATS]
