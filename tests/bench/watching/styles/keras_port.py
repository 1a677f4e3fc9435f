# character translation as in the example of Keras, with one-hot tensors
import random
import sys

import numpy as np
import torch
import torch.nn as nn

seed = 0
random.seed(seed)
np.random.seed(seed)
torch.manual_seed(seed)
epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 2
batch_size = 32
latent_dim = 48

letters = 'abcdefg'
input_texts, target_texts = [], []
for _ in range(500):
    word = ''.join(random.choice(letters) for _ in range(random.randint(3, 5)))
    input_texts.append(word)
    target_texts.append('\t' + word[::-1].upper() + '\n')
input_characters = sorted(set(''.join(input_texts)))
target_characters = sorted(set(''.join(target_texts)))
num_encoder_tokens = len(input_characters)
num_decoder_tokens = len(target_characters)
max_encoder_seq_length = max(len(txt) for txt in input_texts)
max_decoder_seq_length = max(len(txt) for txt in target_texts)
input_token_index = {char: i for i, char in enumerate(input_characters)}
target_token_index = {char: i for i, char in enumerate(target_characters)}


def vectorize(texts, index, length):
    ids = torch.tensor([[index.get(c, 0) for c in text.ljust(length)] for text in texts])
    present = torch.tensor([[[float(t < len(text))] for t in range(length)] for text in texts])
    return torch.zeros(len(texts), length, len(index)).scatter_(2, ids[:, :, None], 1.0) * present


class Seq2Seq(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.LSTM(num_encoder_tokens, latent_dim, batch_first=True)
        self.decoder = nn.LSTM(num_decoder_tokens, latent_dim, batch_first=True)
        self.dense = nn.Linear(latent_dim, num_decoder_tokens)

    def forward(self, encoder_inputs, decoder_inputs):
        _, states = self.encoder(encoder_inputs)
        outputs, _ = self.decoder(decoder_inputs, states)
        return torch.softmax(self.dense(outputs), dim=-1)


model = Seq2Seq()
optimizer = torch.optim.RMSprop(model.parameters(), lr=0.005)
train_rows = list(range(460))
for epoch in range(epochs):
    random.shuffle(train_rows)
    for start in range(0, len(train_rows), batch_size):
        rows = train_rows[start : start + batch_size]
        encoder_input_data = vectorize(
            [input_texts[r] for r in rows], input_token_index, max_encoder_seq_length
        )
        decoder_input_data = vectorize(
            [target_texts[r] for r in rows], target_token_index, max_decoder_seq_length
        )
        decoder_target_data = vectorize(
            [target_texts[r][1:] for r in rows], target_token_index, max_decoder_seq_length
        )
        p = model(encoder_input_data, decoder_input_data)
        loss = -(decoder_target_data * torch.log(p.clamp(1e-7, 1.0))).sum(-1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def decode_sequence(text):
    input_seq = vectorize([text], input_token_index, max_encoder_seq_length)
    with torch.no_grad():
        _, states = model.encoder(input_seq)
        target_seq = np.zeros((1, 1, num_decoder_tokens), dtype='float32')
        target_seq[0, 0, target_token_index['\t']] = 1.0
        decoded = ''
        while len(decoded) < max_decoder_seq_length:
            output, states = model.decoder(torch.from_numpy(target_seq), states)
            output_tokens = torch.softmax(model.dense(output), -1).numpy()
            sampled_token_index = int(np.argmax(output_tokens[0, -1, :]))
            sampled_char = target_characters[sampled_token_index]
            decoded += sampled_char
            if sampled_char == '\n':
                break
            target_seq = np.zeros((1, 1, num_decoder_tokens), dtype='float32')
            target_seq[0, 0, sampled_token_index] = 1.0
    return decoded


right = sum(decode_sequence(input_texts[r]) == target_texts[r][1:] for r in range(460, 500))
print('right', right / 40)
