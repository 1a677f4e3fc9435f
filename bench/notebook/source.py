"""Writes what a notebook defines as a module, so that worker processes can load it.

A worker cannot see what was defined in a notebook or in a script's main module. What such a
definition uses is followed by name: modules are imported, definitions of the same notebook are
written too, and plain values are written as they are.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import hashlib
import inspect
import linecache
import math
import symtable
import sys
import sysconfig
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

CONSTANTS = (bool, int, float, str, bytes, type(None))
MAIN = "__main__"
Definition = type | FunctionType
"""A class or a function."""


class ModuleWriter:
    """Collects definitions and what they use, each once, those that are used first."""

    def __init__(self) -> None:
        """Begin an empty module."""
        self._written: dict[str, str] = {}
        self._values: dict[str, Any] = {}

    def expression(self, value: Any, user: str, name: str) -> str:
        """Return code for a value; what it needs is written to the module.

        Args:
            value: A definition, a plain value, or a tuple, list, set, dict, NamedTuple or dataclass
                of such.
            user: What uses it, for the error.
            name: What it is called there, for the error.

        Raises:
            ValueError: It is something else, such as an open file.
        """
        if isinstance(value, CONSTANTS):
            return _constant(value)
        if isinstance(value, type | FunctionType) or _importable(value):
            own = value.__name__
            self.add(own, value, user)
            return str(own)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._dataclass(value, user, name)
        if isinstance(value, dict):
            return self._dict(value, user, name)
        if isinstance(value, tuple | list | set | frozenset):
            return self._collection(value, user, name)
        raise ValueError(
            f"{user} uses {name}, a {type(value).__name__}, which cannot be written to a file; "
            "make it inside, or make a plugin file (docs/plugins.md)"
        )

    def _dataclass(self, value: Any, user: str, name: str) -> str:
        pairs = [(f.name, getattr(value, f.name)) for f in dataclasses.fields(value) if f.init]
        inside = [f"{key}={self.expression(part, user, name)}" for key, part in pairs]
        return f"{self.expression(type(value), user, name)}({', '.join(inside)})"

    def _dict(self, value: dict[Any, Any], user: str, name: str) -> str:
        pairs = [
            f"{self.expression(key, user, name)}: {self.expression(part, user, name)}"
            for key, part in value.items()
        ]
        return f"{{{', '.join(pairs)}}}"

    def _collection(self, value: Any, user: str, name: str) -> str:
        # a set's own order differs from process to process, and would change the digest
        parts = [self.expression(part, user, name) for part in value]
        parts = sorted(parts) if isinstance(value, set | frozenset) else parts
        inside = ", ".join(parts)
        if hasattr(value, "_fields"):
            return f"{self.expression(type(value), user, name)}({inside})"
        if isinstance(value, list):
            return f"[{inside}]"
        if isinstance(value, tuple):
            return f"({inside}{',' * (len(parts) == 1)})"
        return f"{type(value).__name__}([{inside}])"

    def add(self, name: str, value: Any, user: str) -> None:
        """Write a name of a notebook, unless it was written before.

        Args:
            name: What the code calls it.
            value: What it stands for.
            user: The definition that uses it, for the error.

        Raises:
            ValueError: It can not be written, or the name stands for something else already.
        """
        if name in self._written:
            if self._values[name] is not value and self._values[name] != value:
                raise ValueError(
                    f"{user} uses two things that are called {name}; give one of them another name"
                )
            return
        self._values[name] = value
        if isinstance(value, ModuleType):
            self._written[name] = f"import {value.__name__} as {name}{_own_source(value)}"
        elif _importable(value):
            source = _own_source(sys.modules[value.__module__])
            line = f"from {value.__module__} import {value.__qualname__} as {name}"
            self._written[name] = line + source
        elif isinstance(value, type | FunctionType):
            self._add_definition(name, value)
        else:
            self._written[name] = (
                ""  # before what it uses, which is written after its place is kept
            )
            text = self.expression(value, user, name)
            del self._written[name]
            self._written[name] = f"{name} = {text}"

    def _add_definition(self, name: str, value: Definition) -> None:
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


def definition(value: Definition) -> str:
    """Return the source of a class or function, also of a notebook's cell or a main script.

    Raises:
        ValueError: Its source is not known, or it uses variables of a function around it.
    """
    name = value.__name__
    if name == "<lambda>":
        raise ValueError("a lambda has no name by which to find its source; write it with def")
    # inspect looks for a class in its module's file, and a notebook has none
    for code in (function.__code__ for function in _functions(value)):
        source = _defined_in(linecache.getlines(code.co_filename), name, code.co_firstlineno)
        if source is None:
            continue
        if outside := set(code.co_freevars) - {"__class__"}:
            raise ValueError(
                f"{name} uses {', '.join(sorted(outside))} of the function around it; define it "
                "outside of any function, or make a plugin file"
            )
        return source
    if isinstance(value, type):  # one without methods of its own, such as a dataclass
        for lines in _texts_of(value.__module__):
            if source := _defined_in(lines, name):
                return source
    raise ValueError(f"the source of {name} is not known; make a plugin file of it")


def _functions(value: Definition) -> Iterator[FunctionType]:
    """Yield the functions whose code says where a definition stands."""
    found = [value] if isinstance(value, FunctionType) else list(vars(value).values())
    for one in found:
        inner = inspect.unwrap(getattr(one, "__func__", getattr(one, "fget", one)) or one)
        if isinstance(inner, FunctionType):
            yield inner


def _defined_in(lines: Sequence[str], name: str, inside: int | None = None) -> str | None:
    """Return the last definition of a name in some code, or the one around a line of it."""
    try:
        nodes = [
            node
            for node in ast.walk(ast.parse("".join(lines)))
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name
        ]
    except SyntaxError:  # a cell with a magic
        return None
    spans = [_span(node) for node in nodes]
    spans = [(first, last) for first, last in spans if inside is None or first <= inside <= last]
    if not spans:
        return None
    first, last = max(spans)
    return textwrap.dedent("".join(lines[first - 1 : last]))


def _span(node: ast.ClassDef | ast.FunctionDef) -> tuple[int, int]:
    """Return the first and last line of a definition, with its decorators."""
    return min([node.lineno, *(d.lineno for d in node.decorator_list)]), node.end_lineno or 0


def _texts_of(module: str) -> Iterator[list[str]]:
    """Yield the code that a module was made of: its file, or a notebook's cells, latest first."""
    main = sys.modules.get(module)
    if file := getattr(main, "__file__", None):
        yield linecache.getlines(file)
    for cell in reversed(list(getattr(main, "In", ()))):
        yield str(cell).splitlines(keepends=True)


