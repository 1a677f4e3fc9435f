"""Learning phrase representations: the context vector goes into every step of the decoder and into the output layer."""
import random
import sys

import torch
import torch.nn as nn
import torch.optim as optim

SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(SEED)
torch.manual_seed(SEED)
torch.set_num_threads(1)


class Encoder(nn.Module):
    def __init__(self, input_dim, emb_dim, hid_dim):
        super().__init__()
        self.embedding = nn.Embedding(input_dim, emb_dim)
        self.rnn = nn.GRU(emb_dim, hid_dim)

    def forward(self, src):
        outputs, hidden = self.rnn(self.embedding(src))
        return hidden


class Decoder(nn.Module):
    def __init__(self, output_dim, emb_dim, hid_dim):
        super().__init__()
        self.output_dim = output_dim
        self.embedding = nn.Embedding(output_dim, emb_dim)
        self.rnn = nn.GRU(emb_dim + hid_dim, hid_dim)
        self.fc_out = nn.Linear(emb_dim + hid_dim * 2, output_dim)

    def forward(self, input, hidden, context):
        embedded = self.embedding(input.unsqueeze(0))
        output, hidden = self.rnn(torch.cat((embedded, context), dim=2), hidden)
        output = torch.cat((embedded.squeeze(0), hidden.squeeze(0), context.squeeze(0)), dim=1)
        return self.fc_out(output), hidden


class Seq2Seq(nn.Module):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, src, trg, teacher_forcing_ratio=0.5):
        outputs = torch.zeros(trg.shape[0], trg.shape[1], self.decoder.output_dim)
        context = self.encoder(src)
        hidden = context
        input = trg[0, :]
        for t in range(1, trg.shape[0]):
            output, hidden = self.decoder(input, hidden, context)
            outputs[t] = output
            input = trg[t] if random.random() < teacher_forcing_ratio else output.argmax(1)
        return outputs


# weekday arithmetic: "mon plus two" -> "it is wed", some with "minus"; a mood word is copied
DAYS = 'mon tue wed thu fri sat sun'.split()
NUMS = 'one two three four five'.split()
MOOD = 'please quickly now kindly'.split()
data = []
for d in range(7):
    for s, sign in (('plus', 1), ('minus', -1)):
        for n in range(5):
            for a in MOOD:
                for b in MOOD:
                    data.append(([a, DAYS[d], s, NUMS[n], b], [b, 'it', 'is', DAYS[(d + sign * (n + 1)) % 7], a]))
random.shuffle(data)
SRC = sorted({w for s, _ in data for w in s})
TRG = ['<sos>', '<eos>'] + sorted({w for _, t in data for w in t})
x = torch.tensor([[SRC.index(w) for w in s] for s, _ in data]).t()
y = torch.tensor([[0] + [TRG.index(w) for w in t] + [1] for _, t in data]).t()
n_test = 150

model = Seq2Seq(Encoder(len(SRC), 32, 80), Decoder(len(TRG), 32, 80))
for name, param in model.named_parameters():
    nn.init.normal_(param.data, mean=0, std=0.1)
optimizer = optim.Adam(model.parameters(), lr=0.006)
criterion = nn.CrossEntropyLoss()

for epoch in range(28):
    model.train()
    epoch_loss = 0
    for idx in (torch.randperm(x.shape[1] - n_test) + n_test).split(64):
        optimizer.zero_grad()
        output = model(x[:, idx], y[:, idx])
        loss = criterion(output[1:].view(-1, output.shape[-1]), y[1:, idx].reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1)
        optimizer.step()
        epoch_loss += loss.item()
    model.eval()
    with torch.no_grad():
        output = model(x[:, :n_test], y[:, :n_test], 0)
        acc = (output[1:].argmax(2) == y[1:, :n_test]).float().mean().item()
    print(f'Epoch {epoch + 1:02} train loss {epoch_loss:.3f} valid acc {acc:.3f}')

print(f'held-out score: {acc:.3f}')
