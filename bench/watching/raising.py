"""Reads from an error what it says about the user's code, and prints it without our frames."""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import traceback
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

import torch

from bench.watching.record.places import CodeLine, user_frame
from results.doctor.watched.raising import RaisedSeen

_NOT_OF_THE_USER = (
    "/bench/watching/",
    "/bench/api/script_worker.py",
    "/torch/overrides.py",
    "<frozen runpy>",
)
"""Files whose frames say nothing about the user's code."""
_DETOUR = "handle_torch_function("
"""Stands on the lines of torch that take a detour to whoever watches calls."""


def raised_seen(error: BaseException) -> RaisedSeen:
    """Return what rules read of an error that ended the training."""
    kind = type(error)
    name = kind.__name__ if kind.__module__ == "builtins" else kind.__qualname__
    message = str(error)
    if isinstance(error, SyntaxError):
        place = str(CodeLine(error.filename or "", error.lineno or 0, ""))
        return RaisedSeen(name, error.msg, place)
    frames = list(traceback.walk_tb(error.__traceback__))
    for frame, line in reversed(frames):
        if user_frame(frame) is frame:
            place = str(CodeLine(frame.f_code.co_filename, line, frame.f_code.co_name))
            uncalled = _uncalled(frame, line, message) if isinstance(error, TypeError) else ()
            return RaisedSeen(name, message, place, uncalled, tuple(_facts(error)))
    return RaisedSeen(name, message)


def error_files(error: BaseException | None) -> list[str]:
    """Return the files of the code that an error went through."""
    if isinstance(error, SyntaxError):
        return [error.filename or ""]
    if error is None:
        return []
    return [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]


def traceback_text(error: BaseException) -> str:
    """Return the traceback of an error of the user's, as Python prints it, without our frames."""
    found = traceback.TracebackException.from_exception(error)
    todo: list[traceback.TracebackException | None] = [found]
    while todo:
        one = todo.pop()
        if one is not None:
            one.stack = traceback.StackSummary.from_list(
                [frame for frame in one.stack if not _hidden(frame)]
            )
            todo += [one.__cause__, one.__context__, *(one.exceptions or ())]
    return "".join(found.format())


def _hidden(frame: traceback.FrameSummary) -> bool:
    file = frame.filename.replace("\\", "/")
    return any(part in file for part in _NOT_OF_THE_USER) or (
        _DETOUR in (frame.line or "") and "/torch/" in file
    )


def _uncalled(frame: FrameType, line: int, message: str) -> tuple[str, ...]:
    """Return the functions that a line uses as values, if that is what the error is about."""
    if not re.search(r"'(builtin_function_or_method|function|method)'", message):
        return ()
    found: dict[str, None] = {}
    for node in _values(frame, line):
        if inspect.isroutine(_value(node, frame)):
            found.setdefault(ast.unparse(node))
    return tuple(found)[:2]


def _values(frame: FrameType, line: int) -> Iterator[ast.expr]:
    """Yield the names and attributes that a line's operators, comparisons and calls work on."""
    file = frame.f_code.co_filename
    try:
        tree = ast.parse("".join(linecache.getlines(file, frame.f_globals)))
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if not _is_on(node, line):
            continue
        parts: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.BinOp):
            parts = [node.left, node.right]
        elif isinstance(node, ast.UnaryOp):
            parts = [node.operand]
        elif isinstance(node, ast.Subscript):
            parts = [node.value, node.slice]
        elif isinstance(node, ast.Call):
            parts = [*node.args, *(keyword.value for keyword in node.keywords)]
        elif isinstance(node, ast.For | ast.comprehension):
            parts = [node.iter]
        yield from (part for part in parts if isinstance(part, ast.Name | ast.Attribute))


def _is_on(node: ast.AST, line: int) -> bool:
    """Return whether a part of the code stands on a line; a comprehension is always looked at."""
    first = getattr(node, "lineno", line)
    return bool(first <= line <= (getattr(node, "end_lineno", first) or first))


def _value(node: ast.expr, frame: FrameType) -> Any:
    """Return what a name or attribute holds in a frame, without running code of the user's."""
    if isinstance(node, ast.Name):
        return frame.f_locals.get(node.id, frame.f_globals.get(node.id))
    if isinstance(node, ast.Attribute):
        owner = _value(node.value, frame)
        layers = getattr(owner, "_modules", None)
        if isinstance(layers, dict) and node.attr in layers:
            return layers[node.attr]
        return inspect.getattr_static(owner, node.attr, None)
    return None


def _facts(error: BaseException) -> Iterator[str]:
    """Yield what the arguments of the call that failed say about it."""
    last: TracebackType | None = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None or last.tb_frame.f_code.co_name != "embedding":
        return
    arguments = last.tb_frame.f_locals
    ids, weight = arguments.get("input"), arguments.get("weight")
    if isinstance(ids, torch.Tensor) and isinstance(weight, torch.Tensor) and ids.numel():
        yield (
            f"the ids go from {int(ids.min())} to {int(ids.max())}, the embedding has "
            f"{weight.shape[0]} rows (0 to {weight.shape[0] - 1})"
        )
