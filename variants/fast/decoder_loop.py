"""The decoder step by step in few operations: what training runs where steps depend on each other.

It computes what `Decoder.forward` does a token at a time, and is tested against that. What is
known before the loop is done for all steps at once: the share of the lowest cell's gates that
comes from reference tokens, and what no later step reads (the layer before the output). Weight
gradients are made after the loop, see `variants.fast.deferred_gradients`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from variants.cells import Cell, CellState
from variants.decoder import Decoder, DecoderMasks, Memory, State
from variants.dropout import apply
from variants.fast.deferred_gradients import (
    StepFactors,
    deferred_bias,
    deferred_linear,
    deferred_weight,
    tanh_,
    tanh_backward,
)
from variants.fast.forms import plain
from variants.fast.matmul import linear, product
from variants.fast.stacked import to_rows
from variants.stack import States
from variants.stepwise import next_tokens


class LoopDecoder(Decoder):
    """A decoder whose passes in dependent steps run in few operations."""

    def unfold(
        self,
        tokens_BT: Tensor,
        fed_BT: Tensor | None,
        state: State,
        memory: Memory,
        masks: DecoderMasks,
    ) -> Tensor:
        """Return the readouts_BTH of a whole pass whose steps depend on each other."""
        # gradients that are written out know one number format
        if plain() or torch.is_autocast_enabled(tokens_BT.device.type):
            return super().unfold(tokens_BT, fed_BT, state, memory, masks)
        return _Pass(self, tokens_BT, fed_BT, state, memory, masks).run()


class _Pass:
    """One pass of a decoder: what is known before its first step, and what its steps hand on.

    fed_BT is as in `Model.score`.
    """

    def __init__(
        self,
        decoder: Decoder,
        tokens_BT: Tensor,
        fed_BT: Tensor | None,
        state: State,
        memory: Memory,
        masks: DecoderMasks,
    ) -> None:
        self.decoder, self.tokens_BT, self.fed_BT = decoder, tokens_BT, fed_BT
        self.steps = tokens_BT.shape[1]
        reference_BT = tokens_BT if fed_BT is None else None
        inputs = _cell_inputs(decoder, reference_BT, memory, masks)
        self.stack = _StackLoop(decoder, inputs, state.layers, masks, self.steps)
        self.attend = self.merge = None
        if decoder.attention is not None:
            assert memory.attended is not None
            self.attend = decoder.attention.in_loop(memory.attended)
            self.merge = _Merge(decoder.merge)
        self.embedded_masks = _by_step(masks.embedded_BTE, self.steps)
        self.readout_masks = _by_step(masks.readout_BTH, self.steps)
        self.readout_mask_BTH = masks.readout_BTH
        # where no step reads what the one before gave to the output layer, all of that is made
        # after the loop, in one product
        self.feeds_readouts = decoder.feeding or fed_BT is not None
        self.tokens_B = tokens_BT[:, 0]
        self.context_BX, self.readout_BH = state.context_BX, state.vector_BH
        self.tops: list[Tensor] = []
        self.contexts: list[Tensor] = []
        self.readouts: list[Tensor] = []

    def run(self) -> Tensor:
        """Return the readouts_BTH of all steps."""
        for t in range(self.steps):
            self._step(t)
        if self.feeds_readouts:
            return torch.stack(self.readouts, dim=1)
        # without fed tokens or input feeding only attention makes steps depend on each other, so
        # there are contexts
        tops_BTH, contexts_BTX = torch.stack(self.tops, dim=1), torch.stack(self.contexts, dim=1)
        vectors_BTH = torch.tanh(self.decoder.merge(torch.cat([tops_BTH, contexts_BTX], dim=-1)))
        return apply(vectors_BTH, self.readout_mask_BTH)

    def _step(self, t: int) -> None:
        decoder = self.decoder
        if self.fed_BT is not None and t:
            # the model's own tokens come from the step before, so they cannot be embedded earlier
            reference_B, fed_B = self.tokens_BT[:, t], self.fed_BT[:, t]
            self.tokens_B = next_tokens(decoder, reference_B, fed_B, self.readouts[-1])
        if self.attend is not None and decoder.before:
            # the state before this step is the query, so that the context can enter the step
            self.context_BX = self.attend(self.stack.states[-1].h_BH, t)
        top_BH = self.stack.step(t, self._late_inputs(t))
        self.tops.append(top_BH)
        if self.attend is not None and not decoder.before:
            self.context_BX = self.attend(top_BH, t)
        self._read_out(t, top_BH)

    def _late_inputs(self, t: int) -> list[Tensor]:
        """Return the lowest cell's inputs (B, I) at step t that `_cell_inputs` could not know."""
        decoder = self.decoder
        inputs = []
        if decoder.token and self.fed_BT is not None:
            inputs.append(apply(decoder.embedding(self.tokens_B), self.embedded_masks[t]))
        if decoder.context and self.context_BX is not None:
            inputs.append(self.context_BX)
        if decoder.feeding and self.readout_BH is not None:
            inputs.append(self.readout_BH)
        return inputs

    def _read_out(self, t: int, top_BH: Tensor) -> None:
        """Make what the output layer reads of step t, as far as a later step reads it too."""
        readout_BH: Tensor | None = top_BH
        if self.merge is not None and self.context_BX is not None:
            self.contexts.append(self.context_BX)
            readout_BH = self.merge(top_BH, self.context_BX) if self.feeds_readouts else None
        if self.feeds_readouts:
            assert readout_BH is not None
            readout_BH = apply(readout_BH, self.readout_masks[t])
            self.readouts.append(readout_BH)
        self.readout_BH = readout_BH


