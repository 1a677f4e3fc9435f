"""Publishes a corpus whole or not at all, and clears what a killed process left behind.

A corpus is written into a folder of its own next to the others, named .NAME-..., and moved to its
name at the end. Its writer holds a lock on that folder for as long as it lives, so a folder whose
lock is free is a leftover.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tasks.parallel.stored import files_of
from tasks.sentence_pairs import ABOUT_FILE

LOCK_FILE = "lock"
"""File in a scratch folder that its writer has locked."""
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)


@contextmanager
def scratch_folder(name: str, folder: Path) -> Iterator[Path]:
    """Yield an empty folder that is removed at the end, after clearing leftovers of earlier ones.

    Raises FileNotFoundError if the data folder cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clear_leftovers(folder)
    scratch = Path(tempfile.mkdtemp(dir=folder, prefix=f".{name}-"))
    lock = os.open(scratch / LOCK_FILE, os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        os.close(lock)


def clear_leftovers(folder: Path) -> None:
    """Remove scratch folders whose writer is no longer there."""
    for scratch in folder.glob(".*-*"):
        try:
            lock = os.open(scratch / LOCK_FILE, os.O_RDWR)
        except OSError:
            continue  # not a scratch folder, or made this moment
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(scratch, ignore_errors=True)
        except BlockingIOError:
            pass  # its writer lives
        finally:
            os.close(lock)


@contextmanager
def published(name: str, folder: Path, replace: bool = False) -> Iterator[Path]:
    """Yield an empty folder to write to, and move it to `folder / name` at the end.

    If the block raises, nothing is left behind. Files next to the yielded folder, in its parent,
    are temporary.

    Args:
        replace: An older corpus of that name gives way; it stays until the new one is whole.

    Raises:
        ValueError: Somebody else added a corpus of that name meanwhile.
    """
    with scratch_folder(name, folder) as scratch:
        fresh = scratch / "fresh"
        fresh.mkdir()
        yield fresh
        place = folder / name
        if replace and place.exists():
            shutil.move(place, scratch / "older")
        try:
            fresh.rename(place)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            raise ValueError(
                f"the corpus {name!r} was added by somebody else meanwhile; choose another name, "
                f"or remove it with: bench data remove {name}"
            ) from None


def write_about_whole(folder: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Write about.json with the hash of every file in the folder, and return what it says."""
    files = sorted(file.name for file in folder.iterdir() if file.is_file())
    about = {**about, "files": files_of(folder, files)}
    text = json.dumps(about, ensure_ascii=False, indent=2) + "\n"
    (folder / ABOUT_FILE).write_text(text, encoding="utf-8")
    return about


def remove_folder(name: str, folder: Path) -> None:
    """Remove a corpus; one moment it is there whole, the next it is not.

    Raises FileNotFoundError if there is none of that name.
    """
    place = folder / name
    if not place.is_dir():
        raise FileNotFoundError(f"there is no corpus {name!r} in {folder}; see: bench data list")
    with scratch_folder(name, folder) as scratch, suppress(FileNotFoundError):
        place.rename(scratch / "removed")
