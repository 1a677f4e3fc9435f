import sys
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import TensorDataset, DataLoader


class MiniLightning:
    """a poor man's pl.Trainer"""

    def __init__(self, max_epochs, gradient_clip_val=None):
        self.max_epochs, self.clip = max_epochs, gradient_clip_val

    def fit(self, module, train_dl, val_dl):
        opts, scheds = module.configure_optimizers()
        for epoch in range(self.max_epochs):
            module.train()
            for i, batch in enumerate(train_dl):
                loss = module.training_step(batch, i)
                for o in opts: o.zero_grad()
                loss.backward()
                if self.clip: nn.utils.clip_grad_norm_(module.parameters(), self.clip)
                for o in opts: o.step()
            for s in scheds: s.step()
            module.eval()
            with torch.no_grad():
                val = [module.validation_step(b, i) for i, b in enumerate(val_dl)]
            print(f'epoch {epoch} train_loss {loss.item():.3f} val_acc {sum(val) / len(val):.3f}')


class CaesarSeq2Seq(nn.Module):
    """a shift cipher: the first token says by how much the others are shifted, result is reversed"""

    def __init__(self, n=9, d=80):
        super().__init__()
        self.n = n
        self.inp = nn.Embedding(n, 24)
        self.prev = nn.Embedding(n + 1, 24)
        self.enc = nn.LSTM(24, d, batch_first=True)
        self.dec = nn.LSTMCell(24 + d, d)
        self.head = nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Linear(d, n))

    def forward(self, x, y=None, steps=3):
        _, (h, c) = self.enc(self.inp(x))
        h, c = h[-1], c[-1]
        z = h
        prev = torch.full_like(x[:, 0], self.n)
        logits = []
        for t in range(steps):
            h, c = self.dec(torch.cat([self.prev(prev), z], -1), (h, c))
            logits.append(self.head(h))
            prev = y[:, t] if y is not None else logits[-1].argmax(-1)
        return torch.stack(logits, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self(x, y).transpose(1, 2), y)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        return (self(x).argmax(-1) == y).float().mean().item()

    def configure_optimizers(self):
        opt = torch.optim.NAdam(self.parameters(), lr=4e-3)
        return [opt], [torch.optim.lr_scheduler.ExponentialLR(opt, 0.85)]


seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
torch.manual_seed(seed)
torch.set_num_threads(1)
x = torch.cartesian_prod(torch.arange(4), torch.arange(9), torch.arange(9), torch.arange(9))
x = x[torch.randperm(len(x))]
y = ((x[:, 1:] + x[:, :1]) % 9).flip(1)
train_dl = DataLoader(TensorDataset(x[300:], y[300:]), batch_size=64, shuffle=True)
val_dl = DataLoader(TensorDataset(x[:300], y[:300]), batch_size=300)
model = CaesarSeq2Seq()
MiniLightning(max_epochs=12, gradient_clip_val=1.0).fit(model, train_dl, val_dl)
model.eval()
with torch.no_grad():
    print('held-out score: %.3f' % ((model(x[:300]).argmax(-1) == y[:300]).float().mean().item()))
