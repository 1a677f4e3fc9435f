"""Proves that a watch reads trainings of many kinds: each sound, and with a slip that it names.

The slip is the same everywhere, a softmax over the steps before the loss, so a kind whose
predictions or loss could not be read would fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from bench.watching.watch import Watch

PAD, BOS, EOS, SYMBOLS, HIDDEN = 0, 1, 2, 12, 16
STEPS = 8


def batch() -> tuple[Tensor, Tensor, Tensor]:
    """Return sources (B, S), their lengths (B), and their reversals (B, T), all padded."""
    lengths = torch.randint(3, 7, (8,)).sort(descending=True).values
    source, target = torch.full((8, 6), PAD), torch.full((8, 8), PAD)
    for row, length in enumerate(lengths.tolist()):
        symbols = torch.randint(3, SYMBOLS, (length,))
        source[row, :length] = symbols
        ends = torch.tensor([BOS]), symbols.flip(0), torch.tensor([EOS])
        target[row, : length + 2] = torch.cat(ends)
    return source[:, : int(lengths[0])], lengths, target[:, : int(lengths[0]) + 2]


def loss_of(logits: Tensor, targets: Tensor, slip: bool) -> Tensor:
    """Return the mean cross-entropy of logits (B, T, V) and targets (B, T)."""
    if slip:
        logits = logits.log_softmax(1)
        return functional.nll_loss(logits.flatten(0, 1), targets.flatten(), ignore_index=PAD)
    return functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=PAD)


class Translator(nn.Module):
    """A GRU encoder-decoder; the parts that kinds replace are its methods."""

    def __init__(self, tied: bool = False) -> None:
        super().__init__()
        self.source = nn.Embedding(SYMBOLS, HIDDEN, PAD)
        self.target = nn.Embedding(SYMBOLS, HIDDEN, PAD)
        self.encoder = nn.GRU(HIDDEN, HIDDEN, batch_first=True)
        self.decoder = nn.GRU(HIDDEN, HIDDEN, batch_first=True)
        self.out = nn.Linear(HIDDEN, SYMBOLS)
        if tied:
            self.out.weight = self.target.weight

    def encode(self, source: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return outputs (B, S, H) and the last state (1, B, H)."""
        outputs, state = self.encoder(self.source(source))
        return outputs, state

    def decode(self, fed: Tensor, memory: Tensor, state: Tensor) -> Tensor:
        """Return decoder outputs (B, T, H)."""
        outputs: Tensor = self.decoder(self.target(fed), state)[0]
        return outputs

    def forward(self, source: Tensor, lengths: Tensor, fed: Tensor) -> Tensor:
        """Return logits (B, T, V)."""
        logits: Tensor = self.out(self.decode(fed, *self.encode(source, lengths)))
        return logits


