"""docs/axes.md, made from the registry: `python -m bench.cli.axes_page > docs/axes.md`."""

from __future__ import annotations

import inspect

from variants import AXES, TOGETHER
from variants.axes import registry

HEAD = """# Axes

Every axis of a variant, its base and its values, with sources and deviations. Made from the
registry by `python -m bench.cli.axes_page > docs/axes.md`; a test holds it complete.

Letters in shapes: B batch, S source length, T target length, E embedding, H hidden, D width of the
encoder's outputs, K attention keys, G gates, V vocabulary. Primes mark the next step's values, and
products of vectors of one size are element by element. A combination that makes no sense is refused
with the reason, in a matrix and in Python alike."""


def said(part: object) -> str:
    """What a value of an axis says of itself: a text, its `about`, or its docstring."""
    if part is None:
        return "there is none"
    if isinstance(part, str):
        return part
    about = getattr(part, "about", None)
    text = about if isinstance(about, str) else inspect.cleandoc(part.__doc__ or "")
    return " ".join(text.split())


def page() -> str:
    """The page as Markdown."""
    parts = [HEAD]
    for axis, field in AXES.items():
        about = " ".join(field.metadata["about"].split())
        values = registry(axis)
        if values:
            rows = [f"| `{value}` | {_cell(said(part))} |" for value, part in values.items()]
            table = "\n".join(["| value | |", "| --- | --- |", *rows])
            parts.append(f"## {axis}\n\n{about}; base `{field.default}`.\n\n{table}")
        elif isinstance(field.default, str):
            parts.append(f"## {axis}\n\n{about}; base none.")
        else:
            low, high = field.metadata["low"], field.metadata["high"]
            bounds = f"from {low:g} to {high:g}"
            parts.append(f"## {axis}\n\n{about}; base {field.default:g}, {bounds}.")
    shorts = ", ".join(f"`{name}` sets {' and '.join(of)}" for name, of in TOGETHER.items())
    parts.append(f"## Shorthands\n\n{shorts}.")
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")
