"""Reads texts with marked phrases: a token and its tag a line, a blank line between texts.

A tagged corpus is a folder with train.txt, dev.txt and test.txt, UTF-8, with a token, a TAB and a
tag on each line. Tags are O, B-X where a phrase of kind X begins, and I-X where it continues.
`bench data add --tagged` reads other columns, separators and schemes, and keeps what it read as
JSON lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from tasks.choices import one_of
from tasks.spans import MarkedPhrase, phrases_of_classes, phrases_of_tags, positions_of

TAGGED_FILES = {"train": "train.txt", "valid": "dev.txt", "test": "test.txt"}
"""File of each split in the folder of a tagged corpus."""
TAGGED_KIND = "tagged"
"""The kind that about.json gives to a tagged corpus."""
SCHEMES = ("bio", "iob1", "iob2", "bioes", "bmes", "bilou", "plain")
"""Schemes of tags; plain tags name a class, without a letter for the place in a phrase."""
REPEATS = "it stands in valid or test"
"""The reason for which a training text is dropped."""
_LETTERS = {"bioes": "BIES", "bmes": "BMES", "bilou": "BILU"}
_TAG = re.compile(r"O|([BIESLUM])(?:[-_](\S+))?")
_LINE = re.compile(r"([^\t ]+)\t(O|[BI]-\S+)")
_DIGIT = re.compile(r"\d")
_TOKEN = re.compile(r"\w+(?:[-'’.,/]\w+)*|[^\w\s]")


class Document(NamedTuple):
    """Tokens, as many position classes (see tasks/spans.py), and the phrases that gave them."""

    tokens: tuple[str, ...]
    positions: tuple[int, ...]
    phrases: tuple[MarkedPhrase, ...] = ()


class TaggedText(NamedTuple):
    """A text as it was given: its tokens and their tags."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]


class TagForm(NamedTuple):
    """Says how lines of tokens and tags are read.

    columns: of the token and the tag, from 0; None for a file of two. separator: a text, or "" for
    a TAB if there is one and else spaces.
    """

    columns: tuple[int, int] | None = None
    separator: str = ""


def normal(token: str) -> str:
    """Return a token as vocabularies know it: lower-cased, with every digit as 0."""
    return _DIGIT.sub("0", token.lower())


def words_of(text: str) -> list[str]:
    """Return the tokens of a text: words and punctuation marks.

    Words joined by a hyphen or a point stay whole (semi-classical, 1.5).
    """
    return _TOKEN.findall(text)


def tokens_of(text: str) -> list[str]:
    """Return the normalised tokens of a text."""
    return [normal(token) for token in words_of(text)]


def read_tagged(lines: Iterable[str], where: str, form: TagForm) -> list[TaggedText]:
    """Read texts of tokens and tags; comments and -DOCSTART- lines are passed over.

    Raises ValueError, which names the place, for a line without its columns.
    """
    texts: list[TaggedText] = []
    tokens: list[str] = []
    tags: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            if tokens:
                texts.append(TaggedText(tuple(tokens), tuple(tags)))
                tokens, tags = [], []
        elif not _is_comment(line, form) and not line.startswith("-DOCSTART-"):
            token, tag = _columns(line, number, where, form)
            tokens.append(token)
            tags.append(tag)
    if tokens:
        texts.append(TaggedText(tuple(tokens), tuple(tags)))
    return texts


def _is_comment(line: str, form: TagForm) -> bool:
    """Return whether a line is a comment: `# key = value`, or # without the columns of a token."""
    if not line.startswith("#"):
        return False
    parts = _parts(line, form)
    return "=" in parts[1:3] or len(parts) <= max(form.columns or (0, 1))


def _parts(line: str, form: TagForm) -> list[str]:
    separator = form.separator or ("\t" if "\t" in line else "")
    return line.split(separator) if separator else line.split()


def _columns(line: str, number: int, where: str, form: TagForm) -> tuple[str, str]:
    """Return the token and the tag of a line."""
    parts = _parts(line, form)
    if form.columns is None and len(parts) > 2:
        raise ValueError(
            f"{where}, line {number} has {len(parts)} columns; say which hold the token and the "
            f"tag, with: --columns 1,{len(parts)}"
        )
    places = form.columns or (0, 1)
    if max(places) >= len(parts) or not all(parts[place].strip() for place in places):
        raise ValueError(
            f"{where}, line {number}: {_short(line)!r} has no token and tag in the columns "
            f"{places[0] + 1} and {places[1] + 1}; correct the line, or give --columns"
        )
    return parts[places[0]].strip(), parts[places[1]].strip()


def _short(line: str) -> str:
    return line if len(line) <= 60 else line[:60] + "..."


