"""Proves that the plain cells, the fast ones and torch's own layers compute the same.

Outputs, last states and gradients agree within 1e-10 in float64, with rows of one length and
with padded ones; through Encoder in every direction and at depths 1 to 4. Cells that torch has
not agree with a loop over their paper's equations; every cell passes gradcheck.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tests.small import close
from variants.cells import (
    CELLS,
    LSTM,
    Cell,
    ScanCell,
    Stabilised,
    TorchCell,
    fastest,
    kept_unroll,
    loop_unroll,
    torch_unroll,
    unroll,
)
from variants.cells.minimal import scan
from variants.encoder import DIRECTIONS, Encoder, backwards
from variants.stack import Layers, Padding, Stack

TORCH: dict[str, Callable[..., nn.RNNBase]] = {
    "rnn": nn.RNN,
    "rnn-relu": partial(nn.RNN, nonlinearity="relu"),
    "gru": nn.GRU,
    "lstm": nn.LSTM,
}
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
    # positive, as the normaliser of slstm is
    drawn = (normal(20 + part, B, H).abs() for part in range(width))
    first = cell.state(*(part.requires_grad_() for part in drawn))
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
    mask, lengths = (MASK, LENGTHS) if padded else (None, None)
    plain = ran(cell, lambda c, x, s: unroll(c, x, s, mask))
    same(plain, ran(cell, lambda c, x, s: fastest(c, x, s, mask, lengths)))
    same(plain, ran(cell, lambda c, x, s: loop_unroll(c, x, s, lengths)))
    if isinstance(cell, LSTM) and mask is not None and lengths is not None:
        lstm = cell
        same(plain, ran(cell, lambda _, x, s: kept_unroll(lstm, x, s, MASK, LENGTHS)))
    if isinstance(cell, TorchCell):
        same(plain, ran(cell, lambda c, x, s: torch_unroll(c, x, s, lengths)))


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_a_processor_without_a_bfloat16_lstm(
    lengths: Tensor | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """oneDNN of some processors raises at an LSTM in bfloat16; torch without oneDNN has one."""
    cell = some_cell("lstm")
    real: Any = torch._VF.lstm

    def refused(*arguments: Any) -> Any:
        if torch._C._get_mkldnn_enabled():
            raise RuntimeError("could not create a primitive descriptor for the LSTM")
        return real(*arguments)

    expected = ran(cell, lambda c, x, s: torch_unroll(c, x, s, lengths))
    monkeypatch.setattr(torch._VF, "lstm", refused)
    same(expected, ran(cell, lambda c, x, s: torch_unroll(c, x, s, lengths)))


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("name", TORCH)
def test_plain_equals_torch(name: str, padded: bool) -> None:
    """Torch's layer is called here directly, with weights copied by name."""
    cell = some_cell(name)
    layer = filled(TORCH[name](INPUTS, H, batch_first=True), seed=99)
    layer.load_state_dict({key[len("layer.") :]: v for key, v in cell.state_dict().items()})

    inputs = normal(1, B, S, INPUTS).requires_grad_()
    width = len(cell.state._fields)
    first = [normal(20 + part, B, H).abs().requires_grad_() for part in range(width)]
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
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", TORCH)
def test_encoder_equals_torch(name: str, direction: str, depth: int, padded: bool) -> None:
    encoder = filled(Encoder(direction, Layers(name, H, depth), INPUTS, "zeros"))
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


# cells that torch has not, against their papers


def sigmoid(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value))


def normalised(values: list[float], scale: list[float], shift: list[float]) -> list[float]:
    """Ba et al. 2016, eq. 4, with torch's epsilon."""
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / len(values)
    return [
        g * (value - mean) / math.sqrt(variance + 1e-5) + b
        for value, g, b in zip(values, scale, shift, strict=True)
    ]


Vector = list[float]
Step = Callable[[Any, Vector, list[Vector]], list[Vector]]


