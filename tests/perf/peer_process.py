"""Talks to another implementation in a process, and an environment, of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence


class PeerProcess:
    """Holds a process that answers each line that it is given by one line of JSON.

    name: whose it is, for the sentence that says that it ended. environment: variables that it has
    besides those of this process. Its first answer says that it is ready.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        self._answer()

    def ask(self, order: str) -> dict[str, float]:
        """Give a line and return the answer to it."""
        assert self._process.stdin is not None
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name}'s process ended; what it printed above says why")
        answer: dict[str, float] = json.loads(line)
        return answer

    def end(self) -> None:
        """Let the process go."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
