"""Opens the files that a person gives: compressed or not, from a pipe, in any encoding.

A file is known by its first bytes, not by its name. A pipe is copied once, so that it can be
hashed and read. Lines end at a line feed, with or without a carriage return; in a file without
line feeds they end at carriage returns.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import hashlib
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path, PurePosixPath
from typing import IO, Any

from bench.corpora.download import sha256_of
from bench.corpora.preparation import DAMAGED

HEAD_BYTES = 1 << 16
"""Number of bytes from which the form of a file is told."""
COMPRESSED_SUFFIXES = (".gz", ".bz2", ".xz", ".lzma", ".zip")
_OPENERS: tuple[tuple[bytes, Callable[[Path], Any]], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\x00", lzma.open),
)
_ZSTANDARD = b"\x28\xb5\x2f\xfd"
_BOMS = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_NO_TEXT = re.compile(
    r"(^|/)([._].*|__MACOSX|readme.*|licen[sc]e.*)(/|$)|\.(xml|md|html|pdf)$", re.I
)
BROKEN = (*DAMAGED, lzma.LZMAError, gzip.BadGzipFile)


@dataclass(frozen=True)
class GivenFile:
    """A file, or a member of an archive, that can be opened again and again.

    label: what errors call it. name: its name without folders and compression.
    """

    label: str
    name: str
    opens: Callable[[], IO[bytes]]

    @property
    def suffix(self) -> str:
        """The last ending of the name, in lower case, without its dot."""
        return PurePosixPath(self.name).suffix.lower().removeprefix(".")

    @property
    def stem(self) -> str:
        """The name without its last ending."""
        return PurePosixPath(self.name).stem

    def head(self) -> bytes:
        """Return the first bytes."""
        with self.opened() as stream:
            return stream.read(HEAD_BYTES)

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """Open the file for reading; ValueError if its compression is damaged."""
        try:
            with self.opens() as stream:
                yield stream
        except BROKEN as error:
            if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
                raise
            raise ValueError(
                f"{self.label} is damaged or cut off ({error}); give a whole file"
            ) from None
        except zlib.error as error:
            raise ValueError(
                f"{self.label} is damaged or cut off ({error}); give a whole file"
            ) from None


@dataclass(frozen=True)
class Held:
    """A path that a person gave, where it can be read more than once.

    path: where it is read. given: what the person called it. sha256: of its bytes.
    """

    path: Path
    given: Path
    sha256: str


def held(given: Path, scratch: Path, number: int) -> Held:
    """Return a path for reading, a pipe copied into the scratch folder.

    Raises FileNotFoundError if it does not exist.
    """
    if not given.exists():
        raise FileNotFoundError(f"{given} does not exist; give a file that does")
    if given.is_file():
        return Held(given, given, sha256_of(given))
    if given.is_dir():
        return Held(given, given, "")
    copy = scratch / f"pipe-{number}"
    state = hashlib.sha256()
    with given.open("rb") as pipe, copy.open("wb") as file:
        while chunk := pipe.read(HEAD_BYTES):
            state.update(chunk)
            file.write(chunk)
    if not copy.stat().st_size:
        raise ValueError(f"{given} gives nothing; give a file or a pipe with text")
    return Held(copy, given, state.hexdigest())


def held_splits(splits: Mapping[str, Sequence[Path]], scratch: Path) -> dict[str, list[Held]]:
    """Return the paths of each split for reading, pipes copied into the scratch folder."""
    number = count()
    return {
        split: [held(path, scratch, next(number)) for path in files]
        for split, files in splits.items()
    }


def files_in(one: Held) -> list[GivenFile]:
    """Return the files that a path holds: itself, or the text files of a zip archive."""
    with one.path.open("rb") as stream:
        start = stream.read(8)
    if start.startswith(b"PK\x03\x04"):
        return _members(one)
    if start.startswith(_ZSTANDARD):
        raise ValueError(f"{one.given} is compressed by zstd; unpack it first, with: unzstd")
    opens = next((how for magic, how in _OPENERS if start.startswith(magic)), None)
    name = one.given.name
    for suffix in COMPRESSED_SUFFIXES:
        name = name.removesuffix(suffix)
    path = one.path
    if opens is None:
        return [GivenFile(str(one.given), name, lambda: path.open("rb"))]
    return [GivenFile(str(one.given), name, partial(opens, path))]


def _members(one: Held) -> list[GivenFile]:
    """Return the text files of a zip archive, without those that only describe it."""
    entries = _entries(one)
    texts = [entry for entry in entries if not _NO_TEXT.search(entry.filename)]
    if not texts:
        held_names = ", ".join(entry.filename for entry in entries[:5]) or "nothing"
        raise ValueError(f"{one.given} holds no text, but {held_names}; give another archive")
    if any(entry.flag_bits & 1 for entry in texts):
        raise ValueError(f"{one.given} is encrypted; give an archive that is not")
    return [
        GivenFile(
            f"{entry.filename} in {one.given}",
            PurePosixPath(entry.filename).name,
            partial(_Member, one.path, entry.filename),
        )
        for entry in texts
    ]


def _entries(one: Held) -> list[zipfile.ZipInfo]:
    """Return the entries of a zip archive that are files."""
    try:
        with zipfile.ZipFile(one.path) as archive:
            return [entry for entry in archive.infolist() if not entry.is_dir()]
    except BROKEN as error:
        raise ValueError(f"{one.given} is no whole zip archive ({error}); give another") from None


class _Member(io.BufferedReader):
    """A member of a zip archive that closes its archive when it is closed."""

    def __init__(self, archive: Path, name: str) -> None:
        self._archive = zipfile.ZipFile(archive)
        super().__init__(self._archive.open(name))  # type: ignore[arg-type]

    def close(self) -> None:
        super().close()
        self._archive.close()


def lines_of(file: GivenFile, encoding: str = "utf-8") -> Iterator[str]:
    """Yield the lines of a text, without their ends and without byte order marks.

    Raises ValueError, which names the place, for a text that is not in that encoding.
    """
    head = file.head()
    marked = next((name for bom, name in _BOMS if head.startswith(bom)), None)
    old_ends = b"\n" not in head and b"\r" in head
    if marked or old_ends or encoding.lower() not in ("utf-8", "utf8"):
        yield from _decoded(file, marked or encoding)
        return
    place = 0
    with file.opened() as stream:
        for raw in stream:
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                raise not_in_encoding(file, place + error.start, raw[error.start]) from None
            place += len(raw)
            yield line.removesuffix("\n").removesuffix("\r").removeprefix("\ufeff")


def _decoded(file: GivenFile, encoding: str) -> Iterator[str]:
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise ValueError(
            f"the encoding {encoding!r} does not exist; give one such as utf-8, gb18030 or cp1252"
        ) from None
    with file.opened() as stream:
        text = io.TextIOWrapper(stream, encoding=encoding, newline=None)
        try:
            for line in text:
                yield line.removesuffix("\n").removeprefix("\ufeff")
        except UnicodeError as error:
            place = getattr(error, "start", 0)
            raise ValueError(
                f"{file.label} is not in {encoding} (byte {place} of a block); give its encoding "
                "with: --encoding NAME"
            ) from None


def not_in_encoding(file: GivenFile, place: int, byte: int) -> ValueError:
    """Return the error for a byte that is no UTF-8, with the encoding that the text looks like."""
    like = _looks_like(file.head())
    hint = f", or if it is {like}, read it with: --encoding {like}" if like else ""
    return ValueError(
        f"{file.label} is not UTF-8: byte {place} is 0x{byte:02x}; save it as UTF-8{hint}"
    )


def _looks_like(head: bytes) -> str:
    """Return the encoding that `charset_normalizer` finds for some bytes, or ""."""
    from charset_normalizer import from_bytes

    found = from_bytes(head[:20_000]).best()
    name = "" if found is None else found.encoding
    return (
        ""
        if name in ("utf_8", "ascii")
        else {"gb2312": "gb18030", "gbk": "gb18030"}.get(name, name)
    )


def _shown_name(one: Held) -> str:
    """Return a path's last name; a pipe has only a number."""
    if one.path != one.given:
        return "a pipe"
    return one.given.name or str(one.given)


def about_files(files: Sequence[Held]) -> dict[str, Any]:
    """Return what about.json says of files that are a person's own."""
    from datetime import UTC, datetime

    newest = max((one.path.stat().st_mtime for one in files), default=0.0)
    return {
        "source": ", ".join(_shown_name(one) for one in files),
        "licence": "not stated",
        "date": datetime.fromtimestamp(newest, UTC).date().isoformat(),
        "sha256": " ".join(one.sha256 for one in files if one.sha256),
    }
