"""Padding is told from symbols by where it stands, whatever its id and however much there is."""

from __future__ import annotations

import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from bench.watching.read.padded import padding_of

END = 2

words = st.lists(
    st.lists(st.integers(4, 9), min_size=1, max_size=6, unique=True), min_size=4, max_size=20
)


@given(words=words, padding=st.sampled_from([0, 1, 3, 99]), left=st.booleans())
def test_what_stands_behind_the_end_is_padding(
    words: list[list[int]], padding: int, left: bool
) -> None:
    # words that all end alike could as well be padded by their last letter
    assume(min(len({word[0] for word in words}), len({word[-1] for word in words})) > 2)
    rows = [[*word, END] for word in words]
    longest = max(map(len, rows))
    full = [row + [padding] * (longest - len(row)) for row in rows]
    ids_BJ = torch.tensor(full)
    found = padding_of(ids_BJ.flip(1) if left else ids_BJ)
    if longest == 1 or min(map(len, rows)) == longest:
        assert found is None
        return
    assert found is not None
    assert ((found.flip(1) if left else found) == (ids_BJ == padding)).all()


@given(words=st.lists(st.permutations(range(4, 9)), min_size=8))
def test_words_of_one_length_without_doubled_letters_have_no_padding(
    words: list[list[int]],
) -> None:
    ends = [[*word, END] for word in words]
    assert padding_of(torch.tensor(ends)) is None
