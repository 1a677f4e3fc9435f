# Ported to PyTorch from a TensorFlow 1.x repository (seq2seq_model.py / data_utils.py).
# The decoder functions keep their old names. Toy corpus: say the opposite of each word.
import random
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(1)

# Special vocabulary symbols - we always put them at the start.
_PAD, _GO, _EOS, _UNK = "_PAD", "_GO", "_EOS", "_UNK"
_START_VOCAB = [_PAD, _GO, _EOS, _UNK]
PAD_ID, GO_ID, EOS_ID, UNK_ID = 0, 1, 2, 3

OPPOSITES = [("hot", "cold"), ("big", "small"), ("up", "down"), ("day", "night"), ("wet", "dry"),
             ("fast", "slow")]

# We use a number of buckets and pad to the closest one for efficiency.
_buckets = [(2, 3), (3, 4), (4, 5)]


def create_corpus(size, rng):
    table = dict(OPPOSITES + [(b, a) for a, b in OPPOSITES])
    words = sorted(table)
    vocab = {w: i for i, w in enumerate(_START_VOCAB + words)}
    data_set = [[] for _ in _buckets]
    for _ in range(size):
        n = rng.randint(1, 4)
        sentence = [rng.choice(words) for _ in range(n)]
        source = [vocab[w] for w in sentence]
        target = [vocab[table[w]] for w in sentence] + [EOS_ID]
        for bucket_id, (source_size, target_size) in enumerate(_buckets):
            if len(source) <= source_size and len(target) <= target_size:
                data_set[bucket_id].append([source, target])
                break
    return data_set, vocab


class GRUCell(nn.Module):
    """tf.nn.rnn_cell.GRUCell: reset before the matrix product."""

    def __init__(self, input_size, num_units):
        super(GRUCell, self).__init__()
        self.num_units = num_units
        self.gates = nn.Linear(input_size + num_units, 2 * num_units)
        self.candidate = nn.Linear(input_size + num_units, num_units)
        nn.init.constant_(self.gates.bias, 1.0)

    def forward(self, inputs, state):
        r, u = torch.chunk(torch.sigmoid(self.gates(torch.cat([inputs, state], 1))), 2, dim=1)
        c = torch.tanh(self.candidate(torch.cat([inputs, r * state], 1)))
        new_state = u * state + (1 - u) * c
        return new_state, new_state


class MultiRNNCell(nn.Module):
    def __init__(self, cells):
        super(MultiRNNCell, self).__init__()
        self.cells = nn.ModuleList(cells)

    def zero_state(self, batch_size):
        return [torch.zeros(batch_size, cell.num_units) for cell in self.cells]

    def forward(self, inputs, states):
        new_states = []
        for cell, state in zip(self.cells, states):
            inputs, new_state = cell(inputs, state)
            new_states.append(new_state)
        return inputs, new_states


