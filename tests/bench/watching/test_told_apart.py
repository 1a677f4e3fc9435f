"""Tells apart what looks alike: features and examples, ignored predictions and others."""

from __future__ import annotations

import runpy
from pathlib import Path

import torch

from bench.watching.measure.losses import _inside
from bench.watching.measure.rows import _moved_examples
from bench.watching.watch import Watch
from results.doctor.examined import LIKELY, SURE, Finding
from results.doctor.watched import _without_consequences


def test_features_of_flattened_examples_are_no_examples() -> None:
    """Packed sequences have no axis of examples, though they may have as many features."""
    packed = torch.zeros(107, 32)
    assert _moved_examples(packed, packed + 1, 32) is None
    scores = torch.zeros(6, 32)
    after = scores.clone()
    after[:, 3] = 1
    assert _moved_examples(scores, after, 32) == 1


def test_predictions_without_weight_inside_of_examples() -> None:
    weight_BT = torch.tensor([[1.0, 1.0, 0.0, 1.0]])
    assert _inside(weight_BT).tolist() == [[False, False, True, False]]
    assert not _inside(weight_BT.flip(1)[:, 1:]).any()


def test_a_rate_is_not_judged_by_gradients_that_pile_up() -> None:
    piled = Finding("uncleared-gradients", SURE, "seen", "change")
    rate = Finding("rate-too-low", LIKELY, "seen", "change")
    found = {finding.cause: finding for finding in (rate, piled)}
    assert _without_consequences(found) == [piled]


TAGGER = """
import random
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

random.seed(0)
torch.manual_seed(0)


def batch(size=16):
    lengths = sorted((random.randint(2, 9) for _ in range(size)), reverse=True)
    words, letters = torch.zeros(size, 9).long(), torch.randint(1, 9, (size * 9, 4))
    for row, length in enumerate(lengths):
        words[row, :length] = torch.randint(1, 20, (length,))
    words = words[:, :lengths[0]]
    tags = (words % 3 + 1) * (words > 0)
    return words, letters[: words.numel()], lengths, tags


words_in, letters_in = nn.Embedding(20, 16), nn.Embedding(9, 8)
of_letters = nn.LSTM(8, 8, batch_first=True)
lstm, out = nn.LSTM(24, 16, batch_first=True, bidirectional=True), nn.Linear(32, 4)
parts = nn.ModuleList([words_in, letters_in, of_letters, lstm, out])
optimizer = torch.optim.Adam(parts.parameters(), lr=0.01)
loss_of = nn.CrossEntropyLoss(ignore_index=0)
for step in range(64):
    words, letters, lengths, tags = batch()
    ends = of_letters(letters_in(letters))[1][0][0].view(*words.shape, -1)
    embedded = torch.cat([words_in(words), ends], 2)
    outputs, _ = lstm(pack_padded_sequence(embedded, lengths, batch_first=True))
    outputs, _ = pad_packed_sequence(outputs, batch_first=True)
    loss = loss_of(out(outputs).flatten(0, 1), tags.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
"""Its outputs at padding are constant, and its letters have no axis of examples."""


def causes(path: Path, script: str) -> list[str]:
    """Watch a script and return the causes found."""
    path.write_text(script, "utf-8")
    with Watch() as doctor:
        runpy.run_path(str(path))
    return [finding.cause for finding in doctor.findings]


def test_words_of_letters_are_no_decoder(tmp_path: Path) -> None:
    assert causes(tmp_path / "train.py", TAGGER) == []


def test_labels_of_a_tagger_in_the_other_order(tmp_path: Path) -> None:
    script = TAGGER.replace("tags.flatten()", "tags.T.flatten()")
    assert causes(tmp_path / "train.py", script) == ["targets-transposed"]


def test_words_of_as_many_letters_as_there_are_examples(tmp_path: Path) -> None:
    assert causes(tmp_path / "train.py", TAGGER.replace("size=16", "size=4")) == []


FUNCTIONS = """
import torch

torch.manual_seed(0)
SYMBOLS, HIDDEN = 14, 24


def tensor(*shape):
    return torch.randn(*shape) / shape[-1] ** 0.5


params = {
    'embedding': tensor(SYMBOLS, HIDDEN), 'fed': tensor(SYMBOLS, HIDDEN),
    'read': tensor(HIDDEN, 2 * HIDDEN), 'write': tensor(HIDDEN, 2 * HIDDEN),
    'out': tensor(SYMBOLS, 2 * HIDDEN),
}
average = {name: torch.zeros_like(value) for name, value in params.items()}


def apply(p, source, fed):
    state, memory, logits = torch.zeros(len(source), HIDDEN), [], []
    for t in range(source.shape[1]):
        state = torch.tanh(torch.cat([p['embedding'][source[:, t]], state], 1) @ p['read'].T)
        memory.append(state)
    memory = torch.stack(memory, 1)
    for t in range(fed.shape[1]):
        state = torch.tanh(torch.cat([p['fed'][fed[:, t]], state], 1) @ p['write'].T)
        weights = torch.softmax(torch.einsum('bh,bsh->bs', state, memory), 1)
        context = torch.einsum('bs,bsh->bh', weights, memory)
        logits.append(torch.cat([state, context], 1) @ p['out'].T)
    return torch.stack(logits, 1)


for step in range(60):
    source = torch.randint(4, SYMBOLS, (16, 6))
    answer = source.sort(1).values
    fed = torch.cat([torch.ones(16, 1).long(), answer], 1)
    asked = torch.cat([answer, torch.full((16, 1), 2)], 1)
    leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
    scores = torch.log_softmax(apply(leaves, source, fed), -1)
    loss = -scores.gather(-1, asked[..., None]).mean()
    grads = dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values()))))
    for name in params:
        average[name] = 0.9 * average[name] + 0.1 * grads[name]
    params = {name: params[name] - 0.5 * average[name] for name in params}
"""
"""Its parameters are plain tensors, which become leaves anew in each step."""


def test_parameters_may_become_leaves_anew_in_each_step(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text(FUNCTIONS, "utf-8")
    with Watch() as doctor:
        runpy.run_path(str(path))
    assert ([finding.cause for finding in doctor.findings], doctor.watched.unseen) == ([], ())
    assert doctor.watched.losses is not None
    over_time = FUNCTIONS.replace("source, fed), -1)", "source, fed), 1)")
    assert causes(path, over_time) == ["softmax-over-time"]


def test_a_frozen_embedding_is_not_judged_before_it_has_its_values(tmp_path: Path) -> None:
    made = "words_in, letters_in = nn.Embedding(20, 16), nn.Embedding(9, 8)\n"
    frozen = made + "words_in.weight.requires_grad_(False)\n"
    assert causes(tmp_path / "train.py", TAGGER.replace(made, frozen)) == []
