"""Implements `bench check`, which tests whether a variant or a task keeps the contract."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli.shared import (
    CHECK_FAILED,
    STORE,
    CommandError,
    JsonOption,
    PluginOption,
    StoreOption,
    load_plugins,
    print_json,
    say,
    user_errors,
)
from bench.cli.terminal.busy import Busy


def check(
    name: Annotated[
        str,
        typer.Argument(help="A variant (cell=mine), a value alone (mine), or a task."),
    ],
    tagging: Annotated[
        bool, typer.Option("--tagging", help="Check the variant as a tagger.")
    ] = False,
    as_json: JsonOption = False,
    plugin: PluginOption = None,
    store: StoreOption = STORE,
) -> None:
    """Run the contract tests on a variant, a part of one, or a task."""
    load_plugins(plugin)
    from bench.api.check import check_part

    with user_errors(), Busy(f"checking {name}"):
        findings = check_part(name, tagging, store / "data")
    if as_json:
        print_json([finding._asdict() for finding in findings])
    else:
        for finding in findings:
            say(f"{'fails' if finding.wrong else 'holds'}  {finding.what}")
            if finding.wrong:
                say(f"       {finding.wrong}")
    failed = sum(bool(finding.wrong) for finding in findings)
    if failed:
        raise CommandError(f"{name} fails {failed} of {len(findings)} checks", CHECK_FAILED)
