# one model, three jobs: the first symbol of the input says which (copy / reverse / plus one)
import sys, random
import torch
from torch import nn

torch.set_num_threads(1)
seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(seed); torch.manual_seed(seed)
COPY, REV, INC, GO, D = 10, 11, 12, 13, 14

def draw(n, length=5):
    jobs = [random.choice((COPY, REV, INC)) for _ in range(n)]
    x, y = [], []
    for j in jobs:
        s = [random.randrange(10) for _ in range(length)]
        x.append([j] + s)
        y.append({COPY: s, REV: s[::-1], INC: [(v + 1) % 10 for v in s]}[j])
    return torch.tensor(x).T, torch.tensor(y).T, jobs

class Net(nn.ModuleDict):
    def __init__(self, h=64):
        super().__init__({
            'emb': nn.Embedding(D, h), 'enc': nn.GRU(h, h // 2, bidirectional=True), 'dec': nn.GRU(h, h),
            'key': nn.Linear(h, h), 'out': nn.Linear(2 * h, 10), 'ln': nn.LayerNorm(h)})

    def read(self, x):
        m, h = self['enc'](self['emb'](x))
        return m, torch.cat(tuple(h), -1).unsqueeze(0)

    def write(self, y, h, m):
        o, h = self['dec'](self['emb'](y), h)
        a = torch.einsum('ubh,tbh->but', self['ln'](o), self['key'](m)).softmax(-1)
        return self['out'](torch.cat((o, torch.einsum('but,tbh->ubh', a, m)), -1)), h

net = Net()
opt = torch.optim.NAdam(net.parameters(), lr=4e-3)
for it in range(1, 301):
    x, y, _ = draw(50)
    m, h = net.read(x)
    logits, _ = net.write(torch.cat((torch.full((1, 50), GO), y[:-1])), h, m)
    loss = sum(nn.functional.cross_entropy(l, t) for l, t in zip(logits, y))
    opt.zero_grad(); loss.backward(); nn.utils.clip_grad_norm_(net.parameters(), 5.0); opt.step()
    if it % 60 == 0: print(it, loss.item() / 5)

with torch.no_grad():
    x, y, jobs = draw(300)
    m, h = net.read(x)
    t, got = torch.full((1, 300), GO), []
    for _ in range(5):
        l, h = net.write(t, h, m)
        t = l.argmax(-1); got.append(t)
    right = (torch.cat(got) == y).all(0)
for name, j in (('copy', COPY), ('reverse', REV), ('plus one', INC)):
    r = [ok for ok, k in zip(right.tolist(), jobs) if k == j]
    print(name, sum(r) / len(r))
print('held-out score:', right.float().mean().item())
