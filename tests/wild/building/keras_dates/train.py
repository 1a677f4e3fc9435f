'''Character-level sequence-to-sequence model for rewriting dates.

"thursday, 3 january 1991"  ->  "3.1.1991"

This is my old Keras script (LSTM encoder, LSTM decoder, Attention layer)
moved over to PyTorch. I kept the names of the arrays and of the
arguments, so that the two can be read side by side.
'''
import datetime
import random
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(1)

seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(seed)
np.random.seed(seed)
torch.manual_seed(seed)

batch_size = 64      # Batch size for training.
epochs = 7           # Number of epochs to train for.
latent_dim = 96      # Latent dimensionality of the encoding space.
embedding_dim = 32
num_samples = 5000   # Number of samples to train on.
num_test = 200

# ---------------------------------------------------------------------------
# Data
# ---------------------------------------------------------------------------
MONTHS = ['january', 'february', 'march', 'april', 'may', 'june', 'july',
          'august', 'september', 'october', 'november', 'december']
DAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday',
        'sunday']


def random_date():
    start = datetime.date(1950, 1, 1).toordinal()
    end = datetime.date(2029, 12, 31).toordinal()
    return datetime.date.fromordinal(random.randint(start, end))


def human_text(d):
    month = MONTHS[d.month - 1]
    style = random.randint(0, 3)
    if style == 0:
        return '%d %s %d' % (d.day, month, d.year)
    if style == 1:
        return '%s %d, %d' % (month[:3], d.day, d.year)
    if style == 2:
        return '%s, %d %s %d' % (DAYS[d.weekday()], d.day, month, d.year)
    return '%d, %s %d' % (d.year, month, d.day)


def machine_text(d):
    return '%d.%d.%d' % (d.day, d.month, d.year)


input_texts = []
target_texts = []
seen = set()
while len(input_texts) < num_samples + num_test:
    date = random_date()
    if date in seen:
        continue
    seen.add(date)
    input_texts.append(human_text(date))
    # "tab" is the start character, "\n" is the end character.
    target_texts.append('\t' + machine_text(date) + '\n')

test_input_texts = input_texts[num_samples:]
test_target_texts = target_texts[num_samples:]
input_texts = input_texts[:num_samples]
target_texts = target_texts[:num_samples]

input_characters = sorted(set(''.join(input_texts)))
target_characters = sorted(set(''.join(target_texts)))
num_encoder_tokens = len(input_characters) + 1    # 0 is the padding
num_decoder_tokens = len(target_characters) + 1
max_encoder_seq_length = max(len(t) for t in input_texts + test_input_texts)
max_decoder_seq_length = max(len(t) for t in target_texts)

input_token_index = {c: i + 1 for i, c in enumerate(input_characters)}
target_token_index = {c: i + 1 for i, c in enumerate(target_characters)}
reverse_target_char_index = {i: c for c, i in target_token_index.items()}

print('Number of samples:', len(input_texts))
print('Number of unique input tokens:', num_encoder_tokens)
print('Number of unique output tokens:', num_decoder_tokens)
print('Max sequence length for inputs:', max_encoder_seq_length)
print('Max sequence length for outputs:', max_decoder_seq_length)


def encode_inputs(texts):
    data = np.zeros((len(texts), max_encoder_seq_length), dtype='int64')
    for i, text in enumerate(texts):
        for t, char in enumerate(text):
            data[i, t] = input_token_index[char]
    return data


encoder_input_data = encode_inputs(input_texts)
test_encoder_input_data = encode_inputs(test_input_texts)
decoder_input_data = np.zeros((num_samples, max_decoder_seq_length), dtype='int64')
decoder_target_data = np.zeros((num_samples, max_decoder_seq_length), dtype='int64')
for i, target_text in enumerate(target_texts):
    for t, char in enumerate(target_text):
        decoder_input_data[i, t] = target_token_index[char]
        if t > 0:
            # decoder_target_data is ahead of decoder_input_data by one step
            decoder_target_data[i, t - 1] = target_token_index[char]

# like sample_weight_mode='temporal'
sample_weight = (decoder_target_data != 0).astype('float32')


