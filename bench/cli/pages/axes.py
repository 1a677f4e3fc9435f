"""Renders every axis and its values as Markdown: docs/axes.md, by `bench list --markdown`."""

from __future__ import annotations

from bench.cli.pages.tables import markdown_table
from variants import AXES, TOGETHER
from variants.axes import meaning, registry

AXES_HEAD = """# Axes

Every axis of a variant, its base and its values, with sources and deviations. Made from the
registry by `bench list --markdown > docs/axes.md`; a test holds it complete.

Letters in shapes: B batch, S source length, T target length, E embedding, H hidden, D width of the
encoder's outputs, K attention keys, G gates, V vocabulary. Primes mark the next step's values, and
products of vectors of one size are element by element. A combination that makes no sense is refused
with the reason, in a matrix and in Python alike."""


def axes_page() -> str:
    """Return the page as Markdown."""
    parts = [AXES_HEAD, *(_section(axis) for axis in AXES)]
    shorthands = ", ".join(f"`{name}` sets {' and '.join(axes)}" for name, axes in TOGETHER.items())
    parts.append(f"## Shorthands\n\n{shorthands}.")
    return "\n\n".join(parts) + "\n"


def _section(axis: str) -> str:
    """Return the section of one axis: its values as a table, or the range of a number."""
    field = AXES[axis]
    about = " ".join(field.metadata["about"].split())
    values = registry(axis)
    if values:
        rows = [(f"`{value}`", meaning(part)) for value, part in values.items()]
        table = markdown_table(("value", "meaning"), rows)
        return f"## {axis}\n\n{about}; base `{field.default}`.\n\n{table}"
    if isinstance(field.default, str):
        return f"## {axis}\n\n{about}; base none."
    low, high = field.metadata["low"], field.metadata["high"]
    return f"## {axis}\n\n{about}; base {field.default:g}, from {low:g} to {high:g}."
