"""Reads and writes which seeds runs have: a number of them, from 0 on, or a range."""

from __future__ import annotations

import re

MOST_SEEDS = 100_000
"""Largest number of seeds of one variant."""
TUNING_SEED = 1_000_000
"""First of the seeds of runs that choose a value; no run that is reported has one of these."""
SEED_RANGE = re.compile(r"(\d{1,7}):(\d{1,7})")
"""Seeds as a user writes them, the last one excluded as in Python: `100:110`."""

Seeds = int | str | range
"""Seeds as a caller may give them: how many from 0 on, the text `100:110`, or a range."""


def read_seeds(given: object) -> range:
    """Return the seeds that are meant by 5, "5", "100:110" or range(100, 110).

    Raises:
        ValueError: It is none of these, there are no seeds in it or too many, or some are of those
            that only tuning has.
    """
    seeds = _range(given)
    count = 0 if seeds is None or seeds.step != 1 else seeds.stop - seeds.start
    if seeds is None or not 1 <= count <= MOST_SEEDS or seeds.start < 0:
        raise ValueError(
            f"seeds={given if isinstance(given, str) else repr(given)} is neither a whole number "
            f"from 1 to {MOST_SEEDS} nor a range of as many, like 100:110 for 100 to 109; give one"
        )
    if seeds.stop > TUNING_SEED:
        raise ValueError(
            f"seeds={write_seeds(seeds)} has seeds from {TUNING_SEED} on, which only runs that "
            "tune have; give smaller ones"
        )
    return seeds


def _range(given: object) -> range | None:
    """Return the range that is meant; None for what is none."""
    if isinstance(given, range):
        return given
    if isinstance(given, int) and not isinstance(given, bool):
        return range(given)
    if not isinstance(given, str):
        return None
    if match := SEED_RANGE.fullmatch(given.strip()):
        return range(int(match[1]), int(match[2]))
    return range(int(given)) if re.fullmatch(r"\s*-?\d{1,7}\s*", given) else None


def write_seeds(seeds: range) -> str:
    """Return seeds as options and files have them: `5` for 0 to 4, else `100:110`."""
    return str(seeds.stop) if seeds.start == 0 else f"{seeds.start}:{seeds.stop}"


def describe_seeds(seeds: range) -> str:
    """Return seeds in words: `1 seed`, `5 seeds`, `10 seeds (100 to 109)`, `1 seed (7)`."""
    count = f"{len(seeds)} seed{'s' * (len(seeds) != 1)}"
    if seeds.start == 0:
        return count
    last = f" to {seeds.stop - 1}" * (len(seeds) > 1)
    return f"{count} ({seeds.start}{last})"
