"""Keeps the outputs of runs: a packed file for each, beside the journals.

    outputs/ID-DIGEST.xz

The digest is that of the content, and the run's record names it. A file is complete before the
record that names it is written, and stays until no record names it: whenever a driver is killed,
each outcome has the outputs that belong to it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from results.files import read_regular, regular_files
from results.packing import digest, pack, unpack
from results.record import Record


class OutputFiles:
    """Holds the files of outputs of a store; only the driver writes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, record: Record) -> Path | None:
        """Return the path of a run's outputs; None for a record that has none."""
        named = record.outcome.get("outputs")
        return None if named is None else self.folder / f"{record.id}-{_plain(named)}.xz"

    def of(self, run: str) -> Iterator[Path]:
        """Yield the files of a run, of its present outcome and of others."""
        return iter(regular_files(self.folder, f"{run}-*.xz"))

    def keep(self, run: str, content: bytes) -> None:
        """Write the outputs of a run as a complete file that survives a power cut.

        content: unpacked.
        """
        path = self.folder / f"{run}-{digest(content)}.xz"
        self.folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(pack(content))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)

    def read(self, record: Record) -> bytes:
        """Return the outputs of a run, unpacked.

        Raises:
            FileNotFoundError: The record names none, or its file is gone.
            ValueError: The file is damaged, or another run's.
        """
        path = self.path(record)
        if path is None:
            raise FileNotFoundError(f"run {record.id} has no outputs")
        content = unpack(read_regular(path))
        if digest(content) != record.outcome["outputs"]:
            raise ValueError(f"{path} does not hold what its name says")
        return content

    def problem(self, record: Record) -> str:
        """Return what is wrong with the outputs of a run; "" if nothing is."""
        try:
            if self.path(record) is not None:
                self.read(record)
        except ValueError:
            return "its outputs are damaged"
        except OSError:
            return "its outputs are gone"
        return ""

    def tidy(self, named: Mapping[str, str | None]) -> None:
        """Delete the files that no record names, of runs that were killed or done again.

        named: for each run, the digest of its outputs; "" if it has none, None if that is unknown.
        """
        for path in regular_files(self.folder, "*.xz"):
            run, _, found = path.stem.partition("-")
            if named.get(run, "") not in (None, found):
                path.unlink(missing_ok=True)


def _plain(named: object) -> str:
    """Return a digest as part of a file's name, whatever a record from outside says it is."""
    text = str(named)
    return text if text.isalnum() else "none"
