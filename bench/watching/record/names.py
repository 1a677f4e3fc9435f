"""Names modules and parameters as the user's code does."""

from __future__ import annotations

import sys
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from bench.watching.record.places import user_frame

DEEPEST_HOLDER = 3
"""Dicts in dicts in dicts are looked at for parameters, and no deeper."""
MOST_PARTS = 200
"""Longer lists hold data."""
MOST_VALUES_LOOKED_AT = 5_000
MOST_HELD = 16
"""Models that are kept alive until they are judged."""


class Names:
    """The modules that were called by the user's code, and the names of their parameters."""

    def __init__(self) -> None:
        self._roots: dict[int, tuple[str, weakref.ref[nn.Module]]] = {}
        self._parameters: dict[int, str] = {}
        self._held: list[nn.Module] = []
        self._unnamed: dict[int, str] = {}
        self._found: dict[int, Tensor] = {}
        self._latest: dict[int, int] = {}
        """By identity of a parameter's first tensor, that of the latest one that was named."""

    def add(self, module: nn.Module) -> None:
        """Remember a module that the user's code called, by the variable that holds it."""
        known = self._roots.get(id(module))
        if known is not None and known[1]() is module:
            return
        name = _variable(user_frame(sys._getframe(1)), module) or type(module).__name__
        self._roots[id(module)] = (name, weakref.ref(module))
        # a model that a function of the script made would be gone when it is judged
        if len(self._held) < MOST_HELD and any(True for _ in module.parameters()):
            self._held.append(module)
        for path, parameter in module.named_parameters(remove_duplicate=False):
            full, before = f"{name}.{path}", self._parameters.get(id(parameter))
            # the longest path starts at the outermost module, which says most
            if before is None or full.count(".") > before.count("."):
                self._parameters[id(parameter)] = full

    def find(self, tensors: Iterable[Tensor]) -> None:
        """Name tensors that no module has by the variables, lists and dicts that hold them."""
        unknown = {id(t): t for t in tensors if id(t) not in self._parameters}
        unknown = {key: t for key, t in unknown.items() if key not in self._found}
        if not unknown:
            return
        for name, value in _held_values(user_frame(sys._getframe(1))):
            key = id(value)
            # the variable of a loop over parameters says less than what holds them all
            if key in unknown and (key not in self._found or self._unnamed[key].isidentifier()):
                self._unnamed[key] = name
                self._found[key] = unknown[key]

    def renew(self, tensor: Tensor, first: Tensor) -> None:
        """Give a tensor that has taken the place of a parameter the name of that."""
        if tensor is not first:
            self._unnamed.pop(self._latest.get(id(first), 0), None)
            self._unnamed[id(tensor)] = self.of(first)
            self._latest[id(first)] = id(tensor)

    def modules(self) -> Iterator[tuple[str, nn.Module]]:
        """Yield the modules that are still alive, with their names."""
        for name, reference in self._roots.values():
            module = reference()
            if module is not None:
                yield name, module

    def of_module(self, module: nn.Module) -> str:
        """Return the name of a module, from the outermost module that has it."""
        best = ""
        for name, root in self.modules():
            for path, inner in root.named_modules():
                full = f"{name}.{path}" if path else name
                if inner is module and full.count(".") >= best.count("."):
                    best = full
        return best or type(module).__name__

    def registered(self, tensor: Tensor) -> bool:
        """Return whether a module that was called has the tensor among its parameters."""
        return id(tensor) in self._parameters

    def of(self, tensor: Tensor) -> str:
        """Return the name of a parameter; one that no module has is named by its shape."""
        known = self._parameters.get(id(tensor))
        if known is not None:
            return known
        if id(tensor) not in self._unnamed:
            shape = "x".join(map(str, tensor.shape)) or "scalar"
            same = [n for n in self._unnamed.values() if n.startswith(f"tensor {shape}")]
            number = f" number {len(same) + 1}" if same else ""
            self._unnamed[id(tensor)] = f"tensor {shape}{number}"
        return self._unnamed[id(tensor)]

    def of_optimizer(self, optimizer: Optimizer) -> str:
        """Return the variable that holds an optimizer, else its class."""
        return _variable(user_frame(sys._getframe(1)), optimizer) or type(optimizer).__name__


def _variable(frame: FrameType | None, value: Any) -> str | None:
    """Return the variable or attribute of `self` that holds a value, as seen from a frame."""
    while frame is not None:
        for scope in (frame.f_locals, frame.f_globals):
            for name, held in list(scope.items()):
                if held is value and name != "self":
                    return str(name)
        this = frame.f_locals.get("self")
        if this is not None and this is not value:
            attributes = {**getattr(this, "__dict__", {}), **getattr(this, "_modules", {})}
            for name, held in attributes.items():
                if held is value:
                    return f"self.{name}"
        frame = None
    return None


def _held_values(frame: FrameType | None) -> Iterator[tuple[str, Any]]:
    """Yield the values that variables hold, with what they are called; the outermost come first.

    What a function is given has a name of its own where it was made.
    """
    frames = []
    while frame is not None:
        frames.append(frame)
        frame = user_frame(frame.f_back)
    todo = deque(
        (name, value, 0)
        for one in reversed(frames)
        for name, value in list(one.f_locals.items())
        if not name.startswith("_")
    )
    looked_at = 0
    while todo and looked_at < MOST_VALUES_LOOKED_AT:
        name, value, depth = todo.popleft()
        looked_at += 1
        if isinstance(value, Tensor):
            yield name, value
        elif depth < DEEPEST_HOLDER:
            todo.extend((f"{name}{path}", part, depth + 1) for path, part in _inner(value))


def _inner(value: Any) -> list[tuple[str, Any]]:
    """Return the parts of a dict, a list or an object of the script's, each with its path."""
    if isinstance(value, dict | list | tuple):
        if len(value) > MOST_PARTS:
            return []
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [(f"[{key!r}]", part) for key, part in items]
    if type(value).__module__ == "__main__" and hasattr(value, "__dict__"):
        return [(f".{key}", part) for key, part in vars(value).items()]
    return []
