"""Matrix products on the CPU by oneDNN, which torch has on board beside the library that its own
products use.

On processors other than Intel's that library takes a slower path: on an AMD EPYC of 2025 a
product of 1536 x 1536 in float32 reaches 105 GFLOP/s by `torch.mm` and 223 by oneDNN. Torch offers
oneDNN's product to its compiler alone, without gradients, so they are written out here.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from variants.fast.forms import plain

WORTH = 2**22
"""Multiplications from which on oneDNN's way of being called pays."""


def _find() -> Any:
    """Torch's door to oneDNN, where this build has one."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return None
    return getattr(torch.ops.mkldnn, "_linear_pointwise", None)


_ONEDNN = _find()


def _worth(left: Tensor, columns: int) -> bool:
    return (
        _ONEDNN is not None
        and left.dtype is torch.float32
        and left.device.type == "cpu"
        and left.numel() * columns >= WORTH
    )


def product(left_MK: Tensor, right_NK: Tensor, bias_N: Tensor | None = None) -> Tensor:
    """left right' + bias, without gradients."""
    if _worth(left_MK, len(right_NK)):
        result: Tensor = _ONEDNN(_dense(left_MK), _dense(right_NK), bias_N, "none", [], "")
        return result
    if bias_N is None:
        return left_MK @ right_NK.t()
    return torch.addmm(bias_N, left_MK, right_NK.t())


def _dense(matrix: Tensor) -> Tensor:
    """Rows or columns without gaps: with gaps, oneDNN takes thousands of times as long."""
    if matrix.is_contiguous() or matrix.t().is_contiguous():
        return matrix
    return matrix.contiguous()


def add_product(added: Tensor, left_MK: Tensor, right_NK: Tensor) -> Tensor:
    """added + left right', without gradients. added: (M, N), or what broadcasts to it."""
    if _worth(left_MK, len(right_NK)):
        return product(left_MK, right_NK).add_(added)
    return torch.addmm(added, left_MK, right_NK.t())


class _Linear(torch.autograd.Function):
    """x W' + b over the last axis."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight_OI: Tensor, bias_O: Tensor | None) -> Tensor:
        ctx.save_for_backward(inputs, weight_OI)
        ctx.has_bias = bias_O is not None
        flat = inputs.reshape(-1, inputs.shape[-1])
        return product(flat, weight_OI, bias_O).view(*inputs.shape[:-1], len(weight_OI))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight_OI = ctx.saved_tensors
        flat = inputs.reshape(-1, inputs.shape[-1])
        dflat = gradient.reshape(-1, gradient.shape[-1])
        needed = ctx.needs_input_grad
        return (
            product(dflat, weight_OI.t()).view_as(inputs) if needed[0] else None,
            product(dflat.t(), flat.t()) if needed[1] else None,
            dflat.sum(0) if ctx.has_bias and needed[2] else None,
        )


def linear(inputs: Tensor, weight_OI: Tensor, bias_O: Tensor | None = None) -> Tensor:
    """As torch.nn.functional.linear."""
    if plain() or torch.is_autocast_enabled("cpu") or not _worth(inputs, len(weight_OI)):
        return nn.functional.linear(inputs, weight_OI, bias_O)
    result: Tensor = _Linear.apply(inputs, weight_OI, bias_O)  # type: ignore[no-untyped-call]
    return result


class Linear(nn.Linear):
    """As torch.nn.Linear."""

    def forward(self, input: Tensor) -> Tensor:
        return linear(input, self.weight, self.bias)