class _CellInput(NamedTuple):
    """One of the parts, side by side, that a cell reads.

    width: its size I. values: (B, T, I), or (B, 1, I) for all steps, where they are known before
    the loop; None where a step makes them.
    """

    width: int
    values: Tensor | None


def _cell_inputs(
    decoder: Decoder, reference_BT: Tensor | None, memory: Memory, masks: DecoderMasks
) -> list[_CellInput]:
    """Return what the lowest cell reads. reference_BT: the tokens, if all are known beforehand."""
    inputs = []
    if decoder.token:
        values_BTE = None
        if reference_BT is not None:
            values_BTE = apply(decoder.embedding(reference_BT), masks.embedded_BTE)
        inputs.append(_CellInput(decoder.embedding.size, values_BTE))
    if decoder.context and decoder.attention is not None:
        inputs.append(_CellInput(decoder.attention.context, None))
    elif decoder.context:
        summary_BD = memory.summary_BD
        inputs.append(_CellInput(summary_BD.shape[1], summary_BD[:, None]))
    if decoder.feeding:
        inputs.append(_CellInput(decoder.hidden, None))
    if not inputs:  # the constant one of decoder_input=state
        ones_B11 = memory.summary_BD.new_ones(len(memory.summary_BD), 1, 1)
        inputs.append(_CellInput(1, ones_B11))
    return inputs


class _StackLoop:
    """The decoder's layers within the loop, with their states after the last step."""

    def __init__(
        self,
        decoder: Decoder,
        inputs: Sequence[_CellInput],
        states: States,
        masks: DecoderMasks,
        steps: int,
    ) -> None:
        lowest, *upper = decoder.cells
        rows = len(states[0].h_BH)
        self.layers = [_LayerLoop(lowest, inputs, rows, steps)]
        self.layers += [
            _LayerLoop(cell, [_CellInput(cell.input_size, None)], rows, steps) for cell in upper
        ]
        self.input_masks = [_by_step(mask, steps) for mask in masks.stack.inputs]
        self.recurrent_masks = masks.stack.recurrent
        self.residual = decoder.residual
        self.states = list(states)

    def step(self, t: int, late_inputs: Sequence[Tensor]) -> Tensor:
        """Return the top layer's output (B, H) at step t."""
        output_BH = self._advance(0, t, late_inputs)
        for level in range(1, len(self.layers)):
            below_BH = apply(output_BH, self.input_masks[level][t])
            output_BH = self._advance(level, t, [below_BH])
            if self.residual:
                output_BH = output_BH + below_BH
        return output_BH

    def _advance(self, level: int, t: int, late_inputs: Sequence[Tensor]) -> Tensor:
        """Return one layer's output (B, H) at step t, and keep its state."""
        state = self.layers[level](t, late_inputs, self.states[level], self.recurrent_masks[level])
        self.states[level] = state
        return state.h_BH


