"""Reads documents with marked phrases from files of `token TAB tag` lines.

A tagged corpus is a folder with train.txt, dev.txt and test.txt, UTF-8, with one token and its tag
per line and a blank line between documents. Tags are O, B-X where a phrase of kind X begins, and
I-X where it continues. The kinds (Process, Task, Material in SemEval-2017) only separate phrases.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tasks.spans import positions_of, spans_of_tags

TAGGED_FILES = {"train": "train.txt", "valid": "dev.txt", "test": "test.txt"}
"""File of each split in the folder of a tagged corpus."""
_LINE = re.compile(r"([^\t ]+)\t(O|[BI]-\S+)")
_DIGIT = re.compile(r"\d")
_TOKEN = re.compile(r"\w+(?:[-'’.,/]\w+)*|[^\w\s]")


class Document(NamedTuple):
    """Tokens and as many position classes (see tasks/spans.py)."""

    tokens: tuple[str, ...]
    positions: tuple[int, ...]


def normal(token: str) -> str:
    """Return a token as vocabularies know it: lower-cased, with every digit as 0."""
    return _DIGIT.sub("0", token.lower())


def tokens_of(text: str) -> list[str]:
    """Return the normalised tokens of a text: words and punctuation marks.

    Words joined by a hyphen or a point stay whole (semi-classical, 1.5).
    """
    return [normal(token) for token in _TOKEN.findall(text)]


def read_corpus(folder: Path) -> tuple[dict[str, list[Document]], dict[str, int]]:
    """Read the splits of a tagged corpus, and how many documents each one lost.

    A valid document that repeats a training one is dropped, and so is a test document that repeats
    a training or valid one, as its score would show memory (five of SemEval-2017's 100 test
    documents).

    Raises FileNotFoundError for a missing file, ValueError for a malformed one.
    """
    seen: set[tuple[str, ...]] = set()
    splits: dict[str, list[Document]] = {}
    dropped: dict[str, int] = {}
    for name, file in TAGGED_FILES.items():
        given = _read(folder, file)
        kept = [document for document in given if document.tokens not in seen]
        if not kept:
            raise ValueError(
                f"every document of {folder / file} repeats one of an earlier split; "
                f"give {file} documents of its own"
            )
        splits[name], dropped[name] = kept, len(given) - len(kept)
        seen |= {document.tokens for document in kept}
    return splits, dropped


def _read(folder: Path, file: str) -> list[Document]:
    path = folder / file
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} holds no {file}; a tagged corpus has train.txt, dev.txt and test.txt"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 at byte {error.start}; save it as UTF-8") from None
    # not splitlines(), which also breaks at U+2028 and its like inside a token
    documents = _documents(path, text.split("\n"))
    if not documents:
        raise ValueError(f"{path} is empty; give it lines of a token, a TAB and a tag")
    return documents


def _documents(path: Path, lines: Iterable[str]) -> list[Document]:
    documents: list[Document] = []
    tokens: list[str] = []
    tags: list[str] = []
    for number, line in enumerate((*lines, ""), start=1):
        if line.strip():
            token, tag = _parse(path, number, line)
            tokens.append(token)
            tags.append(tag)
        elif tokens:
            documents.append(_document(tokens, tags))
            tokens, tags = [], []
    return documents


def _parse(path: Path, number: int, line: str) -> tuple[str, str]:
    found = _LINE.fullmatch(line)
    if found is None:
        shown = line if len(line) <= 60 else line[:60] + "..."
        raise ValueError(
            f"{path}, line {number}: {shown!r} is not a token, a TAB and a tag; "
            "tags are O, B- or I- and a kind, such as B-Task; correct the line"
        )
    return normal(found[1]), found[2]


def _document(tokens: Sequence[str], tags: Sequence[str]) -> Document:
    return Document(tuple(tokens), tuple(positions_of(spans_of_tags(tags), len(tags))))
