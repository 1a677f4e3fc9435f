"""Proves that what is exported can be read back by others and is what the tables hold."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from pyarrow import parquet

from results.export.files import (
    JSON_SCHEMA,
    as_csv,
    as_json,
    as_latex,
    as_markdown,
    as_parquet,
)
from results.summary import SummaryRow, summarise
from results.tables.summaries import summary_line, summary_tables
from tests.records import SUITE, failed, record

ROWS = summarise(
    [
        record(0, 0.25, 900),
        record(1, 0.75),
        record(0, None, cell="lstm"),
        failed(0, cell='rnn"注意,x'),
        record(0, 30.0, metric="bleu", signature="tok:zh", task="en-zh"),
    ],
    SUITE,
)
TABLES = summary_tables(ROWS)


def test_json_has_a_schema_and_the_rows() -> None:
    read = json.loads(as_json(ROWS))
    assert set(read) == {"schema", "rows"}
    assert read["schema"] == JSON_SCHEMA
    assert read["rows"] == ROWS


def test_json_can_do_without_unicode() -> None:
    text = as_json(ROWS, ascii_only=True)
    assert text.isascii()
    assert json.loads(text)["rows"] == ROWS
    assert "注意" in as_json(ROWS)


def test_csv_read_back_is_the_table() -> None:
    read = pd.read_csv(io.StringIO(as_csv(ROWS)))
    assert list(read["variant"]) == [row["variant"] for row in ROWS]
    assert list(read["task"]) == [row["task"] for row in ROWS]
    for key in ("seeds", "solved", "score_mean", "score_sd", "tokens_to_target", "parameters"):
        expected = pd.Series([row[key] for row in ROWS], dtype=float)
        pd.testing.assert_series_equal(read[key].astype(float), expected, check_names=False)
    assert read["runs"][0].split() == ROWS[0]["runs"]
    assert "status.diverged" in read.columns
    assert "other_scores_mean.forced_accuracy" in read.columns


def test_csv_of_nothing_is_no_error() -> None:
    assert as_csv([]).strip() == ""


def test_every_line_of_a_markdown_table_has_its_columns() -> None:
    text = as_markdown(TABLES)
    tables = [part.splitlines() for part in text.split("\n\n") if part.startswith("|")]
    assert len(tables) == 2
    assert sum(len(lines) - 2 for lines in tables) == len(ROWS)
    for lines in tables:
        assert len({line.count("|") for line in lines}) == 1
    assert "| variant | exact match |" in text
    assert "**en-zh  (100 steps, batch 32, cpu)**" in text


def test_a_bar_in_a_markdown_cell_does_not_end_it() -> None:
    rows = summarise([record(0, cell="a|b"), record(0)], SUITE)
    lines = [
        line for line in as_markdown(summary_tables(rows)).splitlines() if line.startswith("|")
    ]
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1


@pytest.mark.parametrize("row", ROWS)
def test_markdown_has_all_that_a_terminal_could_show(row: SummaryRow) -> None:
    text = as_markdown(TABLES)
    assert all(value.replace("|", "\\|") in text for value in summary_line(row).values())


def test_parquet_read_back_is_the_table() -> None:
    read = parquet.read_table(io.BytesIO(as_parquet(ROWS))).to_pandas()
    expected = pd.read_csv(io.StringIO(as_csv(ROWS)))
    assert list(read.columns) == list(expected.columns)
    assert list(read["variant"]) == [row["variant"] for row in ROWS]
    for key in ("seeds", "solved", "score_mean", "tokens_to_target"):
        pd.testing.assert_series_equal(
            read[key].astype(float), expected[key].astype(float), check_names=False
        )
    assert read["runs"][0].split() == ROWS[0]["runs"]
    assert read["hosts"][0] == "here"


def test_latex_has_booktabs_and_nothing_bare() -> None:
    text = as_latex(TABLES)
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 2
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(body) == len(ROWS) + 2
    for table in text.split("\n\n"):
        columns = re.search(r"begin{tabular}{(l*r*)}", table)
        assert columns is not None
        for line in table.splitlines():
            if line.endswith(r"\\"):
                assert len(re.findall(r"(?<!\\)&", line)) == len(columns[1]) - 1
    assert "token_accuracy" not in text
    assert not re.search(r"(?<!\\)[_%#]", text)
    assert r"a\_b" in as_latex(summary_tables(summarise([record(0, cell="a_b"), record(0)], SUITE)))


def test_latex_is_latex(tmp_path: Path) -> None:
    """Where there is a compiler."""
    compiler = shutil.which("pdflatex")
    if compiler is None:
        pytest.skip("needs pdflatex")
    plain = summary_tables(summarise([record(0), record(0, cell="a_b")], SUITE))
    page = r"\documentclass{article}\usepackage{booktabs}\begin{document}" + as_latex(plain)
    (tmp_path / "t.tex").write_text(page + r"\end{document}")
    done = subprocess.run([compiler, "-halt-on-error", "t.tex"], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stdout
