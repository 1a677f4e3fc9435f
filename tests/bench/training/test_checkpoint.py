"""Proves that a run stopped anywhere goes on from its checkpoint to the very outcome that it would
have had, and that no file, however damaged, does more than let it begin anew."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn

from bench.runner import execute, execute_group
from bench.specs import Budget, RunSpec, make
from bench.training import checkpoint
from bench.training.checkpoint import Checkpoint
from bench.training.process import RunError
from bench.training.state import TrainState
from bench.training.weights import load_trained
from tasks import build
from variants import BASE, Model
from variants.axes import parse
from variants.optimizers import OPTIMIZERS

SMALL = parse("hidden=6,embedding=5", BASE)
STEPS = 9


class StoppedError(KeyboardInterrupt):
    """As a process that is killed."""


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint after every step."""
    monkeypatch.setattr(checkpoint, "EVERY", 0.0)


def spec(text: str, task: str = "opposites", budget: Budget | None = None, **more: Any) -> RunSpec:
    limit = budget or Budget(steps=STEPS, batch=4, every=4, stop="budget")
    return make(task, digest(task), asdict(parse(text, SMALL)), limit, 3, "cpu", **more)


def digest(task: str) -> str:
    return build(task).digest()


def stopped_after(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """The process dies when it has written so many checkpoints."""
    whole: Callable[..., None] = Checkpoint.write
    kept = []

    def keep(
        self: Checkpoint, states: Sequence[TrainState], shared: Mapping[str, Any] | None = None
    ) -> None:
        whole(self, states, shared)
        kept.append(states[0].step)
        if len(kept) == count:
            raise StoppedError

    monkeypatch.setattr(Checkpoint, "write", keep)


def dies(monkeypatch: pytest.MonkeyPatch, count: int, run: Callable[[], object]) -> None:
    """Run until that many checkpoints are written."""
    with monkeypatch.context() as patch:
        stopped_after(patch, count)
        with pytest.raises(StoppedError):
            run()


def interrupted(
    monkeypatch: pytest.MonkeyPatch, one: RunSpec, file: Path, moments: Sequence[int]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The record of a run that was stopped at each of these checkpoints in turn, and the points
    that its last process told."""
    for count in moments:
        dies(monkeypatch, count, lambda: execute(one, None, lambda *_: None, checkpoint=file))
    told: list[dict[str, Any]] = []
    record = execute(one, None, lambda point, clock: told.append(point), checkpoint=file)
    return record, told


VARIANTS = (
    *(f"optimizer={name}" for name in sorted(OPTIMIZERS)),
    "dropout=0.3,recurrent_dropout=0.2,encoder_depth=2",
    "forcing=linear,forcing_steps=5",
    "forcing=constant,coin=sequence,attention=additive",
    "learning_rate_schedule=cosine,learning_rate_steps=4,warmup=3",
    "output_weights=tied,embedding=6",
    "precision=bf16",
    "cell=transformer,hidden=8,embedding=8",
)


@pytest.mark.parametrize("text", VARIANTS)
def test_a_run_goes_on_as_if_never_stopped(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = execute(spec(text), None, lambda point, clock: None)
    record, told = interrupted(monkeypatch, spec(text), tmp_path / "one.safetensors", (2, 3, 1))
    assert whole["outcome"]["status"] != "failed"
    assert record["outcome"] == whole["outcome"]
    assert told == whole["outcome"]["curve"]
    assert record["measured"]["resumed"] == 3
    assert whole["measured"]["resumed"] == 0


def test_a_checkpoint_of_half_precision_as_a_wrapper_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half precision was a wrapper once, whose weights had names that begin with `model.`."""
    one, file = spec("precision=bf16"), tmp_path / "one.safetensors"
    whole = execute(one, None, lambda point, clock: None)

    def wrapped(model: Model, *args: Any, **named: Any) -> dict[str, Any]:
        plain = nn.Module.state_dict(model, *args, **named)
        return {f"model.{name}": value for name, value in plain.items()}

    with monkeypatch.context() as patch:
        patch.setattr(Model, "state_dict", wrapped)
        dies(patch, 6, lambda: execute(one, None, lambda *_: None, checkpoint=file))
    record = execute(one, None, lambda point, clock: None, checkpoint=file)
    assert record["measured"]["resumed"] == 1
    assert record["outcome"] == whole["outcome"]


@pytest.mark.parametrize("count", range(1, STEPS))
def test_at_every_moment(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "cell=lstm,forcing=constant"
    whole = execute(spec(text), None, lambda point, clock: None)
    record, _ = interrupted(monkeypatch, spec(text), tmp_path / "one.safetensors", (count,))
    assert record["outcome"] == whole["outcome"]


@pytest.mark.parametrize("task", ["keyphrase:documents=40", "increment:pairs=12"])
def test_on_other_tasks(task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = execute(spec("base", task), None, lambda point, clock: None)
    record, _ = interrupted(monkeypatch, spec("base", task), tmp_path / "x.safetensors", (5,))
    assert whole["outcome"]["status"] != "failed"
    assert record["outcome"] == whole["outcome"]


def test_a_budget_of_tokens_ends_at_the_same_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = Budget(tokens=150, batch=4, every=5, stop="budget")
    whole = execute(spec("base", budget=limit), None, lambda point, clock: None)
    for count in range(1, whole["outcome"]["steps"]):
        file = tmp_path / f"{count}.safetensors"
        record, _ = interrupted(monkeypatch, spec("base", budget=limit), file, (count,))
        assert record["outcome"] == whole["outcome"]


def test_the_best_weights_survive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, kept, other = spec("learning_rate=0.5"), tmp_path / "kept", tmp_path / "other"
    execute(one, None, lambda point, clock: None, kept)
    file = tmp_path / "one.safetensors"
    dies(
        monkeypatch,
        STEPS - 1,
        lambda: execute(one, None, lambda *_: None, other, checkpoint=file),
    )
    execute(one, None, lambda point, clock: None, other, checkpoint=file)
    before, after = load_file(kept), load_file(other)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_replicas_go_on_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = Budget(steps=12, batch=4, every=2)
    group = [
        replace(
            spec(f"learning_rate={rate},hidden=16", budget=budget, execution="replicas"), seed=seed
        )
        for rate in (0.002, 0.05)
        for seed in (1, 2)
    ]

    def together(file: Path | None) -> list[dict[str, Any]]:
        quiet = [lambda point, clock: None] * len(group)
        return execute_group(group, None, quiet, [None] * len(group), checkpoint=file)

    whole = [record["outcome"] for record in together(None)]
    assert "failed" not in {outcome["status"] for outcome in whole}
    for count in (1, 3, 5):
        file = tmp_path / f"{count}.safetensors"
        dies(monkeypatch, count, partial(together, file))
        assert [record["outcome"] for record in together(file)] == whole


def test_replicas_some_of_which_have_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Theirs is the end that they had, and the others go on from where they were."""
    budget = Budget(steps=160, batch=6, every=10, stop="solved")
    group = [
        replace(
            spec(f"learning_rate={rate},hidden=24", budget=budget, execution="replicas"), seed=seed
        )
        for rate in (0.001, 0.01)
        for seed in (1, 2, 3)
    ]

    def together(file: Path | None) -> list[dict[str, Any]]:
        quiet = [lambda point, clock: None] * len(group)
        return execute_group(group, None, quiet, [None] * len(group), checkpoint=file)

    whole = [record["outcome"] for record in together(None)]
    ends = sorted({outcome["steps"] for outcome in whole})
    assert len(ends) > 2  # they end one after another
    for moment in ends[:-1]:
        file = tmp_path / f"{moment}.safetensors"
        dies(monkeypatch, moment // 10 + 1, partial(together, file))
        again = [record["outcome"] for record in together(file)]
        assert [outcome["steps"] for outcome in again] == [outcome["steps"] for outcome in whole]
        assert again == whole


def test_a_run_with_a_fault_keeps_none(tmp_path: Path) -> None:
    """Faults may remember things that no checkpoint knows of."""
    file = tmp_path / "one.safetensors"
    execute(spec("base", fault="uncleared-gradients"), None, lambda *_: None, checkpoint=file)
    assert not file.exists()


def test_what_cannot_be_written_is_left(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    file = tmp_path / "file" / "one.safetensors"
    record = execute(spec("base"), None, lambda *_: None, checkpoint=file)
    assert record["outcome"] == execute(spec("base"), None, lambda *_: None)["outcome"]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, Any]]:
    """A whole checkpoint of `spec("base")`, and the outcome of its run."""
    file = tmp_path_factory.mktemp("kept") / "one.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "EVERY", 0.0)
        dies(patch, 3, lambda: execute(spec("base"), None, lambda *_: None, checkpoint=file))
    outcome: dict[str, Any] = execute(spec("base"), None, lambda *_: None)["outcome"]
    return file.read_bytes(), outcome


@given(where=st.floats(0, 1), change=st.integers(1, 255), cut=st.booleans())
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_passed_over(
    tmp_path: Path, kept: tuple[bytes, dict[str, Any]], where: float, change: int, cut: bool
) -> None:
    whole, outcome = kept
    place = int(where * (len(whole) - 1))
    damaged = whole[:place] if cut else bytearray(whole)
    if isinstance(damaged, bytearray):
        damaged[place] ^= change
    file = tmp_path / "one.safetensors"
    file.write_bytes(damaged)
    record = execute(spec("base"), None, lambda *_: None, checkpoint=file)
    assert record["outcome"] == outcome


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("best_weights", []),
        ("losses", 3),
        ("losses", ["x"]),
        ("curve", None),
        ("position", ["a", 0, 0]),
        ("position", [0]),
        ("tokens", "many"),
        ("model", {}),
    ],
)
def test_a_whole_file_that_tells_nonsense_is_passed_over(
    tmp_path: Path,
    kept: tuple[bytes, dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: Any,
) -> None:
    """Its hash is right."""
    file, content = tmp_path / "one.safetensors", checkpoint._content
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "_content", lambda state: {**content(state), name: value})
        dies(patched, 3, lambda: execute(spec("base"), None, lambda *_: None, checkpoint=file))
    assert file.is_file()
    record = execute(spec("base"), None, lambda *_: None, checkpoint=file)
    assert record["outcome"] == kept[1]


def test_a_long_way_to_an_evaluation_is_not_a_tensor_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing would take the longer the further it is."""
    counts = []
    for count in (3, 8):
        file = tmp_path / f"{count}.safetensors"
        one = spec("base", budget=Budget(steps=STEPS, batch=4, every=STEPS, stop="budget"))
        run = partial(execute, one, None, lambda *_: None, checkpoint=file)
        dies(monkeypatch, count, run)
        counts.append(len(load_file(file)))
    assert counts[0] == counts[1]


def test_another_runs_checkpoint_is_passed_over(
    tmp_path: Path, kept: tuple[bytes, dict[str, Any]]
) -> None:
    file = tmp_path / "one.safetensors"
    file.write_bytes(kept[0])
    other = spec("learning_rate=0.004")
    record = execute(other, None, lambda *_: None, checkpoint=file)
    assert record["measured"]["resumed"] == 0
    assert record["outcome"] == execute(other, None, lambda *_: None)["outcome"]


def test_weights_that_do_not_fit_are_passed_over(
    tmp_path: Path, kept: tuple[bytes, dict[str, Any]]
) -> None:
    """The header is this run's, and what it names has another shape."""
    file = tmp_path / "one.safetensors"
    file.write_bytes(kept[0])
    told = json.loads(kept[0][8 : 8 + int.from_bytes(kept[0][:8], "little")])["__metadata__"]
    tensors = load_file(file)
    save_file(
        {name: value[:1].clone() if value.ndim else value for name, value in tensors.items()},
        file,
        metadata=told,
    )
    record = execute(spec("base"), None, lambda *_: None, checkpoint=file)
    assert record["measured"]["resumed"] == 0
    assert record["outcome"] == kept[1]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EACCES])
def test_weights_wait_for_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """What else may be wrong is said at once."""
    tries: list[int] = []
    write = Path.write_bytes

    def twice_full(path: Path, content: bytes) -> int:
        tries.append(number)
        if len(tries) < 3:
            raise OSError(number, os.strerror(number))
        return write(path, content)

    monkeypatch.setattr("bench.training.weights.PAUSE", 0.0)
    monkeypatch.setattr(Path, "write_bytes", twice_full)
    one, file = spec("base"), tmp_path / "weights" / "one.safetensors"
    if number == errno.EACCES:
        with pytest.raises(RunError, match="cannot be kept"):
            execute(one, None, lambda *_: None, file)
        return
    execute(one, None, lambda *_: None, file)
    assert len(tries) == 3
    assert {path.name for path in file.parent.iterdir()} == {"one.safetensors", "one.state"}
    load_trained(one, build("opposites"), None, file)
