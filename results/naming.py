"""Names of variants: how one differs from a base, and what the rows of a table share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

SHORTHANDS = {"depth": ("encoder_depth", "decoder_depth")}


def shared_base(variants: Sequence[Mapping[str, Any]], suite: Mapping[str, Any]) -> dict[str, Any]:
    """Each axis's most common value over different variants: the centre of a star.

    suite: the suite's own base, which wins a tie; then the value that comes first. A variant
    from before an axis was there counts as having the suite's value.
    """
    different = list({repr(sorted(v.items())): v for v in variants}.values())
    base = {}
    for axis in dict.fromkeys(axis for variant in different for axis in variant):
        counts = Counter(variant.get(axis, suite.get(axis)) for variant in different)
        most = max(counts.values())
        common = [value for value, count in counts.items() if count == most]
        base[axis] = suite[axis] if suite.get(axis) in common else min(common, key=str)
    return base


def differences(variant: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """Axes on which a variant differs, shorthands where they hold."""
    found = {axis: value for axis, value in variant.items() if value != base.get(axis)}
    for short, axes in SHORTHANDS.items():
        values = {found.get(axis) for axis in axes}
        if len(values) == 1 and None not in values:
            found = {
                (short if axis == axes[0] else axis): value
                for axis, value in found.items()
                if axis not in axes[1:]
            }
    return found


def name(variant: Mapping[str, Any], base: Mapping[str, Any]) -> str:
    """`base`, or the differences: `cell=lstm,attention=dot`."""
    found = differences(variant, base)
    return ",".join(f"{axis}={text(value)}" for axis, value in found.items()) or "base"


def text(value: object) -> str:
    """A value as it stands in a name, short but read back as the same one."""
    if not isinstance(value, float):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)