class _LayerLoop:
    """A cell within the loop.

    If all that its `project` does is affine, the share of the gates that comes from known inputs
    is made before the loop, for all steps at once.
    """

    def __init__(self, cell: Cell, inputs: Sequence[_CellInput], rows: int, steps: int) -> None:
        self.cell, self.advance = cell, cell.in_loop()
        self.late_weight = None
        affine = cell.affine()
        self.affine = affine is not None
        if affine is None:
            self.known = [
                [None] * steps if values is None else _spread(values, steps) for _, values in inputs
            ]
            return
        weight_GI, bias_G = affine
        # W [x ; y] = V x + U y: each input has its columns of W, and known ones are multiplied now
        columns = weight_GI.split([width for width, _ in inputs], dim=-1)  # type: ignore[no-untyped-call]
        late_columns = []
        gates = None
        for columns_GI, (_, values) in zip(columns, inputs, strict=True):
            if values is None:
                late_columns.append(columns_GI)
            elif gates is None:
                gates = linear(values, columns_GI, bias_G)
            else:
                gates = gates + linear(values, columns_GI)
        if gates is None and bias_G is not None:
            gates = to_rows(bias_G, rows)
        # one zero where nothing is known and there is no bias: it broadcasts
        self.gates = _spread(weight_GI.new_zeros(1) if gates is None else gates, steps)
        if late_columns:
            # a step has one product, however many inputs are late
            self.late_weight = deferred_weight(torch.cat(late_columns, dim=-1))

    def __call__(
        self, t: int, late_inputs: Sequence[Tensor], state: CellState, dropped_BH: Tensor | None
    ) -> CellState:
        """Return the state after step t. late_inputs: (B, I) each, those not known before."""
        mask = () if dropped_BH is None else (dropped_BH,)
        return self.advance(self._gates(t, late_inputs), state, *mask)

    def _gates(self, t: int, late_inputs: Sequence[Tensor]) -> Tensor:
        """Return the gates_BG of step t as far as they come from inputs."""
        if self.affine and self.late_weight is None:  # nothing is late
            return self.gates[t]
        if self.late_weight is not None:
            return deferred_linear(_side_by_side(late_inputs), self.late_weight, self.gates[t])
        # not affine: `project` needs all inputs at once, known and late ones in their order
        late = iter(late_inputs)
        known = (values[t] for values in self.known)
        return self.cell.project(
            _side_by_side([next(late) if values is None else values for values in known])
        )


class _MergeStep(torch.autograd.Function):
    """Computes tanh(W [h ; c] + b) with its gradient written out."""

    @staticmethod
    def forward(
        ctx: Any,
        h_BH: Tensor,
        context_BX: Tensor,
        weight_HY: Tensor,
        bias_H: Tensor,
        factors: StepFactors,
        bias_factors: StepFactors,
    ) -> Tensor:
        """Return the attentional vector_BH; Y is H + X."""
        both_BY = torch.cat([h_BH, context_BX], dim=1)
        # tanh's gradient needs its result alone, so it may overwrite what it is computed from
        vector_BH = tanh_(product(both_BY, weight_HY, bias_H))
        ctx.save_for_backward(both_BY, weight_HY, vector_BH)
        ctx.factors, ctx.bias_factors = factors, bias_factors
        return vector_BH

    @staticmethod
    def backward(ctx: Any, gradient_BH: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of h_BH and context_BX; those of W and b are made after the loop."""
        both_BY, weight_HY, vector_BH = ctx.saved_tensors
        dmerged_BH = tanh_backward(gradient_BH, vector_BH)
        ctx.factors.add(both_BY, dmerged_BH)
        ctx.bias_factors.add(dmerged_BH)
        # the columns of W stand as the parts of [h ; c], and so does what flows back
        dh_BH, dcontext_BX = product(dmerged_BH, weight_HY.mT).tensor_split(
            [vector_BH.shape[1]], dim=1
        )
        return dh_BH, dcontext_BX, None, None, None, None


class _Merge:
    """Makes Luong's attentional vector within the loop."""

    def __init__(self, merge: nn.Linear) -> None:
        self.weight, self.bias = deferred_weight(merge.weight), deferred_bias(merge.bias)

    def __call__(self, h_BH: Tensor, context_BX: Tensor) -> Tensor:
        """Return vector_BH = tanh(W [h ; c] + b)."""
        weight, bias = self.weight, self.bias
        inputs = (weight.value, bias.value, weight.factors, bias.factors)
        vector_BH: Tensor = _MergeStep.apply(h_BH, context_BX, *inputs)  # type: ignore[no-untyped-call]
        return vector_BH


def _by_step(values_BTX: Tensor | None, steps: int) -> Sequence[Tensor | None]:
    """Return (B, X) for each step, or None for each."""
    return [None] * steps if values_BTX is None else values_BTX.unbind(1)


def _spread(values: Tensor, steps: int) -> Sequence[Tensor]:
    """Return (B, T, X), or (B, 1, X), (B, X) or (X) for all steps, as one tensor a step."""
    if values.ndim == 3 and values.shape[1] == steps:
        return values.unbind(1)
    return [values.squeeze(1) if values.ndim == 3 else values] * steps


def _side_by_side(inputs: Sequence[Tensor]) -> Tensor:
    """Return parts (B, I) joined along their last axis."""
    return inputs[0] if len(inputs) == 1 else torch.cat(list(inputs), dim=1)
