#!/usr/bin/env python3
"""nanofair: a minimal re-implementation of a sequence-to-sequence toolkit.

Task "reorder": the language pair is xx -> yy where yy is xx with words replaced through a dictionary,
every pair of neighbours exchanged, and the whole in front of the word that names its parity.
"""
import argparse
import logging
import math
import random
import sys
from collections import OrderedDict

import torch
import torch.nn as nn
import torch.nn.functional as F

logging.basicConfig(format='%(asctime)s | %(levelname)s | %(name)s | %(message)s', datefmt='%H:%M:%S',
                    level=logging.INFO, stream=sys.stdout)
logger = logging.getLogger('nanofair')


class Dictionary:
    def __init__(self, bos='<s>', pad='<pad>', eos='</s>', unk='<unk>'):
        self.symbols, self.indices = [], {}
        self.bos_index = self.add_symbol(bos)
        self.pad_index = self.add_symbol(pad)
        self.eos_index = self.add_symbol(eos)
        self.unk_index = self.add_symbol(unk)
        self.nspecial = len(self.symbols)

    def add_symbol(self, word):
        if word not in self.indices:
            self.indices[word] = len(self.symbols)
            self.symbols.append(word)
        return self.indices[word]

    def __len__(self):
        return len(self.symbols)

    def bos(self):
        return self.bos_index

    def pad(self):
        return self.pad_index

    def eos(self):
        return self.eos_index

    def encode_line(self, line, append_eos=True):
        ids = [self.indices.get(w, self.unk_index) for w in line.split()]
        if append_eos:
            ids.append(self.eos_index)
        return torch.LongTensor(ids)

    def string(self, ids):
        return ' '.join(self.symbols[i] for i in ids if i not in (self.bos_index, self.pad_index, self.eos_index))


def collate_tokens(values, pad_idx, eos_idx=None, left_pad=False, move_eos_to_beginning=False):
    """Convert a list of 1d tensors into a padded 2d tensor."""
    size = max(v.size(0) for v in values)
    res = values[0].new(len(values), size).fill_(pad_idx)
    for i, v in enumerate(values):
        dst = res[i][size - len(v):] if left_pad else res[i][:len(v)]
        if move_eos_to_beginning:
            dst[0] = eos_idx
            dst[1:] = v[:-1]
        else:
            dst.copy_(v)
    return res


class LanguagePairDataset:
    def __init__(self, src, tgt, src_dict, tgt_dict, left_pad_source=True, left_pad_target=False):
        self.src, self.tgt = src, tgt
        self.src_dict, self.tgt_dict = src_dict, tgt_dict
        self.left_pad_source, self.left_pad_target = left_pad_source, left_pad_target

    def __len__(self):
        return len(self.src)

    def collater(self, indices):
        src = [self.src[i] for i in indices]
        tgt = [self.tgt[i] for i in indices]
        pad, eos = self.tgt_dict.pad(), self.tgt_dict.eos()
        return {
            'id': indices,
            'ntokens': sum(len(t) for t in tgt),
            'net_input': {
                'src_tokens': collate_tokens(src, self.src_dict.pad(), left_pad=self.left_pad_source),
                'src_lengths': torch.LongTensor([len(s) for s in src]),
                'prev_output_tokens': collate_tokens(tgt, pad, eos, self.left_pad_target, move_eos_to_beginning=True),
            },
            'target': collate_tokens(tgt, pad, left_pad=self.left_pad_target),
        }

    def batches(self, batch_size, shuffle):
        order = list(range(len(self)))
        if shuffle:
            random.shuffle(order)
        for i in range(0, len(order), batch_size):
            yield self.collater(order[i:i + batch_size])


def Embedding(num_embeddings, embedding_dim, padding_idx):
    m = nn.Embedding(num_embeddings, embedding_dim, padding_idx=padding_idx)
    nn.init.uniform_(m.weight, -0.1, 0.1)
    nn.init.constant_(m.weight[padding_idx], 0)
    return m


def LSTM(input_size, hidden_size, **kwargs):
    m = nn.LSTM(input_size, hidden_size, **kwargs)
    for name, param in m.named_parameters():
        if 'weight' in name or 'bias' in name:
            param.data.uniform_(-0.1, 0.1)
    return m


