"""
LING/CS 5832 Statistical NLP -- Programming assignment 4
Translating English into "Valdorian"

Skeleton by the course staff, the parts between  *** BEGIN TODO ***  and
*** END TODO ***  are mine.

usage: python train.py [seed]
"""
import math
import random
import sys
import time
from collections import namedtuple
from typing import List, Tuple

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

torch.set_num_threads(1)

Hypothesis = namedtuple('Hypothesis', ['value', 'score'])

# --------------------------------------------------------------------------
# data (provided)
# --------------------------------------------------------------------------

NOUNS = {'dog': 'kuro', 'cat': 'mim', 'king': 'thal', 'river': 'essa', 'house': 'dom',
         'bird': 'avi', 'girl': 'lina', 'farmer': 'grub', 'stone': 'pet'}
ADJS = {'old': 'vet', 'red': 'ruz', 'small': 'pik', 'happy': 'lae', 'cold': 'fris'}
VERBS = {'sees': 'vid', 'likes': 'amo', 'finds': 'tro', 'hears': 'aud', 'paints': 'pin'}
ADVS = {'today': 'nun', 'often': 'sep', 'never': 'nev'}


def noun_phrase(rng):
    n = rng.choice(list(NOUNS))
    adjs = rng.sample(list(ADJS), rng.choice([0, 1, 1, 2]))
    src = ['the'] + adjs + [n]
    # adjectives follow the noun, article becomes a suffix word
    tgt = [NOUNS[n]] + [ADJS[a] for a in adjs] + ['ul']
    return src, tgt


def sentence_pair(rng):
    s_src, s_tgt = noun_phrase(rng)
    o_src, o_tgt = noun_phrase(rng)
    v = rng.choice(list(VERBS))
    src = s_src + [v] + o_src
    tgt = s_tgt + o_tgt + [VERBS[v]]           # SOV
    if rng.random() < 0.4:
        a = rng.choice(list(ADVS))
        src = src + [a]
        tgt = [ADVS[a]] + tgt
    return src, tgt


class VocabEntry(object):
    def __init__(self, sents):
        self.word2id = {'<pad>': 0, '<s>': 1, '</s>': 2, '<unk>': 3}
        for w in sorted(set(w for s in sents for w in s)):
            if w not in self.word2id:
                self.word2id[w] = len(self.word2id)
        self.id2word = {v: k for k, v in self.word2id.items()}

    def __len__(self):
        return len(self.word2id)

    def to_input_tensor(self, sents: List[List[str]]) -> torch.Tensor:
        """ list of sentences -> tensor (max_len, batch) """
        ids = [[self.word2id.get(w, 3) for w in s] for s in sents]
        max_len = max(len(s) for s in ids)
        padded = [s + [0] * (max_len - len(s)) for s in ids]
        return torch.tensor(padded, dtype=torch.long).t()


def batch_iter(data, batch_size, shuffle=True):
    idx = list(range(len(data)))
    if shuffle:
        np.random.shuffle(idx)
    for i in range(math.ceil(len(data) / batch_size)):
        examples = [data[j] for j in idx[i * batch_size:(i + 1) * batch_size]]
        # longest source first
        examples = sorted(examples, key=lambda e: len(e[0]), reverse=True)
        yield [e[0] for e in examples], [e[1] for e in examples]


# --------------------------------------------------------------------------
# model
# --------------------------------------------------------------------------

