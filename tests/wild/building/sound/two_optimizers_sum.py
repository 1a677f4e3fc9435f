# copy task, encoder/decoder with an optimizer each, loss added up over time steps
import sys
import random
import torch
import torch.nn as nn
import torch.optim as optim

seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
torch.manual_seed(seed)
random.seed(seed)
torch.set_num_threads(1)

PAD, EOS, SOS = 0, 1, 2
FIRST, N_SYM = 3, 6
MAXLEN = 5


class EncoderRNN(nn.Module):
    def __init__(self, input_size, hidden_size, n_layers=1):
        super().__init__()
        self.embedding = nn.Embedding(input_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size, n_layers)

    def forward(self, input_seqs, input_lengths, hidden=None):
        embedded = self.embedding(input_seqs)
        packed = nn.utils.rnn.pack_padded_sequence(embedded, input_lengths)
        outputs, hidden = self.gru(packed, hidden)
        return hidden


class DecoderRNN(nn.Module):
    def __init__(self, hidden_size, output_size):
        super().__init__()
        self.embedding = nn.Embedding(output_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, output_size)

    def forward(self, input_seq, last_hidden):
        embedded = self.embedding(input_seq).unsqueeze(0)       # S=1 x B x N
        rnn_output, hidden = self.gru(embedded, last_hidden)
        return self.out(rnn_output.squeeze(0)), hidden


def random_batch(batch_size):
    pairs = []
    while len(pairs) < batch_size:
        s = [random.randrange(FIRST, FIRST + N_SYM) for _ in range(random.randint(3, MAXLEN))]
        if sum(s) % 7 != 0:         # those are kept for the test
            pairs.append(s)
    return to_tensors(pairs)


def to_tensors(pairs):
    pairs = sorted(pairs, key=len, reverse=True)
    lengths = [len(p) + 1 for p in pairs]
    m = max(lengths)
    x = torch.tensor([p + [EOS] + [PAD] * (m - len(p) - 1) for p in pairs]).transpose(0, 1)
    return x, lengths, x.clone()


encoder = EncoderRNN(FIRST + N_SYM, 96)
decoder = DecoderRNN(96, FIRST + N_SYM)
encoder_optimizer = optim.Adam(encoder.parameters(), lr=0.003)
decoder_optimizer = optim.Adam(decoder.parameters(), lr=0.003 * 1.5)
criterion = nn.CrossEntropyLoss(ignore_index=PAD)
clip = 50.0

for epoch in range(1, 421):
    input_batches, input_lengths, target_batches = random_batch(50)
    encoder_optimizer.zero_grad()
    decoder_optimizer.zero_grad()
    loss = 0
    decoder_hidden = encoder(input_batches, input_lengths)
    decoder_input = torch.LongTensor([SOS] * 50)
    for t in range(target_batches.size(0)):
        decoder_output, decoder_hidden = decoder(decoder_input, decoder_hidden)
        loss += criterion(decoder_output, target_batches[t]) if (target_batches[t] != PAD).any() else 0
        decoder_input = target_batches[t]
    loss.backward()
    ec = torch.nn.utils.clip_grad_norm_(encoder.parameters(), clip)
    dc = torch.nn.utils.clip_grad_norm_(decoder.parameters(), clip)
    encoder_optimizer.step()
    decoder_optimizer.step()
    if epoch % 70 == 0:
        print('%d %.4f  ec %.2f dc %.2f' % (epoch, loss.item() / target_batches.size(0), ec, dc))


def evaluate(seq):
    with torch.no_grad():
        x, lengths, _ = to_tensors([seq])
        hidden = encoder(x, lengths)
        token, words = torch.LongTensor([SOS]), []
        for _ in range(MAXLEN + 2):
            output, hidden = decoder(token, hidden)
            token = output.topk(1)[1].view(-1)
            if token.item() == EOS:
                break
            words.append(token.item())
        return words


tests = []
while len(tests) < 150:
    s = [random.randrange(FIRST, FIRST + N_SYM) for _ in range(random.randint(3, MAXLEN))]
    if sum(s) % 7 == 0:
        tests.append(s)
print('held-out score: %.3f' % (sum(evaluate(s) == s for s in tests) / len(tests)))
