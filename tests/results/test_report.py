"""Proves that a report says what the tables say, whole in one file; what a browser makes of it is
proved in `test_report_in_a_browser.py`."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from results.compare.axis_effects import page_of_axes
from results.compare.pairs import ComparisonError
from results.doctor.examined import examined_run
from results.doctor.rules import findings
from results.escapes import for_html
from results.record import Record
from results.report import scripted, write
from results.report.content import Section
from results.report.glance import at_a_glance
from results.report.outputs import OutputsOfTest
from results.summary import summarise
from tests.records import SUITE, failed, record
from tests.reports import RUNS, report, shown_by_scripts


def test_it_says_what_is_known() -> None:
    text = report()
    assert "55 runs (54 solved, 1 failed) in 2 tables, 2026-11-21" in text
    assert text.count(">cell=lstm</td>") >= 2
    assert text.count('class="text better">better</td>') == 2
    assert text.count('class="text alike">no difference seen</td>') == 2
    assert "effect on exact match, 95% interval" in text
    assert "3 variants that all 2 tables have" in text
    assert "P, threads 1" not in text.partition("environment")[0]
    assert "processor P" in text


def test_words_of_other_seeds_stand_beside_those_of_a_report() -> None:
    """Runs that are kept apart are in no table; the cell is better again, attention is not."""

    def runs(seeds: range, score: float, **changes: Any) -> list[Record]:
        return [record(seed, score + 0.01 * (seed % 3), **changes) for seed in seeds]

    first, second = range(8), range(100, 108)
    kept = [
        *runs(first, 0.5),
        *runs(first, 0.8, cell="lstm"),
        *runs(first, 0.9, attention="dot"),
        *runs(second, 0.5),
        *runs(second, 0.8, cell="lstm"),
        *runs(second, 0.2, attention="dot"),
    ]
    text = re.sub("<[^>]+>", " ", report(kept, again=range(100, 110)))
    assert "24 runs (24 finished) in 1 table" in text
    assert "24 more runs, of seeds 100:110, are in no table" in text
    assert "Of the 2 words better or worse below, 1 came again with them, 1 the other way" in text
    assert "+0.300, better" in text
    assert "-0.300, worse" in text
    assert "bench report --output report.html --again 100:110" in text
    alone = [one for one in kept if one.seed in first]
    assert "more runs" not in report(alone)
    with pytest.raises(ComparisonError, match="no run has one of the seeds 200:210"):
        report(kept, again=range(200, 210))


def section_of(runs: list[Record]) -> Section:
    summary = summarise(runs, SUITE)
    (table,) = {(row["task"], row["setting"]) for row in summary}
    return Section("t0", *table, runs, SUITE, summary, [], lambda ids: ())


def card(runs: list[Record]) -> str:
    """The card of a task on the first screen, as text."""
    cards = at_a_glance([section_of(runs)], [page_of_axes(runs, SUITE, ("tokens_to_target",))])
    return re.sub("<[^>]+>", "", cards[1])


def test_the_first_screen_says_what_is_sure_or_likely() -> None:
    """Also of a task whose runs stop at its target, of which no scores are compared."""

    def stopped(seeds: int, tokens: int, **changes: Any) -> list[Record]:
        return [
            record(seed, 1.0, tokens + 10 * seed, stop="solved", steps=200, **changes)
            for seed in range(seeds)
        ]

    few_runs = [*stopped(3, 900), *stopped(3, 400, cell="lstm")]
    seven_runs = [*stopped(7, 900), *stopped(7, 400, cell="lstm")]
    few, seven = card(few_runs), card(seven_runs)
    assert "cell=lstm against cell=gru: ×0.45 tokens to target (" in few
    assert "tokens to target: 1 large, not yet significant" in few
    assert "cell=lstm is better than cell=gru: ×0.4" in seven
    assert "nothing to compare" not in few + seven
    # the tasks of which something is sure lead
    both = [section_of(few_runs), section_of(seven_runs)]
    effects = [page_of_axes(runs, SUITE, ("tokens_to_target",)) for runs in (few_runs, seven_runs)]
    cards = at_a_glance(both, effects)[1]
    assert cards.index("is <b") < cards.index("large, not yet significant")


def test_nothing_comes_from_elsewhere_and_nothing_typed_is_markup() -> None:
    text = report()
    for address in re.findall(r'(?:src|href)="([^"]*)"', text):
        assert address.startswith(("#", "data:,")), address
    assert not re.search(r"@import|url\((?!#)", text.partition('<script type="text/plain"')[0])
    assert "我 &lt;b&gt;很&lt;/b&gt; 好" in text
    assert "<b>很" not in text


def test_charts_are_whole_and_their_ids_their_own() -> None:
    text = report()
    charts = re.findall(r"<svg.*?</svg>", text, flags=re.S)
    assert len(charts) >= 2 * (1 + 1 + 3)  # effects, cost, three curves; of each task
    for chart in charts:
        root = ElementTree.fromstring(chart)
        assert len(list(root.iter())) > 30, "an empty chart"
        assert root.get("aria-label")
        assert "currentColor" in chart
        assert "#010203" not in chart
    counts = Counter(re.findall(r'\bid="([^"]*)"', text))
    assert [name for name, count in counts.items() if count > 1] == []
    for name in re.findall(r"url\(#([^)]*)\)", text) + re.findall(r'href="#([^"]+)"', text):
        assert name in counts, name


def test_runs_that_all_failed_make_a_report_too() -> None:
    text = report([failed(seed) for seed in range(3)])
    assert "3 runs (3 failed)" in text


def test_many_runs_stay_small() -> None:
    """Ten thousand, a variant in five having a task's every axis value of its own."""
    runs = [
        record(seed, (seed * 7 + number * 13) % 100 / 100, hidden=number, task=f"task{task}")
        for task in range(5)
        for number in range(200)
        for seed in range(10)
    ]
    assert len(runs) == 10_000
    assert len(report(runs).encode()) < 10e6


