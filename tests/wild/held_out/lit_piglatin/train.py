"""Pig Latin with a small "lightning without lightning".

string -> ingstray, apple -> appleway
"""
from __future__ import annotations

import random
import sys
from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

torch.set_num_threads(1)
PAD, SOS, EOS, UNK = range(4)


@dataclass
class HParams:
    seed: int = 0
    emb: int = 24
    hidden: int = 64
    heads: int = 1
    dropout: float = 0.1
    lr: float = 7e-3
    batch_size: int = 50
    max_epochs: int = 5
    accumulate_grad_batches: int = 1
    gradient_clip_val: float = 1.0
    train_size: int = 2000
    test_size: int = 200


class Vocabulary:
    def __init__(self, texts: list[str], max_size: int | None = None):
        counts = Counter(c for text in texts for c in text)
        self.itos = ["<pad>", "<sos>", "<eos>", "<unk>"] + [c for c, _ in counts.most_common(max_size)]
        self.stoi = {c: i for i, c in enumerate(self.itos)}

    def __len__(self) -> int:
        return len(self.itos)

    def encode(self, text: str) -> Tensor:
        return torch.tensor([SOS] + [self.stoi.get(c, UNK) for c in text] + [EOS])

    def decode(self, ids: list[int]) -> str:
        if EOS in ids:
            ids = ids[: ids.index(EOS)]
        return "".join(self.itos[i] for i in ids if i > UNK)


class PigLatinData:
    ONSETS = ["", "", "b", "str", "k", "pl", "m", "sh", "t", "gr", "n"]
    VOWELS = ["a", "e", "i", "o", "u"]
    CODAS = ["", "n", "st", "p", "l"]

    def __init__(self, hp: HParams):
        self.hp = hp
        self.rng = random.Random(hp.seed)

    def word(self) -> str:
        w = ""
        for _ in range(self.rng.choice([1, 2])):
            w += self.rng.choice(self.ONSETS) + self.rng.choice(self.VOWELS) + self.rng.choice(self.CODAS)
        return w

    @staticmethod
    def pig(word: str) -> str:
        k = next(i for i, c in enumerate(word) if c in "aeiou")
        return word + "way" if k == 0 else word[k:] + word[:k] + "ay"

    def setup(self) -> None:
        words = set()
        while len(words) < self.hp.train_size + self.hp.test_size:
            words.add(self.word())
        words = sorted(words)
        self.rng.shuffle(words)
        pigs = [self.pig(w) for w in words]
        self.src_vocab, self.tgt_vocab = Vocabulary(words), Vocabulary(pigs)
        examples = list(zip(words, pigs))
        self.test, self.train = examples[: self.hp.test_size], examples[self.hp.test_size :]

    def collate(self, examples: list[tuple[str, str]]) -> dict[str, Tensor]:
        src = pad_sequence([self.src_vocab.encode(s) for s, _ in examples], batch_first=True, padding_value=PAD)
        tgt = pad_sequence([self.tgt_vocab.encode(t) for _, t in examples], batch_first=True, padding_value=PAD)
        return {"src": src, "tgt_in": tgt[:, :-1], "labels": tgt[:, 1:]}

    def train_dataloader(self):
        order = self.train[:]
        self.rng.shuffle(order)
        for i in range(0, len(order), self.hp.batch_size):
            yield self.collate(order[i : i + self.hp.batch_size])

    def val_dataloader(self):
        for i in range(0, len(self.test), 100):
            yield self.collate(self.test[i : i + 100])


