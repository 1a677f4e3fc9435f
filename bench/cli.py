"""The command line. Heavy imports happen inside the verb that needs them, so that help is quick."""

from __future__ import annotations

import typer

from bench import cli_data, cli_read, cli_run
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
app.command("curves")(cli_read.curves)
app.command("show")(cli_read.show)
app.command("try")(cli_run.try_run)
app.command("export")(cli_read.export)
app.add_typer(cli_data.app, name="data")
app.command("drop")(cli_run.drop)
app.command("rebuild")(cli_run.rebuild)


def run(arguments: list[str]) -> int:
    """Run a command line and give its exit code: 0 fine, 2 wrong usage, 3 nothing could be
    measured, 130 stopped by Ctrl-C."""
    try:
        app(arguments, prog_name="bench", standalone_mode=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except CommandError as failure:
        say(failure.sentence)
        return failure.code
    except KeyboardInterrupt:
        say("stopped")
        return 130
    except BrokenPipeError:
        return 0
    return 0
