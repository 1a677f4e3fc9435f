"""What is seen of evaluations, on small loops of training with a fault and their sound twins."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from bench.watching.watch import Watch

PAD, SOS, EOS, SYMBOLS, HIDDEN = 0, 1, 2, 12, 24


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS, HIDDEN)
        self.gru = nn.GRU(HIDDEN, HIDDEN, batch_first=True)

    def forward(self, source: Tensor) -> Tensor:
        state: Tensor = self.gru(self.embedding(source))[1]
        return state


class Decoder(nn.Module):
    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS, HIDDEN)
        self.gru = nn.GRU(HIDDEN, HIDDEN, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(HIDDEN, SYMBOLS)

    def forward(self, fed: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        output, state = self.gru(self.embedding(fed), state)
        return self.out(self.dropout(output)), state


def batch(size: int = 16) -> tuple[Tensor, Tensor]:
    """Return sources and targets: the same symbols backwards between start and end, padded."""
    lengths = torch.randint(2, 6, (size,)).tolist()
    source = torch.zeros(size, 6, dtype=torch.long)
    target = torch.zeros(size, 8, dtype=torch.long)
    for row, length in enumerate(lengths):
        symbols = torch.randint(3, SYMBOLS, (length,))
        source[row, :length] = symbols
        target[row, 1 : length + 1] = symbols.flip(0)
        target[row, 0], target[row, length + 1] = SOS, EOS
    return source, target


Evaluate = Callable[[Encoder, Decoder], object]


def greedy(
    encoder: Encoder,
    decoder: Decoder,
    start: int = SOS,
    carried: bool = True,
    steps: int = 7,
) -> tuple[Tensor, Tensor]:
    """Return chosen symbols and targets."""
    source, target = batch()
    first = state = encoder(source)
    token = torch.full((len(source), 1), start)
    chosen = []
    for _ in range(steps):
        logits, state = decoder(token, state if carried else first)
        token = logits.argmax(-1)
        chosen.append(token)
    return torch.cat(chosen, 1), target


@torch.no_grad()
def sound(encoder: Encoder, decoder: Decoder) -> float:
    encoder.eval(), decoder.eval()
    out, target = greedy(encoder, decoder)
    real = target[:, 1:] != PAD
    encoder.train(), decoder.train()
    return float((((out == target[:, 1:]) & real).sum() / real.sum()).item())


def causes(evaluate: Evaluate, steps: int = 40, dropout: float = 0.0) -> dict[str, str]:
    """Train for some steps, evaluate now and then, and return the findings."""
    torch.manual_seed(0)
    encoder, decoder = Encoder(), Decoder(dropout)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=0.01)
    criterion = nn.CrossEntropyLoss(ignore_index=PAD)
    with Watch() as watch:
        for step in range(steps):
            source, target = batch()
            logits, _ = decoder(target[:, :-1], encoder(source))
            loss = criterion(logits.reshape(-1, SYMBOLS), target[:, 1:].reshape(-1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % 20 == 19:
                evaluate(encoder, decoder)
        evaluate(encoder, decoder)
    seen = watch.watched.evaluations
    assert seen is not None
    assert seen.passes >= 3
    return {finding.cause: finding.sure for finding in watch.findings}


def test_sound() -> None:
    assert causes(sound, dropout=0.5) == {}


def test_dropout() -> None:
    @torch.no_grad()
    def evaluate(encoder: Encoder, decoder: Decoder) -> None:
        greedy(encoder, decoder)

    assert causes(evaluate, dropout=0.5) == {"dropout-in-evaluation": "certain"}
    assert causes(evaluate, dropout=0.0) == {}


def test_dropout_without_no_grad() -> None:
    def evaluate(encoder: Encoder, decoder: Decoder) -> None:
        greedy(encoder, decoder)

    assert causes(evaluate, dropout=0.5) == {"dropout-in-evaluation": "certain"}


def test_dropout_only_while_training_is_scored() -> None:
    @torch.no_grad()
    def evaluate(encoder: Encoder, decoder: Decoder) -> None:
        greedy(encoder, decoder)
        sound(encoder, decoder)

    assert "dropout-in-evaluation" not in causes(evaluate, dropout=0.5)


@pytest.mark.parametrize("start", [EOS, PAD])
def test_start(start: int) -> None:
    @torch.no_grad()
    def evaluate(encoder: Encoder, decoder: Decoder) -> None:
        greedy(encoder, decoder, start=start)

    assert causes(evaluate, steps=120) == {"wrong-start-at-evaluation": "certain"}


def test_start_token_by_token() -> None:
    @torch.no_grad()
    def evaluate(encoder: Encoder, decoder: Decoder) -> None:
        for row in batch()[0]:
            state = encoder(row[None])
            token, out = torch.tensor([[EOS]]), []
            for _ in range(7):
                logits, state = decoder(token, state)
                chosen = int(logits[0, -1].argmax().item())
                out.append(chosen)
                if chosen == EOS:
                    break
                token = torch.tensor([[chosen]])

    assert causes(evaluate, steps=120) == {"wrong-start-at-evaluation": "certain"}


def test_state_lost() -> None:
    @torch.no_grad()
    def evaluate(encoder: Encoder, decoder: Decoder) -> None:
        greedy(encoder, decoder, carried=False)

    assert causes(evaluate) == {"state-not-carried-at-evaluation": "certain"}


def test_growing_prefix_is_sound() -> None:
    @torch.no_grad()
    def evaluate(encoder: Encoder, decoder: Decoder) -> None:
        state = encoder(batch()[0])
        fed = torch.full((16, 1), SOS)
        for _ in range(7):
            logits, _ = decoder(fed, state)
            fed = torch.cat([fed, logits[:, -1:].argmax(-1)], 1)

    assert causes(evaluate) == {}


def test_forced() -> None:
    @torch.no_grad()
    def evaluate(encoder: Encoder, decoder: Decoder) -> float:
        source, target = batch()
        logits, _ = decoder(target[:, :-1], encoder(source))
        real = target[:, 1:] != PAD
        return float((logits.argmax(-1) == target[:, 1:])[real].float().mean())

    def both(encoder: Encoder, decoder: Decoder) -> None:
        evaluate(encoder, decoder)
        sound(encoder, decoder)

    assert causes(evaluate) == {"forced-at-evaluation": "certain"}
    assert causes(both) == {}


def test_forced_by_steps() -> None:
    @torch.no_grad()
    def evaluate(encoder: Encoder, decoder: Decoder) -> None:
        source, target = batch()
        state = encoder(source)
        for t in range(7):
            logits, state = decoder(target[:, t : t + 1], state)
            logits.argmax(-1)

    assert causes(evaluate) == {"forced-at-evaluation": "certain"}


def test_padding_in_score() -> None:
    @torch.no_grad()
    def evaluate(encoder: Encoder, decoder: Decoder) -> float:
        out, target = greedy(encoder, decoder)
        return float((out == target[:, 1:]).float().mean())

    assert causes(evaluate, steps=200) == {"metric-on-padding": "certain"}


def test_other_ids() -> None:
    @torch.no_grad()
    def evaluate(encoder: Encoder, decoder: Decoder) -> None:
        state = encoder(batch()[0])
        token = torch.full((16, 1), SOS)
        for _ in range(7):
            logits, state = decoder(token, state)
            token = (logits.argmax(-1) + 1).clamp(max=SYMBOLS - 1)

    assert causes(evaluate) == {"labels-off-by-one": "certain"}


def test_one_symbol_fed_at_every_step() -> None:
    @torch.no_grad()
    def evaluate(encoder: Encoder, decoder: Decoder) -> None:
        state = encoder(batch()[0])
        tokens = torch.full((16, 1), SOS)
        for _ in range(7):
            logits, state = decoder(tokens[:, :1], state)
            tokens = torch.cat([tokens, logits.argmax(-1)], 1)

    assert causes(evaluate) == {"always-start-at-evaluation": "certain"}


def test_decoding_that_stops_too_early() -> None:
    @torch.no_grad()
    def evaluate(encoder: Encoder, decoder: Decoder) -> None:
        greedy(encoder, decoder, steps=4)

    @torch.no_grad()
    def until_ended(encoder: Encoder, decoder: Decoder) -> None:
        for row in batch()[0]:
            state, token = encoder(row[None]), torch.tensor([[SOS]])
            for _ in range(7):
                logits, state = decoder(token, state)
                token = logits.argmax(-1)
                if int(token) == EOS:
                    break

    assert causes(evaluate, steps=300) == {"stops-too-early": "likely"}
    assert causes(until_ended, steps=120) == {}
