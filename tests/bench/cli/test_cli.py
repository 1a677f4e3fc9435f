"""Proves the command line end to end: what each verb does to a store, what it says of a mistake,
and with which exit code it ends."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.cli import app
from bench.specs import RunSpec
from results.record import Record
from results.store import reading, writing
from tests.records import SUITE, failed, record

ROOT = Path(__file__).parents[3]
TINY = "run --task opposites --vary cell=rnn --seeds 2 --budget 30 --workers 1".split()
Bench = Callable[..., tuple[int, str, str]]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands of a test find their store."""
    monkeypatch.setenv("BENCH_STORE", str(tmp_path / "a store 存"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "a store 存"


@pytest.fixture
def bench(store: Path, capsys: pytest.CaptureFixture[str]) -> Bench:
    """Run a command: exit code, standard output, standard error."""

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = app.main(list(arguments))
        return (code, *capsys.readouterr())

    return call


@pytest.fixture
def filled(store: Path) -> Path:
    """A store with runs made by hand."""
    with writing(store) as opened:
        for one in (record(0, 1.0, 900), record(1), record(0, None, cell="lstm"), failed(2)):
            opened.begin(one.id, one.spec)
            opened.add(one)
        opened.set_plan([], SUITE)
    return store


def process(*arguments: str, **changes: str) -> tuple[int, str, str]:
    """A command in a process of its own."""
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "BENCH_STORE")}
    done = subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT,
        env=environment | changes,
        capture_output=True,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def rows(text: str) -> list[dict[str, Any]]:
    read = json.loads(text)
    assert set(read) == {"schema", "rows"}
    found: list[dict[str, Any]] = read["rows"]
    return found


def test_a_matrix_from_its_first_run_to_its_last(bench: Bench, store: Path) -> None:
    code, out, err = bench(*TINY, "--dry-run")
    assert (code, err) == (0, "")
    assert "4 runs, 0 of them finished" in out
    assert not store.exists()

    code, out, err = bench(*TINY, "--keep-weights")
    assert (code, err) == (0, "")
    assert "opposites  (30 steps, batch 32, cpu" in out
    with reading(store) as opened:
        first = {one.id: one for one in opened.records(details=True)}
        assert opened.journal.unfinished() == []
    assert len(first) == 4
    assert bench(*TINY, "--dry-run")[1].count("4 runs, 4 of them finished") == 1

    code, out, _ = bench(*TINY)
    assert code == 0
    assert "4 of 4 runs are finished already" in out
    with reading(store) as opened:
        assert {one.id: one.measured for one in opened.records(details=True)} == {
            run: one.measured for run, one in first.items()
        }

    code, out, _ = bench("table", "--json")
    assert code == 0
    assert {row["variant"] for row in rows(out)} == {"base", "cell=rnn"}
    assert all(row["seeds"] == 2 for row in rows(out))
    code, table, _ = bench("table", "--task", "opposites")
    assert code == 0
    assert "cell=rnn" in table

    run = next(iter(first))
    code, out, _ = bench("show", run[:10])
    assert code == 0
    assert run in out
    assert "woman" in out
    (shown,) = rows(bench("show", run, "--json")[1])
    assert shown == first[run].plain()

    code, out, _ = bench("curves", "--metric", "loss")
    assert code == 0
    assert "cell=rnn" in out
    assert "not finite" not in out

    code, out, _ = bench("status")
    assert code == 0
    assert "last asked for: 4 runs" in out
    assert "no driver is at work" in out

    code, out, err = bench("try", run, "man")
    assert (code, err) == (0, "")
    assert out.strip().isalpha()

    code, out, _ = bench("drop", run)
    assert (code, out) == (0, "1 run removed\n")
    assert bench("show", run)[0] == 2
    states = {row["run"]: row["state"] for row in rows(bench("status", "--json")[1])}
    assert states[run] == "waiting"

    before = bench("table")[1]
    code, out, _ = bench("rebuild")
    assert (code, out) == (0, "3 runs in the database again\n")
    assert bench("table")[1] == before
    states = {row["run"]: row["state"] for row in rows(bench("status", "--json")[1])}
    assert states[run] == "waiting"

    assert bench(*TINY)[0] == 0  # only the one that is missing
    assert bench(*TINY, "--rerun")[0] == 0
    with reading(store) as opened:
        again = {one.id: one for one in opened.records(details=True)}
    assert {run: one.outcome for run, one in again.items()} == {
        run: one.outcome for run, one in first.items()
    }
    others = set(first) - {run}
    assert all(again[r].measured["began"] > first[r].measured["began"] for r in others)

    code, out, _ = bench("drop", "--all")
    assert (code, out) == (0, "4 runs removed\n")
    assert list((store / "journal").iterdir()) == []
    assert list((store / "weights").iterdir()) == []