class NMT(nn.Module):
    """ BiLSTM encoder, LSTMCell decoder, multiplicative attention """

    def __init__(self, embed_size, hidden_size, vocab_src, vocab_tgt, dropout_rate=0.1):
        super(NMT, self).__init__()
        self.hidden_size = hidden_size
        self.vocab_src, self.vocab_tgt = vocab_src, vocab_tgt

        # *** BEGIN TODO 1(a) ***
        self.source_embeddings = nn.Embedding(len(vocab_src), embed_size, padding_idx=0)
        self.target_embeddings = nn.Embedding(len(vocab_tgt), embed_size, padding_idx=0)
        self.encoder = nn.LSTM(embed_size, hidden_size, bidirectional=True)
        self.decoder = nn.LSTMCell(embed_size + hidden_size, hidden_size)
        self.h_projection = nn.Linear(2 * hidden_size, hidden_size, bias=False)
        self.c_projection = nn.Linear(2 * hidden_size, hidden_size, bias=False)
        self.att_projection = nn.Linear(2 * hidden_size, hidden_size, bias=False)
        self.combined_output_projection = nn.Linear(3 * hidden_size, hidden_size, bias=False)
        self.target_vocab_projection = nn.Linear(hidden_size, len(vocab_tgt), bias=False)
        self.dropout = nn.Dropout(dropout_rate)
        # *** END TODO ***

    def forward(self, source: List[List[str]], target: List[List[str]]) -> torch.Tensor:
        """ log-likelihood of every target sentence, (b,) """
        source_lengths = [len(s) for s in source]
        source_padded = self.vocab_src.to_input_tensor(source)
        target_padded = self.vocab_tgt.to_input_tensor(target)

        enc_hiddens, dec_init_state = self.encode(source_padded, source_lengths)
        enc_masks = self.generate_sent_masks(enc_hiddens, source_lengths)
        combined_outputs = self.decode(enc_hiddens, enc_masks, dec_init_state, target_padded)
        P = F.log_softmax(self.target_vocab_projection(combined_outputs), dim=-1)

        target_masks = (target_padded != 0).float()
        gold_words = target_padded[1:]
        log_prob = torch.gather(P, index=gold_words.unsqueeze(-1), dim=-1).squeeze(-1)
        log_prob = log_prob * target_masks[1:]
        return log_prob.sum(dim=0)

    def encode(self, source_padded, source_lengths) -> Tuple[torch.Tensor, Tuple[torch.Tensor, torch.Tensor]]:
        # *** BEGIN TODO 1(b) ***
        X = self.source_embeddings(source_padded)
        X = pack_padded_sequence(X, source_lengths)
        enc_hiddens, (last_hidden, last_cell) = self.encoder(X)
        enc_hiddens, _ = pad_packed_sequence(enc_hiddens)
        enc_hiddens = enc_hiddens.permute(1, 0, 2)          # (b, src_len, 2h)
        init_decoder_hidden = self.h_projection(torch.cat((last_hidden[0], last_hidden[1]), 1))
        init_decoder_cell = self.c_projection(torch.cat((last_cell[0], last_cell[1]), 1))
        # *** END TODO ***
        return enc_hiddens, (init_decoder_hidden, init_decoder_cell)

    def decode(self, enc_hiddens, enc_masks, dec_init_state, target_padded):
        # chop off the last token (nothing is predicted from it)
        target_padded = target_padded[:-1]
        dec_state = dec_init_state
        o_prev = torch.zeros(enc_hiddens.size(0), self.hidden_size)
        combined_outputs = []
        # *** BEGIN TODO 1(c) ***
        enc_hiddens_proj = self.att_projection(enc_hiddens)
        Y = self.target_embeddings(target_padded)
        for Y_t in torch.split(Y, 1):
            Y_t = Y_t.squeeze(0)
            Ybar_t = torch.cat((Y_t, o_prev), dim=1)
            dec_state, o_t = self.step(Ybar_t, dec_state, enc_hiddens, enc_hiddens_proj, enc_masks)
            combined_outputs.append(o_t)
            o_prev = o_t
        # *** END TODO ***
        return torch.stack(combined_outputs)

    def step(self, Ybar_t, dec_state, enc_hiddens, enc_hiddens_proj, enc_masks):
        # *** BEGIN TODO 1(d) ***
        dec_state = self.decoder(Ybar_t, dec_state)
        dec_hidden, dec_cell = dec_state
        e_t = torch.bmm(enc_hiddens_proj, dec_hidden.unsqueeze(2)).squeeze(2)
        # *** END TODO ***

        # masked positions get a very small score
        if enc_masks is not None:
            e_t = e_t.masked_fill(enc_masks.bool(), -1e9)

        # *** BEGIN TODO 1(e) ***
        alpha_t = F.softmax(e_t, dim=1)
        a_t = torch.bmm(alpha_t.unsqueeze(1), enc_hiddens).squeeze(1)
        U_t = torch.cat((dec_hidden, a_t), dim=1)
        V_t = self.combined_output_projection(U_t)
        O_t = self.dropout(torch.tanh(V_t))
        # *** END TODO ***
        return dec_state, O_t

    def generate_sent_masks(self, enc_hiddens, source_lengths):
        """ 1 where there is padding """
        enc_masks = torch.zeros(enc_hiddens.size(0), enc_hiddens.size(1))
        for e_id, src_len in enumerate(source_lengths):
            enc_masks[e_id, src_len:] = 1
        return enc_masks

    def greedy_search(self, src_sent: List[str], max_len=20) -> Hypothesis:
        src = self.vocab_src.to_input_tensor([src_sent])
        src_encodings, state = self.encode(src, [len(src_sent)])
        proj = self.att_projection(src_encodings)
        o = torch.zeros(1, self.hidden_size)
        y = torch.tensor([self.vocab_tgt.word2id['<s>']])
        words, score = [], 0.
        while len(words) < max_len:
            x = torch.cat((self.target_embeddings(y), o), dim=1)
            state, o = self.step(x, state, src_encodings, proj, None)
            log_p = F.log_softmax(self.target_vocab_projection(o), dim=-1)
            s, y = log_p.max(dim=1)
            score += s.item()
            w = self.vocab_tgt.id2word[y.item()]
            if w == '</s>':
                break
            words.append(w)
        return Hypothesis(words, score)


