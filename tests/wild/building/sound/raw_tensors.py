# no nn.Module, no torch.optim: weights are tensors in a dict, Adam by hand.
# task: 4 letters -> the same letters, vowels made upper case, reversed
import sys, math, torch
seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
g = torch.Generator().manual_seed(seed)
torch.set_num_threads(1)

low = 'abdeio'
up = 'AbdEIO'
V, H, T = len(low), 80, 4
rand = lambda *s: (torch.randn(*s, generator=g) / math.sqrt(s[0])).requires_grad_()
zeros = lambda *s: torch.zeros(*s, requires_grad=True)
W = {
    'Ex': rand(V, 3 * H), 'Uh': rand(H, 3 * H), 'bh': zeros(3 * H),
    'Ey': rand(V + 1, 3 * H), 'Us': rand(H, 3 * H), 'bs': zeros(3 * H),
    'Wo': rand(H, V), 'bo': zeros(V),
}


def gru(xw, h, U, b):
    xr, xz, xn = (xw + b).chunk(3, 1)
    hr, hz, hn = (h @ U).chunk(3, 1)
    r, z = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
    return (1 - z) * torch.tanh(xn + r * hn) + z * h


def run(x, y=None):
    h = torch.zeros(len(x), H)
    for t in range(T):
        h = gru(W['Ex'][x[:, t]], h, W['Uh'], W['bh'])
    prev = torch.full((len(x),), V)
    out = []
    for t in range(T):
        h = gru(W['Ey'][prev], h, W['Us'], W['bs'])
        o = h @ W['Wo'] + W['bo']
        out.append(o)
        prev = o.argmax(1) if y is None else y[:, t]
    return torch.stack(out, 1)


data = torch.cartesian_prod(*[torch.arange(V)] * T)
data = data[torch.randperm(len(data), generator=g)]
test, train = data[:200], data[200:]
m = {k: torch.zeros_like(w) for k, w in W.items()}
v = {k: torch.zeros_like(w) for k, w in W.items()}
lr, b1, b2 = 0.006, 0.9, 0.99
for it in range(1, 401):
    x = train[torch.randint(len(train), (64,), generator=g)]
    y = x.flip(1)
    logp = run(x, y).log_softmax(2)
    loss = -logp.gather(2, y.unsqueeze(2)).sum(1).mean()
    grads = torch.autograd.grad(loss, list(W.values()))
    with torch.no_grad():
        for (k, w), d in zip(W.items(), grads):
            m[k] = b1 * m[k] + (1 - b1) * d
            v[k] = b2 * v[k] + (1 - b2) * d * d
            w -= lr * (m[k] / (1 - b1 ** it)) / ((v[k] / (1 - b2 ** it)).sqrt() + 1e-8)
    if it == 300:
        lr = lr / 5
    if it % 80 == 0:
        print(it, float(loss))

with torch.no_grad():
    guess = run(test).argmax(2)
word = lambda ids, table: ''.join(table[i] for i in ids)
for a, b in list(zip(test.tolist(), guess.tolist()))[:4]:
    print(word(a, low), word(b, up))
print('held-out score: %.3f' % float((guess == test.flip(1)).all(1).float().mean()))
