"""Unpacks the files of a git revision into a temporary folder; the repository stays as it is."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.guard.processes import GuardError


class Revision:
    """A commit of the repository that a folder is in.

    Attributes:
        root: The repository's top folder.
        commit: The full hash of the commit.

    Raises:
        GuardError: The folder is in no repository, or the revision does not exist.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.root = root(folder)
        try:
            self.commit = _git(folder, "rev-parse", "--verify", f"{name}^{{commit}}").strip()
        except GuardError:
            raise GuardError(
                f"{name!r} is no revision of the repository in {self.root}, and no file; in a "
                "shallow clone fetch it first (git fetch --depth 1 origin REF)"
            ) from None

    @contextmanager
    def files(self) -> Iterator[Path]:
        """Yield a temporary folder that holds the files tracked at this commit."""
        archive = subprocess.run(
            ["git", "-C", str(self.root), "archive", "--format=tar", self.commit],
            capture_output=True,
            check=True,
        ).stdout
        with tempfile.TemporaryDirectory(prefix="bench-guard-") as name:
            folder = Path(name).resolve()
            with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
                tar.extractall(folder, filter="data")
            yield folder


def root(folder: Path) -> Path:
    """Return the top folder of the repository that a folder is in; GuardError if there is none."""
    return Path(_git(folder, "rev-parse", "--show-toplevel").strip()).resolve()


def _git(folder: Path, *arguments: str) -> str:
    """Return what a git command prints; raise GuardError with git's own message if it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
        )
    except FileNotFoundError:
        raise GuardError("comparing with a revision needs git; install it") from None
    except subprocess.CalledProcessError as error:
        message = error.stderr.strip().splitlines()
        raise GuardError(f"git says: {message[-1] if message else 'nothing'}") from None
    return done.stdout
