"""The counts that are to stay as they are: a small file beside the code, a line a subject."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from bench.guard.counts import Counts
from bench.guard.timing import GuardError

SCHEMA = 1


class Choice(NamedTuple):
    """What was asked for when a baseline was made: nothing is the suite's own subjects."""

    variants: tuple[str, ...]
    tasks: tuple[str, ...]


class Baseline(NamedTuple):
    """counts: by subject."""

    counts: dict[str, Counts]
    choice: Choice


def write(file: Path, counts: Mapping[str, Counts], choice: Choice, device: str) -> None:
    """A line a subject, so that a diff reads well."""
    lines = [f"{json.dumps(name)}: {json.dumps(found)}" for name, found in sorted(counts.items())]
    of = dict(zip(("schema", "torch", "device", "machine"), _here(device), strict=True))
    head = {**of, **choice._asdict()}
    opening = json.dumps(head)[:-1]
    try:
        file.write_text(opening + ', "counts": {\n' + ",\n".join(lines) + "\n}}\n", "utf-8")
    except OSError as error:
        raise GuardError(
            f"{file} cannot be written ({error.strerror}); name another with --baseline"
        ) from None


def read(file: Path, device: str) -> Baseline:
    """As it was written. GuardError if there are none, or they are of another torch or device."""
    make = f"make one with bench guard --update --baseline {file}"
    try:
        told: Any = json.loads(file.read_text(encoding="utf-8"))
        counts = {
            str(name): {str(key): value for key, value in found.items()}
            for name, found in told["counts"].items()
        }
        choice = Choice(*(tuple(map(str, told[key])) for key in Choice._fields))
        of = (told["schema"], told["torch"], told["device"], told["machine"])
    except FileNotFoundError:
        raise GuardError(f"there is no baseline {file}; {make}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise GuardError(f"{file} is no baseline of counts ({error!r}); {make}") from None
    here = _here(device)
    if of != here:
        there, now = (f"torch {some[1]} for {some[2]} on {some[3]}" for some in (of, here))
        raise GuardError(f"{file} is of {there}, this is {now}, whose counts may differ; {make}")
    return Baseline(counts, choice)


def _here(device: str) -> tuple[int, str, str, str]:
    """What counts hang on: torch's version and what it runs on. AVX2 and AVX512 allocate alike."""
    capability = torch.backends.cpu.get_cpu_capability()
    old = capability == "DEFAULT" and platform.machine() in ("x86_64", "AMD64")
    machine = platform.machine() + (" without AVX2" if old else "")
    return SCHEMA, str(torch.__version__).partition("+")[0], device, machine