def test_scripts_are_given_every_run_as_it_is_stored() -> None:
    given = shown_by_scripts(report())
    by_id = {one.id: one for one in RUNS}
    shown = [(table, run) for table, runs in enumerate(given["runs"]) for run in runs]
    assert sorted(run["id"] for _, run in shown) == sorted(by_id)
    for number, run in shown:
        table, one = given["tables"][number], by_id[run["id"]]
        variant = table["variants"][run["variant"]]
        assert table["task"] == one.task
        assert (run["seed"], run["status"]) == (one.seed, one.status)
        assert variant["values"] == {"cell": one.variant["cell"]}
        assert variant["differs"] == ([] if one.variant["cell"] == "gru" else ["cell"])
        if one.status != "failed":
            assert run["score"] == one.outcome["scores"]["test"]["exact_match"]
            assert run["state"] == 64
            assert run["curve"]["step"] == [10, 20, 30]
            assert run["curve"]["valid_loss"] == [0.2, 0.1, 0.06667]
            assert run["samples"][0]["attention"] == [[90, 10], [20, 80], [50, 50]]
        else:
            assert run["error"] == "ValueError: no"
    assert given["tables"][0]["axes"] == {"cell": ["gru", "lstm", "rnn"]}
    assert [one["verdict"] for one in given["tables"][0]["effects"]] == ["better", "alike"]


def test_of_many_runs_less_is_kept_and_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = report()
    assert "to stay small" not in whole
    monkeypatch.setattr(scripted, "MOST_BYTES", 0)
    small = report()
    assert len(small) < len(whole)
    assert "to stay small, this page keeps of each run 4 points of its curve and 0 outputs" in small
    kept = [run for runs in shown_by_scripts(small)["runs"] for run in runs]
    assert len(kept) == len(RUNS)
    assert {len(run["curve"]["step"]) for run in kept if run["curve"]} == {3}
    assert not any(run["samples"] for run in kept)


def with_examination(run: Record, stored: Mapping[str, Any]) -> Record:
    """Return a run that was examined, with what the rules say of it."""
    whole = Record(run.id, run.spec, {**run.outcome, "health": stored["health"]}, run.measured)
    examined = examined_run(whole)
    assert examined is not None
    causes = [one.cause for one in findings(examined)]
    return Record(run.id, run.spec, {**whole.outcome, "findings": causes}, run.measured)


def test_what_the_doctor_found_is_summarised_with_its_evidence() -> None:
    stored = json.loads((Path(__file__).parent / "doctor" / "examinations.json").read_text("utf-8"))
    ill = next(one for one in stored if len(one["certain"]) == 1)
    sick = [with_examination(record(seed, 0.1, cell="lstm"), ill) for seed in range(2)]
    text = report([*sick, *(record(seed, 0.9) for seed in range(2))])
    summary = text.partition('id="doctor"')[2].partition("<h2")[0]
    (cause,) = ill["certain"]
    assert f"<b>{cause}</b> in 2 runs: opposites cell=lstm." in summary
    assert "2 runs were examined" in summary
    assert "4 runs did not reach their target" in summary
    examined = examined_run(sick[0])
    assert examined is not None
    (found,) = (one for one in findings(examined) if one.cause == cause)
    assert for_html(found.evidence) in summary
    assert for_html(found.change) in summary
    runs = [run for runs in shown_by_scripts(text)["runs"] for run in runs]
    told = [one for run in runs for one in run["findings"] if one["cause"] == cause]
    assert [one["evidence"] for one in told] == [found.evidence] * 2


def test_runs_without_a_fault_are_said_to_have_none() -> None:
    healthy = [record(seed, 0.9) for seed in range(2)]
    runs = [Record(r.id, r.spec, {**r.outcome, "findings": []}, r.measured) for r in healthy]
    assert "No fault in 2 examined runs. 2 runs did not reach their target" in report(runs)
    assert 'id="doctor"' not in report(healthy)
    solved = [
        Record(
            r.id,
            r.spec,
            {**r.outcome, "to_target": {"steps": 50, "tokens": 900, "seconds": 1.0}},
            r.measured,
        )
        for r in runs
    ]
    assert "All runs that have a target reached it." in report(solved)


def test_all_outputs_are_read_of_as_many_runs_as_can_be_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = [record(seed, 0.9) for seed in range(2)]
    read: list[str] = []

    def outputs(run: Record) -> OutputsOfTest:
        read.append(run.id)
        return OutputsOfTest(500, 480, [])

    def details(ids: Sequence[str]) -> list[Record]:
        return [run for run in runs if run.id in ids]

    def page() -> str:
        day = date(2026, 11, 29)
        return write(runs, SUITE, details, day, lambda variant: None, outputs)

    (given,) = shown_by_scripts(page())["runs"]
    assert [run["tested"] for run in given] == [{"examples": 500, "right": 480, "wrong": []}] * 2
    assert set(read) == {run.id for run in runs}
    read.clear()
    monkeypatch.setattr(scripted, "MOST_READ", 1)
    (given,) = shown_by_scripts(page())["runs"]
    assert [run["tested"] for run in given] == [None, None]
    assert not read
