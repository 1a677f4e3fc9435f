"""
Scheduled sampling (inverse sigmoid) and an average of the weights that is used for evaluation.
Pig-latin for syllables: each word is two syllables, they change places and "ay" comes after.
"""
import copy
import math
import random
import sys

import torch
import torch.nn as nn

SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(SEED)
torch.manual_seed(SEED)
torch.set_num_threads(1)

SYL = ['ba', 'ko', 'ti', 'mu', 'ne', 'sa']
TOK = ['_', '<', '>', 'ay'] + SYL          # '_' pads, '<' begins, '>' ends
idx = {t: i for i, t in enumerate(TOK)}


def pig(words):
    out = []
    for a, b in words:
        out += [b, a, 'ay']
    return out


def sample(n):
    res = []
    for _ in range(n):
        ws = [(random.choice(SYL), random.choice(SYL)) for _ in range(random.randint(1, 2))]
        res.append(ws)
    return res


def held_out(ws):
    return len(ws) == 2 and (idx[ws[0][0]] + idx[ws[0][1]] + 2 * idx[ws[1][0]] + idx[ws[1][1]]) % 6 == 0


def to_batch(data):
    x = nn.utils.rnn.pad_sequence([torch.tensor([idx[s] for w in ws for s in w]) for ws in data])
    y = nn.utils.rnn.pad_sequence([torch.tensor([idx[s] for s in pig(ws)] + [idx['>']]) for ws in data])
    return x, torch.tensor([2 * len(ws) for ws in data]), y


class S2S(nn.Module):
    def __init__(self, h=80):
        super().__init__()
        self.embed = nn.Embedding(len(TOK), 32)
        self.encoder = nn.GRU(32, h)
        self.cell = nn.GRUCell(32, h)
        self.head = nn.Linear(h, len(TOK))

    def forward(self, x, lens, y, p_truth):
        out, _ = self.encoder(self.embed(x))
        h = out[lens - 1, torch.arange(x.size(1))]        # the state at the last real syllable
        tok = torch.full((x.size(1),), idx['<'])
        logits = []
        for t in range(y.size(0)):
            h = self.cell(self.embed(tok), h)
            logits.append(self.head(h))
            use_truth = torch.rand(x.size(1)) < p_truth    # a coin for each sentence and step
            tok = torch.where(use_truth, y[t], logits[-1].detach().argmax(1))
        return torch.stack(logits)


model = S2S()
average = copy.deepcopy(model)
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
K = 60
for i in range(420):
    p = K / (K + math.exp(i / K))
    x, lens, y = to_batch([d for d in sample(60) if not held_out(d)])
    logits = model(x, lens, y, p)
    loss = nn.functional.cross_entropy(logits.reshape(-1, len(TOK)), y.reshape(-1), ignore_index=0)
    opt.zero_grad()
    loss.backward()
    opt.step()
    with torch.no_grad():
        for a, b in zip(average.parameters(), model.parameters()):
            a.lerp_(b, 0.03)
    if i % 60 == 0:
        print(f'{i:4d} truth {p:.2f} loss {loss.item():.4f}')

x, lens, y = to_batch([d for d in sample(1500) if held_out(d)])
with torch.no_grad():
    guess = average(x, lens, y, 0.0).argmax(2)
print(f'held-out score: {((guess == y) | (y == 0)).all(0).float().mean().item():.3f}')
