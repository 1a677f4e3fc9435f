import sys
import itertools
import random

import torch
from torch import nn
from torch.nn import functional as F

MORSE = {"a": ".-", "b": "-...", "c": "-.-.", "d": "-..", "e": ".", "i": "..", "m": "--", "n": "-.", "o": "---", "s": "...", "t": "-"}
LETTERS = sorted(MORSE)
SYMS = [".", "-", "/", "$", "^"]      # $ ends the message, ^ begins it


class MorseCoder(nn.Module):
    """Letters in, dots and dashes out. One LSTMCell reads, another one writes."""

    def __init__(self, d=96):
        super().__init__()
        self.letter = nn.Embedding(len(LETTERS), 32)
        self.symbol = nn.Embedding(len(SYMS), 16)
        self.reader = nn.LSTMCell(32, d)
        self.writer = nn.LSTMCell(16 + d, d)
        self.proj = nn.Linear(d, len(SYMS))

    def read(self, letters):
        hc = None
        for t in range(letters.size(1)):
            hc = self.reader(self.letter(letters[:, t]), hc)
        return hc

    def write(self, hc, thought, sym):
        hc = self.writer(torch.cat([self.symbol(sym), thought], 1), hc)
        return self.proj(hc[0]), hc

    def forward(self, letters, code):
        hc = self.read(letters)
        thought = hc[0]
        sym = torch.full((len(letters),), SYMS.index("^"))
        out = []
        for t in range(code.size(1)):
            logit, hc = self.write(hc, thought, sym)
            out.append(logit)
            sym = code[:, t]
        return torch.stack(out, 1)

    @torch.no_grad()
    def transmit(self, word, limit=20):
        hc = self.read(torch.tensor([[LETTERS.index(c) for c in word]]))
        thought, sym, text = hc[0], torch.tensor([SYMS.index("^")]), ""
        while len(text) < limit:
            logit, hc = self.write(hc, thought, sym)
            sym = logit.argmax(1)
            if SYMS[sym.item()] == "$":
                break
            text += SYMS[sym.item()]
        return text


def encode(words):
    x = torch.tensor([[LETTERS.index(c) for c in w] for w in words])
    codes = ["/".join(MORSE[c] for c in w) + "$" for w in words]
    n = max(map(len, codes))
    y = torch.tensor([[SYMS.index(c) for c in k] + [-1] * (n - len(k)) for k in codes])
    return x, y


def main(seed):
    random.seed(seed)
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    words = ["".join(p) for p in itertools.product(LETTERS, repeat=3)]
    random.shuffle(words)
    dev, train = words[:100], words[100:]
    net = MorseCoder()
    optim = torch.optim.RMSprop(net.parameters(), lr=2e-3)
    for epoch in range(12):
        random.shuffle(train)
        tot = 0
        for i in range(0, len(train), 64):
            x, y = encode(train[i:i + 64])
            logits = net(x, y.clamp(min=0))
            loss = F.cross_entropy(logits.transpose(1, 2), y, ignore_index=-1)
            net.zero_grad()
            loss.backward()
            optim.step()
            tot += loss.item()
        print("epoch", epoch, "loss", round(tot / (len(train) / 64), 4), "e.g.", dev[0], net.transmit(dev[0]))
    good = sum(net.transmit(w) == "/".join(MORSE[c] for c in w) for w in dev)
    print("held-out score: %.3f" % (good / len(dev)))


main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
