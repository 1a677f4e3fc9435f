"""Greedy and beam search side by side. Sentences of an invented language into English word order."""
import heapq
import random
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(1)
seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(seed)
torch.manual_seed(seed)

nouns = [("kala", "fish"), ("suno", "sun"), ("jan", "man"), ("soweli", "cat"), ("waso", "bird"), ("kasi", "plant")]
verbs = [("lukin", "sees"), ("moku", "eats"), ("olin", "loves"), ("jo", "has")]
adjs = [("lili", "small"), ("pona", "good"), ("loje", "red")]


def np_():
    n = random.choice(nouns)
    if random.random() < 0.5:
        a = random.choice(adjs)
        return [n[0], a[0]], ["the", a[1], n[1]]
    return [n[0]], ["the", n[1]]


def pair():
    s, v = np_(), random.choice(verbs)
    src, tgt = s[0] + ["li", v[0]], s[1] + [v[1]]
    if random.random() < 0.7:
        o = np_()
        src, tgt = src + ["e"] + o[0], tgt + o[1]
    return src, tgt


class Lang:
    def __init__(self, sentences):
        self.index2word = ["PAD", "SOS", "EOS"]
        for s in sentences:
            for w in s:
                if w not in self.index2word:
                    self.index2word.append(w)
        self.word2index = {w: i for i, w in enumerate(self.index2word)}

    def ids(self, s):
        return [self.word2index[w] for w in s] + [2]


data = [pair() for _ in range(1500)]
test, train = data[:100], data[100:]
A, B = Lang(s for s, _ in data), Lang(t for _, t in data)


def tensor(rows):
    n = max(map(len, rows))
    return torch.tensor([r + [0] * (n - len(r)) for r in rows])


class AttnSeq2Seq(nn.Module):
    def __init__(self, n=48, p=0.1):
        super().__init__()
        self.ea, self.eb = nn.Embedding(len(A.index2word), n), nn.Embedding(len(B.index2word), n)
        self.enc = nn.LSTM(n, n, batch_first=True)
        self.dec = nn.LSTM(2 * n, n, batch_first=True)
        self.Wa, self.Ua, self.Va = nn.Linear(n, n), nn.Linear(n, n), nn.Linear(n, 1)
        self.out = nn.Linear(n, len(B.index2word))
        self.drop = nn.Dropout(p)

    def encode(self, x):
        m, s = self.enc(self.drop(self.ea(x)))
        return m, s, x == 0

    def step(self, y, s, m, mask):
        q = s[0].transpose(0, 1)                                       # (B, 1, n)
        e = self.Va(torch.tanh(self.Wa(q) + self.Ua(m))).squeeze(2)
        w = F.softmax(e.masked_fill(mask, float("-inf")), 1).unsqueeze(1)
        o, s = self.dec(torch.cat([self.drop(self.eb(y)).unsqueeze(1), w @ m], 2), s)
        return F.log_softmax(self.out(o.squeeze(1)), -1), s


model = AttnSeq2Seq()
opt = torch.optim.Adam(model.parameters(), lr=8e-3)
for epoch in range(5):
    random.shuffle(train)
    model.train()
    tot = 0
    for i in range(0, len(train), 40):
        x = tensor([A.ids(s) for s, _ in train[i:i + 40]])
        y = tensor([B.ids(t) for _, t in train[i:i + 40]])
        m, s, mask = model.encode(x)
        tok, loss = torch.ones(len(x), dtype=torch.long), 0
        for t in range(y.size(1)):
            lp, s = model.step(tok, s, m, mask)
            loss = loss + F.nll_loss(lp, y[:, t], ignore_index=0, reduction="sum")
            tok = y[:, t]
        loss = loss / (y != 0).sum()
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1)
        opt.step()
        tot += loss.item()
    print("epoch", epoch + 1, "loss %.4f" % (tot / (len(train) / 40)))


@torch.no_grad()
def beam(words, k):
    m, s, mask = model.encode(torch.tensor([A.ids(words)]))
    hyps, done = [(0.0, [1], s)], []
    for _ in range(10):
        new = []
        for score, seq, s in hyps:
            lp, s2 = model.step(torch.tensor([seq[-1]]), s, m, mask)
            top = lp[0].topk(k)
            for v, i in zip(top.values.tolist(), top.indices.tolist()):
                (done if i == 2 else new).append((score + v, seq + [i], s2))
        hyps = heapq.nlargest(k, new, key=lambda h: h[0])
        if len(done) >= k:
            break
    best = max(done or hyps, key=lambda h: h[0] / len(h[1]))
    return [B.index2word[i] for i in best[1][1:] if i != 2]


model.eval()
for k in (3, 1):
    score = sum(beam(s, k) == t for s, t in (test if k == 1 else test[:30])) / (100 if k == 1 else 30)
    print("beam", k, score)
print("held-out score: %.3f" % score)
