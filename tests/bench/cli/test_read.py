"""Proves what verbs that read print: JSON keys, exports, any width and locale."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pytest

from results.store import writing
from tests.bench.cli.commands import Bench, process, rows
from tests.records import SUITE, record


@pytest.mark.parametrize(
    ("command", "keys"),
    [
        (["status", "--json"], "run task variant seed state reason"),
        (["curves", "--json"], "task setting variant metric seeds points"),
        (["show", record(1).id, "--json"], "id spec outcome measured"),
        (["data", "list", "--json"], ""),
        (
            ["table", "--json"],
            "task setting common variant seeds solved has_target metric memorisation "
            "score_mean score_sd other_scores_mean runs_without_score stopped_at_target "
            "tokens_to_target seconds_to_target tokens_spent_in_vain tokens_per_second peak_bytes "
            "parameters trained_beside core_share hosts status findings examined signature "
            "tuned runs",
        ),
        (
            ["export", "--format", "json"],
            "task setting common variant seeds solved has_target metric memorisation "
            "score_mean score_sd other_scores_mean runs_without_score stopped_at_target "
            "tokens_to_target seconds_to_target tokens_spent_in_vain tokens_per_second peak_bytes "
            "parameters trained_beside core_share hosts status findings examined signature "
            "tuned runs",
        ),
    ],
)
def test_json_has_exactly_these_keys(
    bench: Bench, filled: Path, command: list[str], keys: str
) -> None:
    from results.store import Planned

    with writing(filled) as opened:
        opened.set_plan([Planned(record(1).id, "opposites", "base", 1)], SUITE)
    code, out, err = bench(*command)
    assert (code, err) == (0, "")
    found = rows(out)
    assert bool(found) == bool(keys)
    assert all(set(row) == set(keys.split()) for row in found)


def test_list_has_exactly_these_keys(bench: Bench) -> None:
    found = rows(bench("list", "--json")[1])
    keys = {
        "task": {"kind", "name", "about", "settings"},
        "matrix": {"kind", "name", "about"},
        "axis": {"kind", "name", "about", "base", "values"},
        "fault": {"kind", "name", "about"},
    }
    assert {row["kind"] for row in found} == set(keys)
    assert all(set(row) == keys[row["kind"]] for row in found)
    assert bench("list")[0] == 0


def test_exports_are_files_or_standard_output(bench: Bench, filled: Path, tmp_path: Path) -> None:
    code, out, _ = bench("export")
    assert code == 0
    assert len(list(csv.DictReader(io.StringIO(out)))) == 2
    target = tmp_path / "表 1.md"
    assert bench("export", "--format", "markdown", "--output", str(target)) == (0, "", "")
    assert target.read_text("utf-8") == bench("export", "--format", "markdown")[1]


def test_runs_are_dropped_by_status(bench: Bench, filled: Path) -> None:
    back = "; bench undrop brings them back until bench drop --purge"
    said = bench("drop", "--status", "failed", "--status", "diverged")[1]
    assert said == f"2 runs removed{back}\n"
    assert bench("drop", "--status", "failed")[1].startswith("0 runs removed")
    assert bench("drop", "--task", "opposites")[1] == f"2 runs removed{back}\n"


@pytest.mark.parametrize("columns", ["40", "0", "-5", "abc", "", "1"])
def test_any_width_is_a_width(
    bench: Bench, filled: Path, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for command in (["table"], ["curves"], ["show", record(1).id]):
        code, out, err = bench(*command)
        assert (code, err) == (0, "")
        if columns == "40":
            assert max(map(len, out.splitlines())) <= 40


@pytest.mark.parametrize("settings", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}])
def test_a_locale_that_has_no_chinese_is_served(filled: Path, settings: dict[str, str]) -> None:
    for command in (["show", record(1).id], ["table"], ["show", record(1).id, "--json"]):
        code, out, err = process(*command, "--store", str(filled), **settings)
        assert (code, err) == (0, "")
        if "--json" in command:
            (row,) = rows(out)
            assert row == record(1).plain()


def test_report_and_exports_to_files(bench: Bench, filled: Path, tmp_path: Path) -> None:
    code, out, _ = bench("report", "--output", str(tmp_path / "r.html"))
    assert code == 0
    assert "4 runs" in " ".join(out.split())  # a long path ends a line
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    code, _, err = bench("report", "--output", str(tmp_path / "nowhere" / "r.html"))
    assert code == 2
    assert "cannot be written" in err
    for form in ("csv", "markdown", "json", "latex", "parquet"):
        assert bench("export", "--format", form, "--output", str(tmp_path / form))[0] == 0
        assert (tmp_path / form).stat().st_size > 100
        assert (
            bench("export", "--effects", "--format", form, "--output", str(tmp_path / form))[0] == 0
        )
    rows = pd.read_parquet(tmp_path / "parquet")
    assert set(rows["a"]) == {"cell=lstm"}
    assert "| cell=lstm |" in (tmp_path / "markdown").read_text("utf-8")
    code, _, err = bench("export", "--effects", "--format", "mlflow", "--output", "x")
    assert code == 2
    assert "--effects does nothing with a tracker" in err
    for form in ("parquet", "mlflow", "tensorboard"):
        code, _, err = bench("export", "--format", form)
        assert code == 2
        assert "name where it goes with --output" in err


@pytest.mark.filterwarnings("ignore")  # theirs, not ours
def test_runs_for_trackers(bench: Bench, filled: Path, tmp_path: Path) -> None:
    for form in ("tensorboard", "mlflow"):
        code, out, _ = bench("export", "--format", form, "--output", str(tmp_path / form))
        assert (code, "4 runs" in out) == (0, True)
    (tmp_path / "no-folder").touch()
    target = str(tmp_path / "no-folder" / "x")
    code, _, err = bench("export", "--format", "tensorboard", "--output", target)
    assert code == 2
    assert "cannot be written" in err


def test_a_report_opens_in_a_browser_or_says_that_there_is_none(
    bench: Bench, filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def open_it(address: str) -> bool:
        opened.append(address)
        return len(opened) == 1

    monkeypatch.setattr("webbrowser.open", open_it)
    file = tmp_path / "r.html"
    assert bench("report", "--output", str(file), "--open")[0] == 0
    assert opened == [file.as_uri()]
    code, out, err = bench("report", "--output", str(file), "--open")
    assert code == 3
    assert "4 runs" in " ".join(out.split())
    assert "no browser could be started here" in err