class LSTMEncoder(nn.Module):
    def __init__(self, dictionary, embed_dim, hidden_size, dropout_in, dropout_out):
        super().__init__()
        self.dictionary = dictionary
        self.dropout_in, self.dropout_out = dropout_in, dropout_out
        self.padding_idx = dictionary.pad()
        self.embed_tokens = Embedding(len(dictionary), embed_dim, self.padding_idx)
        self.lstm = LSTM(embed_dim, hidden_size, bidirectional=True)
        self.output_units = 2 * hidden_size

    def forward(self, src_tokens, src_lengths):
        bsz, seqlen = src_tokens.size()
        x = self.embed_tokens(src_tokens)
        x = F.dropout(x, p=self.dropout_in, training=self.training)
        # B x T x C -> T x B x C
        x = x.transpose(0, 1)
        x, (final_hiddens, final_cells) = self.lstm(x)
        x = F.dropout(x, p=self.dropout_out, training=self.training)

        def combine_bidir(outs):
            out = outs.view(1, 2, bsz, -1).transpose(1, 2).contiguous()
            return out.view(1, bsz, -1)

        final_hiddens, final_cells = combine_bidir(final_hiddens), combine_bidir(final_cells)
        encoder_padding_mask = src_tokens.eq(self.padding_idx).t()
        return {'encoder_out': (x, final_hiddens, final_cells), 'encoder_padding_mask': encoder_padding_mask}


class AttentionLayer(nn.Module):
    def __init__(self, input_embed_dim, source_embed_dim, output_embed_dim):
        super().__init__()
        self.input_proj = nn.Linear(input_embed_dim, source_embed_dim, bias=False)
        self.output_proj = nn.Linear(input_embed_dim + source_embed_dim, output_embed_dim, bias=False)

    def forward(self, input, source_hids, encoder_padding_mask):
        # input: bsz x input_embed_dim, source_hids: srclen x bsz x source_embed_dim
        x = self.input_proj(input)
        attn_scores = (source_hids * x.unsqueeze(0)).sum(dim=2)
        # don't attend over padding
        attn_scores = attn_scores.float().masked_fill(encoder_padding_mask, float('-inf'))
        attn_scores = F.softmax(attn_scores, dim=0)
        # sum weighted sources
        x = (attn_scores.unsqueeze(2) * source_hids).sum(dim=0)
        x = torch.tanh(self.output_proj(torch.cat((x, input), dim=1)))
        return x, attn_scores


class LSTMDecoder(nn.Module):
    def __init__(self, dictionary, embed_dim, hidden_size, encoder_output_units, num_layers, dropout_in, dropout_out):
        super().__init__()
        self.dictionary = dictionary
        self.hidden_size = hidden_size
        self.dropout_in, self.dropout_out = dropout_in, dropout_out
        self.embed_tokens = Embedding(len(dictionary), embed_dim, dictionary.pad())
        self.encoder_hidden_proj = nn.Linear(encoder_output_units, hidden_size)
        self.encoder_cell_proj = nn.Linear(encoder_output_units, hidden_size)
        self.layers = nn.ModuleList([
            nn.LSTMCell(hidden_size + embed_dim if layer == 0 else hidden_size, hidden_size)
            for layer in range(num_layers)
        ])
        self.attention = AttentionLayer(hidden_size, encoder_output_units, hidden_size)
        self.fc_out = nn.Linear(hidden_size, len(dictionary))

    def init_state(self, encoder_out):
        _, h, c = encoder_out['encoder_out']
        n = len(self.layers)
        prev_hiddens = [self.encoder_hidden_proj(h[0]) for _ in range(n)]
        prev_cells = [self.encoder_cell_proj(c[0]) for _ in range(n)]
        input_feed = prev_hiddens[0].new_zeros(prev_hiddens[0].size(0), self.hidden_size)
        return prev_hiddens, prev_cells, input_feed

    def forward(self, prev_output_tokens, encoder_out, incremental_state=None):
        encoder_outs = encoder_out['encoder_out'][0]
        if incremental_state is not None:
            prev_output_tokens = prev_output_tokens[:, -1:]
        if incremental_state:
            prev_hiddens, prev_cells, input_feed = incremental_state['state']
        else:
            prev_hiddens, prev_cells, input_feed = self.init_state(encoder_out)
        x = self.embed_tokens(prev_output_tokens)
        x = F.dropout(x, p=self.dropout_in, training=self.training)
        x = x.transpose(0, 1)

        outs = []
        for j in range(x.size(0)):
            # input feeding: concatenate context vector from previous time step
            input = torch.cat((x[j, :, :], input_feed), dim=1)
            for i, rnn in enumerate(self.layers):
                hidden, cell = rnn(input, (prev_hiddens[i], prev_cells[i]))
                # hidden state becomes the input to the next layer
                input = F.dropout(hidden, p=self.dropout_out, training=self.training)
                # save state for next time step
                prev_hiddens[i] = hidden
                prev_cells[i] = cell
            out, _ = self.attention(hidden, encoder_outs, encoder_out['encoder_padding_mask'])
            out = F.dropout(out, p=self.dropout_out, training=self.training)
            input_feed = out
            outs.append(out)
        if incremental_state is not None:
            incremental_state['state'] = (prev_hiddens, prev_cells, input_feed)
        x = torch.cat(outs, dim=0).view(len(outs), *outs[0].shape)
        x = x.transpose(1, 0)
        return self.fc_out(x)


