import sys
import numpy as np
import torch
from torch import nn

# "Pretrained" vectors are loaded and kept fixed, only the recurrent part is trained.
# singular/plural agreement: make a sentence of singular words plural, word by word

seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
rng = np.random.RandomState(seed)
torch.manual_seed(seed)
torch.set_num_threads(1)

sing = 'this that cat fox man bus city wife leaf runs is was has sees'.split()
plur = 'these those cats foxes men buses cities wives leaves run are were have see'.split()
vocab = ['PAD', 'BOS', 'EOS'] + sing + plur
ix = {w: i for i, w in enumerate(vocab)}
vectors = rng.randn(len(vocab), 50).astype('float32')      # in real life: GloVe

DET, NOUN, VERB = sing[:2], sing[2:9], sing[9:]
to_plural = dict(zip(sing, plur))


def sentence():
    s = [rng.choice(DET), rng.choice(NOUN), rng.choice(VERB), rng.choice(DET), rng.choice(NOUN)]
    return tuple(s[:3] if rng.rand() < .3 else s)


all_s = sorted({sentence() for _ in range(1000)})
rng.shuffle(all_s)
all_s = [tuple(s) for s in all_s]
test, train = all_s[:100], all_s[100:]


class Net(nn.Module):
    def __init__(self, h=100):
        super().__init__()
        self.emb = nn.Embedding.from_pretrained(torch.from_numpy(vectors), freeze=True)
        self.rnn_in = nn.LSTM(50, h, batch_first=True)
        self.rnn_out = nn.LSTM(50, h, batch_first=True)
        self.fc = nn.Linear(h, len(vocab))

    def forward(self, src, tgt):
        _, state = self.rnn_in(self.emb(src))
        o, _ = self.rnn_out(self.emb(tgt), state)
        return self.fc(o)


def tensors(ss):
    src = torch.tensor([[ix['PAD']] * (5 - len(s)) + [ix[w] for w in s] for s in ss])
    tgt = torch.tensor([[ix['BOS']] + [ix[to_plural[w]] for w in s] + [ix['EOS']] + [0] * (5 - len(s)) for s in ss])
    return src, tgt


net = Net()
opt = torch.optim.Adagrad([p for p in net.parameters() if p.requires_grad], lr=0.04)
xent = nn.CrossEntropyLoss(reduction='none')
for epoch in range(12):
    rng.shuffle(train)
    for i in range(0, len(train), 32):
        src, tgt = tensors(train[i:i + 32])
        logits = net(src, tgt[:, :-1])
        losses = xent(logits.flatten(0, 1), tgt[:, 1:].flatten())
        mask = (tgt[:, 1:].flatten() > 0).float()
        loss = (losses * mask).sum() / mask.sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
    print('epoch', epoch, 'loss %.3f' % loss.item())

src, tgt = tensors(test)
net.eval()
with torch.no_grad():
    _, state = net.rnn_in(net.emb(src))
    tok = torch.full((len(test), 1), ix['BOS'])
    hyp = []
    for _ in range(6):
        o, state = net.rnn_out(net.emb(tok), state)
        tok = net.fc(o).argmax(-1)
        hyp.append(tok)
hyp = torch.cat(hyp, 1)
gold = tgt[:, 1:]
print('held-out score: %.3f' % (((hyp == gold) | (gold == 0)).all(1).float().mean().item()))
