"""bench data: corpora."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.shared import STORE, JsonOption, StoreOption, usage

app = typer.Typer(help="Fetch, add and list corpora.", no_args_is_help=True, rich_markup_mode=None)


@app.command("get")
def get(
    name: Annotated[str, typer.Argument(help="tatoeba")],
    archive: Annotated[
        Path | None, typer.Option("--from", help="The archive, where it is at hand.")
    ] = None,
    sha256: Annotated[
        str | None, typer.Option(help="Accept an archive of this checksum knowingly.")
    ] = None,
    store: StoreOption = STORE,
) -> None:
    """Fetch a known corpus, check it and prepare it."""
    from bench.corpora import catalogue

    with usage():
        prepared = catalogue.get(name, store / "data", archive, sha256)
    _say(prepared)


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    files: Annotated[
        list[Path],
        typer.Argument(help="One TSV, two parallel files, or a folder of tagged documents."),
    ],
    as_vectors: Annotated[
        bool, typer.Option("--vectors", help="The file holds word vectors, not a corpus.")
    ] = False,
    streamed: Annotated[
        bool,
        typer.Option("--streamed", help="One TSV larger than memory: training reads it from disk."),
    ] = False,
    tokens: Annotated[
        str, typer.Option(help="With --streamed: characters or words, of Chinese.")
    ] = "characters",
    longest: Annotated[
        int, typer.Option(help="With --streamed: symbols of a training sentence at most.")
    ] = 50,
    symbols: Annotated[
        int, typer.Option(help="With --streamed: symbols of each vocabulary at most.")
    ] = 50_000,
    store: StoreOption = STORE,
) -> None:
    """Prepare a corpus of your own, or word vectors for embedding_init=vectors."""
    from bench.corpora import catalogue

    with usage():
        if as_vectors and len(files) != 1:
            raise ValueError(f"{len(files)} files of vectors were given; give one")
        folder = store / "data"
        if streamed and (as_vectors or len(files) != 1):
            raise ValueError("--streamed takes one file of English TAB Chinese lines")
        if streamed:
            prepared = catalogue.add_streamed(name, files[0], folder, tokens, longest, symbols)
        elif as_vectors:
            prepared = catalogue.add_vectors(name, files[0], folder)
        else:
            prepared = catalogue.add(name, files, folder)
    _say(prepared)


@app.command("list")
def listing(as_rows: JsonOption = False, store: StoreOption = STORE) -> None:
    """The corpora that are there."""
    from bench.corpora import catalogue
    from results.export.files import as_json

    with usage():
        rows = [{"name": found.name, **found.about} for found in catalogue.listing(store / "data")]
    if as_rows:
        print(as_json(rows))
    for row in () if as_rows else rows:
        licence = row.get("licence", "licence not stated")
        if "pairs" in row:
            held = f"{row['pairs']} pairs"
        elif "words" in row:
            held = f"vectors of {row['words']} words, {row['size']} numbers each"
        else:
            held = "tagged documents"
        print(f"{row['name']}: {held}, {licence}")
    if not rows and not as_rows:
        print(f"no corpus in {store / 'data'}; get one with: bench data get tatoeba")


def _say(prepared: object) -> None:
    from bench.corpora.catalogue import Prepared

    assert isinstance(prepared, Prepared)
    about = ", ".join(f"{key} {value}" for key, value in prepared.about.items())
    print(f"{prepared.name} is ready in {prepared.folder}: {about}")
