"""Proves that the pages for readers are true: links, paths, commands and options exist.

It also proves that the README stays short and names every package and every page.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

import tasks
from bench.cli.app import app
from bench.doctor.faults import FAULTS
from bench.plan import claim_file

ROOT = Path(__file__).parents[1]
ROOMS = ("bench", "results", "tasks", "variants")
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *DOCS]
CURRENT = [page for page in PAGES if page.name != "CHANGELOG.md"]
"""Pages that describe the present code; the change log also names what is gone."""
MOST_LINES = 150
MOST_WORDS = 2000

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
every_current_page = pytest.mark.parametrize("page", CURRENT, ids=lambda page: page.name)


def code(text: str) -> Iterator[str]:
    """Yield what stands in code: lines of blocks, and spans (which may run over a line's end)."""
    for block in re.findall(r"^\s*```[^\n]*\n(.*?)^\s*```", text, re.S | re.M):
        yield from re.sub(r"\\\n\s*", "", block).splitlines()
    prose = re.sub(r"^\s*```.*?^\s*```", "", text, flags=re.S | re.M)
    for span in re.findall(r"`([^`]+)`", prose):
        yield " ".join(span.split())


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each `bench VERB ...` that stands in code."""
    for line in code(text):
        words = line.partition("#")[0].partition("|")[0].split()
        if "bench" in words and words[-1] != "bench":
            rest = words[words.index("bench") + 1 :]
            if re.fullmatch(r"[a-z]+", rest[0]):
                yield rest


def options(words: list[str]) -> set[str]:
    """Return the options of the command that `words` begin with; KeyError if there is none."""
    command: Any = typer.main.get_command(app)
    for word in words:
        if not isinstance(command, TyperGroup):
            break
        command = command.commands[word.rstrip(",;")]
    return {name for option in command.params for name in (*option.opts, *option.secondary_opts)}


def test_the_readme_is_short() -> None:
    text = README.read_text("utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    assert len(text.split()) < MOST_WORDS


def test_the_readme_names_every_page() -> None:
    text = README.read_text("utf-8")
    missing = [page.name for page in DOCS if f"](docs/{page.name})" not in text]
    assert not missing, f"README's list of pages lacks {missing}"


def test_the_readme_maps_every_package() -> None:
    text = README.read_text("utf-8")
    packages = [
        path.parent.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("__init__.py"))
    ]
    # packages of packages (a folder of rules, say) are described where they are
    missing = [name for name in packages if name.count("/") < 2 and f"]({name})" not in text]
    assert not missing, f"README's map lacks {missing}"


def test_every_picture_is_shown() -> None:
    shown = "".join(page.read_text("utf-8") for page in PAGES)
    pictures = [path.name for path in (ROOT / "docs").iterdir() if path.suffix != ".md"]
    assert not [name for name in pictures if f"({name})" not in shown]


ROWS = [
    ("tasks.md", [entry.name for entry in tasks.TASKS]),
    ("matrices.md", sorted(path.stem for path in (ROOT / "bench" / "matrices").glob("*.toml"))),
    ("claims.md", claim_file.names()),
    ("doctor.md", list(FAULTS)),
]


@pytest.mark.parametrize(("page", "names"), ROWS, ids=[page for page, _ in ROWS])
def test_everything_that_comes_with_the_suite_is_described(page: str, names: list[str]) -> None:
    """A task, matrix, claim or fault begins a row of a table, or a sentence, of its page."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    missing = [name for name in names if not re.search(rf"^(\| )?`?{name}(?![\w-])", text, re.M)]
    assert not missing, f"docs/{page} does not describe {missing}"


def test_the_chinese_page_names_causes_that_the_doctor_knows() -> None:
    """Each name in the last column of its first table stands as a string in the doctor's rules."""
    text = (ROOT / "docs" / "zh.md").read_text("utf-8")
    rules = "".join(p.read_text("utf-8") for p in (ROOT / "results" / "doctor").rglob("*.py"))
    rows = [line for line in text.splitlines() if line.startswith("| [")]
    named = {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)}
    assert len(rows) == 7
    assert not {name for name in named if f'"{name}"' not in rules}


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


@every_current_page
def test_paths_exist(page: Path) -> None:
    named = re.findall(rf"\b(?:{'|'.join(ROOMS)}|tests|docs)/[\w./*-]+", page.read_text("utf-8"))
    paths = {name.rstrip("./") for name in named if "NAME" not in name}
    missing = [name for name in sorted(paths) if not any(ROOT.glob(name))]
    assert not missing


@every_current_page
def test_modules_and_their_names_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    for module in re.findall(r"python -m ((?:bench|tests)\.[\w.]+)", text):
        place = ROOT / module.replace(".", "/")
        assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), module
    for span in code(text):
        for dotted in re.findall(rf"(?<![\w./-])(?:{'|'.join(ROOMS)})(?:\.[A-Za-z_]\w*)+", span):
            if not dotted.endswith((".py", ".toml", ".md")):
                assert_importable(dotted)


def assert_importable(dotted: str) -> None:
    """Assert that `package.module`, or a name in it, or a name of that one, can be had."""
    try:
        import_module(dotted)
    except ModuleNotFoundError:
        parent, _, name = dotted.rpartition(".")
        try:
            owner = import_module(parent)
        except ModuleNotFoundError:  # something that a package offers by another name
            package, _, offered = parent.rpartition(".")
            owner = getattr(import_module(package), offered)
        assert hasattr(owner, name), f"{dotted} does not exist"


@every_current_page
def test_commands_exist(page: Path) -> None:
    for words in commands(page.read_text("utf-8")):
        asked = {word.partition("=")[0] for word in words if word.startswith("--")}
        unknown = asked - options(words)
        assert not unknown, f"bench {' '.join(words)}: there is no {', '.join(unknown)}"


def test_documents_are_named_by_what_they_are() -> None:
    """The documents that the project started from have no numbers that a reader could look up."""
    kinds = (".py", ".toml")
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*") if path.suffix in kinds]
    numbered = [
        path.name
        for path in (*CURRENT, *files)
        if re.search(r"\bsource 0\d\d\b", path.read_text("utf-8"))
    ]
    assert not numbered


def test_what_is_installed_holds_no_test_and_no_picture() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    patterns = settings["packages"]["find"]["include"]
    folders = [path.name for path in ROOT.iterdir() if path.is_dir()]
    installed = {name for name in folders if any(fnmatch(name, pattern) for pattern in patterns)}
    assert installed == set(ROOMS)
    data = {
        Path(pattern).suffix for names in settings["package-data"].values() for pattern in names
    }
    assert data == {".toml", ".typed", ".css", ".js"}
    kinds = ("test_*.py", "*_test.py", "conftest.py", "*.svg", "*.png", "*.html")
    odd = [
        path.name
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if any(fnmatch(path.name, kind) for kind in kinds)
    ]
    assert not odd
