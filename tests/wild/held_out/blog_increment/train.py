# Code for the post "Can an RNN count? Seq2seq from scratch in 100 lines".
# One function, no classes. Input "04199", output "04200", written from the last digit to the first.
import random
import sys

import torch
from torch import nn


def count_with_rnn(seed=0, digits=6, hidden=48, steps=180, batch=48):
    random.seed(seed)
    torch.manual_seed(seed)
    torch.set_num_threads(1)

    # --- vocabulary: 0-9 are the digits, 10 starts, 11 ends -------------
    START, END, V = 10, 11, 12

    def number_to_digits(n):
        return [int(c) for c in str(n).zfill(digits)]

    def get_batch(size, low=0, high=10 ** digits - 1):
        # half of the numbers end in nines so that there is something to carry
        xs, ys = [], []
        for _ in range(size):
            n = random.randrange(low, high)
            if random.random() < 0.5:
                k = random.randint(1, 3)
                n = n // 10 ** k * 10 ** k + 10 ** k - 1
                n = min(n, 10 ** digits - 2)
            xs.append(number_to_digits(n))
            ys.append(number_to_digits(n + 1)[::-1] + [END])
        return torch.tensor(xs), torch.tensor(ys)

    # --- all the layers we need -----------------------------------------
    emb_x = nn.Embedding(V, 16)
    emb_y = nn.Embedding(V, 16)
    reader = nn.GRU(16, hidden // 2, batch_first=True, bidirectional=True)
    writer = nn.GRU(16, hidden, batch_first=True)
    to_key = nn.Linear(hidden, hidden)
    to_vocab = nn.Linear(2 * hidden, V)
    layers = nn.ModuleList([emb_x, emb_y, reader, writer, to_key, to_vocab])

    # --- training --------------------------------------------------------
    opt = torch.optim.Adam(layers.parameters(), lr=0.01)
    sched = torch.optim.lr_scheduler.StepLR(opt, step_size=60, gamma=0.5)
    ce = nn.CrossEntropyLoss()
    test_x, test_y = get_batch(200)
    for step in range(1, steps + 1):
        x, y = get_batch(batch)
        memory, h = reader(emb_x(x))
        h = torch.cat([h[0], h[1]], dim=-1).unsqueeze(0)
        # teacher forcing: the writer reads the right digits, one place to the right
        start = torch.full((batch, 1), START)
        y_in = torch.cat([start, y[:, :-1]], dim=1)
        out, _ = writer(emb_y(y_in), h)
        scores = out @ to_key(memory).transpose(1, 2)          # (batch, out, in)
        weights = scores.softmax(dim=-1)
        context = weights @ memory
        logits = to_vocab(torch.cat([out, context], dim=-1))
        loss = ce(logits.transpose(1, 2), y)
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(layers.parameters(), 1.0)
        opt.step()
        sched.step()
        if step % 50 == 0:
            acc = (logits.argmax(-1) == y).float().mean()
            print(f"step {step:4d} | loss {loss.item():.4f} | acc (teacher forced) {acc.item():.3f}")

    # --- does it count? ----------------------------------------------------
    with torch.no_grad():
        memory, h = reader(emb_x(test_x))
        h = torch.cat([h[0], h[1]], dim=-1).unsqueeze(0)
        token = torch.full((len(test_x), 1), START)
        answer = []
        for _ in range(digits + 1):
            out, h = writer(emb_y(token), h)
            weights = (out @ to_key(memory).transpose(1, 2)).softmax(dim=-1)
            logits = to_vocab(torch.cat([out, weights @ memory], dim=-1))
            token = logits.argmax(-1)
            answer.append(token)
        answer = torch.cat(answer, dim=1)
    for i in range(3):
        print("".join(map(str, test_x[i].tolist())), "+ 1 =", "".join(map(str, answer[i, :-1].tolist()[::-1])))
    return (answer == test_y).all(dim=1).float().mean().item()


if __name__ == "__main__":
    score = count_with_rnn(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(f"held-out score: {score:.4f}")
