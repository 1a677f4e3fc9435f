"""Collects what the scripts of a report show: its tables, and each run with its details.

All of it is one JSON text, which the page holds compressed. Of each run as much is kept as lets the
page stay small: the more runs, the less of each.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from results import metrics, naming
from results.doctor.examined import examined_run
from results.doctor.rules import findings
from results.escapes import plain
from results.grouping import by_variant, test_score
from results.record import Record
from results.report.charts import VERDICT_COLOURS
from results.report.content import Section
from results.report.outputs import ReadOutputs, kept_outputs, tested
from results.tables.effects import VERDICT_LABELS, effect_text, interval_text, verdict_text

StateSize = Callable[[Mapping[str, Any]], int | None]
"""Returns how many numbers a variant's decoder carries from step to step; None if it varies."""
SCRIPTS = ("elements", "filter", "charts", "runs", "start")
"""Names of the page's scripts, in their order."""
MOST_BYTES = 14_000_000
"""Size that a page may have; the more of it runs would take, the less is kept of each."""
MOST_OF_A_RUN = 15_000
"""Bytes that a run may add to a page, so that one of few runs stays smaller still."""
MOST_READ = 1_000
"""Runs of which all outputs are read; of more it would take minutes."""
WORST_SHOWN = 20
"""Wrong outputs of test that a page keeps of a run, the worst."""
TRIED_RUNS = 200
"""Runs from whose size that of all is estimated."""
CURVE_DIGITS = 4
"""Significant digits of the numbers of a curve."""
MIB = 2**20


class Detail(NamedTuple):
    """Says how much of each run a page keeps.

    points: of its curve. keys: of the curve's values, the first of them. outputs: sentences.
    attended: of these, with their attention.
    """

    points: int
    keys: int
    outputs: int
    attended: int

    def said(self) -> str:
        """Return what is kept, as a remark."""
        return (
            f"to stay small, this page keeps of each run {self.points} points of its curve and "
            f"{self.outputs} outputs, {self.attended} with attention; bench show RUN prints all"
        )


DETAIL_LEVELS = (
    Detail(100, 12, 100, 100),
    Detail(40, 12, 6, 6),
    Detail(20, 6, 6, 2),
    Detail(12, 4, 2, 1),
    Detail(8, 3, 1, 0),
    Detail(4, 2, 0, 0),
)
"""How much may be kept of each run, the most first."""


