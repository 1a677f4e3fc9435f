"""Measures how symbols are read: how many stand for unknown words, and by which vocabulary."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bench.watching.read.passes import PassesOfEvaluation
from bench.watching.read.reading import Group, StepReading
from bench.watching.read.recording import Recording
from bench.watching.record.calls import HANDING
from bench.watching.record.places import CodeLine
from results.doctor.watched.data import UnknownSeen
from results.doctor.watched.evaluation_facts import MisreadIds

UNKNOWN = re.compile(r"\W*(unk|unknown|oov)\W*", re.IGNORECASE)
FEWEST_COMPARED = 15
"""Examples with and without a symbol that it takes to compare them."""
FEWEST = 20
"""Fewer symbols do not show how many are unknown."""
READING = frozenset({"decode", "get", "lookup", "lookup_tokens", "__getitem__"})
"""Methods of vocabularies that return texts."""


def embedded_symbols(group: Group, reading: StepReading) -> int:
    """Return the number of symbols that an embedding knows; 0 if it is not known."""
    entry = group.entries[0]
    root = reading.tape.roots.get(entry.weight)
    return root.size[0] if root is not None and len(root.size) == 2 else 0


def unknown_seen(
    recording: Recording, source: Group, reading: StepReading, sides: dict[str, list[list[int]]]
) -> UnknownSeen | None:
    """Return the side of which the largest share of symbols stands for unknown words.

    sides: the symbols of sources and targets, row by row, with a symbol at the start and at the
        end of each row that do not count.
    """
    sizes = {"source": embedded_symbols(source, reading), "target": reading.predictions.symbols}
    found: dict[str, UnknownSeen] = {}
    for side, rows in sides.items():
        inner = [symbol for row in rows for symbol in row[1:-1]]
        for name, texts in recording.vocabularies.of_size(sizes[side]).items():
            for symbol, text in texts.items():
                if UNKNOWN.fullmatch(text) and len(inner) >= FEWEST:
                    share = inner.count(symbol) / len(inner)
                    other = _unused(recording, set(sizes.values()))
                    right = (side == "source" and _right_with(reading, source, symbol)) or ()
                    spelled = side == "source" and len(reading.of_role("source")) > 1
                    one = UnknownSeen(side, symbol, share, text, name, other, *right)
                    one = replace(one, spelled=spelled)
                    found.setdefault(side, one)
    if "source" in found and "target" in found and sizes["source"] == sizes["target"]:
        source_too = found["source"].share > found["target"].share / 4
        return found["source"] if source_too else found["target"]
    return max(found.values(), key=lambda one: one.share, default=None)


def _right_with(
    reading: StepReading, source: Group, symbol: int
) -> tuple[float, float, int] | None:
    """Return the share of right predictions for sources with more of a symbol, and for the others.

    The third number is how many of it the others have at most.
    """
    asked = reading.predictions
    right_BT = reading.table(asked.right_N.double(), 0.0)
    counts_BT = reading.table(asked.weight_N.double(), 0.0) != 0
    count_B = (source.ids_BJ == symbol).sum(1)
    if len(count_B) != len(right_BT) or len(count_B) < 2 * FEWEST_COMPARED:
        return None
    most = int(count_B.sort().values[FEWEST_COMPARED - 1])
    more_B = count_B > most
    if int(more_B.sum()) < FEWEST_COMPARED:
        return None
    shares = [float(right_BT[part][counts_BT[part]].mean()) for part in (more_B, ~more_B)]
    return shares[0], shares[1], most


def _unused(recording: Recording, sizes: set[int]) -> str | None:
    """Return what the largest vocabulary is called that has as many symbols as no side has."""
    others = {
        name: len(texts)
        for found in recording.vocabularies.by_function.values()
        for name, texts in found.items()
        if len(texts) not in sizes and any(map(UNKNOWN.fullmatch, texts.values()))
    }
    return max(others, key=lambda name: others[name], default=None)


def misread_ids(one: PassesOfEvaluation, recording: Recording) -> MisreadIds | None:
    """Return the vocabulary of the source, where it is what reads the symbols that are chosen."""
    if not recording.readings:
        return None
    reading = recording.readings[-1][1]
    sources = [embedded_symbols(group, reading) for group in reading.of_role("source")]
    asked = reading.predictions.symbols
    if not sources or not sources[0] or sources[0] == asked:
        return None
    for place in _handing_places(one):
        known = recording.vocabularies.at(place)
        used = {text: len(known[text]) for text in _read_by(place) if text in known}
        if sources[0] in used.values() and asked not in used.values():
            name = next(text for text, size in used.items() if size == sources[0])
            return MisreadIds(name, sources[0], asked, str(place))
    return None


def _handing_places(one: PassesOfEvaluation) -> list[CodeLine | None]:
    """Return the lines at which what is chosen is handed over to Python."""
    flow = one[1][0].flow
    chosen = {choice.number for this in one[1] for choice in this.choices}
    handing = [call for call in flow.tape.calls if call.name in HANDING and call.inputs]
    places = [call.place for call in handing if flow.ancestors(call.inputs[0]) & chosen]
    return list(dict.fromkeys(places))


def _read_by(place: CodeLine | None) -> Iterator[str]:
    """Yield what is subscripted, or asked for a text, in the function that has a line."""
    if place is None:
        return
    try:
        tree = ast.parse(Path(place.file).read_text("utf-8"))
    except (OSError, SyntaxError, ValueError):
        return
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and node.lineno <= place.line <= (node.end_lineno or node.lineno)
    ]
    within = max(functions, key=lambda node: node.lineno, default=tree)
    for node in ast.walk(within):
        match node:
            # where a number is added, the vocabulary lacks the symbols before it
            case ast.Subscript(value=value, slice=index) if not isinstance(
                index, ast.Constant | ast.BinOp
            ):
                yield ast.unparse(value)
            case ast.Call(func=ast.Attribute(value=value, attr=name)) if name in READING:
                yield ast.unparse(value)
