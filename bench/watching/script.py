"""Runs a training script as Python would, while a watch is on, and says how it ended."""

from __future__ import annotations

import builtins
import contextlib
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.packages import SUITE_PACKAGES
from bench.watching.asked import CTRL_C, Script
from bench.watching.raising import traceback_text
from bench.watching.watch import Watch


class StopScript(BaseException):
    """Raised in the script when a limit is reached; its text is the reason."""


def run_script(script: Script, watch: Watch, at_end: Callable[[], None]) -> str:
    """Run a script under a watch until it ends, and return how it ended, as a clause.

    What the script leaves (its module, sys.argv, sys.path) stays, because it is judged afterwards.

    Args:
        script: What to run.
        watch: Judges it once it has ended.
        at_end: Called when the script's own code has ended, before it is judged.
    """
    try:
        with watch, _names_given_up(script):
            try:
                _execute(script)
                return "the script ended"
            finally:
                at_end()
    except StopScript as stop:
        return str(stop)
    except KeyboardInterrupt:
        return CTRL_C
    except SystemExit as end:
        if end.code is None or end.code == 0:
            return "the script ended"
        return f"the script ended itself by sys.exit({end.code!r})"
    except BaseException as error:
        sys.stdout.flush()
        sys.stderr.write(traceback_text(error))
        return f"the script ended by {type(error).__name__}"
    return "it was stopped after as many steps as --steps allows"


def _execute(script: Script) -> None:
    if script.module:
        # as `python -m`: modules are looked for in the working directory
        sys.path.insert(0, str(Path.cwd()))
        sys.argv = [script.name, *script.arguments]
        runpy.run_module(script.name, run_name="__main__", alter_sys=True)
        return
    sys.path.insert(0, str(Path(script.name).resolve().parent))
    sys.argv = [script.name, *script.arguments]
    main = ModuleType("__main__")
    main.__file__ = script.name
    values: dict[str, Any] = vars(main)
    values["__builtins__"] = builtins
    sys.modules["__main__"] = main
    # bytes, so that a line about the encoding is heeded
    exec(compile(Path(script.name).read_bytes(), script.name, "exec"), values)


@contextlib.contextmanager
def _names_given_up(script: Script) -> Iterator[None]:
    """Let the script import modules of its own that have the names of this suite's packages."""
    folder = Path.cwd() if script.module else Path(script.name).resolve().parent
    taken = {name for name in SUITE_PACKAGES if _has_module(folder, name)}
    hidden = {name: sys.modules[name] for name in list(sys.modules) if name.split(".")[0] in taken}
    for name in hidden:
        del sys.modules[name]
    try:
        yield
    finally:
        sys.modules.update(hidden)


def _has_module(folder: Path, name: str) -> bool:
    return (folder / f"{name}.py").exists() or (folder / name / "__init__.py").exists()
