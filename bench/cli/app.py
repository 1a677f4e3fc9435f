"""The command line. Heavy imports happen inside the verb that needs them, so that help is quick."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path

import typer

from bench.cli import check, claims, compare, data, doctor, guard, read, run, throughput
from bench.cli.shared import STOPPED, CommandError, say

app = typer.Typer(
    name="bench",
    help="Which recurrent sequence-to-sequence architecture, how good, how fast?",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("list")(read.list_all)
app.command("run")(run.run)
app.command("status")(read.status)
app.command("table")(read.table)
app.command("compare")(compare.compare)
app.command("doctor")(doctor.doctor)
app.command("curves")(read.curves)
app.command("show")(read.show)
app.command("try")(run.try_run)
app.command("export")(read.export)
app.command("report")(read.report)
app.command("throughput")(throughput.throughput)
app.command("guard")(guard.guard)
app.command("check")(check.check)
app.add_typer(data.app, name="data")
app.add_typer(claims.app, name="claims")
app.command("drop")(run.drop)
app.command("rebuild")(run.rebuild)


def main(arguments: list[str]) -> int:
    """Run a command line and give its exit code: 0 fine, 1 a failed check, 2 wrong usage, 3 nothing
    could be measured, 130 stopped by Ctrl-C."""
    _open_streams()
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        return _give_up_output(0)
    except OSError as error:
        say(f"{error.filename or 'standard output'} cannot be written ({error.strerror})")
        return _give_up_output(3)
    return code


def _run(arguments: list[str]) -> int:
    try:
        app(arguments, prog_name="bench", standalone_mode=True)
    except SystemExit as end:
        if end.code == STOPPED:
            say("stopped by Ctrl-C; what was finished is kept")
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except CommandError as failure:
        say(failure.sentence)
        return failure.code
    return 0


def _open_streams() -> None:
    """Something to write to, and what a locale cannot show is escaped, never an error."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _give_up_output(code: int) -> int:
    """What is still in a buffer goes nowhere, or Python would complain once more at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
