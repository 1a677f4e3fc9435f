"""Proves that docs/doctor.md has every cause that the rules for watched scripts name, and no other.

Causes are read from the code of the rules: all texts in it that are written as names of causes.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
RULES = ROOT / "results/doctor/watched"
NAME = re.compile(r"[a-z]+(-[a-z]+)+")
OTHER_WORDS = {"no-decay", "log-probabilities"}
"""Texts of that form that are no causes: a trial's setting, a kind of input."""
ENDINGS = {"softmax-over-": ("time", "batch")}
"""What may stand at an open end of a name that the code puts together."""


def named_in_code() -> set[str]:
    """Return every cause that a rule can name."""
    found = set()
    for path in RULES.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                continue
            if NAME.fullmatch(node.value):
                found.add(node.value)
            found |= {node.value + end for end in ENDINGS.get(node.value, ())}
    return found - OTHER_WORDS


def named_in_documentation() -> list[str]:
    """Return the causes of the tables, in their order."""
    page = (ROOT / "docs/doctor.md").read_text("utf-8")
    section = page.split("\n## Causes that can be named\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1:-1] for line in section.splitlines() if line.startswith("| ")]
    assert all(len(row) == 4 and all(cell.strip() for cell in row) for row in rows)
    return [row[0].strip() for row in rows if NAME.fullmatch(row[0].strip())]


def test_the_code_is_read() -> None:
    found = named_in_code()
    assert {"softmax-over-time", "uncleared-gradients", "encoder-left-out", "rate-too-low"} <= found
    assert len(found) > 50


def test_documentation_and_code_name_the_same_causes() -> None:
    documented = named_in_documentation()
    assert len(documented) == len(set(documented))
    assert sorted(set(documented) ^ named_in_code()) == []
