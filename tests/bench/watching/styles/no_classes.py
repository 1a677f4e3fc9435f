# no classes at all: a dict of tensors, numpy one-hot data, torch.autograd.grad
import sys

import numpy as np
import torch

rng = np.random.RandomState(0)
torch.manual_seed(0)
iters = int(sys.argv[1]) if len(sys.argv) > 1 else 30
nin, nout, nh, T = 8, 9, 40, 5
GO = 8
P = {}
for name, shape in [
    ('Wxh', (nin, nh)), ('Whh', (nh, nh)), ('Wyh', (nout, nh)), ('Wss', (nh, nh)), ('Wo', (nh, nout)),
]:
    P[name] = torch.from_numpy((rng.randn(*shape) / np.sqrt(shape[0])).astype('float32')).requires_grad_()
P['bo'] = torch.zeros(nout, requires_grad=True)


def onehot(ids, n):
    x = np.zeros(ids.shape + (n,), dtype='float32')
    np.put_along_axis(x, ids[..., None], 1.0, -1)
    return torch.from_numpy(x)


def encoder(x):
    h = torch.zeros(x.shape[0], nh)
    for t in range(T):
        h = torch.tanh(x[:, t] @ P['Wxh'] + h @ P['Whh'])
    return h


def step(y, h):
    h = torch.tanh(y @ P['Wyh'] + h @ P['Wss'])
    return h @ P['Wo'] + P['bo'], h


lr = 0.3
for it in range(iters):
    ids = rng.randint(0, nin, size=(24, T))
    answers = (ids[:, ::-1] + 1) % nin
    h = encoder(onehot(ids, nin))
    y = onehot(np.full(24, GO), nout)
    loss = 0.0
    for t in range(T):
        scores, h = step(y, h)
        loss = loss + torch.nn.functional.cross_entropy(scores, onehot(answers[:, t], nout))
        y = onehot(answers[:, t], nout)
    loss = loss / T
    grads = torch.autograd.grad(loss, list(P.values()))
    for p, g in zip(P.values(), grads):
        p.data.add_(g, alpha=-lr)
    if it % 20 == 0:
        print(it, loss.item())

ok = 0
for _ in range(30):
    ids = rng.randint(0, nin, size=(1, T))
    with torch.no_grad():
        h = encoder(onehot(ids, nin))
        k, out = GO, []
        for t in range(T):
            scores, h = step(onehot(np.array([k]), nout), h)
            k = int(scores.numpy().argmax())
            out.append(k)
    ok += out == ((ids[0, ::-1] + 1) % nin).tolist()
print('right', ok / 30)
