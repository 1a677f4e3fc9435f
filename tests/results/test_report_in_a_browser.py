"""Proves what a browser makes of a report: it reads without scripts, and with them it answers.

Tried at several widths, in light and dark, with mouse and keyboard, and never with a network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import BROWSER, Page, browser
from tests.records import record
from tests.reports import RUNS, report

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
def test_the_keyboard_reads_what_charts_say_under_the_mouse(page: Page, file: Path) -> None:
    opened(page, file)
    for kind, heads in (
        ("curves", ["variant", "seed", "run", "step 10", "step 20", "step 30"]),
        ("costs", ["variant", "exact match", "tokens per second", "seed", "run", "none beats it"]),
    ):
        chart = drawn(page, kind)
        told = f"document.querySelector('{chart} details.told')"
        page.value(f"{told}.querySelector('summary').focus()")
        page.press("Enter")
        texts = f"[...{told}.querySelectorAll('thead th')].map(head => head.textContent)"
        page.wait(f"{told}.querySelector('tbody tr') !== null")
        assert page.value(texts) == heads
        rows = page.value(
            f"[...{told}.querySelectorAll('tbody tr')]"
            ".map(row => [...row.cells].map(cell => cell.textContent))"
        )
        assert len(rows) == 20
        if kind == "curves":
            assert rows[0][3:] == ["0.2", "0.1", "0.06667"]
            assert "20 of 27 listed" in page.value(f"{told}.innerText")
        else:
            assert [row[3] for row in rows[:3]] == ["mean of 9"] * 3
            assert [row[0] for row in rows if row[5]] == ["cell=lstm"]
    # what the chart no longer shows is not listed either, and a run opens from the list
    page.value("document.querySelector('[data-chart=curves] .chip').click()")
    page.wait(
        "document.querySelector('[data-chart=curves] .told output').textContent"
        " === '18 of 18 listed'"
    )
    page.value("document.querySelector('[data-chart=curves] .told a').focus()")
    page.press("Enter")
    page.wait("document.querySelector('section.run') !== null")
    assert not page.value(WIDE)
    assert page.complaints == []


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
    assert page.value(f"{section}.querySelector('.heat tbody td').textContent") == "90"
    assert not page.value(WIDE)
    page.value(f"{section}.querySelector('.close').click()")
    assert page.value(f"{section} === null")
    assert page.complaints == []


@in_a_browser
def test_a_name_is_never_markup(page: Page, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>"
    runs = [
        record(seed, 0.5 + number / 4 + seed / 100, cell=cell)
        for number, cell in enumerate(("gru", name))
        for seed in range(3)
    ]
    hostile = tmp_path / "hostile.html"
    hostile.write_text(report(runs), encoding="utf-8")
    opened(page, hostile)
    for kind in ("verdicts", "costs", "curves"):
        drawn(page, kind)
    page.value("document.querySelector('[data-runs] a').click()")
    page.wait("document.querySelector('section.run') !== null")
    assert page.value("document.querySelectorAll('img').length") == 0
    assert name in page.value("document.querySelector('[data-runs]').innerText")
    assert page.complaints == []
