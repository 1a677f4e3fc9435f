# dates of many forms into one, with functional_call on a dict of parameters
import datetime
import random
import sys

import numpy as np
import torch
import torch.nn as nn
from torch.func import functional_call

random.seed(0)
np.random.seed(0)
torch.manual_seed(0)
STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 30
human_vocab = {c: i for i, c in enumerate(sorted(set('0123456789/. ')))}
human_vocab['<pad>'] = len(human_vocab)
machine_vocab = {c: i for i, c in enumerate('0123456789-')}
inv_machine = {i: c for c, i in machine_vocab.items()}
Tx, Ty, n_s = 10, 10, 48
START = len(machine_vocab)


def load_date():
    d = datetime.date.fromordinal(random.randint(730000, 738000))
    form = random.choice(['%d/%m/%Y', '%d.%m.%y', '%d %m %Y'])
    return d.strftime(form), d.isoformat()


def to_onehot(ids, n):
    return torch.eye(n).index_select(0, ids.reshape(-1)).view(*ids.shape, n)


def load_batch(m):
    pairs = [load_date() for _ in range(m)]
    X = torch.tensor([[human_vocab[c] for c in h] + [human_vocab['<pad>']] * (Tx - len(h)) for h, _ in pairs])
    Y = torch.tensor([[machine_vocab[c] for c in t] for _, t in pairs])
    return X, Y, to_onehot(X, len(human_vocab)), to_onehot(Y, START + 1)


class DateModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.pre = nn.GRU(len(human_vocab), n_s, batch_first=True)
        self.att1 = nn.Linear(2 * n_s, 16)
        self.att2 = nn.Linear(16, 1)
        self.post = nn.GRUCell(START + 1 + n_s, n_s)
        self.out = nn.Linear(n_s, START + 1)

    def one_step(self, a, s, y):
        e = self.att2(torch.tanh(self.att1(torch.cat([a, s.unsqueeze(1).expand_as(a)], -1))))
        alphas = torch.softmax(e, dim=1)
        context = (alphas * a).sum(1)
        s = self.post(torch.cat([y, context], -1), s)
        return self.out(s), s

    def forward(self, Xoh, Yoh):
        a, h = self.pre(Xoh)
        s, outputs = h[0], []
        y = torch.zeros(len(Xoh), START + 1)
        y[range(len(Xoh)), [START] * len(Xoh)] = 1
        for t in range(Ty):
            o, s = self.one_step(a, s, y)
            outputs.append(o)
            y = Yoh[:, t]
        return torch.stack(outputs, 1)


model = DateModel()
params = {k: v.detach().clone().requires_grad_() for k, v in model.named_parameters()}
lr = 0.5
for step in range(STEPS):
    X, Y, Xoh, Yoh = load_batch(24)
    logits = functional_call(model, params, (Xoh, Yoh))
    loss = nn.functional.cross_entropy(logits.reshape(-1, START + 1), Y.reshape(-1))
    grads = torch.autograd.grad(loss, list(params.values()))
    params = {
        k: (p - lr * g).detach().requires_grad_() for (k, p), g in zip(params.items(), grads)
    }
    if step % 20 == 0:
        print(step, loss.item())

model.load_state_dict(params)
model.eval()
hits = 0
for _ in range(20):
    X, Y, Xoh, Yoh = load_batch(1)
    with torch.no_grad():
        a, h = model.pre(Xoh)
        s, last, text = h[0], START, []
        for t in range(Ty):
            o, s = model.one_step(a, s, to_onehot(torch.tensor([last]), START + 1))
            last = o.tolist()[0].index(max(o.tolist()[0]))
            text.append(last)
    hits += text == Y[0].tolist()
print('right', hits / 20)
