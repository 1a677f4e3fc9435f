"""Counts how many floating-point operations a model needs; nothing is timed.

The plain forms of all parts are run on tensors without content, and torch's counter adds up the
matrix products that they ask for, forward and backward. That is the arithmetic of the equations
as the variant's parts write them; torch's counter alone sees nothing in fused recurrent layers.
A product of (m, k) and (k, n) counts 2 m k n. Pointwise operations (gates, tanh, softmax) and the
optimizer are not counted, and neither is what a fast form does on top; padding is.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from bench.training.losses import mean_loss
from tasks import Facts
from variants import Batch, Model
from variants.fast.forms import plain_forms


def training_flops(model: Model, batch: Batch, facts: Facts, fed_BT: Tensor | None = None) -> int:
    """Return the operations of a training step on a batch: forward, loss and backward.

    fed_BT: as in `Model.score`.
    """
    empty, given = _without_content(model), _emptied(batch)
    fed = None if fed_BT is None else fed_BT.to("meta")
    with plain_forms(), FlopCounterMode(display=False) as counter:
        loss = mean_loss(empty.score(given, fed), given, facts)
        loss.backward()  # type: ignore[no-untyped-call]
    return int(counter.get_total_flops())


@torch.no_grad()
def decoding_flops(model: Model, batch: Batch, steps: int) -> int:
    """Return the operations of encoding a batch and taking so many greedy steps."""
    empty, given = _without_content(model), _emptied(batch)
    with plain_forms(), FlopCounterMode(display=False) as counter:
        memory, state = empty.encode(given)
        for _ in range(steps):
            _, state, _ = empty.step(given.inputs_BT[:, 0], state, memory)
    return int(counter.get_total_flops())


def _without_content(model: Model) -> Model:
    """Return a copy of a model that has shapes alone, in the number format of its equations."""
    empty = copy.deepcopy(model).to("meta")
    empty.number_format = None
    return empty


def _emptied(part: Any) -> Any:
    """Return a batch that has shapes alone, but for the lengths, which are read on the host."""
    moved = {name: _to_meta(value) for name, value in part._asdict().items() if name != "lengths_B"}
    return part._replace(**moved)


def _to_meta(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.to("meta")
    return tuple(map(_to_meta, value)) if isinstance(value, tuple) else value
