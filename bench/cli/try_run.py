"""Implements `bench try`, which runs a trained model on a text, or on the lines of a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from math import nan
from pathlib import Path
from typing import Annotated, TextIO

import typer

from bench.cli.heeding import refuse_unheeded
from bench.cli.shared import (
    STORE,
    JsonOption,
    PluginOption,
    RunArgument,
    StoreOption,
    load_plugins,
    output_errors,
    print_json,
    print_notice,
    say,
    user_errors,
)
from bench.cli.terminal import streams

NOTICE_EVERY = 5_000
"""Number of lines between two notices of progress."""


def try_run(
    context: typer.Context,
    run: RunArgument,
    text: Annotated[
        str | None,
        typer.Argument(help="A source text, in the form that bench show prints."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Run the lines of this file; - for standard input."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --file: write outputs here. Default: print them."),
    ] = None,
    best: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="With --file and a beam: N outputs per line, as line number, score, text.",
        ),
    ] = 1,
    reference: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="With --file: score outputs against this. Repeatable."),
    ] = None,
    decoding: Annotated[
        str | None,
        typer.Option(metavar="HOW", help="greedy, beam=5 ... Default: the decoding of the run."),
    ] = None,
    as_json: JsonOption = False,
    plugin: PluginOption = None,
    store: StoreOption = STORE,
) -> None:
    """Print a trained model's output for a text or a file.

    The run must have been trained with `bench run --keep-weights`.
    """
    load_plugins(plugin)
    from bench.api.translate import translate

    refuse_unheeded(context, "try", "a text" if file is None else "--file")
    if file is not None:
        _try_file(store, run, file, output, best, reference or [], decoding)
        return
    with user_errors():
        if text is None:
            raise ValueError("no source was given; give a text, or --file FILE")
        found = translate(store, run, text, decoding)
    if found["unknown"]:
        words = ", ".join(found["unknown"])
        print_notice(f"not in the model's vocabulary, and read as the unknown symbol: {words}")
    if as_json:
        print_json([found])
    else:
        say(found["output"])


def _try_file(
    store: Path,
    run: str,
    file: Path,
    output: Path | None,
    best: int,
    reference: list[Path],
    decoding: str | None,
) -> None:
    """Write the outputs for a file's lines, and print scores if there are references."""
    from bench.api.translate import lines_in, score_lines, translate_lines

    best_texts: list[str] = []
    with ExitStack() as stack:
        with output_errors():
            stream = streams.output() if output is None else stack.enter_context(_replacing(output))
        with user_errors():
            answers = translate_lines(store, run, lines_in(file), decoding, best)
            for number, answer in enumerate(answers, start=1):
                best_texts.append(answer.texts[0])
                # an empty line is not searched, so its output has no score
                for text, score in zip(answer.texts, answer.scores, strict=True):
                    head = f"{number}\t{nan if score is None else score:.4f}\t" if best > 1 else ""
                    stream.write(f"{head}{text}\n")
                if number % NOTICE_EVERY == 0:
                    print_notice(f"{number:,} lines done")
    if reference:
        with user_errors():
            lines = [list(lines_in(path)) for path in reference]
            scores, signatures = score_lines(store, run, best_texts, lines)
        for name, value in scores.items():
            print_notice(f"{name} {value:.3f} {signatures.get(name, '')}".rstrip())


@contextmanager
def _replacing(output: Path) -> Iterator[TextIO]:
    """Give a file to write; the old one stays until all is written, as it may be the input."""
    if output.exists() and not output.is_file():  # a pipe or a device
        with output.open("w", encoding="utf-8", newline="\n") as stream:
            yield stream
        return
    part = output.with_name(f"{output.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as stream:
            yield stream
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)
