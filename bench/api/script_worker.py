"""The process in which a training script runs: keeps the limits, and reports what was found."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.collection import search_as_usual
from bench.engines.contract import Limits
from bench.engines.worker import watch_memory
from bench.watching.asked import STUCK, Script
from bench.watching.script import StopScript, run_script
from bench.watching.watch import Watch

PATIENCE = 20.0
"""Seconds that a script has to react to a limit, before it is asked again."""
BETWEEN_INTERRUPTS = 3.0
"""Seconds after Ctrl-C at which a script that still trains is interrupted again."""
MOST_REQUESTS = 3
"""Times that a script is asked to stop before its process is ended."""


def main(request: str) -> None:
    """Run a script as a request asks, and write the report that it asks for.

    request: JSON with the script, its limits, the most steps, and the file of the report.
    """
    # the script's first optimizer would load it; no limit holds as yet, nor counts this time
    importlib.import_module("torch._dynamo")
    search_as_usual()
    asked = json.loads(request)
    script = Script(asked["name"], tuple(asked["arguments"]), asked["module"])
    watch = Watch(asked["steps"])
    stopper = _Stopper(Limits(asked["seconds"], asked["bytes"]), lambda: watch.steps)
    ended = run_script(script, watch, stopper.close)
    report = {
        "ended": ended,
        "steps": watch.watched.steps,
        "unseen": watch.watched.unseen,
        "lines": dict(watch.watched.lines),
        "findings": [_plain(finding) for finding in watch.findings],
    }
    Path(asked["report"]).write_text(json.dumps(report), "utf-8")
    sys.stdout.flush()


def _plain(finding: Any) -> dict[str, Any]:
    return {**asdict(finding), "remedy": dict(finding.remedy)}


class _Stopper:
    """Raises StopScript in the script when it exceeds a limit, and KeyboardInterrupt at Ctrl-C."""

    def __init__(self, limits: Limits, steps: Callable[[], int]) -> None:
        """Begin to watch over the limits.

        steps: tells how many training steps the script has taken so far.
        """
        self._limits = limits
        self._steps = steps
        self._interrupted = False
        self._reason = ""
        self._ended = threading.Event()
        signal.signal(signal.SIGUSR1, self._raise)
        signal.signal(signal.SIGINT, self._interrupt)
        if limits.bytes:
            allowed = f"{limits.bytes / 2**30:.3g} GiB"
            reason = f"it was stopped because it held more than {allowed}, its --memory-limit"
            watch_memory(limits, lambda _: self._stop(reason), self._ended)
        if limits.seconds:
            threading.Thread(target=self._keep_time, daemon=True).start()

    def close(self) -> None:
        """End the limits: the script's own code has ended."""
        self._ended.set()
        # whoever started this process decides about a further Ctrl-C
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _interrupt(self, number: int, frame: Any) -> None:
        if not self._interrupted:
            self._interrupted = True
            threading.Thread(target=self._interrupt_again, daemon=True).start()
        raise KeyboardInterrupt

    def _interrupt_again(self) -> None:
        """Interrupt the script again while it goes on to train.

        An interrupt is lost if it comes while Python runs a destructor or a callback. A script that
        catches it to end its training well takes no more steps and is left alone.
        """
        before = self._steps()
        while not self._ended.wait(BETWEEN_INTERRUPTS):
            now = self._steps()
            if now == before:
                return
            before = now
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def _keep_time(self) -> None:
        if not self._ended.wait(self._limits.seconds):
            minutes = f"{self._limits.seconds / 60:.3g} min"
            self._stop(f"it was stopped after {minutes}, its --time-limit")

    def _stop(self, reason: str) -> None:
        self._reason = reason
        for _ in range(MOST_REQUESTS):
            if self._ended.is_set():
                return
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
            if self._ended.wait(PATIENCE):
                return
        os._exit(STUCK)

    def _raise(self, number: int, frame: Any) -> None:
        if not self._ended.is_set():
            raise StopScript(self._reason)
