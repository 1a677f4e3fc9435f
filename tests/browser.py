"""A headless browser that tests drive: clicks, keys, colours, widths, scripts on and off.

It speaks the browser's debugging protocol over a pipe, and can reach no network.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path
from typing import Any

BROWSER = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    None,
)
"""The browser of this machine, if it has one."""
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"),
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars", "--no-first-run"),
)
KEYS = {
    "Tab": (9, ""),
    "Enter": (13, "\r"),
    "Space": (32, " "),
    "ArrowDown": (40, ""),
}
"""Codes and texts of keys that can be pressed."""


class Page:
    """A page in the browser."""

    def __init__(self, reading: RawIOBase, writing: RawIOBase) -> None:
        self._reading = reading
        self._writing = writing
        self._number = 0
        self._unread = b""
        self.complaints: list[str] = []
        """What the page's scripts complained of, and what they could not load."""
        self._session = ""
        (target,) = (
            one for one in self._ask("Target.getTargets")["targetInfos"] if one["type"] == "page"
        )
        attached = self._ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable")

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its answer."""
        self._number += 1
        command: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        self._writing.write(json.dumps(command).encode() + b"\0")
        while True:
            message = self._message()
            if message.get("id") == self._number:
                assert "error" not in message, message["error"]
                result: dict[str, Any] = message["result"]
                return result

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            more = self._reading.read(2**16)
            assert more, "the browser ended"
            self._unread += more
        text, _, self._unread = self._unread.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        self._note(message)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        kind, about = message.get("method"), message.get("params", {})
        if kind == "Runtime.exceptionThrown":
            details = about["exceptionDetails"]
            self.complaints.append(details.get("exception", details).get("description", "error"))
        elif kind == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.complaints.append(about["entry"]["text"])
        elif kind == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning"):
            self.complaints.append(str(about["args"]))
        elif kind == "Network.requestWillBeSent":
            address = about["request"]["url"]
            if not address.startswith(("file:", "data:", "blob:")):
                self.complaints.append(f"asked for {address}")

    def open(
        self,
        file: Path,
        width: int = 1200,
        height: int = 900,
        *,
        scripts: bool = True,
        dark: bool = False,
    ) -> None:
        """Open a file in a window of this size."""
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        colours = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", features=[colours])
        self._ask("Emulation.setScriptExecutionDisabled", value=not scripts)
        self._ask("Page.navigate", url=file.as_uri())
        while (
            self._ask("Runtime.evaluate", expression="document.readyState")["result"]["value"]
            != "complete"
        ):
            time.sleep(0.02)

    def value(self, expression: str) -> Any:
        """Return the value of an expression, waited for if it is a promise."""
        answer = self._ask(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, expression: str, seconds: float = 20) -> Any:
        """Return the value of an expression as soon as it is true."""
        until = time.monotonic() + seconds
        while not (value := self.value(expression)):
            assert time.monotonic() < until, f"not true in {seconds} s: {expression}"
            time.sleep(0.05)
        return value

    def press(self, key: str, times: int = 1) -> None:
        """Press a key, as a hand does."""
        code, text = KEYS[key]
        for _ in range(times):
            down = {"key": " " if key == "Space" else key, "code": key}
            self._ask(
                "Input.dispatchKeyEvent",
                type="keyDown" if text else "rawKeyDown",
                windowsVirtualKeyCode=code,
                **down,
                **({"text": text} if text else {}),
            )
            self._ask("Input.dispatchKeyEvent", type="keyUp", windowsVirtualKeyCode=code, **down)

    def hover(self, x: float, y: float) -> None:
        """Move the mouse to a place of the window."""
        for offset in (3, 0):
            self._ask("Input.dispatchMouseEvent", type="mouseMoved", x=x + offset, y=y)

    def picture(self, whole: bool = False) -> bytes:
        """Return the window, or the whole page, as PNG."""
        answer = self._ask("Page.captureScreenshot", captureBeyondViewport=whole)
        return base64.b64decode(answer["data"])


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """Start a browser with a page; it keeps its files in this folder."""
    assert BROWSER is not None
    pipes = [os.pipe(), os.pipe()]
    # copies with high numbers: the browser reads from its third descriptor, writes to its fourth
    theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (pipes[0][0], pipes[1][1])]
    os.close(pipes[0][0])
    os.close(pipes[1][1])
    moved = [(os.POSIX_SPAWN_DUP2, theirs[0], 3), (os.POSIX_SPAWN_DUP2, theirs[1], 4)]
    quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
    command = [BROWSER, *FLAGS, f"--user-data-dir={folder}", "about:blank"]
    process = os.posix_spawn(
        BROWSER, command, os.environ, file_actions=[*moved, *quiet], setpgroup=0
    )
    for end in theirs:
        os.close(end)
    try:
        with (
            os.fdopen(pipes[1][0], "rb", 0) as reading,
            os.fdopen(pipes[0][1], "wb", 0) as writing,
        ):
            yield Page(reading, writing)
    finally:
        os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)
