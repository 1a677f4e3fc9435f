"""Proves that decoding inverts encoding, and that unseen symbols become unknown or are refused."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import BOS, EOS, PAD, UNK, Vocabulary
from tasks.vocabulary import SPECIALS, UNKNOWN

symbols = st.text("abcdeé中", min_size=1, max_size=2)
alphabets = st.lists(symbols, unique=True, min_size=1, max_size=20)
sentences = st.lists(st.lists(symbols, max_size=8), max_size=8)


@given(alphabets, st.data())
def test_decode_is_the_inverse_of_encode(alphabet: list[str], data: st.DataObject) -> None:
    vocabulary = Vocabulary.closed(alphabet)
    text = data.draw(st.lists(st.sampled_from(alphabet)))
    ids = vocabulary.encode(text)
    assert ids.dtype == np.int32
    assert vocabulary.decode(ids) == text
    assert all(len(SPECIALS) <= index < len(vocabulary) for index in ids)
    assert len(vocabulary) == len(alphabet) + len(SPECIALS)
    assert all(symbol in vocabulary for symbol in text)


def test_specials_have_fixed_ids() -> None:
    assert (PAD, BOS, EOS, UNK) == (0, 1, 2, 3)
    assert Vocabulary.closed("ab").symbols == ("<pad>", "<bos>", "<eos>", "a", "b")
    assert Vocabulary.counted([["a"]], 1).symbols[UNK] == UNKNOWN


def test_closed_refuses_what_is_unseen() -> None:
    vocabulary = Vocabulary.closed("abc")
    assert not vocabulary.open
    with pytest.raises(ValueError, match="'z' is not in this task's vocabulary of 3: a b c"):
        vocabulary.encode("az")


def test_a_large_closed_vocabulary_is_shown_in_part() -> None:
    with pytest.raises(ValueError, match=r"0 1 2 3 4 \.\.\. 98 99$"):
        Vocabulary.closed(map(str, range(100))).encode(["z"])


@given(sentences, st.integers(1, 4))
def test_counted_keeps_the_frequent(text: list[list[str]], least: int) -> None:
    vocabulary = Vocabulary.counted(text, least)
    assert vocabulary.open
    counts = Counter(symbol for sentence in text for symbol in sentence)
    kept = vocabulary.symbols[UNK + 1 :]
    assert {*kept} == {symbol for symbol, number in counts.items() if number >= least}
    frequencies = [counts[symbol] for symbol in kept]
    assert frequencies == sorted(frequencies, reverse=True)
    for sentence in text:
        decoded = vocabulary.decode(vocabulary.encode(sentence))
        assert decoded == [s if counts[s] >= least else UNKNOWN for s in sentence]


@given(sentences)
def test_counted_does_not_depend_on_order(text: list[list[str]]) -> None:
    assert Vocabulary.counted(text, 1) == Vocabulary.counted(text[::-1], 1)


def test_a_repeated_symbol_is_a_mistake_of_the_code() -> None:
    with pytest.raises(AssertionError, match="repeated"):
        Vocabulary.closed("aba")
    with pytest.raises(AssertionError):
        Vocabulary(("a", "b", "c"))
