"""Looks in the user's code for anything that is compared with the end symbol."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

END_NAME = re.compile(r"eos|end|stop|</s>|special|pad|<e>|ignore", re.IGNORECASE)
ENDING = frozenset("index find split partition rsplit eq ne isin takewhile cumsum cumprod".split())
"""Methods and functions with which people find an end symbol."""
TRAINING = frozenset({"backward"})


def compares_end(files: Iterable[str], end: int) -> bool:
    """Return whether code outside training may stop or cut at an end symbol.

    It is a lenient search, made to excuse: any loop that breaks, any comparison with this number
    or with a name that could mean it is enough. Imported modules that lie in the folders of these
    files are searched too: outputs are often cut where they are turned into text.
    """
    return any(_compares(path, end) for path in _with_modules(files))


def _with_modules(files: Iterable[str]) -> set[str]:
    """Return files with those of imported modules that lie in the same folders or below."""
    own = set(files)
    folders = {Path(path).resolve().parent for path in own}
    for module in [*sys.modules.values()]:
        file = getattr(module, "__file__", None) or ""
        path = Path(file).resolve()
        # an environment may lie in the folder of the script
        if file.endswith(".py") and "site-packages" not in path.parts:
            own |= {file} if folders.intersection(path.parents) else set()
    return own


def _compares(path: str, end: int) -> bool:
    try:
        tree = ast.parse(Path(path).read_text("utf-8"))
    except (OSError, SyntaxError, ValueError):
        return True
    return any(_cuts(node, end) for node in _outside_training(tree))


def _outside_training(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield all nodes but those of functions and loops that train."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        yield node
        todo.extend(child for child in ast.iter_child_nodes(node) if not _trains(child))


def _trains(node: ast.AST) -> bool:
    if not isinstance(node, ast.FunctionDef | ast.For | ast.While):
        return False
    return any(isinstance(n, ast.Attribute) and n.attr in TRAINING for n in ast.walk(node))


def _cuts(node: ast.AST, end: int) -> bool:
    if isinstance(node, ast.Break):
        return True
    if isinstance(node, ast.Compare):
        if not any(isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for op in node.ops):
            return False
        return any(_means(operand, end) for operand in (node.left, *node.comparators))
    if isinstance(node, ast.Call):
        function = node.func
        name = getattr(function, "attr", getattr(function, "id", ""))
        if name not in ENDING:
            return False
        return name in ("takewhile", "cumsum", "cumprod") or any(_means(a, end) for a in node.args)
    return False


def _means(node: ast.AST, end: int) -> bool:
    """Return whether an operand can be an end symbol: a number, a name or a text."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            return bool(END_NAME.search(node.value))
        return isinstance(node.value, int) and node.value == end
    if isinstance(node, ast.Name):
        return bool(END_NAME.search(node.id))
    if isinstance(node, ast.Attribute):
        return bool(END_NAME.search(node.attr))
    if isinstance(node, ast.Subscript):
        return _means(node.slice, end) or _means(node.value, end)
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(_means(element, end) for element in node.elts)
    return False
