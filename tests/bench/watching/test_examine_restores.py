"""Proves that an examination gives everything back to the bit, also when it raises."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn, optim
from torch.nn import functional

import bench

Batch = tuple[Tensor, Tensor]


class Busy(nn.Module):
    """A model that changes as much of itself in each pass as a model can."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 8)
        self.encoder = nn.GRU(8, 8, batch_first=True)
        self.norm = nn.BatchNorm1d(8)
        self.dropout = nn.Dropout(0.2)
        self.unused = nn.Linear(3, 3)
        self.decoder = nn.GRU(8, 8, batch_first=True)
        self.out = nn.Linear(8, 11)
        self.seen: Tensor
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))
        self.hidden: Tensor | None = None
        self.calls = 0
        self.lengths: list[int] = []
        self.last: deque[Tensor] = deque(maxlen=2)
        self.notes: dict[str, Any] = {"means": [0.5]}
        self.generator = torch.Generator().manual_seed(3)
        self.rng = np.random.default_rng(4)
        self.python = random.Random(5)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        self.calls += 1
        self.seen += len(source)
        self.lengths.append(source.shape[1])
        self.rng.random()
        self.python.random()
        np.random.rand()
        random.random()
        noise = torch.rand(8, generator=self.generator) * 0.01
        _, state = self.encoder(self.dropout(self.embedding(source)))
        self.hidden = self.norm(state[0]).detach() + noise
        self.last.append(self.hidden)
        self.notes["means"].append(float(self.hidden.mean()))
        self.notes["made"] = True
        logits: Tensor = self.out(self.decoder(self.embedding(target), self.hidden[None])[0])
        return logits


def batches() -> list[Batch]:
    made = torch.Generator().manual_seed(1)
    given = []
    for _ in range(3):
        source = torch.randint(3, 11, (5, 4), generator=made)
        start, end = torch.full((5, 1), 1), torch.full((5, 1), 2)
        given.append((source, torch.cat([start, source.flip(1), end], 1)))
    return given


def trained() -> tuple[Busy, optim.Optimizer, Any]:
    """Return a model with gradients, an optimizer with a state, and a scheduler, mid-training."""
    torch.manual_seed(0)
    model = Busy()
    optimizer = optim.AdamW(model.parameters(), 0.01)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 2)
    for source, target in batches():
        loss = functional.cross_entropy(model(source, target).flatten(0, 1), target.flatten())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        scheduler.step()
    # a mixture that no single call of train() or eval() gives
    model.eval()
    model.decoder.train()
    model.embedding.weight.requires_grad_(False)
    return model, optimizer, scheduler


def frozen(value: Any) -> Any:
    """Return a value with tensors as bytes, to compare it to the bit."""
    if isinstance(value, Tensor):
        return str(value.dtype), tuple(value.shape), value.detach().numpy().tobytes()
    if isinstance(value, dict):
        return {key: frozen(one) for key, one in value.items()}
    if isinstance(value, list | tuple | deque):
        return [frozen(one) for one in value]
    if isinstance(value, np.ndarray):
        return value.tobytes()
    return value


def everything(model: Busy, optimizer: optim.Optimizer, scheduler: Any) -> dict[str, Any]:
    """Return everything that an examination could change, as plain values."""
    numpy_state = np.random.get_state()
    return {
        "parameters": {name: frozen(p) for name, p in model.named_parameters()},
        "gradients": {
            n: None if p.grad is None else frozen(p.grad) for n, p in model.named_parameters()
        },
        "same gradients": {
            n: id(p.grad) for n, p in model.named_parameters() if p.grad is not None
        },
        "storage": {n: p.data_ptr() for n, p in model.named_parameters()},
        "requires_grad": {n: p.requires_grad for n, p in model.named_parameters()},
        "buffers": {name: frozen(b) for name, b in model.named_buffers()},
        "modes": {name: module.training for name, module in model.named_modules()},
        "hooks": [len(module._forward_pre_hooks) for module in model.modules()],
        "attributes": frozen([model.hidden, model.calls, model.lengths, model.last, model.notes]),
        "generators": frozen(
            [model.generator.get_state(), model.rng.bit_generator.state, model.python.getstate()]
        ),
        "optimizer": frozen(optimizer.state_dict()),
        "scheduler": {k: v for k, v in scheduler.state_dict().items() if not callable(v)},
        "torch": frozen(torch.get_rng_state()),
        "python": random.getstate(),
        "numpy": frozen(list(numpy_state)),
        "grad mode": torch.is_grad_enabled(),
    }


