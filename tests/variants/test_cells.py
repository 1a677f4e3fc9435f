"""Proves that the plain cells, the fast ones and torch's own layers compute the same.

Outputs, last states and gradients agree within 1e-10 in float64, with rows of one length and
with padded ones; through Encoder in every direction and at depths 1 to 3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tests.small import close
from variants.cells import CELLS, Cell, TorchCell, torch_unroll, unroll
from variants.encoder import DIRECTIONS, Encoder, backwards
from variants.stack import Padding, Stack

TORCH: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
M = TypeVar("M", bound=nn.Module)
B, S, INPUTS, H = 4, 6, 3, 5
LENGTHS = torch.tensor([6, 1, 4, 3])
MASK = torch.arange(S) < LENGTHS[:, None]


def filled(module: M, seed: int = 0) -> M:
    """The module in float64, its parameters large enough that no gate is near its middle."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.double().parameters():
            parameter.normal_(std=0.8, generator=generator)
    return module


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def some_cell(name: str) -> Cell:
    return filled(CELLS[name](INPUTS, H))


def parts_of(state: Any) -> list[Tensor]:
    """The state of one of torch's layers, h first."""
    return list(state) if isinstance(state, tuple) else [state]


def derived(outputs: Tensor, state: list[Tensor], of: list[Tensor]) -> list[Tensor]:
    """Gradients of a fixed mixture of outputs and last state."""
    mixed = (outputs * normal(7, *outputs.shape)).sum()
    for number, part in enumerate(state):
        mixed = mixed + (part * normal(8 + number, *part.shape)).sum()
    return list(torch.autograd.grad(mixed, of))


