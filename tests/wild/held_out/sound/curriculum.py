"""Curriculum: longer lists come later. nn.RNN (tanh) encoder and decoder with attention, one-hot inputs."""
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 0
torch.set_num_threads(1)
gen = torch.Generator().manual_seed(SEED)
torch.manual_seed(SEED)
SYMBOLS, END, GO = 6, 6, 7
MAX = 6


def reversed_lists(n, length):
    x = torch.randint(0, SYMBOLS, (n, length), generator=gen)
    return x, torch.cat([x.flip(1), torch.full((n, 1), END)], 1)


class Reverser(nn.Module):
    def __init__(self, hidden=48):
        super().__init__()
        self.enc = nn.RNN(SYMBOLS, hidden, batch_first=True, bidirectional=True)
        self.dec = nn.RNN(8, hidden, batch_first=True)
        self.init = nn.Linear(2 * hidden, hidden)
        self.q = nn.Linear(hidden, 2 * hidden)
        self.out = nn.Linear(3 * hidden, 7)

    def start(self, x):
        mem, h = self.enc(F.one_hot(x, SYMBOLS).float())
        return mem, torch.tanh(self.init(torch.cat([h[0], h[1]], 1))).unsqueeze(0)

    def go_on(self, tokens, h, mem):
        o, h = self.dec(F.one_hot(tokens, 8).float(), h)
        a = F.softmax(self.q(o) @ mem.transpose(1, 2), dim=2)
        return self.out(torch.cat([o, a @ mem], 2)), h


net = Reverser()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
stage = 2
for step in range(600):
    length = int(torch.randint(2, stage + 1, (1,), generator=gen))
    x, y = reversed_lists(40, length)
    mem, h = net.start(x)
    logits, _ = net.go_on(torch.cat([torch.full((40, 1), GO), y[:, :-1]], 1), h, mem)
    loss = F.cross_entropy(logits.transpose(1, 2), y)
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    opt.step()
    if step % 60 == 59:
        print(f"step {step + 1} up to length {stage}: loss {loss.item():.4f}")
        stage = min(MAX, stage + 1)


@torch.no_grad()
def test():
    right = 0
    for length in range(2, MAX + 1):
        x, y = reversed_lists(50, length)
        mem, h = net.start(x)
        tok, got = torch.full((50, 1), GO), []
        for _ in range(length + 1):
            logits, h = net.go_on(tok, h, mem)
            tok = logits.argmax(-1)
            got.append(tok)
        right += (torch.cat(got, 1) == y).all(1).sum().item()
    return right / 50 / (MAX - 1)


print(f"held-out score: {test():.4f}")