class LitSeq2Seq(nn.Module):
    def __init__(self, hp: HParams, n_src: int, n_tgt: int):
        super().__init__()
        self.hp = hp
        self.src_embed = nn.Embedding(n_src, hp.emb, padding_idx=PAD)
        self.tgt_embed = nn.Embedding(n_tgt, hp.emb, padding_idx=PAD)
        self.encoder = nn.GRU(hp.emb, hp.hidden // 2, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(hp.hidden, hp.hidden)
        self.decoder = nn.GRU(hp.emb, hp.hidden, batch_first=True)
        self.attn = nn.MultiheadAttention(hp.hidden, hp.heads, batch_first=True)
        self.head = nn.Sequential(nn.Linear(2 * hp.hidden, hp.hidden), nn.Tanh(), nn.Dropout(hp.dropout),
                                  nn.Linear(hp.hidden, n_tgt))
        self.dropout = nn.Dropout(hp.dropout)
        self.loss_fn = nn.CrossEntropyLoss(ignore_index=PAD)
        self.logged: dict[str, list[float]] = {}

    def log(self, name: str, value) -> None:
        self.logged.setdefault(name, []).append(float(value))

    def encode(self, src: Tensor):
        memory, h = self.encoder(self.dropout(self.src_embed(src)))
        h = torch.tanh(self.bridge(torch.cat([h[0], h[1]], dim=-1)))
        return memory, h.unsqueeze(0), src == PAD

    def decode(self, tokens: Tensor, h: Tensor, memory: Tensor, pad_mask: Tensor):
        out, h = self.decoder(self.dropout(self.tgt_embed(tokens)), h)
        ctx, _ = self.attn(out, memory, memory, key_padding_mask=pad_mask, need_weights=False)
        return self.head(torch.cat([out, ctx], dim=-1)), h

    def forward(self, src: Tensor, tgt_in: Tensor) -> Tensor:
        memory, h, pad_mask = self.encode(src)
        logits, _ = self.decode(tgt_in, h, memory, pad_mask)
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        logits = self(batch["src"], batch["tgt_in"])
        loss = self.loss_fn(logits.flatten(0, 1), batch["labels"].flatten())
        self.log("train_loss", loss.detach())
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["src"], batch["tgt_in"])
        self.log("val_loss", self.loss_fn(logits.flatten(0, 1), batch["labels"].flatten()))

    @torch.no_grad()
    def generate(self, src: Tensor, max_len: int = 16) -> Tensor:
        memory, h, pad_mask = self.encode(src)
        token = src.new_full((src.size(0), 1), SOS)
        tokens = []
        for _ in range(max_len):
            logits, h = self.decode(token, h, memory, pad_mask)
            token = logits[:, -1:].argmax(-1)
            tokens.append(token)
        return torch.cat(tokens, dim=1)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=self.hp.lr)


class Trainer:
    def __init__(self, hp: HParams):
        self.hp = hp

    def fit(self, model: LitSeq2Seq, data: PigLatinData) -> None:
        optimizer = model.configure_optimizers()
        for epoch in range(self.hp.max_epochs):
            model.train()
            model.logged.clear()
            optimizer.zero_grad()
            for batch_idx, batch in enumerate(data.train_dataloader()):
                loss = model.training_step(batch, batch_idx)
                (loss / self.hp.accumulate_grad_batches).backward()
                if (batch_idx + 1) % self.hp.accumulate_grad_batches == 0:
                    nn.utils.clip_grad_norm_(model.parameters(), self.hp.gradient_clip_val)
                    optimizer.step()
                    optimizer.zero_grad()
            model.eval()
            with torch.no_grad():
                for batch_idx, batch in enumerate(data.val_dataloader()):
                    model.validation_step(batch, batch_idx)
            print(f"epoch {epoch}: " + ", ".join(f"{k}={sum(v) / len(v):.4f}" for k, v in model.logged.items()))

    def test(self, model: LitSeq2Seq, data: PigLatinData) -> float:
        model.eval()
        hits = 0
        for i in range(0, len(data.test), 100):
            part = data.test[i : i + 100]
            ids = model.generate(data.collate(part)["src"])
            for (word, pig), row in zip(part, ids.tolist()):
                hits += data.tgt_vocab.decode(row) == pig
        print(word, "->", data.tgt_vocab.decode(row), "| expected", pig)
        return hits / len(data.test)


def main() -> None:
    hp = HParams(seed=int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    torch.manual_seed(hp.seed)
    data = PigLatinData(hp)
    data.setup()
    model = LitSeq2Seq(hp, len(data.src_vocab), len(data.tgt_vocab))
    trainer = Trainer(hp)
    trainer.fit(model, data)
    print(f"held-out score: {trainer.test(model, data):.4f}")


if __name__ == "__main__":
    main()
