"""
Tiny question inversion: "you can swim fast" -> "can you swim fast ?"
Label smoothing by KL divergence (as in the annotated transformer), beam search at the end.
"""
import itertools
import random
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(seed)
torch.manual_seed(seed)
torch.set_num_threads(1)

who = ['you', 'we', 'they', 'kids']
aux = ['can', 'must', 'will', 'may']
verb = ['swim', 'run', 'sing', 'cook', 'read']
how = ['fast', 'well', 'now', 'alone', '']
data = []
for w, a, v, h in itertools.product(who, aux, verb, how):
    data.append(([w, a, v] + ([h] if h else []), [a, w, v] + ([h] if h else []) + ['?']))
random.shuffle(data)
test, train = data[:60], data[60:]

itos = ['<blank>', '<s>', '</s>', '?'] + who + aux + verb + [h for h in how if h]
stoi = {w: i for i, w in enumerate(itos)}
V = len(itos)


class LabelSmoothing(nn.Module):
    def __init__(self, size, padding_idx, smoothing=0.1):
        super().__init__()
        self.size, self.padding_idx, self.smoothing = size, padding_idx, smoothing

    def forward(self, x, target):
        true_dist = torch.full_like(x, self.smoothing / (self.size - 2))
        true_dist.scatter_(1, target.unsqueeze(1), 1 - self.smoothing)
        true_dist[:, self.padding_idx] = 0
        true_dist[target == self.padding_idx] = 0
        return F.kl_div(x, true_dist.detach(), reduction='sum')


class Generator(nn.Module):
    def __init__(self, d, v):
        super().__init__()
        self.proj = nn.Linear(d, v)

    def forward(self, x):
        return F.log_softmax(self.proj(x), dim=-1)


class EncoderDecoder(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.src_embed = nn.Embedding(V, d)
        self.trg_embed = nn.Embedding(V, d)
        self.encoder = nn.GRU(d, d, batch_first=True)
        self.decoder = nn.GRU(d, d, batch_first=True)
        self.generator = Generator(d, V)

    def forward(self, src, trg, h=None):
        if h is None:
            _, h = self.encoder(self.src_embed(src))
        out, h = self.decoder(self.trg_embed(trg), h)
        return self.generator(out), h


def pad(rows):
    n = max(map(len, rows))
    return torch.tensor([r + [0] * (n - len(r)) for r in rows])


def rows(batch):
    # sources are padded on the left so that the last state is that of the last word
    n = max(len(s) for s, _ in batch)
    src = torch.tensor([[0] * (n - len(s)) + [stoi[w] for w in s] for s, _ in batch])
    trg = pad([[1] + [stoi[w] for w in t] + [2] for _, t in batch])
    return src, trg


model = EncoderDecoder()
criterion = LabelSmoothing(V, 0, 0.1)
opt = torch.optim.Adam(model.parameters(), lr=4e-3)
for epoch in range(16):
    random.shuffle(train)
    total, tokens = 0, 0
    for i in range(0, len(train), 20):
        src, trg = rows(train[i:i + 20])
        y = trg[:, 1:].contiguous()
        ntokens = (y != 0).sum()
        logp, _ = model(src, trg[:, :-1])
        loss = criterion(logp.contiguous().view(-1, V), y.view(-1)) / ntokens
        loss.backward()
        opt.step()
        opt.zero_grad(set_to_none=True)
        total += loss.item() * ntokens.item()
        tokens += ntokens.item()
    print('Epoch %d Loss: %f' % (epoch, total / tokens))


@torch.no_grad()
def beam_search(words, k=3, max_len=8):
    model.eval()
    _, h = model.encoder(model.src_embed(torch.tensor([[0] * (4 - len(words)) + [stoi[w] for w in words]])))
    beams = [(0.0, [1], h)]
    for _ in range(max_len):
        grown = []
        for score, ids, h in beams:
            if ids[-1] == 2:
                grown.append((score, ids, h))
                continue
            logp, h2 = model(None, torch.tensor([[ids[-1]]]), h)
            top, idx = logp[0, -1].topk(k)
            grown += [(score + s, ids + [i], h2) for s, i in zip(top.tolist(), idx.tolist())]
        beams = sorted(grown, key=lambda b: -b[0] / len(b[1]))[:k]
    best = beams[0][1][1:]
    return [itos[i] for i in best if i != 2]


right = 0
for s, t in test:
    right += beam_search(s) == t
print(' '.join(test[0][0]), '=>', ' '.join(beam_search(test[0][0])))
print('held-out score: %.3f' % (right / len(test)))
