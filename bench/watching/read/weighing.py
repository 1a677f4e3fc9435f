"""Finds attention on a tape: where scores become weights that sum to 1.

Scripts call softmax, or one of torch's functions that attend as a whole, or write the softmax out:
what exp gives, divided by its sum. A mask that the weights are multiplied with belongs to it, and
so does dividing by what is left.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import multi_head_attention_forward

from bench.watching.read.flow import Flow
from bench.watching.read.predictions import normalised_axis
from bench.watching.record.places import CodeLine
from bench.watching.record.replaying import Call, Slot
from bench.watching.record.tape import Tape

FUSED = frozenset({"multi_head_attention_forward", "scaled_dot_product_attention"})
"""Calls that attend as a whole and do not give their weights, or give them averaged."""
DIVIDING = frozenset("div __truediv__ true_divide div_ __itruediv__".split())
MASKS = frozenset("mul __mul__ __rmul__ mul_ __imul__ masked_fill masked_fill_ where".split())
"""Calls that mask weights."""
EXPONENTIALS = frozenset("softmax exp exp_".split())
"""Calls that make positive numbers of scores."""
HIDDEN = -5e3
"""A score of at most this is that of a position which a mask hides."""
MAY_VANISH = 80.0
"""Difference to the highest score from which on a weight may be 0 in single precision."""
SUMS = 1e-3
"""Difference up to which weights sum to 1."""


@dataclass(frozen=True)
class Weighing:
    """One call by which scores become weights."""

    call: Call
    index: int
    axis: int
    """The axis along which the weights sum to 1."""
    scores_number: int
    """Number of the scores; -1 where they are inside of the call."""
    weights_number: int
    """Number of the weights, once they are masked; -1 where they are inside of the call."""
    masked: bool
    """Whether a mask is multiplied with what the scores gave."""

    @property
    def place(self) -> CodeLine | None:
        """Return the line of the user's code."""
        return self.call.place

    def scores(self, values: Mapping[int, Tensor]) -> Tensor:
        """Return the scores in a replay, but for a number that all of a line have in common."""
        inside = self.scores_number < 0
        return self.weights(values).log() if inside else values[self.scores_number]

    def weights(self, values: Mapping[int, Tensor]) -> Tensor:
        """Return the weights in a replay; where a mask leaves some, they sum to 1."""
        if self.weights_number < 0:
            return _inside(self.call, values)
        weights = values[self.weights_number]
        if not self.masked:
            return weights
        return weights / weights.sum(self.axis, keepdim=True).clamp_min(torch.finfo().tiny)

    def hidden(self, values: Mapping[int, Tensor]) -> Tensor:
        """Return which scores a mask hides in a replay."""
        scores = self.scores(values)
        hidden = scores <= HIDDEN
        if self.masked:
            # what is as low as this may be 0 without a mask
            low = scores < scores.amax(self.axis, keepdim=True) - MAY_VANISH
            hidden |= (self.weights(values) == 0) & ~low
        return hidden


def weighings(
    flow: Flow, values: Mapping[int, Tensor], wanted: Collection[int], left_out: Collection[int]
) -> list[Weighing]:
    """Return the calls of a tape by which scores become weights, in order.

    Args:
        flow: the calls.
        values: what the tape's replay gave.
        wanted: numbers of tensors; weights that none of them holds are left out.
        left_out: indices of calls that are none of attention, such as the softmax of a loss.
    """
    found, renewed = [], set()
    for index, call in enumerate(flow.tape.calls):
        if index in left_out or not call.results or call.results[0] not in wanted:
            continue
        one = _of_call(flow, values, wanted, index, call)
        if one is not None:
            found.append(one)
            if call.name in DIVIDING:
                renewed |= flow.moved_from(call.inputs[0], MASKS)
    return [one for one in found if one.call.results[0] not in renewed]


