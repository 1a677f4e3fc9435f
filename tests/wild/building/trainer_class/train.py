"""Semantic parsing of smart-home commands.

    "please turn off the red light in the kitchen"  -> "light ( kitchen , red ) = off"
    "set the heater in the hall to nine"            -> "heater ( hall ) = 9"
"""
from __future__ import annotations

import random
import sys
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass
class Config:
    seed: int = 0
    embed_dim: int = 48
    hidden_dim: int = 96
    batch_size: int = 32
    accumulate: int = 1
    steps: int = 110
    lr: float = 6e-3
    clip: float = 5.0
    dropout: float = 0.0
    label_smoothing: float = 0.0
    log_every: int = 40
    specials: Tuple[str, ...] = field(default=("<pad>", "<unk>", "<s>", "</s>"))


# --------------------------------------------------------------------------- data

DEVICES = ["light", "heater", "fan", "radio"]
ROOMS = ["kitchen", "hall", "bedroom", "attic", "garage"]
COLORS = ["red", "big", "old"]
LEVELS = {"one": "1", "three": "3", "five": "5", "seven": "7", "nine": "9"}


def make_clause(rng: random.Random) -> Tuple[List[str], List[str]]:
    device, room = rng.choice(DEVICES), rng.choice(ROOMS)
    color = rng.choice(COLORS) if rng.random() < 0.4 else None
    noun = ["the"] + ([color] if color else []) + [device, "in", "the", room]
    place = [device, "(", room] + ([",", color] if color else []) + [")"]
    if rng.random() < 0.5:
        state = rng.choice(["on", "off"])
        return ["turn", state] + noun, place + ["=", state]
    level = rng.choice(list(LEVELS))
    return ["set"] + noun + ["to", level], place + ["=", LEVELS[level]]


def make_example(rng: random.Random) -> Tuple[List[str], List[str]]:
    source, target = make_clause(rng)
    if rng.random() < 0.3:
        source = ["please"] + source
    return source, target


class Vocabulary:
    def __init__(self, sentences, specials) -> None:
        self.itos = list(specials) + sorted({word for sentence in sentences for word in sentence})
        self.stoi = {word: i for i, word in enumerate(self.itos)}
        self.pad, self.unk, self.bos, self.eos = range(4)

    def encode(self, words: List[str]) -> List[int]:
        return [self.stoi.get(w, self.unk) for w in words] + [self.eos]

    def decode(self, ids: List[int]) -> str:
        if self.eos in ids:
            ids = ids[: ids.index(self.eos)]
        return " ".join(self.itos[i] for i in ids)

    def __len__(self) -> int:
        return len(self.itos)


class CommandData:
    def __init__(self, cfg: Config, n_train: int = 640, n_test: int = 150) -> None:
        self.rng = random.Random(cfg.seed)
        seen, examples = set(), []
        while len(examples) < n_train + n_test:
            source, target = make_example(self.rng)
            if tuple(source) not in seen:
                seen.add(tuple(source))
                examples.append((source, target))
        self.test, self.train = examples[:n_test], examples[n_test:]
        self.src = Vocabulary([s for s, _ in self.train], cfg.specials)
        self.tgt = Vocabulary([t for _, t in self.train], cfg.specials)

    def collate(self, examples) -> Dict[str, Tensor]:
        src = [self.src.encode(s) for s, _ in examples]
        tgt = [self.tgt.encode(t) for _, t in examples]
        src_len = max(map(len, src))
        tgt_len = max(map(len, tgt))
        return {
            "src": torch.tensor([s + [self.src.pad] * (src_len - len(s)) for s in src]),
            "src_mask": torch.tensor([[1] * len(s) + [0] * (src_len - len(s)) for s in src]).bool(),
            "tgt_in": torch.tensor([[self.tgt.bos] + t[:-1] + [self.tgt.pad] * (tgt_len - len(t)) for t in tgt]),
            "tgt_out": torch.tensor([t + [self.tgt.pad] * (tgt_len - len(t)) for t in tgt]),
        }

    def train_batches(self, batch_size: int) -> Iterator[Dict[str, Tensor]]:
        while True:
            self.rng.shuffle(self.train)
            for i in range(0, len(self.train) - batch_size + 1, batch_size):
                yield self.collate(self.train[i : i + batch_size])


# --------------------------------------------------------------------------- model


