"""Stands in for a worker process that is stopped for good in the middle of a message."""

from __future__ import annotations

import os
import signal
import struct
from multiprocessing.connection import Connection
from pathlib import Path

from bench.engines.contract import Event, Job, Limits


def work(
    connection: Connection,
    data: Path,
    threads: int,
    files: tuple[Path, ...],
    limits: Limits,
    examined: bool,
) -> None:
    """Start the first run, announce a message of 1,000 bytes, send three, and stop."""
    job: Job = connection.recv()
    connection.send(Event("started", job.ids[0], {"spec": job.specs[0]}))
    os.write(connection.fileno(), struct.pack("!i", 1000) + b"abc")
    os.kill(os.getpid(), signal.SIGSTOP)