class Packed(Translator):
    """Gives the encoder packed sequences."""

    def encode(self, source: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        packed = pack_padded_sequence(self.source(source), lengths, batch_first=True)
        outputs, state = self.encoder(packed)
        return pad_packed_sequence(outputs, batch_first=True)[0], state


class Cells(Translator):
    """Decodes in a loop of a GRUCell, and encodes in one."""

    def __init__(self) -> None:
        super().__init__()
        del self.encoder, self.decoder
        self.reader, self.cell = nn.GRUCell(HIDDEN, HIDDEN), nn.GRUCell(HIDDEN, HIDDEN)

    def encode(self, source: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        state, outputs = torch.zeros(len(source), HIDDEN), []
        for step in range(source.shape[1]):
            real = (source[:, step] != PAD)[:, None]
            state = torch.where(real, self.reader(self.source(source[:, step]), state), state)
            outputs.append(state)
        return torch.stack(outputs, 1), state[None]

    def decode(self, fed: Tensor, memory: Tensor, state: Tensor) -> Tensor:
        hidden, outputs = state[0], []
        for step in range(fed.shape[1]):
            hidden = self.cell(self.target(fed[:, step]), hidden)
            outputs.append(hidden)
        return torch.stack(outputs, 1)


class TransformerDecoder(Translator):
    """Has a Transformer decoder over the outputs of a GRU."""

    def __init__(self) -> None:
        super().__init__()
        del self.decoder
        layer = nn.TransformerDecoderLayer(HIDDEN, 2, 32, 0.1, batch_first=True)
        self.layers = nn.TransformerDecoder(layer, 1)
        self.places = nn.Embedding(16, HIDDEN)

    def decode(self, fed: Tensor, memory: Tensor, state: Tensor) -> Tensor:
        steps = fed.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(steps)
        embedded = self.target(fed) + self.places(torch.arange(steps))
        outputs: Tensor = self.layers(embedded, memory, tgt_mask=mask, tgt_is_causal=True)
        return outputs


def one_step(model: nn.Module, slip: bool) -> Tensor:
    source, lengths, target = batch()
    return loss_of(model(source, lengths, target[:, :-1]), target[:, 1:], slip)


def plainly(model: nn.Module, optimizer: Optimizer, slip: bool) -> None:
    for _ in range(STEPS):
        optimizer.zero_grad()
        one_step(model, slip).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def accumulated(model: nn.Module, optimizer: Optimizer, slip: bool) -> None:
    for _ in range(STEPS):
        for _ in range(3):
            (one_step(model, slip) / 3).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()


def autocast(model: nn.Module, optimizer: Optimizer, slip: bool) -> None:
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    for _ in range(STEPS):
        optimizer.zero_grad()
        source, lengths, target = batch()
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(model(source, lengths, target[:, :-1]), target[:, 1:], slip)
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()


class Tagger(nn.Module):
    """A bidirectional LSTM that gives each source symbol a label."""

    def __init__(self) -> None:
        super().__init__()
        self.source = nn.Embedding(SYMBOLS, HIDDEN, PAD)
        self.lstm = nn.LSTM(HIDDEN, HIDDEN, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * HIDDEN, 4)

    def forward(self, source: Tensor, lengths: Tensor, fed: Tensor) -> Tensor:
        """Return logits (B, S, 4); what would be fed is not used."""
        logits: Tensor = self.out(self.lstm(self.source(source))[0])
        return logits


def tagging(model: nn.Module, optimizer: Optimizer, slip: bool) -> None:
    for _ in range(STEPS):
        source, lengths, _ = batch()
        labels = torch.where(source == PAD, PAD, source % 3 + 1)
        optimizer.zero_grad()
        loss_of(model(source, lengths, source), labels, slip).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


KINDS: dict[str, tuple[Callable[[], nn.Module], Callable[[nn.Module, Optimizer, bool], None]]] = {
    "plain": (Translator, plainly),
    "packed sequences": (Packed, plainly),
    "loops of GRUCell": (Cells, plainly),
    "tied weights": (lambda: Translator(tied=True), plainly),
    "Transformer decoder": (TransformerDecoder, plainly),
    "tagger": (Tagger, tagging),
    "accumulated gradients": (Translator, accumulated),
    "autocast to bfloat16": (Translator, autocast),
    "autocast in loops": (Cells, autocast),
}


def check(doctor: Watch, slip: bool) -> None:
    """Check that the training could be read whole, and that the slip alone is found."""
    assert not [text for text in doctor.watched.unseen if "error in bench" in text]
    assert doctor.steps == STEPS
    assert doctor.watched.losses is not None
    assert doctor.watched.rows is not None
    found = [(finding.cause, finding.sure) for finding in doctor.findings]
    assert found == ([("softmax-over-time", "certain")] if slip else [])


@pytest.mark.parametrize("slip", [False, True], ids=["sound", "slip"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_training_can_be_read(kind: str, slip: bool) -> None:
    torch.manual_seed(0)
    make, train = KINDS[kind]
    with Watch() as doctor:
        model = make()
        train(model, torch.optim.Adam(model.parameters(), 0.01), slip)
    check(doctor, slip)


def loader() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    for _ in range(STEPS):
        yield batch()


@pytest.mark.filterwarnings("ignore")  # that library's own
@pytest.mark.parametrize("slip", [False, True], ids=["sound", "slip"])
def test_lightning(slip: bool, tmp_path: Any) -> None:
    lightning = pytest.importorskip("pytorch_lightning")

    class Module(lightning.LightningModule):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = Translator()

        def training_step(self, given: tuple[Tensor, Tensor, Tensor], index: int) -> Tensor:
            source, lengths, target = given
            return loss_of(self.model(source, lengths, target[:, :-1]), target[:, 1:], slip)

        def configure_optimizers(self) -> Optimizer:
            return torch.optim.Adam(self.parameters(), 0.01)

    torch.manual_seed(0)
    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    with Watch() as doctor:
        batches: Any = list(loader())  # a list has all that a loader asks for
        trainer.fit(Module(), DataLoader(batches, batch_size=None))
    check(doctor, slip)


@pytest.mark.filterwarnings("ignore")  # that library's own
@pytest.mark.parametrize("slip", [False, True], ids=["sound", "slip"])
def test_trainer_of_transformers(slip: bool, tmp_path: Any) -> None:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")

    class Labelled(nn.Module):
        """Returns its own loss, as that trainer wants it."""

        def __init__(self) -> None:
            super().__init__()
            self.model = Translator()

        def forward(self, input_ids: Tensor, lengths: Tensor, labels: Tensor) -> dict[str, Tensor]:
            logits = self.model(input_ids, lengths, labels[:, :-1])
            return {"loss": loss_of(logits, labels[:, 1:], slip), "logits": logits}

    def collate(rows: list[Any]) -> dict[str, Tensor]:
        source, lengths, target = batch()
        return {"input_ids": source, "lengths": lengths, "labels": target}

    torch.manual_seed(0)
    settings = transformers.TrainingArguments(
        output_dir=str(tmp_path),
        max_steps=STEPS,
        per_device_train_batch_size=8,
        learning_rate=0.01,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    rows = [SimpleNamespace(index=index) for index in range(8 * STEPS)]
    with Watch() as doctor:
        transformers.Trainer(Labelled(), settings, collate, rows).train()
    check(doctor, slip)
