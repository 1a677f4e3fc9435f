"""Proves what `bench run` does to a store, from a matrix's first run to its last."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from bench.api.run import MatrixOptions
from bench.engines import choose
from bench.engines.contract import Event, Job
from bench.engines.local import LocalEngine
from results.store import reading
from tests.bench.cli.commands import TINY, Bench, rows
from tests.in_process import InProcessEngine
from tests.records import record


def test_a_matrix_from_its_first_run_to_its_last(
    bench: Bench, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = bench(*TINY, "--dry-run")
    assert (code, err) == (0, "")
    assert "4 runs, 0 of them finished" in out
    assert not store.exists()

    code, out, err = bench(*TINY, "--keep-weights")
    assert (code, err) == (0, "")
    assert "opposites  (30 steps, batch 32, cpu" in out
    with reading(store) as opened:
        first = {entry.id: entry for entry in opened.records(details=True)}
        assert opened.journal.unfinished() == []
    assert len(first) == 4
    # that much by a worker process; what is done again needs none
    monkeypatch.setattr(choose, "LocalEngine", InProcessEngine)
    assert bench(*TINY, "--dry-run")[1].count("4 runs, 4 of them finished") == 1

    code, out, _ = bench(*TINY)
    assert code == 0
    assert "4 of 4 runs are finished already" in out
    with reading(store) as opened:
        assert {entry.id: entry.measured for entry in opened.records(details=True)} == {
            run: entry.measured for run, entry in first.items()
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

    code, out, err = bench("drop", run)
    assert code == 0
    assert out.startswith("1 run removed; bench undrop")
    assert err.startswith("bench: 1 run will be removed: 1 ")
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
        again = {entry.id: entry for entry in opened.records(details=True)}
    assert {run: entry.outcome for run, entry in again.items()} == {
        run: entry.outcome for run, entry in first.items()
    }
    others = set(first) - {run}
    assert all(again[r].measured["began"] > first[r].measured["began"] for r in others)

    code, out, _ = bench("drop", "--all")
    assert code == 0
    assert out.startswith("4 runs removed")
    assert list((store / "journal").iterdir()) == []
    assert list((store / "weights").iterdir()) == []
    assert bench("undrop")[1] == "4 runs brought back\n"
    assert bench("verify")[:2] == (0, "4 runs compared, 0 begun and not finished\n")
    assert bench("table")[0] == 0


class Cut(LocalEngine):
    """An engine whose driver is killed when the first run has begun."""

    def run(self, groups: Iterable[Job]) -> Iterator[Event]:
        job = next(iter(groups))
        yield Event("started", job.ids[0], {"spec": job.specs[0]})
        raise SystemExit(9)


@pytest.mark.usefixtures("no_workers")
def test_what_is_done_again_is_kept_until_it_is_done(
    bench: Bench, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench(*TINY)[0] == 0
    with reading(store) as opened:
        before = {entry.id: entry.plain() for entry in opened.records(details=True)}
    monkeypatch.setattr(choose, "LocalEngine", Cut)
    assert bench(*TINY, "--rerun")[0] == 9
    with reading(store) as opened:
        assert {one.id: one.plain() for one in opened.records(details=True)} == before
    assert "4 of them finished" not in bench(*TINY, "--dry-run")[1]
    monkeypatch.setattr(choose, "LocalEngine", InProcessEngine)
    code, out, _ = bench(*TINY)  # goes on with what was to be done again
    assert code == 0
    assert "finished already" not in out
    with reading(store) as opened:
        after = {entry.id: entry.plain() for entry in opened.records(details=True)}
    assert {run: one["outcome"] for run, one in after.items()} == {
        run: one["outcome"] for run, one in before.items()
    }
    assert all(after[run]["measured"] != before[run]["measured"] for run in before)


@pytest.mark.usefixtures("no_workers")
@pytest.mark.parametrize("cause", [ValueError("sick"), MemoryError(), OSError(28, "No space")])
def test_what_failed_is_done_again_when_asked_or_if_the_machine_failed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, cause: Exception
) -> None:
    def fails(*_: object) -> None:
        raise cause

    with monkeypatch.context() as patched:
        patched.setattr("bench.runner._run", fails)
        assert bench(*TINY)[0] == 0
    code, out, err = bench(*TINY)
    assert code == 0
    if isinstance(cause, ValueError):
        assert "4 of the finished runs failed; --rerun failed does them again" in err
        assert "4 failed" in bench("status")[1]
        code, out, err = bench(*TINY, "--rerun", "failed")
    assert "4 runs that failed are done again" in out
    assert err == ""
    assert "failed" not in bench("status")[1]
    assert "4 of 4 runs are finished already" in bench(*TINY, "--rerun", "failed")[1]


@pytest.mark.usefixtures("no_workers")
def test_weights_that_cannot_be_kept_are_told_before_the_start(bench: Bench, store: Path) -> None:
    store.mkdir()
    (store / "weights").write_text("mine")
    code, _, err = bench(*TINY, "--keep-weights")
    assert code == 2
    assert "weights is not a folder" in err
    assert [path.name for path in store.iterdir()] == ["weights"]


def test_drop_asks_in_a_terminal(
    bench: Bench, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    code, _, err = bench("drop", "--all")
    assert code == 2
    assert "4 runs will be removed: 1 " in err
    assert "1 solved of opposites" in err
    assert "nothing was removed" in err
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert bench("drop", record(0, 1.0, 900).id)[0] == 0
    monkeypatch.setattr("sys.stdin", Terminal(""))
    assert bench("drop", "--purge", "--yes")[:2] == (0, "1 dropped run deleted\n")
    assert bench("undrop")[1] == "0 runs brought back\n"


def test_verify_tells_what_does_not_fit(bench: Bench, filled: Path) -> None:
    assert bench("verify")[0] == 0
    (filled / "journal" / f"{record(1).id}.jsonl").unlink()
    code, out, err = bench("verify")
    assert code == 1
    assert f"{record(1).id}: its journal is gone" in out
    assert "1 problem found; mend the database with: bench rebuild" in err
    assert rows(bench("verify", "--json")[1])[0]["run"] == record(1).id
    assert bench("rebuild")[0] == 0
    assert bench("verify")[0] == 0


@pytest.mark.usefixtures("no_workers")
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


@pytest.mark.usefixtures("no_workers")
def test_vectors_from_a_file_to_a_table(bench: Bench, store: Path, tmp_path: Path) -> None:
    file = tmp_path / "letters.txt"
    letters = "abcdefghijklmnopqrstuvwxyz"
    file.write_text("".join(f"{c} {n} {-n} 0.5\n" for n, c in enumerate(letters)))
    code, _, _ = bench("data", "add", "letters", str(file), "--vectors")
    assert code == 0
    assert "letters: vectors, 26 words × 3 numbers, not stated" in bench("data", "list")[1]
    given = ("run", "--task", "opposites", "--vary", "embedding_trained=tuned,frozen")
    base = "embedding_init=vectors,vectors=letters,embedding=3"
    code, _, err = bench(*given, "--base", base, "--seeds", "1", "--budget", "10steps")
    # 26 letters and P, which has the vector of p
    share = "27 of 27 source symbols and 27 of 27 target symbols have one"
    assert (code, err) == (0, f"bench: vectors letters: {share}\n")
    found = rows(bench("table", "--json")[1])
    assert {row["variant"] for row in found} == {"base", "embedding_trained=frozen"}
    assert all("failed" not in row["status"] for row in found)


def test_a_run_without_weights_cannot_be_tried(bench: Bench, filled: Path) -> None:
    code, _, err = bench("try", record(1).id, "man")
    assert code == 2
    assert "--keep-weights" in err


@pytest.mark.usefixtures("no_workers")
def test_replicas_are_trained_when_asked(bench: Bench) -> None:
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


UNTIL = ["run", "--until-decided", "optimizer=adam", "optimizer=sgd", "--workers", "2"]


SMALL = ["--base", "hidden=24,embedding=16,learning_rate=0.02", "--budget", "60"]


@pytest.mark.usefixtures("no_workers")
def test_seeds_are_added_until_decided(bench: Bench) -> None:
    code, out, _ = bench(*UNTIL, "--task", "opposites", *SMALL)
    assert code == 0
    lines = [line for line in out.splitlines() if line.startswith("opposites: ")]
    # the first look is where one can reject
    assert [line.split()[1] for line in lines[:-1]] == ["8"]
    assert lines[-2].endswith(", better")
    assert "is better than optimizer=sgd after 8 of at most 40 seeds" in lines[-1]
    code, out, _ = bench(*UNTIL, "--task", "opposites", *SMALL, "--seeds", "6")
    assert code == 0
    assert "better" in out or "differ significantly" in out
    code, out, _ = bench(*UNTIL, "--task", "opposites", *SMALL, "--seeds", "100:106")
    assert code == 0
    assert "after 6 of at most 6 seeds" in out
    seeds = {row["seed"] for row in rows(bench("runs", "--json")[1])}
    assert seeds == {*range(8), *range(100, 106)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--until-decided needs --task"),
        (
            ["--task", "opposites", "--matrix", "quick"],
            "--matrix does nothing with",
        ),
        (["--task", "opposites", "--seeds", "4"], "seeds=4 are too few"),
        (["--task", "opposites", "--seeds", "100:104"], "seeds=4 are too few"),
        (["--task", "opposites", "--base", "optimizer=nope"], "optimizer"),
        (["--task", "oposites"], "opposites"),
        (["--task", "keyphrase", "--base", "attention=dot"], "does not apply"),
    ],
)
def test_wrong_arguments_of_until_decided(bench: Bench, arguments: list[str], message: str) -> None:
    code, _, err = bench(*UNTIL, *arguments)
    assert code == 2
    assert message in err


def test_a_variant_is_not_compared_with_itself(bench: Bench) -> None:
    code, _, err = bench("run", "--until-decided", "base", "cell=gru", "--task", "opposites")
    assert code == 2
    assert "the same variant" in err


@pytest.mark.usefixtures("no_workers")
def test_a_run_without_options_is_the_quick_matrix(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make run` gives no option at all."""
    seen: list[str | None] = []

    def planned(options: MatrixOptions, *rest: object) -> None:
        seen.append(options.matrix)
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.cli.run._planned", planned)
    assert bench("run")[0] == 130
    assert seen == [None]


@pytest.mark.usefixtures("no_workers")
def test_random_batches_are_a_setting_of_their_own(bench: Bench, store: Path) -> None:
    shared = "run --task reversal:pairs=20 --vary cell=gru --seeds 1 --budget 4".split()
    assert bench(*shared)[0] == 0
    code, out, _ = bench(*shared, "--batching", "random")
    assert code == 0
    assert "(4 steps, batch 32, cpu, random batches)" in out
    with reading(store) as opened:
        budgets = [entry.spec["budget"] for entry in opened.records()]
    assert sorted(budget.get("batching", "") for budget in budgets) == ["", "random"]
    code, _, err = bench(*shared, "--batching", "sorted")
    assert code == 2
    assert "batching='sorted' is not one of length, random; give one" in err
    code, _, err = bench("run", "--until-decided", "base", "cell=lstm", "--batching", "random")
    assert code == 2
    assert "--batching" in err
