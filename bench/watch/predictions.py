"""Finds what a loss is made of: which predictions it reads, which symbols it asks for.

A loss over symbols has, at the logits of one prediction, the gradient w (p - y): p are the
probabilities, y is 1 at the symbol asked for, w is the prediction's weight in the loss. So both
y and w can be read from the gradient, however the loss was written.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.watch.flow import MOVES, Flow
from bench.watch.tape import Tape

SOFTMAX = frozenset({"softmax", "log_softmax", "cross_entropy", "logsumexp", "softmin"})
CRITERIA = frozenset(
    "cross_entropy nll_loss log_softmax softmax logsumexp binary_cross_entropy_with_logits "
    "binary_cross_entropy mse_loss l1_loss smooth_l1_loss kl_div".split()
)
THROUGH = MOVES | frozenset({"softmax", "log_softmax", "log", "clamp", "add", "__add__", "exp"})
"""Calls between a model's last layer and its loss that leave one value per symbol."""
NEGLIGIBLE = 1e-9


@dataclass
class Read:
    """The logits that one call of a loss reads: N predictions of V symbols."""

    call: int
    """Index of the call (cross_entropy, log_softmax, ...)."""
    name: str
    number: int
    """Number of the tensor that it is given."""
    axis: int
    """The axis over which it normalises."""
    values: Tensor
    gradient: Tensor

    @property
    def rows(self) -> int:
        """Return the number of predictions."""
        return self.values.numel() // max(self.values.shape[self.axis], 1)

    def by_row(self, tensor: Tensor) -> Tensor:
        """Return a tensor of this shape as (N, V)."""
        return tensor.movedim(self.axis, -1).reshape(-1, self.values.shape[self.axis])


@dataclass
class Predictions:
    """All predictions that a loss reads, as N rows."""

    reads: list[Read]
    asked_N: Tensor
    """The symbol asked for."""
    share_N: Tensor
    """The part of the probability that is asked for that symbol; below 1 with smoothing."""
    weight_N: Tensor
    """The weight in the loss; 0 where the loss ignores the prediction."""
    right_N: Tensor
    """Whether the most probable symbol is the one asked for."""

    @property
    def symbols(self) -> int:
        """Return the number of symbols."""
        return max(read.values.shape[read.axis] for read in self.reads)


def predictions(tape: Tape, flow: Flow, loss: int) -> Predictions | None:
    """Return what the loss of this number asks for, or None if it is no loss over symbols."""
    calls = [at for index in flow.before(loss, CRITERIA) for at in _normalising(tape, flow, index)]
    numbers = [tape.calls[index].inputs[0] for index in calls if tape.calls[index].inputs]
    if not numbers:
        return None
    values = tape.replay(gradients=True)
    wanted = [n for n in numbers if values[n].requires_grad and values[n].is_floating_point()]
    if not wanted or not values[loss].requires_grad:
        return None
    gradients = torch.autograd.grad(
        values[loss].sum(), [values[n] for n in wanted], allow_unused=True
    )
    reads = []
    for index in calls:
        number = tape.calls[index].inputs[0]
        gradient = gradients[wanted.index(number)] if number in wanted else None
        if gradient is not None:
            axis = axis_of(tape, index, values[number])
            name = tape.calls[index].name
            reads.append(
                Read(index, name, number, axis, values[number].detach(), gradient.detach())
            )
    if not reads:
        return None
    parts = [_asked(read) for read in reads]
    return Predictions(reads, *(torch.cat(part) for part in zip(*parts, strict=True)))


def _normalising(tape: Tape, flow: Flow, index: int) -> list[int]:
    """Return the log_softmax calls before a loss that takes log-probabilities, else the loss."""
    call = tape.calls[index]
    if call.name not in ("nll_loss", "kl_div"):
        return [index]
    moved = flow.moved_from(call.inputs[0])
    found = [i for i, c in flow.calls("log_softmax") if set(c.results) & moved]
    return found or [index]


def axis_of(tape: Tape, index: int, value: Tensor) -> int:
    """Return the axis over which a softmax or a loss over symbols normalises."""
    call = tape.calls[index]
    args, kwargs = call.arguments()
    if call.name in ("cross_entropy", "nll_loss"):
        return 1 if value.dim() > 1 else 0
    if call.name in ("softmax", "log_softmax", "logsumexp", "softmin"):
        dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
        dim = dim[0] if isinstance(dim, tuple | list) else dim
        if dim is None:  # torch's old rule, which warns
            dim = 0 if value.dim() in (0, 1, 3) else 1
        return int(dim) % max(value.dim(), 1)
    return value.dim() - 1


def _asked(read: Read) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    values_NV = read.by_row(read.values).double()
    gradient_NV = read.by_row(read.gradient).double()
    logits = read.name not in ("nll_loss", "kl_div", "mse_loss", "l1_loss", "smooth_l1_loss")
    p_NV = values_NV.softmax(-1) if logits else torch.zeros_like(values_NV)
    asked_N = gradient_NV.argmin(-1)
    others_NV = torch.ones_like(p_NV).scatter(-1, asked_N[:, None], 0)
    if logits:
        weight_N = (gradient_NV * others_NV).sum(-1) / (p_NV * others_NV).sum(-1).clamp_min(1e-30)
    else:
        weight_N = -gradient_NV.gather(-1, asked_N[:, None])[:, 0]
    empty_N = gradient_NV.abs().amax(-1) <= NEGLIGIBLE * gradient_NV.abs().max().clamp_min(1e-30)
    weight_N = weight_N.masked_fill(empty_N, 0)
    safe_N = weight_N.masked_fill(empty_N | (weight_N == 0), 1)
    y_NV = p_NV - gradient_NV / safe_N[:, None]
    share_N = y_NV.gather(-1, asked_N[:, None])[:, 0]
    return asked_N, share_N, weight_N, values_NV.argmax(-1) == asked_N