class Seq2SeqModel(nn.Module):
    def __init__(self, vocab_size, size, num_layers, learning_rate, decay_factor):
        super(Seq2SeqModel, self).__init__()
        self.vocab_size = vocab_size
        self.embedding = nn.Embedding(vocab_size, size)
        nn.init.uniform_(self.embedding.weight, -np.sqrt(3), np.sqrt(3))
        self.encoder_cell = MultiRNNCell([GRUCell(size, size) for _ in range(num_layers)])
        self.decoder_cell = MultiRNNCell([GRUCell(size, size) for _ in range(num_layers)])
        self.w = nn.Parameter(torch.randn(size, vocab_size) * 0.05)
        self.b = nn.Parameter(torch.zeros(vocab_size))
        self.optimizer = torch.optim.Adam(self.parameters(), lr=learning_rate)
        self.decay_factor = decay_factor

    def static_rnn(self, encoder_inputs):
        state = self.encoder_cell.zero_state(encoder_inputs[0].size(0))
        outputs = []
        for inp in encoder_inputs:
            output, state = self.encoder_cell(self.embedding(inp), state)
            outputs.append(output)
        return outputs, state

    def rnn_decoder(self, decoder_inputs, initial_state, feed_previous=False):
        state = initial_state
        outputs, prev = [], None
        for i, inp in enumerate(decoder_inputs):
            if feed_previous and prev is not None:
                inp = prev.argmax(1)
            output, state = self.decoder_cell(self.embedding(inp), state)
            output = output.matmul(self.w) + self.b
            outputs.append(output)
            prev = output
        return outputs

    def sequence_loss(self, logits, targets, weights):
        log_perps = []
        for logit, target, weight in zip(logits, targets, weights):
            crossent = F.cross_entropy(logit, target, reduction="none")
            log_perps.append(crossent * weight)
        total_size = torch.stack(weights).sum(0) + 1e-12
        return (torch.stack(log_perps).sum(0) / total_size).mean()

    def step(self, encoder_inputs, decoder_inputs, target_weights, forward_only):
        targets = decoder_inputs[1:] + [torch.zeros_like(decoder_inputs[0])]
        _, state = self.static_rnn(encoder_inputs)
        logits = self.rnn_decoder(decoder_inputs, state, feed_previous=forward_only)
        loss = self.sequence_loss(logits, targets, target_weights)
        if not forward_only:
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters(), 5.0)
            self.optimizer.step()
        return loss.item(), logits

    def decay(self):
        for group in self.optimizer.param_groups:
            group["lr"] *= self.decay_factor

    def get_batch(self, examples, bucket_id):
        """Lists of length-T vectors of size B: encoder inputs, decoder inputs, weights."""
        encoder_size, decoder_size = _buckets[bucket_id]
        encoder_inputs, decoder_inputs = [], []
        for encoder_input, decoder_input in examples:
            # Encoder inputs are padded and then reversed.
            encoder_pad = [PAD_ID] * (encoder_size - len(encoder_input))
            encoder_inputs.append(list(reversed(encoder_input + encoder_pad)))
            # Decoder inputs get an extra "GO" symbol, and are padded then.
            decoder_pad_size = decoder_size - len(decoder_input)
            decoder_inputs.append([GO_ID] + decoder_input + [PAD_ID] * decoder_pad_size)
        enc = [torch.tensor(column) for column in zip(*encoder_inputs)]
        dec = [torch.tensor(column) for column in zip(*decoder_inputs)]
        # The last decoder input has no target. A weight is 0 where the target is PAD.
        weights = []
        for length_idx in range(len(dec)):
            if length_idx < len(dec) - 1:
                weights.append((dec[length_idx + 1] != PAD_ID).float())
            else:
                weights.append(torch.zeros(len(examples)))
        return enc, dec, weights


def train():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    train_set, vocab = create_corpus(4000, random.Random(seed + 1))
    dev_set, _ = create_corpus(200, random.Random(seed + 2))
    model = Seq2SeqModel(len(vocab), size=64, num_layers=2, learning_rate=0.005, decay_factor=0.8)
    sizes = [len(b) for b in train_set]
    scale = np.cumsum(sizes) / sum(sizes)

    step_time, loss = 0.0, 0.0
    for current_step in range(1, 351):
        # Choose a bucket according to the data distribution.
        bucket_id = int(np.searchsorted(scale, np.random.random_sample()))
        start_time = time.time()
        examples = random.sample(train_set[bucket_id], 48)
        step_loss, _ = model.step(*model.get_batch(examples, bucket_id), False)
        step_time += (time.time() - start_time) / 70
        loss += step_loss / 70
        if current_step % 70 == 0:
            print("global step %d learning rate %.4f step-time %.3f perplexity %.2f" % (
                current_step, model.optimizer.param_groups[0]["lr"], step_time, np.exp(min(loss, 300))))
            step_time, loss = 0.0, 0.0
            if current_step >= 210:
                model.decay()

    right, total = 0, 0
    with torch.no_grad():
        for bucket_id, examples in enumerate(dev_set):
            encoder_inputs, decoder_inputs, weights = model.get_batch(examples, bucket_id)
            _, logits = model.step(encoder_inputs, decoder_inputs, weights, True)
            outputs = torch.stack([logit.argmax(1) for logit in logits], 1).tolist()
            for output, (_, target) in zip(outputs, examples):
                # If there is an EOS symbol in outputs, cut them at that point.
                if EOS_ID in output:
                    output = output[:output.index(EOS_ID)]
                right += output == target[:-1]
                total += 1
    print("held-out score: %.4f" % (right / total))


if __name__ == "__main__":
    train()
