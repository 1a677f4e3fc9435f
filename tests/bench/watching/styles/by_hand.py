# modules with hand-made steps: backward(), then p -= lr * p.grad
import random
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)
random.seed(0)
n_steps = int(sys.argv[1]) if len(sys.argv) > 1 else 30
PAD, SOS, EOS = 0, 1, 2
V, H = 11, 40
lr = 0.5


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(V, H)
        self.rnn = nn.GRU(H, H)

    def forward(self, x):
        return self.rnn(self.emb(x))[1]


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(V, H)
        self.rnn = nn.GRU(H, H)
        self.out = nn.Linear(H, V)

    def forward(self, y, h):
        o, h = self.rnn(self.emb(y), h)
        return self.out(o), h


enc, dec = Encoder(), Decoder()


def get_batch(n):
    length = random.randint(4, 6)
    x = torch.randint(3, V, (length, n))
    y = torch.cat([torch.full((1, n), SOS), x.flip(0), torch.full((1, n), EOS)])
    return x, y


for i in range(n_steps):
    x, y = get_batch(16)
    logits, _ = dec(y[:-1], enc(x))
    loss = F.cross_entropy(logits.view(-1, V), y[1:].view(-1))
    loss.backward()
    with torch.no_grad():
        for p in list(enc.parameters()) + list(dec.parameters()):
            p -= lr * p.grad
            p.grad.zero_()
    if i % 20 == 0:
        print(i, loss.item())


@torch.no_grad()
def translate(x):
    h = enc(x)
    word = SOS
    out = []
    for _ in range(10):
        logits, h = dec(torch.tensor([[word]]), h)
        word = logits[0, 0].argmax().item()
        if word == EOS:
            break
        out.append(word)
    return out


hits = 0
for _ in range(20):
    x, y = get_batch(1)
    hits += translate(x) == y[1:-1, 0].tolist()
print('right', hits / 20)
