# 4 micro-batches of 10 per step (small GPU...), loss normalised by the tokens of all four
import sys, random
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(1)
seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(seed)
torch.manual_seed(seed)
PAD, BOS, EOS = 9, 10, 11       # 0..8 are the symbols, pad is 9


def micro_batch(n=10):
    src, tgt = [], []
    for _ in range(n):
        s = [random.randrange(9) for _ in range(random.randint(2, 6))]
        src.append(s)
        tgt.append([BOS] + [t for t in s if t % 2 == 0] + [t for t in s if t % 2] + [EOS])
    f = lambda rows: torch.tensor([r + [PAD] * (max(map(len, rows)) - len(r)) for r in rows])
    return f(src), f(tgt)


class EncDec(nn.Module):
    def __init__(self, d=56):
        super().__init__()
        self.e = nn.Embedding(12, d, padding_idx=PAD)
        self.enc = nn.GRU(d, d, batch_first=True, bidirectional=True)
        self.dec = nn.GRU(d, d, batch_first=True)
        self.k, self.v = nn.Linear(2 * d, d), nn.Linear(2 * d, d)
        self.o = nn.Linear(2 * d, 12)

    def memory(self, src):
        m, h = self.enc(self.e(src))
        return self.k(m), self.v(m), (src == PAD).unsqueeze(1), (h[:1] + h[1:])

    def decode(self, y, h, k, v, mask):
        q, h = self.dec(self.e(y), h)
        a = (q @ k.transpose(1, 2) / q.size(-1) ** 0.5).masked_fill(mask, float('-inf')).softmax(-1)
        return self.o(torch.cat([q, a @ v], -1)), h


model = EncDec()
opt = torch.optim.Adam(model.parameters(), lr=8e-3)
ACC = 4
for step in range(120):
    parts = [micro_batch() for _ in range(ACC)]
    n_tokens = sum((t[:, 1:] != PAD).sum().item() for _, t in parts)
    shown = 0.
    for src, tgt in parts:
        k, v, mask, h = model.memory(src)
        logits, _ = model.decode(tgt[:, :-1], h, k, v, mask)
        loss = F.cross_entropy(logits.transpose(1, 2), tgt[:, 1:], ignore_index=PAD, reduction='sum') / n_tokens
        loss.backward()
        shown += loss.item()
    opt.step()
    opt.zero_grad()
    if step % 20 == 0:
        print(step, round(shown, 4))

model.eval()
ok = 0
with torch.no_grad():
    src, tgt = micro_batch(200)
    k, v, mask, h = model.memory(src)
    y, out = torch.full((200, 1), BOS), []
    for _ in range(tgt.size(1) - 1):
        logits, h = model.decode(y, h, k, v, mask)
        y = logits.argmax(-1)
        out.append(y)
    out = torch.cat(out, 1)
    real = tgt[:, 1:] != PAD
    ok = ((out == tgt[:, 1:]) | ~real).all(1).float().mean().item()
print('held-out score: %.4f' % ok)
