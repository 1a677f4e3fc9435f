"""Registers all verbs of the command line and turns errors into exit codes.

Heavy imports happen inside the verb that needs them, so that help appears at once.
"""

from __future__ import annotations

import errno
from functools import cache
from typing import Any

import typer

from bench.cli import check, compare, doctor, export, guard, read, run, store, throughput, try_run
from bench.cli import list as list_verb
from bench.cli.claims import claims_app
from bench.cli.data import data_app
from bench.cli.shared import NOTHING_MEASURED, STOPPED, UNREAD, CommandError, print_notice
from bench.cli.terminal.streams import give_up_output, opened_streams, output
from results.escapes import error_text
from results.failing import by_machine

LIMITS = {
    errno.EMFILE: "let more files be open (ulimit -n)",
    errno.ENFILE: "let more files be open on this machine",
    errno.EAGAIN: "let more processes run (ulimit -u)",
    errno.ENOMEM: "free some memory",
}
"""Advice on limits of the shell or the machine, by the number of the error that they end in."""
app = typer.Typer(
    name="bench",
    help="Benchmark recurrent sequence-to-sequence models: how good, and how fast?",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("list")(list_verb.list_all)
app.command("run", cls=run.RunCommand)(run.run)
app.command("status")(store.status)
app.command("table")(read.table)
app.command("runs")(read.runs)
app.command("compare")(compare.compare)
app.command("doctor", cls=doctor.DoctorCommand)(doctor.doctor)
app.command("curves")(read.curves)
app.command("show")(read.show_one_run)
app.command("score")(read.score)
app.command("try")(try_run.try_run)
app.command("export")(export.export)
app.command("report")(export.report)
app.command("throughput")(throughput.throughput)
app.command("guard")(guard.guard)
app.command("check")(check.check)
app.add_typer(data_app, name="data")
app.add_typer(claims_app, name="claims")
app.command("drop")(store.drop)
app.command("undrop")(store.undrop)
app.command("merge")(store.merge)
app.command("verify")(store.verify)
app.command("rebuild")(store.rebuild)


def main(arguments: list[str]) -> int:
    """Run a command line and return its exit code.

    0 fine, 1 a failed check, 2 wrong usage, 3 nothing could be measured, 130 stopped by Ctrl-C,
    141 nobody reads the output any more.
    """
    with opened_streams():
        try:
            code = _run(arguments)
            output().flush()
        except BrokenPipeError:
            give_up_output()
            return UNREAD
        except OSError as error:
            print_notice(_of_system(error))
            give_up_output()
            return NOTHING_MEASURED
    return code


def _of_system(error: OSError) -> str:
    """Return the sentence for an error of the operating system that no verb expected."""
    limit = LIMITS.get(error.errno or 0)
    if limit:
        return f"{error.strerror}: {limit}, and give the command again"
    return f"{error.filename or 'standard output'} cannot be written ({error.strerror})"


@cache
def _command() -> Any:
    """Return the command with all its verbs, made once: that takes longer than some verbs run."""
    return typer.main.get_command(app)


def _run(arguments: list[str]) -> int:
    try:
        _command()(arguments, prog_name="bench", standalone_mode=True)
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # which typer ends with a 1 of its own
            raise end.__context__ from None
        if end.code == STOPPED:
            print_notice("stopped by Ctrl-C; what was finished is kept")
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except CommandError as failure:
        print_notice(failure.sentence)
        return failure.code
    except (MemoryError, RuntimeError) as error:
        if not by_machine(error_text(error)):
            raise
        print_notice("there is not enough memory for this; give smaller sizes, or free some")
        return NOTHING_MEASURED
    return 0
