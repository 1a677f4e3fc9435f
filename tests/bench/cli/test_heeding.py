"""Proves that no option is dropped without a word: it is heeded, or refused by its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.cli.heeding import HEEDED
from bench.cli.pages.commands import verbs
from tests.bench.cli.commands import Bench

WAYS: dict[tuple[str, str], str] = {
    ("run", "a matrix"): "--matrix quick",
    ("run", "--vary or --base"): "--vary cell=lstm --task opposites",
    ("run", "--until-decided"): "--until-decided base cell=lstm --task opposites",
    ("compare", "two variants"): "base cell=lstm",
    ("compare", "--axis"): "--axis cell",
    ("compare", "--with-store"): "--with-store x",
    ("compare", "--dates"): "--dates 2026-01-01",
    ("doctor", "a script"): "train.py",
    ("doctor", "one run"): "abc",
    ("doctor", "--all"): "--all",
    ("export", "tables"): "--format csv",
    ("export", "a tracker"): "--format mlflow --output x",
    ("guard", "--update"): "--update",
    ("guard", "--init"): "--init",
    ("guard", "a baseline"): "",
    ("guard", "--against a revision"): "--against HEAD",
    ("guard", "--quality"): "--quality --against HEAD",
    ("guard", "--pytest-benchmark"): "--pytest-benchmark a b",
    ("throughput", "--task"): "--task opposites",
    ("throughput", "made-up batches"): "",
    ("data add", "a corpus"): "x y.tsv",
    ("data add", "--vectors"): "x y.txt --vectors",
    ("data add", "--streamed"): "x y.tsv --streamed",
    ("data add", "--tagged"): "x y.txt --tagged",
    ("show", "one run"): "abc",
    ("show", "--errors"): "abc --errors",
    ("show", "two runs"): "abc def",
    ("try", "a text"): "abc x",
    ("try", "--file"): "abc --file y",
    ("list", "names"): "",
    ("list", "--markdown"): "--markdown",
}
"""Words that use a verb in each of its ways."""
SELECTING = {
    *("matrix", "vary", "base", "until_decided", "axis", "with_store", "dates", "module"),
    *("update", "init", "quality", "pytest_benchmark", "everything", "vectors", "streamed"),
    *("markdown", "tagged", "file", "errors"),
}
"""Options that change the way in which a verb is used; two ways at once are refused as such."""
CHOOSING = {
    ("throughput", "made-up batches"): {"task"},
    ("guard", "a baseline"): {"against", *SELECTING},
    ("guard", "--against a revision"): {"quality"},
    ("list", "names"): {"markdown"},
    ("show", "one run"): {"errors"},
}
"""Options that, added to a way, make another one of it that is allowed."""


def options() -> Iterator[tuple[str, str, Any]]:
    """Yield each option that is outside one of its verb's ways, with the verb and the way."""
    for verb in verbs():
        name = verb.name.removeprefix("bench ")
        for way, heeded in HEEDED.get(name, {}).items():
            for parameter in verb.parameters:
                if parameter.param_type_name == "option" and parameter.name not in heeded:
                    yield name, way, parameter


def test_every_option_belongs_to_a_way_and_no_way_names_others() -> None:
    known = {verb.name.removeprefix("bench "): verb for verb in verbs()}
    assert set(WAYS) == {(verb, way) for verb, ways in HEEDED.items() for way in ways}
    for verb, ways in HEEDED.items():
        names = {str(parameter.name) for parameter in known[verb].parameters}
        assert frozenset[str]().union(*ways.values()) == names - {"help"}


@pytest.mark.parametrize(
    ("verb", "way", "parameter"),
    [pytest.param(*found, id=f"{found[0]} {found[1]} {found[2].name}") for found in options()],
)
def test_what_cannot_be_heeded_is_refused(
    bench: Bench, filled: Path, verb: str, way: str, parameter: Any
) -> None:
    if parameter.name in CHOOSING.get((verb, way), ()) or parameter.name == "module":
        pytest.skip("chooses another way")
    option = next(word for word in parameter.opts if word.startswith("--"))
    words = WAYS[verb, way].split()
    value = "all" if parameter.name == "rerun" else "1"
    given = [option] if parameter.is_flag else [option, *[value] * parameter.nargs]
    # what follows a script is the script's
    asked = [*given, *words] if verb == "doctor" else [*words, *given]
    code, out, err = bench(*verb.split(), *asked)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    if parameter.name not in SELECTING:
        assert f"{option} does nothing with {way}; it goes with " in err


def test_what_is_heeded_is_not_refused(bench: Bench, filled: Path) -> None:
    assert bench("compare", "base", "cell=lstm", "--task", "opposites", "--notes")[0] == 0
    assert bench("export", "--effects", "--task", "opposites")[0] == 0
