# encoder embedding = decoder embedding = output layer. Copies a list and then says it backwards.
import sys
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(1)
torch.manual_seed(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
K, D = 12, 48       # symbols 0..9, 10 <s>, 11 </s>


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.E = nn.Parameter(torch.randn(K, D) * D ** -0.5)
        self.bias = nn.Parameter(torch.zeros(K))
        self.enc = nn.LSTM(D, D // 2, bidirectional=True)
        self.dec = nn.LSTM(D, D)
        self.mix = nn.Linear(2 * D, D)

    def encode(self, x):                        # x: (T, B)
        mem, (h, c) = self.enc(F.embedding(x, self.E) * D ** 0.5)
        join = lambda s: torch.cat((s[0], s[1]), 1)[None]
        return mem, (join(h), join(c))

    def decode(self, y, state, mem):
        o, state = self.dec(F.embedding(y, self.E) * D ** 0.5, state)
        w = torch.einsum("ubd,tbd->utb", o, mem).softmax(1)
        c = torch.einsum("utb,tbd->ubd", w, mem)
        return F.linear(torch.tanh(self.mix(torch.cat((o, c), 2))), self.E * 4, self.bias), state


def data(n, length=4):
    x = torch.randint(0, 10, (length, n))
    y = torch.cat((x, x.flip(0), torch.full((1, n), 11)))
    return x, y


net = Model()
opt = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=1e-4)
sch = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 260)
for i in range(260):
    x, y = data(40)
    mem, s = net.encode(x)
    logits, _ = net.decode(torch.cat((torch.full((1, 40), 10), y[:-1])), s, mem)
    loss = F.cross_entropy(logits.flatten(0, 1), y.flatten())
    opt.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.)
    opt.step()
    sch.step()
    if i % 65 == 64:
        print(i + 1, loss.item())
with torch.no_grad():
    x, y = data(200)
    mem, s = net.encode(x)
    t, got = torch.full((1, 200), 10), []
    for _ in range(len(y)):
        logits, s = net.decode(t, s, mem)
        t = logits.argmax(-1)
        got.append(t)
print("held-out score: %.4f" % (torch.cat(got) == y).all(0).float().mean().item())
