"""The command line. Heavy imports happen inside the verb that needs them, so that help is quick."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path

import typer

from bench import (
    cli_check,
    cli_claims,
    cli_compare,
    cli_data,
    cli_doctor,
    cli_guard,
    cli_read,
    cli_run,
    cli_throughput,
)
from bench.cli_shared import CommandError, say

app = typer.Typer(
    name="bench",
    help="Which recurrent sequence-to-sequence architecture, how good, how fast?",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("list")(cli_read.list_all)
app.command("run")(cli_run.run)
app.command("status")(cli_read.status)
app.command("table")(cli_read.table)
app.command("compare")(cli_compare.compare)
app.command("doctor")(cli_doctor.doctor)
app.command("curves")(cli_read.curves)
app.command("show")(cli_read.show)
app.command("try")(cli_run.try_run)
app.command("export")(cli_read.export)
app.command("report")(cli_read.report)
app.command("throughput")(cli_throughput.throughput)
app.command("guard")(cli_guard.guard)
app.command("check")(cli_check.check)
app.add_typer(cli_data.app, name="data")
app.add_typer(cli_claims.app, name="claims")
app.command("drop")(cli_run.drop)
app.command("rebuild")(cli_run.rebuild)


def run(arguments: list[str]) -> int:
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


STOPPED = 130


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
