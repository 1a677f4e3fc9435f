"""Runs on a device that is not the CPU, where a GPU is none: tests/elsewhere.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
RUNS = [
    ("opposites", "cell=gru,attention=additive", "eager", "greedy", ""),
    (
        "opposites",
        "cell=lstm,attention=general,input_feeding=on,direction=bidirectional,"
        "forcing=constant,forcing_rate=0.5",
        "eager",
        "beam=3,length_penalty=0.6",
        "",
    ),
    ("opposites", "cell=transformer", "eager", "beam=3", ""),
    ("opposites", "dropout=0.2,recurrent_dropout=0.2", "eager", "greedy", "dropout-stays"),
    ("opposites", "cell=lstm,attention=additive,forcing=never", "replicas", "greedy", ""),
    ("keyphrase:documents=16", "direction=bidirectional", "eager", "greedy", ""),
]
ASKED = """
import torch
from tests.elsewhere import PLACE, differences, leave, present

def refused(work):
    try:
        work()
    except RuntimeError as error:
        return True
    return False

with present() as device:
    here, there = torch.arange(4.0), torch.arange(4.0, device=PLACE)
    assert there.device.type == "elsewhere" and here.device.type == "cpu"
    assert refused(lambda: here + there)
    assert refused(lambda: there.masked_fill_(here > 1, 0.0))
    assert refused(lambda: torch.cat([here, there]))
    assert refused(lambda: torch.rand(3, device=PLACE, generator=torch.Generator()))
    assert refused(lambda: torch.rand(3, generator=device.generator(0, "", device=PLACE)))
    torch.rand(3, device=PLACE, generator=device.generator(0, "", device=PLACE))
    assert (there + torch.tensor(1.0)).tolist() == [1, 2, 3, 4]
    assert there[torch.tensor([2, 0])].to("cpu").tolist() == [2, 0]
    assert refused(lambda: there.__setitem__(torch.tensor([2, 0]), here[:2]))
    assert here.copy_(there.mul_(2)).tolist() == [0, 2, 4, 6]
    weight = torch.ones(4, device=PLACE, requires_grad=True)
    (weight @ torch.ones(4, 2, device=PLACE)).sum().backward()
    assert weight.grad.device.type == "elsewhere" and weight.grad.tolist() == [2, 2, 2, 2]

assert list(differences("", {"a": [1.0, "b"]}, {"a": [1.0 + 1e-6, "b"]})) == []
assert list(differences("", {"a": [1.0]}, {"a": [1.1]})) == ["/a/0: 1.0 here, 1.1 there"]
assert list(differences("", {"a": 1}, {})) == ["/a: 1 here, None there"]
leave()
"""
STRAY = """
import torch
from bench.doctor import planting
from tests.elsewhere import compared, leave, present

with present():
    planting.torch_generator = lambda seed, purpose, device: torch.Generator()
    for line in compared("opposites", "dropout=0.2", "eager", "greedy", "dropout-stays"):
        print(line)
leave()
"""


def python(*arguments: str) -> str:
    """What it prints, in a process of its own: torch keeps a device for good."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_run_on_another_device_is_the_same_run() -> None:
    """One process for all of them: each would have to load torch."""
    assert python("-m", "tests.elsewhere", *(word for run in RUNS for word in run)) == ""


def test_the_device_refuses_what_cuda_refuses() -> None:
    python("-c", ASKED)


def test_a_generator_of_the_cpu_is_found() -> None:
    assert "generator of another device" in python("-c", STRAY)