# ---------------------------------------------------------------------------
# Model
# ---------------------------------------------------------------------------
class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(num_encoder_tokens, embedding_dim, padding_idx=0)
        self.lstm = nn.LSTM(embedding_dim, latent_dim // 2, batch_first=True,
                            bidirectional=True)

    def forward(self, encoder_inputs):
        encoder_outputs, (state_h, state_c) = self.lstm(self.embedding(encoder_inputs))
        state_h = torch.cat([state_h[0], state_h[1]], dim=-1)
        state_c = torch.cat([state_c[0], state_c[1]], dim=-1)
        mask = encoder_inputs != 0
        return encoder_outputs, mask, [state_h, state_c]


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(num_decoder_tokens, embedding_dim, padding_idx=0)
        self.lstm = nn.LSTM(embedding_dim, latent_dim, batch_first=True)
        self.query = nn.Linear(latent_dim, latent_dim, bias=False)
        self.dropout = nn.Dropout(0.1)
        self.decoder_dense = nn.Linear(2 * latent_dim, num_decoder_tokens)

    def forward(self, decoder_inputs, states, encoder_outputs, mask):
        h0, c0 = states[0].unsqueeze(0), states[1].unsqueeze(0)
        decoder_outputs, (state_h, state_c) = self.lstm(
            self.embedding(decoder_inputs), (h0, c0))
        # Attention layer: [query, value] + mask
        scores = self.query(decoder_outputs) @ encoder_outputs.transpose(1, 2)
        scores = scores.masked_fill(~mask.unsqueeze(1), -1e9)
        context = torch.softmax(scores, dim=-1) @ encoder_outputs
        merged = torch.cat([decoder_outputs, context], dim=-1)
        logits = self.decoder_dense(self.dropout(merged))
        return logits, [state_h[0], state_c[0]]


class Seq2Seq(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.decoder = Decoder()

    def forward(self, encoder_inputs, decoder_inputs):
        encoder_outputs, mask, encoder_states = self.encoder(encoder_inputs)
        logits, _ = self.decoder(decoder_inputs, encoder_states, encoder_outputs, mask)
        return logits


def sparse_categorical_crossentropy(y_true, y_pred, weight):
    loss = F.cross_entropy(y_pred.reshape(-1, num_decoder_tokens), y_true.reshape(-1),
                           reduction='none')
    return (loss * weight.reshape(-1)).sum() / weight.sum()


def fit(model, x, y, sample_weight, batch_size, epochs, optimizer):
    encoder_x, decoder_x = [torch.from_numpy(a) for a in x]
    y = torch.from_numpy(y)
    sample_weight = torch.from_numpy(sample_weight)
    history = {'loss': [], 'acc': []}
    for epoch in range(epochs):
        model.train()
        order = torch.from_numpy(np.random.permutation(len(y)))
        total_loss, total_hits, total = 0.0, 0.0, 0.0
        for start in range(0, len(y), batch_size):
            idx = order[start:start + batch_size]
            y_pred = model(encoder_x[idx], decoder_x[idx])
            loss = sparse_categorical_crossentropy(y[idx], y_pred, sample_weight[idx])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            w = sample_weight[idx]
            total_loss += loss.item() * w.sum().item()
            total_hits += ((y_pred.argmax(-1) == y[idx]).float() * w).sum().item()
            total += w.sum().item()
        history['loss'].append(total_loss / total)
        history['acc'].append(total_hits / total)
        print('Epoch %d/%d - loss: %.4f - acc: %.4f'
              % (epoch + 1, epochs, history['loss'][-1], history['acc'][-1]))
    return history


model = Seq2Seq()
optimizer = torch.optim.RMSprop(model.parameters(), lr=0.003, alpha=0.9, eps=1e-7)
fit(model, [encoder_input_data, decoder_input_data], decoder_target_data,
    sample_weight=sample_weight, batch_size=batch_size, epochs=epochs,
    optimizer=optimizer)


# ---------------------------------------------------------------------------
# Inference mode: encode once, then one step of the decoder at a time.
# ---------------------------------------------------------------------------
encoder_model = model.encoder
decoder_model = model.decoder
model.eval()


@torch.no_grad()
def decode_sequence(input_seq):
    # Encode the input as state vectors.
    encoder_outputs, mask, states_value = encoder_model(input_seq)
    # Target sequence of length 1, the start character.
    target_seq = torch.full((1, 1), target_token_index['\t'], dtype=torch.long)
    decoded_sentence = ''
    while True:
        output_tokens, states_value = decoder_model(target_seq, states_value,
                                                    encoder_outputs, mask)
        sampled_token_index = int(output_tokens[0, -1, 1:].argmax()) + 1
        sampled_char = reverse_target_char_index[sampled_token_index]
        # Exit condition: either hit max length or find stop character.
        if sampled_char == '\n' or len(decoded_sentence) >= max_decoder_seq_length:
            break
        decoded_sentence += sampled_char
        target_seq = torch.full((1, 1), sampled_token_index, dtype=torch.long)
    return decoded_sentence


correct = 0
for seq_index in range(num_test):
    input_seq = torch.from_numpy(test_encoder_input_data[seq_index:seq_index + 1])
    decoded_sentence = decode_sequence(input_seq)
    if decoded_sentence == test_target_texts[seq_index].strip():
        correct += 1
    if seq_index < 5:
        print('-')
        print('Input sentence:', test_input_texts[seq_index])
        print('Decoded sentence:', decoded_sentence)
print('held-out score: %.2f' % (correct / num_test))
