"""Runs a plugin's code such that its failures become errors and its side effects are undone."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

from bench.training.surroundings import TorchSettings, put_back_after, torch_settings
from results.escapes import error_text

GRACE = 5.0
"""Seconds that a plugin has to end its import after it was interrupted."""
GIVEN_UP = 2
"""Exit code of a process whose plugin does not let itself be interrupted."""


class PluginError(ValueError):
    """A plugin is refused; the message is a sentence for the user."""


@contextlib.contextmanager
def plugin_errors(name: str) -> Iterator[None]:
    """Turn whatever a plugin raises into PluginError; restore torch's settings and the folder."""
    try:
        with put_back_after():
            before = torch_settings()
            yield
            if changed := _changed(before, torch_settings()):
                raise PluginError(
                    f"the plugin {name} changes torch's {changed}, also for runs that do not use "
                    "it; set it where it is needed"
                )
    except (KeyboardInterrupt, PluginError):
        raise
    except BaseException as error:  # also SystemExit
        raise PluginError(
            f"the plugin {name} cannot be imported ({error_text(error)}); correct it"
        ) from error


def _changed(before: TorchSettings, now: TorchSettings) -> str:
    """Return the settings that an import may not change, and did; threads are set anew after it."""
    named = {
        "default dtype": before.dtype != now.dtype,
        "gradient mode": before.gradients != now.gradients,
        "default device": before.device != now.device,
    }
    return " and ".join(name for name, differs in named.items() if differs)


@contextlib.contextmanager
def no_longer_than(seconds: int, what: str) -> Iterator[None]:
    """Raise PluginError after a timeout.

    Only the main thread can be interrupted, and only on systems that have alarm signals;
    elsewhere there is no timeout. A process that goes on, because what hangs swallows the
    interrupt, ends GRACE seconds later with a sentence: nothing else could stop it.
    """
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise PluginError(
            f"{what} was not imported within {seconds} s; take what hangs out of its top level"
        )

    last = threading.Timer(seconds + GRACE, _give_up, [what])
    last.daemon = True
    last.start()
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        last.cancel()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _give_up(what: str) -> None:
    """End this process with a sentence."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"bench: {what} hangs and does not let itself be interrupted\n")
        sys.stderr.flush()
    os._exit(GIVEN_UP)
