"""Trains a run in the process that asks for it, where a worker process would be too much."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.engines.contract import Counting, EngineError, uncounted
from bench.specs import RunSpec
from results.record import Record


def run_in_process(
    spec: RunSpec,
    data: Path,
    examined: bool = False,
    keep: Callable[[str, bytes], None] | None = None,
    count: Counting = uncounted,
) -> Record:
    """Train one run here and now, and return its record, which is stored nowhere.

    Args:
        spec: the run.
        data: folder of corpora and word vectors.
        examined: the run is examined however short it is.
        keep: called with the id and the outputs of the run; None to drop these.
        count: called at evaluations with the step that is reached, and how many there are, if that
            is known.

    Raises:
        EngineError: where the run cannot be done at all, because its data changed, say.
    """
    from bench.runner import execute
    from bench.training.process import RunError, prepare_process

    def report(point: Mapping[str, Any], clock: Mapping[str, Any]) -> None:
        if spec.budget.steps:
            count(point["step"], spec.budget.steps)

    prepare_process(1)
    try:
        plain = execute(spec, data, report, examined=examined, keep=keep)
    except RunError as error:
        raise EngineError(str(error)) from error
    # as a stored record is read: tuples become lists
    return Record.read(json.loads(json.dumps(plain)))
