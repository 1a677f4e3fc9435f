"""Several models of one kind as one: a stack of R models has the axis R in front of every weight.

Its rows of activations are those of all models, replica by replica: a B in a shape then stands for
R x B rows. So only what meets a weight knows of replicas, and all else runs as for one model. The
functions here take a weight with or without the axis R, and do the same for each replica.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


def stack_size(weight: Tensor, axes: int) -> int:
    """Return R of a weight (R, ...) that has R in front of its own `axes`; 0 without R."""
    return len(weight) if weight.ndim > axes else 0


def by_replica(values_BX: Tensor, count: int) -> Tensor:
    """Return the rows of each replica, (R * B, ...) -> (R, B, ...), as a view. count: R."""
    return values_BX.view(count, -1, *values_BX.shape[1:])


def to_rows(vector_X: Tensor, rows: int) -> Tensor:
    """Return what to add to `rows` rows of X: a vector as it is, one of each replica as rows_BX."""
    if not (count := stack_size(vector_X, 1)):
        return vector_X
    return vector_X[:, None].expand(-1, rows // count, -1).flatten(0, 1)


def with_vector(
    operation: Callable[[Tensor, Tensor], Tensor], values: Tensor, vector_X: Tensor
) -> Tensor:
    """Return the result (B, ..., X) of an elementwise operation with a vector (X) or (R, X)."""
    if not (count := stack_size(vector_X, 1)):
        return operation(values, vector_X)
    between = [1] * (values.ndim - 1)
    return operation(
        by_replica(values, count), vector_X.view(count, *between, vector_X.shape[-1])
    ).flatten(0, 1)


class LayerNorm(nn.LayerNorm):
    """A torch.nn.LayerNorm over the last axis whose gain and bias may have the axis R."""

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised values, (..., X) -> (..., X)."""
        if not stack_size(self.weight, 1):
            return super().forward(input)
        normal = nn.functional.layer_norm(input, self.normalized_shape, eps=self.eps)
        scaled = with_vector(Tensor.mul, normal, self.weight)
        # torch's own declaration leaves out that a norm without bias has None there
        bias: Tensor | None = self.bias
        return scaled if bias is None else with_vector(Tensor.add, scaled, bias)
