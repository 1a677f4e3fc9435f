"""Proves that greedy decoding takes the argmax, feeds it back, and stops at eos or the limit.

And that beam search with one hypothesis is greedy, with enough of them finds the best of all
outputs, and in between what a plain search over lists finds.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bench.training.decoding import Decoding, beam, decode, greedy, pick, read_decoding
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


# beam search

TEXTS = (
    "base",
    "cell=lstm,attention=dot",
    "cell=slstm,attention=additive,attention_order=before,decoder_input=output+context",
    "cell=mingru,attention=local-m,input_feeding=on",
    "cell=transformer",
    "decoder_input=context",
)
penalties = st.sampled_from([0.0, 0.6, 1.0, 2.0])


def log_p(model: Model, source: list[int], said: list[int]) -> float:
    """Of an output, eos among it if it ends, step by step."""
    memory, state = model.encode(sequences([(source, [])]))
    token, total = BOS, 0.0
    for after in said:
        logits, state, _ = model.step(torch.tensor([token]), state, memory)
        total += float(logits.log_softmax(-1)[0, after])
        token = after
    return total


def penalised(value: float, length: int, alpha: float) -> float:
    """Wu et al. 2016, eq. 14, length penalty alone."""
    return value / float((5 + length) ** alpha / (5 + 1) ** alpha)


@given(seed=st.integers(0, 1000), text=st.sampled_from(TEXTS), alpha=penalties)
@torch.no_grad()
def test_one_hypothesis_is_greedy(seed: int, text: str, alpha: float) -> None:
    model, batch = built(text, seed), sequences(rows(seed, 4))
    plain, one = greedy(model, batch, 6), beam(model, batch, 6, Decoding(1, alpha))
    assert [row.tolist() for row in one.ids] == [row.tolist() for row in plain.ids]
    assert one.ended == plain.ended


def outputs(limit: int) -> list[list[int]]:
    """Everything that could be said in at most so many tokens."""
    others = [token for token in range(TARGETS) if token != EOS]
    whole: list[list[int]] = []
    for length in range(limit):
        whole += [[*said, EOS] for said in itertools.product(others, repeat=length)]
    return whole + [list(said) for said in itertools.product(others, repeat=limit)]


@pytest.mark.parametrize("text", TEXTS)
@torch.no_grad()
def test_a_wide_beam_finds_the_best_of_all(text: str) -> None:
    limit, examples = 3, rows(5, 2)
    model = built(text, 5)
    scored = [
        [(log_p(model, source, said), said) for said in outputs(limit)] for source, _ in examples
    ]
    for alpha in (0.0, 1.0, 3.0):
        found = beam(model, sequences(examples), limit, Decoding(TARGETS**limit, alpha))
        for number, known in enumerate(scored):
            _, best = max(
                (penalised(value, len(said), alpha), place)
                for place, (value, said) in enumerate(known)
            )
            said = known[best][1]
            assert found.ids[number].tolist() == [token for token in said if token != EOS]
            assert found.ended[number] == (said[-1] == EOS)


def searched(
    model: Model, source: list[int], limit: int, width: int, alpha: float
) -> tuple[list[int], bool]:
    """Beam search over lists, for one source."""
    alive: list[tuple[float, list[int]]] = [(0.0, [])]
    over: list[tuple[float, list[int]]] = []
    for step in range(1, limit + 1):
        extended = [
            (log_p(model, source, [*said, token]), [*said, token])
            for _, said in alive
            for token in range(TARGETS)
        ]
        kept = sorted(extended, key=lambda pair: -pair[0])[:width]
        ended = [(value, said) for value, said in kept if said[-1] == EOS or step == limit]
        over += [(penalised(value, len(said), alpha), said) for value, said in ended]
        alive = [(value, said) for value, said in kept if said[-1] != EOS]
    _, best = max(over, key=lambda pair: pair[0])
    return ([*best[:-1]], True) if best[-1] == EOS else (best, False)


@pytest.mark.parametrize("text", TEXTS[:5])
@pytest.mark.parametrize(("width", "alpha"), [(2, 0.0), (3, 1.0), (5, 0.6)])
@torch.no_grad()
def test_equals_a_search_over_lists(text: str, width: int, alpha: float) -> None:
    examples, model = rows(7, 3), built(text, 7)
    found = beam(model, sequences(examples), 4, Decoding(width, alpha))
    for number, (source, _) in enumerate(examples):
        said, ended = searched(model, source, 4, width, alpha)
        assert (found.ids[number].tolist(), found.ended[number]) == (said, ended)


@torch.no_grad()
def test_beams_attention_is_that_of_its_output() -> None:
    examples, model = rows(2, 3), built("attention=general", 2)
    found = decode(model, sequences(examples), 5, Decoding(3), attention=True)
    assert found.attention is not None
    for number, (source, _) in enumerate(examples):
        memory, state = model.encode(sequences([(source, [])]))
        token = BOS
        said = [*found.ids[number], *([EOS] if found.ended[number] else [])]
        for row, after in zip(found.attention[number], said, strict=True):
            _, state, weights = model.step(torch.tensor([token]), state, memory)
            assert weights is not None
            np.testing.assert_allclose(row, weights[0].numpy(), atol=6e-5)
            token = int(after)
    plain = decode(built("base", 2), sequences(examples), 5, Decoding(3), attention=True)
    assert plain.attention is None


class Pair(NamedTuple):
    """A nested state."""

    left: Any
    right: Any


def test_pick_reaches_every_tensor() -> None:
    tree = Pair((torch.arange(3), 7), Pair(None, torch.eye(3)))
    picked = pick(tree, torch.tensor([2, 0]))
    assert isinstance(picked, Pair)
    assert picked.left[0].tolist() == [2, 0]
    assert picked.left[1] == 7
    assert picked.right.left is None
    assert picked.right.right.tolist() == [[0, 0, 1], [1, 0, 0]]


@given(width=st.integers(1, 1000), alpha=st.sampled_from([0.0, 0.25, 0.6, 1.0, 10.0]))
def test_a_decodings_text_is_read_back(width: int, alpha: float) -> None:
    how = Decoding(width, alpha if width > 1 else 0.0)
    assert read_decoding(how.text) == how


@pytest.mark.parametrize(
    "text", ["", "gredy", "beam", "beam=0", "beam=1001", "beam=x", "beam=5,length_penalty=11"]
)
def test_other_decodings_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="give greedy, beam=5"):
        read_decoding(text)
