"""Reads word vectors from text files and from the data folder. Loads no torch."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_BLANKS = re.compile(r"[ \t]+")
WORDS_FILE, VALUES_FILE = "words.json", "vectors.npy"


class Vectors(NamedTuple):
    """Word vectors: the word of each row of values_VE, an array of V words and E numbers each."""

    words: list[str]
    values_VE: Floats


def parse(lines: Iterable[str], where: str) -> tuple[Vectors, int]:
    """Read word vectors in the text format of word2vec or GloVe, and count repeated words.

    A line holds a word and its numbers, separated by spaces. word2vec has a first line
    `words size`, GloVe has none. The first vector of a repeated word counts.

    Args:
        where: What errors call the text.

    Raises:
        ValueError: A line is not a word and as many finite numbers as the others, or the first
            line says another size or number of words than there are.
    """
    rows: dict[str, Floats] = {}
    size = count = 0
    stated: int | None = None
    for number, line in enumerate(lines, start=1):
        parts = _BLANKS.split(line.strip(" \t\r"))
        if number == 1 and _is_count_and_size(parts):
            stated, size = int(parts[0]), int(parts[1])
            continue
        size = size or len(parts) - 1
        found = _word_and_numbers(parts, size, size_is_stated=stated is not None)
        if found is None:
            said = f", as its first line says {size}" if stated is not None else ""
            raise ValueError(
                f"{where}, line {number} is not a word and {max(size, 1)} numbers{said}; give the "
                "text format of word2vec or GloVe"
            )
        count += 1
        rows.setdefault(*found)
    if not rows:
        raise ValueError(f"{where} holds no vectors; give the text format of word2vec or GloVe")
    if stated is not None and stated != count:
        raise ValueError(
            f"the first line of {where} says {stated} words, and {count} follow; give the whole "
            "file, or take its first line away"
        )
    return Vectors(list(rows), np.stack(list(rows.values()))), count - len(rows)


def parse_binary(stream: IO[bytes], where: str) -> tuple[Vectors, int]:
    """Read word vectors in the binary format of word2vec, and count repeated words.

    After a line `words size`, each word is followed by a space and its numbers as float32.

    Raises ValueError if the file ends early.
    """
    first = stream.readline().split()
    count, size = int(first[0]), int(first[1])
    rows: dict[str, Floats] = {}
    for number in range(count):
        word = bytearray()
        while (byte := stream.read(1)) not in (b" ", b""):
            word += byte
        raw = stream.read(4 * size)
        if len(raw) < 4 * size:
            raise ValueError(f"{where} ends after {number} of {count} words; give the whole file")
        row = np.frombuffer(raw, dtype="<f4").astype(np.float32)
        if not np.isfinite(row).all():
            raise ValueError(f"{where}: word {number + 1} has a number that is not finite")
        rows.setdefault(word.decode("utf-8", "replace").strip("\n"), row)
    return Vectors(list(rows), np.stack(list(rows.values()))), count - len(rows)


def is_binary(head: bytes) -> bool:
    """Return whether a file begins like word2vec's binary format: two numbers, then no text."""
    first, end, rest = head.partition(b"\n")
    numbers = first.split()
    if not end or not _is_count_and_size(numbers):
        return False
    _, space, values = rest.partition(b" ")
    if not space or not values:
        return False
    sample = values[: 4 * int(numbers[1])]
    return any(byte < 9 or byte > 127 for byte in sample)


def _is_count_and_size(parts: Sequence[str] | Sequence[bytes]) -> bool:
    """Return whether the parts of a first line are word2vec's number of words and their size."""
    return len(parts) == 2 and all(part.isdigit() for part in parts)


def _word_and_numbers(
    parts: Sequence[str], size: int, size_is_stated: bool
) -> tuple[str, Floats] | None:
    """Return the word and the `size` numbers of a line, or None if it is something else."""
    # GloVe's words may hold spaces, so the numbers are the last parts
    place = len(parts) - size
    word, row = " ".join(parts[:place]), _numbers(parts[place:], size)
    if row is None or not word or (size_is_stated and _is_number(word)):
        return None
    return word, row


def _is_number(word: str) -> bool:
    """Return whether a word looks like one number too many: 0.25, not 7."""
    try:
        float(word.split(" ")[-1])
    except ValueError:
        return False
    return "." in word and " " in word


def _numbers(parts: Sequence[str], size: int) -> Floats | None:
    """Return `size` finite numbers, or None if the parts are something else."""
    try:
        row = np.array(parts, dtype=np.float32)
    except ValueError:
        return None
    return row if size >= 1 and len(row) == size and np.isfinite(row).all() else None


@lru_cache(maxsize=4)
def load(name: str, data: Path) -> Vectors:
    """Return vectors of the data folder; raise FileNotFoundError, which says how to add them."""
    folder = data / name
    if not name or not (folder / VALUES_FILE).is_file():
        raise FileNotFoundError(
            f"there are no vectors {name!r} in {data}; add them with: bench data add {name} FILE "
            "--vectors"
        )
    words: list[str] = json.loads((folder / WORDS_FILE).read_text(encoding="utf-8"))
    return Vectors(words, np.load(folder / VALUES_FILE, allow_pickle=False))


def digest(task_digest: str, variant: Mapping[str, Any], data: Path | None) -> str:
    """Return the digest of all data that a run learns from.

    It is the task's digest, and for pretrained embeddings that of the vectors too.
    """
    if variant.get("embedding_init") != "vectors":
        return task_digest
    return f"{task_digest}+{_vectors_digest(str(variant['vectors']), _folder(data))}"


@lru_cache(maxsize=16)
def _vectors_digest(name: str, data: Path) -> str:
    found = load(name, data)
    state = hashlib.blake2b("\0".join(found.words).encode(), digest_size=8)
    state.update(found.values_VE.tobytes())
    return state.hexdigest()


def check(variant: Mapping[str, Any], data: Path | None) -> None:
    """Check the word vectors that a variant starts from, if it starts from any.

    Raises:
        ValueError: Their size is not the variant's embedding size.
        FileNotFoundError: The data folder does not hold them.
    """
    if variant.get("embedding_init") == "vectors":
        name, wanted = str(variant["vectors"]), variant["embedding"]
        size = load(name, _folder(data)).values_VE.shape[1]
        if size != wanted:
            raise ValueError(
                f"the vectors {name!r} have {size} numbers a word, and embedding={wanted}; "
                f"give embedding={size}"
            )


def _folder(data: Path | None) -> Path:
    return data if data is not None else Path()
