"""Adds corpora and word vectors of the user's own, shows what they hold, and removes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.corpora import catalogue
from bench.corpora.catalogue import Prepared
from tasks import build
from tasks.keyphrase import Keyphrase
from tasks.pairs import TranslationTask
from tasks.parallel.stored import PARALLEL_KIND
from tasks.parallel.streamed import STREAMED_KIND
from tasks.tagged import TAGGED_KIND

SHOWN_SAMPLES = 3
"""Number of pairs that are shown of a corpus."""


def add_vectors(name: str, files: Sequence[Path], folder: Path) -> Prepared:
    """Prepare word vectors from one file; ValueError if several are given."""
    if len(files) != 1:
        raise ValueError(f"{len(files)} files of vectors were given; give one")
    return catalogue.add_vectors(name, files[0], folder)


def corpora(folder: Path) -> list[dict[str, Any]]:
    """Return a row per corpus and per file of word vectors in a folder."""
    return [{"name": found.name, **found.about} for found in catalogue.listing(folder)]


def describe_corpus(name: str, folder: Path) -> dict[str, Any]:
    """Return what a corpus says of itself and, for parallel text, what a task makes of it.

    Raises:
        ValueError: Its about.json, or a file, is damaged.
        FileNotFoundError: There is no corpus of that name.
    """
    about = next((row for row in corpora(folder) if row["name"] == name), None)
    if about is None:
        raise FileNotFoundError(f"there is no corpus {name!r} in {folder}; see: bench data list")
    if "damaged" in about:
        raise ValueError(str(about["damaged"]))
    kinds = {PARALLEL_KIND: "pairs", STREAMED_KIND: "pairs", TAGGED_KIND: "keyphrase"}
    task = kinds.get(str(about.get("kind")))
    return about if task is None else {**about, **counted(f"{task}:corpus={name}", folder)}


def counted(label: str, folder: Path) -> dict[str, Any]:
    """Return what a task of parallel text makes of its corpus, with samples.

    `unusable` says in its place why the task cannot be built.
    """
    try:
        task = build(label, folder)
    except ValueError as error:
        return {"task": label, "unusable": str(error)}
    if isinstance(task, Keyphrase):
        return _counted_texts(label, task)
    if not isinstance(task, TranslationTask):
        return {"task": label}
    rows = [found.row(split) for split, found in task.counts.items()]
    shown = task.splits[task.sampled_split]
    return {
        "task": label,
        "tokens": dict(task.tokens),
        "vocabulary": {"source": len(task.source), "target": len(task.target)},
        "limits": {"longest": task.longest, "output": task.facts.length_limit},
        "counts": rows,
        "samples": [
            {
                "source": task.source_text(shown.source[place]),
                "symbols": task.source.decode(shown.source[place]),
                "target": shown.references[place][0],
                "target_symbols": task.target.decode(shown.targets[0][place]),
            }
            for place in range(min(SHOWN_SAMPLES, len(shown)))
        ],
    }


def _counted_texts(label: str, task: Keyphrase) -> dict[str, Any]:
    """Return what the tagging task makes of a corpus, with samples."""
    train = task.splits["train"]
    marked = [
        task.target_text([stream[place] for stream in train.targets], train.source[place])
        for place in range(min(SHOWN_SAMPLES, len(train)))
    ]
    return {
        "task": label,
        "tokens": {"source": "lower-case words, digits as 0"},
        "vocabulary": {"source": len(task.source)},
        "counts": [found.row(split) for split, found in task.counts.items()],
        "samples": [{"marked": text} for text in marked],
    }
