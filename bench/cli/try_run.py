"""Implements `bench try`, which gives a trained model a source text of your own."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli.shared import (
    STORE,
    JsonOption,
    PluginOption,
    RunArgument,
    StoreOption,
    load_plugins,
    print_json,
    print_notice,
    say,
    user_errors,
)


def try_run(
    run: RunArgument,
    text: Annotated[str, typer.Argument(help="A source text, as bench show prints them.")],
    decoding: Annotated[
        str | None,
        typer.Option(metavar="HOW", help="greedy, beam=5 ... Default: the decoding of the run."),
    ] = None,
    as_json: JsonOption = False,
    plugin: PluginOption = None,
    store: StoreOption = STORE,
) -> None:
    """Print a trained model's output for a source text of your own.

    Weights are kept by `bench run --keep-weights`.
    """
    load_plugins(plugin)
    from bench.api.translate import translate

    with user_errors():
        output = translate(store, run, text, decoding)
    if output["unknown"]:
        words = ", ".join(output["unknown"])
        print_notice(f"the model knows no {words}: it reads each as the unknown symbol")
    if as_json:
        print_json([output])
    else:
        say(output["output"])
