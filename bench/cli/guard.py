"""bench guard: did the code become slower, do other work, or learn worse?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.shared import (
    STORE,
    CommandError,
    JsonOption,
    PluginOption,
    StoreOption,
    chosen_device,
    console,
    load_plugins,
    print_json,
    say,
    usage,
)

if TYPE_CHECKING:
    from results.guard.verdict import GuardRow

BASELINE = Path("guard.json")


def guard(
    against: Annotated[
        str | None,
        typer.Option(
            help="A git revision, whose code is timed beside the present one; or a baseline file "
            "of counts. Left out: the baseline."
        ),
    ] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Write the baseline of counts anew.")
    ] = False,
    baseline: Annotated[Path, typer.Option(help="Where the counts are kept.")] = BASELINE,
    quality: Annotated[
        bool,
        typer.Option("--quality", help="With a revision: run a small matrix by both, instead."),
    ] = False,
    pytest_benchmark: Annotated[
        tuple[Path, Path] | None,
        typer.Option(help="Instead: two JSON files of pytest-benchmark, the old and the new."),
    ] = None,
    variant: Annotated[
        list[str] | None, typer.Option(help="Guard this variant instead; repeat.")
    ] = None,
    task: Annotated[list[str] | None, typer.Option(help="On this task instead; repeat.")] = None,
    minutes: Annotated[float, typer.Option(help="Timing ends by then at the latest.")] = 5.0,
    threshold: Annotated[
        float, typer.Option(help="The slow-down that matters, in per cent.")
    ] = 5.0,
    matrix: Annotated[
        Path | None, typer.Option(help="With --quality: a matrix file of your own.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "cpu",
    markdown: Annotated[
        Path | None, typer.Option(help="Also a Markdown file, for a job's summary; appended to.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Also a JUnit XML file.")] = None,
    as_rows: JsonOption = False,
    plugin: PluginOption = None,
    store: StoreOption = STORE,
) -> None:
    """Counts against a baseline, or times and quality against a revision.

    Exit codes: 0 fine, 1 slower, more or worse, 2 wrong usage, 3 cannot tell.
    """
    # torch's profiler, which counts bytes, would tell of every start and stop
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    from bench.guard.timing import GuardError
    from results.guard.output import junit as as_junit
    from results.guard.output import markdown as as_markdown
    from results.guard.output import show_guard
    from results.guard.verdict import exit_code

    if not 0 < threshold < 1000 or not 0 < minutes < 10_000:
        raise CommandError(
            f"--threshold {threshold:g} or --minutes {minutes:g} will not do; give numbers above 0"
        )
    file = against if against is not None and Path(against).is_file() else None
    if file is not None:
        baseline = Path(file)
    revision = None if file is not None else against
    if quality and revision is None:
        raise CommandError("--quality compares with a revision; name one: --against main")
    if update and (against is not None or quality or pytest_benchmark):
        raise CommandError("--update only writes the baseline; give it with --baseline at most")
    load_plugins(plugin)
    with usage():
        where = chosen_device(device)
    try:
        if pytest_benchmark is not None:
            rows = _pytest_benchmark(*pytest_benchmark, threshold / 100)
        elif revision is None:
            rows = _exact(baseline, update, variant, task, where, store)
        else:
            files = _inside(plugin)
            if quality:
                rows = _quality(revision, matrix, files, store)
            else:
                limits = (threshold / 100, minutes)
                rows = _timed(revision, variant, task, where, store, files, limits)
    except GuardError as error:
        raise CommandError(str(error), 3) from error
    if update:
        console().print(f"{baseline}: counts of {len(rows)} subjects", soft_wrap=True)
        return
    try:
        if markdown is not None:
            with markdown.open("a", encoding="utf-8") as opened:
                opened.write(as_markdown(rows))
        if junit is not None:
            junit.write_text(as_junit(rows), encoding="utf-8")
    except OSError as error:
        raise CommandError(
            f"{error.filename} cannot be written ({error.strerror}); name another file"
        ) from error
    if as_rows:
        print_json(rows)
    else:
        show_guard(rows, console())
    raise typer.Exit(exit_code(rows))


def _exact(
    baseline: Path,
    update: bool,
    variants: list[str] | None,
    tasks: list[str] | None,
    device: str,
    store: Path,
) -> list[GuardRow]:
    from bench.guard import baseline as baselines
    from bench.guard import counts, subjects
    from bench.training.process import prepare_process
    from results.guard.verdict import exact_rows

    known = None if update else baselines.read(baseline, device)
    of = baselines.Choice(tuple(variants or ()), tuple(tasks or ()))
    whole = of == baselines.Choice((), ())
    if known is not None and whole:
        of = known.choice
    prepare_process(1)
    with usage():
        asked = subjects.chosen(of.variants, of.tasks, device, store / "data", timed=False)
        found = {}
        for subject in asked:
            found[subject.name] = counts.of(subjects.prepared(subject, device, store / "data"))
    if known is None:
        baselines.write(baseline, found, of, device)
        return exact_rows(found, found)
    before = known.counts
    if not whole:
        before = {name: value for name, value in before.items() if name in found}
    return exact_rows(before, found)


def _timed(
    revision: str,
    variants: list[str] | None,
    tasks: list[str] | None,
    device: str,
    store: Path,
    plugins: tuple[str, ...],
    limits: tuple[float, float],
) -> list[GuardRow]:
    from bench.guard import subjects, timing
    from bench.guard.checkout import Revision

    data = (store / "data").resolve()
    with usage():
        asked = subjects.chosen(variants or (), tasks or (), device, data, timed=True)
    if not asked:
        raise CommandError("nothing of this applies: a tagger decodes nothing, and see bench list")
    at = Revision(revision, Path.cwd())
    with at.files() as reference:
        sides = timing.Sides(reference, at.root, device, data, plugins)
        return timing.guard(sides, asked, *limits, say)


def _quality(
    revision: str, matrix: Path | None, plugins: tuple[str, ...], store: Path
) -> list[GuardRow]:
    import torch

    from bench.engines.local import cores
    from bench.guard import quality
    from bench.guard.checkout import Revision

    at = Revision(revision, Path.cwd())
    chosen = (matrix or quality.MATRIX).resolve()
    if not chosen.is_file():
        raise CommandError(f"there is no matrix file {matrix}; give the path of one")
    known = store.resolve() / "guard" / f"{at.commit[:12]}-torch-{torch.__version__}"
    with at.files() as reference:
        return quality.guard(reference, at.root, known, chosen, cores(), say, plugins)


def _pytest_benchmark(old: Path, new: Path, threshold: float) -> list[GuardRow]:
    from results.guard import pytest_benchmark

    with usage():
        return pytest_benchmark.compare_benchmark_files(old, new, threshold)


def _inside(plugins: list[Path] | None) -> tuple[str, ...]:
    """Plugins as paths within the repository, so that each version takes its own."""
    from bench.guard.checkout import root

    found = []
    for file in plugins or ():
        folder = root(Path.cwd())
        if not file.resolve().is_relative_to(folder):
            raise CommandError(
                f"the plugin {file} is not in the repository {folder}, so that the revision has "
                "none; put it there"
            )
        found.append(str(file.resolve().relative_to(folder)))
    return tuple(found)
