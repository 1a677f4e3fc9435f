import math
import random
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 0

random.seed(SEED)
np.random.seed(SEED)
torch.manual_seed(SEED)
torch.backends.cudnn.deterministic = True
torch.set_num_threads(1)

device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')

# ---------------------------------------------------------------------------
# Preparing data: a toy German -> English corpus in the perfect tense, so the
# verb goes from the end of the sentence to its middle.
# ---------------------------------------------------------------------------

NOUNS = [('hund', 'dog'), ('mann', 'man'), ('junge', 'boy'), ('koch', 'cook'), ('vogel', 'bird'), ('arzt', 'doctor')]
ADJS = [('alte', 'old'), ('kleine', 'small'), ('nette', 'nice'), ('dicke', 'fat')]
VERBS = [('gesehen', 'saw'), ('gejagt', 'chased'), ('gerufen', 'called'), ('gemalt', 'painted'), ('gesucht', 'sought')]


def noun_phrase(article):
    n = random.choice(NOUNS)
    if random.random() < 0.5:
        a = random.choice(ADJS)
        return [article, a[0], n[0]], ['the', a[1], n[1]]
    return [article, n[0]], ['the', n[1]]


def sentence():
    subj_de, subj_en = noun_phrase('der')
    obj_de, obj_en = noun_phrase('den')
    verb = random.choice(VERBS)
    if random.random() < 0.3:
        return (['gestern', 'hat'] + subj_de + obj_de + [verb[0]],
                subj_en + [verb[1]] + obj_en + ['yesterday'])
    return subj_de + ['hat'] + obj_de + [verb[0]], subj_en + [verb[1]] + obj_en


seen = set()
examples = []
while len(examples) < 2700:
    src, trg = sentence()
    if ' '.join(src) not in seen:
        seen.add(' '.join(src))
        examples.append((src, trg))

train_data, valid_data, test_data = examples[:2450], examples[2450:2550], examples[2550:]


class Vocab:
    def __init__(self, sentences, min_freq=2):
        counts = {}
        for s in sentences:
            for tok in s:
                counts[tok] = counts.get(tok, 0) + 1
        self.itos = ['<unk>', '<pad>', '<sos>', '<eos>'] + sorted(t for t, c in counts.items() if c >= min_freq)
        self.stoi = {t: i for i, t in enumerate(self.itos)}

    def numericalize(self, tokens):
        return [self.stoi.get(t, self.stoi['<unk>']) for t in ['<sos>'] + tokens + ['<eos>']]

    def __len__(self):
        return len(self.itos)


SRC = Vocab([s for s, _ in train_data])
TRG = Vocab([t for _, t in train_data])

SRC_PAD_IDX = SRC.stoi['<pad>']
TRG_PAD_IDX = TRG.stoi['<pad>']

print(f"Unique tokens in source (de) vocabulary: {len(SRC)}")
print(f"Unique tokens in target (en) vocabulary: {len(TRG)}")

BATCH_SIZE = 64


def pad(seqs, pad_idx):
    longest = max(len(s) for s in seqs)
    return torch.tensor([s + [pad_idx] * (longest - len(s)) for s in seqs]).t()  # [len, batch]


def make_iterator(data, shuffle):
    data = list(data)
    if shuffle:
        random.shuffle(data)
    for i in range(0, len(data), BATCH_SIZE):
        batch = data[i:i + BATCH_SIZE]
        src = pad([SRC.numericalize(s) for s, _ in batch], SRC_PAD_IDX)
        src_len = torch.tensor([len(s) + 2 for s, _ in batch])
        trg = pad([TRG.numericalize(t) for _, t in batch], TRG_PAD_IDX)
        yield src.to(device), src_len, trg.to(device)


# ---------------------------------------------------------------------------
# Building the Seq2Seq Model
# ---------------------------------------------------------------------------

class Encoder(nn.Module):
    def __init__(self, input_dim, emb_dim, enc_hid_dim, dec_hid_dim, dropout):
        super().__init__()

        self.embedding = nn.Embedding(input_dim, emb_dim)
        self.rnn = nn.GRU(emb_dim, enc_hid_dim, bidirectional=True)
        self.fc = nn.Linear(enc_hid_dim * 2, dec_hid_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, src, src_len):
        # src = [src len, batch size]
        # src_len = [batch size]
        embedded = self.dropout(self.embedding(src))
        # embedded = [src len, batch size, emb dim]
        packed_embedded = nn.utils.rnn.pack_padded_sequence(embedded, src_len, enforce_sorted=False)
        packed_outputs, hidden = self.rnn(packed_embedded)
        outputs, _ = nn.utils.rnn.pad_packed_sequence(packed_outputs)
        # outputs = [src len, batch size, hid dim * num directions]
        # hidden = [n layers * num directions, batch size, hid dim]

        # initial decoder hidden is final hidden state of the forwards and backwards encoder RNNs
        hidden = torch.tanh(self.fc(torch.cat((hidden[-2, :, :], hidden[-1, :, :]), dim=1)))

        return outputs, hidden


