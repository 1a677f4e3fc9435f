import random
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim

seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(seed)
np.random.seed(seed)
torch.manual_seed(seed)
torch.set_num_threads(1)


# 编码器：输出就是中间状态向量
class Encoder(nn.Module):
    def __init__(self, in_dim, emb_dim, hid_dim, n_layers, dropout):
        super(Encoder, self).__init__()
        self.hid_dim = hid_dim
        self.n_layers = n_layers
        self.emb = nn.Embedding(in_dim, emb_dim)
        self.lstm = nn.LSTM(emb_dim, hid_dim, n_layers)
        self.drop = nn.Dropout(dropout)

    def forward(self, src):
        # src = [src_len, batch]
        vectors = self.drop(self.emb(src))
        # h, c = [n_layers, batch, hid_dim]
        _, (h, c) = self.lstm(vectors)
        return h, c


# 解码器：一次只走一步
class Decoder(nn.Module):
    def __init__(self, out_dim, emb_dim, hid_dim, n_layers, dropout):
        super(Decoder, self).__init__()
        self.out_dim = out_dim
        self.hid_dim = hid_dim
        self.n_layers = n_layers
        self.emb = nn.Embedding(out_dim, emb_dim)
        self.lstm = nn.LSTM(emb_dim, hid_dim, n_layers)
        self.fc = nn.Linear(hid_dim, out_dim)
        self.drop = nn.Dropout(dropout)

    def forward(self, token, h, c):
        # token = [batch] -> [1, batch]
        token = token.unsqueeze(0)
        vectors = self.drop(self.emb(token))
        out, (h, c) = self.lstm(vectors, (h, c))
        # [batch, out_dim]
        return self.fc(out.squeeze(0)), h, c


class Seq2Seq(nn.Module):
    def __init__(self, encoder, decoder, device):
        super(Seq2Seq, self).__init__()
        assert encoder.hid_dim == decoder.hid_dim, "hidden sizes differ"
        assert encoder.n_layers == decoder.n_layers, "numbers of layers differ"
        self.encoder = encoder
        self.decoder = decoder
        self.device = device

    # src = [src_len, batch], trg = [trg_len, batch]
    def forward(self, src, trg, teacher_ratio=0.5):
        trg_len, n = trg.shape
        outputs = torch.zeros(trg_len, n, self.decoder.out_dim).to(self.device)
        h, c = self.encoder(src)
        # 第一个输入是S
        token = trg[0, :]
        for t in range(1, trg_len):
            output, h, c = self.decoder(token, h, c)
            outputs[t] = output
            # 抛硬币决定下一步的输入
            teacher = random.Random() < teacher_ratio
            token = trg[t] if teacher else output.argmax(1)
        return outputs


# S 开始   E 结束   P 补齐
n_step = 5
letters = [ch for ch in 'SEPabcdefghijklmnopqrstuvwxyz']
index_of = {ch: i for i, ch in enumerate(letters)}
n_class = len(letters)
hid_dim = 128
emb_dim = 25
drop_rate = 0.5
batch_size = 32
lr = 0.002
epochs = 600


def make_pair():
    """反义词：tie <-> untie"""
    word = random.choice('bdglmprst') + random.choice('aeiou') + random.choice('bdglmnprst')
    return [word, 'un' + word] if random.random() < 0.5 else ['un' + word, word]


def ids(word):
    return [index_of[ch] for ch in word]


def fill(word):
    return word + 'P' * (n_step - len(word))


def make_batch(pairs):
    inputs, outputs, targets = [], [], []
    for word, other in pairs:
        inputs.append(ids(fill(word)))
        outputs.append(ids('S' + fill(other)))
        targets.append(ids(fill(other) + 'E'))
    return torch.LongTensor(inputs), torch.LongTensor(outputs), torch.LongTensor(targets)


# 测试时没有答案，只有S和一串P
def make_test_batch(word):
    return torch.LongTensor([ids(fill(word))]), torch.LongTensor([ids('S' + 'P' * n_step)])


pairs = []
while len(pairs) < 600:
    p = make_pair()
    if p not in pairs:
        pairs.append(p)
held_out, train_pairs = pairs[:100], pairs[100:]

device = 'cuda' if torch.cuda.is_available() else 'cpu'
encoder = Encoder(n_class, emb_dim, hid_dim, 1, drop_rate)
decoder = Decoder(hid_dim, emb_dim, hid_dim, 1, drop_rate)
model = Seq2Seq(encoder, decoder, device).to(device)
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=lr)

for epoch in range(epochs):
    input_batch, output_batch, target_batch = make_batch(random.sample(train_pairs, batch_size))

    optimizer.zero_grad()
    output = model(input_batch.t().to(device), output_batch.t().to(device))
    # [trg_len, batch, n_class] -> [batch, trg_len, n_class]
    output = output.transpose(0, 1)
    loss = 0
    for i in range(len(target_batch)):
        loss += criterion(output[i], target_batch[i].to(device))
    if (epoch + 1) % 200 == 0:
        print('Epoch:', '%04d' % (epoch + 1), 'cost =', '{:.6f}'.format(loss.item() / batch_size))
    loss.backward()
    optimizer.step()


def translate(word):
    input_batch, output_batch = make_test_batch(word)
    output = model(input_batch.t().to(device), output_batch.t().to(device))
    found = output.detach().argmax(2).squeeze(1).tolist()
    found = [letters[i] if i < n_class else '?' for i in found] + ['E']
    return ''.join(found[:found.index('E')]).replace('P', '')


print('test')
for word, other in held_out[:8]:
    print(word, '->', translate(word))
right = sum(translate(word) == other for word, other in held_out)
print('held-out score: {:.3f}'.format(right / len(held_out)))
