"""Puts handlers into torch that never harm the training, and takes them out again."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer
from torch.overrides import TorchFunctionMode


class HookedMode(TorchFunctionMode):
    """A torch function mode with handlers whose errors end the recording, not the training."""

    def __init__(self) -> None:
        super().__init__()
        self.error: BaseException | None = None
        """The error in the recorder itself after which nothing more was recorded."""
        self.other_threads: dict[str, int] = {}
        """Steps that optimizers took in other threads, which are not recorded, by their names."""
        self._undo = contextlib.ExitStack()
        self._thread, self._process = 0, 0

    def __enter__(self) -> Any:
        self._thread, self._process = threading.get_ident(), os.getpid()
        return super().__enter__()  # type: ignore[no-untyped-call]

    def _stop(self) -> None:
        """Forget what is being recorded, after an error."""
        raise NotImplementedError

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        raise NotImplementedError

    def _guarded(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        """Return a handler whose errors end the recording instead of the training.

        It does nothing in other threads than that of the watch.
        """

        @functools.wraps(handler)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            # a process that loads data begins as a copy of this one, with the watch on
            if self.error is not None or os.getpid() != self._process:
                return None
            if threading.get_ident() != self._thread:
                self._note_thread(handler)
                return None
            try:
                return handler(*args, **kwargs)
            except Exception as error:
                self.error = error
                self._stop()
                return None

        return guarded

    def _note_thread(self, handler: Callable[..., Any]) -> None:
        if handler == self._after_step:
            name = threading.current_thread().name
            self.other_threads[name] = self.other_threads.get(name, 0) + 1

    def _patch(
        self,
        owner: type,
        name: str,
        before: Callable[[Any], None] | None = None,
        after: Callable[[Any], None] | None = None,
    ) -> None:
        original = getattr(owner, name)

        @functools.wraps(original)
        def patched(this: Any, *args: Any, **kwargs: Any) -> Any:
            if before is not None:
                before(this)
            result = original(this, *args, **kwargs)
            if after is not None:
                after(this)
            return result

        setattr(owner, name, patched)
        self._undo.callback(setattr, owner, name, original)
