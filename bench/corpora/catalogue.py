"""Fetches a known corpus, adds one of the user's own, and lists those on disk.

A corpus is a folder of its name. Parallel text is prepared once, into pairs.tsv: English,
Chinese and the attribution that its licence asks for, TAB between; simplified script, one way to
write punctuation and spaces, no pair twice. Tagged documents are kept as they came, in train.txt,
dev.txt and test.txt. about.json says where a corpus comes from and what was dropped. A folder
appears only when it is complete.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.corpora import preparation, vectors
from bench.corpora.download import fetch, sha256_of
from bench.corpora.preparation import Prepared
from bench.corpora.streamed import write_streamed
from tasks.choices import at_least, one_of
from tasks.sentence_pairs import ABOUT_FILE, check_name
from tasks.tagged import TAGGED_FILES

__all__ = ["DOWNLOADS", "Download", "Prepared", "add", "get", "listing"]


@dataclass(frozen=True)
class Download:
    """A corpus that can be fetched: a zip archive, of which the one file `member` is read."""

    url: str
    sha256: str
    member: str
    licence: str


DOWNLOADS: dict[str, Download] = {
    "tatoeba": Download(
        url="https://www.manythings.org/anki/cmn-eng.zip",
        # The archive of 2026-02-13, 32,028 pairs.
        sha256="d606361aa7312dcdfb15ef4fc51cb1e7ed8bc2dc608a7b192626cd36e8403106",
        member="cmn.txt",
        licence="CC BY 2.0 FR, attribution to tatoeba.org contributors in each line",
    )
}


def get(
    name: str, folder: Path, archive: Path | None = None, sha256: str | None = None
) -> Prepared:
    """Fetch a known corpus and prepare it, unless it is prepared already.

    Args:
        folder: The data folder, in which the corpus gets a folder of its own.
        archive: The archive, if it was downloaded already.
        sha256: The checksum of a newer archive that the user accepts.

    Raises:
        ValueError: The name, checksum or archive is wrong.
        FileNotFoundError: There is no such file, or the host cannot be reached.
    """
    if name not in DOWNLOADS:
        raise ValueError(
            f"{name!r} cannot be fetched, only {', '.join(DOWNLOADS)}; "
            f"import another corpus with: bench data add {name} FILE"
        )
    known = DOWNLOADS[name]
    expected = (sha256 or known.sha256).lower()
    ready = _ready(name, folder, expected)
    if archive is None and ready is not None:
        return ready
    simple = preparation.simplifier()  # raises before anything is downloaded
    file = preparation.existing(archive) if archive else folder / f"{name}.zip.part"
    if not archive:
        folder.mkdir(parents=True, exist_ok=True)
        fetch(known.url, file, expected)
    _check_hash(name, sha256_of(file), expected)
    content, day = preparation.member(file, known.member)
    rows = (line.split("\t") for line in preparation.lines(content, f"{known.member} in {file}"))
    about = {
        "source": known.url,
        "licence": known.licence,
        "sha256": expected,
        "date": day.isoformat(),
    }
    prepared = preparation.write_pairs(name, folder, rows, simple, about)
    if not archive:
        file.unlink()
    return prepared


def add(name: str, files: Sequence[Path], folder: Path) -> Prepared:
    """Import a corpus of the user's own under a new name.

    Args:
        files: One file of English TAB Chinese lines (an optional third column is the
            attribution), two files with equally many lines, English first, or one folder of
            tagged documents.
        folder: The data folder.

    Raises:
        ValueError: The name or the number of files is wrong, a text is not UTF-8, or no usable
            line is left.
        FileNotFoundError: A file does not exist.
    """
    _check_new(name, folder)
    for file in files:
        preparation.existing(file)
    about = _about(files)
    if len(files) == 1 and files[0].is_dir():
        return preparation.write_tagged(name, folder, files[0], about)
    if len(files) not in (1, 2) or any(file.is_dir() for file in files):
        raise ValueError(
            f"{len(files)} files or folders were given for the corpus {name!r}; give one file of "
            "English TAB Chinese lines, two files with as many lines each, or one folder of "
            f"{', '.join(TAGGED_FILES.values())}"
        )
    about["sha256"] = " ".join(map(sha256_of, files))
    return preparation.write_pairs(name, folder, _rows(files), preparation.simplifier(), about)


def add_streamed(
    name: str, file: Path, folder: Path, tokens: str, longest: int, symbols: int
) -> Prepared:
    """Import a corpus that is larger than memory, one file of English TAB Chinese lines.

    Args:
        tokens: Whether Chinese is cut into characters or words.
        longest: The largest number of symbols of a training sentence.
        symbols: The largest number of symbols in each vocabulary.

    Raises:
        ValueError: The name, a setting or the file is wrong.
        FileNotFoundError: The file does not exist.
    """
    _check_new(name, folder)
    one_of("tokens", tokens, ("characters", "words"))
    at_least("longest", longest, 1)
    at_least("symbols", symbols, 1)
    if not preparation.existing(file).is_file():
        raise ValueError(f"{file} is a folder; give one file of English TAB Chinese lines")
    about = {**_about([file]), "sha256": sha256_of(file)}
    simple = preparation.simplifier()
    return write_streamed(name, folder, file, simple, about, tokens, longest, symbols)


def add_vectors(name: str, file: Path, folder: Path) -> Prepared:
    """Import word vectors under a new name, from the text format of word2vec or GloVe.

    Raises:
        ValueError: The name or the file is wrong.
        FileNotFoundError: The file does not exist.
    """
    _check_new(name, folder)
    content = preparation.existing(file).read_bytes()
    found = vectors.parse(preparation.lines(content, str(file)), str(file))
    about = {**_about([file]), "sha256": sha256_of(file)}
    return preparation.write_vectors(name, folder, found, about)


def listing(folder: Path) -> list[Prepared]:
    """Return the corpora and word vectors in the data folder, sorted by name."""
    found = []
    for file in sorted(folder.glob(f"*/{ABOUT_FILE}")):
        try:
            about = dict(json.loads(file.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            raise ValueError(f"{file} is damaged; remove its folder and add it again") from None
        found.append(Prepared(file.parent.name, file.parent, about))
    return found


def _ready(name: str, folder: Path, sha256: str) -> Prepared | None:
    """Return the corpus if it was prepared from that archive by the present version."""
    wanted = {"sha256": sha256, "preparation": preparation.VERSION}
    for prepared in listing(folder):
        if prepared.name == name and wanted.items() <= prepared.about.items():
            return prepared
    return None


def _check_hash(name: str, found: str, expected: str) -> None:
    if found != expected:
        raise ValueError(
            f"the archive of {name} has the sha256 {found}, but {expected} was expected; if it "
            f"is a newer one that you trust, accept it with: --sha256 {found}"
        )


def _check_new(name: str, folder: Path) -> None:
    check_name(name)
    if name in DOWNLOADS:
        raise ValueError(f"{name!r} is fetched with: bench data get {name}; choose another name")
    if (folder / name).exists():
        raise ValueError(
            f"the corpus {name!r} is already in {folder}; choose another name, or remove it first"
        )


def _about(files: Sequence[Path]) -> dict[str, Any]:
    """Return what about.json says of files that are the user's own."""
    newest = max((file.stat().st_mtime for file in files), default=0.0)
    return {
        "source": ", ".join(file.name for file in files),
        "licence": "not stated",
        "date": datetime.fromtimestamp(newest, UTC).date().isoformat(),
    }


def _rows(files: Sequence[Path]) -> Iterable[Sequence[str]]:
    """Return rows of English and Chinese from one file of columns or two parallel files."""
    sides = [preparation.lines(file.read_bytes(), str(file)) for file in files]
    if len(sides) == 1:
        return [line.split("\t") for line in sides[0]]
    if len(sides[0]) != len(sides[1]):
        raise ValueError(
            f"{files[0]} has {len(sides[0])} lines and {files[1]} has {len(sides[1])}; "
            "give two files whose lines translate each other"
        )
    return list(zip(*sides, strict=True))
