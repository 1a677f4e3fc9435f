"""Proves that ragged storage returns what was stored, all of it or parts in any order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import Ragged

sequences = st.lists(st.lists(st.integers(0, 2**31 - 1), max_size=6), max_size=12)


def listed(ragged: Ragged) -> list[list[int]]:
    return [sequence.tolist() for sequence in ragged]


@given(sequences)
def test_stored_sequences_are_returned(stored: list[list[int]]) -> None:
    ragged = Ragged.of(stored)
    assert len(ragged) == len(stored)
    assert listed(ragged) == stored
    assert [ragged[index].tolist() for index in range(len(ragged))] == stored
    assert ragged.lengths.tolist() == [len(sequence) for sequence in stored]
    assert ragged.ids.dtype == np.int32
    assert ragged.offsets.dtype == ragged.lengths.dtype == np.int64


@given(sequences, st.data())
def test_sequences_are_taken_in_any_order(stored: list[list[int]], data: st.DataObject) -> None:
    indices = st.lists(st.integers(0, len(stored) - 1)) if stored else st.just([])
    chosen = data.draw(indices)  # repeats and none at all included
    taken = Ragged.of(stored).take(np.array(chosen, dtype=np.int64))
    assert listed(taken) == [stored[index] for index in chosen]
    assert taken.ids.dtype == np.int32
    assert taken.offsets.dtype == np.int64


def test_taken_arrays_are_its_own() -> None:
    ragged = Ragged.of([[3, 4], [5]])
    taken = ragged.take(np.array([0, 1]))
    taken.ids[:] = 0
    assert listed(ragged) == [[3, 4], [5]]


@pytest.mark.parametrize("index", [2, -1])
def test_beyond_the_end_is_refused(index: int) -> None:
    with pytest.raises(IndexError, match="of 2"):
        Ragged.of([[3], [4]])[index]


def test_arrays_and_lists_are_stored_the_same_way() -> None:
    arrays = [np.array([3, 4], dtype=np.int32), np.array([], dtype=np.int32)]
    assert listed(Ragged.of(arrays)) == listed(Ragged.of([[3, 4], []]))


def test_what_is_in_memory_is_one_part() -> None:
    def refuse(purpose: str, name: str) -> np.random.Generator:
        raise AssertionError("there is no order of parts to draw")

    ragged = Ragged.of([[1], [2, 3], [4]])
    (part,) = ragged.parts(7, 0, refuse)
    assert (part.number, part.name, part.indices.tolist()) == (0, "7", [0, 1, 2])
    assert list(ragged.parts(7, 1, refuse)) == []
