# Pointer network: sort numbers by pointing at them (no output vocabulary)
import sys
import torch
import torch.nn as nn
import torch.optim as optim

torch.set_num_threads(1)
torch.manual_seed(int(sys.argv[1]) if len(sys.argv) > 1 else 0)


class PtrNet(nn.Module):
    def __init__(self, hidden_dim=48):
        super(PtrNet, self).__init__()
        self.embed = nn.Linear(1, hidden_dim)
        self.encoder = nn.LSTM(hidden_dim, hidden_dim, batch_first=True)
        self.decoder = nn.LSTMCell(hidden_dim, hidden_dim)
        self.decoder_input0 = nn.Parameter(torch.rand(hidden_dim) - 0.5)
        self.W1 = nn.Linear(hidden_dim, hidden_dim, bias=False)
        self.W2 = nn.Linear(hidden_dim, hidden_dim, bias=False)
        self.vt = nn.Linear(hidden_dim, 1, bias=False)

    def forward(self, inputs, target=None):
        batch, n = inputs.shape
        embedded = torch.tanh(self.embed(inputs.unsqueeze(2)))
        outputs, (h, c) = self.encoder(embedded)
        h, c = h[-1], c[-1]
        keys = self.W1(outputs)
        inp = self.decoder_input0.expand(batch, -1)
        mask = torch.zeros(batch, n, dtype=torch.bool)
        log_ps, pointers = [], []
        for i in range(n):
            h, c = self.decoder(inp, (h, c))
            u = self.vt(torch.tanh(keys + self.W2(h).unsqueeze(1))).squeeze(2)
            # a number is chosen once
            u = u.masked_fill(mask, -1e9)
            log_ps.append(torch.log_softmax(u, dim=1))
            choice = target[:, i] if target is not None else u.argmax(1)
            pointers.append(choice)
            mask = mask.scatter(1, choice.unsqueeze(1), True)
            inp = embedded[torch.arange(batch), choice]
        return torch.stack(log_ps, 1), torch.stack(pointers, 1)


model = PtrNet()
optimizer = optim.Adam(model.parameters(), lr=5e-3)
criterion = nn.NLLLoss()
for step in range(350):
    x = torch.rand(64, 5)
    target = x.argsort(dim=1)
    log_p, _ = model(x, target)
    loss = criterion(log_p.view(-1, 5), target.view(-1))
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 2)
    optimizer.step()
    if (step + 1) % 70 == 0:
        print('Step {}: loss {:.4f}'.format(step + 1, loss.item()))

model.eval()
with torch.no_grad():
    x = torch.rand(300, 5)
    _, pointers = model(x)
print('held-out score: {:.4f}'.format((pointers == x.argsort(1)).float().mean().item()))
