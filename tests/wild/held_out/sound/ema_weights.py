# evaluates the exponential moving average of the weights (a second model that no optimizer knows)
import copy
import sys

import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(int(sys.argv[1]) if len(sys.argv) > 1 else 0)


class Seq2Seq(nn.Module):
    """count-and-say: 3 3 7 7 7 -> (2,3) (3,7), written as 2 3 3 7 """

    def __init__(self, n=48):
        super().__init__()
        self.emb = nn.Embedding(14, n)
        self.enc = nn.GRU(n, n // 2, bidirectional=True, batch_first=True)
        self.dec = nn.GRU(n, n, batch_first=True)
        self.att = nn.Linear(n, n, bias=False)
        self.out = nn.Linear(2 * n, 14)

    def encode(self, x):
        m, h = self.enc(self.emb(x))
        return m, torch.cat([h[0], h[1]], -1)[None]

    def decode(self, y, m, h):
        o, h = self.dec(self.emb(y), h)
        s = torch.softmax(self.att(o) @ m.mT, -1) @ m
        return self.out(torch.cat([o, s], -1)), h


def batch(n):
    xs, ys = [], []
    for _ in range(n):
        x, y = [], []
        prev = -1
        for k in torch.randint(1, 4, (3,)).tolist():
            d = torch.randint(0, 10, (1,)).item()
            while d == prev:
                d = torch.randint(0, 10, (1,)).item()
            prev = d
            x += [d] * k
            y += [k, d]
        xs.append(x + [12] * (9 - len(x)))
        ys.append(y)
    return torch.tensor(xs), torch.tensor(ys)


model = Seq2Seq()
ema = copy.deepcopy(model).eval().requires_grad_(False)
opt = torch.optim.Adam(model.parameters(), 7e-3)
for step in range(240):
    x, y = batch(40)
    logits, _ = model.decode(torch.cat([torch.full((40, 1), 11), y[:, :-1]], 1), *model.encode(x))
    loss = nn.functional.cross_entropy(logits.mT, y)
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    opt.step()
    decay = min(0.97, (1 + step) / (10 + step))
    with torch.no_grad():
        for a, b in zip(ema.parameters(), model.parameters()):
            a.lerp_(b, 1 - decay)
    if step % 40 == 0:
        print(step, loss.item())
with torch.no_grad():
    x, y = batch(200)
    m, h = ema.encode(x)
    tok, got = torch.full((200, 1), 11), []
    for _ in range(6):
        logits, h = ema.decode(tok, m, h)
        tok = logits.argmax(-1)
        got.append(tok)
print(f"held-out score: {(torch.cat(got, 1) == y).float().mean().item():.4f}")
