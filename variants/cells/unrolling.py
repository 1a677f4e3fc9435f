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
"""Input at which the logistic function is 0 or 1 to the last bit, whatever else a gate is given."""


def unroll(
    cell: Cell,
    inputs_BSI: Tensor,
    state: CellState,
    mask_BS: Tensor | None = None,
    dropped_BH: Tensor | None = None,
) -> tuple[Tensor, CellState]:
    """Return a cell's outputs_BSH and the state after each row's last real input.

    inputs_BSI: B rows of S steps. mask_BS: True at real inputs, False at padding; None if nothing
    is padded. Outputs at padding are 0. dropped_BH: a dropout mask, multiplied into h before the
    recurrent weights, the same at all steps. gates_BSG: what the cell makes of the inputs before
    it knows the state; G is the number of gates times H.
    """
    gates_BSG = cell.project(inputs_BSI)
    outputs = []
    for t in range(inputs_BSI.shape[1]):
        after = cell.advance(gates_BSG[:, t], state, *_dropout_argument(dropped_BH))
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
    """Return what `unroll` does, with `cell.in_loop()`, the faster form of one step.

    lengths_B: on the CPU; None if no row is padded. Rows leave the loop where they end, so there
    is no work for padding.
    """
    if lengths_B is not None:
        return _shrinking_unroll(cell, inputs_BSI, state, lengths_B, dropped_BH)
    advance = cell.in_loop()
    outputs = []
    for gates_BG in cell.project(inputs_BSI).unbind(1):
        state = advance(gates_BG, state, *_dropout_argument(dropped_BH))
        outputs.append(state.h_BH)
    return torch.stack(outputs, dim=1), state


def whole_unroll(
    cell: Cell,
    inputs_BSI: Tensor,
    state: CellState,
    mask_BS: Tensor | None = None,
    dropped_BH: Tensor | None = None,
) -> tuple[Tensor, CellState]:
    """Return what `unroll` does, with `cell.in_loop()` and every row in every step.

    Stacks of models use it: all replicas of a stack need the same number of rows, so rows that
    have ended cannot leave the loop.
    """
    advance = cell.in_loop()
    states = []
    for gates_BG in cell.project(inputs_BSI).unbind(1):
        state = advance(gates_BG, state, *_dropout_argument(dropped_BH))
        states.append(state)
    if mask_BS is None:
        return torch.stack([one.h_BH for one in states], dim=1), state
    parts = [torch.stack(part, dim=1) for part in zip(*states, strict=True)]
    # the loop went on after a row's end, so the last state is the one at that end
    ends = (mask_BS.sum(1) - 1)[:, None, None].expand(-1, 1, cell.hidden)
    last = cell.state(*(part_BSH.gather(1, ends).squeeze(1) for part_BSH in parts))
    return parts[0] * mask_BS[..., None], last