class Attention(nn.Module):
    def __init__(self, enc_hid_dim, dec_hid_dim):
        super().__init__()

        self.attn = nn.Linear((enc_hid_dim * 2) + dec_hid_dim, dec_hid_dim)
        self.v = nn.Linear(dec_hid_dim, 1, bias=False)

    def forward(self, hidden, encoder_outputs, mask):
        # hidden = [batch size, dec hid dim]
        # encoder_outputs = [src len, batch size, enc hid dim * 2]
        src_len = encoder_outputs.shape[0]

        # repeat decoder hidden state src_len times
        hidden = hidden.unsqueeze(1).repeat(1, src_len, 1)
        encoder_outputs = encoder_outputs.permute(1, 0, 2)

        energy = torch.tanh(self.attn(torch.cat((hidden, encoder_outputs), dim=2)))
        # energy = [batch size, src len, dec hid dim]
        attention = self.v(energy).squeeze(2)
        # attention = [batch size, src len]
        attention = attention.masked_fill(mask == 0, -1e10)

        return F.softmax(attention, dim=1)


class Decoder(nn.Module):
    def __init__(self, output_dim, emb_dim, enc_hid_dim, dec_hid_dim, dropout, attention):
        super().__init__()

        self.output_dim = output_dim
        self.attention = attention

        self.embedding = nn.Embedding(output_dim, emb_dim)
        self.rnn = nn.GRU((enc_hid_dim * 2) + emb_dim, dec_hid_dim)
        self.fc_out = nn.Linear((enc_hid_dim * 2) + dec_hid_dim + emb_dim, output_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, input, hidden, encoder_outputs, mask):
        # input = [batch size]
        # hidden = [batch size, dec hid dim]
        # encoder_outputs = [src len, batch size, enc hid dim * 2]
        # mask = [batch size, src len]
        input = input.unsqueeze(0)
        embedded = self.dropout(self.embedding(input))
        # embedded = [1, batch size, emb dim]

        a = self.attention(hidden, encoder_outputs, mask).unsqueeze(1)
        # a = [batch size, 1, src len]
        weighted = torch.bmm(a, encoder_outputs.permute(1, 0, 2)).permute(1, 0, 2)
        # weighted = [1, batch size, enc hid dim * 2]

        rnn_input = torch.cat((embedded, weighted), dim=2)
        output, hidden = self.rnn(rnn_input, hidden.unsqueeze(0))

        embedded = embedded.squeeze(0)
        output = output.squeeze(0)
        weighted = weighted.squeeze(0)

        prediction = self.fc_out(torch.cat((output, weighted, embedded), dim=1))
        # prediction = [batch size, output dim]

        return prediction, hidden.squeeze(0)


class Seq2Seq(nn.Module):
    def __init__(self, encoder, decoder, src_pad_idx, device):
        super().__init__()

        self.encoder = encoder
        self.decoder = decoder
        self.src_pad_idx = src_pad_idx
        self.device = device

    def create_mask(self, src):
        return (src != self.src_pad_idx).permute(1, 0)

    def forward(self, src, src_len, trg, teacher_forcing_ratio=0.5):
        # src = [src len, batch size]
        # src_len = [batch size]
        # trg = [trg len, batch size]
        # teacher_forcing_ratio is probability to use teacher forcing
        batch_size = src.shape[1]
        trg_len = trg.shape[0]
        trg_vocab_size = self.decoder.output_dim

        # tensor to store decoder outputs
        outputs = torch.zeros(trg_len, batch_size, trg_vocab_size).to(self.device)

        encoder_outputs, hidden = self.encoder(src, src_len)

        # first input to the decoder is the <sos> tokens
        input = trg[0, :]

        mask = self.create_mask(src)

        for t in range(1, trg_len):
            output, hidden = self.decoder(input, hidden, encoder_outputs, mask)

            # place predictions in a tensor holding predictions for each token
            outputs[t] = output

            # decide if we are going to use teacher forcing or not
            teacher_force = random.random() < teacher_forcing_ratio

            # get the highest predicted token from our predictions
            top1 = output.argmax(1)

            # if teacher forcing, use actual next token as next input
            # if not, use predicted token
            input = trg[t] if teacher_force else top1

        return outputs


# ---------------------------------------------------------------------------
# Training the Seq2Seq Model
# ---------------------------------------------------------------------------

