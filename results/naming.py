"""Names a variant by its difference from a base variant.

Each table has its own base: the variant that its rows share most values with, so that names stay
short. It need not be the suite's base.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

SHORTHANDS = {"depth": ("encoder_depth", "decoder_depth")}
"""Names for several axes that are set to one value together."""


def shared_base(variants: Sequence[Mapping[str, Any]], suite: Mapping[str, Any]) -> dict[str, Any]:
    """Return the most common value of each axis among the distinct variants.

    For a star (one axis changed at a time) this is its centre. If several values are equally
    common, the suite's own value wins, else the first in alphabetical order. A variant stored
    before an axis existed counts as having the suite's value.

    Args:
        variants: the variants of one table.
        suite: the suite's base variant.
    """
    distinct = list({repr(sorted(v.items())): v for v in variants}.values())
    base = {}
    for axis in dict.fromkeys(axis for variant in distinct for axis in variant):
        counts = Counter(variant.get(axis, suite.get(axis)) for variant in distinct)
        highest = max(counts.values())
        common = [value for value, count in counts.items() if count == highest]
        base[axis] = suite[axis] if suite.get(axis) in common else min(common, key=str)
    return base


def differences(variant: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """Return the axes on which a variant differs from the base, with its values.

    A shorthand replaces its axes where all of them differ and have one value.
    """
    found = {axis: value for axis, value in variant.items() if value != base.get(axis)}
    for short, axes in SHORTHANDS.items():
        values = {found.get(axis) for axis in axes}
        if len(values) == 1 and None not in values:
            # the shorthand takes the place of its first axis, so that the order stays
            found = {
                (short if axis == axes[0] else axis): value
                for axis, value in found.items()
                if axis not in axes[1:]
            }
    return found


def name(variant: Mapping[str, Any], base: Mapping[str, Any]) -> str:
    """Return a variant's name: `base`, or its differences, as in `cell=lstm,attention=dot`."""
    found = differences(variant, base)
    return ",".join(f"{axis}={text(value)}" for axis, value in found.items()) or "base"


def text(value: object) -> str:
    """Write an axis's value as in a variant's name: short, but parsed back as the same value."""
    if not isinstance(value, float):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)
