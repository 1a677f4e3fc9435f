"""Prepares, times and counts subjects in a process that runs one version of the code.

It is started by python -m bench.guard.worker in the folder of that version, which may be an older
revision: neither the name of this module nor the protocol may change. It reads lines of JSON and
answers each with one; both versions must use the same PROTOCOL.

    {"prepare": [[task, variant, work], ...], "device": "cpu", "data": null, "plugins": []}
        -> {"protocol": 1, "strays": [], "workloads": {name: digest}}
    {"time": name, "passes": 10} -> {"seconds": 0.05}
    {"count": name} -> {"operations": 969, ...}

An exception is answered with {"error": sentence}. strays: modules of the suite that were not loaded
from this folder. workloads: digests of the batches that subjects work on.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from bench.collection import search_seldom

PROTOCOL = 1
"""Version of the protocol; it changes when a question or an answer changes its form."""


def main() -> None:
    """Answer questions until standard input ends."""
    # what libraries print must not mix with answers, so it goes to standard error
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    worker = Worker()
    search_seldom()  # until `prepare_process`
    # importing takes seconds, in which the other processes start too
    from bench.guard import subjects  # noqa: F401

    for line in sys.stdin:
        try:
            answer = worker.answer(json.loads(line))
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


class Worker:
    """Answers questions about the subjects that it prepared."""

    def __init__(self) -> None:
        self.cases: dict[str, Any] = {}

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to one question."""
        if "prepare" in question:
            return self._prepare(question)
        if "count" in question:
            from bench.guard.counts import count_work

            return dict(count_work(self.cases[question["count"]]))
        return {"seconds": self._time(question["time"], question["passes"])}

    def _prepare(self, question: dict[str, Any]) -> dict[str, Any]:
        """Load plugins, prepare and warm up all subjects."""
        from bench.guard.subjects import Subject, prepare_case
        from bench.plugins import loading
        from bench.training.process import freeze_imports, prepare_process
        from variants.fast.matmul import use_onednn_from

        prepare_process(1)
        # both versions multiply by the same library; one from before this rule asks for this too
        use_onednn_from(2**22)
        loading.load([Path(file) for file in question["plugins"]])
        data = Path(question["data"]) if question["data"] else None
        for fields in question["prepare"]:
            subject = Subject(*fields)
            self.cases[subject.name] = prepare_case(subject, question["device"], data)
        freeze_imports()
        return {
            "protocol": PROTOCOL,
            "strays": _strays(Path.cwd()),
            "workloads": {name: _digest(case) for name, case in self.cases.items()},
        }

    def _time(self, name: str, passes: int) -> float:
        """Return the seconds that some passes over a subject's batches take."""
        case = self.cases[name]
        _wait_for_device(case)
        since = time.perf_counter()
        for _ in range(passes):
            case.once()
        _wait_for_device(case)
        return time.perf_counter() - since


def _wait_for_device(case: Any) -> None:
    """Wait until CUDA has done all work that was queued."""
    import torch  # loaded already when a case is there

    if next(case.state.model.parameters()).is_cuda:
        torch.cuda.synchronize()


def _strays(folder: Path) -> list[str]:
    """Return the modules of the suite that were loaded from elsewhere than this folder.

    An editable install provides modules that an older version lacks. A folder without the suite
    is not checked.
    """
    if not (folder / "bench").is_dir():
        return []
    files = {
        name: str(getattr(module, "__file__", None) or "")
        for name, module in [*sys.modules.items(), ("bench.guard.worker", sys.modules["__main__"])]
        if name.partition(".")[0] in ("bench", "tasks", "variants", "results")
    }
    return sorted(n for n, f in files.items() if not Path(f).is_relative_to(folder.resolve()))


def _digest(case: Any) -> str:
    """Return a digest of the work: times of different work are not compared."""
    digest = hashlib.blake2b(digest_size=8)
    for batch in case.workload.batches:
        for values in (batch.source_BS, batch.inputs_BT, *batch.targets):
            digest.update(repr(tuple(values.shape)).encode())
            digest.update(values.cpu().numpy().tobytes())
    digest.update(repr((case.work, case.workload.limit)).encode())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
