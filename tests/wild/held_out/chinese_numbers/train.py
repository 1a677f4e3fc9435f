# -*- coding: utf-8 -*-
# 阿拉伯数字 -> 中文数字  例: 3052 -> 三千零五十二
# 课程大作业, 模型: GRU + Luong 注意力
import random
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.data import Dataset, DataLoader

torch.set_num_threads(1)


class Config:
    """ 超参数 """
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    embed_dim = 24
    hidden = 64
    batch_size = 50
    epochs = 3
    lr = 0.005
    teacher_forcing = 0.8
    max_len = 15
    device = torch.device('cpu')


cfg = Config()
torch.manual_seed(cfg.seed)
np.random.seed(cfg.seed)
random.seed(cfg.seed)

PAD, BOS, EOS = 0, 1, 2
SPECIAL = ['<pad>', '<bos>', '<eos>']
CN = '零一二三四五六七八九'


def to_chinese(n):
    """ 1 <= n <= 9999 """
    units = ['', '十', '百', '千']
    s = str(n)
    out = ''
    zero = False
    for i, ch in enumerate(s):
        d = int(ch)
        if d == 0:
            zero = True
            continue
        if zero and out:
            out += '零'
        zero = False
        out += CN[d] + units[len(s) - 1 - i]
    return out


class NumberDataset(Dataset):
    def __init__(self, numbers, src_vocab, tgt_vocab):
        self.data = []
        for n in numbers:
            src = [src_vocab[c] for c in str(n)] + [EOS]
            tgt = [BOS] + [tgt_vocab[c] for c in to_chinese(n)] + [EOS]
            self.data.append((src, tgt))

    def __len__(self):
        return len(self.data)

    def __getitem__(self, i):
        return self.data[i]


def collate_fn(batch):
    # 按长度从大到小排序
    batch.sort(key=lambda x: len(x[0]), reverse=True)
    src_len = [len(s) for s, _ in batch]
    tgt_len = [len(t) for _, t in batch]
    src = torch.full((len(batch), max(src_len)), PAD, dtype=torch.long)
    tgt = torch.full((len(batch), max(tgt_len)), PAD, dtype=torch.long)
    for i, (s, t) in enumerate(batch):
        src[i, :len(s)] = torch.LongTensor(s)
        tgt[i, :len(t)] = torch.LongTensor(t)
    return src, torch.LongTensor(src_len), tgt


class Encoder(nn.Module):
    def __init__(self, vocab_size):
        super(Encoder, self).__init__()
        self.embedding = nn.Embedding(vocab_size, cfg.embed_dim, padding_idx=PAD)
        self.rnn = nn.GRU(cfg.embed_dim, cfg.hidden, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(cfg.hidden * 2, cfg.hidden)

    def forward(self, x, lengths):
        embedded = self.embedding(x)
        packed = pack_padded_sequence(embedded, lengths, batch_first=True)
        out, hidden = self.rnn(packed)
        out, _ = pad_packed_sequence(out, batch_first=True)
        # 拼接两个方向的隐状态
        hidden = torch.tanh(self.fc(torch.cat([hidden[0], hidden[1]], dim=1)))
        return out, hidden.unsqueeze(0)


class Attention(nn.Module):
    """ general 打分 """

    def __init__(self):
        super(Attention, self).__init__()
        self.linear_in = nn.Linear(cfg.hidden * 2, cfg.hidden, bias=False)
        self.linear_out = nn.Linear(cfg.hidden * 3, cfg.hidden)

    def forward(self, output, context, mask):
        # output: [b, 1, h]  context: [b, s, 2h]  mask: [b, s] 真实位置为 True
        key = self.linear_in(context)
        attn = torch.bmm(output, key.transpose(1, 2))        # [b, 1, s]
        attn = attn.masked_fill(~mask.unsqueeze(1), -1e6)
        attn = F.softmax(attn, dim=2)
        c = torch.bmm(attn, context)
        return torch.tanh(self.linear_out(torch.cat([c, output], dim=2))), attn


class Decoder(nn.Module):
    def __init__(self, vocab_size):
        super(Decoder, self).__init__()
        self.vocab_size = vocab_size
        self.embedding = nn.Embedding(vocab_size, cfg.embed_dim, padding_idx=PAD)
        self.rnn = nn.GRU(cfg.embed_dim, cfg.hidden, batch_first=True)
        self.attention = Attention()
        self.out = nn.Linear(cfg.hidden, vocab_size)

    def forward(self, token, hidden, context, mask):
        x = self.embedding(token).unsqueeze(1)
        output, hidden = self.rnn(x, hidden)
        output, attn = self.attention(output, context, mask)
        logits = self.out(output).squeeze(1)
        return logits, hidden, attn


class Seq2Seq(nn.Module):
    def __init__(self, encoder, decoder):
        super(Seq2Seq, self).__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, src, src_len, tgt, teacher_forcing_ratio=0.5):
        batch, tgt_len = tgt.shape
        outputs = torch.zeros(batch, tgt_len, self.decoder.vocab_size)
        context, hidden = self.encoder(src, src_len)
        mask = src != PAD
        token = tgt[:, 0]
        for t in range(1, tgt_len):
            logits, hidden, _ = self.decoder(token, hidden, context, mask)
            outputs[:, t] = logits
            # 以一定概率使用真实值作为下一步输入
            use_teacher = random.random() < teacher_forcing_ratio
            token = tgt[:, t] if use_teacher else logits.argmax(1)
        return outputs

    @torch.no_grad()
    def translate(self, src, src_len):
        context, hidden = self.encoder(src, src_len)
        mask = src != PAD
        token = torch.full((src.size(0),), BOS, dtype=torch.long)
        result = []
        for _ in range(cfg.max_len):
            logits, hidden, _ = self.decoder(token, hidden, context, mask)
            token = logits.argmax(1)
            result.append(token)
        return torch.stack(result, 1)


