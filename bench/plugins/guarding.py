"""Runs a plugin's code such that its failures become errors and its side effects are undone."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import torch


class PluginError(ValueError):
    """A plugin is refused; the message is a sentence for the user."""


@contextlib.contextmanager
def plugin_errors(name: str) -> Iterator[None]:
    """Turn whatever a plugin raises into PluginError; restore torch's default dtype."""
    dtype = torch.get_default_dtype()
    try:
        yield
        if torch.get_default_dtype() != dtype:
            raise PluginError(
                f"the plugin {name} changes torch's default dtype, also for runs that do not use "
                "it; give dtypes where tensors are made"
            )
    except (KeyboardInterrupt, PluginError):
        raise
    except BaseException as error:  # also SystemExit
        raise PluginError(
            f"the plugin {name} cannot be imported ({type(error).__name__}: {error}); correct it"
        ) from error
    finally:
        torch.set_default_dtype(dtype)


@contextlib.contextmanager
def no_longer_than(seconds: int, what: str) -> Iterator[None]:
    """Raise PluginError after a timeout.

    Only the main thread can be interrupted, and only on systems that have alarm signals;
    elsewhere there is no timeout.
    """
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise PluginError(
            f"{what} was not imported within {seconds} s; take what hangs out of its top level"
        )

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
