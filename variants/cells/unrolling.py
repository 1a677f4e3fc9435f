"""Runs cells over time, in the plain form and in faster ones that are tested against it."""

from __future__ import annotations

from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from variants.cells.cell import Cell, CellState
from variants.cells.minimal import ScanCell, scan
from variants.cells.torch_cells import LSTM, TorchCell
from variants.fast.forms import plain
from variants.fast.matmul import onednn_from
from variants.fast.stacked import stack_size

FAR = 1e4
"""Input at which the logistic function is 0 or 1 to the last bit, whatever is added."""


def unroll(
    cell: Cell,
    inputs_BSI: Tensor,
    state: CellState,
    mask_BS: Tensor | None = None,
    dropped_BH: Tensor | None = None,
) -> tuple[Tensor, CellState]:
    """Return a cell's outputs_BSH and the state after each row's last real input.

    mask_BS: real inputs; None if all are. Outputs at padding are 0. dropped_BH: a dropout mask on
    h where recurrent weights meet it, the same at all steps.
    """
    gates_BSG = cell.project(inputs_BSI)
    outputs = []
    for t in range(inputs_BSI.shape[1]):
        after = cell.advance(gates_BSG[:, t], state, *_mask_argument(dropped_BH))
        if mask_BS is None:
            state = after
        else:
            # a row that has ended keeps its state
            real = mask_BS[:, t, None]
            state = cell.state(*map(torch.where, [real] * len(state), after, state))
        outputs.append(state.h_BH)
    outputs_BSH = torch.stack(outputs, dim=1)
    return outputs_BSH if mask_BS is None else outputs_BSH * mask_BS[..., None], state


def loop_unroll(
    cell: Cell,
    inputs_BSI: Tensor,
    state: CellState,
    lengths_B: Tensor | None = None,
    dropped_BH: Tensor | None = None,
) -> tuple[Tensor, CellState]:
    """Return what `unroll` does, by the cell's form for loops.

    lengths_B: on the CPU; None if no row is padded. Rows leave the loop where they end, so there
    is no work for padding.
    """
    if lengths_B is not None:
        return _shrinking_unroll(cell, inputs_BSI, state, lengths_B, dropped_BH)
    advance = cell.in_loop()
    outputs = []
    for gates_BG in cell.project(inputs_BSI).unbind(1):
        state = advance(gates_BG, state, *_mask_argument(dropped_BH))
        outputs.append(state.h_BH)
    return torch.stack(outputs, dim=1), state


def whole_unroll(
    cell: Cell,
    inputs_BSI: Tensor,
    state: CellState,
    mask_BS: Tensor | None = None,
    dropped_BH: Tensor | None = None,
) -> tuple[Tensor, CellState]:
    """Return what `unroll` does, by the cell's form for loops, with every row in every step.

    A stack of models runs so: its replicas need equally many rows, which those that go on are not.
    """
    advance = cell.in_loop()
    states = []
    for gates_BG in cell.project(inputs_BSI).unbind(1):
        state = advance(gates_BG, state, *_mask_argument(dropped_BH))
        states.append(state)
    if mask_BS is None:
        return torch.stack([one.h_BH for one in states], dim=1), state
    parts = [torch.stack(part, dim=1) for part in zip(*states, strict=True)]
    # beyond a row's end the loop went on, but nobody reads what it made there
    ends = (mask_BS.sum(1) - 1)[:, None, None].expand(-1, 1, cell.hidden)
    last = cell.state(*(part_BSH.gather(1, ends).squeeze(1) for part_BSH in parts))
    return parts[0] * mask_BS[..., None], last


