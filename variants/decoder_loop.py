"""The decoder step by step, in few operations: what training runs where steps hang on each other.

It computes what `Decoder.forward` does a token at a time, and is tested against that. What is
known before the loop is done for all steps at once: the share of the lowest cell's gates that
comes from reference tokens, and what no later step reads (the layer before the output). Weight
gradients are made after the loop, see `variants.fast.late_gradients`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from variants.cells import Cell, CellState
from variants.dropout import apply
from variants.fast.late_gradients import Notes, late_bias, late_weight, linear, tanh_, tanh_backward
from variants.fast.matmul import linear as linear_map
from variants.fast.matmul import product
from variants.stepwise import next_tokens

if TYPE_CHECKING:
    from variants.decoder import Decoder, Masks, Memory, State


def run(
    decoder: Decoder,
    tokens_BT: Tensor,
    fed_BT: Tensor | None,
    state: State,
    memory: Memory,
    masks: Masks,
) -> Tensor:
    """Readouts_BTH of a whole pass from its first step on. fed_BT as in `Model.score`."""
    steps = tokens_BT.shape[1]
    lowest, *upper = decoder.cells
    reference_BT = tokens_BT if fed_BT is None else None
    layers = [_Layer(lowest, _entering(decoder, reference_BT, memory, masks), steps)]
    layers += [_Layer(cell, [(cell.input_size, None)], steps) for cell in upper]
    attend = merge = None
    if decoder.attention is not None:
        assert memory.attended is not None
        attend = decoder.attention.in_loop(memory.attended)
        merge = _Merge(decoder.merge)
    # whether a step reads what the one before gave to the output layer
    joined = decoder.feeding or fed_BT is not None

    embedded = _by_step(masks.embedded_BTE, steps)
    between = [_by_step(mask, steps) for mask in masks.stack.inputs]
    readout = _by_step(masks.readout_BTH, steps)
    states: list[CellState] = list(state.layers)
    tokens_B, context_BX, vector_BH = tokens_BT[:, 0], state.context_BX, state.vector_BH
    tops: list[Tensor] = []
    contexts: list[Tensor] = []
    vectors: list[Tensor] = []
    for t in range(steps):
        if fed_BT is not None and t:
            tokens_B = next_tokens(decoder, tokens_BT[:, t], fed_BT[:, t], vectors[-1])
        if attend is not None and decoder.before:
            context_BX = attend(states[-1].h_BH, t)
        parts = []
        if decoder.token and fed_BT is not None:
            parts.append(apply(decoder.embedding(tokens_B), embedded[t]))
        if decoder.context and context_BX is not None:
            parts.append(context_BX)
        if decoder.feeding and vector_BH is not None:
            parts.append(vector_BH)
        top_BH = None
        for level, layer in enumerate(layers):
            if top_BH is not None:
                parts = [apply(top_BH, between[level][t])]
            states[level] = layer(t, parts, states[level], masks.stack.recurrent[level])
            added = decoder.residual and top_BH is not None
            top_BH = states[level].h_BH + parts[0] if added else states[level].h_BH
        assert top_BH is not None
        tops.append(top_BH)
        if attend is not None and not decoder.before:
            context_BX = attend(top_BH, t)
        if merge is not None and context_BX is not None:
            contexts.append(context_BX)
            vector_BH = merge(top_BH, context_BX) if joined else None
        else:
            vector_BH = top_BH
        if joined:
            assert vector_BH is not None
            vector_BH = apply(vector_BH, readout[t])
            vectors.append(vector_BH)
    if joined:
        return torch.stack(vectors, dim=1)
    both_BTX = torch.cat([torch.stack(tops, dim=1), torch.stack(contexts, dim=1)], dim=-1)
    return apply(torch.tanh(decoder.merge(both_BTX)), masks.readout_BTH)


def _entering(
    decoder: Decoder, reference_BT: Tensor | None, memory: Memory, masks: Masks
) -> list[tuple[int, Tensor | None]]:
    """What the lowest cell reads, side by side: widths, and values_BTX (T may be 1, for all
    steps) where they are known before the loop. reference_BT: tokens, if all are."""
    parts: list[tuple[int, Tensor | None]] = []
    if decoder.token:
        values = None
        if reference_BT is not None:
            values = apply(decoder.embedding(reference_BT), masks.embedded_BTE)
        parts.append((decoder.embedding.size, values))
    if decoder.context and decoder.attention is not None:
        parts.append((decoder.attention.context, None))
    elif decoder.context:
        parts.append((memory.summary_BD.shape[1], memory.summary_BD[:, None]))
    if decoder.feeding:
        parts.append((decoder.hidden, None))
    return parts or [(1, memory.summary_BD.new_ones(len(memory.summary_BD), 1, 1))]


class _Layer:
    """A cell within the loop. parts: as `_entering` gives them."""

    def __init__(self, cell: Cell, parts: Sequence[tuple[int, Tensor | None]], steps: int) -> None:
        self.cell, self.advance = cell, cell.in_loop()
        affine = cell.affine()
        self.affine = affine is not None
        self.late = None
        if affine is None:
            self.known = [
                [None] * steps if values is None else _spread(values, steps) for _, values in parts
            ]
            return
        weight_GI, gates_BTG = affine
        blocks = weight_GI.split([width for width, _ in parts], dim=1)  # type: ignore[no-untyped-call]
        unknown = []
        for block, (_, values) in zip(blocks, parts, strict=True):
            if values is None:
                unknown.append(block)
            else:
                share = linear_map(values, block)
                gates_BTG = share if gates_BTG is None else gates_BTG + share
        gates_BTG = weight_GI.new_zeros(1) if gates_BTG is None else gates_BTG
        self.gates = _spread(gates_BTG, steps)
        if unknown:
            self.late = late_weight(torch.cat(unknown, dim=1))

    def __call__(
        self, t: int, parts: Sequence[Tensor], state: CellState, dropped_BH: Tensor | None
    ) -> CellState:
        """Step t from the parts that were not known before."""
        if self.affine:
            gates_BG = self.gates[t]
            if self.late is not None:
                gates_BG = linear(_beside(parts), self.late, gates_BG)
        else:
            missing = iter(parts)
            known = (values[t] for values in self.known)
            gates_BG = self.cell.project(
                _beside([next(missing) if part is None else part for part in known])
            )
        given = () if dropped_BH is None else (dropped_BH,)
        return self.advance(gates_BG, state, *given)


class _MergeStep(torch.autograd.Function):
    """tanh(W [h ; c] + b)."""

    @staticmethod
    def forward(
        ctx: Any,
        h_BH: Tensor,
        context_BX: Tensor,
        weight_HY: Tensor,
        bias_H: Tensor,
        notes: Notes,
        bias_notes: Notes,
    ) -> Tensor:
        both_BY = torch.cat([h_BH, context_BX], dim=1)
        vector_BH = tanh_(product(both_BY, weight_HY, bias_H))
        ctx.save_for_backward(both_BY, weight_HY, vector_BH)
        ctx.notes, ctx.bias_notes = notes, bias_notes
        return vector_BH

    @staticmethod
    def backward(ctx: Any, gradient_BH: Tensor) -> tuple[Tensor | None, ...]:
        both_BY, weight_HY, vector_BH = ctx.saved_tensors
        dmerged_BH = tanh_backward(gradient_BH, vector_BH)
        ctx.notes.add(both_BY, dmerged_BH)
        ctx.bias_notes.add(dmerged_BH)
        dh_BH, dcontext_BX = product(dmerged_BH, weight_HY.t()).tensor_split(
            [vector_BH.shape[1]], dim=1
        )
        return dh_BH, dcontext_BX, None, None, None, None


class _Merge:
    """Luong's attentional vector within the loop."""

    def __init__(self, merge: nn.Linear) -> None:
        self.weight, self.bias = late_weight(merge.weight), late_bias(merge.bias)

    def __call__(self, h_BH: Tensor, context_BX: Tensor) -> Tensor:
        weight, bias = self.weight, self.bias
        given = (weight.value, bias.value, weight.notes, bias.notes)
        vector_BH: Tensor = _MergeStep.apply(h_BH, context_BX, *given)  # type: ignore[no-untyped-call]
        return vector_BH


def _by_step(values_BTX: Tensor | None, steps: int) -> Sequence[Tensor | None]:
    return [None] * steps if values_BTX is None else values_BTX.unbind(1)


def _spread(values: Tensor, steps: int) -> Sequence[Tensor]:
    """(B, T, X), or (B, 1, X) or (X) for all steps alike, as one tensor a step."""
    if values.ndim == 3 and values.shape[1] == steps:
        return values.unbind(1)
    return [values if values.ndim == 1 else values.squeeze(1)] * steps


def _beside(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts), dim=1)
