# a Learner with callbacks, as in fastai
import random
import sys

import torch
from torch import nn
from torch.utils.data import DataLoader


class Callback:
    def __init__(self, learner):
        self.learner = learner

    def before_epoch(self):
        pass

    def after_loss(self):
        pass

    def after_epoch(self):
        pass


class ClipGradients(Callback):
    def after_loss(self):
        nn.utils.clip_grad_norm_(self.learner.model.parameters(), 1.0)


class PrintLoss(Callback):
    def before_epoch(self):
        self.losses = []

    def after_loss(self):
        self.losses.append(self.learner.loss.item())

    def after_epoch(self):
        print(sum(self.losses) / len(self.losses))


class Learner:
    def __init__(self, model, dls, loss_func, opt_func, lr, cbs):
        self.model, self.dls, self.loss_func = model, dls, loss_func
        self.opt = opt_func(model.parameters(), lr=lr)
        self.cbs = [cb(self) for cb in cbs]

    def __call__(self, name):
        for cb in self.cbs:
            getattr(cb, name)()

    def one_batch(self, xb, yb):
        self.pred = self.model(xb, yb)
        self.loss = self.loss_func(self.pred, yb)
        if not self.model.training:
            return
        self.loss.backward()
        self('after_loss')
        self.opt.step()
        self.opt.zero_grad()

    def fit(self, n_epochs):
        for _ in range(n_epochs):
            self('before_epoch')
            self.model.train()
            for xb, yb in self.dls[0]:
                self.one_batch(xb, yb)
            self('after_epoch')

    def validate(self):
        self.model.eval()
        right = total = 0
        with torch.no_grad():
            for xb, yb in self.dls[1]:
                out = self.model.generate(xb, yb.shape[1])
                right += (out == yb).all(1).sum().item()
                total += len(xb)
        return right / total


class Seq2SeqRNN(nn.Module):
    def __init__(self, vocab_in, vocab_out, emb=24, nh=48):
        super().__init__()
        self.emb_enc = nn.Embedding(vocab_in, emb)
        self.gru_enc = nn.GRU(emb, nh, batch_first=True)
        self.emb_dec = nn.Embedding(vocab_out, emb)
        self.gru_dec = nn.GRU(emb, nh, batch_first=True)
        self.drop = nn.Dropout(0.2)
        self.out = nn.Linear(nh, vocab_out)
        self.bos = 0
        self.pr_force = 0.8

    def encode(self, inp):
        return self.gru_enc(self.drop(self.emb_enc(inp)))[1]

    def forward(self, inp, targ):
        h = self.encode(inp)
        dec_inp = torch.full((len(inp),), self.bos)
        res = []
        for i in range(targ.shape[1]):
            out, h = self.gru_dec(self.emb_dec(dec_inp)[:, None], h)
            out = self.out(self.drop(out[:, 0]))
            res.append(out)
            dec_inp = targ[:, i] if random.random() < self.pr_force else out.max(1)[1]
        return torch.stack(res, dim=1)

    def generate(self, inp, steps):
        h = self.encode(inp)
        dec_inp = torch.full((len(inp),), self.bos)
        res = []
        for _ in range(steps):
            out, h = self.gru_dec(self.emb_dec(dec_inp)[:, None], h)
            dec_inp = self.out(self.drop(out[:, 0])).max(1)[1]
            res.append(dec_inp)
        return torch.stack(res, dim=1)


def seq2seq_loss(input, target):
    return nn.functional.cross_entropy(input.reshape(-1, input.shape[-1]), target.reshape(-1))


torch.manual_seed(0)
random.seed(0)
epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 1
items = []
for _ in range(440):
    row = torch.randint(1, 9, (4,))
    items.append((row, torch.cat([row.flip(0) + 1, torch.tensor([1])])))
dls = (
    DataLoader(items[:400], batch_size=20, shuffle=True),
    DataLoader(items[400:], batch_size=20),
)
learn = Learner(Seq2SeqRNN(9, 11), dls, seq2seq_loss, torch.optim.Adam, 5e-3, [ClipGradients, PrintLoss])
learn.fit(epochs)
print('right', learn.validate())
