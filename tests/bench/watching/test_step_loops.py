"""Plants slips in encoders and decoders that are called for one step at a time."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from bench.watching.watch import Watch
from results.doctor.watched.rates import HARDLY_IN_A_TRIAL
from tests.bench.watching.scripts import written

SCRIPT = """
import random
import torch
import torch.nn.functional as F
from torch import nn

random.seed(0)
torch.manual_seed(0)
PAD, SOS, EOS = 0, 1, 2


def batch(size=16):
    rows = [[random.randint(3, 12) for _ in range(random.randint(2, 5))] for _ in range(size)]
    rows.sort(key=len, reverse=True)
    width = len(rows[0]) + 1
    source = torch.tensor([row + [EOS] + [PAD] * (width - 1 - len(row)) for row in rows]).t()
    return source, (25 - source) % 25 * (source > 2) + source * (source <= 2)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(25, 24)
        self.gru = nn.GRU(24, 32)

    def forward(self, word, hidden):
        return self.gru(self.embedding(word), hidden)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(25, 24)
        self.gru = nn.GRU(24, 32)
        self.concat = nn.Linear(64, 32)
        self.out = nn.Linear(32, 25)

    def forward(self, word, hidden, outputs):
        output, hidden = self.gru(self.embedding(word), hidden)
        scores = (output * outputs).sum(2)
        weights = F.softmax(scores.t(), dim=1)
        context = weights.unsqueeze(1).bmm(outputs.transpose(0, 1)).transpose(0, 1)
        output = torch.tanh(self.concat(torch.cat([output, context], 2)))
        return F.log_softmax(self.out(output[0]), dim=1), hidden


encoder, decoder = Encoder(), Decoder()
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.01)
for step in range(64):
    source, target = batch()
    hidden = first = torch.zeros(1, source.shape[1], 32)
    outputs = []
    for at in range(len(source)):
        output, hidden = encoder(source[at:at + 1], hidden)
        outputs.append(output)
    outputs = torch.cat(outputs)
    word, loss = torch.full((1, source.shape[1]), SOS), 0
    forced = random.random() < 0.5
    for at in range(len(target)):
        scores, hidden = decoder(word, hidden, outputs)
        weight = (target[at] != PAD).float()
        loss = loss + (F.nll_loss(scores, target[at], reduction="none") * weight).sum()
        word = target[at][None] if forced else scores.argmax(1)[None]
    optimizer.zero_grad()
    (loss / (target != PAD).sum()).backward()
    optimizer.step()
"""
Replaced = list[tuple[str, str]]
CONTEXT = """        context = weights.unsqueeze(1).bmm(outputs.transpose(0, 1)).transpose(0, 1)
        output = torch.tanh(self.concat(torch.cat([output, context], 2)))
"""
WEIGHTS = ("F.softmax(scores.t(), dim=1)", "F.softmax(scores, dim=1).t()")
NO_CONTEXT = (CONTEXT, "        output = torch.tanh(self.concat(torch.cat([output, output], 2)))\n")
"""The encoder's outputs are not used: where it loses its state, most of it leads nowhere."""
ENCODER_RESET = ("encoder(source[at:at + 1], hidden)", "encoder(source[at:at + 1], first)")
DECODER_RESET: Replaced = [
    ("word, loss = torch", "state, word, loss = hidden, torch"),
    (
        "scores, hidden = decoder(word, hidden, outputs)",
        "scores, _ = decoder(word, state, outputs)",
    ),
]
OVER_BATCH = (
    "F.log_softmax(self.out(output[0]), dim=1)",
    "F.log_softmax(self.out(output[0]), dim=0)",
)
END_LEFT_OUT: Replaced = [
    ("random.random() < 0.5", "True"),
    ("(target[at] != PAD).float()", "(target[at] > EOS).float()"),
]
FULL_STOP = ("range(random.randint(2, 5))]", "range(random.randint(2, 5))] + [12]")
"""Every sentence ends with the same word, which is no end symbol."""
RAISES = ("    optimizer.step()\n", "    raise TypeError('no clip')\n    optimizer.step()\n")


