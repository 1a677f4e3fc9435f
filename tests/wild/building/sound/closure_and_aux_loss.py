'''Roman numerals of 1 ... 399, read digit by digit. A second head must also tell how long the numeral is (auxiliary loss).
The optimizer is stepped with a closure.'''
import sys, random, torch
import torch.nn as nn
import torch.nn.functional as F

seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(seed); torch.manual_seed(seed); torch.set_num_threads(1)

def roman(n):
    out = ''
    for v, s in zip((100, 90, 50, 40, 10, 9, 5, 4, 1), ('C', 'XC', 'L', 'XL', 'X', 'IX', 'V', 'IV', 'I')):
        while n >= v:
            out += s; n -= v
    return out

CH = 'CXLVI'
END, BEGIN, PAD = 5, 6, 7        # padding is the last id
numbers = list(range(1, 400)); random.shuffle(numbers)
test, train = numbers[:80], numbers[80:]
longest = max(len(roman(n)) for n in numbers) + 1

def tensors(ns):
    x = torch.tensor([[int(c) for c in '%03d' % n] for n in ns])
    y = torch.tensor([[CH.index(c) for c in roman(n)] + [END] + [PAD] * (longest - len(roman(n)) - 1) for n in ns])
    return x, y

class RomanNet(nn.Module):
    def __init__(self, h=80):
        super().__init__()
        self.pos_digit = nn.Embedding(30, 24)      # a digit has an embedding for each position
        self.enc = nn.GRU(24, h, batch_first=True)
        self.emb = nn.Embedding(8, 16, padding_idx=PAD)
        self.dec = nn.GRU(16 + h, h, batch_first=True)
        self.fc = nn.Linear(h, 6)                  # PAD and BEGIN cannot come out
        self.length = nn.Linear(h, 1)
    def encode(self, x):
        return self.enc(self.pos_digit(x + torch.tensor([0, 10, 20])))[1]
    def decode(self, y, h, z):
        e = torch.cat([self.emb(y), z[0].unsqueeze(1).expand(-1, y.size(1), -1)], 2)
        o, h = self.dec(e, h)
        return self.fc(o), h

net = RomanNet()
opt = torch.optim.RAdam(net.parameters(), lr=0.01)
X, Y = tensors(train)
for epoch in range(60):
    for idx in torch.randperm(len(X)).split(64):
        x, y = X[idx], Y[idx]
        def closure():
            opt.zero_grad()
            z = net.encode(x)
            fed = torch.cat([torch.full((len(y), 1), BEGIN), y[:, :-1]], 1)
            logits, _ = net.decode(fed, z, z)
            main = F.cross_entropy(logits.transpose(1, 2), y, ignore_index=PAD)
            aux = F.mse_loss(net.length(z[0]).squeeze(1), (y != PAD).sum(1).float() / longest)
            loss = main + 0.1 * aux
            loss.backward()
            return loss
        loss = opt.step(closure)
    if epoch % 10 == 9:
        print('epoch %d loss %.4f' % (epoch + 1, loss.item()))

@torch.no_grad()
def spell(n):
    z = net.encode(tensors([n])[0])
    h, tok, s = z, torch.tensor([[BEGIN]]), ''
    while len(s) < 20:
        logits, h = net.decode(tok, h, z)
        tok = logits.argmax(2)
        if tok.item() == END: break
        s += CH[tok.item()]
    return s

print([(n, spell(n)) for n in test[:4]])
print('held-out score: %.3f' % (sum(spell(n) == roman(n) for n in test) / len(test)))
