"""One version of the code in a process of its own: it prepares, times and counts what it is told.

python -m bench.guard.worker, in the folder of that version. A line of JSON comes in, one goes out;
both versions must speak the same PROTOCOL.

    {"prepare": [[task, variant, work], ...], "device": "cpu", "data": null, "plugins": []}
        -> {"protocol": 1, "strays": [], "workloads": {name: digest}}
    {"time": name, "passes": 10} -> {"seconds": 0.05}
    {"count": name} -> {"operations": 969, ...}

What goes wrong is {"error": sentence}.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

PROTOCOL = 1


def main() -> None:
    """Until standard input ends."""
    # what libraries print goes elsewhere
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    worker = Worker()
    # the slow part of starting, while others start too
    from bench.guard import subjects  # noqa: F401

    for line in sys.stdin:
        try:
            answer = worker.answer(json.loads(line))
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


class Worker:
    """Keeps what was prepared."""

    def __init__(self) -> None:
        self.cases: dict[str, Any] = {}

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """To one line."""
        if "prepare" in asked:
            return self._prepare(asked)
        if "count" in asked:
            from bench.guard import counts

            return dict(counts.of(self.cases[asked["count"]]))
        return {"seconds": self._time(asked["time"], asked["passes"])}

    def _prepare(self, asked: dict[str, Any]) -> dict[str, Any]:
        from bench.guard.subjects import Subject, prepared
        from bench.plugins import loading
        from bench.training.process import freeze_imports, prepare_process

        prepare_process(1)
        loading.load([Path(file) for file in asked["plugins"]])
        data = Path(asked["data"]) if asked["data"] else None
        for given in asked["prepare"]:
            subject = Subject(*given)
            self.cases[subject.name] = prepared(subject, asked["device"], data)
        freeze_imports()
        return {
            "protocol": PROTOCOL,
            "strays": _strays(Path.cwd()),
            "workloads": {name: _digest(case) for name, case in self.cases.items()},
        }

    def _time(self, name: str, passes: int) -> float:
        case = self.cases[name]
        if next(case.state.model.parameters()).is_cuda:
            import torch

            torch.cuda.synchronize()
        since = time.perf_counter()
        for _ in range(passes):
            case.once()
        if next(case.state.model.parameters()).is_cuda:
            torch.cuda.synchronize()
        return time.perf_counter() - since


def _strays(folder: Path) -> list[str]:
    """Modules of the suite that are not this folder's, though it has the suite: an editable
    install lends what an older version lacks."""
    if not (folder / "bench").is_dir():
        return []
    files = {
        name: str(getattr(module, "__file__", None) or "")
        for name, module in [*sys.modules.items(), ("bench.guard.worker", sys.modules["__main__"])]
        if name.partition(".")[0] in ("bench", "tasks", "variants", "results")
    }
    return sorted(n for n, f in files.items() if not Path(f).is_relative_to(folder.resolve()))


def _digest(case: Any) -> str:
    """Of what is worked on: unlike work is not compared."""
    digest = hashlib.blake2b(digest_size=8)
    for batch in case.workload.batches:
        for values in (batch.source_BS, batch.inputs_BT, *batch.targets):
            digest.update(repr(tuple(values.shape)).encode())
            digest.update(values.cpu().numpy().tobytes())
    digest.update(repr((case.work, case.workload.limit)).encode())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
