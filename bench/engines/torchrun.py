"""Answers for commands that torchrun started: several processes that train each run together.

torchrun starts the same command in every process and says by environment variables that it did.
`bench.engines.choose` asks the functions here; the engine itself, which needs torch, is in
`torchrun_engine`. Loads no torch.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from bench.specs import RunSpec

EXECUTION_PREFIX = "ddp:"
"""Opens the execution mode of a run that several processes train; their number follows."""
TORCHRUN_ALONE = (
    "under torchrun all processes train one model, which bench run alone can do; leave out "
    "--until-decided, --workers, --engine, --address, --execution and limits"
)
"""Says that torchrun does not go together with other ways to spread runs."""


def process_count() -> int:
    """Return how many processes torchrun started together; 1 without torchrun."""
    return _number("WORLD_SIZE", 1)


def process_rank() -> int:
    """Return this process's number among those of torchrun; process 0 has the store."""
    return _number("RANK", 0)


def _number(variable: str, default: int) -> int:
    text = os.environ.get(variable, "")
    return int(text) if text.isdecimal() else default


def execution_mode() -> str:
    """Return the execution mode of runs that all processes train, `ddp:2` for two."""
    return f"{EXECUTION_PREFIX}{process_count()}"


def silence_torch() -> None:
    """Keep torch from warning at length about torchrun's settings, which it does when loaded."""
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")


def check_runs(specs: Iterable[RunSpec]) -> None:
    """Raise ValueError for a run that several processes cannot train together."""
    for spec in specs:
        if not spec.execution.startswith(EXECUTION_PREFIX):
            continue  # a planted fault is trained as in one process
        if spec.variant["dropout"] > 0 or spec.variant["recurrent_dropout"] > 0:
            raise ValueError("dropout over several processes is not supported; set it to 0")
        if spec.budget.seconds:
            raise ValueError(
                "processes that train one model together need a budget that ends at the same step "
                "in each, which one in seconds does not; give steps or tokens"
            )
