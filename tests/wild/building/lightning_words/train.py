"""
Teach a seq2seq model to speak Pig Latin, one letter at a time.

    strombo -> ombostray      (leading consonants go to the end, plus "ay")
    elanto  -> elantoway      (words that start with a vowel get "way")

I like how Lightning makes you organise the code, but did not want the
dependency for such a toy, so there is a ~40 line Trainer at the bottom.
"""
import random
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

torch.set_num_threads(1)

PAD, SOS, EOS, UNK = 0, 1, 2, 3
SPECIALS = ["<pad>", "<s>", "</s>", "<unk>"]
VOWELS = "aeiou"


# --------------------------------------------------------------------- data
def make_word(rng):
    onsets = ["b", "c", "d", "f", "g", "h", "l", "m", "n", "p", "r", "s", "t", "v",
              "st", "tr", "br", "pl", "gr", "str", "", ""]
    rare = ["z", "x", "j", "w", "q", "k"]
    word = ""
    for _ in range(rng.randint(2, 3)):
        word += rng.choice(rare) if rng.random() < 0.12 else rng.choice(onsets)
        word += rng.choices(VOWELS, weights=[5, 6, 4, 4, 1])[0]
        if rng.random() < 0.3:
            word += rng.choice("nrslmt")
    return word.capitalize() if rng.random() < 0.5 else word


def pig_latin(word):
    word = word.lower()
    i = 0
    while word[i] not in VOWELS:
        i += 1
    if i == 0:
        return word + "way"
    return word[i:] + word[:i] + "ay"


class Alphabet:
    def __init__(self, words, min_count=1):
        self.counts = {}
        for w in words:
            for ch in w:
                self.counts[ch] = self.counts.get(ch, 0) + 1
        self.itos = SPECIALS + sorted(c for c, n in self.counts.items() if n >= min_count)
        self.stoi = {c: i for i, c in enumerate(self.itos)}

    def __len__(self):
        return len(self.itos)

    def encode(self, word):
        return [self.stoi.get(c, UNK) for c in word]

    def decode(self, ids):
        out = []
        for i in ids:
            if i == EOS:
                break
            out.append(self.itos[i] if i >= len(SPECIALS) else "?")
        return "".join(out)


class WordDataset(Dataset):
    def __init__(self, words, alphabet):
        self.items = []
        for w in words:
            src = alphabet.encode(w.lower())
            tgt = [SOS] + alphabet.encode(pig_latin(w)) + [EOS]
            self.items.append((src, tgt, w))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


def pad_to(seqs, value):
    n = max(len(s) for s in seqs)
    return torch.tensor([s + [value] * (n - len(s)) for s in seqs])


def collate(batch):
    src, tgt, words = zip(*batch)
    return pad_to(src, PAD), pad_to(tgt, PAD), words


class PigLatinDataModule:
    def __init__(self, seed=0, n_train=5000, n_val=300, batch_size=64):
        self.seed, self.n_train, self.n_val = seed, n_train, n_val
        self.batch_size = batch_size

    def setup(self):
        rng = random.Random(self.seed)
        words = set()
        while len(words) < self.n_train + self.n_val:
            words.add(make_word(rng).lower() if rng.random() < 0.5 else make_word(rng))
        words = sorted(words)
        rng.shuffle(words)
        train, val = words[self.n_val:], words[:self.n_val]
        seen = {w.lower() for w in train}
        val = [w for w in val if w.lower() not in seen]
        self.alphabet = Alphabet([pig_latin(w) for w in train])
        self.train_set = WordDataset(train, self.alphabet)
        self.val_set = WordDataset(val, self.alphabet)

    def letter_weights(self):
        """Rare letters (q, x, z ...) should not be drowned out by the vowels."""
        n = torch.ones(len(self.alphabet))
        for _, tgt, _ in self.train_set:
            for i in tgt[1:]:
                n[i] += 1
        w = (n.sum() / n).sqrt()
        w[:SOS + 1] = 0.0
        w[UNK] = 0.0
        return w / w[w > 0].mean()

    def train_dataloader(self):
        return DataLoader(self.train_set, self.batch_size, shuffle=True, collate_fn=collate)

    def val_dataloader(self):
        return DataLoader(self.val_set, 100, shuffle=False, collate_fn=collate)


# -------------------------------------------------------------------- model
class Encoder(nn.Module):
    def __init__(self, vocab, emb, hid):
        super().__init__()
        self.embedding = nn.Embedding(vocab, emb, padding_idx=PAD)
        self.gru = nn.GRU(emb, hid, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(2 * hid, hid)
        self.proj = nn.Linear(2 * hid, hid)

    def forward(self, src):
        lengths = (src != PAD).sum(1)
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(src), lengths, batch_first=True, enforce_sorted=False)
        out, h = self.gru(packed)
        out, _ = nn.utils.rnn.pad_packed_sequence(out, batch_first=True)
        h = torch.tanh(self.bridge(torch.cat([h[0], h[1]], dim=1)))
        return self.proj(out), h


