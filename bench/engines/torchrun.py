"""One model over several processes, by torch's DistributedDataParallel: the same command on each,
started by torchrun.

    torchrun --nproc-per-node 2 -m bench run --task en-zh:corpus=NAME --vary ...

Each process takes every n-th example of a batch, and the loss is that of the whole batch, so a run
is that of one process but for rounding. The first process alone has the store; the others do as it
says, in plain JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from bench.engines.contract import IDLE, IDLE_AFTER, EngineError, Event, Job
from bench.runner import execute_group
from bench.specs import RunSpec
from bench.training.process import RunError, cached_task, prepare_process
from bench.training.state import Loss, Recipe, TrainState, train_step
from tasks import Facts
from variants import Batch, Model, Variant

PATIENCE = timedelta(hours=2)
"""How long processes wait for each other: the driver may wait an hour for room on its disk."""


def world() -> int:
    """Processes that torchrun started together; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """This process's place among them."""
    return int(os.environ.get("RANK", "0"))


class ParallelEngine:
    """Trains one run after another, each over all processes, and yields what happens to it."""

    workers = 1

    def __init__(self, data: Path, device: str) -> None:
        self._data = data
        self._running = 0
        _join(device)

    def run(self, groups: Iterable[Job]) -> Iterator[Event]:
        """Do all groups, in this order."""
        for job in groups:
            _tell(_plain(job))
            yield from self._one(job)

    def state(self) -> dict[str, Any]:
        """Who is at work, for `bench status`."""
        nodes = [{"name": f"{world()} processes", "cpus": world()}]
        return {"engine": "torchrun", "nodes": nodes, "running": self._running, "retried": 0}

    def close(self) -> None:
        """Send the others home. In the middle of a run they are torchrun's to end."""
        if not self._running:
            _tell(None)

    def _one(self, job: Job) -> Iterator[Event]:
        """In a thread, so that events are told as they come."""
        events: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()

        def work() -> None:
            try:
                _train(job, self._data, events.put)
            except BaseException as error:
                events.put(error)
            events.put(None)

        threading.Thread(target=work, daemon=True).start()
        self._running = len(job.ids)
        while True:
            try:
                event = events.get(timeout=IDLE_AFTER)
            except queue.Empty:
                yield IDLE
                continue
            if event is None:
                break
            if isinstance(event, BaseException):
                raise event
            if event.kind == "refused":
                raise EngineError(str(event.value["reason"]))
            yield event
        self._running = 0


def follow(data: Path, device: str) -> None:
    """What every process but the first does: the jobs that it is told of."""
    _join(device)
    while (plain := _hear()) is not None:
        _train(_job(plain), data, lambda event: None)


