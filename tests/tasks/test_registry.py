"""Proves that a task has one label, that it builds this task, and that wrong labels are refused."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tasks import TASKS, Entry, build, canonical, describe, find

NAMES = [entry.name for entry in TASKS]
BUILT = (
    "increment",
    "reversal:pairs=20",
    "opposites",
    "keyphrase:documents=30",
    "pairs:pairs=1000,least=1",
    "en-zh:pairs=1000,least=1",
)
VALUES: dict[tuple[str, str], list[str]] = {
    ("increment", "mode"): ["memorise", "fresh"],
    ("reversal", "mode"): ["words", "symbols"],
    ("keyphrase", "corpus"): ["generated", "inspec"],
    ("keyphrase", "kinds"): ["ignored", "scored"],
    ("pairs", "corpus"): ["grammar", "tatoeba"],
    ("pairs", "direction"): ["stored", "de-en"],
    ("pairs", "source_tokens"): ["default", "bpe:8000", "characters"],
    ("pairs", "target_tokens"): ["default", "given", "unigram:500"],
    ("pairs", "source_case"): ["kept", "lower"],
    ("pairs", "target_case"): ["kept", "lower"],
    ("pairs", "source_normal"): ["none", "chinese"],
    ("pairs", "target_normal"): ["none", "simplified"],
    ("pairs", "bleu_tokens"): ["default", "13a"],
    ("pairs", "metric"): ["default", "chrf"],
    ("en-zh", "corpus"): ["grammar", "tatoeba"],
    ("en-zh", "tokens"): ["characters", "words"],
}


RANGES = {"shortest": (1, 9), "longest": (9, 40)}
"""So that shortest <= longest, whichever of them is drawn."""


@st.composite
def settings_of(draw: st.DrawFn) -> tuple[Entry, dict[str, Any]]:
    """Draw a task and some of its settings that it accepts, in any order."""
    entry = draw(st.sampled_from(TASKS))
    names = [field.name for field in fields(entry.settings())]
    chosen = draw(st.permutations(names))[: draw(st.integers(0, len(names)))]
    base = entry.settings()
    values = {
        name: draw(
            st.sampled_from(VALUES[entry.name, name])
            if isinstance(getattr(base, name), str)
            else st.integers(*RANGES.get(name, (1, 10**5)))
        )
        for name in chosen
    }
    # documents and data_seed are refused with a corpus that is read from files
    assume(entry.name != "keyphrase" or values.get("corpus", "generated") == "generated")
    return entry, values


def label(name: str, given: dict[str, Any]) -> str:
    return ":".join([name, ",".join(f"{key}={value}" for key, value in given.items())])


@given(settings_of())
def test_a_label_has_one_form(chosen: tuple[Entry, dict[str, Any]]) -> None:
    entry, values = chosen
    once = canonical(label(entry.name, values))
    assert canonical(once) == once
    backwards = dict(reversed(values.items()))
    assert canonical(label(entry.name, backwards)) == once
    # what equals the default is left out, all else is there
    base = describe(entry.name)
    different = {key: value for key, value in values.items() if value != base[key]}
    assert len(once.split(":", 1)[1].split(",")) == len(different) if different else True
    for key, value in different.items():
        assert f"{key}={value}" in once
    if not different:
        assert once == entry.name


def test_defaults_are_left_out() -> None:
    assert canonical("increment:mode=memorise,pairs=0") == "increment"
    assert canonical("increment:longest=14,mode=fresh") == "increment:mode=fresh,longest=14"
    assert canonical(" increment : pairs = 7 ") == "increment:pairs=7"
    assert canonical("increment:") == "increment"
    assert canonical("increment:pairs=007") == "increment:pairs=7"


def test_names_are_unique_and_described() -> None:
    assert len({*NAMES}) == len(NAMES)
    assert all(entry.about for entry in TASKS)
    for name in NAMES:
        assert find(name).name == name
        assert canonical(name) == name


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("incremnt", "did you mean increment"),
        ("reverse", "did you mean reversal"),
        ("en_zh", "did you mean en-zh"),
        ("", "is not one of increment, reversal, opposites"),
        ("increment:pair=5", "did you mean pairs"),
        ("increment:Mode=fresh", "did you mean mode"),
        ("increment:pairs=many", "pairs='many' is not a whole number"),
        ("increment:pairs=1.5", "pairs='1.5' is not a whole number"),
        ("increment:pairs", "is not key=value"),
        ("increment:=5", "is not key=value"),
        ("increment:pairs=5,pairs=6", "pairs is given twice"),
        ("opposites:pairs=5", "opposites has no settings"),
    ],
)
def test_wrong_labels_are_refused(wrong: str, said: str) -> None:
    for read in (canonical, build):
        with pytest.raises(ValueError, match=said):
            read(wrong)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("increment:mode=frsh", "did you mean fresh"),
        ("reversal:mode=symbol", "did you mean symbols"),
        ("en-zh:tokens=character", "did you mean characters"),
    ],
)
def test_wrong_values_are_refused(wrong: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build(wrong)


@pytest.mark.parametrize("given", BUILT)
def test_every_task_offers_what_a_run_needs(given: str) -> None:
    task = build(given)
    facts = task.facts
    assert {"train", "valid", "test"} <= {*task.splits}
    assert facts.source_size == len(task.source)
    assert len(facts.head_weights) == len(facts.target_sizes)
    assert sum(facts.head_weights) == pytest.approx(1.0)
    assert task.solved_at is not None
    assert 0 < task.solved_at <= 1 or task.metric in ("bleu", "chrf")
    for name, split in task.splits.items():
        assert len(split) > 0, name
        assert len(split.targets) == len(facts.target_sizes)
        assert split.source.lengths.min() >= 1
        # no special id but the unknown one is ever a symbol of the data
        assert 3 <= split.source.ids.min() <= split.source.ids.max() < facts.source_size
        for stream, size in zip(split.targets, facts.target_sizes, strict=True):
            assert (0 if facts.tagging else 3) <= stream.ids.min() <= stream.ids.max() < size
            if facts.tagging:
                assert np.array_equal(stream.offsets, split.source.offsets)
    if facts.memorisation:
        assert task.splits["test"] is task.splits["train"]
    references = [[*stream] for stream in task.splits["test"].targets]
    scores = task.score(references, task.splits["test"])
    assert scores[task.metric] >= task.solved_at
    assert build(given).digest() == task.digest()


def test_every_task_is_built_here() -> None:
    assert {given.split(":")[0] for given in BUILT} == {*NAMES}
