"""A device that is none of ours: what CUDA asks of code is asked here where there is no GPU.

Its tensors are made of the CPU's, which no operation may see. As on CUDA, one that is given tensors
of both is refused, but for copies, indices and single numbers, and so is one that draws by a
generator of the other. `compared` runs a spec here and there; what differs is a defect.

torch has room for one such device in a process, and for good, so this wants a process of its own:
python -m tests.elsewhere TASK VARIANT EXECUTION DECODING FAULT prints what differs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from bench.runner import execute
from bench.specs import Budget, make
from bench.training import cuda_graphs, losses, randomness
from bench.training.process import cached_digest
from bench.training.replicas import loop
from variants import axes
from variants.cells import unrolling

NAME = "elsewhere"
PLACE = f"{NAME}:0"
CPU = torch.device("cpu")
ops: Any = torch.ops.aten
ACROSS = {ops.copy_.default, ops._to_copy.default}
INDEXED = {ops.index.Tensor, ops.index_put.default, ops.index_put_.default}

_setup_privateuseone_for_python_backend(NAME)


class Elsewhere(Tensor):
    """A tensor of that device. here: what it is made of."""

    here: Tensor

    @staticmethod
    def __new__(cls, here: Tensor) -> Elsewhere:
        made: Elsewhere = torch.Tensor._make_wrapper_subclass(
            cls,
            here.size(),
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device=torch.device(PLACE),
        )
        made.here = here
        return made

    def tolist(self) -> Any:
        return self.here.tolist()

    @property
    def data(self) -> Tensor:
        return self.detach()

    @data.setter
    def data(self, value: Any) -> None:
        self.here = value.here

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        raise RuntimeError(f"{func} of a tensor {NAME}, without the device")


class Device(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within this the device is there."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.generators: list[torch.Generator] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # it costs as much as the rest, and nothing is compiled

    def generator(self, seed: int, purpose: str, name: str = "", device: str = "cpu") -> Any:
        """As `randomness.torch_generator`."""
        made = torch.Generator().manual_seed(randomness.key(seed, purpose, name))
        # of a clone, operations are given the very object that is kept here
        made = made.clone_state()
        if device == PLACE:
            self.generators.append(made)
        return made

    def __torch_dispatch__(
        self, func: Any, types: Sequence[Any], args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        flat = [*_leaves((*args, *kwargs.values()))]
        device = kwargs.get("device")
        owners = {id(v.here): v for v in flat if isinstance(v, Elsewhere)}
        goes = device.type == NAME if device is not None else bool(owners)
        if owners and func not in ACROSS:
            self._check_tensors(func, args, flat)
        for value in flat:
            if isinstance(value, torch.Generator):
                known = any(value is one for one in self.generators)
                if known != goes:
                    raise RuntimeError(f"{func} draws by a generator of another device")
        if not owners and not goes:
            return func(*args, **kwargs)
        if torch.Tag.inplace_view in func.tags:
            with no_dispatch():  # what it says of its shape
                func(*args, **kwargs)
        given = [_entered(value) for value in args]
        named = {name: _entered(value) for name, value in kwargs.items()}
        if device is not None:
            named = {**named, "device": CPU}

        def left(value: Any) -> Any:
            if not isinstance(value, Tensor) or not (goes or id(value) in owners):
                return value
            return owners[id(value)] if id(value) in owners else Elsewhere(value)

        result = func(*given, **named)
        if func is ops.copy_.default:
            return args[0]
        return left(result) if isinstance(result, Tensor) else tree_map(left, result)

    def _check_tensors(self, func: Any, args: Any, flat: Sequence[Any]) -> None:
        others = [v for v in flat if isinstance(v, Tensor) and not isinstance(v, Elsewhere)]
        if func in INDEXED:
            places = [args[0], *args[2:3]]
            others = [one for one in others if any(one is place for place in places)]
        if any(one.dim() for one in others):
            raise RuntimeError(f"{func} is given tensors of the CPU beside those {NAME}")


def _leaves(values: Iterable[Any]) -> Iterator[Any]:
    """Yield values, and those in lists of them; operations have no deeper ones. Faster than
    torch's trees, which take more time than the operations."""
    for value in values:
        if isinstance(value, list | tuple):
            yield from value
        else:
            yield value


