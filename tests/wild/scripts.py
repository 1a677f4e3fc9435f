"""Training scripts as strangers write them, sound ones and the same with a fault.

Each half (`building`, on which rules are made, and `held_out`) has folders of styles and a folder
`sound` of further scripts that learn. A style is a script that learns, `train.py`, with
replacements of its text: `faults.toml` holds slips that people made, `sound.toml` variations that
look like a fault and do no harm.

The folder `starting` has scripts with the faults of the documents from which the project started:
`NAME.py` is faulty, `causes.toml` says how, and the replacements in `sound.toml` make it learn.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
HALVES = ("building", "held_out")
STARTING = "starting"
LAST_LINE = "held-out score: "
"""What the last line of each script begins with; its score follows."""


@dataclass(frozen=True)
class WildScript:
    """A training script; `causes` has, for each fault in it, every name that names it rightly."""

    half: str
    style: str
    name: str
    text: str
    causes: tuple[tuple[str, ...], ...] = ()
    told: bool = False
    """Whether the fault is in the evaluation: the score printed is not the true one."""
    crashes: bool = False
    """Whether the script ends with an error, without a score."""

    @property
    def title(self) -> str:
        """Return the name by which scores and tables know the script."""
        return f"{self.style}/{self.name}"


def scripts(half: str) -> list[WildScript]:
    """Return all scripts of a half, each style's sound one before its variations."""
    return list(_scripts(half))


def _scripts(half: str) -> Iterator[WildScript]:
    if half == STARTING:
        yield from _starting()
        return
    for folder in sorted(path for path in (HERE / half).iterdir() if path.is_dir()):
        if folder.name == "sound":
            for path in sorted(folder.glob("*.py")):
                yield WildScript(half, "sound", path.stem, path.read_text("utf-8"))
        elif (folder / "train.py").exists():
            yield from _of_style(half, folder)


def _of_style(half: str, folder: Path) -> Iterator[WildScript]:
    text = (folder / "train.py").read_text("utf-8")
    yield WildScript(half, folder.name, "train", text)
    for file in ("sound.toml", "faults.toml"):
        for name, entry in _entries(folder / file).items():
            yield WildScript(
                half,
                folder.name,
                name,
                _replaced(text, entry["replace"], f"{folder.name}/{name}"),
                tuple(tuple(names) for names in entry.get("causes", ())),
                entry.get("told", False),
            )


def _starting() -> Iterator[WildScript]:
    """Yield each script of the starting documents: its sound twin `train`, then `faulty`."""
    folder = HERE / STARTING
    sound, faults = _entries(folder / "sound.toml"), _entries(folder / "causes.toml")
    for path in sorted(folder.glob("*.py")):
        name, text = path.stem, path.read_text("utf-8")
        twin = _replaced(text, sound[name]["replace"], f"{name}/train")
        yield WildScript(STARTING, name, "train", twin)
        yield WildScript(
            STARTING,
            name,
            "faulty",
            text,
            tuple(tuple(names) for names in faults[name]["causes"]),
            crashes=faults[name].get("crashes", False),
        )


def _entries(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8")) if path.exists() else {}


def _replaced(text: str, pairs: list[list[str]], title: str) -> str:
    """Replace each old text, which must occur once, by its new one.

    Raises:
        ValueError: an old text does not occur, or more than once.
    """
    for old, new in pairs:
        if text.count(old) != 1:
            raise ValueError(f"{title}: {old!r} occurs {text.count(old)} times; it must occur once")
        text = text.replace(old, new)
    return text


def scores(half: str) -> dict[tuple[str, int], float]:
    """Return the scores recorded in `scores.tsv`, by title and seed."""
    path = HERE / half / "scores.tsv"
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return {(row["script"], int(row["seed"])): float(row["score"]) for row in rows}
