"""Words are read letter by letter (a GRU over characters), the sentence by a second GRU; the output is words.

A made-up language whose word endings tell the person: "mav-o" I go, "mav-as" you go.
"""
import random
import sys

import torch
from torch import nn

torch.set_num_threads(1)
SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(SEED)
torch.manual_seed(SEED)

STEMS = {"mav": "go", "lik": "see", "tor": "eat", "pes": "sing", "num": "buy", "rad": "read"}
ENDS = {"o": "i", "as": "you", "it": "she"}
ADVERBS = {"ne": "not", "hodi": "today", "semp": "always"}
CHARS = {c: i + 1 for i, c in enumerate("abcdefghijklmnopqrstuvwxyz")}
OUT = ["<pad>", "<go>", "<end>", "and"] + sorted(list(STEMS.values()) + list(ENDS.values()) + list(ADVERBS.values()))
O = {w: i for i, w in enumerate(OUT)}


def clause():
    s, e = random.choice(list(STEMS)), random.choice(list(ENDS))
    src, tgt = [s + e], [ENDS[e], STEMS[s]]
    if random.random() < 0.5:
        a = random.choice(list(ADVERBS))
        src.insert(0, a)
        tgt.append(ADVERBS[a])
    return src, tgt


def example():
    src, tgt = clause()
    if random.random() < 0.6:
        s, t = clause()
        src, tgt = src + ["et"] + s, tgt + ["and"] + t
    return src, [O[w] for w in tgt] + [2]


def to_batch(examples):
    n_words, n_chars = max(len(s) for s, _ in examples), max(len(w) for s, _ in examples for w in s)
    x = torch.zeros(len(examples), n_words, n_chars, dtype=torch.long)
    y = torch.zeros(len(examples), max(len(t) for _, t in examples), dtype=torch.long)
    for i, (s, t) in enumerate(examples):
        for j, w in enumerate(s):
            # letters stand at the right edge so that the last state has read the whole word
            x[i, j, n_chars - len(w):] = torch.tensor([CHARS[c] for c in w])
        y[i, :len(t)] = torch.tensor(t)
    return x, y


class CharEncoder(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.emb = nn.Embedding(27, 16, padding_idx=0)
        self.chars = nn.GRU(16, dim, batch_first=True)
        self.words = nn.GRU(dim, dim, batch_first=True)

    def forward(self, x):
        b, w, c = x.shape
        _, h = self.chars(self.emb(x.view(b * w, c)))
        return self.words(h[0].view(b, w, -1))


class WordDecoder(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.emb = nn.Embedding(len(OUT), dim)
        self.gru = nn.GRU(dim, dim, batch_first=True)
        self.out = nn.Linear(2 * dim, len(OUT))

    def forward(self, y, h, mem, empty):
        o, h = self.gru(self.emb(y), h)
        w = torch.bmm(o, mem.transpose(1, 2)).masked_fill(empty.unsqueeze(1), -1e9).softmax(2)
        return self.out(torch.cat([o, torch.bmm(w, mem)], 2)), h


enc, dec = CharEncoder(48), WordDecoder(48)
params = list(enc.parameters()) + list(dec.parameters())
opt = torch.optim.Adam(params, 6e-3)
ce = nn.CrossEntropyLoss(ignore_index=0)
for it in range(200):
    x, y = to_batch([example() for _ in range(40)])
    mem, h = enc(x)
    y_in = torch.cat([torch.ones(len(y), 1, dtype=torch.long), y[:, :-1]], 1)
    logits, _ = dec(y_in, h, mem, (x == 0).all(2))
    loss = ce(logits.flatten(0, 1), y.flatten())
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(params, 1.0)
    opt.step()
    if it % 40 == 39:
        print(it + 1, f"{loss.item():.4f}")
with torch.no_grad():
    test = [example() for _ in range(150)]
    x, y = to_batch(test)
    mem, h = enc(x)
    tok, out = torch.ones(len(test), 1, dtype=torch.long), []
    for _ in range(9):
        logits, h = dec(tok, h, mem, (x == 0).all(2))
        tok = logits.argmax(-1)
        out.append(tok)
right = 0
for row, (_, t) in zip(torch.cat(out, 1).tolist(), test):
    right += row[:len(t)] == t
print(f"held-out score: {right / len(test):.4f}")
