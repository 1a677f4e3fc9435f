"""Gives a model with kept weights a source text of the user's own."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError

from bench.api.store import choose
from bench.collection import search_as_usual
from bench.corpora import vectors
from bench.corpora.given import files_in, held, lines_of
from bench.plugins import loading
from bench.specs import RunSpec
from bench.training.decoding import Decoding, read_decoding
from bench.training.evaluation import DECODED_ROWS, run_many, run_one
from bench.training.process import cached_task
from bench.training.weights import load_trained
from results.store import reading
from tasks import Task
from variants import Model

LINES_AT_ONCE = 4_096
"""Number of lines of a file that are held, sorted by length and decoded together."""


def translate(folder: Path, run: str, text: str, decoding: str | None = None) -> dict[str, Any]:
    """Return what a kept model outputs for a source text.

    Args:
        folder: The store.
        run: A run's id or its first digits, or a row or variant, whose best run is taken.
        text: A source, written as `bench show` prints samples.
        decoding: `greedy` or `beam=5`; None for the run's own.

    Raises:
        ValueError: The run kept no weights or they are damaged, or its data or plugin changed.
        StoreError: There is no such run.
    """
    model, task, spec = loaded(folder, run)
    return answer(model, task, text, decoding or spec.decoding)


def answer(model: Model, task: Task, text: str, decoding: str) -> dict[str, Any]:
    """Return what a model outputs for a source text, and the words that it does not know.

    Raises ValueError for an empty text or a decoding that is none.
    """
    ids = task.encode(text)
    if not len(ids):
        raise ValueError("the source is empty; type at least one symbol")
    found = run_one(model, task, ids, "cpu", decoding=read_decoding(decoding), typed=text)
    return found | {"unknown": unknown_words(task, text)}


def unknown_words(task: Task, text: str) -> list[str]:
    """Return the words of a source that a task's vocabulary lacks, which it reads as unknown."""
    known = set(task.source.symbols)
    return list(dict.fromkeys(word for word in task.tokenize(text) if word not in known))


class LineAnswer(NamedTuple):
    """The outputs for one line: texts, best first, with the score of each, None if not searched."""

    texts: list[str]
    scores: list[float | None]


def translate_lines(
    folder: Path, run: str, lines: Iterable[str], decoding: str | None = None, best: int = 1
) -> Iterator[LineAnswer]:
    """Yield what a kept model outputs for each line, in their order; an empty line stays empty.

    Args:
        folder: The store.
        run: A run's id, or its first digits.
        lines: Sources, of any number: some thousand at a time are decoded in batches.
        decoding: `greedy` or `beam=5`; None for the run's own.
        best: Number of outputs for each line, for a beam.

    Raises:
        ValueError: As `translate`; or a line is no source of the task, which is named; or more
            outputs are asked for than the beam is wide.
    """
    model, task, spec = loaded(folder, run)
    how = read_decoding(decoding or spec.decoding)
    if not 1 <= best <= how.width or (best > 1 and task.facts.tagging):
        raise ValueError(
            f"{best} outputs a line were asked for, and {how.text} gives at most {how.width}; "
            f"give --decoding beam={max(best, 2)}, or fewer"
        )
    numbered = enumerate(lines, start=1)
    while block := list(islice(numbered, LINES_AT_ONCE)):
        yield from _answers(model, task, block, how, best)


def _answers(
    model: Model, task: Task, block: Sequence[tuple[int, str]], how: Decoding, best: int
) -> list[LineAnswer]:
    """Return the answers to a block of numbered lines, decoded in order of their lengths."""
    found = [LineAnswer([""], [None])] * len(block)
    sources = []
    for place, (number, line) in enumerate(block):
        if line.strip():
            try:
                sources.append((place, task.encode(line)))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
    sources.sort(key=lambda one: len(one[1]))
    for start in range(0, len(sources), DECODED_ROWS):
        rows = sources[start : start + DECODED_ROWS]
        typed = [block[place][1] for place, _ in rows]
        answers = run_many(model, task, [ids for _, ids in rows], typed, how, best)
        for (place, _), answer in zip(rows, answers, strict=True):
            found[place] = LineAnswer([text for text, _ in answer], [score for _, score in answer])
    return found


def score_lines(
    folder: Path, run: str, outputs: Sequence[str], references: Sequence[Sequence[str]]
) -> tuple[dict[str, float], dict[str, str]]:
    """Return scores of outputs, and how they were computed.

    references: one list of lines for each file of references.

    Raises ValueError if a list has another length than the outputs, or the task scores no text.
    """
    for lines in references:
        if len(lines) != len(outputs):
            given = f"{len(lines)} reference{' was' if len(lines) == 1 else 's were'} given"
            raise ValueError(f"{given} for {len(outputs)} lines; give as many")
    _, task, _ = loaded(folder, run)
    scores = task.score_texts(outputs, list(zip(*references, strict=True)))
    return scores, dict(task.signatures)


def lines_in(file: Path) -> Iterator[str]:
    """Yield the lines of a text file, compressed or not; - is standard input.

    Raises FileNotFoundError if it is not there, ValueError if it is not UTF-8.
    """
    if str(file) == "-":
        yield from (line.rstrip("\r\n") for line in sys.stdin)
        return
    with tempfile.TemporaryDirectory() as scratch:
        parts = files_in(held(file, Path(scratch), 0))
        if len(parts) != 1:
            raise ValueError(f"{file} holds {len(parts)} texts; give one")
        yield from lines_of(parts[0])


def loaded(
    folder: Path, run: str, labels: Sequence[str] | None = None
) -> tuple[Model, Task, RunSpec]:
    """Return the trained model of a run, its task and its spec; arguments and errors as above.

    labels: Labels or names of tasks, for the runs of a variant; None for all.
    """
    search_as_usual()  # a plugin's model may leave garbage at every step
    with reading(folder) as store:
        record = choose(store, run, labels, best=True).run
        found = record.id
        weights = store.weights(found)
    if not weights.is_file():
        raise ValueError(
            f"run {found} kept no weights; run its matrix with --keep-weights and --rerun"
        )
    spec = RunSpec.read(dict(record.spec))
    task = cached_task(spec.task, folder / "data")
    _check_unchanged(spec, task, found, folder)
    try:
        return load_trained(spec, task, folder / "data", weights), task, spec
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(
            f"{weights} is damaged; run its matrix with --keep-weights and --rerun"
        ) from error


def _check_unchanged(spec: RunSpec, task: Task, run: str, folder: Path) -> None:
    """Raise a ValueError if a run's data or plugin is not what it was trained with."""
    if vectors.digest(task.digest(), spec.variant, folder / "data") != spec.data:
        raise ValueError(f"the data of {spec.task} is not what run {run} learned from")
    if loading.digest_of(spec.task, spec.variant) != spec.plugin:
        raise ValueError(
            f"run {run} was made with a plugin that is not loaded as it was; give it with --plugin"
        )
