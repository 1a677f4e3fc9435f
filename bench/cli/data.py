"""Implements `bench data`, which fetches, adds, shows, lists and removes corpora."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.heeding import refuse_unheeded
from bench.cli.shared import (
    STORE,
    JsonOption,
    StoreOption,
    named_store,
    print_json,
    print_notice,
    say,
    user_errors,
)

if TYPE_CHECKING:
    from bench.corpora.catalogue import Prepared

data_app = typer.Typer(
    help="Fetch, add, show, list and remove corpora.", no_args_is_help=True, rich_markup_mode=None
)
SplitOption = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="File of this split; twice for two files. Repeatable."),
]


@data_app.command("get")
def get_corpus(
    name: Annotated[
        str,
        typer.Argument(
            help="The corpus to fetch: tatoeba, or a pair of manythings.org such as deu-eng."
        ),
    ],
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
        list[Path] | None,
        typer.Argument(
            help="A file of columns, two parallel files, or a folder with the files of each split."
        ),
    ] = None,
    languages: Annotated[
        str,
        typer.Option(
            metavar="CODES", help="Languages of source and target, as de-en. Default: guessed."
        ),
    ] = "",
    train: SplitOption = None,
    valid: SplitOption = None,
    test: SplitOption = None,
    columns: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="Columns of source, target and perhaps attribution: numbers from 1, or names.",
        ),
    ] = "",
    header: Annotated[
        bool | None,
        typer.Option("--header/--no-header", help="The first line holds names of columns."),
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format", metavar="NAME", help="tsv, csv, jsonl, parquet or tmx. Default: as found."
        ),
    ] = "",
    separator: Annotated[
        str, typer.Option(metavar="TEXT", help="Between columns: tab, space or any text.")
    ] = "",
    encoding: Annotated[
        str, typer.Option(metavar="NAME", help="Encoding of the text, as gb18030.")
    ] = "utf-8",
    target: Annotated[
        float | None,
        typer.Option(metavar="BLEU", help="BLEU from which a run counts as solved. Default: none."),
    ] = None,
    tagged: Annotated[
        bool,
        typer.Option("--tagged", help="The files hold a token and its tag a line, not pairs."),
    ] = False,
    scheme: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="With --tagged: bio, iob1, bioes, bmes, bilou or plain. Default: as found.",
        ),
    ] = "",
    vectors: Annotated[
        bool, typer.Option("--vectors", help="The file holds word vectors, not a corpus.")
    ] = False,
    streamed: Annotated[
        bool,
        typer.Option(
            "--streamed", help="Pairs that are larger than memory: training reads them from disk."
        ),
    ] = False,
    tokens: Annotated[
        str,
        typer.Option(
            metavar="UNIT", help="With --streamed: tokens of the target. Default: its language's."
        ),
    ] = "default",
    longest: Annotated[
        int,
        typer.Option(metavar="N", help="With --streamed: maximum symbols of a training sentence."),
    ] = 50,
    symbols: Annotated[
        int, typer.Option(metavar="N", help="With --streamed: maximum size of each vocabulary.")
    ] = 50_000,
    store: StoreOption = STORE,
) -> None:
    """Prepare a corpus or word vectors of your own.

    What the corpus holds, and what was dropped, is printed at the end.
    """
    from bench.api import data
    from bench.corpora import catalogue
    from bench.corpora.streamed import StreamOptions
    from bench.corpora.tables import ReadOptions

    ways = {"--vectors": vectors, "--streamed": streamed, "--tagged": tagged, "a corpus": True}
    way = next(one for one, chosen in ways.items() if chosen)
    refuse_unheeded(context, "data add", way)
    folder, paths = store / "data", files or []
    reading = ReadOptions(_listed(columns), header, form, separator, encoding)
    splits = {"train": train, "valid": valid, "test": test}
    given = catalogue.Given(
        {split: found for split, found in splits.items() if found}, languages, reading, target
    )
    with user_errors():
        if vectors:
            prepared = data.add_vectors(name, paths, folder)
            say(f"{name}: {_content(prepared.about)}")
            return
        if streamed:
            options = StreamOptions(tokens, longest, symbols)
            catalogue.add_streamed_files(name, paths, folder, given, options, _progress(name))
        elif tagged:
            catalogue.add_tagged_files(name, paths, folder, given, scheme)
        else:
            catalogue.add(name, paths, folder, given, _progress(name))
        _print_lines(_description(data.describe_corpus(name, folder), named_store(context, store)))


def _progress(name: str) -> Callable[[int], None]:
    def report(lines: int) -> None:
        print_notice(f"{name}: {lines:,} lines read")

    return report


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


@data_app.command("show")
def show_corpus(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The name of a corpus or of word vectors.")],
    as_json: JsonOption = False,
    store: StoreOption = STORE,
) -> None:
    """Print what a corpus holds, what was dropped, and unknown symbols."""
    from bench.api.data import describe_corpus

    with user_errors():
        found = describe_corpus(name, store / "data")
    if as_json:
        print_json([found])
    else:
        _print_lines(_description(found, named_store(context, store)))


@data_app.command("remove")
def remove_corpus(
    name: Annotated[str, typer.Argument(help="The name of a corpus or of word vectors.")],
    store: StoreOption = STORE,
) -> None:
    """Remove a corpus or word vectors. Finished runs stay."""
    from bench.corpora import catalogue

    with user_errors():
        catalogue.remove(name, store / "data")
    say(f"{name} is removed")


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
    if "damaged" in row:
        return str(row["damaged"])
    if "pairs" in row:
        languages = "-".join(row.get("languages", ["en", "zh"]))
        return f"{row['pairs']} pairs {languages}"
    if "words" in row:
        repeated = f", {row['repeated']:,} repeated" if row.get("repeated") else ""
        return f"vectors, {row['words']:,} words × {row['size']} numbers{repeated}"
    if "splits" in row:
        return f"{sum(split['texts'] for split in row['splits'].values())} tagged texts"
    return "tagged documents"


def _print_prepared(prepared: Prepared) -> None:
    about = ", ".join(f"{key} {value}" for key, value in prepared.about.items() if key != "files")
    say(f"{prepared.name} is ready in {prepared.folder}: {about}")


def _print_lines(lines: Iterator[str]) -> None:
    for line in lines:
        say(line)


def _description(found: Mapping[str, Any], store: str) -> Iterator[str]:
    """Yield the lines that describe a corpus. store: the one that a command names, or ""."""
    from results.commands import in_store

    yield f"{found['name']}: {_content(found)}, from {found.get('source', 'files')}"
    if "languages_from" in found:
        yield f"languages: {'-'.join(found['languages'])}, {found['languages_from']}"
    yield from _changes(found)
    if "scheme" in found:
        kinds = ", ".join(f"{kind or 'phrases'} {n:,}" for kind, n in found["kinds"].items())
        yield f"tags: {found['scheme']}; {kinds or 'no phrase'}"
    if found.get("drawn"):
        yield f"drawn from train: {', '.join(found['drawn'])}"
    if "unusable" in found:
        yield f"{found['task']} cannot be built yet: {found['unusable']}"
    if "counts" in found:
        yield from _counts(found)
        yield from _target(found)
        command = f"bench run --task {found['task']} --vary cell=gru,lstm"
        yield f"use it with: {in_store(command, store)}"


def _target(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield from which BLEU on a run counts as solved, for parallel text."""
    if "languages" in found:
        target = found.get("target")
        yield "target: none was set" if target is None else f"target: BLEU {target:g}"


