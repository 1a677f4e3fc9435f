"""Where training stands, kept every minute in one file, so that a run whose process dies goes on
and gives the curve that it would have given.

One safetensors file holds everything: tensors as such, all else as JSON in its header, with a hash
of both. Nothing is unpickled, and a file that is damaged or another run's is passed over.
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

from bench.training.batching import Position
from bench.training.loop import TrainState

SCHEMA = 2
EVERY = 60.0
"""Seconds between two checkpoints of a run."""
PLAIN: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("step", "tokens", "resumed"), (int,)),
    **dict.fromkeys(("curve", "clock"), (list,)),
    **dict.fromkeys(("best", "to_target"), (dict, NoneType)),
    "seconds": (int, float),
    "seconds_to_target": (int, float, NoneType),
    "status": (str,),
}
TENSORS = ("best_weights", "losses", "norm")
UNREADABLE = (
    *(OSError, SafetensorError, ValueError, KeyError, TypeError, IndexError, RuntimeError),
    AttributeError,
)
"""What comes of a file that is damaged, or of another run."""


class Keeper:
    """Checkpoints of runs that are trained together, or of one. file: None keeps none. writes:
    False where another process does."""

    def __init__(self, file: Path | None, runs: Sequence[str], writes: bool = True) -> None:
        self._file = file
        self._runs = list(runs)
        self._writes = writes
        self._next = time.monotonic() + EVERY

    def there(self) -> bool:
        """Whether these runs have one."""
        return self._file is not None and self._file.is_file()

    def due(self) -> bool:
        """Whether it is time for one."""
        return self._writes and self._file is not None and time.monotonic() >= self._next

    def keep(self, states: Sequence[TrainState], shared: Mapping[str, Any] | None = None) -> None:
        """Write where they stand, whole or not at all. shared: what is not one run's own.

        What cannot be written is left, whatever the reason: the run itself does not need it.
        """
        assert self._file is not None
        with contextlib.suppress(Exception):
            content = {"states": [_told(state) for state in states], "shared": dict(shared or {})}
            tensors: dict[str, Tensor] = {}
            plain = _apart(content, tensors, set())
            text = json.dumps({"schema": SCHEMA, "runs": self._runs, "content": plain})
            _write(self._file, tensors, {"checkpoint": text, "hash": _hash(text, tensors)})
        self._next = time.monotonic() + EVERY

    def restore(self, states: Sequence[TrainState]) -> dict[str, Any] | None:
        """Bring fresh states to where the file has them, and give what was shared; None, and
        states that may be half changed, if it does not fit."""
        assert self._file is not None
        try:
            with safe_open(self._file, framework="pt") as opened:
                metadata = opened.metadata() or {}
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            header = json.loads(metadata["checkpoint"])
            ours = (header["schema"], header["runs"]) == (SCHEMA, self._runs)
            if not ours or _hash(metadata["checkpoint"], tensors) != metadata["hash"]:
                return None
            content = _together(header["content"], tensors)
            for state, told in zip(states, content["states"], strict=True):
                _put_back(state, told)
            shared: dict[str, Any] = content["shared"]
        except UNREADABLE:
            return None
        return shared


def _told(state: TrainState) -> dict[str, Any]:
    told = {name: getattr(state, name) for name in (*PLAIN, *TENSORS)}
    return {
        **told,
        # one a step since the last evaluation, so many that each by itself would take long
        "losses": torch.stack(state.losses) if state.losses else None,
        "model": state.model.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "scaler": state.scaler.state_dict(),
        "forcing": state.forcing.get_state(),
        "dropout": state.dropout.get_state(),
        "position": list(state.position),
    }


def _put_back(state: TrainState, told: dict[str, Any]) -> None:
    numbers = [(told[name], kinds) for name, kinds in PLAIN.items()]
    numbers += [(number, (int,)) for _, number in zip(Position(), told["position"], strict=True)]
    if not all(isinstance(value, kinds) for value, kinds in numbers):
        raise TypeError("these are no numbers of a run")
    state.model.load_state_dict(told["model"])
    state.optimizer.load_state_dict(told["optimizer"])
    state.scaler.load_state_dict(told["scaler"])
    state.forcing.set_state(told["forcing"])
    state.dropout.set_state(told["dropout"])
    state.position = Position(*told["position"])
    for name in PLAIN:
        setattr(state, name, told[name])
    state.resumed += 1
    device = next(state.model.parameters()).device
    state.best_weights = {n: value.to(device) for n, value in told["best_weights"].items()}
    losses = told["losses"]
    state.losses = [] if losses is None else list(losses.to(device).unbind())
    state.norm = told["norm"]


def _apart(value: Any, tensors: dict[str, Tensor], places: set[int]) -> Any:
    """A value as JSON has it: tensors go to `tensors`, and keys that are numbers stay so. places:
    where tensors lie in memory."""
    if isinstance(value, Tensor):
        name = str(len(tensors))
        apart = value.detach().cpu().contiguous()
        place = apart.untyped_storage().data_ptr()
        # a file of tensors wants none that share memory
        tensors[name] = apart.clone() if place in places else apart
        places.add(place)
        return {"tensor": name}
    if isinstance(value, Mapping):
        return {"pairs": [[key, _apart(one, tensors, places)] for key, one in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [_apart(one, tensors, places) for one in value]}
    if isinstance(value, list):
        return [_apart(one, tensors, places) for one in value]
    return value


def _together(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The inverse of `_apart`."""
    if isinstance(value, list):
        return [_together(one, tensors) for one in value]
    if not isinstance(value, dict):
        return value
    ((kind, held),) = value.items()
    if kind == "tensor":
        return tensors[held]
    if kind == "tuple":
        return tuple(_together(one, tensors) for one in held)
    if kind == "pairs":
        return {key: _together(one, tensors) for key, one in held}
    raise ValueError(f"{kind} is nothing that a checkpoint holds")


def _hash(text: str, tensors: Mapping[str, Tensor]) -> str:
    state = hashlib.blake2b(text.encode(), digest_size=16)
    for name in sorted(tensors):
        bits = tensors[name].cpu().flatten().view(torch.uint8)
        state.update(f"{name} {tensors[name].dtype} {list(tensors[name].shape)}".encode())
        state.update(bits.numpy().tobytes())
    return state.hexdigest()


def _write(file: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """The file, on the disk when this returns."""
    # on a cluster one that was given up may still be at it
    half = file.with_suffix(f".{secrets.token_hex(4)}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(dict(tensors), half, metadata=metadata)
        with half.open("rb") as opened:
            os.fsync(opened.fileno())
        half.replace(file)
    finally:
        half.unlink(missing_ok=True)
