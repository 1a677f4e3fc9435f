"""A stream cut into chunks: the LSTM's state goes on from chunk to chunk (truncated BPTT, state detached).

Output at each moment: the symbol seen after the last marker.
"""
import sys

import torch
import torch.nn as nn

torch.set_num_threads(1)
torch.manual_seed(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
MARK, N, BPTT, BATCH = 6, 7, 12, 24


def stream(length, batch):
    x = torch.randint(0, MARK, (length, batch))
    x[torch.rand(length, batch) < 0.15] = MARK
    y = torch.zeros_like(x)
    last = torch.zeros(batch, dtype=torch.long)
    for t in range(1, length):
        new = (x[t - 1] == MARK) & (x[t] != MARK)
        last = torch.where(new, x[t], last)
        y[t] = last
    return x, y


class Streamer(nn.Module):
    def __init__(self, nhid=40):
        super().__init__()
        self.encoder = nn.Embedding(N, 16)
        self.rnn = nn.LSTM(16, nhid)
        self.decoder = nn.Linear(nhid, MARK)

    def init_hidden(self, bsz):
        weight = next(self.parameters())
        return weight.new_zeros(1, bsz, 40), weight.new_zeros(1, bsz, 40)

    def forward(self, x, hidden):
        out, hidden = self.rnn(self.encoder(x), hidden)
        return self.decoder(out), hidden


def repackage_hidden(h):
    """Wraps hidden states in new Tensors, to detach them from their history."""
    return tuple(v.detach() for v in h)


model = Streamer()
train_x, train_y = stream(BPTT * 320, BATCH)
test_x, test_y = stream(200, 20)
optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
criterion = nn.CrossEntropyLoss()
hidden = model.init_hidden(BATCH)
for b, i in enumerate(range(0, len(train_x), BPTT)):
    hidden = repackage_hidden(hidden)
    model.zero_grad()
    out, hidden = model(train_x[i:i + BPTT], hidden)
    loss = criterion(out.view(-1, MARK), train_y[i:i + BPTT].reshape(-1))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
    optimizer.step()
    if b % 80 == 0:
        print(f"| batch {b} | loss {loss.item():.3f}")
with torch.no_grad():
    out, _ = model(test_x, model.init_hidden(20))
print(f"held-out score: {(out.argmax(-1) == test_y).float().mean().item():.4f}")
