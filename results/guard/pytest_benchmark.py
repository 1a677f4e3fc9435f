"""Compares two files of pytest-benchmark by what their rounds say.

All values of one file were measured in one session. What changed on the machine between the two
sessions is in no interval. So a slow-down only counts if the whole interval is beyond the
threshold.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from results.guard.verdict import LOOK_CONFIDENCE, GuardRow, word_of_ratio
from results.stats.inference import RESAMPLES, fixed_generator

MACHINE = ("node", "machine", "python_version", "system")
"""Facts about a machine that must be equal for times to compare, besides its CPU."""
QUARTILE_RANGE = 1.349
"""Distance between the quartiles of a normal distribution, in standard deviations."""
MEDIAN_ERROR = 1.2533
"""Standard error of a normal sample's median in relation to its mean's, sqrt(pi / 2)."""
LARGEST_SAMPLE = 10_000
"""Number of rounds of a benchmark that are resampled."""
MEDIAN_RESAMPLES = min(RESAMPLES, 500)
"""Number of resamples for the error of a median."""


class PytestBenchmarkError(ValueError):
    """Says in one sentence what is wrong with a file."""


def compare_benchmark_files(old: Path, new: Path, threshold: float) -> list[GuardRow]:
    """Return a row for each benchmark that is in both files.

    Args:
        old: file of the reference.
        new: file of the present code.
        threshold: the smallest slow-down that matters, 0.05 for 5 %.

    Raises:
        PytestBenchmarkError: a file cannot be read, or they have no benchmark in common.
    """
    before, now = _read(old), _read(new)
    differences = _differences(before["machine_info"], now["machine_info"])
    known = {one["fullname"]: one["stats"] for one in before["benchmarks"]}
    rows = []
    for benchmark in now["benchmarks"]:
        name = benchmark["fullname"]
        if name in known:
            row = _row(name, known[name], benchmark["stats"], threshold)
            rows.append(
                row | ({"verdict": "cannot tell", "why": differences} if differences else {})
            )
    if not rows:
        raise PytestBenchmarkError(
            f"{old} and {new} have no benchmark in common; give two files of the same tests"
        )
    return rows


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        # fail here, with a sentence, if anything that is used later is missing
        for one in content["benchmarks"]:
            str(one["fullname"]), float(one["stats"]["median"]), int(one["stats"]["rounds"])
        return {"machine_info": dict(content["machine_info"]), **content}
    except OSError as error:
        raise PytestBenchmarkError(f"{file} cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PytestBenchmarkError(
            f"{file} is no file of pytest-benchmark ({error!r}); make one with pytest "
            "--benchmark-json FILE"
        ) from None


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say in what two machines differ; "" if they are equal as far as is known."""
    facts = [_machine_facts(info) for info in (before, now)]
    differ = [key for key in facts[0] if facts[0][key] != facts[1][key]]
    return f"measured on unlike machines: {', '.join(differ)} differ" if differ else ""


def _machine_facts(info: Mapping[str, Any]) -> dict[str, Any]:
    cpu = (info.get("cpu") or {}).get("brand_raw")
    return {**{key: info.get(key) for key in MACHINE}, "cpu": cpu}


def _row(
    name: str, before: Mapping[str, Any], now: Mapping[str, Any], threshold: float
) -> GuardRow:
    """Judge the ratio of two medians, whose logarithm is taken as normal."""
    ratio = now["median"] / before["median"]
    # errors of independent logarithms add in squares
    spread = math.hypot(_log_median_error(before), _log_median_error(now))
    reach = math.exp(NormalDist().inv_cdf((1 + LOOK_CONFIDENCE) / 2) * spread)
    low, high = ratio / reach, ratio * reach
    return {
        "kind": "timed",
        "subject": name,
        "verdict": word_of_ratio(low, high, threshold, threshold),
        "ratio": ratio,
        "low": low if math.isfinite(high) else None,
        "high": high if math.isfinite(high) else None,
        "rounds": [min(before["rounds"], now["rounds"])],
        "why": "",
    }


def _log_median_error(stats: Mapping[str, Any]) -> float:
    """Return the standard error of the logarithm of the median.

    It is estimated by resampling if the file has all rounds, else from the quartiles, as for
    notches of box plots (McGill et al. 1978). A single round says nothing of it.
    """
    rounds = stats.get("data")
    if rounds and len(rounds) > 1:
        # a sample of the rounds is enough, and a file may have millions
        values = np.log(np.asarray(rounds, dtype=float)[:LARGEST_SAMPLE])
        drawn = fixed_generator().integers(0, len(values), size=(MEDIAN_RESAMPLES, len(values)))
        return float(np.median(values[drawn], axis=1).std(ddof=1))
    if stats["rounds"] < 2:
        return math.inf
    return float(
        MEDIAN_ERROR * stats["iqr"] / QUARTILE_RANGE / math.sqrt(stats["rounds"]) / stats["median"]
    )
