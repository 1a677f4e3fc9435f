# -*- coding: utf-8 -*-
# 反义词翻译: 把句子里的形容词换成反义词, 其余单词照抄
import sys
import random
import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim

随机种子 = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(随机种子)
np.random.seed(随机种子)
torch.manual_seed(随机种子)
torch.set_num_threads(1)

opposite = {'hot': 'cold', 'big': 'small', 'new': 'old', 'fast': 'slow', 'rich': 'poor', 'wet': 'dry'}
opposite.update({v: k for k, v in list(opposite.items())})
nouns = ['dog', 'car', 'house', 'king', 'soup']
# 词表, S: 开始, E: 结束, P: 填充
vocab = ['P', 'S', 'E', 'the', 'is', 'and'] + nouns + list(opposite)
word2idx = {w: i for i, w in enumerate(vocab)}
idx2word = {i: w for i, w in enumerate(vocab)}
n_class = len(vocab)
n_hidden = 96
n_step = 8


def make_sentence():
    a, b = random.sample(list(opposite), 2)
    n = random.choice(nouns)
    if random.random() < 0.5:
        return ['the', a, n, 'is', b], ['the', opposite[a], n, 'is', opposite[b]]
    return ['the', n, 'is', a, 'and', b], ['the', n, 'is', opposite[a], 'and', opposite[b]]


seq_data = []
while len(seq_data) < 900:
    p = make_sentence()
    if p not in seq_data:
        seq_data.append(p)
test_data, train_data = seq_data[:150], seq_data[150:]


def make_batch(data):
    input_batch, output_batch, target_batch = [], [], []
    for a, b in data:
        input_batch.append([word2idx[w] for w in a + ['P'] * (n_step - len(a))])
        output_batch.append([word2idx[w] for w in ['S'] + b + ['P'] * (n_step - 1 - len(b))])
        target_batch.append([word2idx[w] for w in b + ['E'] + ['P'] * (n_step - 1 - len(b))])
    return torch.LongTensor(input_batch), torch.LongTensor(output_batch), torch.LongTensor(target_batch)


class Seq2Seq(nn.Module):
    def __init__(self):
        super(Seq2Seq, self).__init__()
        self.eye = torch.eye(n_class)     # one-hot, 不用 embedding
        self.enc_cell = nn.GRU(input_size=n_class, hidden_size=n_hidden)
        self.dec_cell = nn.GRU(input_size=n_class, hidden_size=n_hidden)
        self.attn = nn.Linear(n_hidden, n_hidden)
        self.out = nn.Linear(n_hidden * 2, n_class)

    def forward(self, enc_input, dec_input, hidden=None):
        enc = self.eye[enc_input].transpose(0, 1)     # [n_step, batch, n_class]
        dec = self.eye[dec_input].transpose(0, 1)
        enc_outputs, enc_hidden = self.enc_cell(enc)
        outputs, _ = self.dec_cell(dec, enc_hidden)
        score = torch.bmm(outputs.transpose(0, 1), self.attn(enc_outputs).permute(1, 2, 0)) / n_hidden ** 0.5
        weight = torch.softmax(score, -1)             # [batch, n_step, n_step]
        context = torch.bmm(weight, enc_outputs.transpose(0, 1))
        return self.out(torch.cat([outputs.transpose(0, 1), context], -1))


model = Seq2Seq()
criterion = nn.CrossEntropyLoss(ignore_index=0)   # 忽略填充
optimizer = optim.Adam(model.parameters(), lr=0.004)

x, y_in, y_out = make_batch(train_data)
for epoch in range(26):
    model.train()
    perm = np.random.permutation(len(x))
    for i in range(0, len(x), 25):
        k = perm[i:i + 25]
        optimizer.zero_grad()
        output = model(x[k], y_in[k])
        loss = criterion(output.reshape(-1, n_class), y_out[k].reshape(-1))
        loss.backward()
        optimizer.step()
    print('Epoch:', '%04d' % (epoch + 1), 'cost =', '{:.6f}'.format(loss.item()))


def translate(sentences):
    # 贪心解码: 每次把已生成的词全部送回去
    model.eval()
    enc = make_batch([(a, []) for a in sentences])[0]
    dec = torch.full((len(sentences), 1), word2idx['S'])
    with torch.no_grad():
        for _ in range(n_step):
            nxt = model(enc, dec)[:, -1].argmax(-1, keepdim=True)
            dec = torch.cat([dec, nxt], 1)
    result = []
    for row in dec[:, 1:].tolist():
        ws = [idx2word[i] for i in row]
        result.append(ws[:ws.index('E')] if 'E' in ws else ws)
    return result


pred = translate([a for a, _ in test_data])
print(' '.join(test_data[0][0]), '->', ' '.join(pred[0]))
print('held-out score: %.3f' % np.mean([p == b for p, (_, b) in zip(pred, test_data)]))