def product(linear: Any, values: Vector) -> Vector:
    """W v + b, number by number."""
    bias = [0.0] * linear.out_features if linear.bias is None else linear.bias.tolist()
    return [
        sum(w * v for w, v in zip(row, values, strict=True)) + b
        for row, b in zip(linear.weight.tolist(), bias, strict=True)
    ]


def by_gate(gates: Vector) -> list[Vector]:
    return [gates[start : start + H] for start in range(0, len(gates), H)]


def layer_norm_step(cell: Any, x: Vector, state: list[Vector]) -> list[Vector]:
    """Ba et al. 2016, eq. 20 to 22."""
    h, c = state
    own = normalised(
        product(cell.inputs, x), cell.norm_inputs.weight.tolist(), cell.norm_inputs.bias.tolist()
    )
    recurred = product(cell.recurrence, h)
    scale = cell.norm_recurrence.weight.tolist()
    recurred = normalised(recurred, scale, [0.0] * len(recurred))
    i, f, g, o = by_gate([a + b for a, b in zip(own, recurred, strict=True)])
    c = [sigmoid(f[k]) * c[k] + sigmoid(i[k]) * math.tanh(g[k]) for k in range(H)]
    shown = normalised(c, cell.norm_cell.weight.tolist(), cell.norm_cell.bias.tolist())
    return [[sigmoid(o[k]) * math.tanh(shown[k]) for k in range(H)], c]


def slstm_step(cell: Any, x: Vector, state: list[Vector]) -> list[Vector]:
    """Beck et al. 2024, eq. 8 to 14, without the stabiliser: c and n grow as they are."""
    h, c, n = state
    sums = [
        a + b for a, b in zip(product(cell.inputs, x), product(cell.recurrence, h), strict=True)
    ]
    i, f, z, o = by_gate(sums)
    c = [sigmoid(f[k]) * c[k] + math.exp(i[k]) * math.tanh(z[k]) for k in range(H)]
    n = [sigmoid(f[k]) * n[k] + math.exp(i[k]) for k in range(H)]
    return [[sigmoid(o[k]) * c[k] / n[k] for k in range(H)], c, n]


def g(value: float) -> float:
    """Feng et al. 2024, appendix B."""
    return value + 0.5 if value >= 0 else sigmoid(value)


def mingru_step(cell: Any, x: Vector, state: list[Vector]) -> list[Vector]:
    """Feng et al. 2024, section 3.1."""
    (h,) = state
    z, candidate = by_gate(product(cell.inputs, x))
    return [[(1 - sigmoid(z[k])) * h[k] + sigmoid(z[k]) * g(candidate[k]) for k in range(H)]]


def minlstm_step(cell: Any, x: Vector, state: list[Vector]) -> list[Vector]:
    """Feng et al. 2024, section 3.2."""
    (h,) = state
    f, i, candidate = by_gate(product(cell.inputs, x))
    both = [sigmoid(f[k]) + sigmoid(i[k]) for k in range(H)]
    return [
        [
            sigmoid(f[k]) / both[k] * h[k] + sigmoid(i[k]) / both[k] * g(candidate[k])
            for k in range(H)
        ]
    ]


STEPS: dict[str, tuple[Step, int]] = {
    "lstm-layernorm": (layer_norm_step, 2),
    "slstm": (slstm_step, 3),
    "mingru": (mingru_step, 1),
    "minlstm": (minlstm_step, 1),
}


def test_every_cell_is_compared() -> None:
    assert {*TORCH, *STEPS} == {*CELLS}


@pytest.mark.parametrize("name", STEPS)
@torch.no_grad()
def test_equals_its_paper(name: str) -> None:
    step, parts = STEPS[name]
    cell, inputs = some_cell(name), normal(1, 1, S, INPUTS)
    outputs, last = unroll(cell, inputs, cell.zeros(1, inputs))
    state = [[0.0] * H for _ in range(parts)]
    for t in range(S):
        state = step(cell, inputs[0, t].tolist(), state)
        close(outputs[0, t], torch.tensor(state[0], dtype=torch.float64))
    if name != "slstm":
        for mine, theirs in zip(last, state, strict=True):
            close(mine[0], torch.tensor(theirs, dtype=torch.float64))
    else:
        # the stabiliser scales c and n alike
        assert isinstance(last, Stabilised)
        ratio = [c / n for c, n in zip(*state[1:], strict=True)]
        close((last.c_BH / last.n_BH)[0], torch.tensor(ratio, dtype=torch.float64))


