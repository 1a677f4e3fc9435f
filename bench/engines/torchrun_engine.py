"""The engine over processes that torchrun started, which all train the same model.

    torchrun --nproc-per-node 2 -m bench run --task en-zh:corpus=NAME --vary ...

The same command runs in each process. The first process alone has the store; the others follow it:
it sends them every job, as JSON.
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

from bench.engines.contract import IDLE, IDLE_AFTER, EngineError, Event, Job
from bench.engines.torchrun import execution_mode
from bench.engines.worker import do_job
from bench.specs import RunSpec
from bench.training.checkpoint import Checkpoint
from bench.training.distributed import ReadOnlyCheckpoint, distributed_recipe
from bench.training.process import cached_task, prepare_process

PROCESS_TIMEOUT = timedelta(hours=2)
"""How long processes wait for each other: the driver may wait an hour for room on its disk."""


class TorchrunEngine:
    """Trains one run after another, each over all processes, and yields what happens to it.

    Made in the first process alone; the others call `follow`. data: folder of corpora.
    EngineError where the processes cannot reach each other.
    """

    workers = 1

    def __init__(self, data: Path, device: str) -> None:
        self._data = data
        self._running = 0
        _join(device)

    def run(self, groups: Iterable[Job]) -> Iterator[Event]:
        """Do all groups, in this order."""
        for job in groups:
            _broadcast(_plain(job))
            yield from self._train(job)

    def state(self) -> dict[str, Any]:
        """Return who is at work, for `bench status`."""
        count = dist.get_world_size()
        nodes = [{"name": f"{count} processes", "cpus": count}]
        return {"engine": "torchrun", "nodes": nodes, "running": self._running, "retried": 0}

    def close(self) -> None:
        """Let the other processes end. In the middle of a run it is torchrun that ends them."""
        if not self._running:
            _broadcast(None)

    def _train(self, job: Job) -> Iterator[Event]:
        """Train in a thread, so that events can be yielded as they come."""
        events: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()

        def work() -> None:
            try:
                _do_job(job, self._data, events.put)
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
    """Do every job that the first process sends, until it says that there are no more."""
    _join(device)
    while (plain := _receive()) is not None:
        _do_job(_job(plain), data, lambda event: None)


def _join(device: str) -> None:
    """Enter the group of processes; EngineError where the others cannot be reached."""
    prepare_process(1)
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    if dist.is_initialized():
        return
    try:
        dist.init_process_group("nccl" if device == "cuda" else "gloo", timeout=PROCESS_TIMEOUT)
    except (RuntimeError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        raise EngineError(
            f"the processes do not find each other ({first}); start them with torchrun"
        ) from error


def _do_job(job: Job, data: Path, send: Callable[[Event], None]) -> None:
    """Train the runs of a job over all processes, of which the first writes the files.

    A process that started from another checkpoint or with other data would take other steps, and
    wait for the others for ever.
    """
    first = dist.get_rank() == 0
    same_checkpoint = _is_same_everywhere(_file_digest(job.checkpoint))
    refusal = ""
    if not _is_same_everywhere(_data_digest(job, data)):
        refusal = "the processes do not have the same data; put it on every machine"
    job = job._replace(
        checkpoint=job.checkpoint if same_checkpoint else None,
        weights=job.weights if first else (None,) * len(job.ids),
    )
    do_job(
        job,
        data,
        send,
        refusal,
        recipe=distributed_recipe(execution_mode()),
        checkpointer=Checkpoint if first else ReadOnlyCheckpoint,
    )


# what the first process sends to the others


def _plain(job: Job) -> dict[str, Any]:
    return {
        "specs": job.specs,
        "ids": job.ids,
        "checkpoint": str(job.checkpoint or ""),
        "layers": job.layers,
    }


def _job(plain: Mapping[str, Any]) -> Job:
    specs, ids = tuple(plain["specs"]), tuple(plain["ids"])
    checkpoint = Path(plain["checkpoint"]) if plain["checkpoint"] else None
    return Job(specs, ids, (None,) * len(ids), checkpoint, bool(plain["layers"]))


def _broadcast(plain: Mapping[str, Any] | None) -> None:
    """Send plain values to all other processes."""
    content = torch.tensor(list(json.dumps(plain).encode()), dtype=torch.uint8, device=_device())
    # receivers must have room before the content comes
    dist.broadcast(torch.tensor([len(content)], device=_device()), 0)
    dist.broadcast(content, 0)


def _receive() -> Any:
    """Return the plain values that the first process sends next."""
    size = torch.zeros(1, dtype=torch.int64, device=_device())
    dist.broadcast(size, 0)
    content = torch.zeros(int(size), dtype=torch.uint8, device=_device())
    dist.broadcast(content, 0)
    return json.loads(bytes(content.tolist()))


def _file_digest(file: Path | None) -> int:
    """Return a number that stands for a file's content, -1 for no file."""
    if file is None or not file.is_file():
        return -1
    with file.open("rb") as opened:
        return int(hashlib.file_digest(opened, "blake2b").hexdigest()[:15], 16)


def _data_digest(job: Job, data: Path) -> int:
    """Return a number that stands for the data of a job, -1 where this process has none."""
    try:
        return int(cached_task(RunSpec.read(job.specs[0]).task, data).digest()[:15], 16)
    except (ValueError, OSError):
        return -1


def _is_same_everywhere(number: int) -> bool:
    """Return whether all processes, which must all ask, have the same number."""
    numbers = [
        torch.zeros(1, dtype=torch.int64, device=_device()) for _ in range(dist.get_world_size())
    ]
    dist.all_gather(numbers, torch.tensor([number], device=_device()))
    return len({int(other) for other in numbers}) == 1


def _device() -> str:
    return "cuda" if dist.get_backend() == "nccl" else "cpu"
