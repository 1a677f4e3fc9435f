"""Cells over time: the plain form, and faster ones that are tested against it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from variants.cells.cell import Cell, CellState
from variants.cells.minimal import ScanCell, scan
from variants.cells.torch_cells import LSTM, TorchCell


def unroll(
    cell: Cell,
    inputs_BSI: Tensor,
    state: CellState,
    mask_BS: Tensor | None = None,
    dropped_BH: Tensor | None = None,
) -> tuple[Tensor, CellState]:
    """Run a cell over time: outputs_BSH and the state after each row's last real input.

    mask_BS: real inputs; None if all are. Outputs at padding are 0. dropped_BH: a mask on h
    where recurrent weights meet it, the same at all steps.
    """
    gates_BSG = cell.project(inputs_BSI)
    outputs = []
    for t in range(inputs_BSI.shape[1]):
        if dropped_BH is None:
            after = cell.advance(gates_BSG[:, t], state)
        else:
            after = cell.advance(gates_BSG[:, t], state, dropped_BH)
        if mask_BS is None:
            state = after
        else:
            real = mask_BS[:, t, None]
            state = cell.state(*map(torch.where, [real] * len(state), after, state))
        outputs.append(state.h_BH)
    outputs_BSH = torch.stack(outputs, dim=1)
    return outputs_BSH if mask_BS is None else outputs_BSH * mask_BS[..., None], state


def torch_unroll(
    cell: TorchCell, inputs_BSI: Tensor, state: CellState, lengths_B: Tensor | None = None
) -> tuple[Tensor, CellState]:
    """The same by torch's own layer. lengths_B: on the CPU; None if no row is padded."""
    started = tuple(part[None] for part in state)
    # torch's GRU and RNN take the one tensor bare, its LSTM a pair
    given = started if len(started) > 1 else started[0]
    if lengths_B is None:
        outputs_BSH, last = cell.layer(inputs_BSI, given)
    else:
        packed = pack_padded_sequence(inputs_BSI, lengths_B, batch_first=True, enforce_sorted=False)
        packed_outputs, last = cell.layer(packed, given)
        outputs_BSH, _ = pad_packed_sequence(
            packed_outputs, batch_first=True, total_length=inputs_BSI.shape[1]
        )
    parts = last if isinstance(last, tuple) else (last,)
    return outputs_BSH, cell.state(*(part[0] for part in parts))


def scan_unroll(
    cell: ScanCell, inputs_BSI: Tensor, state: CellState, mask_BS: Tensor | None = None
) -> tuple[Tensor, CellState]:
    """The same by a scan over all steps at once."""
    keep, add = cell.coefficients(cell.project(inputs_BSI))
    if mask_BS is not None:
        # at padding the state stays as it is
        keep = keep.masked_fill(~mask_BS[..., None], 1.0)
        add = add * mask_BS[..., None]
    states_BSH = scan(keep, add, state.h_BH)
    outputs_BSH = states_BSH if mask_BS is None else states_BSH * mask_BS[..., None]
    return outputs_BSH, cell.state(states_BSH[:, -1])


def _has_kernel(cell: TorchCell, inputs_BSI: Tensor) -> bool:
    """oneDNN, which torch uses on the CPU, has no LSTM in float16."""
    device = inputs_BSI.device.type
    half = torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) is torch.float16
    return not (half and device == "cpu" and isinstance(cell, LSTM))


def fastest(
    cell: Cell,
    inputs_BSI: Tensor,
    state: CellState,
    mask_BS: Tensor | None,
    lengths_B: Tensor | None,
    dropped_BH: Tensor | None = None,
) -> tuple[Tensor, CellState]:
    """The same by the fastest form that this cell has. Torch's layers cannot drop within."""
    if isinstance(cell, ScanCell):
        return scan_unroll(cell, inputs_BSI, state, mask_BS)
    if isinstance(cell, TorchCell) and dropped_BH is None and _has_kernel(cell, inputs_BSI):
        return torch_unroll(cell, inputs_BSI, state, lengths_B)
    return unroll(cell, inputs_BSI, state, mask_BS, dropped_BH)