class Decoder(nn.Module):
    def __init__(self, vocab, emb, hid):
        super().__init__()
        self.embedding = nn.Embedding(vocab, emb, padding_idx=PAD)
        self.cell = nn.GRUCell(emb, hid)
        self.combine = nn.Linear(2 * hid, hid)
        self.out = nn.Linear(hid, vocab)
        self.scale = hid ** -0.5

    def forward(self, token, h, memory, mask):
        h = self.cell(self.embedding(token), h)
        scores = torch.bmm(memory, h.unsqueeze(2)).squeeze(2) * self.scale
        scores = scores.masked_fill(~mask, float("-inf"))
        attn = scores.softmax(dim=1)
        context = torch.bmm(attn.unsqueeze(1), memory).squeeze(1)
        logits = self.out(torch.tanh(self.combine(torch.cat([h, context], dim=1))))
        return logits, h


class LitPigLatin(nn.Module):
    def __init__(self, alphabet, letter_weights, emb=32, hid=128, lr=3e-3, max_epochs=3):
        super().__init__()
        self.alphabet = alphabet
        self.lr = lr
        self.max_epochs = max_epochs
        self.encoder = Encoder(len(alphabet), emb, hid)
        self.decoder = Decoder(len(alphabet), emb, hid)
        self.register_buffer("letter_weights", letter_weights)
        self.max_len = 24

    def forward(self, src, tgt):
        """Teacher forcing, returns logits (B, T-1, V)."""
        memory, h = self.encoder(src)
        mask = src != PAD
        steps = []
        for t in range(tgt.size(1) - 1):
            token = tgt[:, t]
            logits, h = self.decoder(token, h, memory, mask)
            steps.append(logits)
        return torch.stack(steps, dim=1)

    @torch.no_grad()
    def generate(self, src):
        memory, h = self.encoder(src)
        mask = src != PAD
        token = torch.full((src.size(0),), SOS)
        result = []
        for _ in range(self.max_len):
            logits, h = self.decoder(token, h, memory, mask)
            token = logits.argmax(dim=1)
            result.append(token)
        return torch.stack(result, dim=1)

    def training_step(self, batch, batch_idx):
        src, tgt, _ = batch
        logits = self(src, tgt)
        loss = F.cross_entropy(logits.flatten(0, 1), tgt[:, 1:].flatten(),
                               weight=self.letter_weights, ignore_index=PAD)
        return loss

    def validation_step(self, batch, batch_idx):
        src, _, words = batch
        hyp = self.generate(src)
        right = 0
        for h, word in zip(hyp.tolist(), words):
            right += self.alphabet.decode(h) == pig_latin(word)
        return right, len(src)

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), lr=self.lr)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
        return [optimizer], [scheduler]


# ------------------------------------------------------------------ trainer
class Trainer:
    def __init__(self, max_epochs, gradient_clip_val=None):
        self.max_epochs = max_epochs
        self.gradient_clip_val = gradient_clip_val

    def fit(self, module, datamodule):
        optimizers, schedulers = module.configure_optimizers()
        loader = datamodule.train_dataloader()
        for epoch in range(self.max_epochs):
            module.train()
            total = 0.0
            for batch_idx, batch in enumerate(loader):
                loss = module.training_step(batch, batch_idx)
                for opt in optimizers:
                    opt.zero_grad()
                loss.backward()
                if self.gradient_clip_val:
                    nn.utils.clip_grad_norm_(module.parameters(), self.gradient_clip_val)
                for opt in optimizers:
                    opt.step()
                total += loss.item()
            for sched in schedulers:
                sched.step()
            print(f"epoch {epoch}: train_loss={total / len(loader):.4f}  "
                  f"val_acc={self.validate(module, datamodule):.3f}", flush=True)

    def validate(self, module, datamodule):
        module.eval()
        right = count = 0
        for batch_idx, batch in enumerate(datamodule.val_dataloader()):
            r, n = module.validation_step(batch, batch_idx)
            right, count = right + r, count + n
        return right / count


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    random.seed(seed)
    torch.manual_seed(seed)
    dm = PigLatinDataModule(seed)
    dm.setup()
    model = LitPigLatin(dm.alphabet, dm.letter_weights())
    trainer = Trainer(max_epochs=model.max_epochs, gradient_clip_val=1.0)
    trainer.fit(model, dm)
    print(f"held-out score: {trainer.validate(model, dm):.3f}")


if __name__ == "__main__":
    main()