def _changes(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was dropped from each split of a corpus or changed in it."""
    for split, known in found.get("splits", {}).items():
        counted = {**known.get("dropped", {}), **known.get("changed", {})}
        for reason, number in counted.items():
            yield f"{split}: {reason} {number:,}"


def _counts(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a task makes of a corpus, a line for each split and side."""
    tokens, sizes = found["tokens"], found["vocabulary"]
    for side, size in sizes.items():
        yield f"{side}: {tokens[side]}, {size:,} symbols"
    for row in found["counts"]:
        yield f"{row['split']}: " + (
            f"{row['pairs']:,} pairs" if "pairs" in row else f"{row['texts']:,} texts"
        )
        for side in sizes:
            one = row[side]
            yield (
                f"  {side} {one['symbols']:,} tokens, {one['unknown']:.2%} unknown; length "
                f"{one['mean']:.1f} on average, 99 % at most {one['most']}, longest "
                f"{one['longest']}"
            )
        for reason, number in row["dropped"].items():
            yield f"  left out, {reason}: {number:,}"
        if row.get("unreachable"):
            yield f"  longer than any output ({found['limits']['output']}): {row['unreachable']:,}"
    for sample in found["samples"]:
        if "marked" in sample:
            yield f"  {sample['marked'][:300]}"
            continue
        yield f"  {' '.join(sample['symbols'])}"
        yield f"  → {' '.join(sample['target_symbols'])}"
