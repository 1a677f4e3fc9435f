# 关键词抽取：一座塔判断是不是关键词，另一座塔判断在短语里的位置
import random
import sys

import numpy as np
import torch
from torch import nn

seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(seed)
np.random.seed(seed)
torch.manual_seed(seed)
torch.set_num_threads(1)
device = "cuda" if torch.cuda.is_available() else "cpu"

vocab_size = 400
topic_from = 320        # 320之后的词会出现在关键短语里
max_len = 20
batch_size = 32
embed_size = 50
hidden_size = 100
epochs = 8
lr = 1e-3


def make_tweet():
    """造一条推文，0是补齐。短语标签：0 不是，1 单个词，2 开头，3 中间，4 结尾"""
    n = random.randint(10, max_len)
    words = [random.randint(1, topic_from - 1) for _ in range(n)]
    phrase = [0] * n
    if random.random() < 0.6:
        k = random.choice([1, 2, 2, 3])
        at = random.randint(0, n - k)
        phrase[at:at + k] = {1: [1], 2: [2, 4], 3: [2, 3, 4]}[k]
        for i in range(at, at + k):     # 每种位置有自己的20个词
            words[i] = topic_from + 20 * (phrase[i] - 1) + random.randint(0, 19)
    rest = [0] * (max_len - n)
    return words + rest, [int(p > 0) for p in phrase] + rest, phrase + rest


def make_loader(n):
    data = [make_tweet() for _ in range(n)]
    for i in range(0, n - batch_size + 1, batch_size):
        words, key, phrase = zip(*data[i:i + batch_size])
        yield np.array(words), (torch.tensor(key).to(device), torch.tensor(phrase).to(device))


class ReadRNN(nn.Module):
    """包一层RNN，状态自己造"""
    def __init__(self, in_size, hidden):
        super(ReadRNN, self).__init__()
        self.rnn = nn.RNN(in_size, hidden, batch_first=True)

    def forward(self, x):
        return self.rnn(x)


class Take(nn.Module):
    """从元组里取一项"""
    def __init__(self, which):
        super(Take, self).__init__()
        self.which = which

    def forward(self, items):
        return items[self.which]


class JointNet(nn.Module):
    """公共层之上两座塔"""
    def __init__(self, in_size, hidden1, hidden2, weight):
        super(JointNet, self).__init__()
        self.shared = nn.Sequential(
            ReadRNN(in_size, hidden1),
        )
        self.phrase_tower = nn.Sequential(
            Take(0),  # 公共层的输出
            ReadRNN(hidden1, hidden2),
            Take(0),
            nn.Linear(hidden2, 5),
        )
        self.key_tower = nn.Sequential(
            Take(0),
            nn.Linear(hidden1, 2),
        )
        self.drop = nn.Dropout(0.5)
        self.weight = weight    # 词向量

    def forward(self, words):
        if isinstance(words, tuple):
            words = words[0]
        x = nn.functional.embedding(torch.tensor(words, dtype=torch.long).to(device), self.weight)
        out = self.shared(x)
        return self.key_tower(out), self.phrase_tower(out)


def f1(pred, label):
    """只看非0标签"""
    right = ((pred == label) & (label > 0)).sum().item()
    found = (pred > 0).sum().item()
    real = (label > 0).sum().item()
    return 2 * right / max(found + real, 1)


model = JointNet(embed_size, hidden_size, hidden_size,
                 torch.randn(vocab_size, embed_size).to(device)).to(device)
train_data = list(make_loader(3200))
test_data = list(make_loader(640))

loss_function = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr)

model.train()
for epoch in range(epochs):
    for step, (words, (key, phrase)) in enumerate(train_data):
        out_key, out_phrase = model((words, torch.randn([1, batch_size, hidden_size])))
        key_pred = out_key.argmax(axis=2)
        phrase_pred = out_phrase.argmax(axis=2)

        loss1 = loss_function(out_key.permute(0, 2, 1), key)
        loss2 = loss_function(out_phrase.permute(0, 2, 1), phrase)
        loss = loss2 * 0.7 + loss1 * 0.3

        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(f"epoch {epoch} step {step} loss {loss.item():.4f} "
                  f"keyword {f1(key_pred, key):.3f} keyphrase {f1(phrase_pred, phrase):.3f}")

model.eval()
keys, phrases = [], []
with torch.no_grad():
    for words, (key, phrase) in test_data:
        out_key, out_phrase = model(words)
        keys.append((out_key.argmax(axis=2), key))
        phrases.append((out_phrase.argmax(axis=2), phrase))
key_score = f1(*[torch.cat(t) for t in zip(*keys)])
phrase_score = f1(*[torch.cat(t) for t in zip(*phrases)])
print("labels in use:", torch.cat([p for p, _ in phrases]).unique().tolist())
print(f"keyword f1 {key_score:.3f}  keyphrase f1 {phrase_score:.3f}")
print(f"held-out score: {phrase_score:.3f}")
