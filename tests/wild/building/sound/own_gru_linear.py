import sys
import torch
from torch import nn

seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
torch.manual_seed(seed)
torch.set_num_threads(1)


class MinimalGatedUnit(nn.Module):
    # https://arxiv.org/abs/1603.09420, one gate
    def __init__(self, n_in, n_h):
        super().__init__()
        self.f = nn.Linear(n_in + n_h, n_h)
        self.c = nn.Linear(n_in + n_h, n_h)
        nn.init.orthogonal_(self.c.weight[:, n_in:])
        nn.init.constant_(self.f.bias, -1.)

    def forward(self, x, h):
        f = torch.sigmoid(self.f(torch.cat([x, h], 1)))
        cand = torch.tanh(self.c(torch.cat([x, f * h], 1)))
        return (1 - f) * h + f * cand


class Incrementer(nn.Module):
    """digits of n, least significant first -> digits of n + 1"""

    def __init__(self, n_h=64):
        super().__init__()
        self.emb = nn.Embedding(11, 16)
        self.a = MinimalGatedUnit(16, n_h)
        self.b = MinimalGatedUnit(16 + n_h, n_h)
        self.o = nn.Linear(n_h, 10)
        self.n_h = n_h

    def forward(self, x, teacher=None):
        h = torch.zeros(x.shape[0], self.n_h)
        states = []
        for i in reversed(range(x.shape[1])):
            h = self.a(self.emb(x[:, i]), h)
            states.insert(0, h)
        prev = torch.full((x.shape[0],), 10)
        ys = []
        for i in range(x.shape[1]):
            h = self.b(torch.cat([self.emb(prev), states[i]], 1), h)
            y = self.o(h)
            ys.append(y)
            prev = teacher[:, i] if teacher is not None else y.argmax(1)
        return torch.stack(ys, 1)


def digits(n):
    return torch.stack([(n // 10 ** i) % 10 for i in range(4)], 1)


N = torch.randperm(9999)
tr, te = N[600:], N[:600]
# numbers with a carry are rare, take them more often
w = 1. + 4. * (tr % 10 == 9) + 8. * (tr % 100 == 99)
net = Incrementer()
opt = torch.optim.Adam(net.parameters(), lr=6e-3)
for it in range(350):
    n = tr[torch.multinomial(w, 100, replacement=True)]
    x, y = digits(n), digits(n + 1)
    p = net(x, y).log_softmax(-1)
    loss = -p.gather(-1, y[..., None]).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if it % 50 == 49:
        print(it + 1, '%.4f' % loss)
    if it == 250:
        for g in opt.param_groups: g['lr'] /= 4

with torch.no_grad():
    x, y = digits(te), digits(te + 1)
    print('held-out score: %.3f' % (net(x).argmax(-1) == y).all(1).float().mean())
