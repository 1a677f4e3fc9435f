"""A clock for an engine that a test puts forward: no limit depends on how busy the machine is."""

from __future__ import annotations

import time


class Clock:
    """Stands in for the module `time` where an engine looks at it.

    ahead: seconds that it is in front of the machine's.
    """

    sleep = staticmethod(time.sleep)

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead
