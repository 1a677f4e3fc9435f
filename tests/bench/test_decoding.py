"""Proves that greedy decoding takes the argmax, feeds it back, and stops at eos or the limit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bench.decoding import greedy
from tasks import BOS, EOS
from tests.small import TARGETS, built, rows, sequences
from variants import Batch, Encoded, Model, Step

A, B, C = 3, 4, 5


class Scripted(Model):
    """Says row b's script, one token a step; fed: what it was given. Attends if asked to."""

    def __init__(self, script: list[list[int]], attends: bool = False) -> None:
        super().__init__()
        self.script = script
        self.attends = attends
        self.fed: list[list[int]] = []

    def encode(self, batch: Batch) -> Encoded:
        return Encoded(batch.source_mask_BS, 0)

    def step(self, tokens_B: Tensor, state: Any, memory: Any) -> Step:
        self.fed.append(tokens_B.tolist())
        said = torch.tensor([row[state] for row in self.script])
        logits_BV = torch.nn.functional.one_hot(said, TARGETS).double()
        weights = memory / memory.sum(1, keepdim=True) + 0.001 * state if self.attends else None
        return Step(logits_BV, state + 1, weights)


def sources(*lengths: int) -> Batch:
    return sequences([([A] * length, []) for length in lengths])


def test_stops_when_every_row_has_ended() -> None:
    model = Scripted([[A, EOS, B, B], [B, C, EOS, B]])
    decoded = greedy(model, sources(2, 3), limit=4)
    assert [row.tolist() for row in decoded.ids] == [[A], [B, C]]
    assert decoded.ended == [True, True]
    assert decoded.attention is None
    assert all(row.dtype == np.int32 for row in decoded.ids)
    # bos first, then its own tokens; no step after the last eos
    assert model.fed == [[BOS, BOS], [A, B], [EOS, C]]


def test_stops_at_the_limit() -> None:
    model = Scripted([[A, B, C, A], [EOS, B, C, A], [A, B, EOS, A]])
    decoded = greedy(model, sources(1, 1, 1), limit=3)
    assert [row.tolist() for row in decoded.ids] == [[A, B, C], [], [A, B]]
    assert decoded.ended == [False, True, True]
    assert len(model.fed) == 3


def test_attention_rows() -> None:
    model = Scripted([[A, EOS, A], [A, B, C]], attends=True)
    decoded = greedy(model, sources(2, 3), limit=3, attention=True)
    assert decoded.attention is not None
    # a row's steps are its tokens and its eos, if it came; its columns are its own source
    assert [np.shape(row) for row in decoded.attention] == [(2, 2), (3, 3)]
    np.testing.assert_allclose(decoded.attention[0], [[0.5, 0.5], [0.501, 0.501]])
    np.testing.assert_allclose(decoded.attention[1][2], [0.3353] * 3)


@pytest.mark.parametrize(("attends", "asked"), [(True, False), (False, True)])
def test_attention_only_where_asked_and_there(attends: bool, asked: bool) -> None:
    model = Scripted([[A, EOS]], attends)
    assert greedy(model, sources(1), limit=2, attention=asked).attention is None


@given(
    seed=st.integers(0, 1000),
    text=st.sampled_from(
        ["base", "cell=lstm,attention=dot", "attention=additive,decoder_input=output+context"]
    ),
)
@torch.no_grad()
def test_equals_a_loop_over_single_rows(seed: int, text: str) -> None:
    examples = rows(seed, 4)
    model = built(text, seed)
    decoded = greedy(model, sequences(examples), limit=7, attention=True)
    for number, example in enumerate(examples):
        memory, state = model.encode(sequences([example]))
        token, said, weights = BOS, list[int](), list[torch.Tensor | None]()
        while token != EOS and len(said) < 7:
            logits, state, attention = model.step(torch.tensor([token]), state, memory)
            token = max(range(TARGETS), key=lambda v: float(logits[0, v]))
            said.append(token)
            weights.append(attention)
        assert decoded.ended[number] == (token == EOS)
        assert decoded.ids[number].tolist() == (said[:-1] if token == EOS else said)
        if decoded.attention is not None:
            rows_of_weights = torch.cat([w for w in weights if w is not None]).numpy()
            np.testing.assert_allclose(decoded.attention[number], rows_of_weights, atol=6e-5)
        else:
            assert weights == [None] * len(weights)
