import sys, random
import torch
import torch.nn as nn
import torch.optim as optim

# minimal example for my question: reverse a list of letters, one pair at a time
torch.set_num_threads(1)
seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
random.seed(seed)
torch.manual_seed(seed)

letters = "abcdef"
SOS = 0
EOS = 1
word2idx = {"<sos>": 0, "<eos>": 1}
for l in letters:
    word2idx[l] = len(word2idx)
idx2word = {i: w for w, i in word2idx.items()}
VOCAB = len(word2idx)
HIDDEN = 48


def make_pair():
    n = random.randint(2, 4)
    src = [random.choice(letters) for _ in range(n)]
    return src, src[::-1]


def to_tensor(words):
    idx = [word2idx[w] for w in words] + [EOS]
    return torch.tensor(idx, dtype=torch.long)


class EncoderDecoder(nn.Module):
    def __init__(self):
        super(EncoderDecoder, self).__init__()
        self.enc_emb = nn.Embedding(VOCAB, HIDDEN)
        self.dec_emb = nn.Embedding(VOCAB, HIDDEN)
        self.enc = nn.LSTM(HIDDEN, HIDDEN)
        self.dec = nn.LSTMCell(HIDDEN, HIDDEN)
        self.lin = nn.Linear(HIDDEN, VOCAB)
        self.logsm = nn.LogSoftmax(dim=1)

    def encode(self, src):
        _, (h, c) = self.enc(self.enc_emb(src).unsqueeze(1))
        return h[0], c[0]

    def step(self, y, state):
        h, c = self.dec(self.dec_emb(y), state)
        return self.logsm(self.lin(h)), (h, c)


model = EncoderDecoder()
criterion = nn.NLLLoss()
optimizer = optim.Adam(model.parameters(), lr=0.004)


def train_one(src, tgt):
    optimizer.zero_grad()
    state = model.encode(src)
    y = torch.tensor([SOS])
    loss = 0
    for i in range(len(tgt)):
        out, state = model.step(y, state)
        loss += criterion(out, tgt[i:i + 1])
        y = tgt[i:i + 1]
    loss.backward()
    optimizer.step()
    return loss.item() / len(tgt)


def predict(src):
    result = []
    with torch.no_grad():
        state = model.encode(src)
        y = torch.tensor([SOS])
        while len(result) < 8:
            out, state = model.step(y, state)
            y = out.topk(1)[1][0]
            if y.item() == EOS:
                break
            result.append(idx2word[y.item()])
    return result


held_out = [make_pair() for _ in range(150)]
forbidden = set("".join(s) for s, t in held_out)
running = 0
n_iters = 1100
for it in range(1, n_iters + 1):
    src, tgt = make_pair()
    while "".join(src) in forbidden:
        src, tgt = make_pair()
    for g in optimizer.param_groups:
        g["lr"] = 0.004 * (1 - it / (n_iters + 1))
    running += train_one(to_tensor(src), to_tensor(tgt))
    if it % 300 == 0:
        print("iter", it, "loss", running / 300)
        running = 0

right = sum(predict(to_tensor(s)) == t for s, t in held_out)
for s, t in held_out[:3]:
    print(s, "expected", t, "got", predict(to_tensor(s)))
print("held-out score: %.3f" % (right / len(held_out)))
