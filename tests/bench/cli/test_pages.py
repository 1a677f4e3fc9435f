"""Proves that generated pages are current, and complete."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import pytest

import bench
from bench.api.claims import described, planned_claims
from bench.cli.app import main
from bench.cli.pages.api import api_page
from bench.cli.pages.claims import CLAIMS_HEADING, VERDICTS_HEADING, claims_page
from bench.cli.pages.commands import commands_page, verbs
from bench.plan import claim_file
from results.compare.claims import ClaimRow

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_of_commands_is_current() -> None:
    written = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert written == commands_page(), (
        "make it again: python -m bench.cli.pages.commands > docs/commands.md"
    )


def test_the_page_of_what_python_callers_have_is_current_and_complete() -> None:
    page = api_page()
    assert (DOCS / "api.md").read_text(encoding="utf-8") == page, (
        "make it again: python -m bench.cli.pages.api > docs/api.md"
    )
    for name in bench.__all__:
        assert f"\n## bench.{name}" in page, name
    assert "\n## bench.plot.curves\n" in page
    for returned in ("Answer", "TaskData", "Trained", "Watch", "Examination"):
        assert f"\n## {returned}\n" in page, returned
    # arguments are a list whose lines are whole, and texts are no texts of texts
    assert "- `batch`: Examples per training step; not with a matrix.\n" in page
    assert "bench.curves(store: str | Path | None = None, task: Names = None) -> pd.Data" in page


def test_every_verb_and_option_says_what_it_does() -> None:
    page = commands_page()
    for verb in verbs():
        assert f"\n## {verb.name}\n" in page
        assert verb.help.endswith("."), verb.name
        for parameter in verb.parameters:
            assert parameter.help, f"{verb.name} {parameter.name} has no help"
            assert parameter.help.endswith("."), f"{verb.name} {parameter.name}"


def test_the_first_sentence_of_every_verb_fits_its_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for group in ([], ["data"], ["claims"]):
        assert main([*group, "--help"]) == 0
        listed = capsys.readouterr().out.partition("Commands:")[2]
        assert listed
        assert "..." not in listed


def test_the_page_of_claims_is_current(tmp_path: Path) -> None:
    """Only its verdicts depend on runs: those that were done have theirs, in the claims' order."""
    claims = [claim_file.read_claim(name) for name in claim_file.names()]
    written = (DOCS / "claims.md").read_text(encoding="utf-8")
    before, _, rest = written.partition(f"{VERDICTS_HEADING}\n")
    verdicts, _, after = rest.partition(f"{CLAIMS_HEADING}\n")
    made = claims_page([described(entry) for entry in planned_claims([], "cpu", tmp_path)], [])
    assert f"{before}{CLAIMS_HEADING}\n{after}" == made, (
        "make it again: bench claims show --markdown; keep the verdicts if the runs are not here"
    )
    cells = re.findall(r"^\| (`.*?) \| (.*?) \| \**(\w[\w ]*)", verdicts, re.M)
    known = [
        (f"`{claim.name}`: {comparison.says}", claim.source)
        for claim in claims
        for comparison in claim.comparisons
    ]
    shown = [(first, source) for first, source, _ in cells]
    assert len(shown) == len(set(shown))
    for table in verdicts.split("\n### "):  # those of today's rules, then those of earlier ones
        listed = [entry for entry in shown if f"| {entry[0]} |" in table]
        assert listed == [entry for entry in known if entry in listed]
    assert len(shown) > len(known) / 3
    assert {word.strip() for _, _, word in cells} <= {
        "reproduced",
        "the other way round at this budget",
        "a difference at this budget",
        "not significant yet",
        "no difference",
    }


def test_claims_without_runs_have_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["claims", "show", "--markdown", "--device", "cpu", "--store", str(tmp_path)]) == 0
    page = capsys.readouterr().out
    assert "## Verdicts" not in page
    for name in claim_file.names():
        assert f"\n| `{name}` | " in page


def test_claims_with_runs_have_verdicts() -> None:
    row = {
        "claim": "attention",
        "says": "dot is better | than none",
        "source": "Luong 2015",
        "word": "reproduced",
        "more_seeds": None,
        "refused": "",
        "runs": 10,
        "pairs": 5,
        "measure": "exact_match",
        "effect": 0.25,
        "open": "",
        "low": 0.125,
        "high": 0.375,
        "interval": "t",
        "ratio": False,
        "why": "",
        "near": None,
        "verdict_of_claim": "reproduced",
        "along": "dot is ahead from 160 steps on",
    }
    page = claims_page([], [cast(ClaimRow, row)])
    assert "| `attention`: dot is better \\| than none | Luong 2015 | **reproduced** | " in page
    assert "exact match +0.250 (+0.125 to +0.375) | dot is ahead from 160 steps on |" in page


def test_a_claim_has_to_be_named_unless_all_are_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["claims", "show", "--store", str(tmp_path)]) == 2
    assert "name a claim" in capsys.readouterr().err