@pytest.mark.parametrize(
    ("command", "keys"),
    [
        (["status", "--json"], "run task variant seed state reason"),
        (["curves", "--json"], "task setting variant metric seeds points"),
        (["show", record(1).id, "--json"], "id spec outcome measured"),
        (["data", "list", "--json"], ""),
        (
            ["table", "--json"],
            "task setting common variant seeds solved metric memorisation score_mean score_sd "
            "other_scores_mean runs_without_score tokens_to_target seconds_to_target "
            "tokens_spent_in_vain tokens_per_second peak_bytes parameters trained_beside "
            "core_share hosts status findings examined signature runs",
        ),
        (
            ["export", "--format", "json"],
            "task setting common variant seeds solved metric memorisation score_mean score_sd "
            "other_scores_mean runs_without_score tokens_to_target seconds_to_target "
            "tokens_spent_in_vain tokens_per_second peak_bytes parameters trained_beside "
            "core_share hosts status findings examined signature runs",
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


def test_runs_are_dropped_by_what_became_of_them(bench: Bench, filled: Path) -> None:
    assert bench("drop", "--status", "failed", "--status", "diverged")[1] == "2 runs removed\n"
    assert bench("drop", "--status", "failed")[1] == "0 runs removed\n"
    assert bench("drop", "--task", "opposites")[1] == "2 runs removed\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("run --workers 0", "workers=0"),
        ("run --workers -1", "workers=-1"),
        ("run --workers 9999", "give 1 to"),
        ("run --seeds 0", "seeds=0"),
        ("run --seeds -3", "seeds=-3"),
        ("run --budget 5x", "500steps"),
        ("run --budget 0", "500steps"),
        ("run --batch 4", "go with --vary"),
        ("run --grid", "go with --vary"),
        ("run --device gpu", "device 'gpu'"),
        ("run --matrix qick", "did you mean quick"),
        ("run --matrix none.toml", "no matrix file"),
        (f"run --matrix {'n' * 300}.toml", "cannot be read"),
        ("run --task opposits", "did you mean opposites"),
        ("run --vary cell=gru", "add --task"),
        ("run --vary cell=gru --task opposits", "did you mean opposites"),
        ("run --vary cell=gru --task opposites:x=1", "no settings"),
        ("run --vary cell=gru --task opposites --matrix quick", "leave --matrix out"),
        ("run --vary cell= --task opposites", "axis=value"),
        ("run --vary cell --task opposites", "axis=value"),
        ("run --vary cell=gru,,lstm --task opposites", "cell ''"),
        ("run --vary cel=gru --task opposites", "did you mean cell"),
        ("run --vary cell=gruu --task opposites", "did you mean gru"),
        ("run --vary hidden=-1 --task opposites", "hidden="),
        ("run --vary cell=gru --batch 0 --task opposites", "batch=0"),
        ("run --base cell --task opposites", "axis=value"),
        ("run --base window=5 --task opposites", "nothing of this applies"),
        ("table --task opposits", "did you mean opposites"),
        ("curves --task opposits", "did you mean opposites"),
        ("curves --metric los", "there are"),
        ("export --format xml", "markdown"),
        ("export --task opposits", "did you mean opposites"),
        ("export --output no/such/folder/x.csv", "name another file"),
        ("show 0123", "no run 0123"),
        ("show zz", "no run zz"),
        ("try zz man", "no run zz"),
        ("drop", "nothing was chosen"),
        ("drop zz", "no run zz"),
        ("drop --task opposits", "did you mean opposites"),
        ("drop --status done", "status 'done'"),
        ("data get tatoebo", "tatoeba"),
        ("data get tatoeba --from none.zip", "none.zip"),
        ("data add x none.tsv", "none.tsv"),
        ("data add x none.txt --vectors", "none.txt"),
        ("data add x a.txt b.txt --vectors", "2 files of vectors"),
        ("run --decoding beem=5", "give greedy"),
        ("run --decoding beam=0", "give greedy"),
        ("run --plugin none.py", "none.py cannot be read"),
        ("list --plugin none.py", "none.py cannot be read"),
        ("run --base embedding_init=vectors,vectors=g --task opposites", "no vectors 'g'"),
        ("run --base embedding_init=vectors --task opposites", "nothing of this applies"),
        ("run --base input_feeding=on --task opposites", "nothing of this applies"),
        ("check gruu", "did you mean gru"),
    ],
)
def test_a_mistake_is_one_line_and_2(bench: Bench, filled: Path, command: str, said: str) -> None:
    code, out, err = bench(*command.split(" "))
    assert (code, out) == (2, "")
    assert err.startswith("bench: ")
    assert err.count("\n") == 1
    assert said in err


def test_outputs_are_made_as_asked(bench: Bench, store: Path) -> None:
    given = ("run", "--task", "opposites", "--vary", "cell=gru", "--seeds", "1", "--workers", "1")
    code, out, _ = bench(*given, "--budget", "30steps", "--decoding", "beam=3", "--keep-weights")
    assert code == 0
    assert "30 steps, batch 32, cpu, beam=3" in out
    (row,) = rows(bench("table", "--json")[1])
    for asked in ([], ["--decoding", "greedy"], ["--decoding", "beam=4,length_penalty=0.6"]):
        code, out, err = bench("try", row["runs"][0], "man", *asked)
        assert (code, err) == (0, "")
        assert out.strip().isalpha()
    assert bench("try", row["runs"][0], "man", "--decoding", "x")[0] == 2


def test_vectors_from_a_file_to_a_table(bench: Bench, store: Path, tmp_path: Path) -> None:
    file = tmp_path / "letters.txt"
    letters = "abcdefghijklmnopqrstuvwxyz"
    file.write_text("".join(f"{c} {n} {-n} 0.5\n" for n, c in enumerate(letters)))
    code, _, _ = bench("data", "add", "letters", str(file), "--vectors")
    assert code == 0
    assert "vectors of 26 words, 3 numbers each" in bench("data", "list")[1]
    given = ("run", "--task", "opposites", "--vary", "embedding_trained=tuned,frozen")
    base = "embedding_init=vectors,vectors=letters,embedding=3"
    code, _, err = bench(*given, "--base", base, "--seeds", "1", "--budget", "10steps")
    assert (code, err) == (0, "")
    found = rows(bench("table", "--json")[1])
    assert {row["variant"] for row in found} == {"base", "embedding_trained=frozen"}
    assert all("failed" not in row["status"] for row in found)


def test_a_run_without_weights_cannot_be_tried(bench: Bench, filled: Path) -> None:
    code, _, err = bench("try", record(1).id, "man")
    assert code == 2
    assert "--keep-weights" in err


@pytest.mark.parametrize("command", ["runn", "table --jsn", "show", "run --seeds x", "data gt"])
def test_what_is_no_command_is_answered_with_usage(bench: Bench, command: str) -> None:
    code, out, err = bench(*command.split())
    assert (code, out) == (2, "")
    assert "Usage: bench" in err
    assert "Error" in err


@pytest.mark.parametrize(
    "command", ["table", "status", "curves", "show ab", "export", "try ab c", "drop --all"]
)
def test_no_store_is_told_and_none_is_made(bench: Bench, store: Path, command: str) -> None:
    code, _, err = bench(*command.split())
    assert code == 2
    assert "there is no store in" in err
    assert not store.exists()


def test_a_store_without_runs_is_told(bench: Bench, store: Path) -> None:
    with writing(store):
        pass
    for command in ("table", "curves", "export"):
        code, _, err = bench(command)
        assert code == 2
        assert "no finished run" in err
    assert bench("status")[0] == 0
    assert bench("data", "list")[0] == 0


def test_an_ambiguous_id_asks_for_more(bench: Bench, filled: Path) -> None:
    code, _, err = bench("show", "")
    assert code == 2
    assert "begins 4 runs" in err


def test_the_option_goes_before_the_environment(bench: Bench, filled: Path) -> None:
    assert bench("status")[0] == 0
    assert bench("status", "--store", "elsewhere")[0] == 2


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


def test_a_closed_pipe_is_no_traceback(filled: Path) -> None:
    for command in (f"show {record(1).id} --json", "table", "export"):
        done = subprocess.run(
            f"{sys.executable} -m bench {command} | true",
            shell=True,
            cwd=ROOT,
            env=os.environ | {"BENCH_STORE": str(filled)},
            capture_output=True,
            text=True,
        )
        assert done.stderr == ""


@pytest.mark.parametrize("command", ["table", "table --json", "export"])
@pytest.mark.parametrize(
    ("where", "code", "said"),
    [
        (">&-", 0, ""),
        ("> /dev/full", 3, "standard output cannot be written (No space left"),
        ("2>&-", 0, ""),
    ],
)
def test_output_that_goes_nowhere_is_a_sentence_at_most(
    filled: Path, command: str, where: str, code: int, said: str
) -> None:
    done = subprocess.run(
        f"{sys.executable} -m bench {command} {where}",
        shell=True,
        cwd=ROOT,
        env=os.environ | {"BENCH_STORE": str(filled)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code
    assert done.stderr.count("\n") == bool(said)
    assert said in done.stderr


def test_our_packages_are_found_where_others_have_their_names(tmp_path: Path) -> None:
    """Runs for real, as worker processes have to find them too."""
    for name in ("tasks.py", "variants.py"):
        (tmp_path / name).write_text("raise SystemExit('not this one')\n")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "__init__.py").write_text("raise SystemExit('nor this')\n")
    run_one(tmp_path, "-m", "bench", seeds=1)
    # python -m itself would stumble over these; the command has only its workers to keep off
    for name in ("queue.py", "random.py", "signal.py"):
        (tmp_path / name).write_text("raise SystemExit('not this one')\n")
    run_one(tmp_path, str(ROOT / "bench" / "__main__.py"), seeds=2)
    with reading(tmp_path / ".bench") as opened:
        assert len(opened.ids()) == 2


def run_one(folder: Path, *start: str, seeds: int) -> None:
    one = f"run --task opposites --base cell=rnn --seeds {seeds} --budget 5 --workers 1".split()
    done = subprocess.run(
        [sys.executable, *start, *one],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k not in ("BENCH_STORE", "PYTHONSAFEPATH")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_a_working_directory_that_was_removed_is_no_traceback(filled: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f"cd {gone} && rmdir {gone} && {sys.executable} -P -m bench table"
    done = subprocess.run(
        command,
        shell=True,
        env=os.environ | {"BENCH_STORE": str(filled), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("damage", "said"), [(b"", "bench rebuild"), (b"x" * 5000, "bench rebuild")]
)
def test_a_damaged_store_says_what_mends_it(
    bench: Bench, filled: Path, damage: bytes, said: str
) -> None:
    (filled / "store.sqlite3").write_bytes(damage)
    for command in ("table", "status", "curves", "export"):
        code, _, err = bench(command)
        assert code == 2
        assert said in err
    assert bench("rebuild")[0] == 0
    assert bench("table")[0] == 0


def test_a_damaged_corpus_is_told(bench: Bench, filled: Path) -> None:
    folder = filled / "data" / "mine"
    folder.mkdir(parents=True)
    for content in ("{", "3", "[]x"):
        (folder / "about.json").write_text(content)
        code, _, err = bench("data", "list")
        assert code == 2
        assert "is damaged" in err
    (folder / "about.json").write_text("{}")
    assert bench("data", "list")[0] == 0


def test_replicas_are_run_where_asked(bench: Bench) -> None:
    code, out, _ = bench(*TINY, "--execution", "replicas", "--dry-run")
    assert code == 0
    assert "2 seeds, 30 steps, as replicas" in out
    code, _, _ = bench(*TINY, "--execution", "replicas")
    assert code == 0
    rows = json.loads(bench("table", "--json")[1])["rows"]
    assert [row["seeds"] for row in rows] == [2, 2]
    code, _, err = bench(*TINY, "--execution", "fast")
    assert code == 2
    assert "eager, replicas" in err


def test_compare(bench: Bench, filled: Path) -> None:
    code, out, _ = bench("compare", "base", "cell=lstm")
    assert code == 0
    assert out.startswith("base  against  cell=lstm\n")
    code, out, _ = bench("compare", "--axis", "cell")
    assert code == 0
    assert "what it costs" in out
    rows = json.loads(bench("compare", "--axis", "cell", "--json")[1])["rows"]
    keys = {
        "task", "setting", "a", "b", "where", "measure", "pairs", "unpaired", "contexts",
        "trained_beside", "core_share",
        "censored_a", "censored_b", "ratio", "margin", "family", "refused", "a_mean", "b_mean",
        "effect", "low", "high", "interval", "p", "p_adjusted", "detectable", "verdict",
        "more_seeds", "why",
    }  # fmt: skip
    assert rows
    assert all(set(row) == keys for row in rows)
    code, out, _ = bench("compare", "--axis", "all")
    assert code == 0
    assert "every axis: score" in out
    code, out, _ = bench("compare", "--with-store", str(filled))
    assert code == 0
    assert "tie" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "compare two variants"),
        (["base"], "compare two variants"),
        (["base", "cell=lstm", "--axis", "cell"], "one of these"),
        (["base", "cell=lstmm"], "no finished run is of the variant cell=lstmm"),
        (["--axis", "colour"], "no finished runs differ in colour alone"),
        (["base", "cell=lstm", "--fair", "money"], "parameters"),
        (["--axis", "cell", "--fair", "all"], "--fair compares two variants"),
        (["--dates", "soon"], "is no day"),
        (["--with-store", "nowhere"], "nowhere"),
        (["base", "cell=lstm", "--task", "opposite"], "opposites"),
    ],
)
def test_what_compare_cannot_do(
    bench: Bench, filled: Path, arguments: list[str], said: str
) -> None:
    code, out, err = bench("compare", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


UNTIL = ["run", "--until-decided", "optimizer=adam", "optimizer=sgd", "--workers", "2"]
SMALL = ["--base", "hidden=24,embedding=16,learning_rate=0.02", "--budget", "60"]


def test_seeds_are_added_until_decided(bench: Bench) -> None:
    code, out, _ = bench(*UNTIL, "--task", "opposites", *SMALL)
    assert code == 0
    lines = [line for line in out.splitlines() if line.startswith("opposites: ")]
    assert [line.split()[1] for line in lines[:-1]] == ["6", "8", "11"]
    assert lines[-2].endswith(", better")
    assert "is better than optimizer=sgd after 11 of at most 40 seeds" in lines[-1]
    code, out, _ = bench(*UNTIL, "--task", "opposites", *SMALL, "--seeds", "6")
    assert code == 0
    assert "better" in out or "cannot be told" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--until-decided needs --task"),
        (["--task", "opposites", "--matrix", "quick"], "--until-decided needs --task"),
        (["--task", "opposites", "--seeds", "4"], "seeds=4 are too few"),
        (["--task", "opposites", "--base", "optimizer=nope"], "optimizer"),
        (["--task", "oposites"], "opposites"),
        (["--task", "keyphrase", "--base", "attention=dot"], "does not apply"),
    ],
)
def test_what_cannot_be_decided(bench: Bench, arguments: list[str], said: str) -> None:
    code, _, err = bench(*UNTIL, *arguments)
    assert code == 2
    assert said in err


def test_a_variant_is_not_held_against_itself(bench: Bench) -> None:
    code, _, err = bench("run", "--until-decided", "base", "cell=gru", "--task", "opposites")
    assert code == 2
    assert "the same variant" in err


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
    assert "leave out --effects" in err
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


def test_compare_at_equal_cost(bench: Bench) -> None:
    assert bench(*TINY, "--base", "hidden=24,embedding=16")[0] == 0
    code, out, _ = bench("compare", "cell=rnn", "base", "--fair", "all")
    assert code == 0
    assert "best learning rate" in out
    assert "was not run with about" in out
    assert "hidden=" in out  # the size that would have as many parameters
    rows = json.loads(bench("compare", "cell=rnn", "base", "--fair", "steps", "--json")[1])["rows"]
    assert [row["mode"] for row in rows] == ["steps"]


def test_the_doctor_names_a_fault_and_tests_its_cure(bench: Bench) -> None:
    faulty = (*TINY[:-2], "--fault", "softmax-over-time", "--workers", "1")
    assert bench(*faulty)[0] == 0
    assert "softmax-over-time 2/2" in bench("table")[1]
    code, out, _ = bench("doctor", "--all")
    assert code == 0
    assert out.count("1. softmax-over-time (certain)") == 4
    found = rows(bench("doctor", "--all", "--json")[1])
    assert {one["cause"] for row in found for one in row["findings"]} == {"softmax-over-time"}
    run = found[0]["run"]
    assert "seen:" in bench("doctor", run[:9])[1]
    code, out, _ = bench("doctor", run, "--confirm")
    assert code == 0
    assert ("it helped" in out) != ("it did not help" in out)
    (row,) = rows(bench("doctor", run, "--confirm", "--json")[1])
    assert row["cause"] == "softmax-over-time"
    # the run that tried it is kept, and has nothing wrong
    assert "nothing found" in bench("doctor", row["tried"])[1]
    code, _, err = bench("doctor", row["tried"], "--confirm")
    assert (code, "nothing was found" in err) == (2, True)


def test_a_cure_may_show_in_the_loss_alone(bench: Bench) -> None:
    slow = "optimizer=sgd,learning_rate=0.01,clip=3,embedding=50,hidden=50"
    asked = ("--seeds", "1", "--budget", "100", "--workers", "1")
    assert bench("run", "--task", "increment", "--base", slow, *asked)[0] == 0
    (row,) = rows(bench("doctor", "--all", "--json")[1])
    assert [one["cause"] for one in row["findings"]] == ["rate-too-low"]
    out = bench("doctor", row["run"], "--confirm")[1]
    assert "exact match 0.000 before, 0.000 now; validation loss 4.6" in out
    assert "it helped" in out


def test_the_doctor_examines_what_was_not(bench: Bench, store: Path) -> None:
    assert bench(*TINY)[0] == 0
    told = {row["seed"]: row for row in rows(bench("doctor", "--all", "--json")[1])}
    assert (told[0]["findings"], told[1]["findings"]) == ([], None)
    assert "not examined: 2 runs" in bench("doctor", "--all")[1]
    with reading(store) as opened:
        (before,) = opened.records([told[1]["run"]], details=True)
    code, out, err = bench("doctor", told[1]["run"])
    assert (code, "nothing found" in out, "doing it again" in err) == (0, True, True)
    with reading(store) as opened:
        (after,) = opened.records([told[1]["run"]], details=True)
    same = {key: value for key, value in after.outcome.items() if key != "findings"}
    assert before.outcome == {**same, "health": None}
    assert before.measured == after.measured  # its times are those of the first time
    # now it is known
    assert bench("doctor", told[1]["run"])[2] == ""


def test_a_run_that_fails_when_it_is_to_be_examined_is_kept(
    bench: Bench, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench(*TINY)[0] == 0
    run = next(row["run"] for row in rows(bench("doctor", "--all", "--json")[1]) if row["seed"])

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("out of reach")

    monkeypatch.setattr("bench.runner.train", broken)
    code, out, err = bench("doctor", run)
    assert (code, out) == (3, "")
    assert "it now fails: RuntimeError: out of reach; the run stays as it was" in err
    with reading(store) as opened:
        (record,) = opened.records([run])
    assert record.status != "failed"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("doctor", "name a run"),
        ("doctor abc --all", "name a run"),
        ("doctor --all --confirm", "--confirm takes one run"),
        ("doctor zzz", "no run zzz"),
        ("run --fault softmax-over-tim", "did you mean softmax-over-time"),
    ],
)
def test_what_the_doctor_is_not_asked_right(
    bench: Bench, filled: Path, arguments: str, says: str
) -> None:
    code, out, err = bench(*arguments.split())
    assert (code, out) == (2, "")
    assert says in err


def test_a_cure_that_changes_nothing_is_told(bench: Bench, store: Path) -> None:
    faulty = (*TINY[:-2], "--fault", "softmax-over-time", "--workers", "1")
    assert bench(*faulty)[0] == 0
    with writing(store) as opened:
        (one, *_) = opened.records(details=True)
        # as if its own code were wrong
        spec = RunSpec.read({**one.spec, "fault": ""})
        opened.begin(spec.id, spec.plain())
        opened.add(Record(spec.id, spec.plain(), one.outcome, one.measured))
    code, out, err = bench("doctor", spec.id, "--confirm")
    assert (code, out) == (2, "")
    assert "nothing has changed since" in err