INPUT_DIM = len(SRC)
OUTPUT_DIM = len(TRG)
ENC_EMB_DIM = 32
DEC_EMB_DIM = 32
ENC_HID_DIM = 48
DEC_HID_DIM = 64
ENC_DROPOUT = 0.1
DEC_DROPOUT = 0.1

attn = Attention(ENC_HID_DIM, DEC_HID_DIM)
enc = Encoder(INPUT_DIM, ENC_EMB_DIM, ENC_HID_DIM, DEC_HID_DIM, ENC_DROPOUT)
dec = Decoder(OUTPUT_DIM, DEC_EMB_DIM, ENC_HID_DIM, DEC_HID_DIM, DEC_DROPOUT, attn)

model = Seq2Seq(enc, dec, SRC_PAD_IDX, device).to(device)


def init_weights(m):
    for name, param in m.named_parameters():
        if 'weight' in name:
            nn.init.normal_(param.data, mean=0, std=0.1)
        else:
            nn.init.constant_(param.data, 0)


model.apply(init_weights)


def count_parameters(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


print(f'The model has {count_parameters(model):,} trainable parameters')

optimizer = optim.Adam(model.parameters(), lr=0.005)

criterion = nn.CrossEntropyLoss(ignore_index=TRG_PAD_IDX)


def train(model, data, optimizer, criterion, clip):
    model.train()

    epoch_loss = 0
    n = 0

    for src, src_len, trg in make_iterator(data, shuffle=True):
        optimizer.zero_grad()

        output = model(src, src_len, trg)
        # trg = [trg len, batch size]
        # output = [trg len, batch size, output dim]

        output_dim = output.shape[-1]

        output = output[1:].view(-1, output_dim)
        trg = trg[1:].reshape(-1)
        # trg = [(trg len - 1) * batch size]
        # output = [(trg len - 1) * batch size, output dim]

        loss = criterion(output, trg)
        loss.backward()

        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)

        optimizer.step()

        epoch_loss += loss.item()
        n += 1

    return epoch_loss / n


def evaluate(model, data, criterion):
    model.eval()

    epoch_loss = 0
    n = 0

    with torch.no_grad():
        for src, src_len, trg in make_iterator(data, shuffle=False):
            output = model(src, src_len, trg, 0)  # turn off teacher forcing
            output_dim = output.shape[-1]
            output = output[1:].view(-1, output_dim)
            trg = trg[1:].reshape(-1)
            loss = criterion(output, trg)
            epoch_loss += loss.item()
            n += 1

    return epoch_loss / n


def epoch_time(start_time, end_time):
    elapsed_time = end_time - start_time
    return int(elapsed_time / 60), elapsed_time % 60


N_EPOCHS = 3
CLIP = 1

best_valid_loss = float('inf')

for epoch in range(N_EPOCHS):
    start_time = time.time()

    train_loss = train(model, train_data, optimizer, criterion, CLIP)
    valid_loss = evaluate(model, valid_data, criterion)

    end_time = time.time()
    epoch_mins, epoch_secs = epoch_time(start_time, end_time)

    if valid_loss < best_valid_loss:
        best_valid_loss = valid_loss

    print(f'Epoch: {epoch+1:02} | Time: {epoch_mins}m {epoch_secs:.1f}s')
    print(f'\tTrain Loss: {train_loss:.3f} | Train PPL: {math.exp(min(train_loss, 50)):7.3f}')
    print(f'\t Val. Loss: {valid_loss:.3f} |  Val. PPL: {math.exp(min(valid_loss, 50)):7.3f}')


# ---------------------------------------------------------------------------
# Inference
# ---------------------------------------------------------------------------

def translate_sentence(tokens, model, max_len=20):
    model.eval()
    src_tensor = torch.LongTensor(SRC.numericalize(tokens)).unsqueeze(1).to(device)

    with torch.no_grad():
        encoder_outputs, hidden = model.encoder(src_tensor, torch.LongTensor([len(src_tensor)]))

    mask = model.create_mask(src_tensor)
    trg_indexes = [TRG.stoi['<sos>']]

    for i in range(max_len):
        trg_tensor = torch.LongTensor([trg_indexes[-1]]).to(device)

        with torch.no_grad():
            output, hidden = model.decoder(trg_tensor, hidden, encoder_outputs, mask)

        pred_token = output.argmax(1).item()
        trg_indexes.append(pred_token)

        if pred_token == TRG.stoi['<eos>']:
            break

    return [TRG.itos[i] for i in trg_indexes[1:]]


for src, trg in test_data[:3]:
    print('src =', ' '.join(src))
    print('trg =', ' '.join(trg))
    print('predicted trg =', ' '.join(translate_sentence(src, model)))

exact = [translate_sentence(src, model) == trg + ['<eos>'] for src, trg in test_data]
print(f'held-out score: {sum(exact) / len(exact):.3f}')
