"""Checkpoints: every minute the state of training is written to one file, so that a run whose
process dies goes on and gives the curve that it would have given.

One safetensors file holds everything: tensors as such, all else as JSON in its header, with a hash
of both. Nothing is unpickled, and a file that is damaged or another run's is ignored.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from bench.training.batching import DataPosition
from bench.training.state import TrainState

CHECKPOINT_SCHEMA = 3
"""Changes when the form of the file does; files of another are ignored."""
EVERY = 60.0
"""Seconds between two checkpoints of a run."""
PLAIN: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("step", "tokens", "resumed"), (int,)),
    **dict.fromkeys(("curve", "clock", "layers"), (list,)),
    **dict.fromkeys(("best", "to_target"), (dict, NoneType)),
    "seconds": (int, float),
    "seconds_to_target": (int, float, NoneType),
    "status": (str,),
}
"""Fields of a state that are no tensors, and the types that they may have."""
TENSORS = ("best_weights", "losses", "norm")
"""Fields of a state that hold tensors."""
INVALID_FILE = (
    *(OSError, SafetensorError, ValueError, KeyError, TypeError, IndexError, RuntimeError),
    AttributeError,
)
"""Exceptions that reading raises on a file that is damaged, or of another run."""


class Checkpoint:
    """The checkpoint file of a run, or of runs that are trained together.

    file: None writes none. runs: their ids. course: that of a single run, which may go on from the
    state of a shorter one.
    """

    def __init__(self, file: Path | None, runs: Sequence[str], course: str = "") -> None:
        self._file = file
        self._runs = list(runs)
        self._course = course
        self._next = time.monotonic() + EVERY

    def exists(self) -> bool:
        """Return whether these runs have a file to go on from."""
        return self._file is not None and self._file.is_file()

    def is_due(self) -> bool:
        """Return whether it is time to write."""
        return self._file is not None and time.monotonic() >= self._next

    def write(self, states: Sequence[TrainState], shared: Mapping[str, Any] | None = None) -> None:
        """Write the states of all runs, whole or not at all.

        shared: what belongs to no single run. A file that cannot be written, for whatever reason,
        is left out: the run itself does not need it.
        """
        assert self._file is not None
        with contextlib.suppress(Exception):
            content = {
                "states": [_content(state) for state in states],
                "shared": dict(shared or {}),
            }
            tensors: dict[str, Tensor] = {}
            plain = _split_tensors(content, tensors, set())
            header = {"schema": CHECKPOINT_SCHEMA, "runs": self._runs, "course": self._course}
            text = json.dumps({**header, "content": plain})
            _write(self._file, tensors, {"checkpoint": text, "hash": _hash(text, tensors)})
        self._next = time.monotonic() + EVERY

    def _is_of(self, header: Mapping[str, Any]) -> bool:
        """Return whether a file is of these runs, or of a shorter run of the same course."""
        same_course = bool(self._course) and header.get("course") == self._course
        return header["runs"] == self._runs or same_course

    def restore(self, states: Sequence[TrainState]) -> dict[str, Any] | None:
        """Bring fresh states to where the file has them, and return what was shared.

        Returns None if the file does not fit; the states may be half changed then, and are of no
        more use.
        """
        assert self._file is not None
        try:
            header, tensors = _read_checked(self._file)
            if header["schema"] != CHECKPOINT_SCHEMA or not self._is_of(header):
                return None
            content = _join_tensors(header["content"], tensors)
            for state, saved in zip(states, content["states"], strict=True):
                _restore(state, saved)
                if header["runs"] != self._runs:
                    state.status = "running"  # the shorter run ended here
            shared: dict[str, Any] = content["shared"]
        except INVALID_FILE:
            return None
        return shared


def _read_checked(file: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return a file's header and tensors; raise ValueError where its digest is not theirs."""
    with safe_open(file, framework="pt") as opened:
        metadata = opened.metadata() or {}
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    if _hash(metadata["checkpoint"], tensors) != metadata["hash"]:
        raise ValueError("the digest does not fit")
    header: dict[str, Any] = json.loads(metadata["checkpoint"])
    return header, tensors


