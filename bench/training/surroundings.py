"""Puts back what code from outside changes for everything else in its process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch


class TorchSettings(NamedTuple):
    """Holds settings of torch that change every run of a process, whoever sets them."""

    dtype: torch.dtype
    gradients: bool
    device: torch.device
    deterministic: bool
    threads: int

    def put_back(self) -> None:
        """Set those again that are no longer so."""
        now = torch_settings()
        if now.dtype != self.dtype:
            torch.set_default_dtype(self.dtype)
        if now.gradients != self.gradients:
            torch.set_grad_enabled(self.gradients)
        if now.device != self.device:
            torch.set_default_device(None)  # this suite never sets one
        if now.deterministic != self.deterministic:
            torch.use_deterministic_algorithms(self.deterministic, warn_only=True)
        if now.threads != self.threads:
            torch.set_num_threads(self.threads)


def torch_settings() -> TorchSettings:
    """Return the settings as they are now."""
    return TorchSettings(
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.get_default_device(),
        torch.are_deterministic_algorithms_enabled(),
        torch.get_num_threads(),
    )


@contextlib.contextmanager
def put_back_after() -> Iterator[None]:
    """Put torch's settings and the working directory back, from which other paths start."""
    settings = torch_settings()
    try:
        folder = Path.cwd()
    except OSError:  # it was removed
        folder = None
    try:
        yield
    finally:
        settings.put_back()
        if folder is not None:
            os.chdir(folder)
