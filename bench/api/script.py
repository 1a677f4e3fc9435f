"""Runs someone's training script in a process of its own and returns what the doctor found."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bench
from bench.engines.contract import EngineError, Limits
from bench.watching.asked import CTRL_C, STUCK, Script
from results.doctor.examined import Finding
from results.doctor.watched import Watched

ROOT = str(Path(bench.__file__).parents[1])
START = (
    "import sys; sys.path.append({root!r}); "
    "from bench.collection import search_seldom; search_seldom(); "
    "from bench.api.script_worker import main; main({request!r})"
)
"""The program of the script's process."""
FINDING_KEYS = ("cause", "sure", "place", "evidence", "why", "change")
"""What is printed of a finding with --json."""


@dataclass(frozen=True)
class ScriptDiagnosis:
    """Says how a script ended, and what was found in it.

    watched: without the facts that only the process of the script has.
    """

    script: Script
    ended: str
    watched: Watched
    findings: tuple[Finding, ...]

    @property
    def interrupted(self) -> bool:
        """Return whether Ctrl-C ended the script."""
        return self.ended == CTRL_C

    def row(self) -> dict[str, Any]:
        """Return plain values, as --json prints them."""
        return {
            "script": self.script.name,
            "arguments": list(self.script.arguments),
            "ended": self.ended,
            "steps": self.watched.steps,
            "findings": [
                {key: getattr(finding, key) for key in FINDING_KEYS} for finding in self.findings
            ],
            "unseen": list(self.watched.unseen),
        }


def diagnose_script(
    script: Script,
    limits: Limits,
    steps: int | None = None,
    *,
    to_stderr: bool = False,
    on_interrupt: Callable[[], None] = lambda: None,
) -> ScriptDiagnosis:
    """Run a script as it is, in a process of its own, and return what the doctor found.

    Args:
        script: A file, or a module, with its arguments.
        limits: Seconds and bytes after which it is stopped and judged.
        steps: Training steps after which it is stopped and judged; None for no limit.
        to_stderr: Send what the script prints to standard error.
        on_interrupt: Called at the first Ctrl-C, which stops the script; a second one kills it.

    Raises:
        EngineError: The process ended without a report, so nothing could be judged.
        KeyboardInterrupt: The process was killed by a second Ctrl-C.
    """
    with tempfile.TemporaryDirectory(prefix="bench-doctor-") as folder:
        report = Path(folder) / "report.json"
        request = {
            "name": script.name,
            "arguments": script.arguments,
            "module": script.module,
            "seconds": limits.seconds,
            "bytes": limits.bytes,
            "steps": steps,
            "report": str(report),
        }
        code = _run(request, to_stderr, on_interrupt)
        with contextlib.suppress(OSError, ValueError):
            return _read(script, json.loads(report.read_text("utf-8")))
    raise EngineError(_reason_of_death(code))


def _run(request: dict[str, Any], to_stderr: bool, on_interrupt: Callable[[], None]) -> int:
    """Run the process of the script and return its exit code."""
    code = START.format(root=ROOT, request=json.dumps(request))
    # -P: the working directory does not stand before this package; compiled code cannot be seen
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", code],
        stdout=sys.stderr if to_stderr else None,
        env={**os.environ, "TORCHDYNAMO_DISABLE": "1"},
    )
    interrupts = 0
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            interrupts += 1
            if interrupts > 1:
                process.kill()
                process.wait()
                raise
            on_interrupt()
        except BaseException:
            process.kill()
            process.wait()
            raise


def _read(script: Script, report: dict[str, Any]) -> ScriptDiagnosis:
    watched = Watched(steps=report["steps"], unseen=tuple(report["unseen"]), lines=report["lines"])
    findings = tuple(Finding(**finding) for finding in report["findings"])
    return ScriptDiagnosis(script, report["ended"], watched, findings)


def _reason_of_death(code: int) -> str:
    if code == STUCK:
        how = "the script did not stop when it reached its limit, so its process was ended"
    elif code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        how = f"the process of the script was ended by the signal {name}"
        if code == -signal.SIGKILL:
            how += ", as happens when memory runs out"
    else:
        how = f"the process of the script ended with exit code {code} before it could be judged"
    return f"{how}; nothing was found out"
