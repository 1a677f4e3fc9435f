"""Loads this suite's packages in a folder that has modules of the same names."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

HOME = Path(__file__).resolve().parent.parent
SUITE_PACKAGES = ("bench", "results", "tasks", "variants")
"""Packages of this suite, whose names modules of a user may have."""

_put_away: dict[str, ModuleType] = {}
"""Modules of this suite that gave way to the user's."""


@contextlib.contextmanager
def own_packages() -> Iterator[None]:
    """Import this suite's packages inside, though a tasks.py or results.py would be found first.

    The names of packages that the user has modules for are theirs again afterwards; what was
    imported inside goes on to work. Python's random numbers stay where they were: libraries draw
    some when they are loaded.
    """
    drawn = random.getstate()
    theirs = {
        name: module
        for name, module in list(sys.modules.items())
        if name.split(".")[0] in SUITE_PACKAGES[1:] and not _is_ours(name.split(".")[0])
    }
    for name in theirs:
        del sys.modules[name]
    sys.modules.update(_put_away)
    sys.path.insert(0, str(HOME))
    try:
        yield
    finally:
        sys.path.remove(str(HOME))
        for name in list(sys.modules):
            top = name.split(".")[0]
            if top in SUITE_PACKAGES[1:] and (top in theirs or _user_has(top)):
                _put_away[name] = sys.modules.pop(name)
        sys.modules.update(theirs)
        random.setstate(drawn)


def _is_ours(name: str) -> bool:
    """Return whether the module of this name that is loaded is this suite's."""
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is not None and Path(file).resolve().is_relative_to(HOME / name)


def _user_has(name: str) -> bool:
    """Return whether an import of this name would find a module of the user's."""
    spec = PathFinder.find_spec(name)
    return (
        spec is not None
        and spec.origin is not None
        and not Path(spec.origin).resolve().is_relative_to(HOME / name)
    )
