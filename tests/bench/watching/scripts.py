"""A small training script as text, in which tests plant slips by replacing lines."""

from __future__ import annotations

import runpy
from collections.abc import Iterable
from pathlib import Path

from bench.watching.watch import Watch

SCRIPT = """
import random
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

random.seed(0)
torch.manual_seed(0)

LETTERS = list("abcdefgh")
source_texts = ["<pad>", "<unk>"] + LETTERS
target_texts = ["<pad>", "<bos>", "<eos>", "<unk>"] + [letter.upper() for letter in LETTERS] + ["-"]
source_ids = {text: number for number, text in enumerate(source_texts)}
target_ids = {text: number for number, text in enumerate(target_texts)}


def make_pair():
    letters = [random.choice(LETTERS) for _ in range(random.randint(2, 4))]
    return letters, [letter.upper() for letter in letters]


pairs = [make_pair() for _ in range(400)]
sources = [torch.tensor([source_ids[text] for text in source]) for source, _ in pairs]
targets = [torch.tensor([1] + [target_ids[text] for text in target] + [2]) for _, target in pairs]


def batches():
    order = list(range(len(pairs)))
    random.shuffle(order)
    for begin in range(0, len(order), 16):
        rows = order[begin : begin + 16]
        lengths = torch.tensor([len(sources[row]) for row in rows])
        yield (
            pad_sequence([sources[row] for row in rows], batch_first=True),
            lengths,
            pad_sequence([targets[row] for row in rows], batch_first=True),
        )


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.source = nn.Embedding(len(source_texts), 24)
        self.target = nn.Embedding(len(target_texts), 24)
        self.encoder = nn.GRU(24, 48, batch_first=True)
        self.decoder = nn.GRU(24, 48, batch_first=True)
        self.dropout = nn.Dropout(0.1)
        self.out = nn.Linear(48, len(target_texts))

    def encode(self, source, lengths):
        packed = pack_padded_sequence(
            self.source(source), lengths, batch_first=True, enforce_sorted=False
        )
        return self.encoder(packed)[1]

    def decode(self, fed, state):
        output, state = self.decoder(self.target(fed), state)
        return self.out(self.dropout(output)), state


model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
loss_of = nn.CrossEntropyLoss(ignore_index=0)
model.train()
for epoch in range(6):
    for source, lengths, target in batches():
        state = model.encode(source, lengths)
        logits, _ = model.decode(target[:, :-1], state)
        loss = loss_of(logits.flatten(0, 1), target[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@torch.no_grad()
def answer(source):
    state = model.encode(source[None], torch.tensor([len(source)]))
    token, answers = torch.tensor([[1]]), []
    for _ in range(7):
        logits, state = model.decode(token, state)
        token = logits.argmax(-1)
        if token.item() == 2:
            break
        answers.append(target_texts[token.item()])
    return answers


model.eval()
right = sum(answer(source) == pair[1] for source, pair in zip(sources[:40], pairs[:40]))
"""


def written(folder: Path, script: str, replaced: Iterable[tuple[str, str]]) -> Path:
    """Write a script with some texts, each of which it has once, replaced by others."""
    for old, new in replaced:
        assert script.count(old) == 1, old
        script = script.replace(old, new)
    path = folder / "train.py"
    path.write_text(script, "utf-8")
    return path


def findings(
    folder: Path, *replaced: tuple[str, str], script: str = SCRIPT
) -> list[tuple[str, str]]:
    """Return causes and how sure they are, of a script with some texts replaced by others."""
    path = written(folder, script, replaced)
    with Watch() as doctor:
        runpy.run_path(str(path))
    errors = [text for text in doctor.watched.unseen if "error in bench" in text]
    assert not errors, errors
    return [(finding.cause, finding.sure) for finding in doctor.findings]


def causes(
    folder: Path, replaced: Iterable[tuple[str, str]] = (), script: str = SCRIPT
) -> list[str]:
    """Return the causes found in a script with some texts replaced, the likeliest first."""
    return [cause for cause, _ in findings(folder, *replaced, script=script)]
