"""Steps of torch's cells with their gradients written out, for loops that autograd runs through.

Each does in some ten operations what autograd would record as thirty, and leaves the gradient of
the recurrent weights to `variants.fast.deferred_gradients`. All read `recurring_BH`: h as the
recurrent weights meet it, after dropout if there is any. Where a class's backward has the chain
rule in place, d before a name is the gradient of the loss with respect to it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from variants.fast.deferred_gradients import StepFactors, tanh_, tanh_backward
from variants.fast.matmul import add_product, product
from variants.fast.stacked import with_vector

sigmoid_backward = torch.ops.aten.sigmoid_backward.default
relu_backward = torch.ops.aten.threshold_backward.default


class LSTMStep(torch.autograd.Function):
    """A step of LSTM: c' = f c + i g, h' = o tanh(c')."""

    @staticmethod
    def forward(
        ctx: Any,
        gates_BG: Tensor,
        recurring_BH: Tensor,
        c_BH: Tensor,
        weight_GH: Tensor,
        factors: StepFactors,
    ) -> tuple[Tensor, Tensor]:
        """Return h' and c', (B, H) each. gates_BG: i, f, g, o without the recurrence's share."""
        gates = add_product(gates_BG, recurring_BH, weight_GH)
        # tanh g = 2 sigmoid(2 g) - 1, so one logistic function in place serves all four gates
        i, f, g, o = gates.chunk(4, dim=1)
        g.mul_(2.0)
        gates.sigmoid_()
        g.mul_(2.0).sub_(1.0)
        c = (f * c_BH).addcmul_(i, g)
        # a copy, as tanh_ works in place and c is the state that goes on
        squashed = tanh_(c.clone())
        ctx.save_for_backward(gates, recurring_BH, c_BH, squashed, weight_GH)
        ctx.factors = factors
        return o * squashed, c

    @staticmethod
    def backward(ctx: Any, dh: Tensor, dc: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of gates_BG, recurring_BH and c_BH, from those of h' and c'."""
        gates, recurring_BH, c_BH, squashed, weight_GH = ctx.saved_tensors
        i, f, g, o = gates.chunk(4, dim=1)
        # c' reaches the loss by itself and by h'
        dc = dc + tanh_backward(dh * o, squashed)
        parts = [
            sigmoid_backward(dc * g, i),
            sigmoid_backward(dc * c_BH, f),
            tanh_backward(dc * i, g),
            sigmoid_backward(dh * squashed, o),
        ]
        dgates = torch.cat(parts, dim=1)
        ctx.factors.add(recurring_BH.detach(), dgates)
        return dgates, product(dgates, weight_GH.mT), dc * f, None, None


class GRUStep(torch.autograd.Function):
    """A step of GRU: h' = z h + (1 - z) n, written n + z (h - n)."""

    @staticmethod
    def forward(
        ctx: Any,
        gates_BG: Tensor,
        recurring_BH: Tensor,
        h_BH: Tensor,
        weight_GH: Tensor,
        bias_H: Tensor,
        factors: StepFactors,
        bias_factors: StepFactors,
    ) -> Tensor:
        """Return h' (B, H). gates_BG: r, z, n without the recurrence's share.

        bias_H: that of the recurrence's n, which r multiplies; those of r and z are within
        gates_BG.
        """
        hidden = h_BH.shape[1]
        recurred = product(recurring_BH, weight_GH)
        rz = (gates_BG[:, : 2 * hidden] + recurred[:, : 2 * hidden]).sigmoid_()
        r, z = rz.chunk(2, dim=1)
        candidate = with_vector(torch.add, recurred[:, 2 * hidden :], bias_H)
        n = tanh_(torch.addcmul(gates_BG[:, 2 * hidden :], r, candidate))
        ctx.save_for_backward(rz, n, candidate, recurring_BH, h_BH, weight_GH)
        ctx.factors, ctx.bias_factors = factors, bias_factors
        return torch.addcmul(n, z, h_BH - n)

    @staticmethod
    def backward(ctx: Any, dh: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of gates_BG, recurring_BH and h_BH, from that of h'."""
        rz, n, candidate, recurring_BH, h_BH, weight_GH = ctx.saved_tensors
        r, z = rz.chunk(2, dim=1)
        # dh splits into z dh for the old h and (1 - z) dh for n
        kept = dh * z
        dn = tanh_backward(dh - kept, n)
        dcandidate = dn * r
        drz = sigmoid_backward(torch.cat([dn * candidate, dh * (h_BH - n)], dim=1), rz)
        drecurred = torch.cat([drz, dcandidate], dim=1)
        ctx.factors.add(recurring_BH.detach(), drecurred)
        ctx.bias_factors.add(dcandidate)
        # r multiplies the recurrence's share of n alone, so the inputs' share gets dn unchanged
        dgates = torch.cat([drz, dn], dim=1)
        return dgates, product(drecurred, weight_GH.mT), kept, None, None, None, None


class PlainStep(torch.autograd.Function):
    """A step of a plain cell: h' is tanh or relu of gates + U recurring."""

    @staticmethod
    def forward(
        ctx: Any,
        gates_BH: Tensor,
        recurring_BH: Tensor,
        weight_HH: Tensor,
        relu: bool,
        factors: StepFactors,
    ) -> Tensor:
        """Return h' (B, H)."""
        gates = add_product(gates_BH, recurring_BH, weight_HH)
        h = gates.relu_() if relu else tanh_(gates)
        ctx.save_for_backward(h, recurring_BH, weight_HH)
        ctx.relu, ctx.factors = relu, factors
        return h

    @staticmethod
    def backward(ctx: Any, dh: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of gates_BH and recurring_BH, from that of h'."""
        h, recurring_BH, weight_HH = ctx.saved_tensors
        dgates = relu_backward(dh, h, 0) if ctx.relu else tanh_backward(dh, h)
        ctx.factors.add(recurring_BH.detach(), dgates)
        return dgates, product(dgates, weight_HH.mT), None, None, None
