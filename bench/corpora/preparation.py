"""How text that came from outside becomes a corpus: read strictly, cleaned, put in place whole."""

from __future__ import annotations

import io
import json
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from bench.corpora.vectors import VALUES_FILE, WORDS_FILE, Vectors
from tasks.sentence_pairs import PAIRS_FILE
from tasks.sentences import normalise_chinese, normalise_english

VERSION = 1
"""Raised when the same text would be prepared differently."""
ABOUT_FILE = "about.json"
TAGGED_FILES = ("train.txt", "dev.txt", "test.txt")
LARGEST_MEMBER_BYTES = 200_000_000
DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, NotImplementedError)
"""What comes of an archive that is not whole."""


@dataclass(frozen=True)
class Prepared:
    """A corpus that is ready. about: plain values, as in its about.json."""

    name: str
    folder: Path
    about: dict[str, Any]


@dataclass(frozen=True)
class Simplifier:
    """Traditional to simplified script; version: of OpenCC, whose dictionaries change."""

    convert: Callable[[str], str]
    version: str


def simplifier() -> Simplifier:
    """OpenCC's t2s; ValueError where OpenCC is missing."""
    try:
        import opencc
    except ImportError:
        raise ValueError(
            "preparing Chinese text needs OpenCC; install it with: pip install 'seq2seq-bench[zh]'"
        ) from None
    return Simplifier(opencc.OpenCC("t2s").convert, opencc.__version__)


def existing(file: Path) -> Path:
    """Give a path back that is there; FileNotFoundError otherwise."""
    if not file.exists():
        raise FileNotFoundError(f"{file} does not exist; give a file that does")
    return file


def lines(content: bytes, where: str) -> list[str]:
    """Lines of UTF-8 text; ValueError for another encoding."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{where} is not UTF-8: byte {error.start} is 0x{content[error.start]:02x}; "
            "save it as UTF-8"
        ) from None
    # splitlines() would also part at characters that stand inside sentences.
    parts = text.split("\n")
    return parts[:-1] if parts[-1] == "" else parts


def member(archive: Path, name: str) -> tuple[bytes, date]:
    """One file of a zip archive and its date; nothing is unpacked to disk.

    ValueError for an archive that is damaged, encrypted, lacks the file, or holds too much.
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
                # What comes is counted, for the size that the archive states may be untrue.
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
    """Clean rows of English, Chinese and perhaps attribution, and put the corpus in place."""
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


def write_tagged(name: str, folder: Path, source: Path, about: dict[str, Any]) -> Prepared:
    """Put a folder of tagged documents in place, its files as they are."""
    contents = {file: existing(source / file).read_bytes() for file in TAGGED_FILES}
    for file, content in contents.items():
        lines(content, str(source / file))  # refuses another encoding
    about = {"name": name, "kind": "tagged", **about, "preparation": VERSION}
    return _publish(name, folder, contents, about)


def write_vectors(name: str, folder: Path, found: Vectors, about: dict[str, Any]) -> Prepared:
    """Put word vectors in place."""
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
    """Normalised pairs with their attribution, in order, and how many rows were dropped."""
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
    """Write the corpus beside its place, then move it there whole; an older one goes."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / name
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}-") as scratch:
        fresh = Path(scratch) / "fresh"  # not scratch itself, which only its owner may read
        fresh.mkdir()
        for file, content in files.items():
            (fresh / file).write_bytes(content)
        text = json.dumps(about, ensure_ascii=False, indent=2) + "\n"
        (fresh / ABOUT_FILE).write_text(text, encoding="utf-8")
        if place.exists():
            shutil.move(place, Path(scratch) / "older")
        fresh.replace(place)
    return Prepared(name, place, about)
