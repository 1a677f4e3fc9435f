"""Starts the command line, as `python -m bench` or as the command `bench`."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path


def main() -> None:
    """Run the command line on the arguments of this process, and exit with its code.

    `python -m` puts the working directory first on the path, where a user may well keep a
    tasks.py or a results folder of their own, so this project's folder is put before it.
    """
    home = str(Path(__file__).resolve().parent.parent)
    unwanted = {"", home}
    with contextlib.suppress(FileNotFoundError):  # a working directory that was removed
        unwanted.add(str(Path.cwd()))
    sys.path[:] = [home, *(entry for entry in sys.path if entry not in unwanted)]

    try:
        from bench.collection import search_seldom

        search_seldom()  # until models are run
        from bench.cli.app import main

        code = main(sys.argv[1:])
    except KeyboardInterrupt:  # while verbs are imported and options read
        print("bench: stopped by Ctrl-C", file=sys.stderr)
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