class Encoder(nn.Module):
    def __init__(self, cfg: Config, n_words: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(n_words, cfg.embed_dim, padding_idx=0)
        self.rnn = nn.GRU(cfg.embed_dim, cfg.hidden_dim // 2, batch_first=True, bidirectional=True)
        self.drop = nn.Dropout(cfg.dropout)

    def forward(self, src: Tensor, mask: Tensor) -> Tuple[Tensor, Tensor]:
        packed = nn.utils.rnn.pack_padded_sequence(
            self.drop(self.embed(src)), mask.sum(1), batch_first=True, enforce_sorted=False
        )
        memory, last = self.rnn(packed)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True)
        return memory, last  # (B, S, H), (2, B, H/2)


class LuongAttention(nn.Module):
    """score(q, k) = q W k / sqrt(d)  ("general", scaled)."""

    def __init__(self, hidden_dim: int) -> None:
        super().__init__()
        self.W = nn.Linear(hidden_dim, hidden_dim, bias=False)

    def forward(self, query: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        query = self.W(query) / query.size(-1) ** 0.5
        scores = (query.unsqueeze(1) @ memory.transpose(1, 2)).squeeze(1)  # (B, S)
        weights = scores.masked_fill(~mask, -1e9).softmax(-1)
        return (weights.unsqueeze(1) @ memory).squeeze(1)


class Decoder(nn.Module):
    def __init__(self, cfg: Config, n_words: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(n_words, cfg.embed_dim, padding_idx=0)
        self.cell = nn.GRUCell(cfg.embed_dim + cfg.hidden_dim, cfg.hidden_dim)
        self.attend = LuongAttention(cfg.hidden_dim)
        self.mix = nn.Linear(2 * cfg.hidden_dim, cfg.hidden_dim)
        self.out = nn.Linear(cfg.hidden_dim, n_words)
        self.drop = nn.Dropout(cfg.dropout)

    def step(self, token: Tensor, state: Tensor, feed: Tensor, memory: Tensor, mask: Tensor):
        state = self.cell(torch.cat([self.drop(self.embed(token)), feed], dim=-1), state)
        context = self.attend(state, memory, mask)
        feed = torch.tanh(self.mix(torch.cat([state, context], dim=-1)))
        return self.out(self.drop(feed)), state, feed


class Parser(nn.Module):
    def __init__(self, cfg: Config, n_src: int, n_tgt: int) -> None:
        super().__init__()
        self.encoder = Encoder(cfg, n_src)
        self.bridge = nn.Linear(cfg.hidden_dim, cfg.hidden_dim)
        self.decoder = Decoder(cfg, n_tgt)

    def start(self, batch: Dict[str, Tensor]):
        memory, last = self.encoder(batch["src"], batch["src_mask"])
        state = torch.tanh(self.bridge(torch.cat([last[0], last[1]], dim=-1)))
        return memory, state, torch.zeros_like(state)

    def forward(self, batch: Dict[str, Tensor]) -> Tensor:
        memory, state, feed = self.start(batch)
        logits = []
        for token in batch["tgt_in"].unbind(1):
            step_logits, state, feed = self.decoder.step(token, state, feed, memory, batch["src_mask"])
            logits.append(step_logits)
        return torch.stack(logits, dim=1)

    @torch.no_grad()
    def generate(self, batch: Dict[str, Tensor], bos: int, eos: int, max_len: int = 14) -> List[List[int]]:
        memory, state, feed = self.start(batch)
        token = torch.full((len(batch["src"]),), bos)
        done = torch.zeros(len(batch["src"]), dtype=torch.bool)
        tokens = []
        for _ in range(max_len):
            logits, state, feed = self.decoder.step(token, state, feed, memory, batch["src_mask"])
            token = logits.argmax(-1)
            tokens.append(token)
            done |= token == eos
            if done.all():
                break
        return torch.stack(tokens, dim=1).tolist()


# --------------------------------------------------------------------------- trainer


class Trainer:
    def __init__(self, cfg: Config) -> None:
        self.cfg = cfg
        torch.manual_seed(cfg.seed)
        self.data = CommandData(cfg)
        self.model = Parser(cfg, len(self.data.src), len(self.data.tgt))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=cfg.lr)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: min(1.0, (step + 1) / 20) * max(0.05, 1 - step / cfg.steps)
        )

    def loss(self, batch: Dict[str, Tensor]) -> Tensor:
        logits = self.model(batch)
        return F.cross_entropy(
            logits.flatten(0, 1),
            batch["tgt_out"].flatten(),
            ignore_index=self.data.tgt.pad,
            label_smoothing=self.cfg.label_smoothing,
        )

    def fit(self) -> None:
        batches = self.data.train_batches(self.cfg.batch_size)
        running = 0.0
        for step in range(1, self.cfg.steps + 1):
            self.model.train()
            self.optimizer.zero_grad()
            for _ in range(self.cfg.accumulate):
                loss = self.loss(next(batches)) / self.cfg.accumulate
                loss.backward()
                running += loss.item()
            nn.utils.clip_grad_norm_(self.model.parameters(), self.cfg.clip)
            self.optimizer.step()
            self.scheduler.step()
            if step % self.cfg.log_every == 0:
                print(f"step {step:4d} | loss {running / self.cfg.log_every:.4f} | lr {self.scheduler.get_last_lr()[0]:.5f}")
                running = 0.0

    def score(self) -> float:
        self.model.eval()
        right = 0
        for i in range(0, len(self.data.test), 100):
            examples = self.data.test[i : i + 100]
            outputs = self.model.generate(self.data.collate(examples), self.data.tgt.bos, self.data.tgt.eos)
            for output, (_, target) in zip(outputs, examples):
                right += self.data.tgt.decode(output) == " ".join(target)
        return right / len(self.data.test)


def main() -> None:
    cfg = Config(seed=int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    torch.set_num_threads(1)
    trainer = Trainer(cfg)
    trainer.fit()
    print(f"held-out score: {trainer.score():.3f}")


if __name__ == "__main__":
    main()
