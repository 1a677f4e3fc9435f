"""Texts that mean something to whoever prints or parses them, and records made of them."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import strategies as st

from results.record import Record
from tests.records import failed, record

PIECES = (
    "[/red]",
    "[bold]",
    "[link=x]",
    ":smile:",
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x00",
    "\r",
    "\n",
    "\t",
    "\x7f",
    "\x9b31m",
    "\u202e",
    "\u2028",
    "\ud800",
    "<script>alert(1)</script>",
    "&amp;",
    "</td>",
    "'\"",
    "-->",
    "]]>",
    "|",
    "\\",
    "`x`",
    "**",
    "_x_",
    "$\\frac{",
    "%",
    "{}",
    "\\\\[",
    "=1+1",
    "@x",
    "-1",
    "+",
    ",",
    ";",
    "../..",
    "注意",
    "é",
    "x" * 300,
)
"""Pieces of hostile texts."""

texts = st.lists(st.sampled_from(PIECES) | st.text(st.characters(), max_size=5), max_size=4).map(
    "".join
)
"""Texts from outside, half surrogates among them."""
names = texts.map(lambda text: f"a{text}")
"""Texts that are not empty."""

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Finds characters that no command may print."""
EXPORT_FORMATS = ("csv", "markdown", "json", "latex")
"""Formats of exports that are text."""
READING_VERBS = (
    ["table"],
    ["table", "--json"],
    ["status"],
    ["curves"],
    ["curves", "--json"],
    ["doctor", "--all"],
    ["doctor", "--all", "--json"],
    ["compare", "--axis", "cell"],
    ["compare", "--axis", "all"],
    ["compare", "--axis", "all", "--json"],
    ["compare", "base", "hidden=64"],
    ["compare", "base", "cell=lstm"],
    *(["export", "--format", form] for form in EXPORT_FORMATS),
    *(["export", "--effects", "--format", form] for form in EXPORT_FORMATS),
    ["verify"],
)
"""Command lines that read a store."""


def hostile_records(text: str) -> list[Record]:
    """Return finished runs in which every name and sentence is a hostile text."""
    found = []
    for seed in (0, 1):
        for cell in ("gru", text):
            one = record(seed, 0.5 + seed / 10, 900, task=text, cell=cell, metric="exact_match")
            outcome = {
                **one.outcome,
                "signatures": {"exact_match": text},
                "findings": [text],
                "samples": [
                    {
                        "source": text,
                        "reference": text,
                        "output": text,
                        "ended": False,
                        "source_symbols": [text],
                        "output_symbols": [text],
                        "attention": [[1.0]],
                    }
                ],
            }
            machine = {**one.measured["machine"], "processor": text}
            found.append(
                replace(
                    one,
                    outcome=outcome,
                    measured={**one.measured, "host": text, "machine": machine},
                )
            )
    sick = failed(9, task=text, cell=text)
    error = {"status": "failed", "error": f"ValueError: {text}", "traceback": text}
    return [*found, replace(sick, outcome=error)]
