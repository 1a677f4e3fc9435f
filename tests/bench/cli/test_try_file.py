"""Proves that `bench try --file` translates a file line by line, and loses no file."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest

from bench.api import translate
from tests.bench.cli.commands import Bench, rows

WORDS = ["man", "queen", "", "up", "black", "man"]


@pytest.fixture
def kept(bench: Bench, no_workers: None) -> str:
    """A run of a few steps that kept its weights."""
    given = "run --task opposites --base cell=rnn --seeds 1 --budget 10steps --workers 1"
    assert bench(*given.split(), "--keep-weights")[0] == 0
    (row,) = rows(bench("table", "--json")[1])
    return str(row["runs"][0])


def test_a_file_is_translated_as_its_lines_are(
    bench: Bench, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_by_one = [bench("try", kept, word)[1].strip() if word else "" for word in WORDS]
    text = "\n".join(WORDS) + "\n"
    (tmp_path / "in.txt").write_text(text)
    (tmp_path / "in.txt.gz").write_bytes(gzip.compress(text.encode()))
    monkeypatch.setattr(translate, "LINES_AT_ONCE", 4)  # so that there are several blocks
    for file in ("in.txt", "in.txt.gz"):
        code, out, err = bench("try", kept, "--file", file, "--output", "out.txt")
        assert (code, out, err) == (0, "", "")
        assert (tmp_path / "out.txt").read_text().splitlines() == one_by_one
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert bench("try", kept, "--file", "-")[1].splitlines() == one_by_one


def test_a_beam_gives_several_outputs_a_line_best_first(
    bench: Bench, kept: str, tmp_path: Path
) -> None:
    (tmp_path / "in.txt").write_text("man\nup\n")
    beam = ("--decoding", "beam=3")
    code, out, _ = bench("try", kept, "--file", "in.txt", *beam, "--best", "3")
    assert code == 0
    found = [line.split("\t") for line in out.splitlines()]
    assert [number for number, _, _ in found] == ["1", "1", "1", "2", "2", "2"]
    for line in ("1", "2"):
        scores = [float(score) for number, score, _ in found if number == line]
        assert scores == sorted(scores, reverse=True)
    first = bench("try", kept, "--file", "in.txt", *beam)[1].splitlines()
    assert first == [found[0][2], found[3][2]]
    code, _, err = bench("try", kept, "--file", "in.txt", "--best", "3")
    assert code == 2
    assert "give --decoding beam=3, or fewer" in err


def test_the_input_may_be_the_output_and_a_refused_line_loses_nothing(
    bench: Bench, kept: str, tmp_path: Path
) -> None:
    file = tmp_path / "text.txt"
    file.write_bytes(b"man\n\xff\n")
    code, _, err = bench("try", kept, "--file", "text.txt", "--output", "text.txt")
    assert (code, file.read_bytes()) == (2, b"man\n\xff\n")
    assert "text.txt" in err
    file.write_text("man\nup\n")
    assert bench("try", kept, "--file", "text.txt", "--output", "text.txt")[0] == 0
    assert len(file.read_text().splitlines()) == 2
    assert not list(tmp_path.glob("*.part"))


def test_references_must_be_as_many_as_lines(bench: Bench, kept: str, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("man\nup\n")
    (tmp_path / "one.txt").write_text("woman\n")
    code, out, err = bench("try", kept, "--file", "in.txt", "--reference", "one.txt")
    assert code == 2
    assert len(out.splitlines()) == 2  # the outputs are not lost
    assert "1 reference was given for 2 lines" in err
