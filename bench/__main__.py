"""`python -m bench`, and the `bench` command."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path


def main() -> None:
    """Make sure that our own packages are found, then hand over to the command line.

    `python -m` puts the working directory first on the path, where a user may well keep a
    tasks.py or a results folder of their own.
    """
    home = str(Path(__file__).resolve().parent.parent)
    unwanted = {"", home}
    with contextlib.suppress(FileNotFoundError):  # a working directory that was removed
        unwanted.add(str(Path.cwd()))
    sys.path[:] = [home, *(entry for entry in sys.path if entry not in unwanted)]

    from bench.cli.app import main

    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    main()
