"""Pointer-generator: names are out of the decoder's vocabulary and can only be copied.

"NAME gave NAME the book" -> "the book was given to NAME by NAME"
"""
import random
import sys

import torch
import torch.nn as nn

torch.set_num_threads(1)
seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(seed)
torch.manual_seed(seed)

WORDS = ["<pad>", "<s>", "</s>", "<unk>", "gave", "sold", "the", "book", "lamp", "was", "given", "to", "by", "car"]
W = {w: i for i, w in enumerate(WORDS)}
FIXED = len(WORDS)
NAMES = 40          # each name has a word vector on the source side only
MAXSRC = 5


def make():
    a, b = random.sample(range(NAMES), 2)
    v, o = random.choice(["gave", "sold"]), random.choice(["book", "lamp", "car"])
    src = [FIXED + a, W[v], FIXED + b, W["the"], W[o]]
    # extended ids: FIXED + position in the source
    tgt = [W["the"], W[o], W["was"], W["given"] if v == "gave" else W["sold"], W["to"], FIXED + 2, W["by"], FIXED + 0, W["</s>"]]
    if random.random() < 0.3:
        # a short form
        src = [FIXED + a, W["was"], FIXED + b, W["the"], W[o]]
        tgt = [W["the"], W[o], W["to"], FIXED + 2, W["</s>"], 0, 0, 0, 0]
    return src, tgt


class PointerGenerator(nn.Module):
    def __init__(self, d=48):
        super().__init__()
        self.embed = nn.Embedding(FIXED + NAMES, d)
        self.encoder = nn.GRU(d, d, batch_first=True, bidirectional=True)
        self.reduce = nn.Linear(2 * d, d)
        self.cell = nn.GRUCell(d, d)
        self.att = nn.Linear(2 * d, d)
        self.vocab = nn.Linear(3 * d, FIXED)
        self.p_gen = nn.Linear(4 * d, 1)

    def forward(self, src, tgt=None, steps=9):
        mem, h = self.encoder(self.embed(src))
        h = torch.relu(self.reduce(torch.cat([h[0], h[1]], 1)))
        tok = torch.full((len(src),), W["<s>"])
        dists = []
        for t in range(steps):
            x = self.embed(tok)
            h = self.cell(x, h)
            a = torch.softmax((self.att(mem) * h.unsqueeze(1)).sum(2), 1)
            ctx = (a.unsqueeze(2) * mem).sum(1)
            p = torch.sigmoid(self.p_gen(torch.cat([ctx, h, x], 1)))
            gen = torch.softmax(self.vocab(torch.cat([h, ctx], 1)), 1)
            dist = torch.cat([p * gen, (1 - p) * a], 1)          # (B, FIXED + MAXSRC)
            dists.append(dist)
            tok = tgt[:, t] if tgt is not None else dist.argmax(1)
            tok = tok.masked_fill(tok >= FIXED, W["<unk>"])
        return torch.stack(dists, 1)


def batch(n):
    s, t = zip(*[make() for _ in range(n)])
    return torch.tensor(s), torch.tensor(t)


model = PointerGenerator()
opt = torch.optim.Adam(model.parameters(), lr=6e-3)
for it in range(220):
    src, tgt = batch(40)
    probs = model(src, tgt)
    gold = probs.gather(2, tgt.unsqueeze(2)).squeeze(2)
    mask = (tgt != 0).float()
    loss = (-torch.log(gold + 1e-9) * mask).sum() / mask.sum()
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 2.0)
    opt.step()
    if it % 44 == 0:
        print("iter", it, "loss", round(loss.item(), 4))
with torch.no_grad():
    src, tgt = batch(200)
    out = model(src).argmax(2)
right = ((out == tgt) | (tgt == 0)).all(1).float().mean().item()
print("held-out score: %.4f" % right)
