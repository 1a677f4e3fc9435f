"""POS tagging as seq2seq: the tag decoder reads the encoder's output of its own word and the tag before."""
import random
import sys

import torch
import torch.nn as nn

seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(seed)
torch.manual_seed(seed)
torch.set_num_threads(1)

LEX = {
    "DET": ["the", "a", "every"],
    "ADJ": ["green", "cold", "light"],
    "NOUN": ["dog", "light", "run", "walk", "man"],
    "VERB": ["sees", "run", "walk", "likes"],
    "ADV": ["often", "never"],
}


def sample():
    tags = ["DET"] + ["ADJ"] * random.randint(0, 2) + ["NOUN"]
    if random.random() < 0.4:
        tags += ["ADV"]
    tags += ["VERB", "DET"] + ["ADJ"] * random.randint(0, 1) + ["NOUN"]
    return [random.choice(LEX[t]) for t in tags], tags


data = [sample() for _ in range(1500)]
known = {tuple(w) for w, _ in data[300:]}
train_data, test_data = data[300:], [d for d in data[:300] if tuple(d[0]) not in known]

word_to_ix = {"<pad>": 0}
for ws, _ in train_data:
    for w in ws:
        word_to_ix.setdefault(w, len(word_to_ix))
tag_to_ix = {t: i for i, t in enumerate(LEX)}
START = len(tag_to_ix)
IGNORE = -100


class TagDecoder(nn.Module):
    def __init__(self, dim=48):
        super().__init__()
        self.words = nn.Embedding(len(word_to_ix), dim, padding_idx=0)
        self.bilstm = nn.LSTM(dim, dim // 2, bidirectional=True, batch_first=True)
        self.tags = nn.Embedding(len(tag_to_ix) + 1, 8)
        self.cell = nn.GRUCell(dim + 8, dim)
        self.h0 = nn.Parameter(torch.zeros(dim))
        self.hidden2tag = nn.Linear(dim, len(tag_to_ix))

    def forward(self, sentence, gold=None):
        enc, _ = self.bilstm(self.words(sentence))
        h = self.h0.expand(len(sentence), -1)
        prev = torch.full((len(sentence),), START)
        scores = []
        for t in range(sentence.size(1)):
            h = self.cell(torch.cat([enc[:, t], self.tags(prev)], dim=1), h)
            tag_space = self.hidden2tag(h)
            scores.append(torch.log_softmax(tag_space, dim=1))
            prev = gold[:, t].clamp(min=0) if gold is not None else tag_space.argmax(1)
        return torch.stack(scores, dim=1)


def batchify(rows):
    n = max(len(w) for w, _ in rows)
    x = torch.tensor([[word_to_ix[w] for w in ws] + [0] * (n - len(ws)) for ws, _ in rows])
    y = torch.tensor([[tag_to_ix[t] for t in ts] + [IGNORE] * (n - len(ts)) for _, ts in rows])
    return x, y


model = TagDecoder()
loss_function = nn.NLLLoss(ignore_index=IGNORE)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.8)

for epoch in range(6):
    random.shuffle(train_data)
    for i in range(0, len(train_data), 30):
        sentence, tags = batchify(train_data[i:i + 30])
        model.zero_grad()
        tag_scores = model(sentence, tags)
        loss = loss_function(tag_scores.view(-1, len(tag_to_ix)), tags.view(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.4f}")

model.eval()
with torch.no_grad():
    sentence, tags = batchify(test_data)
    guess = model(sentence).argmax(2)
    mask = tags != IGNORE
    acc = ((guess == tags) & mask).sum().item() / mask.sum().item()
print(f"held-out score: {acc:.3f}")
