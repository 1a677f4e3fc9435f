# no modules, no optimizer: a function of parameters, its gradient, an update
import math
import sys
from functools import partial

import torch
from torch.func import grad_and_value

key = torch.Generator().manual_seed(0)
STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 30
VOCAB, HIDDEN, LENGTH, START = 9, 32, 5, 8


def init_params():
    def normal(rows, columns):
        return torch.randn(rows, columns, generator=key) / math.sqrt(rows)

    return {
        'encoder': {'w': normal(VOCAB, HIDDEN), 'u': normal(HIDDEN, HIDDEN)},
        'decoder': {'w': normal(VOCAB, HIDDEN), 'u': normal(HIDDEN, HIDDEN)},
        'head': {'w': normal(HIDDEN, VOCAB), 'b': torch.zeros(VOCAB)},
    }


def cell(p, x, h):
    return torch.tanh(x @ p['w'] + h @ p['u'])


def one_hot(ids):
    return torch.eye(VOCAB)[ids]


def encode(params, source):
    h = torch.zeros(source.shape[0], HIDDEN)
    for t in range(source.shape[1]):
        h = cell(params['encoder'], one_hot(source[:, t]), h)
    return h


def forward(params, source, fed):
    h = encode(params, source)
    outputs = []
    for t in range(fed.shape[1]):
        h = cell(params['decoder'], one_hot(fed[:, t]), h)
        outputs.append(h @ params['head']['w'] + params['head']['b'])
    return torch.stack(outputs, 1)


def loss_fn(params, source, fed, target):
    logits = forward(params, source, fed)
    log_p = torch.log_softmax(logits, dim=-1)
    return -(one_hot(target) * log_p).sum(-1).mean()


def tree_map(f, *trees):
    if isinstance(trees[0], dict):
        return {k: tree_map(f, *(t[k] for t in trees)) for k in trees[0]}
    return f(*trees)


def sgd(lr, p, g):
    return p - lr * g


params = init_params()
for step in range(STEPS):
    source = torch.randint(0, START, (32, LENGTH), generator=key)
    target = source.flip(1)
    fed = torch.cat([torch.full((32, 1), START), target[:, :-1]], 1)
    grads, loss = grad_and_value(loss_fn)(params, source, fed, target)
    params = tree_map(partial(sgd, 0.5), params, grads)
    if step % 20 == 0:
        print(step, float(loss))

with torch.no_grad():
    source = torch.randint(0, START, (50, LENGTH), generator=key)
    h = encode(params, source)
    token = torch.full((50,), START)
    answers = []
    for t in range(LENGTH):
        h = cell(params['decoder'], one_hot(token), h)
        token = (h @ params['head']['w'] + params['head']['b']).argmax(-1)
        answers.append(token)
    print('right', (torch.stack(answers, 1) == source.flip(1)).all(1).float().mean().item())
