"""Sorting digits with a small attention seq2seq, written the JAX way in PyTorch.

No nn.Module: params are nested dicts of tensors, everything is a pure function,
randomness is passed explicitly as a key.
"""
import sys
import math
from functools import partial

import torch
import torch.nn.functional as F
from torch.func import grad_and_value
from torch.utils._pytree import tree_map

torch.set_num_threads(1)

PAD, BOS, EOS = 0, 1, 2
OFFSET = 3                 # digit d has id d + OFFSET
VOCAB = 10 + OFFSET
MIN_LEN, MAX_LEN = 3, 8
EMB, HID = 32, 64
BATCH, STEPS = 64, 500
LR = 4e-3
WARMUP = 50
DROP = 0.1


# ---------------------------------------------------------------- random keys
def PRNGKey(seed):
    return int(seed) & 0xFFFFFFFF


def split(key, n=2):
    g = torch.Generator().manual_seed(key)
    return [int(k) for k in torch.randint(0, 2 ** 32 - 1, (n,), generator=g)]


def gen(key):
    return torch.Generator().manual_seed(key)


# ----------------------------------------------------------------------- data
def make_data(key, n):
    """Lists of (unsorted, sorted) digit lists."""
    g = gen(key)
    xs, ys = [], []
    for _ in range(n):
        length = int(torch.randint(MIN_LEN, MAX_LEN + 1, (1,), generator=g))
        digits = torch.randint(0, 10, (length,), generator=g).tolist()
        xs.append(digits)
        ys.append(sorted(digits))
    return xs, ys


def to_arrays(xs, ys):
    """Pad everything to a fixed shape (so that jit would not recompile :))."""
    n = len(xs)
    src = torch.full((n, MAX_LEN), PAD)
    tgt_in = torch.full((n, MAX_LEN + 1), PAD)
    tgt_out = torch.full((n, MAX_LEN + 1), PAD)
    for i, (x, y) in enumerate(zip(xs, ys)):
        x_ids = [d + OFFSET for d in x]
        y_ids = [d + OFFSET for d in y]
        src[i, :len(x)] = torch.tensor(x_ids)
        tgt_in[i, :len(y) + 1] = torch.tensor([BOS] + y_ids)
        tgt_out[i, :len(y) + 1] = torch.tensor(y_ids + [EOS])
    return {"src": src, "tgt_in": tgt_in, "tgt_out": tgt_out}


def sample_batch(key, data):
    n = data["src"].shape[0]
    idx = torch.randint(0, n, (BATCH,), generator=gen(key))
    return {k: v[idx] for k, v in data.items()}


# --------------------------------------------------------------------- params
def dense_init(key, n_in, n_out):
    w = torch.randn(n_in, n_out, generator=gen(key)) / math.sqrt(n_in)
    return {"w": w, "b": torch.zeros(n_out)}


def gru_init(key, n_in, n_hid):
    k1, k2 = split(key)
    return {"x": dense_init(k1, n_in, 3 * n_hid), "h": dense_init(k2, n_hid, 3 * n_hid)}


def init_params(key):
    k = split(key, 6)
    return {
        "encoder": {
            "embed": torch.randn(VOCAB, EMB, generator=gen(k[0])) * 0.5,
            "gru": gru_init(k[1], EMB, HID),
        },
        "decoder": {
            "embed": torch.randn(VOCAB, EMB, generator=gen(k[2])) * 0.5,
            "gru": gru_init(k[3], EMB + HID, HID),
            "query": dense_init(k[4], HID, HID),
            "out": dense_init(k[5], 2 * HID, VOCAB),
        },
    }


# ---------------------------------------------------------------------- model
def dense(p, x):
    return x @ p["w"] + p["b"]


def gru_cell(p, h, x):
    xr, xz, xn = dense(p["x"], x).chunk(3, dim=-1)
    hr, hz, hn = dense(p["h"], h).chunk(3, dim=-1)
    r = torch.sigmoid(xr + hr)
    z = torch.sigmoid(xz + hz)
    n = torch.tanh(xn + r * hn)
    return (1 - z) * n + z * h


def dropout(key, x, rate):
    keep = 1.0 - rate
    mask = torch.rand(x.shape, generator=gen(key)) < keep
    return x * mask / keep


