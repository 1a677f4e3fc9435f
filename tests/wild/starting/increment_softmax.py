#!/usr/bin/env python3
# -*- coding: utf-8 -*-
# toy "translation": every number of the source plus one
# ids 0, 1, 2 are pad, bos, eos

import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
np.random.seed(seed)
torch.manual_seed(seed)
torch.set_num_threads(1)

_CELLS = {
    'rnn': nn.RNN,
    'gru': nn.GRU,
    'lstm': nn.LSTM,
}


def build_cell(in_dim, n_units, n_layers, kind, drop=0.0, two_way=False):
    return _CELLS[kind](
        in_dim, n_units, n_layers, dropout=drop, bidirectional=two_way)


class RecurrentBase(nn.Module):

    def __init__(self,
                 n_units,
                 n_layers=1,
                 kind='gru',
                 two_way=False,
                 drop=0.0,
                 table=None):
        super(RecurrentBase, self).__init__()

        self._n_units = n_units
        self._n_layers = n_layers
        self._kind = kind
        self._two_way = two_way
        self._table = table
        self._cell = build_cell(
            table.weight.size(1), n_units, n_layers, kind, drop, two_way)

    def zero_state(self, n_rows):
        ways = 2 if self._two_way else 1
        state = torch.zeros(ways * self._n_layers, n_rows, self._n_units)
        if self._kind == 'lstm':
            return (state, state.clone())
        return state

    def forward(self, ids, state, lengths):
        # longest first, for packing
        order = np.argsort(-lengths).tolist()
        back = np.argsort(order).tolist()
        ids = ids[:, order]
        state = state[:, order, :]
        lengths = lengths[order].tolist()

        vectors = self._table(ids)
        packed = nn.utils.rnn.pack_padded_sequence(vectors, lengths)

        if self._kind == 'lstm':
            out, (state, cell) = self._cell(packed, state)
            out, _ = nn.utils.rnn.pad_packed_sequence(out)
            return out[:, back, :], (state[:, back, :], cell[:, back, :])
        else:
            out, new_state = self._cell(packed, state)
            out, _ = nn.utils.rnn.pad_packed_sequence(out)
            return out[:, back, :], new_state[:, back, :]


class Encoder(RecurrentBase):
    pass


class Decoder(RecurrentBase):
    pass


class Seq2Seq(nn.Module):

    def __init__(self, enc, dec, n_words):
        super(Seq2Seq, self).__init__()
        self._enc = enc
        self._dec = dec
        self._proj = nn.Linear(dec._n_units, n_words)

    def forward(self, x, y, state, x_lens, y_lens):
        # read the source
        _, state = self._enc(x, state, x_lens)
        # write the target
        out, state = self._dec(y, state, y_lens)
        # to the vocabulary
        out = self._proj(out)

        return F.log_softmax(out)


def pad_rows(rows, pad=0):
    longest = max(len(r) for r in rows)
    rows = [np.pad(r, (0, longest - len(r)), mode='constant',
                   constant_values=pad) for r in rows]
    return torch.LongTensor(np.asarray(rows, dtype=np.int64).T)


def row_lengths(rows):
    return np.asarray([len(r) for r in rows], dtype=np.int64)


def random_rows(n, low_len, high_len, first_word, n_words):
    return [
        np.random.randint(first_word, n_words - 1,
                          np.random.randint(low_len, high_len)).tolist()
        for _ in range(n)
    ]


def batches(src, epochs, n_rows, bos=1, eos=2):
    dec_in = [[bos] + [w + 1 for w in r] for r in src]
    dec_out = [[w + 1 for w in r] + [eos] for r in src]

    for _ in range(epochs):
        start = 0
        while start < len(src):
            end = start + n_rows
            a, b, c = src[start:end], dec_in[start:end], dec_out[start:end]
            yield pad_rows(a), pad_rows(b), pad_rows(c), row_lengths(a), row_lengths(b)
            start = end


def greedy(net, x, x_lens, steps, bos=1):
    n = x.size(1)
    y = torch.full((1, n), bos, dtype=torch.long)
    for t in range(steps):
        y_lens = np.full(n, t + 1)
        scores = net(x, y, net._enc.zero_state(n), x_lens, y_lens)
        word = scores[-1].max(1)[1]
        y = torch.cat([y, word.unsqueeze(0)])
    return y[1:]


def show(x, y, guess):
    for u, v, w in zip(x.numpy().T, y.numpy().T, guess.numpy().T):
        print('--------')
        print('source ', u)
        print('target ', v)
        print('guess  ', w)


n_data = 3000
low_len = 3
high_len = 6
n_words = 20
n_shown = 3

epochs = 14
n_rows = 64
lr = 1e-2
clip = 3

emb_size = 50
n_units = 50
n_layers = 1

src_table = nn.Embedding(n_words, emb_size)
tgt_table = nn.Embedding(n_words, emb_size)

# tiny embeddings, so that the units do not saturate
tiny = 1e-3
src_table.weight.data.uniform_(-tiny, tiny)
tgt_table.weight.data.uniform_(-tiny, tiny)

enc = Encoder(n_units, n_layers, table=src_table)
dec = Decoder(n_units, n_layers, table=tgt_table)
net = Seq2Seq(enc, dec, n_words)

optimizer = torch.optim.Adam(net.parameters(), lr=lr)
criterion = nn.NLLLoss()

train_rows = random_rows(n_data, low_len, high_len, 3, n_words)
held_out_rows = random_rows(200, low_len, high_len, 3, n_words)

for i, (x, y_in, y_out, x_lens, y_lens) in enumerate(batches(train_rows, epochs, n_rows)):
    net.train()
    optimizer.zero_grad()

    scores = net(x, y_in, enc.zero_state(x.size(1)), x_lens, y_lens)
    loss = criterion(scores.view(-1, n_words), y_out.contiguous().view(-1))

    loss.backward()

    nn.utils.clip_grad_norm_(net.parameters(), clip)
    optimizer.step()

    if i % 50 == 0:
        print('step: {}, loss: {:.6f}'.format(i, loss.item()))

    if i % 500 == 0 and i > 0:
        net.eval()
        x, y_in, y_out = x[:, :n_shown], y_in[:, :n_shown], y_out[:, :n_shown]
        x_lens, y_lens = x_lens[:n_shown], y_lens[:n_shown]
        scores = net(x, y_in, enc.zero_state(x.size(1)), x_lens, y_lens)
        _, guess = torch.max(scores, 2)
        show(x, y_out, guess)

net.eval()
x, _, y_out, x_lens, _ = next(batches(held_out_rows, 1, len(held_out_rows)))
with torch.no_grad():
    guess = greedy(net, x, x_lens, y_out.size(0))
real = y_out != 0
print('held-out score: {:.3f}'.format((guess == y_out)[real].float().mean().item()))
