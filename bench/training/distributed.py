"""One model trained by several processes, by torch's DistributedDataParallel.

Each process takes every n-th example of a batch, and the loss is that of the complete batch, so the
result equals that of one process, except for rounding. torch's process group must have been
started.
"""

from __future__ import annotations

from typing import Any

import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from bench.specs import EXECUTIONS
from bench.training.checkpoint import Checkpoint
from bench.training.state import Loss, Recipe, TrainState, train_step
from tasks import Facts
from variants import Batch, Model, Variant


class ReadOnlyCheckpoint(Checkpoint):
    """A checkpoint that this process only reads, as another that trains the same run writes it."""

    def is_due(self) -> bool:
        return False


def distributed_recipe(execution: str) -> Recipe:
    """Return the suite's own recipe with a step that all processes take together.

    execution: the mode of the runs that are trained so.
    """
    rank, processes = dist.get_rank(), dist.get_world_size()
    wrapped: dict[int, DistributedDataParallel] = {}

    def distributed(model: Model) -> DistributedDataParallel:
        if id(model) not in wrapped:
            # not every variant's loss reaches every parameter
            wrapped[id(model)] = DistributedDataParallel(
                _LossModule(model), find_unused_parameters=True
            )
        return wrapped[id(model)]

    def step(
        state: TrainState,
        variant: Variant,
        facts: Facts,
        loss_of: Loss,
        batch: Batch,
        fed_BT: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Do as `train_step` does, over all processes."""

        def loss_of_share(
            model: Model, batch: Batch, fed_BT: Tensor | None, *others: Any
        ) -> Tensor:
            own, own_fed_BT = share(batch, fed_BT, rank, processes)
            # DDP averages gradients over processes, but the loss is a mean over all real tokens:
            # weight it by this process's share of them
            weight = processes * own.tokens / batch.tokens
            loss: Tensor = distributed(model)(loss_of, own, own_fed_BT, *others)
            return loss * weight

        loss, norm = train_step(state, variant, facts, loss_of_share, batch, fed_BT)
        # each process has the loss of its own examples, which is not that of the batch
        loss = loss / processes
        dist.all_reduce(loss)
        return loss, norm

    # a planted fault is planned as eager on every engine
    return Recipe(step=step, executions=(*EXECUTIONS, execution))


class _LossModule(nn.Module):
    """A model whose `forward` returns a loss, as DistributedDataParallel needs it."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, loss_of: Loss, *others: Any) -> Tensor:
        """Return the loss () of the model on a batch of inputs_BT.

        others: the arguments of a `Loss` after the model.
        """
        return loss_of(self.model, *others)


def share(
    batch: Batch, fed_BT: Tensor | None, rank: int, processes: int
) -> tuple[Batch, Tensor | None]:
    """Return a process's part of a batch and of fed_BT.

    The part is every `processes`-th example from number `rank` on. S and T become those of the
    longest example in it. If the batch has fewer examples than processes, a process without one
    gets the first example with `tokens` 0, so it has no weight. fed_BT: True where the reference
    token is fed.
    """
    rows = slice(rank, None, processes)
    has_examples = rank < len(batch.lengths_B)
    if not has_examples:
        rows = slice(0, 1)
    lengths_B, mask_BT = batch.lengths_B[rows], batch.mask_BT[rows]
    source, target = int(lengths_B.max()), int(mask_BT.sum(1).max())
    mask_BT = mask_BT[:, :target].contiguous()
    source_mask_BS = batch.source_mask_BS[rows, :source].contiguous()
    part = Batch(
        source_BS=batch.source_BS[rows, :source].contiguous(),
        source_mask_BS=source_mask_BS,
        lengths_B=lengths_B,
        even=bool(source_mask_BS.all()),
        inputs_BT=batch.inputs_BT[rows, :target].contiguous(),
        targets=tuple(target_BT[rows, :target].contiguous() for target_BT in batch.targets),
        mask_BT=mask_BT,
        places_N=mask_BT.flatten().nonzero()[:, 0],
        tokens=int(mask_BT.sum()) if has_examples else 0,
    )
    return part, None if fed_BT is None else fed_BT[rows, :target].contiguous()
