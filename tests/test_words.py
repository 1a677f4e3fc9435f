"""Proves that the words of the code are plain: one name one thing, docstrings are sentences."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("bench", "results", "tasks", "variants")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
CONVENTIONAL = {"Row", "Settings"}
"""Names that may stand in several modules: a row of a table, and each task's `Settings`."""
RIDDLES = ("as", "both", "by", "how", "of", "that", "what", "where", "whether", "which")
"""Openings of docstrings that are no sentences."""
FEWEST_WORDS = 4

Documented = ast.Module | ast.ClassDef | ast.FunctionDef


def trees() -> Iterator[tuple[Path, ast.Module]]:
    """Parse every module of the four rooms."""
    for path in FILES:
        yield path.relative_to(ROOT), ast.parse(path.read_text("utf-8"))


def documented(tree: ast.Module) -> Iterator[tuple[Documented, str]]:
    """Yield everything in a module that has a docstring, with it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield node, text


def first_sentence(text: str) -> str:
    """Return the first line of a docstring; of one that runs over lines, up to its full stop."""
    paragraph = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=[.!?])\s", paragraph)[0]


def definitions(kind: type[ast.ClassDef] | type[ast.Assign]) -> dict[str, set[str]]:
    """Return the modules that define each class, or each constant of a room, at their top level."""
    found: dict[str, set[str]] = defaultdict(set)
    for path, tree in trees():
        for node in tree.body:
            names: list[str] = []
            if isinstance(node, ast.ClassDef) and kind is ast.ClassDef:
                names = [node.name]
            elif isinstance(node, ast.Assign | ast.AnnAssign) and kind is ast.Assign:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = [target.id for target in targets if isinstance(target, ast.Name)]
                names = [name for name in names if not name.startswith("__")]
            for name in names:
                # a word list of one room says nothing of another's
                key = name if kind is ast.ClassDef else f"{path.parts[0]}: {name}"
                found[key].add(str(path))
    return found


@pytest.mark.parametrize("kind", [ast.ClassDef, ast.Assign], ids=["classes", "constants"])
def test_one_name_is_one_thing(kind: type[ast.ClassDef] | type[ast.Assign]) -> None:
    twice = {
        name: sorted(places)
        for name, places in definitions(kind).items()
        if len(places) > 1 and name.split()[-1] not in CONVENTIONAL
    }
    assert not twice, f"{len(twice)} names stand for several things: {twice}"


def test_docstrings_open_with_a_sentence() -> None:
    odd = []
    for path, tree in trees():
        for node, text in documented(tree):
            opening = first_sentence(text)
            words = opening.lower().split()
            property_of = isinstance(node, ast.FunctionDef) and any(
                "property" in ast.unparse(decorator) for decorator in node.decorator_list
            )
            short = len(words) < FEWEST_WORDS and not property_of
            riddle = words[0] in RIDDLES and not (property_of and words[0] == "whether")
            riddle |= opening[-1] not in '.!?:。？！"'
            if short or riddle:
                odd.append(f"{path}:{getattr(node, 'lineno', 1)} {opening}")
    assert not odd, f"{len(odd)} docstrings open with no sentence:\n" + "\n".join(odd)


def test_forward_methods_state_shapes() -> None:
    """A forward method says its shapes in letters, in its docstring or in its parameters' names."""
    silent = []
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name == "forward":
                said = (ast.get_docstring(node) or "") + " ".join(a.arg for a in node.args.args)
                if not re.search(r"_[A-Z0-9]{1,4}\b|\([A-Z.]+(, ?[A-Z0-9]+)*,?\)", said):
                    silent.append(f"{path}:{node.lineno}")
    assert not silent, f"{len(silent)} forward methods state no shapes: {silent}"
