"""Proves on made-up stores what tests/perf/words_twice.py says of two halves of the seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.cli.pages.claims import claims_page
from results.compare.claims import ClaimRow, ClaimSource, Comparison, claim_rows
from results.record import Record
from results.store import writing
from tests.perf import words_twice
from tests.perf.words_twice import halves_of, of_claims, of_page, share_table
from tests.records import SUITE, record


def side(first: float, second: float, seeds: int = 16, **changes: Any) -> list[Record]:
    """Runs near one score, and as many with later seeds near another."""
    half = seeds // 2
    return [
        record(seed, (first if seed < half else second) + 0.02 * (seed % 3), **changes)
        for seed in range(seeds)
    ]


def printed(
    store: Path, runs: list[Record], capsys: pytest.CaptureFixture[str], *options: str
) -> str:
    with writing(store) as opened:
        for run in runs:
            opened.begin(run.id, run.spec)
            opened.add(run)
        opened.set_plan([], SUITE)
    words_twice.main([str(store), *options])
    return capsys.readouterr().out


def test_a_store_of_sixteen_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [
        *side(0.5, 0.5),
        *side(0.9, 0.8, cell="lstm"),  # better twice
        *side(0.5, 0.5, cell="mingru"),  # no difference twice
        *side(0.1, 0.9, cell="rnn"),  # worse, then better
        *side(0.5, 0.9, attention="dot"),  # no difference, then better
    ]
    out = printed(tmp_path / "store", runs, capsys)
    assert "second half: seeds 8:16" in out
    assert "| axes | 4 | 2 | 50.0 % | 3 | 1 | 1 |" in out
    lines = [line for line in out.splitlines() if line.startswith("| opposites: ")]
    assert len(lines) == 2
    dot, rnn = sorted(lines)
    assert dot.startswith("| opposites: attention=dot against attention=none | alike, +0.0")
    assert dot.endswith("| intervals apart: the halves differ by more than chance allows in 19 of "
                        "20 cases |")  # fmt: skip
    assert rnn.endswith("| opposite: a false word in one half |")
    assert "left out" not in out


def test_what_could_have_no_word_is_counted_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Five seeds in a half can show nothing; asked for, six and four are no better."""
    runs = [*side(0.5, 0.5, 10), *side(0.9, 0.1, 10, cell="lstm")]
    out = printed(tmp_path / "store", runs, capsys, "--again", "6:10")
    assert "second half: seeds 6:10" in out
    assert "| axes | 0 | 0 | none | 0 | 0 | 0 |" in out
    assert "left out: 1 effects of fewer than 6 seeds in a half" in out
    assert "| effect |" not in out


SURE = [0.9, 0.8, 0.85] * 2
WIDE = [0.9, 0.2, 0.8, 0.3, 0.9, 0.6]


def claimed(scores: list[float]) -> list[ClaimRow]:
    """A claim that says that a, of these scores, is better than b."""
    source: ClaimSource = {"claim": "mine", "given": "mine", "about": "", "source": "a paper"}
    said = [Comparison("a is better", "a", "b", "", "better", None, 0.0)]
    sides = {
        "a": [record(seed, score, cell="lstm") for seed, score in enumerate(scores)],
        "b": [record(seed, 0.5) for seed in range(6)],
    }
    return claim_rows(source, "opposites", said, sides, "exact_match")


def test_claims_agree_by_their_words() -> None:
    """Reproduced with the first seeds; with the others the same effect is too uncertain."""
    found = of_claims(claimed(SURE), claimed(WIDE))
    assert [(effect.first.word, effect.second.word) for effect in found] == [
        ("reproduced", "undecided")
    ]
    assert "| claims | 1 | 0 | 0.0 % | 1 | 0 | 0 |" in share_table({"claims": found})
    (effect,) = found
    assert words_twice.reason(effect).startswith("intervals overlap: too few seeds")
    twice = of_claims(claimed(WIDE), claimed(WIDE))
    assert "| claims | 1 | 1 | 100.0 % | 0 | 0 | 0 |" in share_table({"claims": twice})


def test_a_page_of_claims_is_a_first_half() -> None:
    """A line of docs/claims.md is read as `bench claims show --markdown` wrote it."""
    better, wide, worse = claimed(SURE), claimed(WIDE), claimed([0.1, 0.2, 0.15] * 2)
    steady = claimed([0.9] * 6)
    for first in (better, wide, steady, worse):
        page = claims_page([], first)
        for second in (better, wide, worse):
            (read,), (judged,) = of_page(page, second), of_claims(first, second)
            assert (read.first.word, read.second) == (judged.first.word, judged.second)
            assert (read.first.sign, read.opposite) == (judged.first.sign, judged.opposite)
            assert read.enough
    assert of_page("no table", better) == []


def test_two_halves_have_no_seed_in_common() -> None:
    assert halves_of(range(20), None) == range(10, 20)
    assert halves_of([0, 1, 2, 100, 101, 102], None) == range(100, 103)
    assert halves_of([0, 1], "100:110") == range(100, 110)
    with pytest.raises(ValueError, match="no two halves"):
        halves_of([3, 3], None)