def _join(device: str) -> None:
    prepare_process(1)
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    if dist.is_initialized():
        return
    try:
        dist.init_process_group("nccl" if device == "cuda" else "gloo", timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        raise EngineError(
            f"the processes do not find each other ({first}); start them with torchrun"
        ) from error


def _train(job: Job, data: Path, tell: Callable[[Event], None]) -> None:
    specs = [RunSpec.read(plain) for plain in job.specs]
    for run, plain in zip(job.ids, job.specs, strict=True):
        tell(Event("started", run, {"spec": plain}))

    def reporter(run: str) -> Callable[[Any, Any], None]:
        return lambda point, clock: tell(Event("point", run, {"point": point, "clock": clock}))

    checkpoint = job.checkpoint if _alike(_content(job.checkpoint)) else None
    try:
        task = cached_task(specs[0].task, data)
        known = int(task.digest()[:15], 16)
    except (ValueError, OSError):
        known = -1
    if not _alike(known):
        reason = "the processes do not have the same data; put it on every machine"
        tell(Event("refused", job.ids[0], {"reason": reason}))
        return
    try:
        records = execute_group(
            specs,
            data,
            [reporter(run) for run in job.ids],
            job.weights if rank() == 0 else [None] * len(specs),
            recipe(),
            checkpoint,
            writes_checkpoint=rank() == 0,
        )
    except RunError as error:
        tell(Event("refused", job.ids[0], {"reason": str(error)}))
        return
    for record in records:
        tell(Event("finished", record["id"], record))


def recipe() -> Recipe:
    """The suite's own but for the step, which all processes take together."""
    wrapped: dict[int, DistributedDataParallel] = {}

    def over_all(model: Model) -> DistributedDataParallel:
        if id(model) not in wrapped:
            # not every variant's loss reaches every parameter
            wrapped[id(model)] = DistributedDataParallel(_Whole(model), find_unused_parameters=True)
        return wrapped[id(model)]

    def step(
        state: TrainState,
        variant: Variant,
        facts: Facts,
        loss_of: Loss,
        batch: Batch,
        fed_BT: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        def loss_of_part(model: Model, whole: Batch, fed_BT: Tensor | None, *given: Any) -> Tensor:
            part, fed_part = share(whole, fed_BT, rank(), world())
            # gradients are averaged over processes, and the mean is over all real tokens
            weight = world() * part.tokens / whole.tokens
            loss: Tensor = over_all(model)(loss_of, part, fed_part, *given)
            return loss * weight

        loss, norm = train_step(state, variant, facts, loss_of_part, batch, fed_BT)
        loss = loss / world()
        dist.all_reduce(loss)
        return loss, norm

    return Recipe(step=step)


class _Whole(nn.Module):
    """A model whose loss is what `forward` gives, as DistributedDataParallel needs it."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, loss_of: Loss, *given: Any) -> Tensor:
        return loss_of(self.model, *given)


def share(batch: Batch, fed_BT: Tensor | None, place: int, of: int) -> tuple[Batch, Tensor | None]:
    """Every `of`-th example from `place` on, without padding that it has no need of. Where there
    are too few examples, one that does not count: tokens is 0."""
    rows = slice(place, None, of)
    counts = place < len(batch.lengths_B)
    if not counts:
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
        targets=tuple(one[rows, :target].contiguous() for one in batch.targets),
        mask_BT=mask_BT,
        places_N=mask_BT.flatten().nonzero()[:, 0],
        tokens=int(mask_BT.sum()) if counts else 0,
    )
    return part, None if fed_BT is None else fed_BT[rows, :target].contiguous()


# what the first process tells the others


def _plain(job: Job) -> dict[str, Any]:
    return {"specs": job.specs, "ids": job.ids, "checkpoint": str(job.checkpoint or "")}


def _job(plain: Mapping[str, Any]) -> Job:
    specs, ids = tuple(plain["specs"]), tuple(plain["ids"])
    checkpoint = Path(plain["checkpoint"]) if plain["checkpoint"] else None
    return Job(specs, ids, (None,) * len(ids), checkpoint)


def _tell(plain: Mapping[str, Any] | None) -> None:
    content = torch.tensor(list(json.dumps(plain).encode()), dtype=torch.uint8, device=_device())
    dist.broadcast(torch.tensor([len(content)], device=_device()), 0)
    dist.broadcast(content, 0)


def _hear() -> Any:
    size = torch.zeros(1, dtype=torch.int64, device=_device())
    dist.broadcast(size, 0)
    content = torch.zeros(int(size), dtype=torch.uint8, device=_device())
    dist.broadcast(content, 0)
    return json.loads(bytes(content.tolist()))


def _content(file: Path | None) -> int:
    """Of the file a number, -1 of none: a copy may be an older one."""
    if file is None or not file.is_file():
        return -1
    with file.open("rb") as opened:
        return int(hashlib.file_digest(opened, "blake2b").hexdigest()[:15], 16)


def _alike(number: int) -> bool:
    """Whether all processes have the same: one that went its own way, from a checkpoint or with
    other data, would wait for the others for ever."""
    found = [torch.zeros(1, dtype=torch.int64, device=_device()) for _ in range(world())]
    dist.all_gather(found, torch.tensor([number], device=_device()))
    return len({int(one) for one in found}) == 1


def _device() -> str:
    return "cuda" if dist.get_backend() == "nccl" else "cpu"
