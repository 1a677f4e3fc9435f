"""Says what a training script and its process are asked for; loads no torch, as the driver must."""

from __future__ import annotations

from dataclasses import dataclass

CTRL_C = "it was stopped by Ctrl-C"
"""How a script ended that was interrupted."""
STUCK = 70
"""Exit code of a process that was ended because its script did not stop."""


@dataclass(frozen=True)
class Script:
    """A script and the arguments that it is given.

    name: of a file, or of a module if `module` is true.
    """

    name: str
    arguments: tuple[str, ...] = ()
    module: bool = False
