"""Recurrent cells, and the forms in which they run over time."""

from __future__ import annotations

from variants.cells.cell import Cell, CellState, Hidden, HiddenAndCell, MemoryGate, Stabilised
from variants.cells.layernorm_lstm import LayerNormLSTM
from variants.cells.minimal import MinGRU, MinLSTM, ScanCell
from variants.cells.slstm import SLSTM
from variants.cells.torch_cells import GRU, LSTM, RNN, RNNReLU, TorchCell
from variants.cells.unrolling import (
    fastest,
    kept_unroll,
    loop_unroll,
    scan_unroll,
    torch_unroll,
    unroll,
)

__all__ = [
    "CELLS",
    "LSTM",
    "Cell",
    "CellState",
    "Hidden",
    "HiddenAndCell",
    "MemoryGate",
    "ScanCell",
    "Stabilised",
    "TorchCell",
    "fastest",
    "kept_unroll",
    "loop_unroll",
    "scan_unroll",
    "torch_unroll",
    "unroll",
]

CELLS: dict[str, type[Cell]] = {
    "rnn": RNN,
    "rnn-relu": RNNReLU,
    "gru": GRU,
    "lstm": LSTM,
    "lstm-layernorm": LayerNormLSTM,
    "slstm": SLSTM,
    "mingru": MinGRU,
    "minlstm": MinLSTM,
}
"""The recurrent cells by name."""