def ran(
    cell: Cell, how: Callable[[Cell, Tensor, Any], tuple[Tensor, Any]]
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Outputs, last state, and gradients of inputs, first state and parameters."""
    inputs = normal(1, B, S, INPUTS).requires_grad_()
    width = len(cell.state._fields)
    first = cell.state(*(normal(20 + part, B, H).requires_grad_() for part in range(width)))
    outputs, last = how(cell, inputs, first)
    of = [inputs, *first, *cell.parameters()]
    return outputs, list(last), derived(outputs, list(last), of)


def same(
    left: tuple[Tensor, list[Tensor], list[Tensor]],
    right: tuple[Tensor, list[Tensor], list[Tensor]],
) -> None:
    close(left[0], right[0])
    for mine, other in zip(left[1] + left[2], right[1] + right[2], strict=True):
        close(mine, other)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_plain_equals_fast(name: str, padded: bool) -> None:
    cell = some_cell(name)
    if not isinstance(cell, TorchCell):
        pytest.skip(f"{name} has no fast form")
    plain = ran(cell, lambda c, x, s: unroll(c, x, s, MASK if padded else None))

    def fast(c: Cell, x: Tensor, s: Any) -> tuple[Tensor, Any]:
        assert isinstance(c, TorchCell)
        return torch_unroll(c, x, s, LENGTHS if padded else None)

    same(plain, ran(cell, fast))


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("name", TORCH)
def test_plain_equals_torch(name: str, padded: bool) -> None:
    """Torch's layer is called here directly, with weights copied by name."""
    cell = some_cell(name)
    layer = filled(TORCH[name](INPUTS, H, batch_first=True), seed=99)
    layer.load_state_dict({key[len("layer.") :]: v for key, v in cell.state_dict().items()})

    inputs = normal(1, B, S, INPUTS).requires_grad_()
    width = len(cell.state._fields)
    first = [normal(20 + part, B, H).requires_grad_() for part in range(width)]
    given: Any = tuple(part[None] for part in first) if width > 1 else first[0][None]
    if padded:
        packed = pack_padded_sequence(inputs, LENGTHS, batch_first=True, enforce_sorted=False)
        packed_outputs, last = layer(packed, given)
        outputs, _ = pad_packed_sequence(packed_outputs, batch_first=True, total_length=S)
    else:
        outputs, last = layer(inputs, given)
    state = [part[0] for part in parts_of(last)]
    theirs = outputs, state, derived(outputs, state, [inputs, *first, *layer.parameters()])

    same(ran(cell, lambda c, x, s: unroll(c, x, s, MASK if padded else None)), theirs)


@pytest.mark.parametrize("name", CELLS)
def test_a_step_is_its_two_halves(name: str) -> None:
    cell = some_cell(name)
    inputs = normal(1, B, 1, INPUTS)
    outputs, last = unroll(cell, inputs, cell.zeros(B, inputs))
    stepped = cell.step(inputs[:, 0], cell.zeros(B, inputs))
    close(outputs[:, 0], stepped.h_BH)
    for mine, other in zip(last, stepped, strict=True):
        close(mine, other)


@pytest.mark.parametrize("name", CELLS)
def test_padding_holds_state_and_gives_zero(name: str) -> None:
    cell = some_cell(name)
    inputs = normal(1, B, S, INPUTS)
    outputs, last = unroll(cell, inputs, cell.zeros(B, inputs), MASK)
    assert (outputs[~MASK] == 0).all()
    close(last.h_BH, outputs[torch.arange(B), LENGTHS - 1])


def test_backwards_reverses_the_real_part() -> None:
    values = normal(1, B, S, 2)
    turned = backwards(values, Padding(MASK, LENGTHS))
    for row, length in enumerate(LENGTHS.tolist()):
        close(turned[row, :length], values[row, :length].flip(0))
        close(turned[row, length:], values[row, length:])
    close(backwards(values, None), values.flip(1))


def torch_layer(encoder: Encoder, name: str, depth: int) -> nn.RNNBase:
    """Torch's own multi-layer module with the encoder's weights."""
    both = encoder.direction == "bidirectional"
    layer = filled(
        TORCH[name](INPUTS, H, num_layers=depth, bidirectional=both, batch_first=True), seed=99
    )

    def cell(stack: nn.Module, index: int) -> nn.RNNBase:
        assert isinstance(stack, Stack)
        found = stack.cells[index]
        assert isinstance(found, TorchCell)
        return found.layer

    with torch.no_grad():
        for level in range(depth):
            sides = (
                [
                    ("", cell(encoder.left_to_right[level], 0)),
                    ("_reverse", cell(encoder.right_to_left[level], 0)),
                ]
                if both
                else [("", cell(encoder.stack, level))]
            )
            for suffix, source in sides:
                for key, value in source.named_parameters():
                    layer.get_parameter(f"{key.removesuffix('_l0')}_l{level}{suffix}").copy_(value)
    return layer


def torch_read(
    layer: nn.RNNBase, inputs: Tensor, padded: bool, turned: bool
) -> tuple[Tensor, list[Tensor]]:
    """Outputs and last states (layers x directions, B, H); rows are turned one by one."""
    lengths = LENGTHS.tolist() if padded else [S] * B
    if turned:
        inputs = torch.stack(
            [torch.cat([row[:n].flip(0), row[n:]]) for row, n in zip(inputs, lengths, strict=True)]
        )
    if not padded:
        outputs, last = layer(inputs)
    else:
        packed = pack_padded_sequence(inputs, LENGTHS, batch_first=True, enforce_sorted=False)
        packed_outputs, last = layer(packed)
        outputs, _ = pad_packed_sequence(packed_outputs, batch_first=True, total_length=S)
    if turned:
        outputs = torch.stack(
            [torch.cat([row[:n].flip(0), row[n:]]) for row, n in zip(outputs, lengths, strict=True)]
        )
    return outputs, parts_of(last)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", TORCH)
def test_encoder_equals_torch(name: str, direction: str, depth: int, padded: bool) -> None:
    encoder = filled(Encoder(direction, name, INPUTS, H, depth, 0.0))
    layer = torch_layer(encoder, name, depth)
    inputs = normal(1, B, S, INPUTS)

    read = encoder(inputs, Padding(MASK, LENGTHS) if padded else None, None)
    outputs, last = torch_read(layer, inputs, padded, direction == "reversed")
    close(read.outputs_BSD, outputs)
    assert len(read.states) == depth
    for part, theirs in enumerate(last):
        # torch lays layers outermost, then directions
        levels = theirs.reshape(depth, -1, *theirs.shape[1:])
        for level, state in enumerate(read.states):
            close(state[part], torch.cat(list(levels[level]), dim=-1))

    mixture = normal(7, *outputs.shape)
    mine = torch.autograd.grad((read.outputs_BSD * mixture).sum(), list(encoder.parameters()))
    other = torch.autograd.grad((outputs * mixture).sum(), list(layer.parameters()))
    assert sum(part.numel() for part in mine) == sum(part.numel() for part in other)
    # the order of parameters differs, their values as a set do not
    close(
        torch.cat([part.flatten() for part in mine]).sort().values,
        torch.cat([part.flatten() for part in other]).sort().values,
    )
