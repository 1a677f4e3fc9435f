"""Proves that cell=attn-decoder-rnn computes what the tutorial's decoder does, written out here."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.small import FIRST, LONGEST, TARGETS, built, by_row, close, sequences
from variants import Model

HIDDEN, EMBEDDING = 8, 5
EXAMPLES = [([3, 4, 5, 6, 7], [3, 4]), ([8, 9], [5, 6, 7]), ([10, 3, 4], [8])]


class Tutorial:
    """The tutorial's encoder and decoder of one sentence, of torch's own modules."""

    def __init__(self, model: Model) -> None:
        names = dict(model.named_parameters())
        self.source, self.target = names["embedding.table"], names["decoder.embedding.table"]
        self.encoder = self._gru(names, "encoder.stack.cells.0.layer", EMBEDDING)
        self.decoder = self._gru(names, "decoder.stack.cells.0.layer", HIDDEN)
        self.attn = self._linear(names, "decoder.attention.to_positions")
        self.combine = self._linear(names, "decoder.combine")
        self.out = self._linear(names, "decoder.output")

    @staticmethod
    def _gru(names: dict[str, nn.Parameter], prefix: str, size: int) -> nn.GRU:
        gru = nn.GRU(size, HIDDEN).double()
        for name, parameter in gru.named_parameters():
            parameter.data = names[f"{prefix}.{name}"].data
        return gru

    @staticmethod
    def _linear(names: dict[str, nn.Parameter], prefix: str) -> nn.Linear:
        weight = names[f"{prefix}.weight"]
        linear = nn.Linear(weight.shape[1], weight.shape[0]).double()
        linear.weight.data, linear.bias.data = weight.data, names[f"{prefix}.bias"].data
        return linear

    def logits(self, source: list[int], fed: list[int], masked: bool) -> tuple[Tensor, Tensor]:
        """Return logits (T, V) and weights (T, positions), one step after another."""
        hidden = torch.zeros(1, 1, HIDDEN, dtype=torch.float64)
        encoder_outputs = torch.zeros(LONGEST, HIDDEN, dtype=torch.float64)
        for index, symbol in enumerate(source):
            output, hidden = self.encoder(self.source[symbol].view(1, 1, -1), hidden)
            encoder_outputs[index] = output[0, 0]
        found, weights = [], []
        for token in fed:
            embedded = self.target[token].view(1, 1, -1)
            scores = self.attn(torch.cat((embedded[0], hidden[0]), 1))
            if masked:
                scores[:, len(source) :] = float("-inf")
            attn_weights = F.softmax(scores, dim=1)
            applied = torch.bmm(attn_weights.unsqueeze(0), encoder_outputs.unsqueeze(0))
            output = F.relu(self.combine(torch.cat((embedded[0], applied[0]), 1)).unsqueeze(0))
            output, hidden = self.decoder(output, hidden)
            found.append(self.out(output[0])[0])
            weights.append(attn_weights[0])
        return torch.stack(found), torch.stack(weights)


@torch.no_grad()
def test_logits_are_the_tutorials() -> None:
    model = built("cell=attn-decoder-rnn")
    tutorial, batch = Tutorial(model), sequences(EXAMPLES)
    found = by_row(model.score(batch)[0], batch)
    for row, (source, target) in enumerate(EXAMPLES):
        wanted, _ = tutorial.logits(source, [1, *target], masked=True)
        close(found[row], wanted)
        # the one deviation: a source that fills all positions has nothing to mask
        plain, _ = tutorial.logits(source, [1, *target], masked=False)
        assert torch.allclose(plain, wanted) == (len(source) == LONGEST)


@torch.no_grad()
def test_steps_give_the_tutorials_weights() -> None:
    model = built("cell=attn-decoder-rnn")
    batch = sequences(EXAMPLES[1:2])
    memory, state = model.encode(batch)
    _, wanted = Tutorial(model).logits(EXAMPLES[1][0], [1, 5, 6], masked=True)
    for step, token in enumerate([1, 5, 6]):
        _, state, weights_BS = model.step(torch.tensor([token]), state, memory)
        assert weights_BS is not None
        close(weights_BS[0], wanted[step, :2])


@torch.no_grad()
def test_a_source_longer_than_in_training_has_no_weight_beyond() -> None:
    model = built("cell=attn-decoder-rnn")
    longer = [FIRST + i for i in range(LONGEST + 2)]
    memory, state = model.encode(sequences([(longer, [3])]))
    logits_BV, _, weights_BS = model.step(torch.tensor([1]), state, memory)
    assert logits_BV.shape == (1, TARGETS)
    assert weights_BS is not None
    assert (weights_BS[0, LONGEST:] == 0).all()
