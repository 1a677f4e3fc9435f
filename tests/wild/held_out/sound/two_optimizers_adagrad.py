# separate optimizers: Adam reads, Adagrad writes. plurals of invented nouns
import random, sys
import torch
from torch import nn
torch.set_num_threads(1)
SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(SEED)
torch.manual_seed(SEED)

def noun():
    return ''.join(random.choice('bdgklmnprt') + random.choice('aeio') for _ in range(random.randint(1, 2))) + random.choice(['s', 'y', 'x', 'n', 'ch', 'l', ''])

def plural(w):
    if w.endswith('y'): return w[:-1] + 'ies'
    if w[-1] in 'sx' or w.endswith('ch'): return w + 'es'
    return w + 's'

alphabet = '#^$' + 'abcdefghijklmnopqrstuvwxyz'      # pad, begin, end
ids = {c: i for i, c in enumerate(alphabet)}
def pad(ws):
    n = max(map(len, ws))
    return torch.tensor([[ids[c] for c in w.ljust(n, '#')] for w in ws]).t()

class Encoder(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.embedding = nn.Embedding(len(alphabet), n)
        self.gru = nn.GRU(n, n, bidirectional=True)
    def forward(self, x):
        out, h = self.gru(self.embedding(x))
        return out[:, :, :out.size(2) // 2] + out[:, :, out.size(2) // 2:], (h[0] + h[1]).unsqueeze(0)

class Decoder(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.embedding = nn.Embedding(len(alphabet), n)
        self.gru = nn.GRU(n, n)
        self.concat = nn.Linear(2 * n, n)
        self.out = nn.Linear(n, len(alphabet))
    def forward(self, y, h, enc, mask):
        o, h = self.gru(self.embedding(y).unsqueeze(0), h)
        e = torch.sum(o * enc, dim=2).masked_fill(mask, -1e9)     # (T, B)
        a = torch.softmax(e, dim=0)
        c = (a.unsqueeze(2) * enc).sum(0)
        return self.out(torch.tanh(self.concat(torch.cat((o[0], c), 1)))), h

words = list({noun() for _ in range(2500)}); words.sort(); random.shuffle(words)
test, train = words[:150], words[150:]
encoder, decoder = Encoder(48), Decoder(48)
enc_opt = torch.optim.Adam(encoder.parameters(), lr=0.005)
dec_opt = torch.optim.Adagrad(decoder.parameters(), lr=0.05)
for it in range(1, 261):
    ws = random.sample(train, 40)
    x, y = pad([w + '$' for w in ws]), pad([plural(w) + '$' for w in ws])
    enc_opt.zero_grad(); dec_opt.zero_grad()
    enc, h = encoder(x)
    tok, loss, n = torch.full((40,), ids['^']), 0, 0
    for t in range(len(y)):
        o, h = decoder(tok, h, enc, x == 0)
        real = y[t] != 0
        loss = loss + nn.functional.cross_entropy(o[real], y[t][real], reduction='sum')
        n += real.sum().item()
        tok = y[t]
    (loss / n).backward()
    nn.utils.clip_grad_norm_(encoder.parameters(), 1); nn.utils.clip_grad_norm_(decoder.parameters(), 1)
    enc_opt.step(); dec_opt.step()
    if it % 52 == 0: print(it, (loss / n).item())

with torch.no_grad():
    x = pad([w + '$' for w in test])
    enc, h = encoder(x)
    tok, cols = torch.full((len(test),), ids['^']), []
    for _ in range(12):
        o, h = decoder(tok, h, enc, x == 0)
        tok = o.argmax(1); cols.append(tok.tolist())
got = [''.join(alphabet[i] for i in r).split('$')[0] for r in zip(*cols)]
print(test[0], got[0])
print('held-out score:', sum(g == plural(w) for g, w in zip(got, test)) / len(test))
