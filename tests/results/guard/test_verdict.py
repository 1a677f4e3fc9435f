"""Proves what a guard says of numbers made by hand: words, proof, confirmation, exit codes."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from results.guard import output, pytest_benchmark, quality, verdict
from results.guard.verdict import PLANTED, Trial, exact_rows, exit_code, judge
from tests.records import SUITE, failed, record

DRAW = np.random.default_rng(0)


def ratios(true: float, count: int = 40, noise: float = 0.02) -> list[float]:
    drawn: list[float] = np.exp(np.log(true) + noise * DRAW.standard_normal(count)).tolist()
    return drawn


def trial(true: float, noise: float = 0.02, itself: float = 1.0, planted: float = 1.1) -> Trial:
    present, again, more = (ratios(value, noise=noise) for value in (true, itself, planted))
    return Trial("reversal base training", 0.05, present, again, more)


# words


@pytest.mark.parametrize(
    ("true", "word"),
    [(1.0, "fine"), (1.1, "slower"), (1.06, "slower"), (0.9, "faster"), (1.04, "slower")],
)
def test_words_by_ratio(true: float, word: str) -> None:
    assert judge(ratios(true, 320, 0.03), 0.05).verdict == word


def test_few_or_noisy_rounds_tell_nothing() -> None:
    assert judge([], 0.05).verdict == "cannot tell"
    assert judge([1.2] * 8, 0.05).verdict == "cannot tell"
    assert judge([1.2] * 10, 0.05).verdict == "slower"
    assert judge(ratios(1.0, 20, 0.3), 0.05).verdict == "cannot tell"


@given(st.lists(st.floats(0.5, 2.0), min_size=10, max_size=60))
def test_slower_one_way_is_faster_the_other(values: list[float]) -> None:
    there = judge(values, 0.05)
    back = judge([1 / value for value in values], 0.05)
    opposite = {"slower": "faster", "faster": "slower"}
    assert back.verdict == opposite.get(there.verdict, there.verdict)
    assert there.low <= there.ratio <= there.high


def test_who_misses_what_was_planted_is_not_believed() -> None:
    assert trial(1.0).judged.verdict == "fine"
    blind = trial(1.0, planted=1.03)
    assert not blind.caught
    assert blind.judged.verdict == "cannot tell"


def test_who_differs_from_itself_raises_no_alarm() -> None:
    assert trial(1.1).judged.verdict == "slower"
    assert trial(1.1, itself=1.1).judged.verdict == "cannot tell"


def test_an_alarm_counts_once_it_is_confirmed() -> None:
    assert verdict.timed_row([trial(1.1)], {})["verdict"] == "cannot tell"
    assert verdict.timed_row([trial(1.1), trial(1.1)], {})["verdict"] == "slower"
    assert verdict.timed_row([trial(1.1), trial(1.0)], {})["verdict"] == "fine"
    assert verdict.timed_row([trial(1.1), trial(0.9)], {})["verdict"] == "cannot tell"
    row = verdict.timed_row([trial(1.0, itself=1.1, planted=1.0)], {"operations": (1, 2)})
    assert (row["false_alarms"], row["missed"], row["trials"]) == (1, 1, 1)
    assert row["counts"] == {"operations": [1, 2]}


def test_looks_at_identical_code_raise_no_alarm() -> None:
    """2,000 guards that look at every of LOOKS, at the noise of a busy machine."""
    noise = np.exp(0.05 * DRAW.standard_normal((2000, 80)))
    looked = [
        any(judge(row[:count].tolist(), 0.05).verdict == "slower" for count in (10, 20, 40, 80))
        for row in noise
    ]
    assert np.mean(looked) <= 0.005


# counts

COUNTS: dict[str, dict[str, int | None]] = {
    "a": {"operations": 10, "bytes": 100, "kernels": None},
    "b": {"operations": 20, "bytes": 200, "kernels": None},
}


def verdicts(rows: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(row["subject"], row["count"], row["verdict"]) for row in rows]


def test_counts_are_compared_exactly() -> None:
    assert verdicts(exact_rows(COUNTS, COUNTS)) == [("a", "", "same"), ("b", "", "same")]
    more = {**COUNTS, "b": {"operations": 21, "bytes": 199, "kernels": None}}
    assert verdicts(exact_rows(COUNTS, more)) == [
        ("a", "", "same"),
        ("b", "operations", "more"),
        ("b", "bytes", "less"),
    ]
    assert verdicts(exact_rows(COUNTS, {"a": COUNTS["a"], "c": COUNTS["b"]})) == [
        ("a", "", "same"),
        ("c", "", "new"),
        ("b", "", "gone"),
    ]
    on_cuda = {**COUNTS, "a": {**COUNTS["a"], "kernels": 5}}
    assert verdicts(exact_rows(COUNTS, on_cuda))[0] == ("a", "kernels", "more")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], 3),
        (["same", "fine", "faster", "better"], 0),
        (["fine", "cannot tell"], 3),
        *((["fine", "cannot tell", word], 1) for word in verdict.FAIL),
    ],
)
def test_exit_codes(words: list[str], code: int) -> None:
    assert exit_code([{"verdict": word} for word in words]) == code


# quality


def runs(scores: list[float], **changes: Any) -> list[Any]:
    return [record(seed, score, 900, **changes) for seed, score in enumerate(scores)]


def by_measure(rows: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    return {(row["subject"], row["measure"]): row["verdict"] for row in rows}


def test_quality_bit_for_bit_costs_nothing() -> None:
    some = [*runs([0.5] * 3), *runs([0.25] * 3, cell="lstm")]
    assert quality.differing(some, some, SUITE) == set()
    rows = quality.rows(some, some, SUITE)
    assert by_measure(rows) == {
        ("opposites base", ""): "same",
        ("opposites cell=lstm", ""): "same",
    }
    assert exit_code(rows) == 0


def test_a_variant_that_stands_alone_is_named_in_full() -> None:
    """Guarding one cell of a plugin must not read as if the suite's base had been trained."""
    now, before = (runs([score] * 8, cell="mgu") for score in (0.5, 0.6))
    for rows in (quality.rows(now, now, SUITE), quality.rows(now, before, SUITE)):
        assert {row["subject"] for row in rows} == {"opposites cell=mgu"}
    (row,) = quality.rows(runs([0.5]), runs([0.5]), SUITE)
    assert row["subject"] == "opposites base"


