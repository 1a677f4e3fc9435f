# adds two numbers of four digits; both are read at once, the sum is written from its last digit
import sys
import numpy as np
import torch
import torch.nn as nn

torch.set_num_threads(1)
seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
np.random.seed(seed)
torch.manual_seed(seed)


class Adder(nn.Module):
    def __init__(self, H=64):
        super().__init__()
        self.emb = nn.Embedding(11, 24)                     # 0-9, 10 = start
        self.enc = nn.GRU(48, H, batch_first=True)
        self.dec = nn.GRUCell(24 + H, H)
        self.Wa = nn.Linear(H, H)
        self.out = nn.Sequential(nn.Linear(2 * H, H), nn.ReLU(), nn.Linear(H, 10))

    def forward(self, a, b, y=None):
        m, h = self.enc(torch.cat((self.emb(a), self.emb(b)), -1))
        h = h[0]
        t, res = torch.full((len(a),), 10), []
        for i in range(5):
            w = torch.softmax((self.Wa(m) * h.unsqueeze(1)).sum(-1), -1)
            c = (w.unsqueeze(-1) * m).sum(1)
            h = self.dec(torch.cat((self.emb(t), c), -1), h)
            res.append(self.out(torch.cat((h, c), -1)))
            t = res[-1].argmax(-1) if y is None else y[:, i]
        return torch.stack(res, 1)


def problems(n):
    a, b = np.random.randint(0, 10000, n), np.random.randint(0, 10000, n)
    digits = lambda v, k: torch.tensor([[int(c) for c in str(x).zfill(k)[::-1]] for x in v])
    return digits(a, 4), digits(b, 4), digits(a + b, 5)


net = Adder()
steps = 420
opt = torch.optim.AdamW(net.parameters(), lr=1e-2)
sched = torch.optim.lr_scheduler.OneCycleLR(opt, 1e-2, total_steps=steps)
for s in range(steps):
    a, b, y = problems(64)
    loss = nn.functional.cross_entropy(net(a, b, y).reshape(-1, 10), y.reshape(-1))
    opt.zero_grad(); loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    opt.step(); sched.step()
    if s % 70 == 0:
        print('step', s, 'loss %.4f' % loss.item())
with torch.no_grad():
    a, b, y = problems(300)
    acc = (net(a, b).argmax(-1) == y).float().mean().item()
print('held-out score: %.4f' % acc)
