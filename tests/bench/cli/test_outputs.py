"""Proves what verbs say of kept outputs: errors, two runs side by side, and other metrics."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from bench.cli.app import main
from bench.engines import choose
from bench.notebook.frames import runs as python_runs
from results.store import drop, writing
from tests.bench.cli.commands import Bench, rows
from tests.in_process import InProcessEngine
from tests.records import record
from tests.reports import shown_by_scripts
from tests.sentences import LABEL, write_corpus

OPTIONS = "--budget 40steps --base hidden=16,embedding=8 --vary cell=lstm".split()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with real runs of a translation, a tagger and a sequence task."""
    folder = tmp_path_factory.mktemp("outputs") / "store"
    write_corpus(folder / "data")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(choose, "LocalEngine", InProcessEngine)
        for label, seeds in ((LABEL, "2"), ("keyphrase:documents=40", "1"), ("opposites", "1")):
            asked = ["run", "--task", label, "--seeds", seeds, "--store", str(folder), *OPTIONS]
            assert main(asked) == 0
    return folder


@pytest.fixture
def own(trained: Path, store: Path) -> Path:
    """A copy of that store, where commands find it: copies keep outputs."""
    shutil.copytree(trained, store)
    return store


def ids(bench: Bench, **wanted: Any) -> list[str]:
    found = rows(bench("runs", "--json")[1])
    return [row["run"] for row in found if all(row[key] == v for key, v in wanted.items())]


def scores(bench: Bench, run: str) -> dict[str, dict[str, float]]:
    (row,) = rows(bench("show", run, "--json")[1])
    found: dict[str, dict[str, float]] = row["outcome"]["scores"]
    return found


@pytest.mark.parametrize("label", [LABEL, "keyphrase:documents=40", "opposites"])
def test_errors_are_shown_worst_first(bench: Bench, own: Path, label: str) -> None:
    run = ids(bench, task=label)[0]
    code, out, err = bench("show", run, "--errors")
    assert (code, err) == (0, "")
    assert max(map(cell_len, out.splitlines())) <= 80
    for title in ("right", "by length of the source", "by token"):
        assert title in out
    found = rows(bench("show", run, "--errors", "--json")[1])
    assert set(found[0]) == {
        *("run", "split", "example", "length", "source", "reference", "output", "ended"),
        *("right", "score", "scores"),
    }
    tested = scores(bench, run)["test"]
    if label != "keyphrase:documents=40":
        share = sum(row["right"] for row in found) / len(found)
        assert share == pytest.approx(tested["exact_match"])
    wrong = [row for row in found if not row["right"]]
    assert f"{len(wrong):,} wrong" in out
    worst = min(wrong, key=lambda row: (row["score"], row["example"]))
    assert worst["source"][:10] in out


def test_two_runs_are_shown_side_by_side(bench: Bench, own: Path) -> None:
    a, b = ids(bench, task=LABEL, seed=0)
    code, out, err = bench("show", a[:8], b)
    assert (code, err) == (0, "")
    assert max(map(cell_len, out.splitlines())) <= 80
    assert "right: both" in out
    pairs = rows(bench("show", a, b, "--json")[1])
    assert [row["run"] for row in pairs[:2]] == [a, b]
    assert pairs[0]["output"] != pairs[1]["output"]
    # of a variant's runs, the one with the same seed
    code, out, _ = bench("show", a, "cell=lstm", "--task", LABEL)
    assert code == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("show {opposites} {text}", "give two runs of one task"),
        ("show {text} {text}", "give two runs"),
        ("show {text} --errors --split nowhere", "split with outputs 'nowhere'"),
        ("score {text} --metric terr", "there is no metric 'terr'"),
        ("score {tagger} --metric ter", "tags words, so its outputs are no texts"),
    ],
)
def test_mistakes_are_one_sentence(bench: Bench, own: Path, words: str, sentence: str) -> None:
    names = {
        "text": ids(bench, task=LABEL)[0],
        "tagger": ids(bench, task="keyphrase:documents=40")[0],
        "opposites": ids(bench, task="opposites")[0],
    }
    code, out, err = bench(*words.format(**names).split())
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_outputs_are_scored_again(bench: Bench, own: Path) -> None:
    run = ids(bench, task=LABEL)[0]
    known = scores(bench, run)["test"]
    for metric in ("chrf", "bleu", "exact_match"):
        (row,) = rows(bench("score", run, "--metric", metric, "--json")[1])
        assert row["score"] == pytest.approx(known[metric])
    for metric in ("ter", "cer", "wer", "chrf++"):
        code, out, err = bench("score", run, "--metric", metric)
        assert (code, err) == (0, "")
        assert run in out
    found = rows(bench("score", "cell=lstm", "--task", LABEL, "--metric", "ter", "--json")[1])
    assert [row["seed"] for row in found] == [0, 1]
    assert "asian:yes" in found[0]["signature"]
    assert known["chrf"] <= 100


