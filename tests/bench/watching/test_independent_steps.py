"""Trains models whose steps know nothing of each other: the lost state is the only finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.watching.scripts import causes

SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
SOS, EOS, LENGTH, BATCH = 10, 11, 4, 16
embed, encoder = nn.Embedding(12, 16), nn.LSTMCell(16, 24)
embed_target, decoder, out = nn.Embedding(12, 16), nn.LSTMCell(16, 24), nn.Linear(24, 12)
layers = nn.ModuleList([embed, encoder, embed_target, decoder, out])
optimizer = torch.optim.Adam(layers.parameters(), lr=0.003)
criterion = nn.CrossEntropyLoss()
for step in range(60):
    source = torch.randint(0, 10, (LENGTH, BATCH))
    target = torch.cat([source.flip(0), torch.full((1, BATCH), EOS)])
    word, loss = torch.full((BATCH,), SOS), 0
    for at in range(LENGTH + 1):
        state = (torch.zeros(BATCH, 24), torch.zeros(BATCH, 24))
        for place in range(LENGTH):
            state = encoder(embed(source[place]), state)
        state = decoder(embed_target(word), state)
        scores, word = out(state[0]), target[at]
        loss = loss + criterion(scores, target[at])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


@pytest.mark.parametrize(
    ("replaced", "found"),
    [
        ([], ["state-reset"]),
        ([("loss + criterion", "criterion")], ["loss-of-last-step-only", "state-reset"]),
    ],
)
def test_the_lost_state_is_named(
    tmp_path: Path, replaced: list[tuple[str, str]], found: list[str]
) -> None:
    assert causes(tmp_path, replaced, SCRIPT) == found
