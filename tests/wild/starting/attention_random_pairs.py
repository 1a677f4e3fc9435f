# 带注意力的Seq2Seq，先用随机的小数据把网络调通
import random
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(seed)
torch.manual_seed(seed)
torch.set_num_threads(1)

MAX_LEN = 5
SOS = 0
device = "cuda" if torch.cuda.is_available() else "cpu"


class Encoder(nn.Module):
    def __init__(self, in_size, hid_size, device=None):
        super().__init__()
        self.hid_size = hid_size
        self.device = "cpu" if device is None else device
        self.emb = nn.Embedding(in_size, hid_size, device=self.device)
        self.gru = nn.GRU(hid_size, hid_size, device=self.device)

    def forward(self, token, hidden):
        # 一次读一个词
        vec = self.emb(token).view(1, 1, -1)
        out, hidden = self.gru(vec, hidden)
        return out, hidden

    def first_hidden(self):
        return torch.zeros(1, 1, self.hid_size, device=self.device)


class AttnDecoder(nn.Module):
    def __init__(self, hid_size, out_size, drop=0.1, max_len=MAX_LEN, device=None):
        super().__init__()
        self.hid_size = hid_size
        self.out_size = out_size
        self.device = "cpu" if device is None else device
        self.emb = nn.Embedding(out_size, hid_size, device=self.device)
        # 每个位置的权重
        self.attn = nn.Linear(2 * hid_size, max_len).to(self.device)
        # 词向量和上下文合并
        self.mix = nn.Linear(2 * hid_size, hid_size).to(self.device)
        self.gru = nn.GRU(hid_size, hid_size).to(self.device)
        self.drop = nn.Dropout(drop).to(self.device)
        self.to_out = nn.Linear(hid_size, out_size).to(self.device)

    def forward(self, token, hidden, memory):
        vec = self.emb(token).view(1, 1, -1)
        dropped = self.drop(vec)
        # (1, max_len)
        weights = F.softmax(self.attn(torch.cat((dropped[0], hidden[0]), dim=1)), dim=1)
        # (1, 1, hid_size)
        context = torch.bmm(weights.unsqueeze(0), memory.unsqueeze(0))
        mixed = self.mix(torch.cat((vec[0], context[0]), 1)).unsqueeze(0)
        out, hidden = self.gru(F.relu(mixed), hidden)
        out = F.log_softmax(self.to_out(out[0]), dim=1)
        return out, hidden, weights


class AttnSeq2Seq(nn.Module):
    def __init__(self, encoder, decoder, device=None):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.device = "cpu" if device is None else device

    def forward(self, source, target, forcing=0.5):
        # source: (源长度, 1)   target: (目标长度, 1)
        hidden = self.encoder.first_hidden()
        memory = torch.zeros(MAX_LEN, self.encoder.hid_size, device=self.device)
        for i in range(source.size(0)):
            out, hidden = self.encoder(source[i], hidden)
            memory[i] = out[0, 0]

        token = torch.tensor([[SOS]], device=self.device)
        all_out = torch.zeros(target.size(0), self.decoder.out_size, device=self.device)
        # 整句抛一次硬币
        force = random.random() < forcing
        for i in range(target.size(0)):
            out, hidden, weights = self.decoder(token, hidden, memory)
            all_out[i] = out
            token = out.topk(1)[1].squeeze().detach()
            if force:
                token = target[i]
        return all_out


def make_pair(in_size, out_size):
    source = torch.randint(0, in_size, (MAX_LEN, 1), device=device)
    target = torch.randint(0, out_size, (MAX_LEN, 1), device=device)
    return source, target


in_size = 10
out_size = 10
hid_size = 64
forcing = 0.5
lr = 2e-3
steps = 1000

encoder = Encoder(in_size, hid_size, device).to(device)
decoder = AttnDecoder(hid_size, out_size, device=device).to(device)
model = AttnSeq2Seq(encoder, decoder, device).to(device)
optimizer = torch.optim.Adam(model.parameters(), lr=lr)
criterion = nn.NLLLoss()

held_out = [make_pair(in_size, out_size) for _ in range(100)]

model.train()
total = 0
for step in range(1, steps + 1):
    source, target = make_pair(in_size, out_size)
    out = model(source, target, forcing)
    loss = criterion(out, target.squeeze(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    total += loss.item()
    if step % 100 == 0:
        print("step", step, "loss", round(total / 100, 4))
        total = 0

model.eval()
right = 0
with torch.no_grad():
    for source, target in held_out:
        out = model(source, target, 0)
        right += (out.argmax(1) == target.squeeze(1)).float().mean().item()
print("source:", source.squeeze(1).tolist())
print("target:", target.squeeze(1).tolist())
print("output:", out.argmax(1).tolist())
print(f"held-out score: {right / len(held_out):.3f}")