def _content(state: TrainState) -> dict[str, Any]:
    """Return all of a state that changes, by name."""
    fields = {name: getattr(state, name) for name in (*PLAIN, *TENSORS)}
    return {
        **fields,
        # one a step since the last evaluation, so many that each by itself would take long
        "losses": torch.stack(state.losses) if state.losses else None,
        "model": state.model.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "scaler": state.scaler.state_dict(),
        "forcing": state.forcing.get_state(),
        "dropout": state.dropout.get_state(),
        "position": list(state.position),
    }


def _restore(state: TrainState, saved: dict[str, Any]) -> None:
    """Put back into a fresh state what `_content` returned of it.

    TypeError for values of the wrong types: the hash only proves that the file is whole, not that
    it was this code that wrote it.
    """
    numbers = [(saved[name], types) for name, types in PLAIN.items()]
    numbers += [
        (number, (int,)) for _, number in zip(DataPosition(), saved["position"], strict=True)
    ]
    if not all(isinstance(value, types) for value, types in numbers):
        raise TypeError("these are no numbers of a run")
    state.model.load_state_dict(saved["model"])
    state.optimizer.load_state_dict(saved["optimizer"])
    state.scaler.load_state_dict(saved["scaler"])
    state.forcing.set_state(saved["forcing"])
    state.dropout.set_state(saved["dropout"])
    state.position = DataPosition(*saved["position"])
    for name in PLAIN:
        setattr(state, name, saved[name])
    state.resumed += 1
    device = next(state.model.parameters()).device
    state.best_weights = {n: value.to(device) for n, value in saved["best_weights"].items()}
    losses = saved["losses"]
    state.losses = [] if losses is None else list(losses.to(device).unbind())
    state.norm = saved["norm"]


def _split_tensors(value: Any, tensors: dict[str, Tensor], addresses: set[int]) -> Any:
    """Return a nested value as JSON can have it, with its tensors moved to `tensors`.

    Mappings become lists of pairs, so that keys that are numbers stay numbers. addresses: where
    the tensors so far lie in memory.
    """
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensor = value.detach().cpu().contiguous()
        address = tensor.untyped_storage().data_ptr()
        # safetensors refuses tensors that share memory, which tied weights do
        tensors[name] = tensor.clone() if address in addresses else tensor
        addresses.add(address)
        return {"tensor": name}
    if isinstance(value, Mapping):
        return {
            "pairs": [
                [key, _split_tensors(item, tensors, addresses)] for key, item in value.items()
            ]
        }
    if isinstance(value, tuple):
        return {"tuple": [_split_tensors(item, tensors, addresses) for item in value]}
    if isinstance(value, list):
        return [_split_tensors(item, tensors, addresses) for item in value]
    return value


def _join_tensors(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Return the nested value that `_split_tensors` took apart."""
    if isinstance(value, list):
        return [_join_tensors(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, held),) = value.items()
    if kind == "tensor":
        return tensors[held]
    if kind == "tuple":
        return tuple(_join_tensors(item, tensors) for item in held)
    if kind == "pairs":
        return {key: _join_tensors(item, tensors) for key, item in held}
    raise ValueError(f"{kind} is nothing that a checkpoint holds")


def _hash(text: str, tensors: Mapping[str, Tensor]) -> str:
    """Return a digest of the text, and of names, types, shapes and bytes of the tensors."""
    state = hashlib.blake2b(text.encode(), digest_size=16)
    for name in sorted(tensors):
        bits = tensors[name].cpu().flatten().view(torch.uint8)
        state.update(f"{name} {tensors[name].dtype} {list(tensors[name].shape)}".encode())
        state.update(bits.numpy().tobytes())
    return state.hexdigest()


def _write(file: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file, which is on the disk when this returns."""
    # a name of its own: on a cluster, a process that was given up may still be writing
    unfinished = file.with_suffix(f".{secrets.token_hex(4)}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(dict(tensors), unfinished, metadata=metadata)
        with unfinished.open("rb") as opened:
            os.fsync(opened.fileno())
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