def _longest_first(lengths_B: Tensor, steps: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return how rows are sorted so that those that have not ended are always the first ones.

    Returns:
        order_B: the rows by falling length.
        place_B: the place of each row in that order.
        alive_S: the number of rows that have not ended at each step.
        index_BS: where the output of a row at a step is found once the outputs of all steps stand
            one after the other; at padding the index after the last one, where zeros are put.
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
    """Return outputs_BSH and last states; each step is on the rows that have not ended."""
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
        state = advance(gates_BG[:rows], state, *_dropout_argument(dropped))
        outputs.append(state.h_BH)
    # the longest rows come first: those of the final state, then those that ended last, and so on
    pieces = zip(state, *reversed(ended), strict=True)
    last = cell.state(*(torch.cat(parts).index_select(0, place_B) for parts in pieces))
    flat = torch.cat([*outputs, inputs_BSI.new_zeros(1, cell.hidden)])
    return flat.index_select(0, index_BS.flatten()).view(*index_BS.shape, -1), last


def _dropout_argument(dropped_BH: Tensor | None) -> tuple[Tensor, ...]:
    """Return the arguments that hold the mask: none without one, as not every cell takes it."""
    return () if dropped_BH is None else (dropped_BH,)


def torch_unroll(
    cell: Cell, inputs_BSI: Tensor, state: CellState, lengths_B: Tensor | None = None
) -> tuple[Tensor, CellState]:
    """Return what `unroll` does, by torch's own layer.

    lengths_B: on the CPU; None if no row is padded.
    """
    assert isinstance(cell, TorchCell)
    started = tuple(part[None] for part in state)
    # torch's GRU and RNN take h itself, its LSTM the pair of h and c
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
    """Return what torch's layer returns, also where oneDNN has no LSTM of this number format.

    layer: nn.LSTM, nn.GRU or nn.RNN. inputs: of shape (B, S, I), or packed. first: the state before
    the first step, each part of shape (1, B, H).

    On some processors oneDNN takes bfloat16 products and yet has no LSTM in bfloat16. torch then
    raises before it has computed anything, and its own loop does the same work.
    """
    try:
        return layer(inputs, first)
    except RuntimeError as error:
        if "could not create a primitive" not in str(error):
            raise
        # the context manager mkldnn.flags() would set all its other flags too, and warns of one
        torch.backends.mkldnn.set_flags(False)  # type: ignore[no-untyped-call]
        try:
            return layer(inputs, first)
        finally:
            torch.backends.mkldnn.set_flags(True)  # type: ignore[no-untyped-call]


def scan_unroll(
    cell: ScanCell, inputs_BSI: Tensor, state: CellState, mask_BS: Tensor | None = None
) -> tuple[Tensor, CellState]:
    """Return what `unroll` does, by a scan over all steps at once.

    With h = keep * h + add at every step, keep and add, of shape (B, S, H), do not depend on h.
    """
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

    OneDNN does these several times as fast as packed ones. One more input is 1 at padding, where
    its weights close the input gate and open the forget gate, so that c stays as it is.
    """
    weight_GI, recurrent_GH, bias_G, recurrent_bias_G = cell.weights()
    shut = weight_GI.new_full((cell.hidden,), FAR)
    mark_G = torch.cat([-shut, shut, shut.new_zeros(2 * cell.hidden)])
    # torch's gate order is i, f, g, o; the new input's weights are the last column
    marked_BSI = torch.cat([inputs_BSI, ~mask_BS[..., None]], dim=-1)
    weights = [torch.cat([weight_GI, mark_G[:, None]], 1), recurrent_GH, bias_G, recurrent_bias_G]
    started = [part[None] for part in state]
    # has biases, one layer, no dropout, training mode or not, not bidirectional, batch first
    outputs_BSH, _, c = torch.lstm(
        marked_BSI, started, weights, True, 1, 0.0, cell.training, False, True
    )
    # h changes at padding, as the output gate does: the last h is taken where a row ends
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
    with dropped_BH runs in a loop. Where `plain()` asks for it, the form is `unroll` itself.
    """
    if plain():
        return unroll(cell, inputs_BSI, state, mask_BS, dropped_BH)
    # a scan needs no other form: it serves stacks and autocast, and its cells take no dropout on h
    if isinstance(cell, ScanCell):
        return scan_unroll(cell, inputs_BSI, state, mask_BS)
    device = inputs_BSI.device.type
    if torch.is_autocast_enabled(device):
        # the gradients of `cell.in_loop()` are written out for one number format, not for autocast
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
    """Return what `unroll` does without dropout on h, for a cell that is a layer of torch too."""
    if _layer_is_faster(cell, inputs_BSI, lengths_B):
        return torch_unroll(cell, inputs_BSI, state, lengths_B)
    if _on_onednn(cell, inputs_BSI) and mask_BS is not None:
        assert lengths_B is not None
        return kept_unroll(cell, inputs_BSI, state, mask_BS, lengths_B)
    return loop_unroll(cell, inputs_BSI, state, lengths_B)


def _is_stack(cell: Cell) -> bool:
    """Return whether the cell's weights are those of R models, with the axis R in front.

    The first parameter of every cell is a matrix, so a third axis is R.
    """
    return stack_size(_first_parameter(cell), 2) > 0


def _first_parameter(module: nn.Module) -> Tensor:
    """Return the first of `module.parameters()`.

    Decoding asks at every step, and the iterator of torch walks through all modules first: with it
    a step of a small model made a sixth more calls.
    """
    while not module._parameters:
        module = next(iter(module._modules.values()))  # type: ignore[assignment]
    return next(iter(module._parameters.values()))  # type: ignore[return-value]


def _layer_is_faster(cell: Cell, inputs_BSI: Tensor, lengths_B: Tensor | None) -> bool:
    """Return whether torch's layer is the fastest form of a cell that has one."""
    if inputs_BSI.device.type == "cuda":
        return True
    if lengths_B is not None:
        return False
    # from this many multiplications on, a loop can use the products of oneDNN, which are faster
    # than those of torch's layer; below it the layer saves calls
    smallest = onednn_from()
    small = smallest is None or len(inputs_BSI) * cell.gates * cell.hidden**2 < smallest
    return small or _on_onednn(cell, inputs_BSI)


def _on_onednn(cell: Cell, inputs_BSI: Tensor) -> TypeGuard[LSTM]:
    """Return whether torch runs the cell's layer by oneDNN; is only called for the CPU."""
    return isinstance(cell, LSTM) and inputs_BSI.dtype is torch.float32


def _has_kernel(cell: Cell, device: str) -> TypeGuard[TorchCell]:
    """Return whether torch's layer runs the cell under autocast on such a device.

    OneDNN, which torch uses on the CPU, has no LSTM in float16.
    """
    half = torch.get_autocast_dtype(device) is torch.float16
    return cell.kernel and not (half and device == "cpu" and isinstance(cell, LSTM))
