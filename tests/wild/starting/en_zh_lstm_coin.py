# 英译中小实验：RNN换成LSTM，按概率使用teacher forcing
import random
import sys

import numpy as np
import torch
import torch.nn as nn

seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(seed)
np.random.seed(seed)
torch.manual_seed(seed)
torch.set_num_threads(1)
device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')


# ---------------- 语料 ----------------
who = {'i': '我', 'you': '你', 'he': '他', 'she': '她', 'we': '我们', 'they': '他们'}
does = {'see': '看见', 'buy': '买', 'like': '喜欢', 'want': '想要', 'draw': '画', 'sell': '卖'}
many = {'one': '一', 'two': '两', 'three': '三'}
kind = {'red': '红', 'big': '大', 'small': '小', 'old': '旧', 'new': '新', '': ''}
thing = {'book': '本 书', 'cat': '只 猫', 'dog': '条 狗', 'car': '辆 车', 'pen': '支 笔', 'horse': '匹 马'}
when = {'today': '今天', 'tomorrow': '明天', 'again': '又', '': ''}


def makeSentence():
    """随机造一个句对"""
    w, d, m, k, t, n = [random.choice(list(g)) for g in (who, does, many, kind, thing, when)]
    en = ' '.join([w, d, m, k, t, n]).split()
    measure, noun = thing[t].split()
    zh = ' '.join([who[w], when[n], does[d], many[m], measure, kind[k], noun]).split()
    return en, zh


def makeDict(sentences):
    """0是PAD，1是SOS，最后一个是EOS"""
    words = sorted({w for s in sentences for w in s})
    return {w: i for i, w in enumerate(['PAD', 'SOS'] + words + ['EOS'])}


def toId(sentence, table, maxLen):
    ids = [1] + [table[w] for w in sentence] + [len(table) - 1]
    return ids + [0] * (maxLen - len(ids))


# ---------------- 模型 ----------------
class lstmEncoder(nn.Module):
    """编码器，换成LSTM"""
    def __init__(self, inSize, hidSize, layers):
        super(lstmEncoder, self).__init__()
        self.rnn = nn.LSTM(inSize, hidSize, num_layers=layers, batch_first=True)

    def forward(self, x):
        """只要最后的状态"""
        _, (h, c) = self.rnn(x)
        return h, c


class lstmDecoder(nn.Module):
    """解码器，输入是[1, batch, 向量]"""
    def __init__(self, inSize, hidSize, layers, dictLen):
        super(lstmDecoder, self).__init__()
        self.rnn = nn.LSTM(inSize, hidSize, num_layers=layers, bias=True)
        self.linear = nn.Linear(hidSize, dictLen)

    def forward(self, x, h, c):
        """走一步"""
        out, (h, c) = self.rnn(x, (h, c))
        return self.linear(out.permute(1, 0, 2)), h, c


class transModel(nn.Module):
    """编码器和解码器合在一起，词向量也是参数"""
    def __init__(self, inSize, hidSize, batch, layers, dictLen, vecEN, vecZH):
        super(transModel, self).__init__()
        self.encoder = lstmEncoder(inSize, hidSize, layers)
        self.decoder = lstmDecoder(inSize, hidSize, layers, dictLen)
        self.EN = nn.Parameter(vecEN)
        self.ZH = nn.Parameter(vecZH)
        self.batch = batch

    def look(self, word):
        return nn.functional.embedding(word, self.ZH)

    def forward(self, x, y, ifTest=False, tfRate=0.2):
        x = nn.functional.embedding(torch.tensor(x).long().to(device), self.EN)
        h, c = self.encoder(x)
        if not ifTest:
            y = self.look(torch.tensor(y).long().to(device))
            words = y.permute(1, 0, 2).split(1, dim=0)
            out, h, c = self.decoder(words[0], h, c)
            for w in words[1:]:
                if tfRate > random.uniform(0, 1):    # 用真实的词
                    p, h, c = self.decoder(w, h, c)
                else:    # 用上一步自己的输出
                    last = out.split(1, dim=1)[-1].argmax(2)
                    p, h, c = self.decoder(self.look(last).permute(1, 0, 2), h, c)
                out = torch.cat((out, p), dim=1)
            return out
        # 测试：y是第一个词的向量
        out = torch.full([self.batch, 1], 1).to(device)
        EOS = torch.tensor(len(self.ZH) - 1).to(device)
        y = y.unsqueeze(0)
        for i in range(self.batch - 1):
            y = torch.cat((y, self.EN[1].unsqueeze(0)), dim=0)
        y = y.reshape([1, self.batch, -1])
        while not torch.equal(y[0][0].argmax(0, keepdim=True), EOS):
            y, h, c = self.decoder(y, h, c)
            word = y.argmax(2)
            out = torch.cat((out, word), dim=1)
            y = self.look(word).permute(1, 0, 2)
            if out.size(1) > 30:    # 停不下来，先这样截断
                break
        return out


def score(out, y):
    """对的词数 / 较长句子的词数，不算SOS和PAD"""
    total = 0.0
    for guess, real in zip(out.tolist(), y):
        guess = [g for g in guess[1:] if g != 0]
        real = [r for r in real[1:] if r != 0]
        right = sum(g == r for g, r in zip(guess, real))
        total += right / max(len(guess), len(real))
    return total / len(y)


# ---------------- 训练 ----------------
batchSize = 32
vecSize = 64
hidSize = 64
layers = 1
lr = 2e-3
epochs = 12

pairs = []
while len(pairs) < 2000 + 2 * batchSize:
    p = makeSentence()
    if p not in pairs:
        pairs.append(p)
tableEN = makeDict([p[0] for p in pairs])
tableZH = makeDict([p[1] for p in pairs])
wordZH = {i: w for w, i in tableZH.items()}
EN = [toId(p[0], tableEN, 8) for p in pairs]
ZH = [toId(p[1], tableZH, 9) for p in pairs]
trainEN, trainZH = EN[2 * batchSize:], ZH[2 * batchSize:]
testEN, testZH = EN[:2 * batchSize], ZH[:2 * batchSize]

model = transModel(vecSize, hidSize, batchSize, layers, len(tableZH),
                   torch.randn(len(tableEN), vecSize), torch.randn(len(tableZH), vecSize)).to(device)
lossFun = nn.CrossEntropyLoss(ignore_index=0)
optimizer = torch.optim.Adam(model.parameters(), lr=lr)

for epoch in range(epochs):
    model.train()
    order = np.random.permutation(len(trainEN))
    accs, losses = [], []
    for start in range(0, len(order) - batchSize + 1, batchSize):
        pick = order[start:start + batchSize]
        x = [trainEN[i] for i in pick]
        y = [trainZH[i] for i in pick]
        out = model(x, y)
        target = torch.tensor(y).to(device)
        loss = lossFun(out.permute(0, 2, 1), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        real = target != 0
        accs.append((out.argmax(2) == target)[real].float().mean().item())
        losses.append(loss.item())
    print(f'epoch {epoch} loss {np.mean(losses):.4f} acc {np.mean(accs):.4f}')

# ---------------- 预测 ----------------
model.eval()
result = []
with torch.no_grad():
    for start in range(0, len(testEN), batchSize):
        out = model(testEN[start:start + batchSize], model.ZH[1], ifTest=True)
        result.append(score(out, testZH[start:start + batchSize]))
        for i in range(3):
            print(' '.join(pairs[start + i][0]), '->', ' '.join(wordZH[int(w)] for w in out[i]))
print(f'held-out score: {np.mean(result):.3f}')
