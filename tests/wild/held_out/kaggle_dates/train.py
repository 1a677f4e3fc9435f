# %% [markdown]
# # Human-readable dates to ISO with attention 📅
# My first notebook on seq2seq! If you find it useful please upvote :)
#
# The data set is generated on the fly so no internet is needed.

# %%
import datetime
import random
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset

SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 0


def seed_everything(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.backends.cudnn.deterministic = True


seed_everything(SEED)
torch.set_num_threads(1)
device = 'cuda' if torch.cuda.is_available() else 'cpu'

# %% [markdown]
# ## 1. Make data

# %%
N_SAMPLES = 2300
MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']


def random_date():
    return datetime.date(1970, 1, 1) + datetime.timedelta(days=random.randint(0, 20000))


def human(d):
    style = random.choice([0, 1, 2])
    m = MONTHS[d.month - 1]
    if style == 0:
        return f'{d.day} {m} {d.year}'
    if style == 1:
        return f'{m} {d.day}, {d.year}'
    return f'{d.day:02d}/{d.month:02d}/{d.year}'


dates = [random_date() for _ in range(N_SAMPLES)]
X_text = [human(d) for d in dates]
y_text = [d.isoformat() for d in dates]
print(X_text[:3], y_text[:3])

# %%
in_chars = sorted(set(''.join(X_text)))
char2in = {c: i + 1 for i, c in enumerate(in_chars)}      # 0 is padding
out_chars = sorted(set(''.join(y_text)))
char2out = {c: i for i, c in enumerate(out_chars)}
START = len(char2out)                                     # last id is the start symbol
out2char = {i: c for c, i in char2out.items()}
MAX_IN, MAX_OUT = max(map(len, X_text)), 10

X = np.zeros((N_SAMPLES, MAX_IN), dtype='int64')
y = np.zeros((N_SAMPLES, MAX_OUT), dtype='int64')
for i in range(N_SAMPLES):
    for t, c in enumerate(X_text[i]):
        X[i, t] = char2in[c]
    for t, c in enumerate(y_text[i]):
        y[i, t] = char2out[c]
# decoder input = target shifted by one, START in front
dec_in = np.concatenate([np.full((N_SAMPLES, 1), START), y[:, :-1]], axis=1)

X, dec_in, y = torch.from_numpy(X), torch.from_numpy(dec_in), torch.from_numpy(y)
n_test = 300
train_ds = TensorDataset(X[n_test:], dec_in[n_test:], y[n_test:])
test_ds = TensorDataset(X[:n_test], dec_in[:n_test], y[:n_test])
train_dl = DataLoader(train_ds, batch_size=50, shuffle=True)
test_dl = DataLoader(test_ds, batch_size=150)

# %% [markdown]
# ## 2. Model
# Bahdanau attention, see the paper


# %%
class BahdanauAttention(nn.Module):
    def __init__(self, units):
        super().__init__()
        self.W1 = nn.Linear(2 * units, units)
        self.W2 = nn.Linear(units, units)
        self.V = nn.Linear(units, 1)

    def forward(self, query, values, mask):
        # query (B, H), values (B, T, 2H), mask (B, T)
        score = self.V(torch.tanh(self.W1(values) + self.W2(query).unsqueeze(1)))
        score = score.squeeze(2).masked_fill(mask == 0, -1e4)
        weights = torch.softmax(score, dim=1)
        context = (weights.unsqueeze(2) * values).sum(dim=1)
        return context, weights


class DateModel(nn.Module):
    def __init__(self, n_in, n_out, emb=32, units=64):
        super().__init__()
        self.emb_in = nn.Embedding(n_in, emb, padding_idx=0)
        self.emb_out = nn.Embedding(n_out, emb)
        self.enc = nn.GRU(emb, units, batch_first=True, bidirectional=True)
        self.att = BahdanauAttention(units)
        self.dec = nn.GRUCell(emb + 2 * units, units)
        self.fc = nn.Linear(units, n_out)
        self.drop = nn.Dropout(0.1)

    def forward(self, x, dec_in):
        mask = (x != 0).long()
        enc_out, h = self.enc(self.drop(self.emb_in(x)))
        s = torch.tanh(h[0] + h[1])
        outs = []
        for t in range(dec_in.size(1)):
            context, _ = self.att(s, enc_out, mask)
            e = self.emb_out(dec_in[:, t])
            s = self.dec(torch.cat([e, context], dim=1), s)
            outs.append(self.fc(s))
        return torch.stack(outs, dim=1)

    def predict(self, x):
        mask = (x != 0).long()
        enc_out, h = self.enc(self.emb_in(x))
        s = torch.tanh(h[0] + h[1])
        tok = torch.full((x.size(0),), START, dtype=torch.long, device=x.device)
        preds = []
        for t in range(MAX_OUT):
            context, _ = self.att(s, enc_out, mask)
            s = self.dec(torch.cat([self.emb_out(tok), context], dim=1), s)
            tok = self.fc(s).argmax(1)
            preds.append(tok)
        return torch.stack(preds, dim=1)


model = DateModel(len(char2in) + 1, len(char2out) + 1).to(device)
print('params:', sum(p.numel() for p in model.parameters()))

# %% [markdown]
# ## 3. Train

# %%
EPOCHS = 4
criterion = nn.CrossEntropyLoss()
optimizer = optim.AdamW(model.parameters(), lr=1e-2)
scheduler = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=EPOCHS * len(train_dl))

for epoch in range(EPOCHS):
    model.train()
    running = 0.0
    for xb, db, yb in train_dl:
        xb, db, yb = xb.to(device), db.to(device), yb.to(device)
        optimizer.zero_grad()
        logits = model(xb, db)
        loss = criterion(logits.reshape(-1, logits.size(-1)), yb.reshape(-1))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        running += loss.item() * xb.size(0)
    # validation
    model.eval()
    val_loss, val_acc = 0.0, 0.0
    with torch.no_grad():
        for xb, db, yb in test_dl:
            logits = model(xb.to(device), db.to(device))
            val_loss += criterion(logits.reshape(-1, logits.size(-1)), yb.reshape(-1).to(device)).item() * len(xb)
            val_acc += (logits.argmax(-1).cpu() == yb).float().mean().item() * len(xb)
    print(f'Epoch {epoch + 1}/{EPOCHS}  loss {running / len(train_ds):.4f}'
          f'  val_loss {val_loss / n_test:.4f}  val_acc {val_acc / n_test:.4f}')

# %% [markdown]
# ## 4. Results

# %%
model.eval()
hits, total = 0, 0
with torch.no_grad():
    for xb, db, yb in test_dl:
        pred = model.predict(xb.to(device)).cpu()
        hits += (pred == yb).all(dim=1).sum().item()
        total += len(xb)
        for j in range(2):
            print(''.join(out2char.get(k, '?') for k in pred[j].tolist()), '|', ''.join(out2char[k] for k in yb[j].tolist()))
print(f'held-out score: {hits / total:.4f}')
