"""Proves that batches hold every example once, in an order that its seed alone decides and that
any position can resume; and that a collated batch is what a loop over its rows would write."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.specs import BATCHING
from bench.training.batching import (
    BATCHINGS,
    DataPosition,
    by_length,
    collate,
    endless,
    length_batches,
)
from tasks import BOS, EOS, PAD, Ragged, Split
from tests.small import LABELS, SEQUENCES

ids = st.integers(3, 99)
pairs = st.lists(
    st.tuples(st.lists(ids, min_size=1, max_size=6), st.lists(ids, max_size=6)),
    min_size=1,
    max_size=40,
)
sizes = st.integers(1, 9)
seeds = st.integers(0, 2**32)


def made(rows: list[tuple[list[int], list[int]]]) -> Split:
    return Split(Ragged.of(s for s, _ in rows), (Ragged.of(t for _, t in rows),))


def of_lengths(lengths: list[int]) -> Split:
    return made([([3] * length, [4]) for length in lengths])


def listed(split: Split, size: int, seed: int) -> list[list[int]]:
    lengths = split.source.lengths, split.targets[0].lengths
    return [batch.tolist() for batch in length_batches(*lengths, size, np.random.default_rng(seed))]


@given(pairs, sizes, seeds)
def test_every_example_once(rows: list[tuple[list[int], list[int]]], size: int, seed: int) -> None:
    split = made(rows)
    batches = listed(split, size, seed)
    assert sorted(index for batch in batches for index in batch) == list(range(len(rows)))
    assert all(1 <= len(batch) <= size for batch in batches)
    # no more batches than needed: what is left over is put together
    assert len(batches) == -(-len(rows) // size)
    # an uneven batch holds leftovers alone, fewer than `size` of each length
    uneven = [b for b in batches if len({len(rows[index][0]) for index in b}) > 1]
    assert len(uneven) <= len({len(source) for source, _ in rows})


@given(pairs, sizes, seeds)
def test_order_is_its_seeds(rows: list[tuple[list[int], list[int]]], size: int, seed: int) -> None:
    split = made(rows)
    assert listed(split, size, seed) == listed(split, size, seed)


def test_another_seed_another_order() -> None:
    split = of_lengths([1 + index % 5 for index in range(100)])
    assert listed(split, 8, 0) != listed(split, 8, 1)


def test_most_batches_are_even() -> None:
    random = np.random.default_rng(0)
    split = of_lengths(random.integers(5, 10, size=1000).tolist())
    lengths = split.source.lengths
    batches = listed(split, 32, 0)
    even = sum(len(set(lengths[batch].tolist())) == 1 for batch in batches)
    assert even >= 0.8 * len(batches)


def test_order_of_batches_is_not_by_length() -> None:
    """Short before long would be a curriculum that nobody asked for."""
    split = of_lengths([1 + index // 40 for index in range(200)])
    lengths = [int(split.source.lengths[batch[0]]) for batch in listed(split, 8, 0)]
    assert lengths != sorted(lengths)
    assert lengths != sorted(lengths, reverse=True)


def test_leftovers_are_drawn_fairly() -> None:
    """What is left over of a length does not depend on the length of its target."""
    split = made([([3], [4] * (index % 10)) for index in range(20)] + [([3, 3], [4])])
    left = np.zeros(21)
    for seed in range(400):
        left[[index for batch in listed(split, 7, seed) if 20 in batch for index in batch]] += 1
    # 20 = 2 * 7 + 6: each is left over 3 times in 10, six standard deviations around
    assert np.all(np.abs(left[:20] / 400 - 0.3) < 6 * (0.3 * 0.7 / 400) ** 0.5)


@given(pairs, sizes, seeds, st.integers(0, 30), st.integers(1, 20))
def test_resumes_from_any_position(
    rows: list[tuple[list[int], list[int]]], size: int, seed: int, done: int, more: int
) -> None:
    split = made(rows)

    def taken(start: DataPosition, first: int, last: int) -> list[tuple[list[int], DataPosition]]:
        stream = islice(endless(split, size, seed, start), first, last)
        return [(indices.tolist(), position) for indices, position in stream]

    through = taken(DataPosition(), 0, done + more)
    position = through[done - 1][1] if done else DataPosition()
    assert taken(position, 0, more) == through[done:]


def test_epochs_differ_and_each_is_whole() -> None:
    split = of_lengths([1 + index % 3 for index in range(20)])
    count = len(listed(split, 4, 0))
    stream = [
        batch.tolist() for batch, _ in islice(endless(split, 4, 0, DataPosition()), 2 * count)
    ]
    first, second = stream[:count], stream[count:]
    assert first != second
    for epoch in (first, second):
        assert sorted(index for batch in epoch for index in batch) == list(range(20))


@given(pairs, sizes, seeds, st.integers(0, 30), st.integers(1, 20))
def test_random_batches_are_whole_and_resume(
    rows: list[tuple[list[int], list[int]]], size: int, seed: int, done: int, more: int
) -> None:
    """They are one permutation an epoch, cut into pieces, whatever the lengths."""
    split, count = made(rows), -(-len(rows) // size)

    def taken(start: DataPosition, last: int) -> list[tuple[list[int], DataPosition]]:
        stream = islice(endless(split, size, seed, start, "random"), last)
        return [(indices.tolist(), position) for indices, position in stream]

    through = taken(DataPosition(), max(done + more, count))
    epoch = [batch for batch, _ in through[:count]]
    assert sorted(index for batch in epoch for index in batch) == list(range(len(rows)))
    assert [len(batch) for batch in epoch[:-1]] == [size] * (count - 1)
    position = through[done - 1][1] if done else DataPosition()
    assert taken(position, more) == through[done : done + more]


def test_random_batches_mix_lengths() -> None:
    split = of_lengths([5 + index % 5 for index in range(1000)])
    stream = islice(endless(split, 32, 0, DataPosition(), "random"), 31)
    assert all(len(set(split.source.lengths[batch].tolist())) > 1 for batch, _ in stream)


def test_every_kind_of_batches_has_a_maker() -> None:
    assert tuple(BATCHINGS) == BATCHING


@given(pairs, sizes)
def test_in_order_is_sorted_and_whole(rows: list[tuple[list[int], list[int]]], size: int) -> None:
    batches = [batch.tolist() for batch in by_length(made(rows), size)]
    flat = [index for batch in batches for index in batch]
    assert flat == sorted(range(len(rows)), key=lambda index: len(rows[index][0]))
    assert all(len(batch) <= size for batch in batches)


def filled(row: list[int], width: int) -> list[int]:
    return row + [PAD] * (width - len(row))


@given(pairs)
def test_collate_sequences(rows: list[tuple[list[int], list[int]]]) -> None:
    batch = collate(made(rows), SEQUENCES, "cpu")
    sources = [source for source, _ in rows]
    targets = [target for _, target in rows]
    width, length = max(map(len, sources)), max(map(len, targets)) + 1
    assert batch.source_BS.tolist() == [filled(source, width) for source in sources]
    assert batch.source_mask_BS.tolist() == [
        [place < len(source) for place in range(width)] for source in sources
    ]
    assert batch.lengths_B.tolist() == [len(source) for source in sources]
    assert batch.even == (len({len(source) for source in sources}) == 1)
    assert batch.inputs_BT.tolist() == [filled([BOS, *target], length) for target in targets]
    (given_targets,) = batch.targets
    assert given_targets.tolist() == [filled([*target, EOS], length) for target in targets]
    assert batch.mask_BT.tolist() == [
        [place <= len(target) for place in range(length)] for target in targets
    ]
    assert batch.tokens == sum(len(target) + 1 for target in targets)


@given(st.lists(st.lists(ids, min_size=1, max_size=6), min_size=1, max_size=20))
def test_collate_labels(sources: list[list[int]]) -> None:
    heads = [[[index % size for index in source] for source in sources] for size in (2, 5)]
    split = Split(Ragged.of(sources), tuple(map(Ragged.of, heads)))
    batch = collate(split, LABELS, "cpu")
    width = max(map(len, sources))
    rows = [filled(source, width) for source in sources]
    real = [[place < len(source) for place in range(width)] for source in sources]
    assert batch.source_BS.tolist() == batch.inputs_BT.tolist() == rows
    assert batch.source_mask_BS.tolist() == batch.mask_BT.tolist() == real
    assert [target.tolist() for target in batch.targets] == [
        [filled(labels, width) for labels in head] for head in heads
    ]
    assert batch.tokens == sum(map(len, sources))


@pytest.mark.parametrize("facts", [SEQUENCES, LABELS])
def test_types_and_places(facts: object) -> None:
    split = made([([3, 4], [5, 6]), ([3], [4])])
    if facts is LABELS:
        split = Split(split.source, (split.source, split.source))
    batch = collate(split, LABELS if facts is LABELS else SEQUENCES, "cpu")
    assert batch.lengths_B.device.type == "cpu"
    assert batch.lengths_B.dtype == batch.source_BS.dtype == batch.inputs_BT.dtype == torch.int64
    assert batch.mask_BT.dtype == batch.source_mask_BS.dtype == torch.bool


def test_collate_leaves_the_split_alone() -> None:
    split = made([([3, 4], [5, 6]), ([3], [4])])
    before = split.targets[0].ids.copy()
    collate(split, SEQUENCES, "cpu")
    assert np.array_equal(split.targets[0].ids, before)
