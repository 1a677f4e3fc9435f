"""Proves that `bench doctor SCRIPT.py` runs a script as it is, stops it, and judges what it saw."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.bench.cli.commands import Bench

ROOT = Path(__file__).parents[3]
TRAIN = """
import os, random, sys, time
import torch
from torch import nn
from results import NAME

print("started", sys.argv[1:], __name__, os.getcwd(), NAME, sys.stdin.readline().strip())
torch.manual_seed(0)
model = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 5))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
ratio = 0.5
step = 0
while step < 10**9:
    step += 1
    x = torch.randint(0, 5, (3, 2))
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x).flatten(0, 1), x.flatten())
    loss.backward()
    optimizer.step()
    print("step", step, flush=True)
    # here
"""


@pytest.fixture
def train(tmp_path: Path) -> Path:
    """A script that trains for ever, with a module of its own that is called `results`."""
    folder = tmp_path / "of a student"
    folder.mkdir()
    (folder / "results.py").write_text("NAME = 'my own results'\n", "utf-8")
    (folder / "train.py").write_text(TRAIN, "utf-8")
    return folder / "train.py"


def change(script: Path, line: str) -> None:
    """Put a line at the end of each training step."""
    script.write_text(TRAIN.replace("# here", line), "utf-8")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bench", "doctor", *arguments]


def doctor(*arguments: str, cwd: Path) -> tuple[int, str, str]:
    """Run `bench doctor` in a process of its own, with a line of input for the script."""
    done = subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        input="a line\n",
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return done.returncode, done.stdout, done.stderr


def row(text: str) -> dict[str, Any]:
    """Return the only row of what --json printed."""
    (found,) = json.loads(text)["rows"]
    assert isinstance(found, dict)
    return found


def test_a_script_runs_as_it_is_until_it_took_enough_steps(train: Path, tmp_path: Path) -> None:
    code, out, err = doctor("--steps", "3", str(train), "--json", "-x", cwd=tmp_path)
    assert code == 0
    assert f"started ['--json', '-x'] __main__ {tmp_path} my own results a line" in out
    assert "nothing found in 3 training steps" in out
    assert "step 4" not in out
    assert err.startswith(f"bench: running {train} as it is")
    assert "Traceback" not in err


def test_an_error_of_the_script_is_a_finding(train: Path, tmp_path: Path) -> None:
    change(train, "if step > 2 and random.random < ratio: break")
    code, out, err = doctor("--json", str(train), cwd=tmp_path)
    assert code == 0
    found = row(out)  # and nothing of what the script prints
    assert list(found) == ["script", "arguments", "ended", "steps", "findings", "unseen"]
    (finding,) = found["findings"]
    assert list(finding) == ["cause", "sure", "place", "evidence", "why", "change"]
    line = train.read_text("utf-8").splitlines().index("    " + train_line(train)) + 1
    assert finding["cause"] == "script-raises"
    assert finding["place"] == f"train.py:{line}"
    assert finding["change"] == "write `random.random()` on this line"
    assert (found["steps"], found["ended"]) == (3, "the script ended by TypeError")
    # the traceback is the script's own
    assert "step 3" in err
    assert f'File "{train}", line {line}' in err
    assert "/bench/" not in err.partition("Traceback")[2]


def train_line(script: Path) -> str:
    """Return the line that stands at the end of each step."""
    return script.read_text("utf-8").splitlines()[-1].strip()


def test_limits_stop_a_script_and_it_is_judged(train: Path, tmp_path: Path) -> None:
    change(train, "time.sleep(600)")
    found = row(doctor("--json", "--time-limit", "0.05", str(train), cwd=tmp_path)[1])
    assert found["ended"] == "it was stopped after 0.05 min, its --time-limit"
    change(train, "kept = bytearray(b'x') * 2**29; time.sleep(600)")
    code, out, _ = doctor("--json", "--memory-limit", "0.6", str(train), cwd=tmp_path)
    found = row(out)
    assert (code, found["steps"]) == (0, 1)
    assert found["ended"] == "it was stopped because it held more than 0.6 GiB, its --memory-limit"


def test_a_limit_that_loading_torch_exceeds_is_told(train: Path, tmp_path: Path) -> None:
    code, out, _ = doctor("--json", "--memory-limit", "0.05", str(train), cwd=tmp_path)
    ended = "it was stopped because it held more than 0.05 GiB, its --memory-limit"
    assert (code, row(out)["ended"]) == (0, ended)


def test_a_script_has_the_usual_search_for_garbage(train: Path, tmp_path: Path) -> None:
    change(train, "import gc; print('searched after', gc.get_threshold()[0])")
    out = doctor("--steps", "2", str(train), cwd=tmp_path)[1]
    assert f"searched after {gc.get_threshold()[0]}\n" in out


def interrupted(train: Path, tmp_path: Path) -> tuple[int, str, str]:
    """Interrupt a script when it has trained a little; return exit code and what was printed."""
    process = subprocess.Popen(
        command(str(train)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("a line\n")
    process.stdin.flush()
    for line in process.stdout:
        if "step 3" in line:
            break
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    try:
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    return process.returncode, out, err


def test_ctrl_c_stops_a_script_and_it_is_judged(train: Path, tmp_path: Path) -> None:
    code, out, err = interrupted(train, tmp_path)
    assert code == 130
    assert "nothing found in" in out
    assert "it was stopped by Ctrl-C" in err
    assert "Traceback" not in err


def test_an_interrupt_that_is_lost_is_repeated(train: Path, tmp_path: Path) -> None:
    before, loop = TRAIN.split("while step")
    inner = textwrap.indent(f"while step{loop}", " " * 8)
    caught = "    except KeyboardInterrupt:\n        if again: raise\n        again = True\n"
    train.write_text(f"{before}again = False\nwhile True:\n    try:\n{inner}{caught}", "utf-8")
    code, _, err = interrupted(train, tmp_path)
    assert code == 130
    assert "it was stopped by Ctrl-C" in err


def test_a_script_that_does_not_train_or_dies_is_a_sentence(train: Path, tmp_path: Path) -> None:
    train.write_text("import sys; print('no training'); sys.exit('bad arguments')", "utf-8")
    code, out, err = doctor(str(train), cwd=tmp_path)
    assert code == 3
    assert "no optimizer took a step" in " ".join(out.split())
    assert "the script ended itself by sys.exit('bad arguments')" in err
    train.write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "utf-8")
    code, out, err = doctor(str(train), cwd=tmp_path)
    assert (code, out) == (3, "")
    assert "was ended by the signal SIGKILL" in err


def test_a_module_runs_as_a_script(train: Path) -> None:
    code, out, _ = doctor("--steps", "2", "-m", "train", "--lr", "3", cwd=train.parent)
    assert code == 0
    assert "started ['--lr', '3'] __main__" in out
    assert "nothing found in 2 training steps" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("none.py", "there is no file none.py"),
        ("--all train.py", "--all does nothing with a script"),
        ("--confirm -m train", "--confirm does nothing with a script"),
        ("abc train.py", "name one run, not also train.py"),
        ("--time-limit -1 app.py", "cannot be kept"),
    ],
)
def test_wrong_arguments_of_scripts(bench: Bench, arguments: str, message: str) -> None:
    Path("app.py").touch()
    code, out, err = bench("doctor", *arguments.split())
    assert (code, out) == (2, "")
    assert message in err
