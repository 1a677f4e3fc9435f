# Roman numerals by a RepeatVector decoder, with fit() and predict() as in skorch
import random
import sys

import numpy as np
import torch
from torch import nn

DIGITS = '0123456789 '
NUMERALS = 'IVXLC '
IN_LEN, OUT_LEN = 2, 8


def roman(n):
    out = ''
    for value, text in [(90, 'XC'), (50, 'L'), (40, 'XL'), (10, 'X'), (9, 'IX'), (5, 'V'), (4, 'IV'), (1, 'I')]:
        while n >= value:
            out, n = out + text, n - value
    return out


def encode(text, alphabet, length):
    x = np.zeros((length, len(alphabet)), dtype=np.float32)
    for i, c in enumerate(text.ljust(length)):
        x[i, alphabet.index(c)] = 1
    return x


class RepeatVector(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.n = n

    def forward(self, x):
        return x.unsqueeze(1).repeat(1, self.n, 1)


class TimeDistributed(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        flat = x.contiguous().view(-1, x.size(-1))
        return self.layer(flat).view(x.size(0), x.size(1), -1)


class Network(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.encoder = nn.LSTM(len(DIGITS), hidden, batch_first=True)
        self.repeat = RepeatVector(OUT_LEN)
        self.decoder = nn.LSTM(hidden, hidden, batch_first=True)
        self.dense = TimeDistributed(nn.Linear(hidden, len(NUMERALS)))

    def forward(self, X):
        _, (h, _) = self.encoder(X)
        out, _ = self.decoder(self.repeat(h[-1]))
        return torch.softmax(self.dense(out), dim=-1)


class Estimator:
    def __init__(self, module, criterion, optimizer, lr, max_epochs, batch_size):
        self.module, self.criterion, self.optimizer = module, criterion, optimizer
        self.lr, self.max_epochs, self.batch_size = lr, max_epochs, batch_size

    def get_loss(self, y_pred, y_true):
        return self.criterion_(torch.log(y_pred + 1e-9).permute(0, 2, 1), y_true)

    def fit(self, X, y):
        self.module_ = self.module()
        self.criterion_ = self.criterion()
        self.optimizer_ = self.optimizer(self.module_.parameters(), lr=self.lr)
        for _ in range(self.max_epochs):
            self.module_.train()
            order = np.random.permutation(len(X))
            for i in range(0, len(X), self.batch_size):
                at = order[i : i + self.batch_size]
                Xi, yi = torch.from_numpy(X[at]), torch.from_numpy(y[at])
                self.optimizer_.zero_grad()
                loss = self.get_loss(self.module_(Xi), yi)
                loss.backward()
                self.optimizer_.step()
        return self

    def predict(self, X):
        self.module_.eval()
        with torch.no_grad():
            return self.module_(torch.from_numpy(X)).numpy().argmax(-1)


torch.manual_seed(0)
np.random.seed(0)
random.seed(0)
epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 6
numbers = list(range(1, 100))
random.shuffle(numbers)
X = np.stack([encode(str(n).zfill(IN_LEN), DIGITS, IN_LEN) for n in numbers])
y = np.stack([encode(roman(n), NUMERALS, OUT_LEN).argmax(-1) for n in numbers])
net = Estimator(Network, nn.NLLLoss, torch.optim.Adam, 0.01, epochs, 16)
net.fit(X[:85], y[:85])
print('right', (net.predict(X[85:]) == y[85:]).all(1).mean())
