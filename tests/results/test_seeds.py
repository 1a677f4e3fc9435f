"""Proves that seeds are read alike wherever they are given, and written as they are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.seeds import MOST_SEEDS, TUNING_SEED, describe_seeds, read_seeds, write_seeds


@given(st.integers(0, TUNING_SEED - 1), st.integers(1, MOST_SEEDS))
def test_what_is_written_is_read_again(first: int, count: int) -> None:
    seeds = range(first, min(first + count, TUNING_SEED))
    assert read_seeds(seeds) == read_seeds(write_seeds(seeds)) == seeds


@pytest.mark.parametrize(
    ("form", "first", "last"),
    [
        (5, 0, 4),
        ("5", 0, 4),
        (" 7:8 ", 7, 7),
        ("100:110", 100, 109),
        (range(100, 110), 100, 109),
        ("0:3", 0, 2),
    ],
)
def test_forms(form: object, first: int, last: int) -> None:
    seeds = read_seeds(form)
    assert (seeds[0], seeds[-1]) == (first, last)


@pytest.mark.parametrize(
    "wrong",
    [
        *(0, -1, True, 1.0, None, "", "x", "-3", "5:", ":5", "5:5", "9:5", "1:2:3", "1.5"),
        *(MOST_SEEDS + 1, 10**40, f"0:{MOST_SEEDS + 1}", "9" * 40, range(0, 10, 2), range(-2, 3)),
        *([1], range(0)),
    ],
)
def test_what_are_no_seeds_is_said_in_one_sentence(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"^seeds=.*whole number from 1 to.*100:110"):
        read_seeds(wrong)


def test_seeds_of_tuning_cannot_be_asked_for() -> None:
    assert read_seeds(f"{TUNING_SEED - 1}:{TUNING_SEED}")
    with pytest.raises(ValueError, match="only runs that tune have"):
        read_seeds(f"{TUNING_SEED - 1}:{TUNING_SEED + 1}")


def test_words() -> None:
    assert describe_seeds(range(1)) == "1 seed"
    assert describe_seeds(range(10)) == "10 seeds"
    assert describe_seeds(range(100, 110)) == "10 seeds (100 to 109)"
    assert describe_seeds(range(7, 8)) == "1 seed (7)"