def test_quality_that_fell_is_worse() -> None:
    before = [*runs([0.8 + seed / 100 for seed in range(8)]), *runs([0.5] * 8, cell="lstm")]
    now = [*runs([0.4 + seed / 90 for seed in range(8)]), *runs([0.5] * 8, cell="lstm")]
    assert quality.differing(now, before, SUITE) == {
        ("opposites", "100 steps, batch 32, cpu", "base")
    }
    rows = by_measure(quality.rows(now, before, SUITE))
    assert rows["opposites base", "exact match"] == "worse"
    assert rows["opposites cell=lstm", ""] == "same"
    assert by_measure(quality.rows(before, now, SUITE))["opposites base", "exact match"] == "better"


def test_quality_of_too_few_seeds_cannot_be_told() -> None:
    rows = quality.rows(runs([0.4, 0.5, 0.45]), runs([0.8, 0.9, 0.95]), SUITE)
    assert by_measure(rows)["opposites base", "exact match"] == "cannot tell"
    assert exit_code(rows) == 3


def test_quality_of_runs_that_fail_is_worse() -> None:
    before = runs([0.5, 0.5])
    assert exit_code(quality.rows([before[0], failed(1)], before, SUITE)) == 1
    assert exit_code(quality.rows(before[:0], before, SUITE)) == 3


# pytest-benchmark


def benchmarks(folder: Path, name: str, times: dict[str, list[float]], node: str = "n") -> Path:
    file = folder / name
    told = {
        "machine_info": {"node": node, "cpu": {"brand_raw": "C"}},
        "benchmarks": [
            {
                "fullname": test,
                "stats": {
                    "median": float(np.median(values)),
                    "iqr": float(np.subtract(*np.quantile(values, [0.75, 0.25]))),
                    "rounds": len(values),
                    **({"data": values} if "data" in name else {}),
                },
            }
            for test, values in times.items()
        ],
    }
    file.write_text(json.dumps(told))
    return file