def scripts() -> str:
    """Return the scripts of the page, as one."""
    folder = files("results.report") / "scripts"
    parts = [(folder / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    return "(() => {\n'use strict';\n" + "\n".join(parts) + "})();\n"


@cache
def library() -> str:
    """Return Vega-Lite with what it needs, compressed, as base64."""
    import vl_convert

    return _packed(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))


class ScriptedRuns(NamedTuple):
    """Holds what the scripts show, compressed, as base64; remark: what of it was left out."""

    content: str
    remark: str


def scripted_runs(
    sections: Sequence[Section], state_size: StateSize, outputs: ReadOutputs, page_bytes: int
) -> ScriptedRuns:
    """Return everything that the scripts show of these tables.

    Args:
        sections: the tables.
        state_size: how many numbers a variant's decoder carries from step to step.
        outputs: reads all outputs of a run.
        page_bytes: size of the rest of the page.
    """
    if sum(len(section.group) for section in sections) > MOST_READ:
        outputs = _no_outputs
    detail = _detail_that_fits(sections, outputs, MOST_BYTES - len(library()) - page_bytes)
    content = {
        "verdicts": [
            (word, colour, VERDICT_LABELS.get(word, word))
            for word, colour in VERDICT_COLOURS.items()
        ],
        "tables": [_table(section, state_size) for section in sections],
        "runs": [list(_runs(section, state_size, outputs, detail)) for section in sections],
    }
    remark = "" if detail == DETAIL_LEVELS[0] else detail.said()
    return ScriptedRuns(_packed(_json(content)), remark)


def _no_outputs(record: Record) -> None:
    """Return nothing: reading all outputs of so many runs takes too long."""


def _detail_that_fits(sections: Sequence[Section], outputs: ReadOutputs, room: int) -> Detail:
    """Return the most detail with which some of the runs say that all fit."""
    count = sum(len(section.group) for section in sections)
    every = max(count // TRIED_RUNS, 1)
    records = [
        record
        for section in sections
        for record in section.details([run.id for run in section.group[::every]])
    ]
    for detail in DETAIL_LEVELS[:-1]:
        tried = [_detailed(record, outputs, detail) for record in records]
        size = len(_packed(_json(tried))) / max(len(records), 1)
        if size <= MOST_OF_A_RUN and size * count <= room:
            return detail
    return DETAIL_LEVELS[-1]


def _json(content: Any) -> str:
    return json.dumps(
        _harmless(content), ensure_ascii=False, separators=(",", ":"), allow_nan=False
    )


def _harmless(value: Any) -> Any:
    """Return a value in which every text, however deep, is harmless; lists of numbers stay."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, Mapping):
        return {plain(str(key)): _harmless(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple) and not (value and isinstance(value[0], int | float)):
        return [_harmless(inner) for inner in value]
    return value


def _packed(text: str) -> str:
    # no time of packing, so that the same runs make the same page
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def _table(section: Section, state_size: StateSize) -> dict[str, Any]:
    """Return one table: its axes that vary, its variants in the order of the summary, effects."""
    summary, base = section.summary, section.base
    metric = metrics.score(summary[0]["metric"])
    named = by_variant(list(section.group), base)
    variants = [named[row["variant"]][0].named for row in summary]
    axes = naming.spelled(base, variants)
    values = [_values(variant, base, axes) for variant in variants]
    return {
        "task": section.task,
        "setting": section.setting,
        "title": metric.title,
        "higher": metric.higher,
        "decimals": len(metric.write(0.0).partition(".")[2]),
        "axes": {axis: _distinct(one[axis] for one in values) for axis in axes},
        "common": {axis: naming.text(value) for axis, value in base.items()},
        "variants": [
            {
                "name": row["variant"],
                "values": one,
                "differs": list(naming.differences(variant, base)),
            }
            for row, variant, one in zip(summary, variants, values, strict=True)
        ],
        "effects": list(_effects(section)),
    }


def _values(
    variant: Mapping[str, Any], base: Mapping[str, Any], axes: Mapping[str, str]
) -> dict[str, str]:
    """Return a variant's value on each axis that varies, as text."""
    differing = naming.differences(variant, base)
    return {axis: naming.text(differing.get(axis, axes[axis])) for axis in axes}


def _distinct(values: Iterable[str]) -> list[str]:
    """Return each value once, numbers by their size and before words."""
    return sorted(set(values), key=lambda text: (_number(text), text))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.inf


def _effects(section: Section) -> Iterator[dict[str, Any]]:
    for row in section.scores:
        if row["effect"] is None or row["low"] is None or row["high"] is None:
            continue
        yield {
            "name": row["a"],
            "against": row["b"],
            "effect": row["effect"],
            "low": row["low"],
            "high": row["high"],
            "verdict": row["verdict"],
            "text": effect_text(row),
            "interval": interval_text(row),
            "says": row["refused"] or verdict_text(row),
            "seeds": row["pairs"],
        }


def _runs(
    section: Section, state_size: StateSize, outputs: ReadOutputs, detail: Detail
) -> Iterator[dict[str, Any]]:
    """Yield the runs of a table, each with the number of its variant."""
    numbers = {run: n for n, row in enumerate(section.summary) for run in row["runs"]}
    for record in section.details([record.id for record in section.group]):
        outcome, measured = record.outcome, record.measured
        peak = measured.get("peak_bytes")
        yield {
            "id": record.id,
            "variant": numbers[record.id],
            "seed": record.seed,
            "status": record.status,
            "error": outcome.get("error"),
            "score": test_score(outcome),
            "steps": outcome.get("steps"),
            "tokens": (outcome.get("to_target") or {}).get("tokens"),
            "seconds": _rounded(measured.get("train_seconds")),
            "speed": _rounded(measured.get("tokens_per_second")),
            "peak": None if peak is None else round(peak / MIB),
            "parameters": outcome.get("parameters"),
            "state": state_size(record.variant),
            "causes": list(outcome.get("findings") or ()),
            **_detailed(record, outputs, detail),
        }


def _detailed(record: Record, outputs: ReadOutputs, detail: Detail) -> dict[str, Any]:
    """Return what of a run is kept in more or less detail."""
    examined = examined_run(record)
    return {
        "curve": _curve(record.outcome.get("curve") or [], detail),
        "samples": [
            _sample(sample, number < detail.attended)
            for number, sample in enumerate(kept_outputs(record)[: detail.outputs])
        ],
        "tested": tested(outputs(record), min(detail.outputs, WORST_SHOWN)),
        "findings": [
            {key: getattr(finding, key) for key in ("cause", "sure", "evidence", "change")}
            for finding in (findings(examined) if examined else ())
        ],
    }


def _curve(points: Sequence[Mapping[str, Any]], detail: Detail) -> dict[str, list[Any]] | None:
    """Return a curve as a list for each of its values, at points evenly spread."""
    if not points:
        return None
    count = min(len(points), detail.points)
    picked = [points[i * (len(points) - 1) // max(count - 1, 1)] for i in range(count)]
    keys = [key for key in points[-1] if key not in ("step", "tokens", "epoch")]
    # the losses first: they are what a small page keeps
    keys.sort(key=lambda key: key not in ("valid_loss", "loss"))
    kept = ("step", *keys[: detail.keys])
    return {key: [_rounded(point.get(key)) for point in picked] for key in kept}


def _rounded(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return float(f"{value:.{CURVE_DIGITS}g}") if math.isfinite(value) else None


def _sample(sample: Mapping[str, Any], attended: bool) -> dict[str, Any]:
    """Return an output, with its attention in percent if that is to be kept."""
    kept = {key: sample[key] for key in ("source", "output", "reference") if key in sample}
    if not sample.get("ended", True):
        kept["ended"] = False
    if attended and sample.get("attention") and sample.get("source_symbols"):
        kept["source_symbols"] = sample["source_symbols"]
        kept["output_symbols"] = sample["output_symbols"]
        kept["attention"] = [[round(100 * weight) for weight in row] for row in sample["attention"]]
    return kept
