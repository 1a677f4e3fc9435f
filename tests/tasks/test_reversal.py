"""Proves that reversal reverses its sources, and that its splits and settings are as stated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import build
from tasks.reversal import LETTERS, LONGEST_STRING, LONGEST_WORD, SYMBOLS, Reversal, Settings, word

modes = st.builds(
    Settings, st.sampled_from(["words", "symbols"]), st.integers(1, 50), st.integers(0, 2**32)
)
BOUNDS = {"words": (3, LONGEST_WORD), "symbols": (1, LONGEST_STRING)}


@settings(max_examples=10)
@given(modes)
def test_every_pair(given_settings: Settings) -> None:
    task = Reversal(given_settings)
    low, high = BOUNDS[given_settings.mode]
    assert len(task.splits["train"]) == given_settings.pairs
    every: list[tuple[int, ...]] = []
    for split in task.splits.values():
        lengths = split.source.lengths
        assert low <= lengths.min() <= lengths.max() <= high < task.facts.length_limit
        for source, target in zip(split.source, split.targets[0], strict=True):
            assert list(reversed(source.tolist())) == target.tolist()
            every.append(tuple(source.tolist()))
        shown = split.source[0]
        assert task.encode(task.source_text(shown)).tolist() == shown.tolist()
    assert {*task.splits} == {"train", "valid", "test"}
    assert len(set(every)) == len(every), "splits share a source"
    assert not task.facts.memorisation
    assert task.facts.target_sizes == (len(task.target),)


@settings(max_examples=5)
@given(modes)
def test_the_seed_determines_the_data(given_settings: Settings) -> None:
    digest = Reversal(given_settings).digest()
    assert Reversal(given_settings).digest() == digest
    other = Settings(given_settings.mode, given_settings.pairs, given_settings.data_seed + 1)
    assert Reversal(other).digest() != digest


def test_held_out_do_not_depend_on_pairs() -> None:
    """Runs on more and on fewer training pairs are scored on the same test."""
    few, more = build("reversal:pairs=10"), build("reversal:pairs=200")
    for name in ("valid", "test"):
        one, other = few.splits[name].source, more.splits[name].source
        assert one.ids.tolist() == other.ids.tolist()


@given(st.integers(0, 2**32))
def test_words_are_pronounceable(seed: int) -> None:
    letters = word(np.random.default_rng(seed))
    assert 3 <= len(letters) <= LONGEST_WORD
    assert {*letters} <= {*LETTERS}
    assert {*letters} & {*"aeiou"}


@given(st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=LONGEST_STRING))
def test_symbol_texts_round_trip(symbols: list[str]) -> None:
    task = SYMBOL_TASK
    ids = task.encode(" ".join(symbols))
    assert task.source_text(ids) == " ".join(symbols)
    assert task.target_text([ids], ids) == " ".join(symbols)


SYMBOL_TASK = Reversal(Settings("symbols", 10))


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("reversal:mode=word", "did you mean words"),
        ("reversal:pairs=-5", "pairs=-5 is below 0"),
        ("reversal:pairs=100001", "above the maximum of 100000"),
    ],
)
def test_wrong_settings_are_refused(label: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build(label)


def test_wrong_texts_are_refused() -> None:
    with pytest.raises(ValueError, match="'A' is not in"):
        build("reversal:pairs=1").encode("Ab")
    with pytest.raises(ValueError, match="'50' is not in"):
        SYMBOL_TASK.encode("49 50")
