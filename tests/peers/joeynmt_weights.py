"""Our weights under JoeyNMT's names."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from variants.cells import TorchCell
from variants.seq2seq import Seq2Seq


def layer_of(cell: Any) -> nn.RNNBase:
    """Torch's own layer, in which such a cell keeps its weights."""
    assert isinstance(cell, TorchCell)
    return cell.layer


def theirs(model: Seq2Seq) -> dict[str, Tensor]:
    """All but the embeddings'. They have no output bias: ours must be zero."""
    encoder: Any = model.encoder
    decoder: Any = model.decoder
    named: dict[str, Tensor] = {}
    sides = (("", encoder.left_to_right), ("_reverse", encoder.right_to_left))
    for suffix, stacks in sides:
        for level, stack in enumerate(stacks):
            for key, value in layer_of(stack.cells[0]).named_parameters():
                named[f"encoder.rnn.{key.removesuffix('_l0')}_l{level}{suffix}"] = value
    for level, cell in enumerate(decoder.stack.cells):
        for key, value in layer_of(cell).named_parameters():
            named[f"decoder.rnn.{key.removesuffix('_l0')}_l{level}"] = value
    attention = decoder.attention
    named["decoder.attention.key_layer.weight"] = attention.from_memory.weight
    if hasattr(attention, "v"):
        named["decoder.attention.query_layer.weight"] = attention.from_query.weight
        named["decoder.attention.energy_layer.weight"] = attention.v.weight
    for key, mine in (("att_vector_layer", decoder.merge), ("bridge_layer", None)):
        if mine is None and decoder.bridge.narrow:
            mine = decoder.bridge.narrow[0]
        if mine is not None:
            named[f"decoder.{key}.weight"] = mine.weight
            named[f"decoder.{key}.bias"] = mine.bias
    named["decoder.output_layer.weight"] = decoder.output.weight
    return named
