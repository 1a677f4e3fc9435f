"""A long stream cut in chunks: the state goes from chunk to chunk ON PURPOSE (detached), truncated BPTT.
Input: notes 0-4. Output: the note of two steps ago plus the note of now, mod 5. The output before is fed back."""
import sys
import torch
import torch.nn as nn

torch.manual_seed(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
torch.set_num_threads(1)

K, LAG, STREAMS, CHUNK = 5, 2, 32, 12


def stream(n, length):
    x = torch.randint(K, (n, length))
    y = x.clone()
    y[:, LAG:] = (x[:, LAG:] + x[:, :-LAG]) % K
    return x, y


class Transducer(nn.Module):
    def __init__(self, h=64):
        super().__init__()
        self.reader = nn.GRU(K, h, batch_first=True)
        self.writer = nn.GRUCell(h + K, h)
        self.out = nn.Linear(h, K)

    def forward(self, x, prev, state, y=None):
        hr, hw = state if state is not None else (None, torch.zeros(len(x), 64))
        r, hr = self.reader(nn.functional.one_hot(x, K).float(), hr)
        logits = []
        for t in range(x.shape[1]):
            hw = self.writer(torch.cat([r[:, t], nn.functional.one_hot(prev, K).float()], 1), hw)
            logits.append(self.out(hw))
            prev = logits[-1].argmax(1) if y is None else y[:, t]
        return torch.stack(logits, 1), prev, (hr, hw)


model = Transducer()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
X, Y = stream(STREAMS, CHUNK * 300)
state, prev = None, torch.zeros(STREAMS, dtype=torch.long)
for i in range(300):
    x, y = X[:, i * CHUNK:(i + 1) * CHUNK], Y[:, i * CHUNK:(i + 1) * CHUNK]
    if state is not None:
        state = tuple(s.detach() for s in state)
    logits, prev, state = model(x, prev, state, y)
    loss = nn.functional.cross_entropy(logits.reshape(-1, K), y.reshape(-1))
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.)
    opt.step()
    if i % 50 == 0:
        print(i, loss.item())

x, y = stream(20, 60)
with torch.no_grad():
    guess = model(x, torch.zeros(20, dtype=torch.long), None)[0].argmax(2)
print('held-out score: %.3f' % (guess[:, LAG:] == y[:, LAG:]).float().mean().item())
