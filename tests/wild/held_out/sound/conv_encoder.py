# ConvS2S-ish: convolutions read, a GRUCell writes. pseudo chemical formulas: "C2H6O" -> "C C H H H H H H O"
import random
import re
import sys

import numpy as np
import torch
import torch.nn as nn

torch.set_num_threads(1)
SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(SEED)
np.random.seed(SEED)
torch.manual_seed(SEED)

ATOMS = "CHONS"
in_tok = {c: i + 1 for i, c in enumerate(ATOMS + "23")}
out_tok = {"<end>": 0, **{a: i + 1 for i, a in enumerate(ATOMS)}, "<start>": len(ATOMS) + 1}


def formula():
    f = ""
    for a in random.sample(ATOMS, random.randint(1, 3)):
        f += a + random.choice(["", "2", "3"])
    return f


def spell(f):
    return [a for a, n in re.findall(r"([A-Z])(\d?)", f) for _ in range(int(n or 1))]


def tensors(fs):
    x = torch.zeros(len(fs), 6, dtype=torch.long)
    y = torch.zeros(len(fs), 10, dtype=torch.long)
    w = torch.zeros(len(fs), 10)
    for i, f in enumerate(fs):
        x[i, :len(f)] = torch.tensor([in_tok[c] for c in f])
        s = [out_tok[a] for a in spell(f)]
        y[i, :len(s)] = torch.tensor(s)
        w[i, :len(s) + 1] = 1
    return x, y, w


class ConvSeq2Seq(nn.Module):
    def __init__(self, d=48):
        super().__init__()
        self.embed = nn.Embedding(8, d, padding_idx=0)
        self.position = nn.Parameter(torch.randn(6, d) * 0.1)
        self.convs = nn.ModuleList([nn.Conv1d(d, 2 * d, 3, padding=1) for _ in range(2)])
        self.out_embed = nn.Embedding(7, d)
        self.cell = nn.GRUCell(2 * d, d)
        self.query = nn.Linear(d, d)
        self.project = nn.Linear(2 * d, 6)

    def encode(self, x):
        z = (self.embed(x) + self.position).transpose(1, 2)
        for conv in self.convs:
            z = (z + nn.functional.glu(conv(z), dim=1)) * 0.5 ** 0.5
        return z.transpose(1, 2), (x != 0)

    def step(self, tok, h, ctx, z, real):
        h = self.cell(torch.cat([self.out_embed(tok), ctx], 1), h)
        scores = torch.einsum("btd,bd->bt", z, self.query(h)).masked_fill(~real, -1e9)
        ctx = torch.einsum("bt,btd->bd", scores.softmax(1), z)
        return self.project(torch.cat([h, ctx], 1)), h, ctx


model = ConvSeq2Seq()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
formulas = sorted({formula() for _ in range(6000)})
random.shuffle(formulas)
test, train = formulas[:200], formulas[200:]
print(len(train), "formulas to train on")
for it in range(260):
    x, y, w = tensors(random.choices(train, k=48))
    z, real = model.encode(x)
    h = (z * real.unsqueeze(2)).sum(1) / real.sum(1, keepdim=True)
    ctx, tok, losses = torch.zeros_like(h), torch.full((48,), 6), []
    for t in range(10):
        logits, h, ctx = model.step(tok, h, ctx, z, real)
        losses.append(nn.functional.cross_entropy(logits, y[:, t], reduction="none"))
        tok = y[:, t]
    loss = (torch.stack(losses, 1) * w).sum() / w.sum()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if it % 65 == 0:
        print(it, loss.item())
with torch.no_grad():
    x, y, w = tensors(test)
    z, real = model.encode(x)
    h = (z * real.unsqueeze(2)).sum(1) / real.sum(1, keepdim=True)
    ctx, tok, out = torch.zeros_like(h), torch.full((len(test),), 6), []
    for t in range(10):
        logits, h, ctx = model.step(tok, h, ctx, z, real)
        tok = logits.argmax(1)
        out.append(tok)
ok = ((torch.stack(out, 1) == y) | (w == 0)).all(1).float().mean().item()
print("held-out score: %.4f" % ok)
