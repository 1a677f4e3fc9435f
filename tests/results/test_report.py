"""Proves that a report says what the tables say, whole in one file; and, where a browser is at
hand, that it shows it: no network, no errors, every chart drawn, tables that sort."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from results.record import Record
from results.report import scripted, write
from tests.browser import BROWSER, Page, browser
from tests.records import SUITE, failed, record


def with_attention(one: Record) -> Record:
    sample = {
        "source": "我 <b>很</b> 好",
        "reference": "ab",
        "output": "ac",
        "ended": True,
        "attention": [[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]],
        "source_symbols": ["我", "好"],
        "output_symbols": ["a", "c"],
    }
    curve = [
        {**point, "gradient_norm": 0.5, "update_ratio": 0.01} for point in one.outcome["curve"]
    ]
    outcome = {**one.outcome, "samples": [sample], "curve": curve}
    return Record(one.id, one.spec, outcome, one.measured)


RUNS = [
    with_attention(record(seed, score + seed / 100, 1000 + seed, cell=cell, task=task))
    for task in ("reversal", "en-zh")
    for cell, score in (("gru", 0.5), ("lstm", 0.8), ("rnn", 0.5))
    for seed in range(9)
] + [failed(9, task="reversal")]


def report(runs: Sequence[Record] = RUNS) -> str:
    by_id = {one.id: one for one in runs}

    def details(ids: Sequence[str]) -> Iterable[Record]:
        return [by_id[one] for one in ids]

    return write(runs, SUITE, details, date(2026, 11, 21), lambda variant: variant["hidden"])


def shown_by_scripts(text: str) -> Any:
    """Return what the scripts of a page are given."""
    packed = re.search(r'id="runs">([^<]*)<', text)
    assert packed is not None
    return json.loads(gzip.decompress(base64.b64decode(packed[1])))


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


# in a browser

in_a_browser = pytest.mark.skipif(BROWSER is None, reason="needs a browser: chromium")
WIDTHS = (380, 700, 1000, 1400)
STARTED = "document.body.dataset.started === 'yes'"
LABELS_APART = """
[...document.querySelectorAll('.drawing .role-axis-label')].every(axis => {
  const seen = text => text.textContent && getComputedStyle(text).opacity > 0;
  const boxes = [...axis.querySelectorAll('text')].filter(seen).map(t => t.getBoundingClientRect());
  const apart = (a, b) => a.right <= b.left + 1 || b.right <= a.left + 1
    || a.bottom <= b.top + 3 || b.bottom <= a.top + 3;
  return boxes.every((box, n) => boxes.slice(n + 1).every(other => apart(box, other)));
})"""
"""Says of the page whether no label of an axis lies over another."""
WIDE = "document.documentElement.scrollWidth > innerWidth"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = tmp_path_factory.mktemp("report") / "report.html"
    written.write_text(report(), encoding="utf-8")
    return written


def opened(page: Page, file: Path, width: int = 1000, **options: Any) -> None:
    """Open the report afresh, and wait until its scripts have started."""
    page.complaints.clear()
    page.open(file, width, **options)
    page.wait(STARTED)


def drawn(page: Page, kind: str) -> str:
    """Scroll to a chart of the first table until it is drawn, and return its selector."""
    chart = f"[data-chart={kind}]"
    page.value(f"document.querySelector('{chart}').scrollIntoView()")
    page.wait(f"document.querySelector('{chart} [data-drawn]') !== null")
    return chart


@in_a_browser
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True])
def test_without_scripts_it_reads(page: Page, file: Path, width: int, dark: bool) -> None:
    page.complaints.clear()
    page.open(file, width, scripts=False, dark=dark)
    assert page.complaints == []
    assert not page.value(WIDE)
    assert page.value("document.querySelector('[data-runs]').childElementCount") == 0
    assert page.value("document.querySelectorAll('[data-chart] svg').length") >= 2 * 5
    # every chart is seen, and the first screen has scores and verdicts
    assert page.value(
        "[...document.querySelectorAll('svg')].every(s => s.getBoundingClientRect().height > 40)"
    )
    card = page.value("document.querySelector('.card').getBoundingClientRect().bottom")
    assert card < 900
    colours = page.value("getComputedStyle(document.body).color")
    assert (colours == "rgb(255, 255, 255)") == dark


@in_a_browser
@pytest.mark.parametrize("width", WIDTHS)
def test_with_scripts_all_charts_are_drawn_at_any_width(page: Page, file: Path, width: int) -> None:
    opened(page, file, width, dark=width == 700)
    for number in range(2 * 3):
        chart = f"document.querySelectorAll('[data-chart]')[{number}]"
        page.value(f"{chart}.scrollIntoView()")
        page.wait(f"{chart}.querySelector('[data-drawn]') !== null", 20)
    assert page.complaints == []
    assert not page.value(WIDE)
    assert page.value(
        "[...document.querySelectorAll('.drawing[data-drawn] svg')].every(s => "
        "s.getBoundingClientRect().width <= innerWidth && s.querySelectorAll('path').length > 3)"
    )
    assert page.value(LABELS_APART)


@in_a_browser
def test_tables_filter_and_sort(page: Page, file: Path) -> None:
    opened(page, file)
    section = "document.querySelector('section[data-table]')"
    visible = (
        f"[...{section}.querySelectorAll('tr[data-variant]')].filter(r => !r.hidden)"
        ".map(r => r.cells[0].textContent)"
    )
    assert page.value(visible) == ["cell=lstm", "cell=rnn", "cell=lstm", "base", "cell=rnn"]
    runs = f"{section}.querySelectorAll('[data-runs] tbody tr').length"
    assert page.value(runs) == 20
    page.value(
        f"(() => {{ const [axis, value] = {section}.querySelectorAll('.filter select');"
        "for (const [list, chosen] of [[axis, 'cell'], [value, 'rnn']]) {"
        "list.value = chosen; list.dispatchEvent(new Event('change')); } })()"
    )
    assert set(page.value(visible)) == {"cell=rnn"}
    assert page.value(runs) == 9
    assert page.value(f"{section}.querySelector('output').textContent") == "1 of 3 variants shown"
    page.value(f"{section}.querySelector('.filter .chip').click()")
    assert len(page.value(visible)) == 5
    # the table of effects, by its second column, upwards and then downwards
    head = f"{section}.querySelectorAll('thead th')[1]"
    for order, first in (("ascending", "cell=rnn"), ("descending", "cell=lstm")):
        page.value(f"{head}.querySelector('button').click()")
        assert page.value(f"{head}.getAttribute('aria-sort')") == order
        assert page.value(visible)[0] == first


@in_a_browser
def test_charts_answer_to_the_mouse_and_zoom(page: Page, file: Path) -> None:
    opened(page, file)
    chart = drawn(page, "costs")
    box = page.wait(
        f"(() => {{ const b = document.querySelector('{chart} .mark-symbol path')"
        "?.getBoundingClientRect(); return b && [b.left + b.width / 2, b.top + b.height / 2]; })()"
    )
    page.hover(*box)
    told = page.wait("document.querySelector('.vg-tooltip.visible')?.textContent")
    assert re.search(r"seed.*\d.*run.*[0-9a-f]{8}", told), told
    texts = f"document.querySelectorAll('{chart} .role-axis-label text')"
    labels = f"[...{texts}].map(text => text.textContent).sort()"
    before = page.value(labels)
    page.value(f"document.querySelector('{chart} [aria-label=\"zoom in\"]').click()")
    page.wait(f"{labels}.join() !== {json.dumps(','.join(before))}")
    page.value(f"document.querySelector('{chart} .zooms button:last-child').click()")
    page.wait(f"{labels}.join() === {json.dumps(','.join(before))}")
    assert page.complaints == []


@in_a_browser
def test_the_keyboard_toggles_a_line(page: Page, file: Path) -> None:
    opened(page, file)
    chart = drawn(page, "curves")
    lines = f"document.querySelectorAll('{chart} .mark-line path').length"
    assert page.wait(lines) == 27
    page.value(f"document.querySelector('{chart} select').focus()")
    page.press("Tab", 2)  # past the other list
    assert page.value("document.activeElement.className") == "chip"
    page.press("Space")
    page.wait(f"{lines} === 18")
    pressed = "document.activeElement.getAttribute('aria-pressed')"
    page.wait(f"{pressed} === 'false'")
    page.press("Space")
    page.wait(f"{lines} === 27")


@in_a_browser
def test_each_run_has_a_section_of_its_own(page: Page, file: Path) -> None:
    opened(page, file)
    sought = next(one for one in RUNS if one.variant["cell"] == "lstm" and one.seed == 4)
    page.value(f"document.querySelector('a[href=\"#run={sought.id}\"]').focus()")
    page.press("Enter")
    section = "document.querySelector('section.run')"
    text = page.wait(f"{section}?.innerText")
    assert page.value("document.activeElement === document.querySelector('section.run')")
    for part in (
        *("cell=lstm, seed 4", "lstm", f"bench show {sought.id[:8]}", "What the doctor found"),
        *("Outputs: 0 of the 1 kept are right", "我 <b>很</b> 好", "Attention"),
    ):
        assert part in text, part
    settings = f"{section}.querySelector('details').textContent"
    assert "hidden64" in page.value(settings)
    page.wait(f"{section}.querySelectorAll('.mark-line path').length === 2")  # both losses
    weight = f"{section}.querySelector('.heat tbody td').title"
    assert page.value(weight) == "90 %"
    assert not page.value(WIDE)
    page.value(f"{section}.querySelector('.close').click()")
    assert page.value(f"{section} === null")
    assert page.complaints == []
