"""Prepares corpora from any text: reads it strictly, cleans it, and publishes a folder."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from bench.corpora.publishing import published, write_about_whole
from bench.corpora.vectors import VALUES_FILE, WORDS_FILE, Vectors
from tasks.sentence_pairs import PAIRS_FILE
from tasks.sentences import normalise_chinese, normalise_english

VERSION = 1
"""Version of the preparation: increased when the same text would give another corpus."""
LARGEST_MEMBER_BYTES = 200_000_000
DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, NotImplementedError)
"""Errors that reading a damaged archive can raise."""


@dataclass(frozen=True)
class Prepared:
    """A prepared corpus with its folder and the content of its about.json."""

    name: str
    folder: Path
    about: dict[str, Any]


@dataclass(frozen=True)
class Simplifier:
    """Converts traditional to simplified script; OpenCC's version says by which dictionaries."""

    convert: Callable[[str], str]
    version: str


def simplifier() -> Simplifier:
    """Return OpenCC's converter t2s; raise ValueError if OpenCC is not installed."""
    try:
        import opencc
    except ImportError:
        raise ValueError(
            "preparing Chinese text needs OpenCC; install it with: pip install 'seq2seq-bench[zh]'"
        ) from None
    return Simplifier(opencc.OpenCC("t2s").convert, opencc.__version__)


def existing(file: Path) -> Path:
    """Return the path of a file or folder; raise FileNotFoundError if it does not exist."""
    if not file.exists():
        raise FileNotFoundError(f"{file} does not exist; give a file that does")
    return file


def lines(content: bytes, where: str) -> list[str]:
    """Return the lines of a text; raise ValueError, which names `where`, if it is not UTF-8."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{where} is not UTF-8: byte {error.start} is 0x{content[error.start]:02x}; "
            "save it as UTF-8"
        ) from None
    # splitlines() would also split at characters that stand inside sentences
    parts = text.split("\n")
    return parts[:-1] if parts[-1] == "" else parts


def member(archive: Path, name: str) -> tuple[bytes, date]:
    """Return the content and date of one file in a zip archive, without unpacking it to disk.

    Raises:
        ValueError: The archive is damaged or encrypted, lacks the file, or unpacks to too much.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            if name not in opened.namelist():
                held = ", ".join(opened.namelist()[:5]) or "nothing"
                raise ValueError(f"{archive} has no {name}, it holds {held}; give another archive")
            entry = opened.getinfo(name)
            if entry.flag_bits & 1:
                raise ValueError(f"{name} in {archive} is encrypted; give one that is not")
            with opened.open(entry) as stream:
                # the size that an archive states may be false, so the bytes are counted
                content = stream.read(LARGEST_MEMBER_BYTES + 1)
            day = _day(entry.date_time)
    except DAMAGED as error:
        raise ValueError(
            f"{archive} is not a whole zip archive ({error}); download it again"
        ) from None
    if len(content) > LARGEST_MEMBER_BYTES:
        raise ValueError(
            f"{name} in {archive} unpacks to more than the {LARGEST_MEMBER_BYTES} bytes that are "
            "allowed; give another archive"
        )
    return content, day


def _day(moment: tuple[int, ...]) -> date:
    try:
        return date(*moment[:3])
    except ValueError as error:
        raise zipfile.BadZipFile(str(error)) from None


def write_pairs(
    name: str,
    folder: Path,
    rows: Iterable[Sequence[str]],
    simple: Simplifier,
    about: dict[str, Any],
) -> Prepared:
    """Clean rows of English, Chinese and an optional attribution, and publish them as a corpus.

    Raises:
        ValueError: No row is left after cleaning.
    """
    kept, dropped = _clean(rows, simple)
    if not kept:
        raise ValueError(
            f"no line given for the corpus {name!r} holds English TAB Chinese; "
            "give lines of that form"
        )
    about = {
        "name": name,
        "kind": "pairs",
        **about,
        "pairs": len(kept),
        "dropped": dropped,
        "script": "simplified",
        "opencc": simple.version,
        "preparation": VERSION,
    }
    text = "".join("\t".join((*pair, attribution)) + "\n" for pair, attribution in kept.items())
    return _publish(name, folder, {PAIRS_FILE: text.encode()}, about)


def write_vectors(name: str, folder: Path, found: Vectors, about: dict[str, Any]) -> Prepared:
    """Publish word vectors under a name."""
    values = io.BytesIO()
    np.save(values, found.values_VE, allow_pickle=False)
    count, size = found.values_VE.shape
    about = {"name": name, "kind": "vectors", **about, "words": count, "size": size}
    files = {
        WORDS_FILE: json.dumps(found.words, ensure_ascii=False).encode(),
        VALUES_FILE: values.getvalue(),
    }
    return _publish(name, folder, files, {**about, "preparation": VERSION})


def _clean(
    rows: Iterable[Sequence[str]], simple: Simplifier
) -> tuple[dict[tuple[str, str], str], dict[str, int]]:
    """Return normalised pairs with their attribution, in order, and the numbers of dropped rows."""
    kept: dict[tuple[str, str], str] = {}
    dropped = {"empty": 0, "duplicate": 0}
    for row in rows:
        english, chinese, attribution = (*row, "", "")[:3]
        pair = normalise_english(english), simple.convert(normalise_chinese(chinese))
        if not all(pair):
            dropped["empty"] += 1
        elif pair in kept:
            dropped["duplicate"] += 1
        else:
            kept[pair] = " ".join(attribution.split())
    return kept, dropped


def _publish(name: str, folder: Path, files: dict[str, bytes], about: dict[str, Any]) -> Prepared:
    """Write a corpus from the contents of its files; an older one of its name gives way."""
    with published(name, folder, replace=True) as fresh:
        for file, content in files.items():
            (fresh / file).write_bytes(content)
        about = write_about_whole(fresh, about)
    return Prepared(name, folder / name, about)