@pytest.mark.parametrize("kind", ["data", "summary"])
def test_files_of_pytest_benchmark(tmp_path: Path, kind: str) -> None:
    before = {"same": ratios(1.0, 200), "slow": ratios(1.0, 200), "quick": ratios(1.0, 200)}
    after = {"same": ratios(1.0, 200), "slow": ratios(1.2, 200), "quick": ratios(0.8, 200)}
    old = benchmarks(tmp_path, f"old-{kind}", {**before, "gone": [1.0] * 9})
    new = benchmarks(tmp_path, f"new-{kind}", {**after, "new": [1.0] * 9})
    rows = pytest_benchmark.compare_benchmark_files(old, new, 0.05)
    assert {row["subject"]: row["verdict"] for row in rows} == {
        "same": "fine",
        "slow": "slower",
        "quick": "faster",
    }
    assert exit_code(rows) == 1


def test_files_of_unlike_machines_tell_nothing(tmp_path: Path) -> None:
    old = benchmarks(tmp_path, "old-data", {"a": ratios(1.0)})
    new = benchmarks(tmp_path, "new-data", {"a": ratios(2.0)}, node="another")
    rows = pytest_benchmark.compare_benchmark_files(old, new, 0.05)
    assert rows[0]["verdict"] == "cannot tell"
    assert "node" in rows[0]["why"]
    assert exit_code(rows) == 3


def test_one_round_says_nothing_of_the_spread(tmp_path: Path) -> None:
    old, new = (benchmarks(tmp_path, f"{n}-data", {"a": [1.0]}) for n in ("old", "new"))
    assert pytest_benchmark.compare_benchmark_files(old, new, 0.05)[0]["verdict"] == "cannot tell"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"benchmarks": 3}', '{"benchmarks": [{}]}'])
def test_what_is_no_file_of_pytest_benchmark(tmp_path: Path, content: str) -> None:
    file = tmp_path / "f.json"
    file.write_text(content)
    with pytest.raises(pytest_benchmark.PytestBenchmarkError, match=r"f\.json is no file of"):
        pytest_benchmark.compare_benchmark_files(file, file, 0.05)
    with pytest.raises(pytest_benchmark.PytestBenchmarkError, match="cannot be read"):
        pytest_benchmark.compare_benchmark_files(tmp_path / "none", file, 0.05)


# output

ROWS = [
    verdict.timed_row([trial(1.1), trial(1.1)], {"operations": (969, 1129)}),
    verdict.timed_row([trial(1.0)], {}),
    verdict.timed_row([trial(1.0, planted=1.0)], {}),
    *exact_rows(COUNTS, {**COUNTS, "b": {"operations": 21, "bytes": 200, "kernels": None}}),
    *quality.rows(runs([0.4, 0.5, 0.45]), runs([0.8, 0.9, 0.95]), SUITE),
]


def test_terminal_fits_and_says_what_was_proven() -> None:
    out = io.StringIO()
    output.show_guard(ROWS, Console(file=out, width=80, highlight=False))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    text = " ".join(out.getvalue().split())
    assert "0 of 4 comparisons of the reference with itself raised an alarm" in text
    assert "1 of 4 planted slow-downs of 10 % were missed" in text
    assert "1 the same" in text
    assert lines[-1] == "guard: regression: 1 slower, 1 more"
    assert PLANTED == 0.1


def test_markdown_has_the_tables() -> None:
    text = output.markdown(ROWS)
    assert text.startswith("### bench guard: regression: 1 slower, 1 more")
    assert "operations 969 → 1,129" in text
    for table in (part for part in text.split("\n\n") if part.startswith("|")):
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_junit_has_a_case_a_row() -> None:
    suite = ElementTree.fromstring(output.junit(ROWS))
    assert suite.get("tests") == str(len(ROWS)) == str(len(suite))
    assert suite.get("failures") == str(len(suite.findall("testcase/failure"))) == "2"
    unsure = sum(row["verdict"] == "cannot tell" for row in ROWS)
    assert suite.get("errors") == str(len(suite.findall("testcase/error"))) == str(unsure)


def test_numbers_that_are_none_stay_out() -> None:
    empty = verdict.timed_row([Trial("s", 0.05)], {})
    assert empty["ratio"] is None
    json.dumps(empty, allow_nan=False)
    assert "None" not in output.markdown([empty])
