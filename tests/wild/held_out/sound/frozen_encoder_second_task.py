"""First an autoencoder; then its encoder is frozen and only a new decoder learns (it writes the list backwards)."""
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(1)
torch.manual_seed(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
V, L, BOS = 8, 4, 8


class Encoder(nn.Module):
    def __init__(self, d=80):
        super().__init__()
        self.embed, self.gru = nn.Embedding(V, d), nn.GRU(d, d, batch_first=True)

    def forward(self, x):
        return self.gru(self.embed(x))[1]


class Decoder(nn.Module):
    def __init__(self, d=80):
        super().__init__()
        self.embed, self.gru, self.out = nn.Embedding(V + 1, d), nn.GRU(d, d, batch_first=True), nn.Linear(d, V)

    def forward(self, y, h):
        o, h = self.gru(self.embed(y), h)
        return self.out(o), h


def fit(encoder, decoder, params, goal, steps, lr=6e-3):
    opt = torch.optim.Adam(params, lr=lr)
    for i in range(steps):
        x = torch.randint(0, V, (48, L))
        y = goal(x)
        logits, _ = decoder(torch.cat([torch.full((48, 1), BOS), y[:, :-1]], 1), encoder(x))
        loss = F.cross_entropy(logits.reshape(-1, V), y.reshape(-1))
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(params, 1.0)
        opt.step()
        if i % 100 == 99:
            print("step", i + 1, "loss", round(loss.item(), 4))


def score(encoder, decoder, goal):
    with torch.no_grad():
        x = torch.randint(0, V, (300, L))
        h, tok, got = encoder(x), torch.full((300, 1), BOS), []
        for _ in range(L):
            logits, h = decoder(tok, h)
            tok = logits.argmax(-1)
            got.append(tok)
        return (torch.cat(got, 1) == goal(x)).float().mean().item()


encoder, first, second = Encoder(), Decoder(), Decoder()
same, backwards = (lambda x: x), (lambda x: x.flip(1))
fit(encoder, first, list(encoder.parameters()) + list(first.parameters()), same, 300)
print("autoencoder", score(encoder, first, same))
for p in encoder.parameters():
    p.requires_grad = False
fit(encoder, second, list(second.parameters()), backwards, 300)
print("held-out score: %.4f" % score(encoder, second, backwards))
