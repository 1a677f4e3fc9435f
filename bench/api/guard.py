"""Guards the code by comparing counts with a baseline, or times and quality with a revision."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bench.engines.contract import Counting, uncounted
from bench.engines.local import cores
from bench.guard import baseline as baselines
from bench.guard import quality, timing
from bench.guard.checkout import Revision, root
from bench.guard.counts import Counts, count_work
from bench.guard.processes import GuardSetup
from bench.guard.quality_matrix import as_toml, chosen_blocks
from bench.guard.subjects import Subject, choose_subjects, prepare_case
from bench.plan.matrix import plan
from bench.plan.matrix_file import parse
from bench.training.process import cached_task, freeze_imports, prepare_process
from results.guard.verdict import GuardRow, exact_rows

GuardReport = Callable[[str], None]
"""Is called with sentences about what the guard is doing."""


@dataclass(frozen=True)
class GuardOptions:
    """The variants and tasks that are guarded, and where.

    Attributes:
        variants: Guard these instead of the suite's own choice.
        tasks: Guard on these tasks instead.
        device: `cpu` or `cuda`.
        data: Folder of corpora.
    """

    variants: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    device: str = "cpu"
    data: Path | None = None

    @property
    def selection(self) -> baselines.Selection:
        """Return what was asked for, as a baseline keeps it."""
        return baselines.Selection(self.variants, self.tasks)


def _counted(
    selection: baselines.Selection, options: GuardOptions, count: Counting
) -> dict[str, Counts]:
    """Return the counts of each subject. count: called with how many are done, of how many."""
    prepare_process(1)
    chosen = choose_subjects(
        selection.variants, selection.tasks, options.device, options.data, timed=False
    )
    found = {}
    for done, subject in enumerate(chosen):
        count(done, len(chosen))
        case = prepare_case(subject, options.device, options.data)
        # garbage is collected before each count, and to look through what is imported takes longer
        freeze_imports()
        found[subject.name] = count_work(case)
    return found


def write_baseline(file: Path, options: GuardOptions, count: Counting = uncounted) -> int:
    """Count the work of each subject, write the counts, and return how many subjects there are.

    Raises:
        ValueError: A variant or task is unknown.
        GuardError: The file cannot be written.
    """
    found = _counted(options.selection, options, count)
    baselines.write(file, found, options.selection, options.device)
    return len(found)


def guard_counts(file: Path, options: GuardOptions, count: Counting = uncounted) -> list[GuardRow]:
    """Compare the counts of each subject with a baseline's.

    Without variants and tasks, what the baseline was made of is counted.

    Raises:
        ValueError: A variant or task is unknown.
        GuardError: There is no such baseline, or it is of another machine or torch.
    """
    known = baselines.read(file, options.device)
    narrowed = bool(options.variants or options.tasks)
    found = _counted(options.selection if narrowed else known.selection, options, count)
    before = known.counts
    if narrowed:
        before = {name: value for name, value in before.items() if name in found}
    return exact_rows(before, found)


class Versions(NamedTuple):
    """A git revision to compare with, and plugins as paths within the repository."""

    revision: Revision
    plugins: tuple[str, ...]


def versions(revision: str, plugins: Sequence[Path] = ()) -> Versions:
    """Find a revision and the plugins that each version loads from its own files.

    Raises:
        ValueError: A plugin is outside the repository.
        GuardError: There is no such revision, or the working directory is in no repository.
    """
    files = []
    for file in plugins:
        folder = root(Path.cwd())
        if not file.resolve().is_relative_to(folder):
            raise ValueError(
                f"the plugin {file} is not in the repository {folder}, so that the revision has "
                "none; put it there"
            )
        files.append(str(file.resolve().relative_to(folder)))
    return Versions(Revision(revision, Path.cwd()), tuple(files))


def timed_subjects(options: GuardOptions) -> list[Subject]:
    """Return what is to be timed; ValueError if nothing applies or a name is unknown."""
    chosen = choose_subjects(
        options.variants, options.tasks, options.device, options.data, timed=True
    )
    if not chosen:
        raise ValueError("nothing of this applies: a tagger decodes nothing, and see bench list")
    return chosen


def guard_times(
    against: Versions,
    chosen: Sequence[Subject],
    options: GuardOptions,
    threshold: float,
    minutes: float,
    report: GuardReport,
) -> list[GuardRow]:
    """Time the code of a git revision and the present code side by side.

    Args:
        against: The revision.
        chosen: What is timed.
        options: Device and data.
        threshold: The slow-down that matters, as a share.
        minutes: Time limit.
        report: Called with progress.

    Raises:
        GuardError: Nothing can be timed.
    """
    data = None if options.data is None else options.data.resolve()
    present = against.revision.root
    with against.revision.files() as reference:
        sides = GuardSetup(reference, present, options.device, data, against.plugins)
        return timing.time_versions(sides, chosen, threshold, minutes, report)


def quality_matrix(matrix: Path | None, options: GuardOptions) -> str:
    """Return the text of the matrix that the guard of quality runs.

    Variants and tasks that were asked for take the place of the matrix's own.

    Raises:
        ValueError: There is no such matrix file, or a variant or task is unknown or does not apply.
    """
    chosen = (matrix or quality.QUALITY_MATRIX).resolve()
    if not chosen.is_file():
        raise ValueError(f"there is no matrix file {matrix}; give the path of one")
    text = chosen.read_text(encoding="utf-8")
    if not (options.variants or options.tasks):
        return text
    found = chosen_blocks(parse(text, chosen.name), options.variants, options.tasks)
    labels = {label for block in found.blocks for label in block.tasks}
    tasks = {label: cached_task(label, options.data) for label in labels}
    planned = plan(found, tasks, "cpu", options.data)
    if not planned.specs:
        reasons = "; ".join(sorted({row.reason for row in planned.inapplicable}))
        raise ValueError(f"nothing of this applies: {reasons}")
    return as_toml(found)


def guard_quality(
    against: Versions,
    matrix: str,
    folder: Path,
    report: GuardReport,
    count: Counting = uncounted,
) -> list[GuardRow]:
    """Run a small matrix by a git revision and by the present code, and compare the outcomes.

    Args:
        against: The revision.
        matrix: The text of a matrix file.
        folder: The store, which keeps the revision's runs for the next time.
        report: Called with progress.
        count: Called with how many runs of a version are done, and of how many.

    Raises:
        GuardError: One of the versions cannot run the matrix.
    """
    import torch

    revision = against.revision
    # each matrix has a store of its own: the runs of another would look as if they were missing
    digest = hashlib.blake2b(matrix.encode(), digest_size=4).hexdigest()
    name = f"{revision.commit[:12]}-torch-{torch.__version__}-{digest}"
    known = folder.resolve() / "guard" / name
    with revision.files() as reference, tempfile.TemporaryDirectory(prefix="bench-guard-") as made:
        file = Path(made) / "guard.toml"
        file.write_text(matrix, encoding="utf-8")
        return quality.compare_quality(
            reference, revision.root, known, file, cores(), report, against.plugins, count
        )
