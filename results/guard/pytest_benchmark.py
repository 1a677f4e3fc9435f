"""Two files of pytest-benchmark, compared by what their rounds say.

What stands in one file was measured in one sitting; what changed on the machine between the two
is in no interval. So a slow-down counts only if the whole interval is beyond the threshold.
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
from results.stats.inference import RESAMPLES, generator

MACHINE = ("node", "machine", "python_version", "system")


class PytestBenchmarkError(ValueError):
    """What is wrong with a file, in a sentence."""


def compare_benchmark_files(old: Path, new: Path, threshold: float) -> list[GuardRow]:
    """A row a benchmark that is in both. PytestBenchmarkError for what cannot be read."""
    before, now = _read(old), _read(new)
    unlike = _unlike(before["machine_info"], now["machine_info"])
    known = {one["fullname"]: one["stats"] for one in before["benchmarks"]}
    rows = []
    for one in now["benchmarks"]:
        if one["fullname"] in known:
            row = _row(one["fullname"], known[one["fullname"]], one["stats"], threshold)
            rows.append(row | ({"verdict": "cannot tell", "why": unlike} if unlike else {}))
    if not rows:
        raise PytestBenchmarkError(
            f"{old} and {new} have no benchmark in common; give two files of the same tests"
        )
    return rows


def _read(file: Path) -> dict[str, Any]:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        for one in told["benchmarks"]:
            str(one["fullname"]), float(one["stats"]["median"]), int(one["stats"]["rounds"])
        found: dict[str, Any] = {"machine_info": dict(told["machine_info"]), **told}
    except OSError as error:
        raise PytestBenchmarkError(f"{file} cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PytestBenchmarkError(
            f"{file} is no file of pytest-benchmark ({error!r}); make one with pytest "
            "--benchmark-json FILE"
        ) from None
    return found


def _unlike(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    told = [{key: some.get(key) for key in MACHINE} for some in (before, now)]
    for place, some in enumerate((before, now)):
        told[place]["cpu"] = (some.get("cpu") or {}).get("brand_raw")
    differ = [key for key in told[0] if told[0][key] != told[1][key]]
    return f"measured on unlike machines: {', '.join(differ)} differ" if differ else ""


def _row(
    name: str, before: Mapping[str, Any], now: Mapping[str, Any], threshold: float
) -> GuardRow:
    ratio = now["median"] / before["median"]
    spread = math.hypot(_spread(before), _spread(now))
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


def _spread(stats: Mapping[str, Any]) -> float:
    """Standard error of the logarithm of the median: by resampling the rounds where the file has
    them, else from their quartiles, which for normal values spread by 1.349 (McGill 1978)."""
    rounds = stats.get("data")
    if rounds and len(rounds) > 1:
        values = np.log(np.asarray(rounds, dtype=float)[:10_000])
        drawn = generator().integers(0, len(values), size=(min(RESAMPLES, 500), len(values)))
        return float(np.median(values[drawn], axis=1).std(ddof=1))
    if stats["rounds"] < 2:
        return math.inf
    return float(1.2533 * stats["iqr"] / 1.349 / math.sqrt(stats["rounds"]) / stats["median"])
