"""Holds what all verbs share: common options, exit codes for errors, and printing."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.terminal.busy import Busy
from bench.cli.terminal.streams import output, print_from_outside_to_stderr
from results.escapes import one_line, plain, shortened, without_passwords

if TYPE_CHECKING:
    from rich.console import Console

    from results.store import Store

StoreOption = Annotated[
    Path,
    typer.Option(
        "--store", metavar="DIR", envvar="BENCH_STORE", help="Folder of the store and of corpora."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print rows as JSON.")]
TaskOption = Annotated[
    list[str] | None,
    typer.Option(
        "--task",
        metavar="TASK",
        help="Only this task: a label, or a name for all its labels. Repeatable.",
    ),
]
PluginOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        metavar="FILE",
        help="A Python file that adds variants or tasks; its code is executed. Repeatable.",
    ),
]
DeviceOption = Annotated[str, typer.Option("--device", metavar="DEVICE", help="auto, cpu or cuda.")]
RunArgument = Annotated[
    str,
    typer.Argument(
        help="The id of a run, or its first digits; or the number of a row of bench table, or a "
        "variant, of whose runs the worst is taken."
    ),
]
TheseSeedsOption = Annotated[
    str | None,
    typer.Option(
        "--seeds",
        metavar="N|A:B",
        help="Only runs of these seeds: N for 0 to N - 1, A:B for A to B - 1.",
    ),
]
AgainOption = Annotated[
    str | None,
    typer.Option(
        "--again",
        metavar="A:B",
        help="Keep the seeds A to B - 1 apart, and say of each word better or worse of the others "
        "what these find.",
    ),
]
AllRowsOption = Annotated[
    bool, typer.Option("--all", help="Print every row, also those of equal result.")
]
NotesOption = Annotated[bool, typer.Option("--notes", help="Print all notes below each table.")]

STORE = Path(".bench")
"""The store that verbs use unless --store or BENCH_STORE names another."""
CHECK_FAILED, USAGE, NOTHING_MEASURED, STOPPED, UNREAD = 1, 2, 3, 130, 141
EXIT_CODES = {
    0: "Fine. `bench run` also ends so when runs failed, which are results.",
    CHECK_FAILED: "A regression, a failed check, or with --strict a claim that is not reproduced.",
    USAGE: "Wrong usage: an unknown name, options that contradict each other, a missing file.",
    NOTHING_MEASURED: "Nothing could be measured or decided, or output cannot be written.",
    STOPPED: "Stopped by Ctrl-C (128 plus SIGINT's number); finished runs are kept.",
    UNREAD: "Nobody reads the output any more, as after `| head` (128 plus SIGPIPE's number).",
}
"""Exit codes of all verbs with their meanings."""
NO_TERMINAL_WIDTH = 80
"""Columns of output that goes to no terminal, unless COLUMNS says otherwise."""


class CommandError(Exception):
    """A sentence for the user, and the exit code of the command."""

    def __init__(self, sentence: str, code: int = USAGE) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code


def print_notice(sentence: str) -> None:
    """Print one line on standard error, whatever the sentence is made of.

    On a terminal, lines are broken between words.
    """
    text = f"bench: {shortened(one_line(without_passwords(sentence)))}"
    if sys.stderr.isatty():
        text = wrapped(text, shutil.get_terminal_size().columns)
    print(text, file=sys.stderr)


def wrapped(text: str, width: int) -> str:
    """Return text on lines of at most this width, broken between words alone."""
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


def say(sentence: str) -> None:
    """Print a sentence, or a text of several lines, on standard output."""
    print(plain(sentence).removesuffix("\n"), file=output())


@contextmanager
def user_errors() -> Iterator[None]:
    """Turn errors about what the user gave into a CommandError.

    A ValueError, a StoreError or an unreadable file is exit code 2; a full disk or an engine that
    does not start is 3. Wrap only calls that check what was given, so that a mistake in our own
    code still shows its traceback.
    """
    from bench.engines.contract import EngineError

    try:
        with store_errors():
            yield
    except EngineError as error:
        raise CommandError(str(error), NOTHING_MEASURED) from error
    except (ValueError, FileNotFoundError) as error:
        raise CommandError(str(error)) from error
    except BrokenPipeError:
        raise  # whoever reads our output has gone, and no file is to blame
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise CommandError("the disk is full; free some space", NOTHING_MEASURED) from error
        raise CommandError(
            f"{error.filename} cannot be read ({error.strerror}); give another"
        ) from error


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn a StoreError into a CommandError: exit code 2, or 3 if the disk is full."""
    from results.errors import DiskFullError, StoreError

    try:
        yield
    except DiskFullError as error:
        raise CommandError(str(error), NOTHING_MEASURED) from error
    except StoreError as error:
        raise CommandError(str(error)) from error


@contextmanager
def comparison_errors(doing: str) -> Iterator[None]:
    """Turn runs that cannot be compared, and errors of the store, into a CommandError.

    doing: what is said while it takes long.
    """
    from results.compare.pairs import ComparisonError

    try:
        with store_errors(), Busy(doing):
            yield
    except ComparisonError as error:
        raise CommandError(str(error)) from error


@contextmanager
def output_errors(advice: str = "name another file") -> Iterator[None]:
    """Turn a file that cannot be written into a CommandError."""
    try:
        yield
    except OSError as error:
        raise CommandError(
            f"{error.filename} cannot be written ({error.strerror}); {advice}"
        ) from error


def load_plugins(files: list[Path] | None) -> None:
    """Load parts and tasks of installed packages, and of these files."""
    from bench.plugins import loading

    print_from_outside_to_stderr()
    with Busy("importing plugins"), user_errors():
        for complaint in loading.load_installed():
            print_notice(complaint)
        loading.load(files or [])


@contextmanager
def reading(folder: Path) -> Iterator[Store]:
    """Open a store for reading; its errors become a CommandError."""
    from results import store

    with store_errors(), store.reading(folder) as opened:
        yield opened


@contextmanager
def writing(folder: Path) -> Iterator[Store]:
    """Open a store for writing; its errors become a CommandError."""
    from results import store

    with store_errors(), store.writing(folder) as opened:
        yield opened


def console(to_stderr: bool = False) -> Console:
    """Return a console as wide as the terminal, or COLUMNS or 80 columns wide without one.

    to_stderr: print on standard error, because standard output is for JSON.
    """
    from results.show.terminal import SafeConsole

    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdecimal() and int(columns) else NO_TERMINAL_WIDTH
    stream = sys.stderr if to_stderr else output()
    return SafeConsole(width=None if stream.isatty() else width, file=stream)


def named_store(context: typer.Context, store: Path) -> str:
    """Return the store as printed commands name it; "" unless --store was typed."""
    source = context.get_parameter_source("store")
    return str(store) if source is not None and source.name == "COMMANDLINE" else ""


def writes_unicode() -> bool:
    """Return whether standard output can show every character."""
    return (output().encoding or "utf-8").lower().startswith("utf")


def print_json(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as the JSON of every verb's `--json`."""
    from results.export.files import as_json

    print(as_json(rows, ascii_only=not writes_unicode()), file=output())


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: `1 run`, `2 runs`."""
    return f"{count} {noun}{'s' * (count != 1)}"
