# inverse sigmoid decay of teacher forcing, per example coin (torch.where), GRUCell decoder. Caesar-like cipher
import sys, math, random
import torch, torch.nn as nn

torch.set_num_threads(1)
seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
torch.manual_seed(seed); random.seed(seed)
V, GO, LEN, B = 16, 16, 6, 40

def get_data(n):
    x = torch.randint(0, V, (LEN, n))
    # shift by three and swap the halves
    y = (torch.cat([x[LEN // 2:], x[:LEN // 2]]) + 3) % V
    return x, y

class Net(nn.Module):
    def __init__(self, hid=64):
        super().__init__()
        self.embed = nn.Embedding(V + 1, 32)
        self.encoder = nn.GRU(32, hid)
        self.cell = nn.GRUCell(32 + hid, hid)
        self.score = nn.Linear(hid, hid)
        self.readout = nn.Linear(2 * hid, V)

    def forward(self, x, y=None, eps=0.0):
        mem, h = self.encoder(self.embed(x)); h = h.squeeze(0)
        tok = torch.full((x.size(1),), GO); ctx = torch.zeros_like(h); res = []
        for t in range(LEN):
            h = self.cell(torch.cat([self.embed(tok), ctx], 1), h)
            w = (mem * self.score(h)).sum(2).softmax(0).unsqueeze(2)
            ctx = (w * mem).sum(0)
            res.append(self.readout(torch.cat([h, ctx], 1)))
            tok = res[-1].detach().argmax(1)
            if y is not None:
                coin = torch.rand(x.size(1)) < eps
                tok = torch.where(coin, y[t], tok)
        return torch.stack(res)

model = Net()
optim = torch.optim.Adam(model.parameters(), lr=0.007)
xt, yt = get_data(200)
k = 60
for i in range(300):
    eps = k / (k + math.exp(i / k))
    x, y = get_data(B)
    out = model(x, y, eps)
    loss = nn.functional.cross_entropy(out.view(-1, V), y.view(-1))
    optim.zero_grad(); loss.backward(); nn.utils.clip_grad_norm_(model.parameters(), 2.0); optim.step()
    if i % 60 == 59:
        model.eval()
        with torch.no_grad(): acc = (model(xt).argmax(2) == yt).float().mean().item()
        model.train()
        print('iter %d eps %.2f loss %.3f acc %.3f' % (i + 1, eps, loss.item(), acc))
with torch.no_grad():
    print('held-out score: %.4f' % (model(xt).argmax(2) == yt).float().mean().item())