def train_one_epoch(model, loader, optimizer, criterion):
    model.train()
    total = 0
    for src, src_len, tgt in loader:
        src, tgt = src.to(cfg.device), tgt.to(cfg.device)
        optimizer.zero_grad()
        output = model(src, src_len, tgt, cfg.teacher_forcing)
        # 去掉第一个位置
        loss = criterion(output[:, 1:].reshape(-1, output.size(-1)), tgt[:, 1:].reshape(-1))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1)
        optimizer.step()
        total += loss.item()
    return total / len(loader)


def evaluate(model, loader, id2tgt, show=False):
    model.eval()
    right, n = 0, 0
    for src, src_len, tgt in loader:
        pred = model.translate(src, src_len)
        for i in range(src.size(0)):
            p, g = [], []
            for k in pred[i].tolist():
                if k == EOS:
                    break
                p.append(id2tgt[k])
            for k in tgt[i, 1:].tolist():
                if k == EOS:
                    break
                g.append(id2tgt[k])
            right += p == g
            n += 1
        if show:
            print('  真实:', ''.join(g), ' 预测:', ''.join(p))
    return right / n


def main():
    numbers = np.random.permutation(np.arange(1, 10000))[:2100].tolist()
    src_vocab = {c: i for i, c in enumerate(SPECIAL + list('0123456789'))}
    tgt_vocab = {c: i for i, c in enumerate(SPECIAL + list(CN) + ['十', '百', '千'])}
    id2tgt = {i: c for c, i in tgt_vocab.items()}
    train_set = NumberDataset(numbers[300:], src_vocab, tgt_vocab)
    test_set = NumberDataset(numbers[:300], src_vocab, tgt_vocab)
    train_loader = DataLoader(train_set, cfg.batch_size, shuffle=True, collate_fn=collate_fn)
    test_loader = DataLoader(test_set, 100, collate_fn=collate_fn)

    model = Seq2Seq(Encoder(len(src_vocab)), Decoder(len(tgt_vocab))).to(cfg.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=cfg.lr)
    criterion = nn.CrossEntropyLoss(ignore_index=PAD)

    for epoch in range(1, cfg.epochs + 1):
        start = time.time()
        loss = train_one_epoch(model, train_loader, optimizer, criterion)
        acc = evaluate(model, test_loader, id2tgt, show=epoch == cfg.epochs)
        print('第%d轮 | 损失 %.4f | 测试准确率 %.3f | 用时 %.1fs' % (epoch, loss, acc, time.time() - start))
    print('held-out score: %.4f' % evaluate(model, test_loader, id2tgt))


if __name__ == '__main__':
    main()
