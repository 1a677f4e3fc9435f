"""GRU encoder, nn.TransformerDecoder on top of it. Task: repeat every letter twice, vowels first."""
import math
import sys

import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
PAD, BOS, EOS = 0, 1, 2
N = 10          # letters 3..12; 3..6 are vowels


def batch(n):
    src = torch.randint(3, 3 + N, (n, 5))
    src[torch.arange(5).expand(n, 5) >= torch.randint(2, 6, (n, 1))] = PAD
    rows = []
    for r in src.tolist():
        r = [t for t in r if t != PAD]
        r = [t for t in r if t < 7] + [t for t in r if t >= 7]
        rows.append([BOS] + [t for t in r for _ in (0, 1)] + [EOS])
    width = max(map(len, rows))
    return src, torch.tensor([r + [PAD] * (width - len(r)) for r in rows])


class Hybrid(nn.Module):
    def __init__(self, d=48):
        super().__init__()
        self.embed = nn.Embedding(3 + N, d)
        self.pos = nn.Embedding(16, d)
        self.encoder = nn.GRU(d, d // 2, batch_first=True, bidirectional=True)
        layer = nn.TransformerDecoderLayer(d, 4, 96, dropout=0.0, batch_first=True)
        self.decoder = nn.TransformerDecoder(layer, 2)
        self.out = nn.Linear(d, 3 + N)
        self.scale = math.sqrt(d)

    def encode(self, src):
        return self.encoder(self.embed(src))[0], src == PAD

    def decode(self, tgt, memory, src_mask):
        t = tgt.size(1)
        x = self.embed(tgt) + self.pos(torch.arange(t))
        causal = torch.triu(torch.ones(t, t, dtype=torch.bool), diagonal=1)
        return self.out(self.decoder(x, memory, tgt_mask=causal, memory_key_padding_mask=src_mask))

    def forward(self, src, tgt):
        return self.decode(tgt, *self.encode(src))


model = Hybrid()
steps = 300
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min((s + 1) / 30, 1 - s / (steps + 1)))
criterion = nn.CrossEntropyLoss(ignore_index=PAD)
for step in range(steps):
    src, tgt = batch(48)
    logits = model(src, tgt[:, :-1])
    loss = criterion(logits.reshape(-1, logits.size(-1)), tgt[:, 1:].reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 50 == 0:
        print(f"step {step} loss {loss.item():.3f}")

model.eval()
with torch.no_grad():
    src, tgt = batch(200)
    memory, mask = model.encode(src)
    ys = torch.full((200, 1), BOS)
    done = torch.zeros(200, dtype=torch.bool)
    for _ in range(tgt.size(1) - 1):
        nxt = model.decode(ys, memory, mask)[:, -1].argmax(-1)
        nxt[done] = PAD
        done |= nxt == EOS
        ys = torch.cat([ys, nxt[:, None]], 1)
print(f"held-out score: {(ys == tgt).all(1).float().mean().item():.4f}")
