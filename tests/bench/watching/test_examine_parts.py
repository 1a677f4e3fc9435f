"""Proves that batches, names and outputs of any size and order are told apart."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from bench.watching.examine.batches import MOST_BATCHES, first_batches, parts_of
from bench.watching.examine.calls import fed_step
from bench.watching.examine.outputs import Asked, find_predictions, tensors_in
from bench.watching.examine.roles import role_of, roles_of

CPU = torch.device("cpu")
SIZES = st.integers(2, 9)


@given(SIZES, SIZES, st.integers(2, 12), st.sampled_from(list(itertools.permutations(range(3)))))
def test_axes_are_told_by_their_sizes(
    rows: int, steps: int, symbols: int, order: tuple[int, ...]
) -> None:
    assume(len({rows, steps, symbols}) == 3)
    asked = torch.randint(0, symbols, (rows, steps))
    outputs = torch.zeros(rows, steps, symbols).permute(order)
    found = find_predictions(outputs, Asked(asked, False, False), set())
    assert found is not None
    assert found.by_axes(outputs).shape == (rows, steps, symbols)


@given(SIZES, st.booleans())
def test_equal_sizes_follow_the_batch(size: int, time_first: bool) -> None:
    asked = torch.zeros(size, size, dtype=torch.long)
    outputs = torch.zeros(size, size, size)
    found = find_predictions(outputs, Asked(asked, time_first, False), {size})
    assert found is not None
    assert found.axes == ((1, 0, 2) if time_first else (0, 1, 2))


@given(SIZES, SIZES, st.sampled_from([0, 1]))
def test_a_reference_may_be_one_longer_than_the_predictions(
    rows: int, steps: int, less: int
) -> None:
    asked = torch.zeros(rows, steps, dtype=torch.long)
    outputs = torch.zeros(rows, steps - less, 20)
    assert find_predictions(outputs, Asked(asked, False, True), set()) is not None
    exact = find_predictions(outputs, Asked(asked, False, False), {20})
    assert (exact is None) == (less == 1)


def test_outputs_of_any_container() -> None:
    logits, other = torch.zeros(2, 3, 5), torch.zeros(2, 4)
    for outputs in (
        logits,
        (logits, other),
        [logits, None],
        {"hidden": other, "logits": logits},
        SimpleNamespace(hidden_states=other, logits=logits),
        ((logits, other), 3),
    ):
        assert next(tensors_in(outputs)) is logits
    stacked = next(tensors_in([torch.ones(2, 5), torch.zeros(2, 5)]))
    assert stacked.shape == (2, 2, 5)


@pytest.mark.parametrize(
    "batch",
    [
        (torch.ones(2, 3), torch.ones(2)),
        [torch.ones(2, 3), torch.ones(2)],
        {"a": torch.ones(2, 3), "b": torch.ones(2)},
        SimpleNamespace(a=torch.ones(2, 3), b=torch.ones(2), _hidden=torch.ones(3), size=None),
        [[[1.0, 1.0, 1.0]] * 2, [1.0, 1.0]],
        (np.ones((2, 3)), np.ones(2)),
        ((torch.ones(2, 3), torch.ones(2)),),
    ],
)
def test_batches_are_taken_apart(batch: Any) -> None:
    assert [tuple(part.value.shape) for part in parts_of(batch, CPU)] == [(2, 3), (2,)]


@given(st.sampled_from([torch.int8, torch.int16, torch.int32, torch.uint8, torch.int64]))
def test_whole_numbers_become_ids(dtype: torch.dtype) -> None:
    (part,) = parts_of(torch.ones(2, 3, dtype=dtype), CPU)
    assert part.value.dtype == torch.int64


def test_a_mask_stays_a_mask() -> None:
    (part,) = parts_of(torch.ones(2, 3, dtype=torch.bool), CPU)
    assert part.value.dtype == torch.bool


def test_no_more_batches_are_read_than_are_looked_at() -> None:
    stream = iter(range(100))
    assert len(first_batches(stream)) == MOST_BATCHES
    assert next(stream) == MOST_BATCHES


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("source", "src source input inputs x input_ids enc_input encoder_input input_seq words"),
        ("target", "trg tgt target targets y output tar outputs answer"),
        ("fed", "decoder_input dec_in decoder_input_ids trg_in tgt_input y_in"),
        ("labels", "labels label tags gold target_out trg_y y_true tgt_out"),
        ("lengths", "lengths src_len src_lengths input_lengths lens"),
        ("fed_lengths", "trg_len tgt_lengths target_length"),
        ("ratio", "teacher_forcing_ratio ratio tf use_teacher_forcing tf_ratio"),
        ("mask", "mask src_mask attention_mask"),
        ("state", "hidden h0 state encoder_hidden"),
        ("limit", "max_len max_length"),
    ],
)
def test_names_as_people_write_them(role: str, names: str) -> None:
    assert {name: role_of(name) for name in names.split()} == dict.fromkeys(names.split(), role)


def test_parts_by_order_where_names_tell_nothing() -> None:
    ids, more = torch.ones(4, 5, dtype=torch.long), torch.ones(4, 6, dtype=torch.long)
    lengths = torch.full((4,), 5)
    roles = roles_of(parts_of((ids, lengths, more), CPU))
    assert roles.source is not None
    assert roles.target is not None
    assert roles.lengths is not None
    assert (roles.source.shape, roles.target.shape) == ((4, 5), (4, 6))
    roles = roles_of(parts_of({"de": ids, "en": more}, CPU))
    assert roles.target is not None
    assert roles.target.shape == (4, 6)
    roles = roles_of(parts_of((ids, more, more), CPU))
    assert roles.fed is not None
    assert roles.labels is not None
    assert roles.target is None


@pytest.mark.parametrize(("delay", "says"), [(0, "same"), (1, "before"), (9, "unknown")])
def test_what_a_prediction_is_fed_is_told_by_changing_it(delay: int, says: str) -> None:
    def run(target_BT: Tensor) -> Tensor:
        fed = torch.roll(target_BT, delay, 1).double()
        fed[:, :delay] = 0
        return fed[:, :, None].expand(-1, -1, 3)

    target = torch.tensor([[1, 4, 5, 6], [1, 6, 7, 5]])
    assert fed_step(run, target) == says