def test_runs_of_older_versions_say_that_they_kept_none(bench: Bench, own: Path) -> None:
    with writing(own) as opened:
        opened.add(record(7))
    for words in (["show", record(7).id, "--errors"], ["score", record(7).id, "--metric", "cer"]):
        code, _, err = bench(*words)
        assert code == 2
        assert "was done by an older version, which kept no outputs" in err
    assert bench("show", record(7).id)[0] == 0


def test_other_data_are_not_taken_for_those_of_the_run(bench: Bench, own: Path) -> None:
    run = ids(bench, task=LABEL)[0]
    pairs = own / "data" / "small" / "pairs.tsv"
    lines = pairs.read_text("utf-8").splitlines()
    pairs.write_text("\n".join(lines[:-20]) + "\n", "utf-8")
    code, _, err = bench("show", run, "--errors")
    assert code == 2
    assert "are not those that run" in err
    shutil.rmtree(own / "data")
    assert "the texts of en-zh:corpus=small are needed" in bench("show", run, "--errors")[2]
    assert bench("compare", "cell=lstm", "base", "--task", LABEL)[0] == 0  # counts are kept


def test_a_comparison_of_real_runs_says_both_sources(bench: Bench, own: Path) -> None:
    code, out, _ = bench("compare", "cell=lstm", "base", "--task", LABEL)
    assert code == 0
    assert "these models, on other sentences" in out
    found = rows(bench("compare", "cell=lstm", "base", "--task", LABEL, "--json")[1])
    (row,) = [row for row in found if "sentences_p" in row]
    (effect,) = [row["effect"] for row in found if row["measure"] == "bleu" and "effect" in row]
    assert row["difference"] == pytest.approx(effect)


def test_stores_are_merged_and_read_as_one(bench: Bench, own: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(own, other)
    kept = ids(bench, task="opposites")
    with writing(own) as opened:
        drop(opened, kept)
    code, out, err = bench("merge", str(other))
    assert (code, err) == (0, "")
    assert "8 runs in" in out
    assert "2 taken (measured on" in out
    assert "6 here already" in out
    found = rows(bench("merge", str(other), "--json")[1])
    assert {row["what"] for row in found} == {"known"}
    assert set(found[0]) == {"run", "what", "why", "machine"}
    assert bench("verify")[0] == 0
    frame = python_runs(stores=[own, other])
    assert len(frame) == 8
    assert frame["machine"].str.contains(", ").all()
    with writing(tmp_path / "empty"):
        pass
    assert len(python_runs(stores=[tmp_path / "empty", own], task="opposites")) == 2
    with pytest.raises(ValueError, match="empty has a finished run; name others"):
        python_runs(stores=[tmp_path / "empty", tmp_path / "empty"])
    with pytest.raises(ValueError, match="did you mean opposites"):
        python_runs(stores=[tmp_path / "empty", own], task="opposits")
    with pytest.raises(ValueError, match="both given"):
        python_runs(own, stores=[other])
    code, _, err = bench("merge", str(tmp_path / "nowhere"))
    assert code == 2
    assert "holds no store" in err


def test_the_report_has_the_worst_outputs_of_every_run(
    bench: Bench, own: Path, tmp_path: Path
) -> None:
    page = tmp_path / "r.html"
    assert bench("report", "--output", str(page))[0] == 0
    given = [run for runs in shown_by_scripts(page.read_text("utf-8"))["runs"] for run in runs]
    assert len(given) > 3
    for run in given:
        told = rows(bench("show", run["id"], "--errors", "--json")[1])
        wrong = [row for row in told if not row["right"]]
        assert run["tested"]["examples"] == len(told)
        assert run["tested"]["right"] == len(told) - len(wrong)
        worst = min(wrong, key=lambda row: (row["score"], row["example"]), default=None)
        first = next(iter(run["tested"]["wrong"]), None)
        assert (first and first["source"]) == (worst and worst["source"])