def _longest_first(lengths_B: Tensor, steps: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return how rows are sorted so that those that go on are always the first ones.

    Returns:
        order_B: the rows by falling length.
        place_B: the place of each row in that order.
        alive_S: the number of rows that go on at each step.
        index_BS: where each output stands among those of all steps, one step after the other;
            padding points behind the last.
    """
    order_B = lengths_B.argsort(descending=True, stable=True)
    place_B = order_B.argsort()
    times_S = torch.arange(steps)
    alive_S = (lengths_B > times_S[:, None]).sum(1)
    before_S = alive_S.cumsum(0) - alive_S
    index_BS = torch.where(times_S < lengths_B[:, None], before_S + place_B[:, None], alive_S.sum())
    return order_B, place_B, alive_S, index_BS


def _shrinking_unroll(
    cell: Cell,
    inputs_BSI: Tensor,
    state: CellState,
    lengths_B: Tensor,
    dropped_BH: Tensor | None,
) -> tuple[Tensor, CellState]:
    """Return outputs_BSH and last states of padded rows, each step on the rows that go on."""
    device, steps = inputs_BSI.device, inputs_BSI.shape[1]
    order_B, place_B, alive_S, index_BS = _longest_first(lengths_B, steps)
    order_B, place_B, index_BS = (part.to(device) for part in (order_B, place_B, index_BS))

    state = cell.state(*(part.index_select(0, order_B) for part in state))
    dropped_BH = None if dropped_BH is None else dropped_BH.index_select(0, order_B)
    gates = cell.project(inputs_BSI.index_select(0, order_B)).unbind(1)
    advance = cell.in_loop()
    outputs, ended = [], []
    for gates_BG, rows in zip(gates, alive_S.tolist(), strict=True):
        if rows < len(state.h_BH):
            # these rows end here, and shorter ones ended before
            ended.append([part[rows:] for part in state])
            state = cell.state(*(part[:rows] for part in state))
        if not rows:
            break
        dropped = None if dropped_BH is None else dropped_BH[:rows]
        state = advance(gates_BG[:rows], state, *_mask_argument(dropped))
        outputs.append(state.h_BH)
    # the rows that ended last stand first, then those that ended before them
    pieces = zip(state, *reversed(ended), strict=True)
    last = cell.state(*(torch.cat(parts).index_select(0, place_B) for parts in pieces))
    flat = torch.cat([*outputs, inputs_BSI.new_zeros(1, cell.hidden)])
    return flat.index_select(0, index_BS.flatten()).view(*index_BS.shape, -1), last


def _mask_argument(dropped_BH: Tensor | None) -> tuple[Tensor, ...]:
    """Return the mask as an argument, or none: cells without recurrent weights take none."""
    return () if dropped_BH is None else (dropped_BH,)


def torch_unroll(
    cell: Cell, inputs_BSI: Tensor, state: CellState, lengths_B: Tensor | None = None
) -> tuple[Tensor, CellState]:
    """Return what `unroll` does, by torch's own layer.

    lengths_B: on the CPU; None if no row is padded.
    """
    assert isinstance(cell, TorchCell)
    started = tuple(part[None] for part in state)
    # torch's GRU and RNN take the one tensor bare, its LSTM a pair
    first = started if len(started) > 1 else started[0]
    if lengths_B is None:
        outputs_BSH, last = _layer_outputs(cell.layer, inputs_BSI, first)
    else:
        packed = pack_padded_sequence(inputs_BSI, lengths_B, batch_first=True, enforce_sorted=False)
        packed_outputs, last = _layer_outputs(cell.layer, packed, first)
        outputs_BSH, _ = pad_packed_sequence(
            packed_outputs, batch_first=True, total_length=inputs_BSI.shape[1]
        )
    parts = last if isinstance(last, tuple) else (last,)
    return outputs_BSH, cell.state(*(part[0] for part in parts))


def _layer_outputs(layer: nn.Module, inputs: Any, first: Any) -> Any:
    """Return what torch's layer returns, on a processor too whose oneDNN has no such LSTM.

    On some processors oneDNN takes bfloat16 products and yet has no LSTM in bfloat16. torch then
    raises before it has computed anything, and its own loop does the same work.
    """
    try:
        return layer(inputs, first)
    except RuntimeError as error:
        if "could not create a primitive" not in str(error):
            raise
        # flags(enabled=False) would set what it does not change, and warn of it
        torch.backends.mkldnn.set_flags(False)  # type: ignore[no-untyped-call]
        try:
            return layer(inputs, first)
        finally:
            torch.backends.mkldnn.set_flags(True)  # type: ignore[no-untyped-call]


def scan_unroll(
    cell: ScanCell, inputs_BSI: Tensor, state: CellState, mask_BS: Tensor | None = None
) -> tuple[Tensor, CellState]:
    """Return what `unroll` does, by a scan over all steps at once."""
    keep, add = cell.coefficients(cell.project(inputs_BSI))
    if mask_BS is not None:
        # with keep = 1 and add = 0 the state stays as it is at padding
        keep = keep.masked_fill(~mask_BS[..., None], 1.0)
        add = add * mask_BS[..., None]
    states_BSH = scan(keep, add, state.h_BH)
    outputs_BSH = states_BSH if mask_BS is None else states_BSH * mask_BS[..., None]
    return outputs_BSH, cell.state(states_BSH[:, -1])


def kept_unroll(
    cell: LSTM, inputs_BSI: Tensor, state: CellState, mask_BS: Tensor, lengths_B: Tensor
) -> tuple[Tensor, CellState]:
    """Return what `unroll` does for padded rows, by torch's LSTM on whole rows.

    OneDNN does these several times as fast as packed ones. One more input marks padding, and
    there shuts the input gate and opens the forget gate, so that c stays as it is.
    """
    weight_GI, recurrent_GH, bias_G, recurrent_bias_G = cell.weights()
    shut = weight_GI.new_full((cell.hidden,), FAR)
    mark_G = torch.cat([-shut, shut, shut.new_zeros(2 * cell.hidden)])
    # torch's gate order is i, f, g, o; the mark's weights stand in one more column
    marked_BSI = torch.cat([inputs_BSI, ~mask_BS[..., None]], dim=-1)
    weights = [torch.cat([weight_GI, mark_G[:, None]], 1), recurrent_GH, bias_G, recurrent_bias_G]
    started = [part[None] for part in state]
    # biases, one layer, no dropout, not for training alone, one direction, batch first
    outputs_BSH, _, c = torch.lstm(
        marked_BSI, started, weights, True, 1, 0.0, cell.training, False, True
    )
    # h does not stay as it is, as the output gate goes on: the last one is taken where a row ends
    ends = (lengths_B - 1).to(inputs_BSI.device)[:, None, None].expand(-1, 1, cell.hidden)
    last_BH = outputs_BSH.gather(1, ends).squeeze(1)
    return outputs_BSH * mask_BS[..., None], cell.state(last_BH, c[0])


def fastest(
    cell: Cell,
    inputs_BSI: Tensor,
    state: CellState,
    mask_BS: Tensor | None,
    lengths_B: Tensor | None,
    dropped_BH: Tensor | None = None,
) -> tuple[Tensor, CellState]:
    """Return what `unroll` does, by the fastest form that the cell has on this device.

    mask_BS, lengths_B: None if no row is padded. Torch's layers have no dropout on h, so a cell
    with dropped_BH runs in a loop.
    """
    if plain():
        return unroll(cell, inputs_BSI, state, mask_BS, dropped_BH)
    if isinstance(cell, ScanCell):
        return scan_unroll(cell, inputs_BSI, state, mask_BS)
    device = inputs_BSI.device.type
    if torch.is_autocast_enabled(device):
        # steps whose gradients are written out know one number format, so loops are plain here
        if dropped_BH is None and _has_kernel(cell, device):
            return torch_unroll(cell, inputs_BSI, state, lengths_B)
        return unroll(cell, inputs_BSI, state, mask_BS, dropped_BH)
    if _is_stack(cell):
        return whole_unroll(cell, inputs_BSI, state, mask_BS, dropped_BH)
    if dropped_BH is not None or not cell.kernel:
        return loop_unroll(cell, inputs_BSI, state, lengths_B, dropped_BH)
    return _fastest_of_kernel(cell, inputs_BSI, state, mask_BS, lengths_B)


def _fastest_of_kernel(
    cell: Cell,
    inputs_BSI: Tensor,
    state: CellState,
    mask_BS: Tensor | None,
    lengths_B: Tensor | None,
) -> tuple[Tensor, CellState]:
    """Return what `unroll` does without dropout on h, for a cell that torch has a layer of."""
    if _layer_is_faster(cell, inputs_BSI, lengths_B):
        return torch_unroll(cell, inputs_BSI, state, lengths_B)
    if _on_onednn(cell, inputs_BSI) and mask_BS is not None:
        assert lengths_B is not None
        return kept_unroll(cell, inputs_BSI, state, mask_BS, lengths_B)
    return loop_unroll(cell, inputs_BSI, state, lengths_B)


def _is_stack(cell: Cell) -> bool:
    """Return whether the cell's weights have the axis R; the first of all cells is a matrix."""
    return stack_size(next(cell.parameters()), 2) > 0


def _layer_is_faster(cell: Cell, inputs_BSI: Tensor, lengths_B: Tensor | None) -> bool:
    """Return whether torch's layer is the fastest form of a cell that has one."""
    if inputs_BSI.device.type == "cuda":
        return True
    if lengths_B is not None:
        return False
    # where oneDNN is faster from a size on, the loop's products are faster than those of the layer
    smallest = onednn_from()
    small = smallest is None or len(inputs_BSI) * cell.gates * cell.hidden**2 < smallest
    return small or _on_onednn(cell, inputs_BSI)


def _on_onednn(cell: Cell, inputs_BSI: Tensor) -> TypeGuard[LSTM]:
    """Return whether torch runs the cell's layer by oneDNN, which is only asked off CUDA."""
    return isinstance(cell, LSTM) and inputs_BSI.dtype is torch.float32


def _has_kernel(cell: Cell, device: str) -> TypeGuard[TorchCell]:
    """Return whether torch's layer runs the cell under autocast on such a device.

    OneDNN, which torch uses on the CPU, has no LSTM in float16.
    """
    half = torch.get_autocast_dtype(device) is torch.float16
    return cell.kernel and not (half and device == "cpu" and isinstance(cell, LSTM))
