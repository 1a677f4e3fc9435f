"""Names a variant by its difference from a base variant.

Each table has its own base: the variant that its rows share most values with, so that names stay
short. It need not be the suite's base.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

SHORTHANDS = {"depth": ("encoder_depth", "decoder_depth")}
"""Names for several axes that are set to one value together."""
LISTED = 8
"""Number of names that an error message lists."""
NEAR_ENOUGH = 0.75
"""Likeness from which on a name is taken to be the one that was meant, of 1 for equal ones."""


def shared_base(variants: Sequence[Mapping[str, Any]], suite: Mapping[str, Any]) -> dict[str, Any]:
    """Return the most common value of each axis among the distinct variants.

    For a star (one axis changed at a time) this is its centre. If several values are equally
    common, the suite's own value wins, else the first in alphabetical order. A variant stored
    before an axis existed counts as having the suite's value.

    Args:
        variants: the variants of one table.
        suite: the suite's base variant.
    """
    distinct = list({repr(sorted(v.items())): v for v in objects(variants)}.values())
    base = {}
    for axis in dict.fromkeys(axis for variant in distinct for axis in variant):
        counts = Counter(variant.get(axis, suite.get(axis)) for variant in distinct)
        highest = max(counts.values())
        common = [value for value, count in counts.items() if count == highest]
        base[axis] = suite[axis] if suite.get(axis) in common else min(common, key=str)
    return base


def objects(variants: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return each object once: runs that differ in their seed alone share their variant."""
    return list({id(variant): variant for variant in variants}.values())


def telling_base(variants: Sequence[Mapping[str, Any]], suite: Mapping[str, Any]) -> dict[str, Any]:
    """Return the base by which variants are named where every name has to say which one it is.

    It is that of `shared_base`; a variant that stands alone is named in relation to the suite's.
    """
    alone = all(variant == variants[0] for variant in variants)
    return dict(suite) if alone else shared_base(variants, suite)


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


def canonical(given: str, base: Mapping[str, Any]) -> str:
    """Return the name relative to a base of the variant that a user names.

    `cell=gru` is `base` where the base is a GRU, and the order of axes or the way in which a number
    is written do not matter. What is no list of `axis=value` is returned as it is.

    Args:
        given: `base`, or differences from it; what a table adds in brackets is kept.
        base: the variant that the name refers to.
    """
    named, bracket, version = given.strip().partition(" [")
    variant = dict(base)
    for part in [] if named in ("", "base") else named.split(","):
        axis, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            return given
        for each in SHORTHANDS.get(axis, (axis,)):
            variant[each] = _read_like(value, base.get(each))
    return name(variant, base) + bracket + version


def _read_like(value: str, known: object) -> object:
    """Return a value that was typed as a number if the axis is known to hold numbers."""
    if isinstance(known, int | float) and not isinstance(known, bool):
        try:
            number = float(value)
        except ValueError:
            return value
        return int(number) if isinstance(known, int) and number.is_integer() else number
    return value


def spelled(base: Mapping[str, Any], variants: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the base's values on the axes on which some of these variants differ from it."""
    differing = {axis for variant in variants for axis in differences(variant, base)}
    wanted = [axis for axis in (*SHORTHANDS, *base) if axis in differing]
    return {axis: text(base.get(SHORTHANDS.get(axis, (axis,))[0])) for axis in wanted}


def suggestion(given: str, names: Iterable[str]) -> str:
    """Return which of some names is meant by one that is not among them, or else what there is.

    Case does not matter, and of `cell=lstm` the value alone will do.
    """
    known = sorted(names)
    typed = given.strip().lower()
    near = [name for name in known if typed in (name.lower(), name.lower().partition("=")[2])]
    near = near or get_close_matches(typed, known, n=1, cutoff=NEAR_ENOUGH)
    return f"did you mean {near[0]}?" if near else f"there are {listed(known)}"


def listed(names: Iterable[str]) -> str:
    """List the first names in alphabetical order, and say how many more there are."""
    ordered = sorted(names)
    more = f" and {len(ordered) - LISTED} more" if len(ordered) > LISTED else ""
    return "; ".join(ordered[:LISTED]) + more


def text(value: object) -> str:
    """Write an axis's value as in a variant's name: short, but parsed back as the same value."""
    if not isinstance(value, float):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)