def _constant(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return f"float('{value}')"
    return repr(value)


def _importable(value: Any) -> bool:
    """Return whether another process can import a value from its module."""
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None)
    if module in (None, MAIN) or not isinstance(name, str) or "." in name:
        return False
    return getattr(sys.modules.get(module), name, None) is value


def _own_source(module: ModuleType) -> str:
    """Return a comment with a digest of a module of the caller's own; "" for an installed one.

    So a changed module changes the digest of what uses it. It covers the modules of the caller's
    own that the module uses in turn.
    """
    found: dict[str, bytes] = {}
    _add_sources(module, found)
    if not found:
        return ""
    content = b"\0".join(found[name] for name in sorted(found))
    return f"  # source {hashlib.blake2b(content, digest_size=8).hexdigest()}"


def _add_sources(module: ModuleType, found: dict[str, bytes]) -> None:
    file = getattr(module, "__file__", None)
    if file is None or module.__name__ in found or not _is_callers_own(module.__name__, file):
        return
    found[module.__name__] = Path(file).read_bytes()
    for value in list(vars(module).values()):
        name = value.__name__ if isinstance(value, ModuleType) else _module_name(value)
        if name in sys.modules:
            _add_sources(sys.modules[name], found)


def _module_name(value: Any) -> str:
    name = getattr(value, "__module__", None)
    return name if isinstance(name, str) else ""


def _is_callers_own(name: str, file: str) -> bool:
    """Return whether a module is neither installed nor the suite's."""
    if name == MAIN or name.partition(".")[0] in ("bench", "results", "tasks", "variants"):
        return False
    folders = ("site-packages", "dist-packages")
    in_python = Path(file).is_relative_to(sysconfig.get_path("stdlib"))
    return not in_python and not any(part in folders for part in Path(file).parts)


def _namespace(value: Definition) -> dict[str, Any]:
    if isinstance(value, FunctionType):
        found: dict[str, Any] = inspect.unwrap(value).__globals__
        return found
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
