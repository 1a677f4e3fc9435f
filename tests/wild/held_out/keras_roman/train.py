'''
# Character-level sequence-to-sequence: Arabic numbers to Roman numerals.

This is a PyTorch port of my old Keras script (lstm encoder -> states -> lstm decoder), so there is
no Embedding, everything is one-hot, '\t' starts a target and '\n' ends it.

- Encoder LSTM turns the input into 2 state vectors (outputs are discarded).
- Decoder LSTM is trained to turn the target into the same sequence one timestep in the future.
- At inference we sample one char at a time until '\n'.
'''
import sys

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)
seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
np.random.seed(seed)
torch.manual_seed(seed)

batch_size = 32
epochs = 13
latent_dim = 96
num_samples = 999


def roman(n):
    out = ''
    for value, numeral in ((900, 'CM'), (500, 'D'), (400, 'CD'), (100, 'C'), (90, 'XC'), (50, 'L'),
                           (40, 'XL'), (10, 'X'), (9, 'IX'), (5, 'V'), (4, 'IV'), (1, 'I')):
        while n >= value:
            out += numeral
            n -= value
    return out


# Vectorize the data.
input_texts = []
target_texts = []
input_characters = set()
target_characters = set()
for n in np.random.permutation(np.arange(1, num_samples + 1)):
    input_text = '%3d' % n
    # We use "tab" as the "start sequence" character
    # for the targets, and "\n" as "end sequence" character.
    target_text = '\t' + roman(int(n)) + '\n'
    input_texts.append(input_text)
    target_texts.append(target_text)
    input_characters.update(input_text)
    target_characters.update(target_text)

input_characters = sorted(input_characters)
target_characters = sorted(target_characters)
num_encoder_tokens = len(input_characters)
num_decoder_tokens = len(target_characters)
max_encoder_seq_length = max(len(txt) for txt in input_texts)
max_decoder_seq_length = max(len(txt) for txt in target_texts)
print('Number of samples:', len(input_texts))
print('Number of unique input tokens:', num_encoder_tokens)
print('Number of unique output tokens:', num_decoder_tokens)
print('Max sequence length for outputs:', max_decoder_seq_length)

input_token_index = dict((char, i) for i, char in enumerate(input_characters))
target_token_index = dict((char, i) for i, char in enumerate(target_characters))

encoder_input_data = np.zeros((len(input_texts), max_encoder_seq_length, num_encoder_tokens), dtype='float32')
decoder_input_data = np.zeros((len(input_texts), max_decoder_seq_length, num_decoder_tokens), dtype='float32')
decoder_target_data = np.zeros((len(input_texts), max_decoder_seq_length, num_decoder_tokens), dtype='float32')

for i, (input_text, target_text) in enumerate(zip(input_texts, target_texts)):
    for t, char in enumerate(input_text):
        encoder_input_data[i, t, input_token_index[char]] = 1.
    for t, char in enumerate(target_text):
        # decoder_target_data is ahead of decoder_input_data by one timestep
        decoder_input_data[i, t, target_token_index[char]] = 1.
        if t > 0:
            decoder_target_data[i, t - 1, target_token_index[char]] = 1.

# validation_split
n_val = 120
train_set = TensorDataset(*(torch.from_numpy(a[n_val:]) for a in
                            (encoder_input_data, decoder_input_data, decoder_target_data)))
val_set = [torch.from_numpy(a[:n_val]) for a in (encoder_input_data, decoder_input_data, decoder_target_data)]
loader = DataLoader(train_set, batch_size=batch_size, shuffle=True)


class Seq2Seq(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder_lstm = nn.LSTM(num_encoder_tokens, latent_dim, batch_first=True)
        self.decoder_lstm = nn.LSTM(num_decoder_tokens, latent_dim, batch_first=True)
        self.decoder_dense = nn.Linear(latent_dim, num_decoder_tokens)

    def encode(self, x):
        _, states = self.encoder_lstm(x)
        return states

    def decode(self, x, states):
        outputs, states = self.decoder_lstm(x, states)
        return self.decoder_dense(outputs), states

    def forward(self, encoder_inputs, decoder_inputs):
        encoder_states = self.encode(encoder_inputs)
        decoder_outputs, _ = self.decode(decoder_inputs, encoder_states)
        return decoder_outputs


def categorical_crossentropy(y_true, logits):
    # all-zero rows of y_true (after the end) cost nothing
    log_p = torch.log_softmax(logits, dim=-1)
    return -(y_true * log_p).sum(dim=-1).mean()


def decode_sequence(input_seq):
    # Encode the input as state vectors.
    states_value = model.encode(input_seq)
    # Empty target sequence of length 1, filled with the start character.
    target_seq = torch.zeros((1, 1, num_decoder_tokens))
    target_seq[0, 0, target_token_index['\t']] = 1.
    stop_condition = False
    decoded_sentence = ''
    while not stop_condition:
        output_tokens, states_value = model.decode(target_seq, states_value)
        # Sample a token
        sampled_token_index = int(output_tokens[0, -1].argmax())
        sampled_char = target_characters[sampled_token_index]
        decoded_sentence += sampled_char
        # Exit condition: either hit max length or find stop character.
        if sampled_char == '\n' or len(decoded_sentence) > max_decoder_seq_length:
            stop_condition = True
        # Update the target sequence (of length 1).
        target_seq = torch.zeros((1, 1, num_decoder_tokens))
        target_seq[0, 0, sampled_token_index] = 1.
    return decoded_sentence


model = Seq2Seq()
optimizer = torch.optim.RMSprop(model.parameters(), lr=0.005)

for epoch in range(epochs):
    model.train()
    losses = []
    for enc_x, dec_x, dec_y in loader:
        optimizer.zero_grad()
        loss = categorical_crossentropy(dec_y, model(enc_x, dec_x))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        val_loss = categorical_crossentropy(val_set[2], model(val_set[0], val_set[1])).item()
    print('Epoch %d/%d - loss: %.4f - val_loss: %.4f' % (epoch + 1, epochs, np.mean(losses), val_loss))

n_right = 0
with torch.no_grad():
    for seq_index in range(n_val):
        decoded_sentence = decode_sequence(val_set[0][seq_index:seq_index + 1])
        n_right += decoded_sentence == target_texts[seq_index][1:]
        if seq_index < 5:
            print('-')
            print('Input sentence:', input_texts[seq_index])
            print('Decoded sentence:', decoded_sentence.strip())
print('held-out score: %.4f' % (n_right / n_val))
