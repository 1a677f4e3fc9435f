"""Small sound models as different people write them, with their batches and losses.

Each function gives what its author would hand to `bench.examine`: the model, the batches, and the
rest by name.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn, optim
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader

VOCAB = 13
Given = tuple[Any, Any, dict[str, Any]]


def pairs(
    count: int, first: int = 4, longest: int = 6, seed: int = 1
) -> list[tuple[list[int], list[int]]]:
    """Return words and their reversals, without start and end."""
    rng = random.Random(seed)
    words = [
        [rng.randrange(first, VOCAB) for _ in range(rng.randint(3, longest))] for _ in range(count)
    ]
    return [(word, word[::-1]) for word in words]


def padded(rows: list[list[int]], pad: int = 0, left: bool = False) -> Tensor:
    longest = max(map(len, rows))
    fill = [[pad] * (longest - len(row)) for row in rows]
    full = [f + r if left else r + f for f, r in zip(fill, rows, strict=True)]
    return torch.tensor(full)


def batch(
    rows: int = 8, pad: int = 0, bos: int = 1, eos: int = 2, seed: int = 1, left: bool = False
) -> tuple[Tensor, Tensor]:
    """Return sources and targets with start and end, batch first."""
    found = pairs(rows, seed=seed)
    source = padded([[*s, eos] for s, _ in found], pad, left)
    return source, padded([[bos, *t, eos] for _, t in found], pad)


def batches(count: int = 3, **kwargs: Any) -> list[tuple[Tensor, Tensor]]:
    return [batch(seed=seed, **kwargs) for seed in range(count)]


class Plain(nn.Module):
    """As the shortest tutorials have it: two GRUs, everything forced."""

    def __init__(self, size: int = 16, pad: int = 0, source_vocab: int = VOCAB) -> None:
        super().__init__()
        self.src_embed = nn.Embedding(source_vocab, size, padding_idx=pad)
        self.trg_embed = nn.Embedding(VOCAB, size, padding_idx=pad)
        self.encoder = nn.GRU(size, size, batch_first=True)
        self.decoder = nn.GRU(size, size, batch_first=True)
        self.out = nn.Linear(size, VOCAB)

    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        _, hidden = self.encoder(self.src_embed(src))
        output, _ = self.decoder(self.trg_embed(trg), hidden)
        logits: Tensor = self.out(output)
        return logits


def plain_triples() -> Given:
    given = [(s, t[:, :-1], t[:, 1:]) for s, t in batches()]
    return Plain(), given, {"loss": nn.CrossEntropyLoss(ignore_index=0)}


def plain_without_loss() -> Given:
    return Plain(), batches(), {}


def plain_one_batch() -> Given:
    return Plain(), batch(), {"loss": nn.CrossEntropyLoss(ignore_index=0)}


def plain_functional() -> Given:
    return Plain(), batches(), {"loss": functools.partial(F.cross_entropy, ignore_index=0)}


# Ben Trevett's notebooks: time first, a loop, outputs[0] stays empty


class BenEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, 12)
        self.rnn = nn.GRU(12, 16)
        self.dropout = nn.Dropout(0.5)

    def forward(self, src: Tensor) -> Tensor:
        embedded = self.dropout(self.embedding(src))
        _, hidden = self.rnn(embedded)
        return hidden  # type: ignore[no-any-return]


class BenDecoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.output_dim = VOCAB
        self.embedding = nn.Embedding(VOCAB, 12)
        self.rnn = nn.GRU(12, 16)
        self.fc_out = nn.Linear(16, VOCAB)
        self.dropout = nn.Dropout(0.5)

    def forward(self, input: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        input = input.unsqueeze(0)
        embedded = self.dropout(self.embedding(input))
        output, hidden = self.rnn(embedded, hidden)
        return self.fc_out(output.squeeze(0)), hidden


class BenSeq2Seq(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = BenEncoder(), BenDecoder()

    def forward(self, src: Tensor, trg: Tensor, teacher_forcing_ratio: float = 0.5) -> Tensor:
        trg_len, batch_size = trg.shape
        outputs = torch.zeros(trg_len, batch_size, self.decoder.output_dim)
        hidden = self.encoder(src)
        input = trg[0, :]
        for t in range(1, trg_len):
            output, hidden = self.decoder(input, hidden)
            outputs[t] = output
            teacher_force = random.random() < teacher_forcing_ratio
            top1 = output.argmax(1)
            input = trg[t] if teacher_force else top1
        return outputs


def ben_batches(**kwargs: Any) -> list[tuple[Tensor, Tensor]]:
    return [(s.t().contiguous(), t.t().contiguous()) for s, t in batches(**kwargs)]


def ben() -> Given:
    model = BenSeq2Seq()
    return (
        model,
        ben_batches(),
        {"loss": nn.CrossEntropyLoss(ignore_index=0), "optimizer": optim.Adam(model.parameters())},
    )


def ben_own_shift() -> Given:
    criterion = nn.CrossEntropyLoss(ignore_index=0)

    def loss_fn(output: Tensor, trg: Tensor) -> Tensor:
        loss: Tensor = criterion(output[1:].view(-1, VOCAB), trg[1:].reshape(-1))
        return loss

    return BenSeq2Seq(), ben_batches(), {"loss": loss_fn}


def ben_objects() -> Given:
    given = [SimpleNamespace(src=s, trg=t, batch_size=8) for s, t in ben_batches()]
    return BenSeq2Seq(), given, {"loss": nn.CrossEntropyLoss(ignore_index=0)}


def ben_square() -> Given:
    """As many rows as steps and symbols."""
    rng = random.Random(3)
    words = [[rng.randrange(4, VOCAB) for _ in range(rng.randint(4, 11))] for _ in range(12)]
    words.append([rng.randrange(4, VOCAB) for _ in range(11)])
    source = padded([[*w, 2, 0] for w in words]).t()
    target = padded([[1, *w[::-1], 2] for w in words]).t()
    given = [(source.contiguous(), target.contiguous())]
    assert source.shape == target.shape == (13, 13)
    return BenSeq2Seq(), given, {"loss": nn.CrossEntropyLoss(ignore_index=0)}


# the PyTorch tutorial: batch first, log-probabilities, its own start symbol, several outputs


class TutorialModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enc_embedding = nn.Embedding(VOCAB, 16)
        self.enc_gru = nn.GRU(16, 16, batch_first=True)
        self.embedding = nn.Embedding(VOCAB, 16)
        self.Wa, self.Ua, self.Va = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 1)
        self.gru = nn.GRU(32, 16, batch_first=True)
        self.out = nn.Linear(16, VOCAB)

    def forward(
        self, input_tensor: Tensor, target_tensor: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        encoder_outputs, hidden = self.enc_gru(self.enc_embedding(input_tensor))
        batch_size = encoder_outputs.size(0)
        decoder_input = torch.empty(batch_size, 1, dtype=torch.long).fill_(0)
        decoder_outputs, attentions = [], []
        steps = 7 if target_tensor is None else target_tensor.size(1)
        for i in range(steps):
            query = hidden.permute(1, 0, 2)
            scores = self.Va(torch.tanh(self.Wa(query) + self.Ua(encoder_outputs)))
            weights = F.softmax(scores.squeeze(2).unsqueeze(1), dim=-1)
            context = torch.bmm(weights, encoder_outputs)
            step = torch.cat((self.embedding(decoder_input), context), dim=2)
            output, hidden = self.gru(step, hidden)
            decoder_outputs.append(self.out(output))
            attentions.append(weights)
            if target_tensor is not None:
                decoder_input = target_tensor[:, i].unsqueeze(1)
            else:
                decoder_input = output.argmax(-1).detach()
        joined = F.log_softmax(torch.cat(decoder_outputs, dim=1), dim=-1)
        return joined, hidden, torch.cat(attentions, dim=1)


def tutorial() -> Given:
    found = [pairs(8, first=3, seed=seed) for seed in range(3)]
    given = [
        (padded([[*s, 1] for s, _ in one]), padded([[*t, 1] for _, t in one])) for one in found
    ]
    return TutorialModel(), given, {"loss": nn.NLLLoss()}


# symbols second, lengths in between, packed


class PackedConv(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(VOCAB, 16)
        self.lstm_enc = nn.LSTM(16, 8, bidirectional=True, batch_first=True)
        self.lstm_dec = nn.LSTM(16, 16, batch_first=True)
        self.proj = nn.Linear(16, VOCAB)

    def forward(self, src: Tensor, src_len: Tensor, trg: Tensor) -> Tensor:
        packed = pack_padded_sequence(
            self.emb(src), src_len, batch_first=True, enforce_sorted=False
        )
        out, (h, c) = self.lstm_enc(packed)
        pad_packed_sequence(out, batch_first=True)
        h, c = (torch.cat([x[0], x[1]], 1)[None] for x in (h, c))
        dec, _ = self.lstm_dec(self.emb(trg), (h, c))
        scores: Tensor = self.proj(dec)
        return scores.transpose(1, 2)


def with_lengths() -> Given:
    given = [(s, (s != 0).sum(1), t) for s, t in batches()]
    return PackedConv(), given, {"loss": nn.CrossEntropyLoss(ignore_index=0)}


def with_lengths_in_pairs() -> Given:
    given = [SimpleNamespace(src=(s, (s != 0).sum(1)), trg=t) for s, t in batches()]
    return PackedConv(), given, {"loss": nn.CrossEntropyLoss(ignore_index=0)}


def symbols_second() -> Given:
    given = [
        {"src": s, "src_len": (s != 0).sum(1), "trg": t[:, :-1], "y": t[:, 1:]}
        for s, t in batches()
    ]

    def loss(scores: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(scores, y, ignore_index=0)

    return PackedConv(), given, {"loss": loss}


# in the manner of Hugging Face: dicts, labels of -100, the loss inside


@dataclass
class ModelOutput:
    loss: Tensor | None
    logits: Tensor


class FaceModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Embedding(VOCAB, 16, padding_idx=0)
        self.encoder = nn.GRU(16, 16, batch_first=True)
        self.decoder = nn.GRU(16, 16, batch_first=True)
        self.lm_head = nn.Linear(16, VOCAB, bias=False)
        self.lm_head.weight = self.shared.weight

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, labels: Tensor | None = None
    ) -> ModelOutput:
        assert labels is not None
        fed = labels.new_full(labels.shape, 1)
        fed[:, 1:] = labels[:, :-1]
        fed = fed.masked_fill(fed == -100, 0)
        _, state = self.encoder(self.shared(input_ids))
        logits = self.lm_head(self.decoder(self.shared(fed), state)[0])
        loss = F.cross_entropy(logits.view(-1, VOCAB), labels.view(-1), ignore_index=-100)
        return ModelOutput(loss, logits)


def face() -> Given:
    given = []
    for s, t in batches():
        labels = t[:, 1:].masked_fill(t[:, 1:] == 0, -100)
        given.append({"input_ids": s, "attention_mask": (s != 0).long(), "labels": labels})
    return FaceModel(), given, {}


# a tagger


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(VOCAB, 12, padding_idx=0)
        self.lstm = nn.LSTM(12, 8, bidirectional=True, batch_first=True)
        self.hidden2tag = nn.Linear(16, 3)

    def forward(self, sentence: Tensor) -> Tensor:
        lstm_out, _ = self.lstm(self.word_embeddings(sentence))
        tags: Tensor = self.hidden2tag(lstm_out)
        return tags


def tagger() -> Given:
    given = [(s, (s % 3).masked_fill(s == 0, -100)) for s, _ in batches()]
    return Tagger(), given, {"loss": nn.CrossEntropyLoss()}


def tagger_of_word_beginnings() -> Given:
    """Labels stand at the first part of each word only, as in token classification."""
    given = [(s, (s % 3).masked_fill((s == 0) | (s % 2 == 1), -100)) for s, _ in batches()]
    return Tagger(), given, {"loss": nn.CrossEntropyLoss()}


def tagger_flat_log() -> Given:
    class Flat(Tagger):
        def forward(self, sentence: Tensor) -> Tensor:
            return F.log_softmax(super().forward(sentence).view(-1, 3), dim=1)

    given = [{"tokens": s, "tags": (s % 3).masked_fill(s == 0, -1)} for s, _ in batches()]
    return Flat(), given, {"loss": nn.NLLLoss(ignore_index=-1)}


# other kinds of batches


def arrays() -> Given:
    given = [(s.numpy(), t.numpy()) for s, t in batches()]
    return Plain(), given, {"loss": nn.CrossEntropyLoss(ignore_index=0)}


def lists() -> Given:
    given = [[s.tolist(), t.tolist()] for s, t in batches()]
    return Plain(), given, {"loss": nn.CrossEntropyLoss(ignore_index=0)}


def small_integers() -> Given:
    given = [(s.int(), t.int()) for s, t in batches()]
    return Plain(), given, {"loss": nn.CrossEntropyLoss(ignore_index=0)}


def generator() -> Given:
    def stream() -> Iterator[tuple[Tensor, Tensor]]:
        seed = 0
        while True:
            yield batch(seed=seed)
            seed += 1

    return Plain(), stream(), {"loss": nn.CrossEntropyLoss(ignore_index=0)}


def loader() -> Given:
    data = [(torch.tensor([*s, 2]), torch.tensor([1, *t, 2])) for s, t in pairs(40)]

    def collate(rows: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        return tuple(pad_sequence(list(x), batch_first=True) for x in zip(*rows, strict=True))  # type: ignore[return-value]

    return (
        Plain(),
        DataLoader(data, batch_size=8, shuffle=True, collate_fn=collate, drop_last=True),  # type: ignore[arg-type]
        {"loss": nn.CrossEntropyLoss(ignore_index=0)},
    )


def other_ids() -> Given:
    """Padding 1, start 0, end 3, as fairseq has them."""
    given = batches(pad=1, bos=0, eos=3)
    return Plain(pad=1), given, {"loss": nn.CrossEntropyLoss(ignore_index=1)}


def padding_below_zero() -> Given:
    given = [(s, t[:, :-1], t[:, 1:].masked_fill(t[:, 1:] == 0, -1)) for s, t in batches()]
    return Plain(), given, {"loss": nn.CrossEntropyLoss(ignore_index=-1)}


def padding_minus_hundred() -> Given:
    given = [(s, t.masked_fill(t == 0, -100)) for s, t in batches()]
    return Plain(), given, {"loss": nn.CrossEntropyLoss()}


def larger_source_vocabulary() -> Given:
    given = [(s + 100 * (s > 3), t) for s, t in batches()]
    return Plain(source_vocab=200), given, {"loss": nn.CrossEntropyLoss(ignore_index=0)}


def more_rows_than_symbols() -> Given:
    return Plain(), batches(rows=40), {"loss": nn.CrossEntropyLoss(ignore_index=0)}


def one_row() -> Given:
    return Plain(), batches(6, rows=1), {"loss": nn.CrossEntropyLoss()}


def left_padding() -> Given:
    return Plain(), batches(left=True), {"loss": nn.CrossEntropyLoss(ignore_index=0)}


class FixedSize(nn.Module):
    """The batch size is built in, as in many first models."""

    def __init__(self, batch_size: int = 8) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.hidden_size = 16
        self.embed = nn.Embedding(VOCAB, 16)
        self.enc = nn.LSTM(16, 16, batch_first=True)
        self.dec = nn.LSTM(16, 16, batch_first=True)
        self.linear = nn.Linear(16, VOCAB)

    def init_hidden(self) -> tuple[Tensor, Tensor]:
        zeros = torch.zeros(1, self.batch_size, self.hidden_size)
        return zeros, zeros.clone()

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        _, state = self.enc(self.embed(x), self.init_hidden())
        out, _ = self.dec(self.embed(y), state)
        logits: Tensor = self.linear(out)
        return logits


def built_in_rows() -> Given:
    return FixedSize(), batches(), {"loss": nn.CrossEntropyLoss(ignore_index=0)}


# losses


def smoothed() -> Given:
    return Plain(), batches(), {"loss": nn.CrossEntropyLoss(ignore_index=0, label_smoothing=0.1)}


def class_weights() -> Given:
    weight = torch.rand(VOCAB, generator=torch.Generator().manual_seed(0)) + 0.5
    weight[0] = 0
    return Plain(), batches(), {"loss": nn.CrossEntropyLoss(weight=weight)}


def summed() -> Given:
    return Plain(), batches(), {"loss": nn.CrossEntropyLoss(ignore_index=0, reduction="sum")}


def summed_over_steps() -> Given:
    def loss(logits: Tensor, target: Tensor) -> Tensor:
        total = torch.zeros(())
        for t in range(logits.size(1)):
            total = total + F.cross_entropy(logits[:, t], target[:, t])
        return total

    return Plain(), [(s, t[:, :-1], t[:, 1:]) for s, t in batches()], {"loss": loss}


def masked_by_hand() -> Given:
    def mask_nll_loss(inp: Tensor, target: Tensor, mask: Tensor) -> tuple[Tensor, float]:
        total = mask.sum()
        cross = -torch.log(torch.gather(F.softmax(inp, -1), 2, target.unsqueeze(2)).squeeze(2))
        return cross.masked_select(mask).mean(), total.item()

    return Plain(), [(s, t[:, :-1], t[:, 1:]) for s, t in batches()], {"loss": mask_nll_loss}


def keras_order() -> Given:
    loss_object = nn.CrossEntropyLoss(reduction="none")

    def loss_function(real: Tensor, pred: Tensor) -> Tensor:
        mask = real.ge(1).float()
        loss: Tensor = loss_object(pred.transpose(1, 2), real) * mask
        return loss.mean()

    return Plain(), [(s, t[:, :-1], t[:, 1:]) for s, t in batches()], {"loss": loss_function}


class LabelSmoothing(nn.Module):
    """As in the Annotated Transformer, without padding."""

    def __init__(self, smoothing: float = 0.1) -> None:
        super().__init__()
        self.criterion = nn.KLDivLoss(reduction="sum")
        self.smoothing = smoothing

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        true_dist = torch.full_like(x, self.smoothing / (x.size(1) - 2))
        true_dist.scatter_(1, target.unsqueeze(1), 1 - self.smoothing)
        true_dist[:, 0] = 0
        true_dist.masked_fill_((target == 0).unsqueeze(1), 0.0)
        loss: Tensor = self.criterion(x.log_softmax(-1), true_dist.detach())
        return loss / (target != 0).sum()


def smoothed_by_hand() -> Given:
    return Plain(), batches(), {"loss": LabelSmoothing()}


# coins in forward


class Coin(nn.Module):
    """A decoder of cells that throws a coin of its own at each step."""

    def __init__(self, coin: str) -> None:
        super().__init__()
        self.coin = coin
        self.embedding = nn.Embedding(VOCAB, 16)
        self.encoder = nn.GRU(16, 16, batch_first=True)
        self.cell = nn.GRUCell(16, 16)
        self.out = nn.Linear(16, VOCAB)

    def heads(self) -> bool:
        if self.coin == "random":
            return random.random() < 0.5
        if self.coin == "numpy":
            return bool(np.random.rand() < 0.5)
        return bool(torch.rand(1) < 0.5)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        _, state = self.encoder(self.embedding(source))
        hidden, token, steps = state[0], target[:, 0], []
        for t in range(1, target.shape[1]):
            hidden = self.cell(self.embedding(token), hidden)
            logits = self.out(hidden)
            steps.append(logits)
            token = target[:, t] if self.heads() else logits.argmax(1)
        return torch.stack(steps, 1)


def coin_random() -> Given:
    return Coin("random"), batches(), {"loss": nn.CrossEntropyLoss(ignore_index=0)}


def coin_numpy() -> Given:
    return Coin("numpy"), batches(), {"loss": nn.CrossEntropyLoss(ignore_index=0)}


def coin_torch() -> Given:
    return Coin("torch"), batches(), {"loss": nn.CrossEntropyLoss(ignore_index=0)}


class Listed(Coin):
    def forward(self, source: Tensor, target: Tensor) -> list[Tensor]:  # type: ignore[override]
        return list(super().forward(source, target).unbind(1))


def list_of_steps() -> Given:
    return Listed("torch"), batches(), {"loss": nn.CrossEntropyLoss(ignore_index=0)}


def frozen_embeddings() -> Given:
    model = Plain()
    model.src_embed.weight.requires_grad_(False)
    trained = [p for p in model.parameters() if p.requires_grad]
    return (
        model,
        batches(),
        {"loss": nn.CrossEntropyLoss(ignore_index=0), "optimizer": optim.Adam(trained)},
    )


def frozen_whole() -> Given:
    model = Plain().requires_grad_(False).eval()
    return model, batches(), {"loss": nn.CrossEntropyLoss(ignore_index=0)}


class SmallTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(VOCAB, 16)
        self.pos = nn.Parameter(torch.randn(20, 16) * 0.1)
        self.transformer = nn.Transformer(16, 2, 1, 1, 32, dropout=0.1, batch_first=True)
        self.head = nn.Linear(16, VOCAB)

    def forward(self, src: Tensor, tgt: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(tgt.size(1))
        hidden = self.transformer(
            self.emb(src) + self.pos[: src.size(1)],
            self.emb(tgt) + self.pos[: tgt.size(1)],
            tgt_mask=mask,
            src_key_padding_mask=torch.zeros_like(src, dtype=torch.float).masked_fill(
                src == 0, float("-inf")
            ),
        )
        logits: Tensor = self.head(hidden)
        return logits


def transformer() -> Given:
    return SmallTransformer(), batches(), {"loss": nn.CrossEntropyLoss(ignore_index=0)}


# steps of one's own


def clears_after() -> Given:
    model = Plain()
    optimizer, criterion = optim.Adam(model.parameters(), 1e-3), nn.CrossEntropyLoss(ignore_index=0)

    def train_step(batch: tuple[Tensor, Tensor]) -> float:
        src, trg = batch
        loss = criterion(model(src, trg[:, :-1]).reshape(-1, VOCAB), trg[:, 1:].reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()  # type: ignore[no-any-return]

    for one in batches(10):
        train_step(one)
    return model, batches(), {"step": train_step}


def accumulates() -> Given:
    model = Plain()
    optimizer, criterion = optim.SGD(model.parameters(), 0.1), nn.CrossEntropyLoss(ignore_index=0)
    count = 0

    def train_step(src: Tensor, trg: Tensor) -> None:
        nonlocal count
        loss = criterion(model(src, trg[:, :-1]).reshape(-1, VOCAB), trg[:, 1:].reshape(-1))
        (loss / 2).backward()
        count += 1
        if count % 2 == 0:
            optimizer.step()
            optimizer.zero_grad()

    return model, batches(4), {"step": train_step}


def returns_loss() -> Given:
    model = Plain()
    criterion = nn.CrossEntropyLoss(ignore_index=0)

    def training_step(batch: dict[str, Tensor]) -> Tensor:
        logits = model(batch["s"], batch["t"][:, :-1])
        loss: Tensor = criterion(logits.flatten(0, 1), batch["t"][:, 1:].flatten())
        return loss

    return model, [{"s": s, "t": t} for s, t in batches()], {"step": training_step}


def only_backward() -> Given:
    model, criterion = Plain(), nn.CrossEntropyLoss(ignore_index=0)

    def step(batch: tuple[Tensor, Tensor]) -> None:
        src, trg = batch
        criterion(model(src, trg[:, :-1]).flatten(0, 1), trg[:, 1:].flatten()).backward()

    return model, batches(), {"step": step, "optimizer": optim.Adam(model.parameters())}


def two_modules() -> Given:
    encoder, decoder = BenEncoder(), BenDecoder()
    encoder_optimizer = optim.SGD(encoder.parameters(), 0.01)
    decoder_optimizer = optim.SGD(decoder.parameters(), 0.01)
    criterion = nn.CrossEntropyLoss(ignore_index=0)

    def train(batch: tuple[Tensor, Tensor]) -> float:
        input_tensor, target_tensor = batch
        encoder_optimizer.zero_grad()
        decoder_optimizer.zero_grad()
        loss = torch.zeros(())
        hidden = encoder(input_tensor)
        decoder_input = target_tensor[0]
        forced = random.random() < 0.5
        for di in range(1, len(target_tensor)):
            output, hidden = decoder(decoder_input, hidden)
            loss = loss + criterion(output, target_tensor[di])
            decoder_input = target_tensor[di] if forced else output.argmax(1).detach()
        loss.backward()  # type: ignore[no-untyped-call]
        encoder_optimizer.step()
        decoder_optimizer.step()
        return loss.item() / len(target_tensor)

    given = [b for b in ben_batches() if (b[1] != 0).any(1).all()]
    return [encoder, decoder], given, {"step": train}


SOUND = (
    plain_triples,
    plain_without_loss,
    plain_one_batch,
    plain_functional,
    ben,
    ben_own_shift,
    ben_objects,
    ben_square,
    tutorial,
    with_lengths,
    with_lengths_in_pairs,
    symbols_second,
    face,
    tagger,
    tagger_of_word_beginnings,
    tagger_flat_log,
    arrays,
    lists,
    small_integers,
    generator,
    loader,
    other_ids,
    padding_below_zero,
    padding_minus_hundred,
    larger_source_vocabulary,
    more_rows_than_symbols,
    one_row,
    left_padding,
    built_in_rows,
    smoothed,
    class_weights,
    summed,
    summed_over_steps,
    masked_by_hand,
    keras_order,
    smoothed_by_hand,
    coin_random,
    coin_numpy,
    coin_torch,
    list_of_steps,
    frozen_embeddings,
    frozen_whole,
    transformer,
    clears_after,
    accumulates,
    returns_loss,
    only_backward,
    two_modules,
)
"""All of them."""