def test_slstm_starts_from_what_it_is_given() -> None:
    """h and c are handed over; c counts as read once, with weight 1."""
    cell = some_cell("slstm")
    h, c = normal(3, B, H), normal(4, B, H)
    state = cell.begin([h, c])
    assert isinstance(state, Stabilised)
    close(state.c_BH / state.n_BH, c)
    assert all(part.isfinite().all() for part in cell.step(normal(1, B, INPUTS), state))


def test_slstm_hands_over_what_has_a_scale() -> None:
    """States that differ by a factor that m takes out are one state, and so is what is told."""
    cell, k = some_cell("slstm"), 1.7
    h, c, n, m = (normal(30 + part, B, H).abs() for part in range(4))
    one = Stabilised(h, c, n, m)
    same = Stabilised(h, c * math.exp(k), n * math.exp(k), m - k)
    for mine, theirs in zip(cell.hand_over(one), cell.hand_over(same), strict=True):
        close(mine, theirs)
    inputs = normal(1, B, INPUTS)
    close(cell.step(inputs, one).h_BH, cell.step(inputs, same).h_BH)


@settings(max_examples=50)
@given(steps=st.integers(1, 40), seed=st.integers(0, 999))
def test_scan_is_the_recurrence(steps: int, seed: int) -> None:
    keep, add = normal(seed, 2, steps, 3).sigmoid(), normal(seed + 1, 2, steps, 3)
    h = normal(seed + 2, 2, 3)
    states = scan(keep, add, h)
    for t in range(steps):
        h = keep[:, t] * h + add[:, t]
        close(states[:, t], h)


@pytest.mark.parametrize(
    "name", [name for name, kind in CELLS.items() if issubclass(kind, ScanCell)]
)
@settings(max_examples=20, deadline=None)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_scan_form_equals_recurrent_form(name: str, lengths: list[int], seed: int) -> None:
    cell = some_cell(name)
    inputs = normal(seed, len(lengths), max(lengths), INPUTS)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    first = cell.state(normal(seed + 1, len(lengths), H))
    plain, fast = (
        unroll(cell, inputs, first, mask),
        fastest(cell, inputs, first, mask, torch.tensor(lengths)),
    )
    close(plain[0], fast[0])
    close(plain[1].h_BH, fast[1].h_BH)


@pytest.mark.parametrize("name", CELLS)
def test_extreme_gates_stay_finite(name: str) -> None:
    """Gates that under- or overflow must not make NaN, in values or gradients."""
    cell = CELLS[name](INPUTS, H)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.uniform_(-1, 1, generator=generator)
    inputs = torch.tensor([[[300.0, -300, 300]], [[-300, 300, -300]]]).expand(-1, 4, -1)
    if name == "rnn-relu":
        inputs = inputs / 100  # it grows without bound, and may
    outputs, last = unroll(cell, inputs, cell.zeros(2, inputs))
    assert outputs.isfinite().all()
    assert all(part.isfinite().all() for part in last)
    for gradient in torch.autograd.grad(outputs.sum(), list(cell.parameters()), allow_unused=True):
        assert gradient is None or gradient.isfinite().all()


