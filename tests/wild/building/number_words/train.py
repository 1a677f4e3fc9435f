"""
Homework 4: numbers to words.    742 -> seven hundred forty two
Written like my old keras model (fit / predict) but with LSTMCell so that I can see each step.
"""
import sys
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
np.random.seed(seed)
torch.manual_seed(seed)
torch.set_num_threads(1)

# ---------------- data ----------------
ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen "
        "fourteen fifteen sixteen seventeen eighteen nineteen").split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()


def to_words(n):
    out = []
    if n >= 100:
        out += [ONES[n // 100], "hundred"]
        n = n % 100
    if n >= 20:
        out.append(TENS[n // 10])
        n = n % 10
    if n > 0:
        out.append(ONES[n])
    return out


words = ["<pad>", "<go>", "<end>"] + ONES[1:] + TENS[2:] + ["hundred"]
w2i = {w: i for i, w in enumerate(words)}
PAD, GO, END = 0, 1, 2
N_DIGITS = 10
MAX_IN = 3
MAX_OUT = 5          # four words at most, and <end>


def vectorize(numbers):
    """one-hot digits (N, 3, 10), digit mask (N, 3), word ids (N, 5)"""
    x = np.zeros((len(numbers), MAX_IN, N_DIGITS), dtype=np.float32)
    m = np.zeros((len(numbers), MAX_IN), dtype=np.float32)
    y = np.zeros((len(numbers), MAX_OUT), dtype=np.int64)
    for i, n in enumerate(numbers):
        for j, ch in enumerate(str(n)):
            x[i, j, int(ch)] = 1.0
            m[i, j] = 1.0
        ids = [w2i[w] for w in to_words(n)] + [END]
        y[i, :len(ids)] = ids
    return torch.from_numpy(x), torch.from_numpy(m), torch.from_numpy(y)


numbers = np.random.permutation(np.arange(1, 1000))
test_numbers = numbers[:150]
train_numbers = numbers[150:]
x_train, m_train, y_train = vectorize(train_numbers)
x_test, m_test, y_test = vectorize(test_numbers)
print("x_train", tuple(x_train.shape), "y_train", tuple(y_train.shape))


# ---------------- model ----------------
class NumberSpeller(nn.Module):
    def __init__(self, units=128, emb_dim=32):
        super().__init__()
        self.units = units
        self.encoder_cell = nn.LSTMCell(N_DIGITS, units)
        self.E = nn.Parameter(torch.randn(len(words), emb_dim) * 0.1)
        self.decoder_cell = nn.LSTMCell(emb_dim, units)
        self.W = nn.Parameter(torch.randn(units, len(words)) / units ** 0.5)
        self.b = nn.Parameter(torch.zeros(len(words)))

    def encode(self, x, m):
        h = torch.zeros(x.size(0), self.units)
        c = torch.zeros(x.size(0), self.units)
        for t in range(MAX_IN):
            h_new, c_new = self.encoder_cell(x[:, t], (h, c))
            keep = m[:, t].unsqueeze(1)
            h = keep * h_new + (1 - keep) * h
            c = keep * c_new + (1 - keep) * c
        return h, c

    def decode_step(self, token, h, c):
        h, c = self.decoder_cell(self.E[token], (h, c))
        logp = F.log_softmax(h @ self.W + self.b, dim=-1)
        return logp, h, c

    def forward(self, x, m, y):
        h, c = self.encode(x, m)
        token = torch.full((x.size(0),), GO, dtype=torch.long)
        logps = []
        for t in range(MAX_OUT):
            logp, h, c = self.decode_step(token, h, c)
            logps.append(logp)
            token = y[:, t]
        return torch.stack(logps, dim=1)

    def predict(self, x, m):
        self.eval()
        with torch.no_grad():
            h, c = self.encode(x, m)
            token = torch.full((x.size(0),), GO, dtype=torch.long)
            preds = []
            for t in range(MAX_OUT):
                logp, h, c = self.decode_step(token, h, c)
                token = logp.argmax(dim=-1)
                preds.append(token)
        return torch.stack(preds, dim=1)


def masked_loss(logp, y):
    mask = (y != PAD).float()
    picked = logp.gather(2, y.unsqueeze(2)).squeeze(2)
    return -(picked * mask).sum() / mask.sum()


def exact_match(pred, y):
    ok = 0
    for p, t in zip(pred.tolist(), y.tolist()):
        p = p[:p.index(END)] if END in p else p
        t = t[:t.index(END)]
        ok += p == t
    return ok / len(y)


def fit(model, x, m, y, batch_size, epochs, lr):
    opt = torch.optim.RMSprop(model.parameters(), lr=lr)
    for epoch in range(epochs):
        model.train()
        order = torch.randperm(len(x))
        losses = []
        for i in range(0, len(x), batch_size):
            idx = order[i:i + batch_size]
            loss = masked_loss(model(x[idx], m[idx], y[idx]), y[idx])
            opt.zero_grad()
            loss.backward()
            opt.step()
            losses.append(loss.item())
        val = exact_match(model.predict(x_test, m_test), y_test)
        print("Epoch %d/%d - loss: %.4f - val_acc: %.4f" % (epoch + 1, epochs, np.mean(losses), val))
        if epoch == int(epochs * 0.6):
            for g in opt.param_groups:
                g['lr'] = lr * 0.3


model = NumberSpeller()
fit(model, x_train, m_train, y_train, batch_size=50, epochs=20, lr=0.003)

pred = model.predict(x_test, m_test)
for n, p in list(zip(test_numbers, pred.tolist()))[:5]:
    print(n, '->', ' '.join(words[i] for i in p[:p.index(END)] if i > END) if END in p else '?')
print("held-out score: %.3f" % exact_match(pred, y_test))
