"""Reads parallel corpora as they are kept on disk, and notices those that are not whole.

A corpus is a folder of its name. about.json says what it is; SPLIT.source and SPLIT.target hold a
sentence a line, as it was given; SPLIT.target.2 and so on hold further references. SPLIT is train,
valid or test, or all for a corpus that is divided when a task is built.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from tasks.parallel.languages import Languages
from tasks.sentence_pairs import (
    ABOUT_FILE,
    PAIRS_FILE,
    RESERVED_NAMES,
    add_again,
    check_name,
    missing,
    read_pairs,
)

PARALLEL_KIND = "parallel"
"""The kind that about.json gives to parallel text."""
UNDIVIDED = "all"
"""The split of a corpus that is divided when a task is built."""
HASHED_WHOLE = 1 << 30
"""Number of bytes up to which all of a file is hashed."""
HASHED_BLOCKS, BLOCK_BYTES = 256, 1 << 16
"""Number and size of the blocks that are hashed of a larger file."""


class Example(NamedTuple):
    """A sentence and its translations, of which the first is learned from."""

    source: str
    references: tuple[str, ...]


class Corpus(NamedTuple):
    """A parallel corpus as it is stored.

    target: the BLEU that counts as solved, or None. folder: where it is kept, or None.
    """

    name: str
    languages: Languages
    splits: dict[str, list[Example]]
    dropped: dict[str, dict[str, int]]
    target: float | None = None
    folder: Path | None = None


def hash_of(file: Path) -> str:
    """Return the hash by which about.json knows a file.

    Of a file beyond HASHED_WHOLE, its size and evenly spaced blocks are hashed, as every process
    that trains on it would else read all of it first.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        if size <= HASHED_WHOLE:
            return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
        state = hashlib.blake2b(str(size).encode(), digest_size=16)
        for block in range(HASHED_BLOCKS):
            stream.seek(block * (size - BLOCK_BYTES) // (HASHED_BLOCKS - 1))
            state.update(stream.read(BLOCK_BYTES))
        return state.hexdigest()


def files_of(folder: Path, files: Sequence[str]) -> dict[str, str]:
    """Return what about.json says of a corpus's files: the hash of each."""
    return {file: hash_of(folder / file) for file in files}


def read_about(name: str, data: Path | None) -> dict[str, Any] | None:
    """Return the about.json of a corpus, or None if there is no such corpus.

    Raises ValueError if it is damaged.
    """
    check_name(name)
    if data is None or not (data / name / ABOUT_FILE).is_file():
        return None
    file = data / name / ABOUT_FILE
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        about = None
    if not isinstance(about, dict):
        raise ValueError(f"{file} is damaged; {add_again(name)}")
    return about


def check_whole(folder: Path, about: Mapping[str, Any]) -> None:
    """Raise ValueError if a file of a corpus is not what it was when the corpus was added."""
    files = about.get("files", {})
    if not isinstance(files, dict):
        raise ValueError(f"{folder / ABOUT_FILE} is damaged; {add_again(folder.name)}")
    for file, known in files.items():
        place = folder / str(file)
        if not place.is_file():
            raise ValueError(f"{place} is missing; {add_again(folder.name)}")
        stat = place.stat()
        if _hash_at(place, stat.st_size, stat.st_mtime_ns) != known:
            raise ValueError(
                f"{place} is not what it was when the corpus was added (its hash differs); "
                + add_again(folder.name)
            )


@lru_cache(maxsize=256)
def _hash_at(file: Path, size: int, modified: int) -> str:
    """Return a file's hash, computed once for each size and time of change."""
    return hash_of(file)


def wrong_kind(name: str, about: Mapping[str, Any], wanted: str) -> str:
    """Return the sentence for a name that is there, but is no corpus of the wanted kind."""
    kind = about.get("kind", "something else")
    use = {
        "vectors": f"give it to embeddings: embedding_init=vectors,vectors={name}",
        "tagged": f"give it to the tagging task: keyphrase:corpus={name}",
        "parallel": f"give it to the translation task: pairs:corpus={name}",
        "pairs": f"give it to the translation task: en-zh:corpus={name}",
    }.get(str(kind), "choose another name")
    return f"{name!r} holds {kind}, not {wanted}; {use}"


def read_lines(file: Path) -> list[str]:
    """Read a stored file of a sentence a line."""
    lines = file.read_text(encoding="utf-8").split("\n")
    return lines[:-1] if lines and lines[-1] == "" else lines


def read_parallel(name: str, data: Path, about: Mapping[str, Any]) -> Corpus:
    """Read a corpus of the kind PARALLEL_KIND; raise ValueError if it is damaged."""
    folder = data / name
    check_whole(folder, about)
    try:
        languages = Languages(*map(str, about["languages"]))
        splits = {
            split: _examples(folder, split, int(known["references"]))
            for split, known in about["splits"].items()
        }
        dropped = {
            split: {str(why): int(n) for why, n in known.get("dropped", {}).items()}
            for split, known in about["splits"].items()
        }
        target = about.get("target")
        target = None if target is None else float(target)
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"the corpus in {folder} is damaged ({error}); {add_again(name)}"
        ) from None
    return Corpus(name, languages, splits, dropped, target, folder)


def _examples(folder: Path, split: str, references: int) -> list[Example]:
    sides = [read_lines(folder / file) for file in split_files(split, references)]
    return [Example(source, tuple(rest)) for source, *rest in zip(*sides, strict=True)]


def split_files(split: str, references: int) -> list[str]:
    """Return the names of a split's files: its source, then its references."""
    further = [f"{split}.target.{number}" for number in range(2, references + 1)]
    return [f"{split}.source", f"{split}.target", *further]


def read_prepared_pairs(name: str, data: Path) -> Corpus:
    """Read a corpus of pairs.tsv, English and Chinese, as Tatoeba is prepared."""
    pairs = read_pairs(data / name / PAIRS_FILE)
    examples = [Example(pair.english, (pair.chinese,)) for pair in pairs]
    return Corpus(name, Languages("en", "zh"), {UNDIVIDED: examples}, {}, None, data / name)


def read_corpus_of(name: str, data: Path | None) -> Corpus:
    """Read parallel text by its name.

    Raises:
        ValueError: The name, or what stands under it, is no parallel text, or it is damaged.
        FileNotFoundError: There is nothing of that name.
    """
    if name in RESERVED_NAMES:
        raise ValueError(f"{name!r} is generated, and not read; leave it to the task")
    about = read_about(name, data)
    if about is None or data is None:
        if data is not None and (data / name / PAIRS_FILE).is_file():
            return read_prepared_pairs(name, data)
        raise FileNotFoundError(missing(name, data))
    if about.get("kind") == PARALLEL_KIND:
        return read_parallel(name, data, about)
    if about.get("kind") == "pairs":
        check_whole(data / name, about)
        return read_prepared_pairs(name, data)
    raise ValueError(wrong_kind(name, about, "parallel text"))
