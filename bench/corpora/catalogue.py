"""Fetches a known corpus, adds one of the user's own, and lists those on disk.

A corpus is a folder of its name. Parallel text is prepared once, into pairs.tsv: English,
Chinese and the attribution that its licence asks for, TAB between; simplified script, one way to
write punctuation and spaces, no pair twice. Tagged documents are kept as they came, in train.txt,
dev.txt and test.txt. about.json says where a corpus comes from and what was dropped. A folder
appears only when it is complete.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.corpora import preparation, vectors
from bench.corpora.download import fetch, sha256_of
from bench.corpora.given import about_files, files_in, held, lines_of
from bench.corpora.parallel import Given, Progress, add_parallel
from bench.corpora.places import splits_in
from bench.corpora.preparation import Prepared
from bench.corpora.publishing import remove_folder, scratch_folder
from bench.corpora.streamed import StreamOptions, add_streamed
from bench.corpora.tagged import add_tagged
from tasks.choices import at_least
from tasks.parallel.stored import UNDIVIDED
from tasks.sentence_pairs import ABOUT_FILE, check_name

__all__ = [
    "DOWNLOADS",
    "Download",
    "Given",
    "Prepared",
    "add",
    "add_tagged_files",
    "get",
    "listing",
    "remove",
]


@dataclass(frozen=True)
class Download:
    """A corpus that can be fetched: a zip archive, of which the one file `member` is read."""

    url: str
    sha256: str
    member: str
    licence: str


MANYTHINGS = re.compile(r"[a-z]{3}-eng")
"""Names of the archives of manythings.org: a language of ISO 639-3, and English."""
MANYTHINGS_URL = "https://www.manythings.org/anki/{name}.zip"
"""Address of such an archive."""
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
    if MANYTHINGS.fullmatch(name):
        return _get_manythings(name, folder, archive, sha256)
    if name not in DOWNLOADS:
        raise ValueError(
            f"{name!r} cannot be fetched, only {', '.join(DOWNLOADS)} and pairs of manythings.org "
            f"such as deu-eng; import another corpus with: bench data add {name} FILE"
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


def _get_manythings(name: str, folder: Path, archive: Path | None, sha256: str | None) -> Prepared:
    """Fetch a language pair of manythings.org, whose files change, and keep it as it is."""
    url = MANYTHINGS_URL.format(name=name)
    there = None if archive else _fetched_before(name, url, folder)
    if there is not None:
        if sha256 is not None:
            _check_hash(name, str(there.about.get("sha256")), sha256.lower())
        return there
    _check_new(name, folder)
    folder.mkdir(parents=True, exist_ok=True)
    file = preparation.existing(archive) if archive else folder / f"{name}.zip.part"
    if not archive:
        fetch(url, file, (sha256 or "").lower())
    if sha256 is not None:
        _check_hash(name, sha256_of(file), sha256.lower())
    given = Given({UNDIVIDED: [file]}, f"en-{name[:3]}")
    from_there = {"source": url, "licence": "CC BY 2.0 FR, tatoeba.org contributors in each line"}
    prepared = add_parallel(name, folder, given, about=from_there)
    if not archive:
        file.unlink()
    return prepared


def _fetched_before(name: str, url: str, folder: Path) -> Prepared | None:
    """Return the corpus of this name that was fetched from this place, if it is there."""
    return next(
        (
            there
            for there in listing(folder)
            if there.name == name and there.about.get("source") == url
        ),
        None,
    )


def add(
    name: str,
    files: Sequence[Path],
    folder: Path,
    given: Given | None = None,
    progress: Progress | None = None,
) -> Prepared:
    """Add parallel text of the user's own under a new name.

    Args:
        files: One file of columns, two files with equally many lines, or a folder with the files
            of each split; none if `given` has the files of splits.
        folder: The data folder.
        given: Files of splits, languages, and how files are read.

    Raises:
        ValueError: The name, a file or what was said of it is wrong.
        FileNotFoundError: A file does not exist.
    """
    return add_parallel(name, folder, _with_splits(name, files, folder, given), progress)


def add_tagged_files(
    name: str, files: Sequence[Path], folder: Path, given: Given | None = None, scheme: str = ""
) -> Prepared:
    """Add texts with marked phrases, of the user's own, under a new name.

    Args:
        files: Files of tokens and tags, or a folder with one for each split.
        given: Files of splits, and how they are read.
        scheme: The scheme of the tags, or "" for what they tell.

    Raises:
        ValueError: The name, a file or what was said of it is wrong.
        FileNotFoundError: A file does not exist.
    """
    return add_tagged(name, folder, _with_splits(name, files, folder, given), scheme)


def _with_splits(name: str, files: Sequence[Path], folder: Path, given: Given | None) -> Given:
    """Return what was given with the files of each split; errors as of the functions above."""
    _check_new(name, folder)
    for file in files:
        preparation.existing(file)
    given = given or Given({})
    if len(files) == 1 and files[0].is_dir():
        found, _ = splits_in(files[0])
        return replace(given, splits={**found, **given.splits})
    return replace(given, splits=_splits(files, given))


def _splits(files: Sequence[Path], given: Given) -> dict[str, Sequence[Path]]:
    """Return the files of each split; ValueError if they do not go together."""
    if any(file.is_dir() for file in files):
        raise ValueError("a folder was given with other files; give the folder alone")
    if files and "train" in given.splits:
        raise ValueError("files were given with and without --train; give training files once")
    splits = dict(given.splits)
    if files:
        splits = {"train" if splits else UNDIVIDED: files, **splits}
    if not ({"train", UNDIVIDED} & splits.keys()):
        raise ValueError("no training text was given; give FILES, a folder or --train FILE")
    return splits


def remove(name: str, folder: Path) -> None:
    """Remove a corpus or word vectors; FileNotFoundError if there are none of that name."""
    remove_folder(check_name(name), folder)


def add_streamed_files(
    name: str,
    files: Sequence[Path],
    folder: Path,
    given: Given | None = None,
    options: StreamOptions | None = None,
    progress: Progress | None = None,
) -> Prepared:
    """Import parallel text that is larger than memory, as one file of columns or two files.

    Raises:
        ValueError: The name, a setting or a file is wrong.
        FileNotFoundError: A file does not exist.
    """
    _check_new(name, folder)
    options, given = options or StreamOptions(), given or Given({})
    at_least("longest", options.longest, 1)
    at_least("symbols", options.symbols, 1)
    if not 1 <= len(files) <= 2 or given.splits or any(file.is_dir() for file in files):
        raise ValueError(
            "--streamed takes one file of source TAB target lines or two files with as many lines "
            "each, and draws valid and test itself"
        )
    for file in files:
        preparation.existing(file)
    given = replace(given, splits={UNDIVIDED: files})
    return add_streamed(name, folder, given, options, progress)


def add_vectors(name: str, file: Path, folder: Path) -> Prepared:
    """Import word vectors under a new name: text of word2vec or GloVe, or word2vec's binary form.

    Raises:
        ValueError: The name or the file is wrong.
        FileNotFoundError: The file does not exist.
    """
    _check_new(name, folder)
    with scratch_folder(name, folder) as scratch:
        one = held(file, scratch, 0)
        parts = files_in(one) if one.path.is_file() else []
        if len(parts) != 1:
            raise ValueError(f"{file} holds {len(parts)} files of vectors; give one")
        if vectors.is_binary(parts[0].head()):
            with parts[0].opened() as stream:
                found, repeated = vectors.parse_binary(stream, str(file))
        else:
            found, repeated = vectors.parse(lines_of(parts[0]), str(file))
        about = {**about_files([one]), "repeated": repeated}
        return preparation.write_vectors(name, folder, found, about)


def listing(folder: Path) -> list[Prepared]:
    """Return the corpora and word vectors in the data folder, sorted by name.

    One whose about.json is damaged has the key `damaged` in place of what it says.
    """
    found = []
    for file in sorted(folder.glob(f"[!.]*/{ABOUT_FILE}")):
        try:
            about = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            about = None
        if not isinstance(about, dict):
            about = {"damaged": f"{file} is damaged; remove its folder and add it again"}
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
            f"{name!r} is already in {folder}; choose another name, or remove it with: "
            f"bench data remove {name}"
        )