@pytest.mark.parametrize("name", CELLS)
def test_gradcheck(name: str) -> None:
    cell = some_cell(name)
    width = len(cell.state._fields)
    inputs = normal(1, 2, 3, INPUTS).requires_grad_()
    first = [normal(20 + part, 2, H).abs().requires_grad_() for part in range(width)]
    mask = torch.tensor([[True, True, True], [True, False, False]])
    named = dict(cell.named_parameters())

    def run(inputs: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        state = cell.state(*rest[:width])
        given = dict(zip(named, rest[width:], strict=True))
        weights = {f"cell.{key}": value for key, value in given.items()}
        outputs, last = torch.func.functional_call(Unrolled(cell), weights, (inputs, state, mask))
        return outputs, *last

    assert torch.autograd.gradcheck(run, (inputs, *first, *named.values()), atol=1e-6)


class Unrolled(nn.Module):
    """A cell's plain form as a module."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, inputs: Tensor, state: Any, mask: Tensor) -> tuple[Tensor, Any]:
        return unroll(self.cell, inputs, state, mask)


RECURRENT = [name for name, kind in CELLS.items() if kind.recurrent]


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_dropout_is_on_what_recurs(name: str) -> None:
    """A mask on h is the same mask on the columns of the recurrent weights."""
    cell, inputs = some_cell(name), normal(1, 1, S, INPUTS)
    mask = torch.tensor([[2.0, 0.0, 1.0, 0.0, 0.5]], dtype=torch.float64)
    start = cell.zeros(1, inputs)
    dropped, _ = unroll(cell, inputs, start, None, mask)
    plain, _ = unroll(cell, inputs, start)
    with torch.no_grad():
        for block in cell.recurrent_blocks():
            block.mul_(mask)
    scaled, _ = unroll(cell, inputs, start)
    close(dropped, scaled)
    assert not torch.allclose(dropped, plain)


@pytest.mark.parametrize("name", CELLS)
@torch.no_grad()
def test_forget_bias_is_of_the_forget_gate(name: str) -> None:
    """Lowered far, nothing of the memory is left, so that another one makes no difference."""
    cell = some_cell(name)
    bias = cell.forget_bias()
    assert (bias is not None) == (name in {"lstm", "lstm-layernorm", "slstm", "minlstm"})
    if bias is None:
        return
    inputs = normal(1, B, INPUTS)
    first = cell.state(*(normal(20 + part, B, H).abs() for part in range(len(cell.state._fields))))
    memory = min(1, len(first) - 1)
    other = first._replace(**{first._fields[memory]: first[memory] + 1.0})
    assert not torch.allclose(cell.step(inputs, first)[memory], cell.step(inputs, other)[memory])
    bias.sub_(400.0)
    close(cell.step(inputs, first)[memory], cell.step(inputs, other)[memory])


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_fast_in_float32_is_near_plain_in_float64(name: str, padded: bool) -> None:
    """Large enough for torch's kernels and for oneDNN's products, which float64 never sees."""
    rows, steps, hidden = 64, 7, 160
    cell = CELLS[name](hidden, hidden)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.normal_(std=0.08, generator=generator)
    lengths = torch.arange(rows) % steps + 1 if padded else None
    mask = None if lengths is None else torch.arange(steps) < lengths[:, None]
    inputs = normal(1, rows, steps, hidden)
    factor = normal(2, rows, steps, hidden)

    def derived(dtype: torch.dtype, fast: bool) -> list[Tensor]:
        given, used = inputs.to(dtype).requires_grad_(), cell.to(dtype)
        zeros = used.zeros(rows, given)
        if fast:
            outputs, last = fastest(used, given, zeros, mask, lengths)
        else:
            outputs, last = unroll(used, given, zeros, mask)
        mixed = (outputs * factor.to(dtype)).sum() + last.h_BH.sum()
        return [outputs, *torch.autograd.grad(mixed, [given, *used.parameters()])]

    exact = derived(torch.float64, fast=False)
    for mine, other in zip(derived(torch.float32, fast=True), exact, strict=True):
        near = (mine.detach().double() - other.detach()).abs().max() / other.detach().abs().max()
        assert float(near) < 1e-4


def test_a_layer_cannot_take_the_name_of_an_attribute_of_cells() -> None:
    """Python would find `Cell.recurrent`, a truth value, where the layer is meant."""

    class Clash(LSTM):
        def __init__(self, input_size: int, hidden: int) -> None:
            super().__init__(input_size, hidden)
            self.recurrent = nn.Linear(hidden, hidden)  # type: ignore[assignment]

    with pytest.raises(ValueError, match="Clash calls a layer 'recurrent', which is an attribute"):
        Clash(2, 3)
