"""Writes classes and functions of a notebook as a module, so that worker processes can load them.

A worker cannot see what was defined in a notebook or in a script's main module. What such a
definition uses is followed by name: modules are imported, definitions of the same notebook are
written too, and constants are written as they are.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import symtable
import sys
import textwrap
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

CONSTANTS = (bool, int, float, str, bytes, type(None))
MAIN = "__main__"


class ModuleWriter:
    """Collects definitions and what they use, each once, those that are used first."""

    def __init__(self) -> None:
        """Begin an empty module."""
        self._written: dict[str, str] = {}

    def add(self, name: str, value: Any, user: str) -> None:
        """Write a name of a notebook, unless it was written before.

        Args:
            name: What the code calls it.
            value: What it stands for.
            user: The definition that uses it, for the error.

        Raises:
            ValueError: It is neither a module, a definition nor a constant.
        """
        if name in self._written:
            return
        if isinstance(value, ModuleType):
            self._written[name] = f"import {value.__name__} as {name}"
        elif isinstance(value, CONSTANTS) or _is_plain(value):
            self._written[name] = f"{name} = {value!r}"
        elif _importable(value):
            self._written[name] = f"from {value.__module__} import {value.__qualname__} as {name}"
        elif isinstance(value, type | FunctionType):
            self._add_definition(name, value)
        else:
            raise ValueError(
                f"{user} uses {name}, a {type(value).__name__}, which cannot be written to a file; "
                "make it inside, or make a plugin file (docs/plugins.md)"
            )

    def _add_definition(self, name: str, value: type | FunctionType) -> None:
        source = definition(value)
        self._written[name] = ""  # a definition may name itself
        namespace = _namespace(value)
        for used in _globals(symtable.symtable(source, name, "exec")):
            if used in namespace and used != value.__name__:
                self.add(used, namespace[used], value.__name__)
        del self._written[name]  # after what it uses
        alias = "" if name == value.__name__ else f"\n{name} = {value.__name__}"
        self._written[name] = source + alias

    def text(self) -> str:
        """Return the module's code."""
        return "from __future__ import annotations\n\n" + "\n\n".join(self._written.values())


def definition(value: type | FunctionType) -> str:
    """Return the source of a class or function, also of a notebook's cell or a main script.

    Raises:
        ValueError: Its source is not known.
    """
    # inspect looks for a class in its module's file, and a notebook has none
    functions = [value] if isinstance(value, FunctionType) else list(vars(value).values())
    for function in functions:
        if isinstance(function, FunctionType):
            lines = linecache.getlines(function.__code__.co_filename)
            for node in ast.walk(ast.parse("".join(lines))):
                if getattr(node, "name", None) == value.__name__ and isinstance(
                    node, ast.ClassDef | ast.FunctionDef
                ):
                    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                    return textwrap.dedent("".join(lines[first - 1 : node.end_lineno]))
    raise ValueError(f"the source of {value.__name__} is not known; make a plugin file of it")


def _is_plain(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(isinstance(part, CONSTANTS) for part in value)


def _importable(value: Any) -> bool:
    """Return whether another process can import a value from its module."""
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None)
    if module in (None, MAIN) or not isinstance(name, str) or "." in name:
        return False
    return getattr(sys.modules.get(module), name, None) is value


def _namespace(value: type | FunctionType) -> dict[str, Any]:
    if isinstance(value, FunctionType):
        return value.__globals__
    for function in vars(value).values():
        if inspect.isfunction(function):
            return function.__globals__
    return vars(sys.modules[value.__module__])


def _globals(table: symtable.SymbolTable) -> Iterator[str]:
    """Yield the names that code takes from outside itself, without builtins."""
    for symbol in table.get_symbols():
        outside = symbol.is_global() or (
            table.get_type() != "function" and not symbol.is_assigned()
        )
        if symbol.is_referenced() and outside and not hasattr(builtins, symbol.get_name()):
            yield symbol.get_name()
    for child in table.get_children():
        yield from _globals(child)
