"""GRU encoder, nn.TransformerDecoder on top of it. Task: dictionary translation with the words of each pair swapped."""
import math
import random
import sys

import torch
import torch.nn as nn

PAD, BOS, EOS, N = 0, 1, 2, 16


class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_len=50):
        super().__init__()
        position = torch.arange(max_len).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
        pe = torch.zeros(1, max_len, d_model)
        pe[0, :, 0::2] = torch.sin(position * div_term)
        pe[0, :, 1::2] = torch.cos(position * div_term)
        self.register_buffer('pe', pe)

    def forward(self, x):
        return x + self.pe[:, :x.size(1)]


class Model(nn.Module):
    def __init__(self, d_model=64, nhead=4, num_layers=1):
        super().__init__()
        self.d_model = d_model
        self.src_embed = nn.Embedding(N, d_model, padding_idx=PAD)
        self.tgt_embed = nn.Embedding(N, d_model, padding_idx=PAD)
        self.encoder = nn.GRU(d_model, d_model // 2, batch_first=True, bidirectional=True)
        self.pos = PositionalEncoding(d_model)
        layer = nn.TransformerDecoderLayer(d_model, nhead, dim_feedforward=128, dropout=0.0, batch_first=True)
        self.decoder = nn.TransformerDecoder(layer, num_layers)
        nn.init.normal_(self.tgt_embed.weight, std=0.3)
        self.fc_out = nn.Linear(d_model, N)

    def encode(self, src):
        return self.pos(self.encoder(self.src_embed(src))[0])

    def decode(self, tgt, memory, src):
        mask = torch.triu(torch.ones(tgt.size(1), tgt.size(1), dtype=torch.bool), diagonal=1)
        x = self.pos(self.tgt_embed(tgt))
        x = self.decoder(x, memory, tgt_mask=mask, memory_key_padding_mask=src == PAD)
        return self.fc_out(x)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src)


def batch(n):
    srcs, tgts = [], []
    for _ in range(n):
        w = [random.randint(3, 9) for _ in range(random.choice([2, 4, 6]))]
        t = [v for i in range(0, len(w), 2) for v in (w[i + 1] + 6, w[i] + 6)]
        srcs.append(w + [EOS])
        tgts.append([BOS] + t + [EOS])
    pad = lambda rows: nn.utils.rnn.pad_sequence([torch.tensor(r) for r in rows], batch_first=True, padding_value=PAD)
    return pad(srcs), pad(tgts)


def greedy(model, src, max_len=9):
    memory = model.encode(src)
    ys = torch.full((src.size(0), 1), BOS)
    for _ in range(max_len):
        ys = torch.cat([ys, model.decode(ys, memory, src)[:, -1].argmax(-1, keepdim=True)], 1)
    return ys


if __name__ == '__main__':
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    random.seed(seed)
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    held_src, held_tgt = batch(200)
    held = [r.tolist() for r in held_src]
    keep = torch.tensor([sum(v != PAD for v in r) == 7 for r in held])   # long ones cannot be met in training by accident
    held_src, held_tgt = held_src[keep], held_tgt[keep]
    model = Model()
    criterion = nn.CrossEntropyLoss(ignore_index=PAD)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, betas=(0.9, 0.98), eps=1e-9)
    warmup = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min((s + 1) / 40, 1 - s / 400))
    for step in range(400):
        src, tgt = batch(48)
        optimizer.zero_grad()
        logits = model(src, tgt[:, :-1])
        loss = criterion(logits.reshape(-1, N), tgt[:, 1:].reshape(-1))
        loss.backward()
        optimizer.step()
        warmup.step()
        if step % 50 == 0:
            print('step', step, 'loss', loss.item())
    model.eval()
    with torch.no_grad():
        out = greedy(model, held_src)[:, 1:held_tgt.size(1)]
    print('held-out score: %.3f' % (out == held_tgt[:, 1:]).float().mean().item())
