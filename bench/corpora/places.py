"""Finds the splits of a corpus in a folder, by the names that people give to files.

train.de and train.en (as Moses has them, also .gz); one file of columns a split; folders named
train, dev and test; and Hugging Face's train-00000-of-00002.parquet.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from bench.corpora.given import COMPRESSED_SUFFIXES

_SPLIT_WORDS = {
    "train": ("train", "training", "trn"),
    "valid": ("valid", "validation", "val", "dev", "devel", "development"),
    "test": ("test", "tst", "eval"),
}
_COLUMNS = {"tsv", "csv", "jsonl", "json", "ndjson", "parquet", "tmx"}
_IGNORED = re.compile(r"(?i)^([._].*|readme.*|licen[sc]e.*|.*\.(md|html|pdf|py|sh|yaml|yml))$")


def split_of(file: Path, folder: Path) -> str:
    """Return the split that the name of a file tells, or else of the folders around it, or ""."""
    for part in reversed(file.relative_to(folder).parts):
        words = set(re.split(r"[^a-z]+", part.lower()))
        for split, names in _SPLIT_WORDS.items():
            if words & set(names):
                return split
    return ""


def splits_in(folder: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """Return the files of each split in a folder, and the names of files that belong to none.

    Raises ValueError if there is no training file, or one split has several candidates.
    """
    found: dict[str, list[Path]] = defaultdict(list)
    others = []
    for file in sorted(folder.rglob("*")):
        if not file.is_file() or _IGNORED.match(file.name):
            continue
        split = split_of(file, folder)
        if split:
            found[split].append(file)
        else:
            others.append(str(file.relative_to(folder)))
    if not found:
        raise ValueError(
            f"{folder} holds no file named train, valid, dev or test; give the files themselves, "
            "with --train, --valid and --test"
        )
    if "train" not in found:
        raise ValueError(f"{folder} holds no training file; give it with --train")
    for split, files in found.items():
        _check_unambiguous(split, files)
    return {split: found[split] for split in _SPLIT_WORDS if split in found}, others


def bare_name(file: Path) -> str:
    """Return a file's name without compression."""
    name = file.name
    for suffix in COMPRESSED_SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def _check_unambiguous(split: str, files: list[Path]) -> None:
    """Raise ValueError for several files that are neither two sides nor parts of one table."""
    endings = {bare_name(file).rsplit(".", 1)[-1].lower() for file in files}
    stems = {bare_name(file).rsplit(".", 1)[0] for file in files}
    if len(endings) == 1 and endings <= _COLUMNS:
        parts = {re.sub(r"\d+", "#", stem) for stem in stems}
        if len(parts) == 1:
            return
    elif len(stems) == 1 or len(files) <= 2:
        return
    raise ValueError(
        f"several files could be {split}: {', '.join(file.name for file in files)}; say which, "
        f"with: --{split} FILE --{split} FILE"
    )