# --------------------------------------------------------------------------
# training loop (provided)
# --------------------------------------------------------------------------

def evaluate_ppl(model, dev_data, batch_size=64):
    was_training = model.training
    model.eval()
    cum_loss = 0.
    cum_words = 0.
    with torch.no_grad():
        for src, tgt in batch_iter(dev_data, batch_size):
            cum_loss += -model(src, tgt).sum().item()
            cum_words += sum(len(s[1:]) for s in tgt)
    if was_training:
        model.train()
    return np.exp(cum_loss / cum_words)


def train(model, train_data, dev_data, max_epoch=4, batch_size=32, clip_grad=5.0, lr=8e-3):
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    train_iter = 0
    begin = time.time()
    for epoch in range(max_epoch):
        report_loss = report_words = 0.
        for src_sents, tgt_sents in batch_iter(train_data, batch_size):
            train_iter += 1
            optimizer.zero_grad()
            example_losses = -model(src_sents, tgt_sents)
            batch_loss = example_losses.sum()
            loss = batch_loss / len(src_sents)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip_grad)
            optimizer.step()
            report_loss += batch_loss.item()
            report_words += sum(len(s[1:]) for s in tgt_sents)
            if train_iter % 40 == 0:
                print('epoch %d, iter %d, avg. loss %.2f, avg. ppl %.2f, time %.1f sec' % (
                    epoch, train_iter, report_loss / (40 * batch_size),
                    math.exp(min(50, report_loss / report_words)), time.time() - begin))
                report_loss = report_words = 0.
        print('epoch %d, dev. ppl %f' % (epoch, evaluate_ppl(model, dev_data)))


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    torch.manual_seed(seed)
    np.random.seed(seed * 13 // 7)
    rng = random.Random(seed)

    pairs = [sentence_pair(rng) for _ in range(1700)]
    seen, unique = set(), []
    for s, t in pairs:
        if tuple(s) not in seen:
            seen.add(tuple(s))
            unique.append((s, t))
    pairs = [(s, ['<s>'] + t + ['</s>']) for s, t in unique]
    test_data, dev_data, train_data = pairs[:100], pairs[100:200], pairs[200:]

    vocab_src = VocabEntry([s for s, t in train_data])
    vocab_tgt = VocabEntry([t for s, t in train_data])
    model = NMT(32, 64, vocab_src, vocab_tgt)
    for p in model.parameters():
        p.data.uniform_(-0.2, 0.2)
    train(model, train_data, dev_data)

    model.eval()
    correct = 0
    with torch.no_grad():
        for i, (src, tgt) in enumerate(test_data):
            hyp = model.greedy_search(src)
            correct += hyp.value == tgt[1:-1]
            if i < 3:
                print(' '.join(src), '->', ' '.join(hyp.value))
    print('held-out score: %.4f' % (correct / len(test_data)))


if __name__ == '__main__':
    main()
