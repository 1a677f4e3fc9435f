"""Packed encoder (enforce_sorted=False) and packed decoder: the loss is taken on the packed data alone."""
import argparse
import random

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

parser = argparse.ArgumentParser()
parser.add_argument("seed", nargs="?", type=int, default=0)
parser.add_argument("--dim", type=int, default=64)
parser.add_argument("--steps", type=int, default=300)
args = parser.parse_args()
torch.set_num_threads(1)
random.seed(args.seed)
torch.manual_seed(args.seed)

MORSE = dict(a=".-", d="-..", e=".", i="..", m="--", n="-.", o="---", r=".-.", s="...", t="-", u="..-")
LETTERS = sorted(MORSE)
S = {"/": 1, ".": 2, "-": 3}
T = {c: i + 3 for i, c in enumerate(LETTERS)}      # 0 pad, 1 begin, 2 end
R = {i: c for c, i in T.items()}


def example():
    w = [random.choice(LETTERS) for _ in range(random.randint(2, 4))]
    return torch.tensor([S[c] for c in "/".join(MORSE[c] for c in w) + "/"]), torch.tensor([1] + [T[c] for c in w] + [2])


class Model(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.src = nn.Embedding(4, d, padding_idx=0)
        self.tgt = nn.Embedding(len(T) + 3, d, padding_idx=0)
        self.enc = nn.LSTM(d, d // 2, bidirectional=True, batch_first=True)
        self.dec = nn.LSTM(d, d, batch_first=True)
        self.key = nn.Linear(d, d)
        self.out = nn.Linear(2 * d, len(T) + 3)

    def encode(self, x, lengths):
        packed = pack_padded_sequence(self.src(x), lengths, batch_first=True, enforce_sorted=False)
        mem, (h, c) = self.enc(packed)
        mem, _ = pad_packed_sequence(mem, batch_first=True)
        bridge = lambda s: s.transpose(0, 1).reshape(1, len(x), -1)
        return mem, (bridge(h), bridge(c))

    def attend(self, o, mem, x):
        w = (o @ self.key(mem).transpose(1, 2)).masked_fill((x == 0)[:, None], -1e9).softmax(-1)
        return self.out(torch.cat([o, w @ mem], -1))

    def forward(self, x, xl, y, yl):
        mem, state = self.encode(x, xl)
        o, _ = self.dec(pack_padded_sequence(self.tgt(y), yl, batch_first=True, enforce_sorted=False), state)
        o, _ = pad_packed_sequence(o, batch_first=True)
        return self.attend(o, mem, x)


model = Model(args.dim)
opt = torch.optim.Adam(model.parameters(), lr=6e-3)
test = [example() for _ in range(150)]
for step in range(args.steps):
    xs, ys = zip(*[example() for _ in range(40)])
    xl, yl = torch.tensor([len(x) for x in xs]), torch.tensor([len(y) - 1 for y in ys])
    x, y = pad_sequence(xs, True), pad_sequence(ys, True)
    logits = model(x, xl, y[:, :-1], yl)
    pk = lambda t: pack_padded_sequence(t, yl, batch_first=True, enforce_sorted=False).data
    loss = F.cross_entropy(pk(logits), pk(y[:, 1:]))
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    opt.step()
    if step % 70 == 0:
        print(step, loss.item())

model.eval()
with torch.no_grad():
    x = pad_sequence([x for x, _ in test], True)
    mem, state = model.encode(x, torch.tensor([len(x) for x, _ in test]))
    tok, out = torch.ones(len(test), 1, dtype=torch.long), []
    for _ in range(7):
        o, state = model.dec(model.tgt(tok), state)
        tok = model.attend(o, mem, x).argmax(-1)
        out.append(tok)
good = 0
for row, (_, y) in zip(torch.cat(out, 1).tolist(), test):
    row = row[:row.index(2)] if 2 in row else row
    good += row == y[1:-1].tolist()
print(f"held-out score: {good / len(test):.3f}")
