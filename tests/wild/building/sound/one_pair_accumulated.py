"""One sentence at a time, an update for each 8 sentences. Esperanto-like plural and accusative endings.

  la bona hundo vidas la kato  ->  the good dog sees the cat
"""
import random
import sys

import torch
import torch.nn as nn

seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(seed)
torch.manual_seed(seed)
torch.set_num_threads(1)

N = {'hundo': 'dog', 'kato': 'cat', 'viro': 'man', 'birdo': 'bird'}
A = {'bona': 'good', 'granda': 'big', 'nova': 'new'}
V = {'vidas': 'sees', 'amas': 'loves', 'havas': 'has'}


def np_():
    n = random.choice(list(N))
    if random.random() < .5:
        a = random.choice(list(A))
        # adjective comes after the noun here
        return [n, a], [A[a], N[n]]
    return [n], [N[n]]


def make():
    (s1, t1), (s2, t2) = np_(), np_()
    v = random.choice(list(V))
    return s1 + [v] + s2, t1 + [V[v]] + t2


pairs = []
while len(pairs) < 560:
    p = make()
    if p not in pairs:
        pairs.append(p)
test, train = pairs[:80], pairs[80:]
src_words = ['EOS'] + list(N) + list(A) + list(V)
tgt_words = ['EOS', 'SOS'] + list(N.values()) + list(A.values()) + list(V.values())


class Translator(nn.Module):
    def __init__(self, hid=64):
        super().__init__()
        self.e = nn.Embedding(len(src_words), hid)
        self.enc = nn.LSTM(hid, hid)
        self.d = nn.Embedding(len(tgt_words), hid)
        self.dec = nn.LSTM(hid, hid)
        self.o = nn.Linear(2 * hid, len(tgt_words))

    def encode(self, sent):
        ids = torch.tensor([src_words.index(w) for w in sent] + [0])
        return self.enc(self.e(ids).unsqueeze(1))

    def decode(self, ids, state, mem):
        out, state = self.dec(self.d(ids).unsqueeze(1), state)
        out, mem = out.squeeze(1), mem.squeeze(1)
        ctx = torch.softmax(out @ mem.t(), 1) @ mem       # batch of one, nothing is padded: no mask
        return self.o(torch.cat([out, ctx], 1)), state


net = Translator()
opt = torch.optim.Adam(net.parameters(), lr=6e-3)
crit = nn.CrossEntropyLoss()
ACC = 8
seen = 0
running = 0.
for epoch in range(4):
    random.shuffle(train)
    for s, t in train:
        mem, state = net.encode(s)
        gold = torch.tensor([tgt_words.index(w) for w in t] + [0])
        fed = torch.cat([torch.tensor([1]), gold[:-1]])
        logits, _ = net.decode(fed, state, mem)
        loss = crit(logits, gold)
        (loss / ACC).backward()
        running += loss.item()
        seen += 1
        if seen % ACC == 0:
            opt.step()
            opt.zero_grad()
    print(epoch, running / len(train))
    running = 0.


def translate(s):
    with torch.no_grad():
        mem, state = net.encode(s)
        tok, out = torch.tensor([1]), []
        while len(out) < 8:
            logits, state = net.decode(tok, state, mem)
            tok = logits.argmax(1)
            if tok.item() == 0:
                break
            out.append(tgt_words[tok.item()])
    return out


print('held-out score: %.3f' % (sum(translate(s) == t for s, t in test) / len(test)))