def causes(folder: Path, replaced: Replaced) -> list[str]:
    """Return the causes found in the script with some texts replaced by others."""
    path = written(folder, SCRIPT, replaced)
    doctor = Watch()
    try:
        with doctor:
            runpy.run_path(str(path))
    except TypeError:
        assert RAISES in replaced
    assert not [text for text in doctor.watched.unseen if "error in bench" in text]
    rates = doctor.watched.rates
    if rates is not None and rates.trials:
        # other rates are tried only where the script's own does not make the loss fall
        before, after = rates.trials["1"]
        assert ("10" in rates.trials) == (after > HARDLY_IN_A_TRIAL * before)
    return [finding.cause for finding in doctor.findings]


@pytest.mark.parametrize(
    ("replaced", "found"),
    [
        ([], []),
        ([NO_CONTEXT], []),
        ([WEIGHTS], ["attention-over-batch"]),
        ([NO_CONTEXT, ENCODER_RESET], ["state-reset"]),
        (DECODER_RESET, ["state-not-advanced"]),
        ([OVER_BATCH], ["softmax-over-batch"]),
        (END_LEFT_OUT, ["no-eos-in-loss"]),
        ([*END_LEFT_OUT, FULL_STOP], ["no-eos-in-loss"]),
        ([FULL_STOP], []),
        ([RAISES], ["script-raises"]),
    ],
    ids=lambda value: ",".join(value) if value and isinstance(value[0], str) else "",
)
def test_a_slip_in_a_loop_is_the_only_finding(
    tmp_path: Path, replaced: Replaced, found: list[str]
) -> None:
    assert causes(tmp_path, replaced) == found


LOGITS = "return F.log_softmax(self.out(output[0]), dim=1), hidden"
PROBABILITIES = "F.softmax(self.out(output[0]), dim=1)"
GATHERED: Replaced = [
    (
        'F.nll_loss(scores, target[at], reduction="none")',
        "-torch.log(scores.gather(1, target[at][:, None])[:, 0] + 1e-9)",
    )
]


@pytest.mark.parametrize(
    "mixed",
    [
        "(0.5 * vocabulary).scatter_add(1, source.t(), 0.5 * weights)",
        "vocabulary.lerp((weights[:, None] @ F.one_hot(source.t(), 25).float())[:, 0], gate)",
    ],
)
def test_a_model_that_copies_symbols_is_said_to_be_unread(tmp_path: Path, mixed: str) -> None:
    """Its attention is a softmax over the source whose probabilities the loss adds."""
    copies = f"vocabulary = {PROBABILITIES}\n"
    copies += "        gate = torch.sigmoid(output[0].mean(1, keepdim=True))\n"
    copies += f"        mixed = {mixed}\n        return mixed, hidden"
    path = written(tmp_path, SCRIPT, [(LOGITS, copies), *GATHERED])
    with Watch() as doctor:
        runpy.run_path(str(path))
    assert doctor.findings == []
    assert "as a pointer does" in " ".join(doctor.watched.unseen)


def test_a_softmax_in_another_line_is_no_second_one(tmp_path: Path) -> None:
    """Steps take one line or the other by the symbol that they are fed."""
    lines = f"if int(word[0, 0]) % 2:\n            return {PROBABILITIES}, hidden\n"
    lines += f"        return {PROBABILITIES}, hidden"
    assert causes(tmp_path, [(LOGITS, lines), *GATHERED]) == []


def test_a_second_term_that_attention_reaches_is_no_second_softmax(tmp_path: Path) -> None:
    """As the divergence of a variational model, which has the logarithm of a layer's output."""
    kept = f"self.side = F.softplus(self.concat(output.repeat(1, 1, 2))).mean()\n        {LOGITS}"
    term = "    loss = loss - 0.001 * torch.log(decoder.side)\n    optimizer.zero_grad()\n"
    assert causes(tmp_path, [(LOGITS, kept), ("    optimizer.zero_grad()\n", term)]) == []
