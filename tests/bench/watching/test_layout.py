"""Proves what counts as the shape of sequences, from which the axis of examples is read."""

from __future__ import annotations

import pytest
import torch

from bench.watching.read.layout import sequence_likeness


@pytest.mark.parametrize(
    ("rows", "likeness"),
    [
        ([[1, 5, 6, 0, 0], [1, 7, 8, 9, 0], [1, 4, 4, 4, 4]], 2),  # a start symbol and padding
        ([[5, 6, 0, 0], [7, 8, 9, 0], [4, 5, 6, 7]], 1),  # padding on the right
        ([[0, 0, 5, 6], [0, 7, 8, 9], [4, 5, 6, 7]], 1),  # and on the left
        ([[5, 6, 2], [7, 8, 2], [9, 4, 2]], 0.5),  # an end symbol
        ([[5, 6, 7], [8, 9, 4], [6, 5, 3]], 0),
        ([[5, 6, 7], [8, 9, 4], [6, 5, 4]], 0),  # two rows that end alike
    ],
)
def test_rows_look_like_sequences_by_start_and_padding(
    rows: list[list[int]], likeness: float
) -> None:
    assert sequence_likeness(torch.tensor(rows)) == likeness


def test_random_symbols_seldom_look_like_sequences() -> None:
    generator = torch.Generator().manual_seed(0)
    batches = [torch.randint(3, 13, (6, 5), generator=generator) for _ in range(500)]
    assert sum(sequence_likeness(ids) > 0 for ids in batches) <= 5
