"""Proves that a corpus is whole or not there, and that one which was changed is noticed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.api.data import describe_corpus
from bench.cli.app import main as bench
from bench.corpora import catalogue
from bench.corpora.catalogue import Given
from bench.corpora.publishing import published
from tasks import build

ROOT = Path(__file__).parents[3]


def corpus(folder: Path, name: str = "own", languages: str = "de-en") -> Path:
    file = folder / "any.tsv"
    file.write_text("".join(f"Ein Hund {n}.\tA dog {n}.\n" for n in range(60)), "utf-8")
    catalogue.add(name, [file], folder / "data", Given({}, languages))
    return folder / "data"


@pytest.mark.parametrize("change", ["edited", "cut", "gone"])
def test_a_changed_file_is_named_at_the_next_use(tmp_path: Path, change: str) -> None:
    data = corpus(tmp_path)
    build("pairs:corpus=own", data)
    file = data / "own" / "all.target"
    content = file.read_bytes()
    if change == "gone":
        file.unlink()
    else:
        file.write_bytes(content[:-20] if change == "cut" else content.replace(b"dog 7", b"cat 7"))
    with pytest.raises(ValueError, match=r"all\.target is .*bench data remove own"):
        build("pairs:corpus=own", data)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_a_damaged_about_stops_only_its_own_corpus(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    data = corpus(tmp_path)
    corpus(tmp_path, "other")
    (data / "own" / "about.json").write_bytes(content)
    build("pairs:corpus=other", data)
    corpus(tmp_path, "third")
    with pytest.raises(ValueError, match=r"about\.json is damaged"):
        build("pairs:corpus=own", data)
    with pytest.raises(ValueError, match=r"about\.json is damaged"):
        describe_corpus("own", data)
    assert bench(["data", "list", "--store", str(tmp_path)]) == 0
    listed = capsys.readouterr().out
    assert "other: 60 pairs de-en" in listed
    assert "own: " in listed
    assert "damaged" in listed
    catalogue.remove("own", data)
    corpus(tmp_path)


def test_two_adds_of_one_name_one_wins_and_the_other_is_told(tmp_path: Path) -> None:
    def slow_add() -> None:
        with published("own", tmp_path) as slow:
            (slow / "file").write_text("slow")
            with published("own", tmp_path) as quick:
                (quick / "file").write_text("quick")

    with pytest.raises(ValueError, match="added by somebody else meanwhile"):
        slow_add()
    assert (tmp_path / "own" / "file").read_text() == "quick"
    assert [path.name for path in tmp_path.iterdir()] == ["own"]


def test_what_a_killed_add_left_is_cleared_by_the_next(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from bench.corpora.publishing import published\n"
        "with published('own', Path(sys.argv[1])) as fresh:\n"
        "    (fresh / 'half').write_text('x'); print('ready', flush=True); time.sleep(600)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with published("other", tmp_path):
            # its writer lives, so its folder stays
            assert len(list(tmp_path.glob(".own-*"))) == 1
        os.kill(process.pid, signal.SIGKILL)
    assert len(list(tmp_path.glob(".own-*"))) == 1
    with published("own", tmp_path) as fresh:
        assert len(list(tmp_path.glob(".own-*"))) == 1
        assert not (fresh / "half").exists()
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_corpus_is_removed_and_another_added(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus(tmp_path)
    assert bench(["data", "remove", "own", "--store", str(tmp_path)]) == 0
    assert not (tmp_path / "data" / "own").exists()
    assert bench(["data", "remove", "own", "--store", str(tmp_path)]) == 2
    assert "there is no corpus 'own'" in capsys.readouterr().err
    corpus(tmp_path)


@pytest.mark.parametrize("name", ["tatoeba", "mine"])
def test_only_what_can_be_fetched_is_told_to_be_fetched(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        build(f"en-zh:corpus={name}", tmp_path)
    assert ("bench data get" in str(caught.value)) == (name == "tatoeba")


def test_vectors_are_no_corpus_and_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "any.vec"
    file.write_text("the 1 2\ncat 2 3\n")
    catalogue.add_vectors("words", file, tmp_path / "data")
    for task in ("en-zh", "pairs"):
        with pytest.raises(ValueError, match=r"'words' holds vectors, .*embedding_init=vectors"):
            build(f"{task}:corpus=words", tmp_path / "data")


def test_counts_are_printed_at_the_end_of_add_and_by_show(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "any.tsv"
    rows = [f"Ein Hund {n}.\tA dog {n}.\n" for n in range(60)]
    file.write_text("".join([*rows, rows[0], "x\t\n"]), "utf-8")
    add = ["data", "add", "own", str(file), "--languages", "de-en", "--store", str(tmp_path)]
    assert bench([*add, "--target", "20"]) == 0
    printed = capsys.readouterr().out
    assert bench(["data", "show", "own", "--store", str(tmp_path)]) == 0
    assert capsys.readouterr().out == printed
    for said in (
        "60 pairs de-en",
        "languages: de-en, said",
        "all: repeated pair 1",
        "all: empty side 1",
        "source: words",
        "unknown; length",
        "target: BLEU 20",
        "bench run --task pairs:corpus=own",
    ):
        assert said in printed
    assert build("pairs:corpus=own", tmp_path / "data").solved_at == 20