def compared(act: Callable[[Busy, optim.Optimizer, Any], object]) -> None:
    model, optimizer, scheduler = trained()
    before = everything(model, optimizer, scheduler)
    assert None in before["gradients"].values()
    act(model, optimizer, scheduler)
    after = everything(model, optimizer, scheduler)
    for part, value in before.items():
        assert after[part] == value, part


criterion = nn.CrossEntropyLoss()


def test_after_steps_made_up() -> None:
    compared(lambda model, optimizer, _: bench.examine(model, batches(), criterion, optimizer))
    compared(lambda model, optimizer, _: bench.examine(model, batches(), criterion))
    compared(lambda model, optimizer, _: bench.examine(model, batches()))


def test_after_the_users_own_steps() -> None:
    def act(model: Busy, optimizer: optim.Optimizer, scheduler: Any) -> None:
        def step(source: Tensor, target: Tensor) -> None:
            model.train()
            optimizer.zero_grad(set_to_none=False)
            loss = criterion(model(source, target[:, :-1]).flatten(0, 1), target[:, 1:].flatten())
            loss.backward()
            optimizer.step()
            scheduler.step()
            model.unused.requires_grad_(False)

        found = bench.examine(model, batches(), step=step)
        assert found.watched.steps == 4

    compared(act)


@pytest.mark.parametrize("last", [1, 3, 6])
def test_after_an_error_in_the_loss(last: int) -> None:
    def act(model: Busy, optimizer: optim.Optimizer, scheduler: Any) -> None:
        calls = 0

        def loss(logits: Tensor, target: Tensor) -> Tensor:
            nonlocal calls
            calls += 1
            if calls >= last:
                raise RuntimeError("the loss broke")
            return functional.cross_entropy(logits.flatten(0, 1), target.flatten())

        with pytest.raises((RuntimeError, ValueError), match="the loss broke"):
            bench.examine(model, batches(), loss, optimizer)

    compared(act)


def test_after_an_error_in_a_step() -> None:
    def act(model: Busy, optimizer: optim.Optimizer, scheduler: Any) -> None:
        def step(batch: Batch) -> None:
            criterion(model(*batch).flatten(0, 1), batch[1].flatten()).backward()
            optimizer.step()
            if model.calls > 4:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            bench.examine(model, batches(), step=step)

    compared(act)


def test_after_an_error_in_the_batches() -> None:
    def act(model: Busy, optimizer: optim.Optimizer, scheduler: Any) -> None:
        def broken() -> Any:
            yield batches()[int(torch.randint(0, 3, ()))]
            raise OSError("the file is gone")

        with pytest.raises(OSError, match="the file is gone"):
            bench.examine(model, broken(), criterion, optimizer)

    compared(act)


def test_a_model_that_cannot_be_called() -> None:
    def act(model: Busy, optimizer: optim.Optimizer, scheduler: Any) -> None:
        with pytest.raises(ValueError, match="give step="):
            bench.examine(model, [(torch.zeros(3, 4), torch.zeros(3, 4))], criterion, optimizer)

    compared(act)


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
def test_without_gradients_around_it(around: Callable[[], Any]) -> None:
    def act(model: Busy, optimizer: optim.Optimizer, scheduler: Any) -> None:
        with around():
            bench.examine(model, batches(), criterion, optimizer)

    compared(act)


def test_the_object_whose_method_is_the_step() -> None:
    class Trainer:
        def __init__(self) -> None:
            self.model, self.optimizer, _ = trained()
            self.steps, self.losses = 0, [1.5]

        def train_batch(self, batch: Batch) -> None:
            source, target = batch
            loss = criterion(self.model(source, target).flatten(0, 1), target.flatten())
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.steps += 1
            self.losses.append(loss.item())

    trainer = Trainer()
    found = bench.examine(trainer.model, batches(), step=trainer.train_batch)
    assert found.watched.steps == 4
    assert (trainer.steps, trainer.losses) == (0, [1.5])
