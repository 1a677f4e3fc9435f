"""Proves that the Transformer is torch's own, in one pass and token by token."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from tests.small import built, close, rows, sequences
from variants.seq2seq import Seq2Seq
from variants.transformer import TransformerDecoder, TransformerEncoder, positions


def parts(text: str) -> tuple[Seq2Seq, TransformerEncoder, TransformerDecoder]:
    model = built(text)
    assert isinstance(model, Seq2Seq)
    assert isinstance(model.encoder, TransformerEncoder)
    assert isinstance(model.decoder, TransformerDecoder)
    return model, model.encoder, model.decoder


@pytest.mark.parametrize("depth", [1, 3])
@torch.no_grad()
def test_equals_torchs_transformer(depth: int) -> None:
    """nn.TransformerEncoder and nn.TransformerDecoder over the same layers."""
    model, encoder, decoder = parts(f"cell=transformer,depth={depth}")
    batch = sequences(rows(2, 5))
    padding = ~batch.source_mask_BS

    def entered(
        part: TransformerEncoder | TransformerDecoder, vectors: torch.Tensor
    ) -> torch.Tensor:
        entered: torch.Tensor = part.enter(vectors)
        return entered + positions(0, entered.shape[1], entered.shape[2], entered)

    lower: Any = encoder.layers[0]
    theirs = nn.TransformerEncoder(lower, depth, enable_nested_tensor=False)
    theirs.layers = encoder.layers
    memory = theirs(
        entered(encoder, model.embedding(batch.source_BS)), src_key_padding_mask=padding
    )
    lowest: Any = decoder.layers[0]
    upper = nn.TransformerDecoder(lowest, depth)
    upper.layers = decoder.layers
    length = batch.inputs_BT.shape[1]
    out = upper(
        entered(decoder, decoder.embedding(batch.inputs_BT)),
        memory,
        tgt_mask=torch.ones(length, length, dtype=torch.bool).triu(1),
        memory_key_padding_mask=padding,
    )
    close(model.score(batch)[0], decoder.output(out)[batch.mask_BT])


def test_positions_are_their_equation() -> None:
    """Vaswani et al. 2017, section 3.5."""
    like = torch.zeros(1, dtype=torch.float64)
    found = positions(3, 4, 7, like)
    assert found.shape == (4, 7)
    for row in range(4):
        for column in range(7):
            angle = (3 + row) / 10000 ** (2 * (column // 2) / 7)
            expected = math.cos(angle) if column % 2 else math.sin(angle)
            assert float(found[row, column]) == pytest.approx(expected, abs=1e-12)


@torch.no_grad()
def test_no_position_sees_a_later_one() -> None:
    model, _, _ = parts("cell=transformer,depth=2")
    batch = sequences([([3, 4, 5], [6, 7, 8, 3])])
    (before,) = model.score(batch)
    inputs = batch.inputs_BT.clone()
    inputs[0, 3] = 4
    (after,) = model.score(batch._replace(inputs_BT=inputs))
    close(before[:3], after[:3])
    assert not torch.allclose(before[3:], after[3:])
