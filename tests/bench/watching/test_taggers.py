"""Taggers are read as their authors write them: words with their letters, alone, or with a CRF."""

from __future__ import annotations

from pathlib import Path

from tests.bench.watching.scripts import causes, findings

TAGGER = """
import random
import torch
from torch import nn

random.seed(0)
torch.manual_seed(0)

NAMES = ["ana", "bob", "cleo", "dan"]
VERBS = ["sees", "likes", "calls"]
THINGS = ["red", "cars", "boats", "trees", "now"]
tag2idx = {"O": 0, "B": 1, "I": 2, "X": 3, "Y": 4}
words = ["<pad>", "<unk>"] + NAMES + VERBS + THINGS
word2idx = {word: number for number, word in enumerate(words)}
letters = ["<pad>"] + sorted(set("".join(words[2:])) | set("0123456789"))
letter2idx = {letter: number for number, letter in enumerate(letters)}


def code():
    return "".join(random.choice("0123456789") for _ in range(random.randint(2, 4)))


def sentence():
    first = random.sample(NAMES, random.randint(1, 2))
    tokens, tags = [*first], ["B", "I"][: len(first)]
    tokens += [random.choice(VERBS)]
    tags += ["O"]
    for _ in range(random.randint(2, 5)):
        tokens.append(random.choice(THINGS + [code()]))
        tags.append("X" if tokens[-1][0].isdigit() else "O")
    return tokens, tags


def make_batch(sentences):
    longest = max(len(tokens) for tokens, _ in sentences)
    word = torch.zeros(len(sentences), longest, dtype=torch.long)
    letter = torch.zeros(len(sentences), longest, 6, dtype=torch.long)
    tag = torch.full((len(sentences), longest), PAD_TAG)
    for row, (tokens, tags) in enumerate(sentences):
        for place, token in enumerate(tokens):
            word[row, place] = word2idx.get(token, 1)
            ids = torch.tensor([letter2idx[one] for one in token])
            letter[row, place, : len(ids)] = ids
            tag[row, place] = tag2idx[tags[place]]
    return word, letter, tag


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.word = nn.Embedding(len(words), 16, padding_idx=0)
        self.letter = nn.Embedding(len(letters), 16, padding_idx=0)
        self.spell = nn.GRU(16, 16, batch_first=True)
        self.lstm = nn.LSTM(32, 32, batch_first=True, bidirectional=True)
        self.out = nn.Linear(64, len(tag2idx))

    def forward(self, word, letter):
        rows, steps, length = letter.shape
        spelled = self.spell(self.letter(letter.view(rows * steps, length)))[1][0]
        seen = torch.cat([self.word(word), spelled.view(rows, steps, -1)], -1)
        return self.out(self.lstm(seen)[0])


PAD_TAG = -100
SIZE = 16
data = [sentence() for _ in range(480)]
model = Tagger()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
loss_of = nn.CrossEntropyLoss(ignore_index=PAD_TAG)
for epoch in range(3):
    for begin in range(0, 400, SIZE):
        word, letter, tag = make_batch(data[begin : begin + SIZE])
        optimizer.zero_grad()
        scores = model(word, letter)
        loss = loss_of(scores.view(-1, len(tag2idx)), tag.view(-1))
        loss.backward()
        optimizer.step()
model.eval()
right = total = 0
with torch.no_grad():
    for begin in range(400, 480, SIZE):
        word, letter, tag = make_batch(data[begin : begin + SIZE])
        said = model(word, letter).argmax(-1)
        for row in range(len(said)):
            count = int((word[row] > 0).sum())
            right += sum(a == b for a, b in zip(said[row, :count].tolist(), tag[row].tolist()))
            total += count
"""
ALONE = ("SIZE = 16", "SIZE = 1")
FEWER = ("for epoch in range(3)", "for epoch in range(1)")
ZERO_IGNORED = ("PAD_TAG = -100", "PAD_TAG = 0")
WITH_CRF = (
    "loss_of = nn.CrossEntropyLoss(ignore_index=PAD_TAG)",
    """
passing = nn.Parameter(torch.zeros(len(tag2idx), len(tag2idx)))
optimizer.add_param_group({"params": [passing]})


def loss_of_sequences(scores, tag):
    counted = (tag != PAD_TAG).float()
    tag = tag.clamp(min=0)
    rows = torch.arange(len(tag))
    alpha = scores[:, 0]
    path = scores[rows, 0, tag[:, 0]]
    for step in range(1, tag.shape[1]):
        new = torch.logsumexp(alpha.unsqueeze(2) + passing, dim=1) + scores[:, step]
        alpha = torch.where(counted[:, step].unsqueeze(1) > 0, new, alpha)
        added = passing[tag[:, step - 1], tag[:, step]] + scores[rows, step, tag[:, step]]
        path = path + added * counted[:, step]
    return (torch.logsumexp(alpha, dim=1) - path).sum() / counted.sum()
""",
)
OF_SEQUENCES = (
    "        loss = loss_of(scores.view(-1, len(tag2idx)), tag.view(-1))",
    "        loss = loss_of_sequences(scores, tag)",
)


def test_words_and_their_letters(tmp_path: Path) -> None:
    assert causes(tmp_path, script=TAGGER) == []


def test_one_sentence_at_a_time(tmp_path: Path) -> None:
    assert causes(tmp_path, [ALONE, FEWER], TAGGER) == []


def test_a_label_that_is_ignored_as_if_it_were_padding(tmp_path: Path) -> None:
    found = findings(tmp_path, ZERO_IGNORED, script=TAGGER)
    assert found == [("real-token-ignored", "likely")]


def test_a_crf(tmp_path: Path) -> None:
    """A loss that sums over all sequences of labels is none of the softmax of a symbol."""
    assert causes(tmp_path, [WITH_CRF, OF_SEQUENCES], TAGGER) == []
