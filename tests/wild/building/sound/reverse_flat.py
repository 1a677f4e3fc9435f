# reverse a string, as flat as it gets
import sys, random
import torch
from torch import nn

s = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(s); torch.manual_seed(s); torch.set_num_threads(1)

V, T, B, H = 8, 5, 64, 96     # symbols 0..7, 8 = go
GO = 8
allx = torch.cartesian_prod(*[torch.arange(V)] * T)
allx = allx[torch.randperm(len(allx))]
test, train = allx[:500], allx[500:]

emb_in = nn.Embedding(V, 24)
emb_out = nn.Embedding(V + 1, 24)
enc = nn.GRU(24, H)
dec = nn.GRU(24, H)
lin = nn.Linear(H, V)
mods = nn.ModuleList([emb_in, emb_out, enc, dec, lin])
opt = torch.optim.Adam(mods.parameters(), 0.005)
ce = nn.CrossEntropyLoss()

for step in range(500):
    if step == 350:
        opt.param_groups[0]['lr'] = 0.0015
    x = train[torch.randint(len(train), (B,))].t()          # T x B
    y = x.flip(0)
    _, h = enc(emb_in(x))
    fed = torch.cat([torch.full((1, B), GO), y[:-1]])
    o, _ = dec(emb_out(fed), h)
    loss = ce(lin(o).view(T * B, V), y.reshape(-1))
    opt.zero_grad(); loss.backward(); opt.step()
    if step % 100 == 0: print(step, round(loss.item(), 4))

with torch.no_grad():
    x = test.t()
    _, h = enc(emb_in(x))
    tok = torch.full((1, x.size(1)), GO)
    out = []
    for _ in range(T):
        o, h = dec(emb_out(tok), h)
        tok = lin(o).argmax(-1)
        out.append(tok)
    acc = (torch.cat(out) == x.flip(0)).float().mean().item()
print('held-out score: %.3f' % acc)
