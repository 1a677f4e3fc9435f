"""Marks where syllables begin (1) in made-up words: a labeller that goes through the letters once from the right."""
import sys
import numpy as np
import torch
from torch import nn

torch.set_num_threads(1)
SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 0
rs = np.random.RandomState(SEED)
torch.manual_seed(SEED)
LETTERS = "aeioubdgklmnprst"


def make(n):
    X, Y = [], []
    for _ in range(n):
        w, y = "", []
        for _ in range(rs.randint(1, 5)):
            syl = LETTERS[rs.randint(5, 16)] + LETTERS[rs.randint(5)] + (LETTERS[rs.randint(5, 16)] if rs.rand() < .3 else "")
            w += syl
            y += [1] + [0] * (len(syl) - 1)
        X.append([LETTERS.index(c) for c in w])
        Y.append(y)
    L = max(map(len, X))
    x = np.full((n, L), len(LETTERS))
    y = np.full((n, L), 2)
    for i in range(n):
        x[i, :len(X[i])], y[i, :len(Y[i])] = X[i], Y[i]
    return torch.tensor(x), torch.tensor(y)


class Net(nn.Module):
    def __init__(self, h=24):
        super().__init__()
        self.e = nn.Embedding(17, 12)
        self.r = nn.GRU(12, h, batch_first=True)
        self.o = nn.Linear(h, 1)

    def forward(self, x):
        y, _ = self.r(self.e(x.flip(1)))
        return self.o(y.flip(1)).squeeze(-1)


net, bce = Net(), nn.BCEWithLogitsLoss(reduction="none")
opt = torch.optim.RMSprop(net.parameters(), 5e-3)
xt, yt = make(200)
for it in range(160):
    x, y = make(32)
    m = (y < 2).float()
    loss = (bce(net(x), y.clamp(max=1).float()) * m).sum() / m.sum()
    opt.zero_grad(); loss.backward(); opt.step()
    if it % 40 == 39:
        print(it + 1, round(loss.item(), 4))
with torch.no_grad():
    ok = ((net(xt) > 0).long() == yt) | (yt == 2)
print(f"held-out score: {ok.all(1).float().mean():.3f}")
