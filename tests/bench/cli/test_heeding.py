"""Proves that no option is dropped without a word: it is heeded, or refused by its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.cli.heeding import EXCLUDED, HEEDED
from bench.cli.pages.commands import verbs
from results.store import writing
from tests.bench.cli.commands import Bench
from tests.records import SUITE, failed, record

WAYS: dict[tuple[str, str], str] = {
    ("run", "a matrix"): "--matrix quick",
    ("run", "--vary"): "--vary cell=lstm --task opposites",
    ("run", "--base"): "--base cell=lstm --task opposites",
    ("run", "--until-decided"): "--until-decided base cell=lstm --task opposites",
    ("compare", "two variants"): "base cell=lstm",
    ("compare", "two variants, at equal cost"): "base cell=lstm --fair all",
    ("compare", "two variants, along curves"): "base cell=lstm --along steps",
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
    ("compare", "two variants"): {"fair", "along"},
    ("compare", "two variants, at equal cost"): {"along"},
    ("list", "names"): {"markdown"},
    ("run", "--base"): {"vary"},
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


# options that are always allowed: what comes out with them is not what comes out without


NEEDED = {
    **dict.fromkeys(["table", "runs", "status", "curves", "doctor", "export"], ""),
    **dict.fromkeys(["verify", "data list"], ""),
    "compare": "base cell=lstm",
    "show": "cell=lstm",
    "claims list": "attention",
    "claims show": "attention",
}
"""Words with which verbs that only read can be used; all other verbs do something."""
VALUES = {
    "task": "reversal",
    "metric": "loss",
    "variant": "cell=lstm",
    "fair": "steps",
    "along": "tokens",
    "form": "markdown",
    "output": "x.csv",
    "dates": "2026-01-01",
    "axis": "cell",
    "with_store": "x",
    "split": "unseen",
    "steps": "3",
    "time_limit": "3",
    "memory_limit": "3",
    "seeds": "0",
    "again": "1",
    "device": "none",
}
"""Values of options."""
SAME = {
    ("table", "every", "as_json"),  # which holds all rows in any case
    ("show", "layers", "as_json"),  # which holds all of a run in any case
    ("claims list", "strict", ""),  # which is in the exit code, once there are runs
    ("claims list", "strict", "as_json"),
    ("claims list", "notes", ""),  # of which there are few where nothing was run
    ("verify", "as_json", ""),  # finds nothing
}
"""Options that change nothing of what is printed here, though they are heeded."""


@pytest.fixture
def broad(store: Path) -> Path:
    """A store of two tasks, with rows to fold and more notes than are printed."""
    runs = [
        record(seed, 1.0, 400 + 10 * place, hidden=100 + place)
        for place in range(12)
        for seed in range(3)
    ]
    runs += [record(seed, 0.5, cell=cell) for cell in ("gru", "lstm") for seed in range(3)]
    runs += [record(seed, 0.2, task="reversal", cell=c) for c in ("gru", "lstm") for seed in (0, 1)]
    runs = [
        type(r)(r.id, r.spec, r.outcome, {**r.measured, "beside": 3, "host": str(r.seed)})
        for r in runs
    ]
    with writing(store) as opened:
        for entry in (*runs, failed(9, cell="lstm"), failed(9, cell="rnn")):
            opened.begin(entry.id, entry.spec)
            opened.add(entry)
        opened.set_plan([], SUITE)
    return store


def walked() -> Iterator[tuple[str, Any, str]]:
    """Yield each option of each reading verb, alone and with --json."""
    known = {verb.name.removeprefix("bench "): verb for verb in verbs()}
    for name in NEEDED:
        parameters = [p for p in known[name].parameters if p.param_type_name == "option"]
        forms = ["", "as_json"] if "as_json" in {p.name for p in parameters} else [""]
        for parameter in parameters:
            if parameter.name not in ("help", "store", "plugin", "module"):
                yield from ((name, parameter, form) for form in forms if form != parameter.name)


def test_an_option_changes_what_comes_out_or_is_refused(bench: Bench, broad: Path) -> None:
    dropped: list[tuple[str, str, str]] = []
    without: dict[str, tuple[int, str, str]] = {}
    for verb, parameter, form in walked():
        words = [*verb.split(), *NEEDED[verb].split(), *["--json"] * bool(form)]
        option = next(word for word in parameter.opts if word.startswith("--"))
        given = [option] if parameter.is_flag else [option, VALUES[parameter.name]]
        if verb + form not in without:
            without[verb + form] = bench(*words)
        before = without[verb + form]
        assert before[0] == 0, (words, before)
        after = bench(*verb.split(), *given, *words[len(verb.split()) :])
        if before == after and (verb, parameter.name, form) not in SAME:
            dropped.append((verb, option, form))
    assert not dropped


@pytest.mark.parametrize(
    ("verb", "chosen", "name"),
    [
        (v, c, n)
        for v, beside in EXCLUDED.items()
        for c, names in beside.items()
        for n in sorted(names)
    ],
)
def test_what_another_option_leaves_no_use_for_is_refused(
    bench: Bench, filled: Path, verb: str, chosen: str, name: str
) -> None:
    (known,) = (one for one in verbs() if one.name.removeprefix("bench ") == verb)
    parameters = {str(parameter.name): parameter for parameter in known.parameters}
    given = []
    for one in (parameters[chosen], parameters[name]):
        option = [word for word in one.opts if word.startswith("--")][:1]
        given += option if one.param_type_name == "option" and one.is_flag else [*option, "1"]
    ways = {"compare": ["base", "cell=lstm"]}
    code, out, err = bench(*verb.split(), *ways.get(verb, []), *given)
    assert (code, out) == (2, "")
    assert "does nothing with --" in err
