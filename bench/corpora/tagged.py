"""Adds texts with marked phrases: reads tokens and tags once, and keeps them as JSON lines.

Splits that are given stay whole. Those that are not are drawn from training, each a twentieth of
it, so that no text is in two splits.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from bench.corpora.given import Held, about_files, files_in, held_splits, lines_of
from bench.corpora.parallel import Given
from bench.corpora.preparation import Prepared
from bench.corpora.publishing import published, write_about_whole
from bench.corpora.tables import ReadOptions
from tasks.parallel.stored import UNDIVIDED
from tasks.tagged import (
    TAGGED_FILES,
    TAGGED_KIND,
    TagForm,
    TaggedText,
    phrases_in,
    read_tagged,
    scheme_of,
)

TAGGED_VERSION = 2
"""Version of the preparation: increased when the same text would give another corpus."""
FEWEST_TAGGED = 20
"""A corpus of fewer texts cannot be divided."""
_SEPARATORS = {"tab": "\t", "space": ""}


def add_tagged(name: str, folder: Path, given: Given, scheme: str = "") -> Prepared:
    """Add a tagged corpus under a new name.

    Args:
        given: Files of the splits, or of training alone, and how they are read.
        scheme: One of SCHEMES, or "" for what the tags tell.

    Raises:
        ValueError: A file or its tags are of another form, or training is one text.
        FileNotFoundError: A file does not exist.
    """
    form = form_of_tags(given.reading)
    with published(name, folder) as fresh:
        paths = held_splits(given.splits, fresh.parent)
        splits = _read_splits(paths, given.reading, form)
        found = scheme_of(list(chain.from_iterable(splits.values())), scheme)
        made = [split for split in TAGGED_FILES if split not in splits]
        splits = with_all_splits(splits)
        for split, texts in splits.items():
            _write(fresh / f"{split}.jsonl", texts, found)
        kinds = Counter(
            phrase.kind
            for text in chain.from_iterable(splits.values())
            for phrase in phrases_in(text, found)
        )
        about = {
            "name": name,
            "kind": TAGGED_KIND,
            **about_files(list(chain.from_iterable(paths.values()))),
            "scheme": found,
            "kinds": dict(sorted(kinds.items())),
            "splits": {split: _about(texts) for split, texts in splits.items()},
            "drawn": made,
            "preparation": TAGGED_VERSION,
        }
        about = write_about_whole(fresh, about)
    return Prepared(name, folder / name, about)


def form_of_tags(options: ReadOptions) -> TagForm:
    """Return how lines are read; ValueError for columns that are not two numbers."""
    separator = _SEPARATORS.get(options.separator, options.separator)
    if not options.columns:
        return TagForm(None, separator)
    if len(options.columns) != 2 or not all(c.isdigit() and int(c) for c in options.columns):
        raise ValueError(
            f"--columns {','.join(options.columns)} are not two numbers from 1; give those of the "
            "token and the tag, as --columns 1,4"
        )
    token, tag = (int(column) - 1 for column in options.columns)
    return TagForm((token, tag), separator)


def _read_splits(
    paths: Mapping[str, Sequence[Held]], options: ReadOptions, form: TagForm
) -> dict[str, list[TaggedText]]:
    """Read the texts of each split; ValueError if training is one text."""
    splits = {
        "train" if split == UNDIVIDED else split: _texts(files, options, form)
        for split, files in paths.items()
    }
    if len(splits["train"]) < 2:
        raise ValueError(
            "the training file holds no blank line, so all of it is one text; put a blank "
            "line after each sentence or document"
        )
    return splits


def _texts(files: Sequence[Held], options: ReadOptions, form: TagForm) -> list[TaggedText]:
    texts = []
    for one in files:
        for part in files_in(one):
            found = read_tagged(lines_of(part, options.encoding), part.label, form)
            if not found:
                raise ValueError(f"{part.label} is empty; give a token and a tag a line")
            texts += found
    return texts


def with_all_splits(splits: Mapping[str, list[TaggedText]]) -> dict[str, list[TaggedText]]:
    """Return train, valid and test; those that are missing are drawn from training.

    Texts of the same tokens are in one split. Raises ValueError if training is too small.
    """
    found = {name: list(texts) for name, texts in splits.items()}
    size = len(found["train"]) // FEWEST_TAGGED
    for name in TAGGED_FILES:
        if name in found:
            continue
        if not size:
            raise ValueError(
                f"{len(found['train'])} texts are too few to draw {name} from; give at least "
                f"{FEWEST_TAGGED}, or a file for it with --{name}"
            )
        drawn, rest = _drawn(found["train"], size)
        found |= {"train": rest, name: drawn}
    return {name: found[name] for name in TAGGED_FILES}


def _drawn(texts: Sequence[TaggedText], size: int) -> tuple[list[TaggedText], list[TaggedText]]:
    """Draw about so many texts, all that have the same tokens together."""
    alike: dict[tuple[str, ...], list[TaggedText]] = {}
    for text in texts:
        alike.setdefault(text.tokens, []).append(text)
    groups = list(alike.values())
    drawn: list[TaggedText] = []
    rest: list[TaggedText] = []
    for place in np.random.default_rng(0).permutation(len(groups)):
        (drawn if len(drawn) < size else rest).extend(groups[int(place)])
    return drawn, rest


def _write(file: Path, texts: Sequence[TaggedText], scheme: str) -> None:
    with file.open("w", encoding="utf-8") as stream:
        for text in texts:
            record = {"tokens": text.tokens, "phrases": phrases_in(text, scheme)}
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")


def _about(texts: Sequence[TaggedText]) -> dict[str, Any]:
    repeats = len(texts) - len({text.tokens for text in texts})
    return {
        "texts": len(texts),
        "tokens": sum(len(text.tokens) for text in texts),
        "repeated": repeats,
    }
