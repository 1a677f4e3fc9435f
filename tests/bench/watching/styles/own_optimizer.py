# an optimizer class of its own, argparse, and a main function
import argparse
import random

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence

PAD, BOS, EOS = 0, 1, 2


class MyAdam:
    def __init__(self, params, lr=0.01, betas=(0.9, 0.999), eps=1e-8):
        self.params = list(params)
        self.lr, self.betas, self.eps, self.t = lr, betas, eps, 0
        self.m = [torch.zeros_like(p) for p in self.params]
        self.v = [torch.zeros_like(p) for p in self.params]

    def zero_grad(self):
        for p in self.params:
            p.grad = None

    @torch.no_grad()
    def step(self):
        self.t += 1
        b1, b2 = self.betas
        for p, m, v in zip(self.params, self.m, self.v):
            if p.grad is None:
                continue
            m.mul_(b1).add_(p.grad, alpha=1 - b1)
            v.mul_(b2).addcmul_(p.grad, p.grad, value=1 - b2)
            m_hat = m / (1 - b1**self.t)
            v_hat = v / (1 - b2**self.t)
            p.addcdiv_(m_hat, v_hat.sqrt().add_(self.eps), value=-self.lr)


class Model(nn.Module):
    def __init__(self, vocab, size):
        super().__init__()
        self.embed = nn.Embedding(vocab, size, padding_idx=PAD)
        self.encoder = nn.LSTM(size, size, batch_first=True)
        self.decoder = nn.LSTM(size, size, batch_first=True)
        self.project = nn.Linear(size, vocab)

    def forward(self, src, tgt):
        lengths = (src != PAD).sum(1)
        packed = pack_padded_sequence(
            self.embed(src), lengths, batch_first=True, enforce_sorted=False
        )
        _, state = self.encoder(packed)
        out, _ = self.decoder(self.embed(tgt), state)
        return self.project(out)


def make_data(count):
    rows = []
    for _ in range(count):
        word = [random.randint(3, 10) for _ in range(random.randint(3, 5))]
        rows.append((word, sorted(word)))
    return rows


def pad(rows):
    longest = max(len(r) for r in rows)
    return torch.tensor([r + [PAD] * (longest - len(r)) for r in rows])


def greedy(model, src, steps=7):
    tokens = [[BOS] for _ in range(len(src))]
    with torch.no_grad():
        for _ in range(steps):
            logits = model(src, torch.tensor(tokens))
            for row, token in zip(tokens, logits[:, -1].argmax(-1).tolist()):
                row.append(token)
    return [row[1 : row.index(EOS)] if EOS in row else row[1:] for row in tokens]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('steps', type=int, nargs='?', default=30)
    parser.add_argument('--lr', type=float, default=0.01)
    parser.add_argument('--size', type=int, default=40)
    args = parser.parse_args()
    torch.manual_seed(0)
    random.seed(0)
    model = Model(11, args.size)
    optim = MyAdam(model.parameters(), lr=args.lr)
    data = make_data(600)
    for step in range(args.steps):
        rows = random.sample(data, 24)
        src = pad([a for a, _ in rows])
        tgt = pad([[BOS] + b + [EOS] for _, b in rows])
        logits = model(src, tgt[:, :-1])
        loss = F.cross_entropy(logits.transpose(1, 2), tgt[:, 1:], ignore_index=PAD)
        optim.zero_grad()
        loss.backward()
        optim.step()
        if step % 20 == 0:
            print(step, loss.item())
    model.eval()
    rows = make_data(20)
    answers = [greedy(model, torch.tensor([a]))[0] for a, _ in rows]
    print('right', sum(a == b for a, (_, b) in zip(answers, rows)) / len(rows))


if __name__ == '__main__':
    main()
