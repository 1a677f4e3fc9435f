"""Word vectors in files, and as bench data keeps them. Loads no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
WORDS_FILE, VALUES_FILE = "words.json", "vectors.npy"


class Vectors(NamedTuple):
    """words: one a row of values_VE."""

    words: list[str]
    values_VE: Floats


def parse(lines: Iterable[str], where: str) -> Vectors:
    """The text format of word2vec, whose first line says `words size`, or of GloVe, which has
    none: a word and its numbers a line, spaces between.

    A word that stands twice counts once. ValueError names the line that will not do.
    """
    words: dict[str, int] = {}
    rows: list[Floats] = []
    size = 0
    for number, line in enumerate(lines, start=1):
        parts = line.rstrip().split(" ")
        if number == 1 and len(parts) == 2 and all(part.isdigit() for part in parts):
            size = int(parts[1])
            continue
        size = size or len(parts) - 1
        # GloVe's words may hold spaces, so the numbers are the last ones
        word = " ".join(parts[: len(parts) - size])
        try:
            row = np.array(parts[len(parts) - size :], dtype=np.float32)
        except ValueError:
            row = np.zeros(0, dtype=np.float32)
        if size < 1 or not word or len(row) != size or not np.isfinite(row).all():
            raise ValueError(
                f"{where}, line {number} is not a word and {max(size, 1)} numbers; give the text "
                "format of word2vec or GloVe"
            )
        if word not in words:
            words[word] = len(rows)
            rows.append(row)
    if not rows:
        raise ValueError(f"{where} holds no vectors; give the text format of word2vec or GloVe")
    return Vectors(list(words), np.stack(rows))


@lru_cache(maxsize=4)
def load(name: str, data: Path) -> Vectors:
    """Vectors that bench data holds; FileNotFoundError says how to add them."""
    folder = data / name
    if not name or not (folder / VALUES_FILE).is_file():
        raise FileNotFoundError(
            f"there are no vectors {name!r} in {data}; add them with: bench data add {name} FILE "
            "--vectors"
        )
    words: list[str] = json.loads((folder / WORDS_FILE).read_text(encoding="utf-8"))
    return Vectors(words, np.load(folder / VALUES_FILE, allow_pickle=False))


def digest(task_digest: str, variant: Mapping[str, Any], data: Path | None) -> str:
    """Of all data that a run learns from: its task's, and the vectors that it starts from."""
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
    """ValueError or FileNotFoundError where a variant asks for vectors that will not do."""
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
