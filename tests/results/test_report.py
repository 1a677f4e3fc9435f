"""Proves that a report says what the tables say, whole in one file; and, where a browser is at
hand, that it shows it: no network, no errors, every chart drawn, tables that sort."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import pytest

from results.record import Record
from results.report import write
from tests.records import SUITE, failed, record

BROWSER = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    None,
)


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

    return write(runs, SUITE, details, date(2026, 11, 21))


def test_it_says_what_is_known() -> None:
    text = report()
    assert "55 runs (54 solved, 1 failed) in 2 tables, 2026-11-21" in text
    assert text.count(">cell=lstm</td>") >= 2
    assert text.count('class="text better">better</td>') == 2
    assert text.count('class="text tie">tie</td>') == 2
    assert "effect on exact match, 95% interval" in text
    assert "3 variants that all 2 tables have" in text
    assert "P, threads 1" not in text.partition("environment")[0]
    assert "processor P" in text


def test_nothing_comes_from_elsewhere_and_nothing_typed_is_markup() -> None:
    text = report()
    for address in re.findall(r'(?:src|href)="([^"]*)"', text):
        assert address.startswith(("#", "data:,")), address
    assert not re.search(r"@import|url\((?!#)", text)
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


# in a browser


def seen(page: Path, *options: str) -> tuple[str, str]:
    """The page as the browser has it after its scripts, and what it complained of."""
    assert BROWSER is not None
    done = subprocess.run(
        [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
            "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=5000", *options,
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return done.stdout, "\n".join(complaints)


PROBE = """<script>
document.querySelector('table th:nth-child(3) button').click();
const told = document.createElement('p');
told.id = 'told';
told.textContent = JSON.stringify({
  sorted: [...document.querySelectorAll('table')][0].querySelector('td').textContent,
  order: document.querySelector('th[aria-sort]').getAttribute('aria-sort'),
  small: [...document.querySelectorAll('svg')].filter(s => s.getBoundingClientRect().height < 40)
    .length,
  wide: document.documentElement.scrollWidth > window.innerWidth,
  reached: [...document.querySelectorAll('.wide')].every(box => box.tabIndex === 0),
});
document.body.append(told);
</script></body>"""


@pytest.mark.skipif(BROWSER is None, reason="needs a browser: chromium")
@pytest.mark.parametrize("width", [360, 1200])
def test_in_a_browser(width: int, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(report().replace("</body>", PROBE), encoding="utf-8")
    dom, complaints = seen(page, f"--window-size={width},900", "--dump-dom")
    assert complaints == ""
    told = re.search(r'<p id="told">(.*?)</p>', dom)
    assert told is not None
    assert told[1] == (
        '{"sorted":"base","order":"ascending","small":0,"wide":false,"reached":true}'
    )