def _of_call(
    flow: Flow,
    values: Mapping[int, Tensor],
    wanted: Collection[int],
    index: int,
    call: Call,
) -> Weighing | None:
    """Return what a call does, if it makes weights of scores."""
    if call.name == "softmax":
        scores = values[call.inputs[0]]
        if not scores.dim():
            return None
        axis = normalised_axis(flow.tape, index, scores)
        weights = _masked(flow, values, wanted, call.results[0])
        masked = weights != call.results[0]
        return Weighing(call, index, axis, call.inputs[0], weights, masked)
    if call.name in FUSED:
        return _fused(flow.tape, values, index, call)
    if call.name in DIVIDING and len(call.inputs) > 1 and flow.computed.issuperset(call.inputs):
        return _written_out(flow, values, index, call)
    return None


def _written_out(
    flow: Flow, values: Mapping[int, Tensor], index: int, call: Call
) -> Weighing | None:
    """Return what a division does, if it makes weights of the exponentials of scores."""
    part, whole = call.inputs[:2]
    axis = _summed_axis(values[call.results[0]], values[part], values[whole])
    makers = [flow.tape.calls[i] for i in flow.before(part, EXPONENTIALS)]
    alike = [
        maker for maker in makers if values[maker.inputs[0]].shape == values[call.results[0]].shape
    ]
    if axis is None or len(alike) != 1:
        return None
    masked = part not in alike[0].results
    return Weighing(call, index, axis, alike[0].inputs[0], call.results[0], masked)


def _masked(flow: Flow, values: Mapping[int, Tensor], wanted: Collection[int], number: int) -> int:
    """Return the number of weights once masks that are no parts of the model have been applied."""
    while True:
        users = [flow.tape.calls[index] for index in flow.users[number]]
        users = [call for call in users if call.results and call.results[0] in wanted]
        if len(users) != 1 or users[0].name not in MASKS:
            return number
        others = set(users[0].inputs) - {number}
        made = users[0].results[0]
        if flow.computed & others or made == number or values[made].shape != values[number].shape:
            return number
        number = made


def _summed_axis(weights: Tensor, part: Tensor, whole: Tensor) -> int | None:
    """Return the axis along which a quotient sums to 1, if its divisor is a sum along it."""
    if part.shape != weights.shape or not part.is_floating_point() or whole.numel() == 0:
        return None
    if part.numel() == whole.numel() or part.numel() % whole.numel():
        return None
    if not bool((weights >= 0).all()):
        return None
    for axis, size in enumerate(weights.shape):
        sums = weights.sum(axis)
        kept = sums[sums > 0]
        one = bool(((kept - 1).abs() <= SUMS).all()) and 2 * kept.numel() > sums.numel()
        if size > 1 and size * whole.numel() == part.numel() and one:
            return axis
    return None


def _fused(tape: Tape, values: Mapping[int, Tensor], index: int, call: Call) -> Weighing | None:
    """Return what a call does that attends as a whole; None if it attends to its own queries."""
    queries, keys = call.inputs[:2]
    if queries == keys:
        return None
    weights = _inside(call, values)
    return Weighing(call, index, weights.dim() - 1, -1, -1, masked=False)


def _inside(call: Call, values: Mapping[int, Tensor]) -> Tensor:
    """Return the weights (..., step, source position) of a call that attends as a whole."""
    leaves = [values[leaf.number] if isinstance(leaf, Slot) else leaf for leaf in call.leaves]
    args, kwargs = call.arranged(leaves)
    with torch.no_grad(), torch._C.DisableTorchFunction():
        if call.name == "multi_head_attention_forward":
            given = inspect.signature(multi_head_attention_forward).bind(*args, **kwargs).arguments
            given |= {"need_weights": True, "average_attn_weights": False, "training": False}
            _, weights = multi_head_attention_forward(**given)
            assert weights is not None
            return weights
        return _scaled_dot_product(*args, **kwargs)


def _scaled_dot_product(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **kwargs: Any,
) -> Tensor:
    """Return the weights of torch's function: what it gives for values that are unit vectors."""
    units = torch.eye(key.shape[-2], dtype=value.dtype, device=value.device)
    units = units.expand(*value.shape[:-2], -1, -1)
    attend = torch.nn.functional.scaled_dot_product_attention
    return attend(query, key, units, attn_mask, 0.0, is_causal, **kwargs)
