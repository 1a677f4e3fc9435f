import sys
import torch
from torch import nn

torch.manual_seed(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
torch.set_num_threads(1)


class Cfg:
    vocab = 12        # 0 pad, 1 bos, 2 eos
    emb = 32
    hid = 40          # each direction
    layers = 2
    bs = 64
    steps = 300


class Enc(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.emb = nn.Embedding(c.vocab, c.emb, padding_idx=0)
        self.lstm = nn.LSTM(c.emb, c.hid, c.layers, bidirectional=True, dropout=0.05)

    def merge(self, s):
        # (layers * 2, B, H) -> (layers, B, 2H): both directions of each layer side by side
        s = s.view(self.c.layers, 2, s.size(1), s.size(2))
        return torch.cat([s[:, 0], s[:, 1]], dim=2)

    def forward(self, src, lens):
        x = nn.utils.rnn.pack_padded_sequence(self.emb(src), lens, enforce_sorted=False)
        out, (h, c) = self.lstm(x)
        return nn.utils.rnn.pad_packed_sequence(out)[0], (self.merge(h), self.merge(c))


class Dec(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.emb = nn.Embedding(c.vocab, c.emb, padding_idx=0)
        self.lstm = nn.LSTM(c.emb, 2 * c.hid, c.layers, dropout=0.05)
        self.att = nn.MultiheadAttention(2 * c.hid, 1)
        self.out = nn.Linear(4 * c.hid, c.vocab)

    def forward(self, y, state, memory, pad_mask):
        o, state = self.lstm(self.emb(y), state)
        a, _ = self.att(o, memory, memory, key_padding_mask=pad_mask)
        return self.out(torch.cat([o, a], 2)), state


def make_batch(n, keep):
    """each symbol is written twice if it is odd, once if it is even"""
    src, tgt = [], []
    while len(src) < n:
        s = torch.randint(3, Cfg.vocab, (int(torch.randint(2, 5, ())),)).tolist()
        if keep(s):
            src.append(torch.tensor(s))
            tgt.append(torch.tensor([1] + [v for v in s for _ in range(1 + v % 2)] + [2]))
    lens = torch.tensor([len(s) for s in src])
    pad = nn.utils.rnn.pad_sequence
    return pad(src), lens, pad(tgt)


enc, dec = Enc(Cfg), Dec(Cfg)
params = [*enc.parameters(), *dec.parameters()]
optim = torch.optim.Adam(params, lr=5e-3)
plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optim, factor=0.5, patience=2)
lossf = nn.CrossEntropyLoss(ignore_index=0)
in_train = lambda s: sum(s) % 5 != 0
avg = 0.
for step in range(Cfg.steps):
    enc.train(), dec.train()
    src, lens, tgt = make_batch(Cfg.bs, in_train)
    memory, state = enc(src, lens)
    logits, _ = dec(tgt[:-1], state, memory, (src == 0).t())
    loss = lossf(logits.flatten(0, 1), tgt[1:].flatten())
    optim.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(params, 1.0)
    optim.step()
    avg += loss.item() / 30
    if step % 30 == 29:
        plateau.step(avg)
        print(step + 1, 'loss', round(avg, 4), 'lr', optim.param_groups[0]['lr'])
        avg = 0.

enc.eval(), dec.eval()
with torch.no_grad():
    src, lens, tgt = make_batch(200, lambda s: not in_train(s))
    memory, state = enc(src, lens)
    tok = torch.ones(1, 200, dtype=torch.long)
    hyp = []
    for _ in range(len(tgt) - 1):
        logits, state = dec(tok, state, memory, (src == 0).t())
        tok = logits.argmax(2)
        hyp.append(tok)
    hyp = torch.cat(hyp)
    mask = tgt[1:] != 0
print('held-out score: %.3f' % ((hyp == tgt[1:]) & mask).sum().div(mask.sum()).item())
