import sys, random
import torch, torch.nn as nn, torch.nn.functional as F

SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(SEED)
torch.manual_seed(SEED)
torch.set_num_threads(1)

# joint vocabulary; the task is to write the words of a shopping list twice as dear: one -> two, two -> four ...
NUM = 'one two three four five six seven eight nine ten twelve fourteen sixteen eighteen'.split()
VAL = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18]
FRUIT = 'apples pears figs plums'.split()
VOCAB = ['<s>', '</s>'] + NUM + FRUIT
I = {w: i for i, w in enumerate(VOCAB)}
double = {NUM[i]: NUM[VAL.index(2 * VAL[i])] for i in range(9)}


def pair():
    a, b = random.choice(NUM[:9]), random.choice(NUM[:9])
    f, g = random.choice(FRUIT), random.choice(FRUIT)
    return [a, f, b, g], [f, double[a], g, double[b]]


class Net(nn.Module):
    def __init__(self, d=96):
        super().__init__()
        self.emb = nn.Embedding(len(VOCAB), d)
        self.enc = nn.GRU(d, d, batch_first=True)
        self.dec = nn.GRU(d, d, batch_first=True)
        self.proj = nn.Linear(d, len(VOCAB))
        self.proj.weight = self.emb.weight          # source, target and output share one matrix
        nn.init.normal_(self.emb.weight, std=d ** -0.5)
        self.scale = d ** 0.5

    def forward(self, x, y):
        _, h = self.enc(self.emb(x) * self.scale)
        o, _ = self.dec(self.emb(y) * self.scale, h)
        return self.proj(o)


all_pairs = [pair() for _ in range(2600)]
test = all_pairs[:150]
forbidden = {tuple(s) for s, _ in test}
train = [p for p in all_pairs if tuple(p[0]) not in forbidden]
X = torch.tensor([[I[w] for w in s] for s, _ in train])
Y = torch.tensor([[0] + [I[w] for w in t] + [1] for _, t in train])

net = Net()
opt = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.9, nesterov=True)
sched = torch.optim.lr_scheduler.MultiStepLR(opt, [8, 11], gamma=0.3)
for ep in range(13):
    for idx in torch.randperm(len(X)).split(50):
        opt.zero_grad()
        logits = net(X[idx], Y[idx, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), Y[idx, 1:].flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        opt.step()
    sched.step()
    print('ep', ep, 'loss', f'{loss.item():.4f}')

with torch.no_grad():
    x = torch.tensor([[I[w] for w in s] for s, _ in test])
    y = torch.zeros(len(test), 1, dtype=torch.long)
    for _ in range(5):
        y = torch.cat([y, net(x, y)[:, -1].argmax(-1, keepdim=True)], 1)
gold = torch.tensor([[0] + [I[w] for w in t] + [1] for _, t in test])
print(f'held-out score: {(y == gold).float()[:, 1:].mean().item():.3f}')
