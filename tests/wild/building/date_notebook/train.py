#!/usr/bin/env python
# coding: utf-8

# # Date normalisation with an LSTM encoder-decoder and attention
# "12 march 1987" / "march 12 , 1987" / "12/3/1987"  -->  "1987-3-12"

# In[1]:


import sys
import random
from collections import Counter

import torch
from torch import nn
from torch.utils.data import Dataset, DataLoader
from torch.nn.utils.rnn import pad_sequence, pack_padded_sequence, pad_packed_sequence

SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(SEED)
torch.manual_seed(SEED)
torch.set_num_threads(1)


# In[2]:


MONTHS = ['january', 'february', 'march', 'april', 'may', 'june', 'july',
          'august', 'september', 'october', 'november', 'december']


def human(d, m, y):
    style = random.randint(0, 2)
    if style == 0:
        return [str(d), MONTHS[m - 1], str(y)]
    if style == 1:
        return [MONTHS[m - 1], str(d), ',', str(y)]
    return ['on', 'the', str(d), 'of', MONTHS[m - 1], str(y)]


dates = [(d, m, y) for d in range(1, 29) for m in range(1, 13) for y in range(1988, 2000)]
random.shuffle(dates)
test_dates, train_dates = dates[:200], dates[200:]

train_pairs = [(human(*x), list('%d-%d-%d' % (x[2], x[1], x[0]))) for x in train_dates]
test_pairs = [(human(*x), list('%d-%d-%d' % (x[2], x[1], x[0]))) for x in test_dates]
train_pairs[:3]


# In[3]:


src_counter = Counter(t for s, _ in train_pairs for t in s)
trg_counter = Counter(t for _, s in train_pairs for t in s)

src_itos = sorted(src_counter) + ['<pad>']
trg_itos = sorted(trg_counter) + ['<bos>', '<eos>', '<pad>']
src_stoi = {t: i for i, t in enumerate(src_itos)}
trg_stoi = {t: i for i, t in enumerate(trg_itos)}
SRC_PAD, BOS, EOS, PAD = src_stoi['<pad>'], trg_stoi['<bos>'], trg_stoi['<eos>'], trg_stoi['<pad>']
print(len(src_itos), len(trg_itos))


# In[4]:


class DateDataset(Dataset):
    def __init__(self, pairs):
        self.pairs = pairs

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, i):
        src, trg = self.pairs[i]
        src = torch.tensor([src_stoi[t] for t in src])
        trg = torch.tensor([BOS] + [trg_stoi[t] for t in trg] + [EOS])
        return src, trg


def collate_fn(batch):
    batch.sort(key=lambda x: len(x[0]), reverse=True)
    srcs, trgs = zip(*batch)
    lengths = torch.tensor([len(s) for s in srcs])
    srcs = pad_sequence(srcs, batch_first=True, padding_value=SRC_PAD)
    trgs = pad_sequence(trgs, batch_first=True, padding_value=PAD)
    return srcs, lengths, trgs


train_loader = DataLoader(DateDataset(train_pairs), batch_size=64, shuffle=True, collate_fn=collate_fn)
test_loader = DataLoader(DateDataset(test_pairs), batch_size=100, collate_fn=collate_fn)


# In[5]:


class Encoder(nn.Module):
    def __init__(self, vocab_size, emb_size, hidden_size, num_layers):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, emb_size, padding_idx=SRC_PAD)
        self.lstm = nn.LSTM(emb_size, hidden_size, num_layers, batch_first=True)

    def forward(self, x, lengths):
        x = self.emb(x)
        x = pack_padded_sequence(x, lengths, batch_first=True)
        out, (h, c) = self.lstm(x)
        out, _ = pad_packed_sequence(out, batch_first=True)
        return out, (h, c)


class Decoder(nn.Module):
    def __init__(self, vocab_size, emb_size, hidden_size, num_layers):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, emb_size, padding_idx=PAD)
        self.lstm = nn.LSTM(emb_size, hidden_size, num_layers, batch_first=True)
        self.attn = nn.Linear(hidden_size, hidden_size, bias=False)
        self.fc = nn.Linear(2 * hidden_size, vocab_size)

    def forward(self, y, state, enc_out, src_mask):
        y = self.emb(y)
        out, state = self.lstm(y, state)                         # B x Ty x H
        scores = torch.bmm(self.attn(out), enc_out.transpose(1, 2))  # B x Ty x Tx
        scores = scores.masked_fill(~src_mask.unsqueeze(1), float('-inf'))
        weights = torch.softmax(scores, dim=-1)
        context = torch.bmm(weights, enc_out)                    # B x Ty x H
        return self.fc(torch.cat([out, context], dim=-1)), state


EMB, HID, LAYERS = 24, 64, 2
encoder = Encoder(len(src_itos), EMB, HID, LAYERS)
decoder = Decoder(len(trg_itos), EMB, HID, LAYERS)

EPOCHS = 5
params = list(encoder.parameters()) + list(decoder.parameters())
optimizer = torch.optim.AdamW(params, lr=1e-2, weight_decay=1e-4)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=EPOCHS * len(train_loader))
loss_fn = nn.CrossEntropyLoss(ignore_index=PAD)


# In[6]:


@torch.no_grad()
def greedy_decode(src, lengths, max_len=12):
    enc_out, state = encoder(src, lengths)
    mask = src != SRC_PAD
    y = torch.full((src.size(0), 1), BOS)
    outs = []
    for _ in range(max_len):
        logits, state = decoder(y, state, enc_out, mask)
        y = logits.argmax(-1)
        outs.append(y)
    return torch.cat(outs, dim=1)


def trim(ids):
    ids = ids.tolist()
    return ''.join(trg_itos[i] for i in (ids[:ids.index(EOS)] if EOS in ids else ids))


def accuracy(loader):
    encoder.eval()
    decoder.eval()
    hit, n = 0, 0
    for src, lengths, trg in loader:
        pred = greedy_decode(src, lengths)
        for p, t in zip(pred, trg):
            hit += trim(p) == trim(t[1:])
            n += 1
    return hit / n


# In[7]:


for epoch in range(EPOCHS):
    encoder.train()
    decoder.train()
    total = 0
    for src, lengths, trg in train_loader:
        optimizer.zero_grad()
        enc_out, state = encoder(src, lengths)
        logits, _ = decoder(trg[:, :-1], state, enc_out, src != SRC_PAD)
        loss = loss_fn(logits.reshape(-1, logits.size(-1)), trg[:, 1:].reshape(-1))
        loss.backward()
        nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        scheduler.step()
        total += loss.item()
    print(f'epoch {epoch}: loss {total / len(train_loader):.4f}  test acc {accuracy(test_loader):.3f}')


# In[8]:


src, lengths, trg = next(iter(test_loader))
for p, s in list(zip(greedy_decode(src, lengths), src))[:5]:
    print(' '.join(src_itos[i] for i in s.tolist() if i != SRC_PAD), '->', trim(p))

print(f'held-out score: {accuracy(test_loader):.3f}')