class LSTMModel(nn.Module):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    @classmethod
    def build_model(cls, args, src_dict, tgt_dict):
        encoder = LSTMEncoder(src_dict, args.embed_dim, args.hidden, args.dropout, args.dropout)
        decoder = LSTMDecoder(tgt_dict, args.embed_dim, args.hidden, encoder.output_units, args.decoder_layers,
                              args.dropout, args.dropout)
        return cls(encoder, decoder)

    def forward(self, src_tokens, src_lengths, prev_output_tokens):
        encoder_out = self.encoder(src_tokens, src_lengths)
        return self.decoder(prev_output_tokens, encoder_out)

    def get_normalized_probs(self, net_output, log_probs):
        if log_probs:
            return F.log_softmax(net_output, dim=-1)
        return F.softmax(net_output, dim=-1)


class LabelSmoothedCrossEntropyCriterion:
    def __init__(self, padding_idx, eps):
        self.padding_idx, self.eps = padding_idx, eps

    def __call__(self, model, sample):
        net_output = model(**sample['net_input'])
        lprobs = model.get_normalized_probs(net_output, log_probs=True)
        lprobs = lprobs.reshape(-1, lprobs.size(-1))
        target = sample['target'].view(-1, 1)
        non_pad_mask = target.ne(self.padding_idx)
        nll_loss = -lprobs.gather(dim=-1, index=target)[non_pad_mask].sum()
        smooth_loss = -lprobs.sum(dim=-1, keepdim=True)[non_pad_mask].sum()
        eps_i = self.eps / lprobs.size(-1)
        loss = (1. - self.eps) * nll_loss + eps_i * smooth_loss
        return loss, nll_loss.item(), sample['ntokens']


class InverseSquareRootSchedule:
    def __init__(self, args, optimizer):
        self.optimizer, self.warmup = optimizer, args.warmup_updates
        self.lr_step = args.lr / args.warmup_updates
        self.decay_factor = args.lr * args.warmup_updates ** 0.5

    def step_update(self, num_updates):
        lr = num_updates * self.lr_step if num_updates < self.warmup else self.decay_factor * num_updates ** -0.5
        for group in self.optimizer.param_groups:
            group['lr'] = lr
        return lr


class Trainer:
    def __init__(self, args, model, criterion):
        self.args, self.model, self.criterion = args, model, criterion
        self.optimizer = torch.optim.Adam(model.parameters(), lr=args.lr, betas=(0.9, 0.98))
        self.lr_scheduler = InverseSquareRootSchedule(args, self.optimizer)
        self.num_updates = 0

    def train_step(self, sample):
        self.model.train()
        self.optimizer.zero_grad()
        loss, nll, sample_size = self.criterion(self.model, sample)
        loss.backward()
        # normalize by the number of target tokens
        for p in self.model.parameters():
            if p.grad is not None:
                p.grad.mul_(1. / sample_size)
        gnorm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.args.clip_norm)
        self.optimizer.step()
        self.num_updates += 1
        lr = self.lr_scheduler.step_update(self.num_updates)
        return nll / sample_size / math.log(2), float(gnorm), lr

    @torch.no_grad()
    def valid_step(self, sample):
        self.model.eval()
        _, nll, sample_size = self.criterion(self.model, sample)
        return nll, sample_size


