#!/usr/bin/env python3
"""Sort the digits of a number: a pointer-free seq2seq with Bahdanau attention (GRUCell)."""
import argparse, sys, time
import torch, torch.nn as nn, torch.nn.functional as F

p = argparse.ArgumentParser()
p.add_argument('seed', nargs='?', type=int, default=0)
p.add_argument('--hid', type=int, default=64)
p.add_argument('--len', type=int, default=5, dest='length')
p.add_argument('--iters', type=int, default=300)
p.add_argument('--bs', type=int, default=64)
p.add_argument('--lr', type=float, default=5e-3)
a = p.parse_args()
torch.manual_seed(a.seed)
torch.set_num_threads(1)

BOS = 10


class Bahdanau(nn.Module):
    def __init__(self, h):
        super().__init__()
        self.Wq, self.Wk, self.v = nn.Linear(h, h), nn.Linear(h, h, bias=False), nn.Linear(h, 1, bias=False)

    def forward(self, q, keys, values):
        e = self.v(torch.tanh(self.Wq(q)[:, None] + keys))[..., 0]
        return torch.einsum('bs,bsh->bh', e.softmax(-1), values)


class Sorter(nn.Module):
    def __init__(self, h):
        super().__init__()
        self.emb = nn.Embedding(11, h)               # shared by both sides
        self.enc = nn.GRU(h, h, batch_first=True)
        self.att = Bahdanau(h)
        self.cell = nn.GRUCell(2 * h, h)
        self.out = nn.Linear(2 * h, 10)

    def forward(self, x, y=None):
        mem, h = self.enc(self.emb(x))
        h = h[0]
        keys = self.att.Wk(mem)
        tok = x.new_full((len(x),), BOS)
        ctx = torch.zeros_like(h)
        outs = []
        for t in range(x.size(1)):
            h = self.cell(torch.cat((self.emb(tok), ctx), 1), h)
            ctx = self.att(h, keys, mem)
            o = self.out(torch.cat((h, ctx), 1))
            outs.append(o)
            tok = o.argmax(1) if y is None else y[:, t]
        return torch.stack(outs, 1)


held = torch.randint(10, (400, a.length))
net = Sorter(a.hid)
opt = torch.optim.Adam(net.parameters(), a.lr)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, a.iters)
secret = {tuple(r) for r in held.tolist()}
t0 = time.time()
for it in range(a.iters):
    x = torch.randint(10, (a.bs, a.length))
    x = x[torch.tensor([tuple(r) not in secret for r in x.tolist()])]
    y = x.sort(1)[0]
    loss = F.cross_entropy(net(x, y).reshape(-1, 10), y.reshape(-1))
    opt.zero_grad()
    loss.backward()
    opt.step()
    sched.step()
    if it % 50 == 0:
        print(f'[{time.time() - t0:5.1f}s] it {it} loss {loss.item():.3f}')
with torch.no_grad():
    print('held-out score: %.3f' % (net(held).argmax(-1) == held.sort(1)[0]).float().mean().item())
