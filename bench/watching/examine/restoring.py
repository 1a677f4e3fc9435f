"""Keeps what an examination may change, and gives it back as it was, to the bit."""

from __future__ import annotations

import gc
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

Undo = Callable[[], None]

STATEFUL = (nn.Module, Optimizer, LRScheduler, torch.amp.GradScaler)
"""Classes whose attributes are their state."""


class KeptState:
    """The state of some objects and of all global random numbers, as it was when this was made.

    It goes through attributes, lists, tuples, dicts and sets: parameters with their gradients
    (None stays None) and whether they take one, buffers, modes, what a module remembers in
    attributes, the state of optimizers and schedulers, generators.
    """

    def __init__(self, roots: Iterable[Any]) -> None:
        self._undo: list[Undo] = [_random_states()]
        # an id belongs to one object while that is alive
        self._met: dict[int, Any] = {}
        todo = list(roots)
        while todo:
            value = todo.pop()
            if id(value) not in self._met:
                self._met[id(value)] = value
                todo.extend(self._keep(value))

    def restore(self) -> None:
        """Give everything back as it was; may be called several times."""
        with torch.no_grad():
            for undo in self._undo:
                undo()

    def _keep(self, value: Any) -> Iterable[Any]:
        """Keep one object, and return those that it holds."""
        if isinstance(value, Tensor):
            self._undo.append(_tensor(value))
            return ()
        if isinstance(value, STATEFUL):
            return (vars(value),)
        if isinstance(value, dict):
            self._undo.append(_dict(value))
            return value.values()
        if isinstance(value, list | set | deque):
            self._undo.append(_collection(value))
            return tuple(value)
        if isinstance(value, tuple):
            return value
        undo = _generator(value)
        if undo is not None:
            self._undo.append(undo)
        return ()


def optimizers_of(parameters: Iterable[Tensor] | None) -> Iterator[Any]:
    """Yield living optimizers that hold some of these parameters, their schedulers and scalers.

    parameters: None for all optimizers.
    """
    wanted = None if parameters is None else {id(parameter) for parameter in parameters}
    living = gc.get_objects()
    chosen = set()
    for value in living:
        # asking for __class__ could wake a lazy object of the user's
        if issubclass(type(value), Optimizer):
            held = {id(p) for group in value.param_groups for p in group["params"]}
            if wanted is None or held & wanted:
                chosen.add(id(value))
                yield value
    for value in living:
        kind = type(value)
        of_these = issubclass(kind, LRScheduler) and id(getattr(value, "optimizer", None)) in chosen
        if of_these or issubclass(kind, torch.amp.GradScaler):
            yield value


def seed_all(seed: int) -> None:
    """Seed the global random numbers of torch, numpy and Python."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


def _random_states() -> Undo:
    python, arrays, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]

    def undo() -> None:
        random.setstate(python)
        np.random.set_state(arrays)
        torch.set_rng_state(cpu)
        if devices:
            torch.cuda.set_rng_state_all(devices)

    return undo


def _tensor(tensor: Tensor) -> Undo:
    if is_lazy(tensor) or tensor.layout != torch.strided:
        return lambda: None
    # data has a version counter of its own: the user's pending graphs stay valid
    same, value = tensor.data, tensor.detach().clone()
    takes_gradient = tensor.requires_grad
    gradient = tensor.grad if tensor.is_leaf else None
    filled = None if gradient is None else gradient.detach().clone()

    def undo() -> None:
        if tensor.data_ptr() != same.data_ptr() or tensor.shape != same.shape:
            tensor.data = same
        same.copy_(value)
        if not tensor.is_leaf:
            return
        if tensor.requires_grad != takes_gradient:
            tensor.requires_grad_(takes_gradient)
        if gradient is not None and filled is not None:
            gradient.data.copy_(filled)
        tensor.grad = gradient

    return undo


def _dict(held: dict[Any, Any]) -> Undo:
    content = dict(held)

    def undo() -> None:
        same = held.keys() == content.keys() and all(held[k] is content[k] for k in content)
        if not same:
            held.clear()
            held.update(content)

    return undo


def _collection(held: Any) -> Undo:
    content = list(held)

    def undo() -> None:
        now = list(held)
        if len(now) != len(content) or any(a is not b for a, b in zip(now, content, strict=True)):
            held.clear()
            (held.update if isinstance(held, set) else held.extend)(content)

    return undo


def _generator(value: Any) -> Undo | None:
    if isinstance(value, torch.Generator):
        drawn = value.get_state()

        def undo() -> None:
            value.set_state(drawn)

        return undo
    if isinstance(value, random.Random):
        state = value.getstate()
        return lambda: value.setstate(state)
    if isinstance(value, np.random.Generator):
        bits = value.bit_generator.state
        return lambda: setattr(value.bit_generator, "state", bits)
    if isinstance(value, np.random.RandomState):
        old = value.get_state()
        return lambda: value.set_state(old)
    return None
