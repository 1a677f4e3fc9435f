# sort digits with plain tensors. no nn.Module anywhere: params are a dict, everything is a function.
import sys
from functools import partial

import torch
import torch.nn.functional as F

torch.set_num_threads(1)
SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 0
V, T, H, E = 12, 7, 48, 24      # tokens 0..9, 10 = go, 11 unused
GO = 10
STEPS, B, LR = 200, 64, 6e-3

g = torch.Generator().manual_seed(SEED)
g_eval = torch.Generator().manual_seed(10_000 + SEED)


def glorot(*shape):
    fan_in, fan_out = shape[-2], shape[-1]
    s = (6 / (fan_in + fan_out)) ** 0.5
    return (torch.rand(*shape, generator=g) * 2 - 1) * s


def init_gru(n_in, n_h):
    return {'wx': glorot(n_in, 3 * n_h), 'wh': glorot(n_h, 3 * n_h), 'b': torch.zeros(3 * n_h)}


def init():
    return {
        'emb': torch.randn(V, E, generator=g) * 0.3,
        'enc': init_gru(E, H),
        'dec': init_gru(E + H, H),
        'att': {'q': glorot(H, H), 'k': glorot(H, H)},
        'out': {'w': glorot(2 * H, V), 'b': torch.zeros(V)},
    }


def leaves(tree):
    return [x for v in tree.values() for x in (leaves(v) if isinstance(v, dict) else [v])]


def tree_map(f, *trees):
    return {k: tree_map(f, *(t[k] for t in trees)) if isinstance(trees[0][k], dict) else f(*(t[k] for t in trees))
            for k in trees[0]}


def unflatten(tree, flat):
    it = iter(flat)
    return tree_map(lambda _: next(it), tree)


def gru(p, h, x):
    gx = x @ p['wx'] + p['b']
    gh = h @ p['wh']
    rx, zx, nx = gx.chunk(3, -1)
    rh, zh, nh = gh.chunk(3, -1)
    r, z = torch.sigmoid(rx + rh), torch.sigmoid(zx + zh)
    n = torch.tanh(nx + r * nh)
    return (1 - z) * n + z * h


def scan(f, init, xs):
    carry, ys = init, []
    for x in xs:
        carry, y = f(carry, x)
        ys.append(y)
    return carry, torch.stack(ys)


def attend(p, h, mem):
    q = h @ p['q']                                          # (B, H)
    k = mem @ p['k']                                        # (T, B, H)
    a = F.softmax(torch.einsum('bh,tbh->tb', q, k) / H ** 0.5, dim=0)
    return torch.einsum('tb,tbh->bh', a, mem)


def encode(params, src):
    xs = params['emb'][src.t()]                             # (T, B, E)
    h0 = torch.zeros(src.shape[0], H)

    def step(h, x):
        h = gru(params['enc'], h, x)
        return h, h
    return scan(step, h0, xs)


def dec_step(params, mem, carry, tok):
    h, ctx = carry
    h = gru(params['dec'], h, torch.cat([params['emb'][tok], ctx], -1))
    ctx = attend(params['att'], h, mem)
    logits = torch.cat([h, ctx], -1) @ params['out']['w'] + params['out']['b']
    return (h, ctx), logits


def forward(params, src, tgt):
    h, mem = encode(params, src)
    go = torch.full_like(tgt[:, :1], GO)
    inp = torch.cat([go, tgt[:, :-1]], 1).t()
    _, logits = scan(partial(dec_step, params, mem), (h, torch.zeros_like(h)), inp)
    return logits                                           # (T, B, V)


def xent(logits, labels):
    logp = F.log_softmax(logits, -1)
    return -(logp * F.one_hot(labels, V)).sum(-1).mean()


def loss_fn(params, batch):
    src, tgt = batch
    return xent(forward(params, src, tgt), tgt.t())


def value_and_grad(f):
    def wrapped(params, *args):
        ps = tree_map(lambda t: t.detach().requires_grad_(), params)
        loss = f(ps, *args)
        grads = torch.autograd.grad(loss, leaves(ps))
        return loss.item(), unflatten(params, grads)
    return wrapped


def adam(lr, b1=0.9, b2=0.999, eps=1e-8):
    def init(params):
        zeros = lambda: tree_map(torch.zeros_like, params)
        return {'m': zeros(), 'v': zeros(), 't': 0}

    def update(grads, state, params):
        t = state['t'] + 1
        m = tree_map(lambda m, g: b1 * m + (1 - b1) * g, state['m'], grads)
        v = tree_map(lambda v, g: b2 * v + (1 - b2) * g * g, state['v'], grads)
        lr_t = lr * (1 - b2 ** t) ** 0.5 / (1 - b1 ** t)
        params = tree_map(lambda p, m, v: p - lr_t * m / (v.sqrt() + eps), params, m, v)
        return params, {'m': m, 'v': v, 't': t}
    return init, update


def sample_batch(gen, n):
    src = torch.randint(0, 10, (n, T), generator=gen)
    return src, src.sort(dim=1).values


def greedy(params, src):
    h, mem = encode(params, src)
    carry, tok, out = (h, torch.zeros_like(h)), torch.full((src.shape[0],), GO), []
    for _ in range(T):
        carry, logits = dec_step(params, mem, carry, tok)
        tok = logits.argmax(-1)
        out.append(tok)
    return torch.stack(out, 1)


def accuracy(params, batch):
    src, tgt = batch
    with torch.no_grad():
        return (greedy(params, src) == tgt).float().mean().item()


if __name__ == '__main__':
    params = init()
    opt_init, opt_update = adam(LR)
    opt_state = opt_init(params)
    grad_fn = value_and_grad(loss_fn)
    held_out = sample_batch(g_eval, 300)
    for i in range(STEPS):
        loss, grads = grad_fn(params, sample_batch(g, B))
        params, opt_state = opt_update(grads, opt_state, params)
        if i % 40 == 0:
            print(f'{i:4d}  {loss:.4f}  acc {accuracy(params, held_out):.3f}')
    print(f'held-out score: {accuracy(params, held_out):.4f}')
