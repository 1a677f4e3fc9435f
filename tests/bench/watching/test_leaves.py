"""Proves that arguments are taken apart as torch itself does it."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any, NamedTuple

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from bench.watching.record.leaves import leaves_of, put_together, taken_apart


class Pair(NamedTuple):
    """A container that torch takes apart too."""

    first: Any
    second: Any


LEAVES = (
    *(None, 3, 0.5, True, "text", 1 + 2j, slice(1, 3), torch.float32, torch.Size([2, 3])),
    *(np.zeros(2), np.int64(4), torch.ones(2), nn.Parameter(torch.ones(1)), frozenset({1})),
)
VALUES = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.lists(inner, max_size=3).map(deque),
        st.dictionaries(st.text(max_size=2), inner, max_size=3),
        st.dictionaries(st.text(max_size=2), inner, max_size=3).map(OrderedDict),
        st.tuples(inner, inner).map(lambda both: Pair(*both)),
    ),
    max_leaves=12,
)


@given(value=VALUES)
def test_leaves_are_those_of_torch_in_its_order(value: Any) -> None:
    expected, structure = tree_flatten(value)
    leaves, places = taken_apart(value)
    assert [id(leaf) for leaf in leaves] == [id(leaf) for leaf in expected]
    assert [id(leaf) for leaf in leaves_of(value)] == [id(leaf) for leaf in expected]
    again, same = tree_flatten(put_together(leaves, places))
    # what torch puts together of a torch.Size is a tuple
    assert same == tree_flatten(tree_unflatten(expected, structure))[1]
    assert [id(leaf) for leaf in again] == [id(leaf) for leaf in expected]


def test_a_packed_sequence_comes_back() -> None:
    packed = nn.utils.rnn.pack_sequence([torch.arange(3.0), torch.arange(2.0)])
    leaves, places = taken_apart(((packed,), {"size": 4}))
    (back,), others = put_together(leaves, places)
    assert torch.equal(back.data, packed.data)
    assert torch.equal(back.batch_sizes, packed.batch_sizes)
    assert others == {"size": 4}
