"""Matrix products on the CPU by oneDNN, which torch has on board besides its usual library.

On some processors the usual library takes a slower path: on one AMD EPYC of 2025 a product of 1536
x 1536 in float32 reached 105 GFLOP/s by `torch.mm` and 223 by oneDNN. On others the two are equal,
so `bench.training.products` measures them. Torch offers oneDNN's product to its compiler alone,
without gradients, so they are written out here.

Further letters of shapes: M rows of any kind, K and N the sizes of a product, I inputs and O
outputs of a linear map.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from variants.fast.forms import plain
from variants.fast.stacked import by_replica, stack_size


def _find() -> Any:
    """Return torch's own access to oneDNN; None if this build has none."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return None
    return getattr(torch.ops.mkldnn, "_linear_pointwise", None)


_ONEDNN = _find()
_onednn_from: int | None = 2**22


def use_onednn_from(multiplications: int | None) -> None:
    """Let products of so many multiplications and more go to oneDNN; None for none.

    It holds for the process, as the speed of a library does for the machine.
    """
    global _onednn_from
    _onednn_from = multiplications


def onednn_from() -> int | None:
    """Return from how many multiplications on products go to oneDNN; None if none do."""
    return None if _ONEDNN is None else _onednn_from


def has_onednn() -> bool:
    """Return whether this torch offers oneDNN's product."""
    return _ONEDNN is not None


def _worth(left: Tensor, columns: int) -> bool:
    """Return whether oneDNN does the product of left (..., K) and (K, columns) faster."""
    smallest = onednn_from()
    return (
        smallest is not None
        and left.dtype is torch.float32
        and left.device.type == "cpu"
        and left.numel() * columns >= smallest
    )


def product(left_MK: Tensor, right_NK: Tensor, bias_N: Tensor | None = None) -> Tensor:
    """Return left right' + bias, (M, N), without gradients.

    right_NK and bias_N may have the axis R in front, as in variants.fast.stacked; M is R x M then.
    """
    if count := stack_size(right_NK, 2):
        left_RMK, right_RKN = by_replica(left_MK, count), right_NK.mT
        if bias_N is None:
            return torch.bmm(left_RMK, right_RKN).flatten(0, 1)
        return torch.baddbmm(bias_N[:, None], left_RMK, right_RKN).flatten(0, 1)
    if _worth(left_MK, len(right_NK)):
        return onednn_product(left_MK, right_NK, bias_N)
    return usual_product(left_MK, right_NK, bias_N)


def onednn_product(left_MK: Tensor, right_NK: Tensor, bias_N: Tensor | None = None) -> Tensor:
    """Return left right' + bias, (M, N), by oneDNN."""
    result: Tensor = _ONEDNN(_dense(left_MK), _dense(right_NK), bias_N, "none", [], "")
    return result


def usual_product(left_MK: Tensor, right_NK: Tensor, bias_N: Tensor | None = None) -> Tensor:
    """Return left right' + bias, (M, N), by torch's usual library."""
    if bias_N is None:
        return left_MK @ right_NK.t()
    return torch.addmm(bias_N, left_MK, right_NK.t())


def _dense(matrix: Tensor) -> Tensor:
    """Return the matrix (M, K) with rows or columns without gaps.

    With gaps, oneDNN takes thousands of times as long.
    """
    if matrix.is_contiguous() or matrix.t().is_contiguous():
        return matrix
    return matrix.contiguous()


def add_product(added: Tensor, left_MK: Tensor, right_NK: Tensor) -> Tensor:
    """Return added + left right', (M, N), without gradients. added: what broadcasts to (M, N).

    right_NK may have the axis R in front, as in variants.fast.stacked; M is R x M then.
    """
    if count := stack_size(right_NK, 2):
        added_RMN = by_replica(added, count) if added.ndim > 1 else added
        left_RMK = by_replica(left_MK, count)
        return torch.baddbmm(added_RMN, left_RMK, right_NK.mT).flatten(0, 1)
    if _worth(left_MK, len(right_NK)):
        return product(left_MK, right_NK).add_(added)
    return torch.addmm(added, left_MK, right_NK.t())


class _OneDNNLinear(torch.autograd.Function):
    """Computes x W' + b over the last axis by oneDNN, with its gradient written out."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight_OI: Tensor, bias_O: Tensor | None) -> Tensor:
        """Return the outputs, (..., I) -> (..., O)."""
        ctx.save_for_backward(inputs, weight_OI)
        ctx.has_bias = bias_O is not None
        flat_MI = inputs.reshape(-1, inputs.shape[-1])
        return product(flat_MI, weight_OI, bias_O).view(*inputs.shape[:-1], len(weight_OI))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of inputs (..., I), weight_OI and bias_O, as far as needed."""
        inputs, weight_OI = ctx.saved_tensors
        flat_MI = inputs.reshape(-1, inputs.shape[-1])
        dflat_MO = gradient.reshape(-1, gradient.shape[-1])
        needed = ctx.needs_input_grad
        return (
            product(dflat_MO, weight_OI.t()).view_as(inputs) if needed[0] else None,
            product(dflat_MO.t(), flat_MI.t()) if needed[1] else None,
            dflat_MO.sum(0) if ctx.has_bias and needed[2] else None,
        )


def linear(inputs: Tensor, weight_OI: Tensor, bias_O: Tensor | None = None) -> Tensor:
    """Return x W' + b, (..., I) -> (..., O), as torch.nn.functional.linear does.

    weight_OI and bias_O may have the axis R in front, as in variants.fast.stacked.
    """
    if stack_size(weight_OI, 2):
        # torch's batched products have gradients of their own
        flat_MI = inputs.reshape(-1, inputs.shape[-1])
        return product(flat_MI, weight_OI, bias_O).view(*inputs.shape[:-1], -1)
    # autocast chooses the number format of torch's own function, and would not see this one
    if plain() or torch.is_autocast_enabled("cpu") or not _worth(inputs, len(weight_OI)):
        return nn.functional.linear(inputs, weight_OI, bias_O)
    result: Tensor = _OneDNNLinear.apply(inputs, weight_OI, bias_O)  # type: ignore[no-untyped-call]
    return result


class Linear(nn.Linear):
    """A torch.nn.Linear that multiplies by oneDNN where that is faster."""

    def forward(self, input: Tensor) -> Tensor:
        """Return the outputs, (..., I) -> (..., O)."""
        return linear(input, self.weight, self.bias)