@torch.no_grad()
def generate(model, sample, tgt_dict, max_len=14):
    model.eval()
    encoder_out = model.encoder(sample['net_input']['src_tokens'], sample['net_input']['src_lengths'])
    bsz = sample['target'].size(0)
    tokens = torch.full((bsz, 1), tgt_dict.eos(), dtype=torch.long)
    incremental_state = {}
    for step in range(max_len):
        logits = model.decoder(tokens, encoder_out, incremental_state=incremental_state)
        lprobs = model.get_normalized_probs(logits[:, -1], log_probs=True)
        lprobs[:, tgt_dict.pad()] = -math.inf  # never select pad
        tokens = torch.cat([tokens, lprobs.argmax(-1, keepdim=True)], dim=1)
    hypos = []
    for row in tokens[:, 1:].tolist():
        hypos.append(row[:row.index(tgt_dict.eos())] if tgt_dict.eos() in row else row)
    return hypos


def make_corpus(n, rng):
    for _ in range(n):
        words = [rng.randrange(12) for _ in range(rng.randint(3, 7))]
        out = []
        for i in range(0, len(words) - 1, 2):
            out += [words[i + 1], words[i]]
        if len(words) % 2:
            out.append(words[-1])
        head = 'odd' if len(words) % 2 else 'even'
        yield ' '.join('w%d' % w for w in words), ' '.join([head] + ['v%d' % ((w * 5 + 3) % 12) for w in out])


def get_parser():
    parser = argparse.ArgumentParser()
    parser.add_argument('seed', type=int, nargs='?', default=0)
    parser.add_argument('--embed-dim', type=int, default=32)
    parser.add_argument('--hidden', type=int, default=48)
    parser.add_argument('--decoder-layers', type=int, default=1)
    parser.add_argument('--dropout', type=float, default=0.0)
    parser.add_argument('--label-smoothing', type=float, default=0.1)
    parser.add_argument('--lr', type=float, default=2e-2)
    parser.add_argument('--warmup-updates', type=int, default=40)
    parser.add_argument('--clip-norm', type=float, default=2.0)
    parser.add_argument('--max-epoch', type=int, default=5)
    parser.add_argument('--batch-size', type=int, default=50)
    return parser


def main(args):
    torch.set_num_threads(1)
    random.seed(args.seed)
    torch.manual_seed(args.seed)
    lines = list(make_corpus(2500, random.Random(args.seed + 1)))
    src_dict, tgt_dict = Dictionary(), Dictionary()
    for s, t in lines:
        for w in s.split():
            src_dict.add_symbol(w)
        for w in t.split():
            tgt_dict.add_symbol(w)
    logger.info('[xx] dictionary: %d types, [yy] dictionary: %d types', len(src_dict), len(tgt_dict))
    splits = OrderedDict()
    for name, part in (('test', lines[:200]), ('valid', lines[200:300]), ('train', lines[300:])):
        splits[name] = LanguagePairDataset([src_dict.encode_line(s) for s, t in part],
                                           [tgt_dict.encode_line(t) for s, t in part], src_dict, tgt_dict)
    model = LSTMModel.build_model(args, src_dict, tgt_dict)
    criterion = LabelSmoothedCrossEntropyCriterion(tgt_dict.pad(), args.label_smoothing)
    logger.info('num. model params: %d', sum(p.numel() for p in model.parameters()))
    trainer = Trainer(args, model, criterion)
    for epoch in range(1, args.max_epoch + 1):
        losses = [trainer.train_step(sample) for sample in splits['train'].batches(args.batch_size, shuffle=True)]
        valid = [trainer.valid_step(sample) for sample in splits['valid'].batches(100, shuffle=False)]
        logger.info('epoch %03d | nll_loss %.3f | gnorm %.2f | lr %.5f | valid nll_loss %.3f', epoch,
                    sum(l[0] for l in losses) / len(losses), losses[-1][1], losses[-1][2],
                    sum(v[0] for v in valid) / sum(v[1] for v in valid) / math.log(2))
    right = 0
    for sample in splits['test'].batches(100, shuffle=False):
        for i, hypo in zip(sample['id'], generate(model, sample, tgt_dict)):
            right += tgt_dict.string(hypo) == lines[i][1]
            if i < 3:
                print('S-%d\t%s\nT-%d\t%s\nH-%d\t%s' % (i, lines[i][0], i, lines[i][1], i, tgt_dict.string(hypo)))
    print('held-out score: %.4f' % (right / len(splits['test'])))


if __name__ == '__main__':
    main(get_parser().parse_args())
