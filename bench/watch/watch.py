"""Watches training code and says why its model does not learn."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from bench.watch.observe import observe
from bench.watch.recorder import Recorder
from bench.watch.recording import Recording
from results.doctor.examined import Finding
from results.doctor.watched import Watched, judge
from results.doctor.watched.show import show


class Watch:
    """Watches the training code that runs inside it.

        with bench.watch() as doctor:
            train()
        doctor.show()

    It changes no number of the training and leaves nothing behind. `findings` are causes, the
    likeliest first; `watched` holds what they rest on; both are there once the watch has ended.
    """

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.watched = Watched()
        self._recorder = Recorder()

    def __enter__(self) -> Watch:
        self._recorder.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._recorder.__exit__(*error)
        self.watched = observe(Recording.of(self._recorder))
        self.findings = judge(self.watched)

    def show(self, console: Console | None = None) -> None:
        """Print what was found, how it was seen and what to change."""
        show(self.watched, self.findings, console or Console())


def watch() -> Watch:
    """Return a context that watches the training code inside it; see `Watch`."""
    return Watch()
