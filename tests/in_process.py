"""A local engine without worker processes, for tests of what is done with runs, not of where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bench.engines.contract import IDLE, EngineError, Event, Job
from bench.engines.local import LocalEngine
from bench.engines.worker import do_job


class InProcessEngine(LocalEngine):
    """Trains in the test's process, one job after another. Limits are not kept."""

    def run(self, groups: Iterable[Job]) -> Iterator[Event]:
        """Do all groups, and yield each one's events when it has ended."""
        for job in groups:
            events: list[Event] = []
            do_job(job, self._data, events.append, examined=self._examined)
            for event in events:
                if event.kind == "refused":
                    raise EngineError(str(event.value["reason"]))
                if event.kind == "finished":
                    event.value["measured"]["beside"] = 0
                yield event
            yield IDLE