def encode(p, src, key=None):
    """-> memory (B, T, H), last state (B, H), mask (B, T)"""
    mask = src != PAD
    x = p["embed"][src]
    if key is not None:
        x = dropout(key, x, DROP)
    h = torch.zeros(src.shape[0], HID)
    hs = []
    for t in range(src.shape[1]):
        h_new = gru_cell(p["gru"], h, x[:, t])
        h = torch.where(mask[:, t, None], h_new, h)
        hs.append(h)
    return torch.stack(hs, dim=1), h, mask


def attend(p, h, memory, mask):
    q = dense(p["query"], h)
    scores = torch.einsum("bh,bth->bt", q, memory) / math.sqrt(HID)
    scores = torch.where(mask, scores, torch.tensor(-1e9))
    alpha = F.softmax(scores, dim=-1)
    return torch.einsum("bt,bth->bh", alpha, memory)


def decode_step(p, h, token, memory, mask):
    ctx = attend(p, h, memory, mask)
    x = torch.cat([p["embed"][token], ctx], dim=-1)
    h = gru_cell(p["gru"], h, x)
    logits = dense(p["out"], torch.cat([h, ctx], dim=-1))
    return h, logits


def decode(p, h, tgt_in, memory, mask):
    """Teacher forcing, a poor man's lax.scan."""
    out = []
    for t in range(tgt_in.shape[1]):
        h, logits = decode_step(p, h, tgt_in[:, t], memory, mask)
        out.append(logits)
    return torch.stack(out, dim=1)


def loss_fn(params, batch, key):
    memory, h, mask = encode(params["encoder"], batch["src"], key)
    logits = decode(params["decoder"], h, batch["tgt_in"], memory, mask)
    logp = F.log_softmax(logits, dim=-1)
    nll = -logp.gather(-1, batch["tgt_out"][..., None])[..., 0]
    w = (batch["tgt_out"] != PAD).float()
    return (nll * w).sum() / w.sum()


# ----------------------------------------------------------------------- adam
def adam_init(params):
    zeros = partial(tree_map, torch.zeros_like)
    return {"m": zeros(params), "v": zeros(params), "t": 0}


def schedule(t):
    warm = min(1.0, t / WARMUP)
    cos = 0.5 * (1 + math.cos(math.pi * t / STEPS))
    return LR * warm * cos


def adam_update(params, grads, state, lr, b1=0.9, b2=0.99, eps=1e-8):
    t = state["t"] + 1
    m = tree_map(lambda m, g: b1 * m + (1 - b1) * g, state["m"], grads)
    v = tree_map(lambda v, g: b2 * v + (1 - b2) * g * g, state["v"], grads)
    c1, c2 = 1 - b1 ** t, 1 - b2 ** t
    params = tree_map(
        lambda p, m, v: p - lr * (m / c1) / (torch.sqrt(v / c2) + eps), params, m, v)
    return params, {"m": m, "v": v, "t": t}


def train_step(params, opt_state, batch, key):
    grads, loss = grad_and_value(loss_fn)(params, batch, key)
    lr = schedule(opt_state["t"] + 1)
    params, opt_state = adam_update(params, grads, opt_state, lr)
    return params, opt_state, loss


# ----------------------------------------------------------------- evaluation
def generate(params, src):
    memory, h, mask = encode(params["encoder"], src)
    token = torch.full((src.shape[0],), BOS)
    outs = []
    for _ in range(MAX_LEN + 1):
        h, logits = decode_step(params["decoder"], h, token, memory, mask)
        token = logits.argmax(-1)
        outs.append(token)
    return torch.stack(outs, dim=1)


def strip(ids):
    res = []
    for i in ids:
        if i == EOS:
            break
        res.append(i - OFFSET)
    return res


def evaluate(params, xs, ys):
    data = to_arrays(xs, ys)
    pred = generate(params, data["src"]).tolist()
    hits = sum(strip(p) == y for p, y in zip(pred, ys))
    return hits / len(ys)


def main(seed):
    key = PRNGKey(seed)
    key, k_train, k_test, k_init = split(key, 4)
    train = to_arrays(*make_data(k_train, 8000))
    test_x, test_y = make_data(k_test, 400)

    params = init_params(k_init)
    opt_state = adam_init(params)

    for step in range(STEPS):
        key, k_batch, k_drop = split(key, 3)
        batch = sample_batch(k_batch, train)
        params, opt_state, loss = train_step(params, opt_state, batch, k_drop)
        if step % 100 == 0:
            print(f"step {step:4d}  loss {loss.item():.4f}")

    print(f"held-out score: {evaluate(params, test_x, test_y):.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
