"""Renders every verb and its options as Markdown, made from the command line itself.

python -m bench.cli.pages.commands > docs/commands.md
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import typer

from bench.cli.app import app
from bench.cli.pages.tables import markdown_table
from bench.cli.shared import EXIT_CODES

COMMANDS_HEAD = """# Commands

Every verb with its arguments and options. Made by
`python -m bench.cli.pages.commands > docs/commands.md`; a test holds it current.
`bench VERB --help` prints the same in the terminal, and `python -m bench` stands for `bench` where
that is not on the path."""
SHARED_BY = 3
"""Number of verbs from which on an option stands in the table of common options."""


class CommandLineVerb(NamedTuple):
    """A verb by its full name, its help, and its arguments and options as Typer has them."""

    name: str
    help: str
    parameters: Sequence[Any]

    @property
    def arguments(self) -> list[Any]:
        """Return the positional arguments."""
        return [p for p in self.parameters if p.param_type_name == "argument"]

    @property
    def options(self) -> list[Any]:
        """Return the options."""
        return [p for p in self.parameters if p.param_type_name == "option"]


def verbs() -> list[CommandLineVerb]:
    """Return all verbs in the order of `bench --help`; those of a group follow each other."""
    return list(_walk("bench", typer.main.get_command(app)))


def _walk(name: str, command: Any) -> Iterator[CommandLineVerb]:
    if hasattr(command, "commands"):
        for verb, inner in command.commands.items():
            yield from _walk(f"{name} {verb}", inner)
    else:
        yield CommandLineVerb(name, inspect.cleandoc(command.help or ""), command.params)


def commands_page() -> str:
    """Return the page as Markdown."""
    every = verbs()
    counts = Counter(_row(option) for verb in every for option in verb.options)
    common = [row for row, count in counts.items() if count >= SHARED_BY]
    codes = [(str(code), meaning) for code, meaning in EXIT_CODES.items()]
    parts = [
        COMMANDS_HEAD,
        "## Exit codes\n\n" + markdown_table(("code", "meaning"), codes),
        "## Common options\n\n" + markdown_table(("option", "default", "meaning"), common),
        *(_section(verb, common) for verb in every),
    ]
    return "\n\n".join(parts) + "\n"


def _section(verb: CommandLineVerb, common: Sequence[tuple[str, ...]]) -> str:
    """Return the section of one verb: usage, help, arguments, options of its own."""
    usage = " ".join(
        [verb.name, *map(_usage, verb.arguments), *("[OPTIONS]",) * bool(verb.options)]
    )
    parts = [f"## {verb.name}", f"`{usage}`", verb.help]
    if verb.arguments:
        rows = [(f"`{argument.name.upper()}`", argument.help) for argument in verb.arguments]
        parts.append(markdown_table(("argument", "meaning"), rows))
    rows_of_options = [_row(option) for option in verb.options]
    own = [row for row in rows_of_options if row not in common]
    if own:
        parts.append(markdown_table(("option", "default", "meaning"), own))
    shared = [row[0] for row in rows_of_options if row in common]
    if shared:
        parts.append(f"Common options: {', '.join(shared)}.")
    return "\n\n".join(parts)


def _usage(argument: Any) -> str:
    """Return an argument as usage lines write it: `[RUNS...]`."""
    name = argument.name.upper() + "..." * (argument.nargs == -1)
    return name if argument.required else f"[{name}]"


def _row(option: Any) -> tuple[str, ...]:
    """Return an option with its value, its default, and its help."""
    value = "" if option.is_flag else f" {option.metavar or _value(option)}"
    default = "" if option.default in (None, False) else f"`{option.default}`"
    environment = f" Environment variable: {option.envvar}." if option.envvar else ""
    return f"`{option.opts[0]}{value}`", default, option.help + environment


def _value(option: Any) -> str:
    name = option.opts[0].removeprefix("--").replace("-", "_").upper()
    return " ".join([name] * option.nargs)


if __name__ == "__main__":
    print(commands_page(), end="")