def scheme_of(texts: Iterable[TaggedText], said: str = "") -> str:
    """Return the scheme of tags, `bio` for IOB1 and IOB2 too, whose phrases are read alike.

    Raises ValueError if the tags are of another scheme than was said, or of none.
    """
    tags = set(chain.from_iterable(text.tags for text in texts))
    if said:
        one_of("scheme", said, SCHEMES)
    if said == "plain":
        return said
    found = _scheme(tags)
    said = "bio" if said in ("iob1", "iob2") else said
    if said and not _letters(tags) <= set(_LETTERS.get(said, "BI")):
        raise ValueError(
            f"the tags are said to be {said}, but they are {found}, for some are "
            f"{', '.join(sorted(tags - {'O'})[:5])}; give the right --scheme"
        )
    return said or found


def _letters(tags: set[str]) -> set[str]:
    """Return the letters with which tags of phrases begin."""
    return {tag[0] for tag in tags if tag != "O"}


def _scheme(tags: set[str]) -> str:
    """Return the scheme that tags tell."""
    odd = sorted(tag for tag in tags if not _TAG.fullmatch(tag))
    if odd and len(odd) < len(tags - {"O"}):
        raise ValueError(
            f"tags are O, or a letter, - and a kind, such as B-Task, and {odd[0]!r} is not; "
            "correct it, or give --scheme plain"
        )
    if odd:
        return "plain"
    letters = _letters(tags)
    if letters & set("LU"):
        return "bilou"
    return "bmes" if "M" in letters else "bioes" if letters & set("ES") else "bio"


def phrases_in(text: TaggedText, scheme: str) -> tuple[MarkedPhrase, ...]:
    """Return the marked phrases of a text."""
    found = phrases_of_classes(text.tags) if scheme == "plain" else phrases_of_tags(text.tags)
    return tuple(found)


def document_of(tokens: Sequence[str], phrases: Sequence[MarkedPhrase]) -> Document:
    """Return a text as a model learns it."""
    spans = [(phrase.start, phrase.stop) for phrase in phrases]
    return Document(
        tuple(map(normal, tokens)), tuple(positions_of(spans, len(tokens))), tuple(phrases)
    )


def without_repeats(
    splits: dict[str, list[Document]],
) -> tuple[dict[str, list[Document]], dict[str, int]]:
    """Return splits whose training knows no text of the others, and how many each one lost.

    Valid and test stay whole. Raises ValueError if training has nothing left.
    """
    held_out = {text.tokens for name in ("valid", "test") for text in splits[name]}
    train = [text for text in splits["train"] if text.tokens not in held_out]
    if not train:
        raise ValueError(
            "every training text stands in valid or test; give training texts of their own"
        )
    dropped = dict.fromkeys(splits, 0) | {"train": len(splits["train"]) - len(train)}
    return {**splits, "train": train}, dropped


def read_corpus(folder: Path) -> tuple[dict[str, list[Document]], dict[str, int]]:
    """Read the splits of a tagged corpus, and how many texts each one lost.

    A training text that stands in valid or test is dropped, as its score would show memory (five
    of SemEval-2017's 100 test documents stand in training).

    Raises FileNotFoundError for a missing file, ValueError for a malformed one.
    """
    splits = {name: _read(folder, file) for name, file in TAGGED_FILES.items()}
    try:
        return without_repeats(splits)
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from None


def read_stored(folder: Path) -> tuple[dict[str, list[Document]], dict[str, int]]:
    """Read a corpus that `bench data add --tagged` wrote; ValueError if it is damaged."""
    splits = {}
    for name in TAGGED_FILES:
        texts = []
        lines = (folder / f"{name}.jsonl").read_text(encoding="utf-8").split("\n")
        for line in filter(None, lines):
            record = json.loads(line)
            phrases = [MarkedPhrase(int(a), int(b), str(kind)) for a, b, kind in record["phrases"]]
            texts.append(document_of(record["tokens"], phrases))
        splits[name] = texts
    return without_repeats(splits)


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
    lines = [line.removesuffix("\r").removeprefix("\ufeff") for line in text.split("\n")]
    for number, line in enumerate(lines, start=1):
        if line.strip() and not _LINE.fullmatch(line):
            raise ValueError(
                f"{path}, line {number}: {_short(line)!r} is not a token, a TAB and a tag; "
                "tags are O, B- or I- and a kind, such as B-Task; correct the line, or add files "
                "of another form with: bench data add NAME FILES --tagged"
            )
    texts = read_tagged(lines, str(path), TagForm(separator="\t"))
    if not texts:
        raise ValueError(f"{path} is empty; give it lines of a token, a TAB and a tag")
    return [document_of(text.tokens, phrases_in(text, "bio")) for text in texts]
