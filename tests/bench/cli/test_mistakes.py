"""Proves that a mistake of the user is one line on standard error and exit code 2."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from results.store import writing
from tests.bench.cli.commands import Bench
from tests.records import failed, record


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("run --workers 0", "workers=0"),
        ("run --workers -1", "workers=-1"),
        ("run --workers 9999", "give 1 to"),
        ("run --seeds 0", "seeds=0"),
        ("run --seeds x", "seeds=x is neither a whole number"),
        ("claims run opposites --seeds 9:5", "seeds=9:5 is neither"),
        ("run --seeds -3", "seeds=-3"),
        ("run --budget 5x", "500steps"),
        ("run --budget 0", "500steps"),
        ("run --batch 4", "it goes with --vary"),
        ("run --grid", "it goes with --vary"),
        ("claims run --workers 0", "workers=0"),
        ("run --until-decided cell=gru cell=rnn --task opposites --fault x", "goes with"),
        ("run --until-decided cell=gru cell=rnn --task opposites --seeds 100001", "to 100000"),
        ("throughput --sweep learning_rate=1,2", "size to sweep 'learning_rate'"),
        ("run --vary cell=gru --task opposites --batch 1000000000000", "batch=1000000000000"),
        ("run --plugin /dev/zero", "/dev/zero cannot be read"),
        ("throughput --replicas 99999999999999999999", "from 1 to 10000"),
        ("throughput --batch 99999999999999", "batch=99999999999999 is too large"),
        ("throughput --sweep hidden=64..99999999", "hidden="),
        ("export --format tensorboard --output http://me:secret@h", "***@h is a URI"),
        ("run --vary cell=gru --task en-zh:pairs=999999999999", "pairs=999999999999 is above"),
        ("run --vary cell=gru --task increment:longest=99999", "longest=99999 is above"),
        ("run --vary cell=gru --task keyphrase:documents=9999999", "documents=9999999 is above"),
        ("run --vary cell=all --task opposites --seeds 100000", "this would be 1,1"),
        ("run --device gpu", "device 'gpu'"),
        ("run --matrix qick", "did you mean quick"),
        ("run --matrix none.toml", "no matrix file"),
        (f"run --matrix {'n' * 300}.toml", "cannot be read"),
        ("run --task opposits", "did you mean opposites"),
        ("run --vary cell=gru", "add --task"),
        ("run --vary cell=gru --task opposits", "did you mean opposites"),
        ("run --vary cell=gru --task opposites:x=1", "no settings"),
        (
            "run --vary cell=gru --task opposites --matrix quick",
            "--matrix does nothing with --vary",
        ),
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
        ("drop --purge --all", "--all does nothing with --purge"),
        ("undrop zz", "no run zz among the 0 dropped"),
        ("run --rerun=some", "not one of all, failed"),
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
        ("check opposites --tagging", "opposites is a task"),
        ("run --base cell=lstm --task opposites --grid", "--grid does nothing with --base"),
        ("throughput --sweep batch=1,2 --batch 2", "--batch does nothing with --sweep batch"),
        ("throughput --sweep length=1,2 --target 2", "--target does nothing with --sweep length"),
        ("throughput --work decoding --replicas 2", "leave --replicas out"),
        (f"show {record(1).id} --task reversal", "is a run of opposites, not of reversal"),
        ("show 1 --task reversal", "1 is a run of opposites, not of reversal"),
        (f"doctor {failed(2).id} --plugin none.py", "none.py cannot be read"),
    ],
)
def test_a_mistake_is_one_line_and_2(
    bench: Bench, filled: Path, command: str, message: str
) -> None:
    code, out, err = bench(*command.split(" "))
    assert (code, out) == (2, "")
    assert err.startswith("bench: ")
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize("command", ["runn", "table --jsn", "show", "run --workers x", "data gt"])
def test_what_is_no_command_is_answered_with_usage(bench: Bench, command: str) -> None:
    code, out, err = bench(*command.split())
    assert (code, out) == (2, "")
    assert "Usage: bench" in err
    assert "Error" in err


@pytest.mark.parametrize(
    "command",
    [
        "table",
        "status",
        "curves",
        "show ab",
        "export",
        "try ab c",
        "drop --all",
        "drop --purge",
        "undrop",
        "verify",
    ],
)
def test_a_missing_store_is_an_error_and_none_is_made(
    bench: Bench, store: Path, command: str
) -> None:
    code, _, err = bench(*command.split())
    assert code == 2
    assert "there is no store in" in err
    assert not store.exists()


def test_an_empty_store_is_an_error(bench: Bench, store: Path) -> None:
    with writing(store):
        pass
    for command in ("table", "curves", "export"):
        code, _, err = bench(command)
        assert code == 2
        assert "no finished run" in err
    assert bench("status")[0] == 0
    assert bench("data", "list")[0] == 0


def test_an_ambiguous_id_asks_for_more(bench: Bench, filled: Path) -> None:
    code, _, err = bench("show", record(0).id[:8], "--store", str(crowded(filled)))
    assert code == 2
    assert "begins 2 runs" in err
    for command in ("show", "drop", "doctor", "undrop"):
        code, _, err = bench(command, "")
        assert code == 2
        assert "empty name" in err


def crowded(folder: Path) -> Path:
    """Add a run whose id begins as that of another."""
    with writing(folder) as store:
        store.add(replace(record(0), id=record(0).id[:8] + "f" * 8))
    return folder


def test_the_option_goes_before_the_environment(bench: Bench, filled: Path) -> None:
    assert bench("status")[0] == 0
    assert bench("status", "--store", "elsewhere")[0] == 2


@pytest.mark.parametrize(
    ("damage", "message"), [(b"", "bench rebuild"), (b"x" * 5000, "bench rebuild")]
)
def test_a_damaged_store_says_what_mends_it(
    bench: Bench, filled: Path, damage: bytes, message: str
) -> None:
    (filled / "store.sqlite3").write_bytes(damage)
    for command in ("table", "status", "curves", "export"):
        code, _, err = bench(command)
        assert code == 2
        assert message in err
    assert bench("rebuild")[0] == 0
    assert bench("table")[0] == 0


def test_a_damaged_corpus_is_named_and_stops_no_other(bench: Bench, filled: Path) -> None:
    folder = filled / "data" / "mine"
    folder.mkdir(parents=True)
    for content in ("{", "3", "[]x"):
        (folder / "about.json").write_text(content)
        code, out, _ = bench("data", "list")
        assert code == 0
        assert "is damaged" in out
    (folder / "about.json").write_text("{}")
    assert bench("data", "list")[0] == 0
