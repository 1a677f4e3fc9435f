#!/usr/bin/env python
# coding: utf-8

# # Human dates -> machine dates
# My old Keras notebook, moved to PyTorch. We read strings such as
# "5 march 2009" or "Tue, Mar 5 2009" character by character and write the ISO date.

# In[1]:

import sys
import math
import random
import datetime

import numpy as np
import torch
from torch import nn
import torch.nn.functional as F
from torch.utils.data import TensorDataset, DataLoader

SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(SEED)
np.random.seed(SEED)
torch.manual_seed(SEED)
torch.set_num_threads(1)

# In[2]:
# ## Config

N_TRAIN = 4000
N_TEST = 400
EMB_DIM = 32
HIDDEN = 112
BATCH_SIZE = 100
EPOCHS = 4
LR = 4e-3

# In[3]:
# ## Make the data

MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August",
          "September", "October", "November", "December"]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
FORMATS = ["{d} {month} {y}", "{month} {d}, {y}", "{d} {mon} {y}", "{mon} {d} {y}",
           "{day}, {d} {month} {y}", "{wd} {mon} {d}, {y}", "{d}/{m}/{y}", "{d:02d}.{m:02d}.{y}"]


def random_date():
    start = datetime.date(1960, 1, 1)
    return start + datetime.timedelta(days=random.randrange(365 * 70))


def humanize(dt):
    month, day = MONTHS[dt.month - 1], DAYS[dt.weekday()]
    return random.choice(FORMATS).format(d=dt.day, m=dt.month, y=dt.year, month=month,
                                         mon=month[:3], day=day, wd=day[:3])


def load_dataset(m):
    data, seen = [], set()
    while len(data) < m:
        dt = random_date()
        human = humanize(dt)
        if human not in seen:
            seen.add(human)
            data.append((human, dt.isoformat()))
    return data


dataset = load_dataset(N_TRAIN + N_TEST)
train_data, test_data = dataset[:N_TRAIN], dataset[N_TRAIN:]
print(train_data[:5])

# In[4]:
# ## Vocabularies

PAD, UNK = "<pad>", "<unk>"
SOS, EOS = "\t", "\n"

human_chars = sorted(set("".join(h.lower() for h, _ in train_data)))
human_vocab = {c: i for i, c in enumerate([PAD, UNK] + human_chars)}
machine_chars = list("0123456789-")
machine_vocab = {c: i for i, c in enumerate([PAD, SOS, EOS] + machine_chars)}
inv_machine_vocab = {i: c for c, i in machine_vocab.items()}

Tx = max(len(h) for h, _ in train_data)
Ty = len("2009-03-05") + 1  # and the end of line


def string_to_int(string, length):
    string = string.lower()
    rep = [human_vocab.get(c, human_vocab[UNK]) for c in string][:length]
    return rep + [human_vocab[PAD]] * (length - len(rep))


def preprocess_data(data):
    X = np.array([string_to_int(h, Tx) for h, _ in data])
    dec_in = np.array([[machine_vocab[c] for c in SOS + m] for _, m in data])
    Y = np.array([[machine_vocab[c] for c in m + EOS] for _, m in data])
    return torch.tensor(X), torch.tensor(dec_in), torch.tensor(Y)


X_train, dec_in_train, Y_train = preprocess_data(train_data)
print("X", X_train.shape, "Y", Y_train.shape)

train_loader = DataLoader(TensorDataset(X_train, dec_in_train, Y_train),
                          batch_size=BATCH_SIZE, shuffle=True, drop_last=True)

# In[5]:
# ## Model


class EncoderRNN(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, EMB_DIM, padding_idx=0)
        self.lstm = nn.LSTM(EMB_DIM, HIDDEN // 2, batch_first=True, bidirectional=True)

    def forward(self, x):
        out, (h, c) = self.lstm(self.emb(x))
        h = torch.cat([h[0], h[1]], dim=-1)
        c = torch.cat([c[0], c[1]], dim=-1)
        return out, h, c


class LuongAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.Wa = nn.Linear(HIDDEN, HIDDEN, bias=False)

    def forward(self, query, memory, mask):
        score = torch.bmm(memory, self.Wa(query).unsqueeze(2)).squeeze(2)
        score = score.masked_fill(mask == 0, -1e9)
        weights = F.softmax(score, dim=1)
        return torch.bmm(weights.unsqueeze(1), memory).squeeze(1)


class Seq2Seq(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = EncoderRNN(len(human_vocab))
        self.dec_emb = nn.Embedding(len(machine_vocab), EMB_DIM)
        self.dec_cell = nn.LSTMCell(EMB_DIM, HIDDEN)
        self.attention = LuongAttention()
        self.dense1 = nn.Linear(HIDDEN * 2, HIDDEN)
        self.dense2 = nn.Linear(HIDDEN, len(machine_vocab))

    def decode_step(self, char, h, c, memory, mask):
        h, c = self.dec_cell(self.dec_emb(char), (h, c))
        context = self.attention(h, memory, mask)
        x = torch.tanh(self.dense1(torch.cat([context, h], dim=1)))
        return self.dense2(x), h, c

    def forward(self, x, dec_in):
        mask = (x != 0).float()
        memory, h, c = self.encoder(x)
        outputs = []
        for t in range(dec_in.size(1)):
            logits, h, c = self.decode_step(dec_in[:, t], h, c, memory, mask)
            outputs.append(logits)
        return torch.stack(outputs, dim=1)

    @torch.no_grad()
    def predict(self, x):
        mask = (x != 0).float()
        memory, h, c = self.encoder(x)
        char = torch.full((x.size(0),), machine_vocab[SOS], dtype=torch.long)
        preds = []
        for t in range(Ty + 3):
            logits, h, c = self.decode_step(char, h, c, memory, mask)
            char = logits.argmax(dim=1)
            preds.append(char)
        return torch.stack(preds, dim=1)


model = Seq2Seq()
print("params:", sum(p.numel() for p in model.parameters()))

# In[6]:
# ## Train


def sparse_categorical_crossentropy(y_true, logits):
    return F.cross_entropy(logits.reshape(-1, logits.size(-1)), y_true.reshape(-1))


optimizer = torch.optim.Adam(model.parameters(), lr=LR)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.8)

for epoch in range(EPOCHS):
    model.train()
    losses, accs = [], []
    for xb, db, yb in train_loader:
        optimizer.zero_grad()
        logits = model(xb, db)
        loss = sparse_categorical_crossentropy(yb, logits)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        accs.append((logits.argmax(-1) == yb).float().mean().item())
    scheduler.step()
    print(f"Epoch {epoch + 1}/{EPOCHS} - loss: {np.mean(losses):.4f} - acc: {np.mean(accs):.4f}")

# In[7]:
# ## Check on dates the model has not seen


def predict_dates(strings):
    model.eval()
    X = torch.tensor(np.array([string_to_int(s, Tx) for s in strings]))
    out = []
    for row in model.predict(X).tolist():
        text = ""
        for i in row:
            if inv_machine_vocab[i] == EOS:
                break
            text += inv_machine_vocab[i]
        out.append(text)
    return out


predictions = predict_dates([h for h, _ in test_data])
for (human, machine), pred in list(zip(test_data, predictions))[:6]:
    print(f"{human:32s} {pred}   ({machine})")

hits = sum(p == m for p, (_, m) in zip(predictions, test_data))
print(f"held-out score: {hits / len(test_data):.2f}")