def _entered(value: Any) -> Any:
    """Return what a value, or each of a list, is made of."""
    if isinstance(value, list | tuple):
        return type(value)(_entered(one) for one in value)
    return value.here if isinstance(value, Elsewhere) else value


@contextmanager
def present() -> Iterator[Device]:
    """The device, and the suite's eyes opened for it as they are for CUDA."""
    device = Device()
    torchs = randomness.torch_generator
    for module in [*sys.modules.values()]:
        if getattr(module, "torch_generator", None) is torchs:
            module.torch_generator = device.generator  # type: ignore[attr-defined]
    loop.PADDED_TO[PLACE] = loop.PADDED_TO["cpu"]
    losses.LOGITS_AT_ONCE[NAME] = losses.LOGITS_AT_ONCE["cpu"]
    recorded = cuda_graphs.Recorded.__call__

    def done(self: cuda_graphs.Recorded, given: Sequence[Tensor]) -> tuple[Tensor, ...]:
        if self._device != PLACE:
            return recorded(self, given)
        return self._work(*[tensor.to(PLACE) for tensor in given])

    cuda_graphs.Recorded.__call__ = done  # type: ignore[method-assign]
    # or what torch.tensor makes goes to its device unseen
    torch._C._set_only_lift_cpu_tensors(True)
    with device:
        yield device


def compared(task: str, variant: str, execution: str, decoding: str, fault: str) -> Iterator[str]:
    """In what a run there differs from the same run here, a line each. fault: planted, or empty."""
    # torch's own layers have kernels for devices that it knows
    for name in ("torch_unroll", "kept_unroll"):
        setattr(unrolling, name, _by_steps)
    base = replace(axes.BASE, hidden=8, embedding=8)
    plain = asdict(axes.parse(variant, base))
    budget = Budget(steps=2, batch=8, every=2, stop="budget")
    outcomes = []
    for device in ("cpu", PLACE):
        spec = make(
            task, cached_digest(task, None), plain, budget, 0, device,
            execution=execution, decoding=decoding, fault=fault,
        )  # fmt: skip
        record = execute(spec, None, lambda point, timed: None, examined=True)
        outcomes.append(record["outcome"])
        if execution == "replicas":  # one alone on the CPU has a step that can be examined
            outcomes[-1].get("health", {}).pop("step", None)
    failed = [one["traceback"] for one in outcomes if one.get("error")]
    yield from failed or differences("", *outcomes)


def _by_steps(cell: Any, inputs_BSI: Tensor, state: Any, *padding: Tensor | None) -> Any:
    return unrolling.loop_unroll(cell, inputs_BSI, state, padding[-1] if padding else None)


def differences(path: str, here: Any, there: Any) -> Iterator[str]:
    """Between two trees of plain values, but for rounding."""
    if isinstance(here, dict) and isinstance(there, dict):
        for name in {**here, **there}:
            yield from differences(f"{path}/{name}", here.get(name), there.get(name))
    elif isinstance(here, list) and isinstance(there, list) and len(here) == len(there):
        for place, both in enumerate(zip(here, there, strict=True)):
            yield from differences(f"{path}/{place}", *both)
    elif isinstance(here, float) and isinstance(there, float):
        if abs(here - there) > 1e-4 * max(1.0, abs(here)):
            yield f"{path}: {here} here, {there} there"
    elif here != there:
        yield f"{path}: {here} here, {there} there"


def leave() -> None:
    """End the process, well done. A thread that autograd has for the device may just be waiting for
    Python, and would be aborted by Python's own way to end."""
    sys.stdout.flush()
    os._exit(0)


def main() -> None:
    """From the command line: any number of runs, five words each."""
    words = sys.argv[1:]
    with present():
        for start in range(0, len(words), 5):
            asked = words[start : start + 5]
            for line in compared(*asked):
                print(" ".join(asked), line)
    leave()


if __name__ == "__main__":
    main()
