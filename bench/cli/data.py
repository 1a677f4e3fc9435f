"""Implements `bench data`, which fetches, adds and lists corpora."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.heeding import refuse_unheeded
from bench.cli.shared import (
    STORE,
    JsonOption,
    StoreOption,
    print_json,
    say,
    user_errors,
)

if TYPE_CHECKING:
    from bench.corpora.catalogue import Prepared

data_app = typer.Typer(
    help="Fetch, add and list corpora.", no_args_is_help=True, rich_markup_mode=None
)


@data_app.command("get")
def get_corpus(
    name: Annotated[str, typer.Argument(help="The corpus to fetch: tatoeba.")],
    archive: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Use this archive instead of downloading it."),
    ] = None,
    sha256: Annotated[
        str | None,
        typer.Option(metavar="CHECKSUM", help="Accept an archive that has this checksum instead."),
    ] = None,
    store: StoreOption = STORE,
) -> None:
    """Fetch a known corpus, verify its checksum and prepare it."""
    from bench.corpora import catalogue

    with user_errors():
        prepared = catalogue.get(name, store / "data", archive, sha256)
    _print_prepared(prepared)


@data_app.command("add")
def add_corpus(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The name to give it.")],
    files: Annotated[
        list[Path],
        typer.Argument(help="One TSV, two parallel files, or a folder of tagged documents."),
    ],
    vectors: Annotated[
        bool, typer.Option("--vectors", help="The file holds word vectors, not a corpus.")
    ] = False,
    streamed: Annotated[
        bool,
        typer.Option("--streamed", help="One TSV larger than memory: training reads it from disk."),
    ] = False,
    tokens: Annotated[
        str,
        typer.Option(
            metavar="UNIT", help="With --streamed: split Chinese into characters or words."
        ),
    ] = "characters",
    longest: Annotated[
        int,
        typer.Option(metavar="N", help="With --streamed: maximum symbols of a training sentence."),
    ] = 50,
    symbols: Annotated[
        int, typer.Option(metavar="N", help="With --streamed: maximum size of each vocabulary.")
    ] = 50_000,
    store: StoreOption = STORE,
) -> None:
    """Prepare a corpus or word vectors of your own."""
    from bench.api import data
    from bench.corpora import catalogue

    way = "--vectors" if vectors else "--streamed" if streamed else "a corpus"
    refuse_unheeded(context, "data add", way)
    folder = store / "data"
    with user_errors():
        if vectors:
            prepared = data.add_vectors(name, files, folder)
        elif streamed:
            prepared = data.add_streamed(name, files, folder, tokens, longest, symbols)
        else:
            prepared = catalogue.add(name, files, folder)
    _print_prepared(prepared)


@data_app.command("list")
def list_corpora(as_json: JsonOption = False, store: StoreOption = STORE) -> None:
    """List the corpora and word vectors that are there."""
    from bench.api.data import corpora

    with user_errors():
        rows = corpora(store / "data")
    if as_json:
        print_json(rows)
        return
    for row in rows:
        licence = row.get("licence", "licence not stated")
        say(f"{row['name']}: {_content(row)}, {licence}")
    if not rows:
        say(f"no corpus in {store / 'data'}; get one with: bench data get tatoeba")


def _content(row: Mapping[str, Any]) -> str:
    """Return what a corpus holds, as text."""
    if "pairs" in row:
        return f"{row['pairs']} pairs"
    if "words" in row:
        return f"vectors of {row['words']} words, {row['size']} numbers each"
    return "tagged documents"


def _print_prepared(prepared: Prepared) -> None:
    about = ", ".join(f"{key} {value}" for key, value in prepared.about.items())
    say(f"{prepared.name} is ready in {prepared.folder}: {about}")
