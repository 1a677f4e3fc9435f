"""Keeps the counts that are to stay the same in a small JSON file, one line per subject."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from bench.guard.counts import Counts
from bench.guard.processes import GuardError

BASELINE_SCHEMA = 1
"""Version of the file's form."""


class Selection(NamedTuple):
    """The variants and tasks that a baseline was made for; both empty for the suite's own."""

    variants: tuple[str, ...]
    tasks: tuple[str, ...]


class Baseline(NamedTuple):
    """The content of a baseline file: counts by subject, and what they were made for."""

    counts: dict[str, Counts]
    selection: Selection


class _Origin(NamedTuple):
    """The machine and versions that counts depend on; the fields are keys of the file."""

    schema: int
    torch: str
    device: str
    machine: str


def write(file: Path, counts: Mapping[str, Counts], selection: Selection, device: str) -> None:
    """Write a baseline, one line per subject so that a diff is easy to read.

    Raises:
        GuardError: The file cannot be written.
    """
    lines = [f"{json.dumps(name)}: {json.dumps(found)}" for name, found in sorted(counts.items())]
    head = {**_present_origin(device)._asdict(), **selection._asdict()}
    opening = json.dumps(head)[:-1]  # without the closing brace
    try:
        file.write_text(opening + ', "counts": {\n' + ",\n".join(lines) + "\n}}\n", "utf-8")
    except OSError as error:
        raise GuardError(
            f"{file} cannot be written ({error.strerror}); name another with --baseline"
        ) from None


def read(file: Path, device: str) -> Baseline:
    """Read a baseline that was made by the present torch on the present kind of machine.

    Raises:
        GuardError: There is no such file, it is damaged, or its counts are of another torch,
            device or machine.
    """
    advice = f"make one with bench guard --update --baseline {file}"
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
        counts = {
            str(name): {str(key): value for key, value in found.items()}
            for name, found in content["counts"].items()
        }
        selection = Selection(*(tuple(map(str, content[key])) for key in Selection._fields))
        origin = _Origin(*(content[key] for key in _Origin._fields))
    except FileNotFoundError:
        raise GuardError(f"there is no baseline {file}; {advice}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise GuardError(f"{file} is no baseline of counts ({error!r}); {advice}") from None
    present = _present_origin(device)
    if origin != present:
        raise GuardError(
            f"{file} is of {_described(origin)}, this is {_described(present)}, whose counts may "
            f"differ; {advice}"
        )
    return Baseline(counts, selection)


def _described(origin: _Origin) -> str:
    return f"torch {origin.torch} for {origin.device} on {origin.machine}"


def _present_origin(device: str) -> _Origin:
    """Return what counts depend on here. CPUs with AVX2 and with AVX512 allocate the same."""
    capability = torch.backends.cpu.get_cpu_capability()
    lacks_avx2 = capability == "DEFAULT" and platform.machine() in ("x86_64", "AMD64")
    machine = platform.machine() + (" without AVX2" if lacks_avx2 else "")
    version = str(torch.__version__).partition("+")[0]
    return _Origin(BASELINE_SCHEMA, version, device, machine)
