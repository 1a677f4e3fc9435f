# no encoder, no decoder: one LSTM reads "abc>" and goes on with "cba." ; loss only after the ">"
import sys
import torch
import torch.nn as nn

torch.set_num_threads(1)
torch.manual_seed(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
stoi = {c: i for i, c in enumerate('abcde>.')}
L, B, STEPS = 3, 64, 420


def get_batch(n):
    src = torch.randint(0, 5, (n, L))
    seq = torch.cat([src, torch.full((n, 1), stoi['>']), src.flip(1), torch.full((n, 1), stoi['.'])], 1)
    x, y = seq[:, :-1], seq[:, 1:].clone()
    y[:, :L] = -100     # the prompt can't be predicted
    return x, y, src


class CharLM(nn.Module):
    def __init__(self, n_embd=32, n_hidden=96):
        super().__init__()
        self.wte = nn.Embedding(len(stoi), n_embd)
        self.rnn = nn.LSTM(n_embd, n_hidden, batch_first=True)
        self.lm_head = nn.Linear(n_hidden, len(stoi))

    def forward(self, idx, targets=None, state=None):
        x, state = self.rnn(self.wte(idx), state)
        logits = self.lm_head(x)
        loss = None
        if targets is not None:
            loss = nn.functional.cross_entropy(logits.reshape(-1, logits.size(-1)), targets.reshape(-1))
        return logits, loss, state

    @torch.no_grad()
    def generate(self, idx, n):
        logits, _, state = self(idx)
        out = []
        for _ in range(n):
            nxt = logits[:, -1, :].argmax(-1, keepdim=True)
            out.append(nxt)
            logits, _, state = self(nxt, state=state)
        return torch.cat(out, 1)


model = CharLM()
optimizer = torch.optim.AdamW(model.parameters(), lr=8e-3)
for it in range(STEPS):
    for g in optimizer.param_groups:
        g['lr'] = 8e-3 * (1 - it / STEPS)
    x, y, _ = get_batch(B)
    _, loss, _ = model(x, y)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if it % 100 == 0:
        print(f'iter {it}: loss {loss.item():.4f}')
_, _, src = get_batch(200)
out = model.generate(torch.cat([src, torch.full((200, 1), stoi['>'])], 1), L)
print(f'held-out score: {(out == src.flip(1)).float().mean().item():.4f}')
