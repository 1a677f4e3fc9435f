"""Proves that bench runs in odd surroundings: closed streams, other packages of its names."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import main as start
from bench.cli import app
from bench.cli.shared import UNREAD, USAGE, user_errors
from results.store import reading
from tests.bench.cli.commands import ROOT
from tests.records import record


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


def test_a_reader_that_goes_away_is_not_told_as_an_unreadable_file() -> None:
    with pytest.raises(BrokenPipeError), user_errors():
        raise BrokenPipeError(32, "Broken pipe")


@pytest.mark.parametrize("command", ["table", "table --json", "export", "nothing"])
def test_who_writes_to_a_closed_pipe_ends_as_a_shell_expects(
    filled: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert filled.exists()
    read, write = os.pipe()
    os.close(read)
    monkeypatch.setattr("sys.stderr", sys.stderr)  # which typer replaces
    with os.fdopen(write, "w") as ends:
        monkeypatch.setattr("sys.stdout", ends)
        assert app.main(command.split()) == (USAGE if command == "nothing" else UNREAD)


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (OSError(errno.EMFILE, "Too many open files"), 3, "Too many open files: let more files"),
        (OSError(errno.EAGAIN, "Again", "a.so"), 3, "(ulimit -u)"),
        (OSError(errno.EIO, "Input/output error", "x"), 3, "x cannot be written (Input"),
        (MemoryError(), 3, "not enough memory"),
        (RuntimeError("[enforce fail] can't allocate memory: 4 bytes"), 3, "not enough memory"),
    ],
)
def test_limits_of_the_machine_are_a_sentence(
    error: BaseException,
    code: int,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(app, "_command", lambda: fail)
    assert app.main(["table"]) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert sentence in err


def test_a_mistake_of_our_own_shows_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(app, "_command", lambda: fail)
    with pytest.raises(RuntimeError, match="a bug"):
        app.main(["table"])


@pytest.mark.parametrize("command", ["table", "table --json", "export"])
@pytest.mark.parametrize(
    ("where", "code", "message"),
    [
        (">&-", 0, ""),
        ("> /dev/full", 3, "standard output cannot be written (No space left"),
        ("2>&-", 0, ""),
    ],
)
def test_output_that_goes_nowhere_is_a_sentence_at_most(
    filled: Path, command: str, where: str, code: int, message: str
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
    assert done.stderr.count("\n") == bool(message)
    assert message in done.stderr


def test_our_packages_are_found_where_others_have_their_names(tmp_path: Path) -> None:
    """Runs for real, as worker processes have to find them too."""
    for name in ("tasks.py", "variants.py"):
        (tmp_path / name).write_text("raise SystemExit('not this one')\n")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "__init__.py").write_text("raise SystemExit('nor this')\n")
    run_in(tmp_path, "-m", "bench", seeds=1)
    # python -m itself would stumble over these; the command has only its workers to keep off
    for name in ("queue.py", "random.py", "signal.py"):
        (tmp_path / name).write_text("raise SystemExit('not this one')\n")
    run_in(tmp_path, str(ROOT / "bench" / "__main__.py"), seeds=2)
    with reading(tmp_path / ".bench") as opened:
        assert len(opened.ids()) == 2


def run_in(folder: Path, *start: str, seeds: int) -> None:
    command = f"run --task opposites --base cell=rnn --seeds {seeds} --budget 5 --workers 1".split()
    done = subprocess.run(
        [sys.executable, *start, *command],
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


def test_ctrl_c_while_verbs_are_imported_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr("bench.cli.app.main", stopped)
    with pytest.raises(SystemExit) as ended:
        start()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "bench: stopped by Ctrl-C\n"
