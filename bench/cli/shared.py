"""What all verbs share: where the store is, how failures are told."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from results.record import Record
    from results.store import Store

StoreOption = Annotated[
    Path, typer.Option("--store", envvar="BENCH_STORE", help="Folder of runs and data.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Rows as JSON.")]
TaskOption = Annotated[
    list[str] | None,
    typer.Option("--task", help="Only this task: a label, or a name for all its forms; repeat."),
]
PluginOption = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="A Python file with parts or tasks; its code is run. Repeat."),
]
STORE = Path(".bench")
"""The store that verbs use unless --store or BENCH_STORE names another."""
STOPPED = 130
"""Exit code after Ctrl-C, by the convention of shells: 128 plus the number of SIGINT."""


class CommandError(Exception):
    """A sentence for the user and an exit code."""

    def __init__(self, sentence: str, code: int = 2) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code


def say(sentence: str) -> None:
    """A line on standard error."""
    print(f"bench: {sentence}", file=sys.stderr)


@contextmanager
def usage() -> Iterator[None]:
    """What the user gave is read in here: a ValueError is theirs."""
    try:
        yield
    except (ValueError, FileNotFoundError) as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise CommandError("the disk is full; free some space", 3) from error
        raise CommandError(
            f"{error.filename} cannot be read ({error.strerror}); give another"
        ) from error


def chosen_device(asked: str) -> str:
    """`cpu` or `cuda`, from what was asked for or auto; ValueError if it is not there."""
    import torch

    from tasks.choices import one_of

    one_of("device", asked, ("auto", "cpu", "cuda"))
    if asked == "cuda" and not torch.cuda.is_available():
        raise ValueError("device=cuda, but torch sees none here; give --device cpu")
    return ("cuda" if torch.cuda.is_available() else "cpu") if asked == "auto" else asked


def load_plugins(files: list[Path] | None) -> None:
    """Parts and tasks from outside: of installed packages, and of these files."""
    from bench.plugins import loading

    for complaint in loading.load_installed():
        say(complaint)
    with usage():
        loading.load(files or [])


@contextmanager
def reading(folder: Path) -> Iterator[Store]:
    """A store to read."""
    from results import store

    with telling(), store.reading(folder) as opened:
        yield opened


@contextmanager
def writing(folder: Path) -> Iterator[Store]:
    """A store to write."""
    from results import store

    with telling(), store.writing(folder) as opened:
        yield opened


@contextmanager
def telling() -> Iterator[None]:
    """A store is used in here: what is wrong with it is the sentence."""
    from results.errors import DiskFullError, StoreError

    try:
        yield
    except DiskFullError as error:
        raise CommandError(str(error), 3) from error
    except StoreError as error:
        raise CommandError(str(error)) from error


def console(aside: bool = False) -> Console:
    """Standard output, as wide as the terminal, 80 columns where there is none. aside: standard
    error, where standard output is for JSON."""
    from rich.console import Console

    asked = os.environ.get("COLUMNS", "")
    wide = int(asked) if asked.isdecimal() and int(asked) else 80
    width = None if (sys.stderr if aside else sys.stdout).isatty() else wide
    return Console(width=width, highlight=False, soft_wrap=False, stderr=aside)


def writes_unicode() -> bool:
    """Whether standard output can take any character."""
    return (sys.stdout.encoding or "utf-8").lower().startswith("utf")


def check_tasks(records: Iterable[Record], tasks: list[str]) -> None:
    """Tasks without finished runs are answered with the near ones."""
    from tasks.choices import one_of

    labels = {record.task for record in records}
    known = sorted(labels | {label.partition(":")[0] for label in labels})
    with usage():
        for task in tasks:
            one_of("task with finished runs", task, known)


def find_run(store: Store, run: str) -> str:
    """The one id that starts with what was typed."""
    found = sorted(known for known in store.ids() if known.startswith(run))
    if len(found) == 1:
        return found[0]
    if not found:
        raise CommandError(
            f"there is no run {run} in {store.folder}; bench table --json lists their ids"
        )
    raise CommandError(
        f"{run} begins {len(found)} runs, {', '.join(found[:4])} ...; give more digits"
    )


def print_json(rows: Sequence[dict[str, Any]]) -> None:
    """Rows as the `--json` of every verb has them."""
    from results.export.files import as_json

    print(as_json(rows, ascii_only=not writes_unicode()))


def chosen(store: Store, tasks: list[str] | None, details: bool = False) -> list[Record]:
    """The runs of these tasks, all if none is named."""
    records = list(store.records(details=details))
    if not records:
        raise CommandError(
            f"the store in {store.folder} has no finished run; make one with bench run"
        )
    if not tasks:
        return records
    check_tasks(records, tasks)
    return [r for r in records if r.task in tasks or r.task.partition(":")[0] in tasks]
