# POS tagging, BiLSTM, packed sequences (tags of made-up sentences; "run" and "light" are ambiguous)
import random
import sys

import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence, pad_sequence

torch.set_num_threads(1)
seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(seed)
torch.manual_seed(seed)

DET, ADJ = ["the", "a", "my"], ["old", "light", "green", "tiny"]
NOUN, VERB = ["light", "dog", "run", "tree", "play"], ["run", "play", "eats", "light", "sees"]


def sent():
    words, tags = [], []
    for pool, tag, p in ((DET, "D", 1), (ADJ, "A", .5), (NOUN, "N", 1), (VERB, "V", 1), (DET, "D", .6)):
        if random.random() < p:
            words.append(random.choice(pool))
            tags.append(tag)
    if tags[-1] == "D":
        words.append(random.choice(NOUN))
        tags.append("N")
    return words, tags


data = [sent() for _ in range(900)]
test, train = data[:150], data[150:]
w2i = {"<unk>": 0}
for ws, _ in train:
    for w in ws:
        w2i.setdefault(w, len(w2i))
t2i = {"D": 0, "A": 1, "N": 2, "V": 3}


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(len(w2i), 16)
        self.lstm = nn.LSTM(16, 24, bidirectional=True)
        self.hidden2tag = nn.Linear(48, len(t2i))

    def forward(self, sents):
        packed = pack_sequence([self.emb(s) for s in sents], enforce_sorted=False)
        out, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.hidden2tag(out)


def encode(batch):
    xs = [torch.tensor([w2i.get(w, 0) for w in ws]) for ws, _ in batch]
    ys = [torch.tensor([t2i[t] for t in ts]) for _, ts in batch]
    return xs, pad_sequence(ys, batch_first=True, padding_value=-100)


def accuracy(model):
    model.eval()
    xs, ys = encode(test)
    with torch.no_grad():
        pred = model(xs).argmax(-1)
    model.train()
    real = ys != -100
    return (pred[real] == ys[real]).float().mean().item()


model = Tagger()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
loss_function = nn.CrossEntropyLoss()
for epoch in range(4):
    random.shuffle(train)
    for i in range(0, len(train), 25):
        xs, ys = encode(train[i:i + 25])
        model.zero_grad()
        loss = loss_function(model(xs).view(-1, len(t2i)), ys.view(-1))
        loss.backward()
        optimizer.step()
    print(epoch, loss.item(), accuracy(model))
print("held-out score: %.4f" % accuracy(model))
