"""Proves that increment adds one to every id, and that its splits and settings are as stated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import Task, build
from tasks.increment import FIRST_ID, LAST_SOURCE_ID, VOCABULARY_SIZE, Increment, Settings

modes = st.builds(
    lambda mode, pairs, shortest, more, seed: Settings(
        mode, pairs, shortest, shortest + more, seed
    ),
    st.sampled_from(["memorise", "fresh"]),
    st.integers(1, 60),
    st.integers(2, 6),
    st.integers(0, 5),
    st.integers(0, 2**32),
)


def sources(task: Task, name: str) -> list[tuple[int, ...]]:
    return [tuple(ids.tolist()) for ids in task.splits[name].source]


@settings(max_examples=20)
@given(modes)
def test_every_pair(given_settings: Settings) -> None:
    task = Increment(given_settings)
    assert len(task.splits["train"]) == given_settings.pairs
    for name, split in task.splits.items():
        low, high = given_settings.shortest, given_settings.longest
        if name == "longer":
            low, high = high + 1, high + 5
        lengths = split.source.lengths
        assert low <= lengths.min() <= lengths.max() <= high
        assert high <= task.facts.length_limit
        assert FIRST_ID <= split.source.ids.min() <= split.source.ids.max() <= LAST_SOURCE_ID
        for source, target in zip(split.source, split.targets[0], strict=True):
            assert [index + 1 for index in source.tolist()] == target.tolist()
    assert task.facts.source_size == VOCABULARY_SIZE == len(task.source) == len(task.target)
    assert task.facts.target_sizes == (VOCABULARY_SIZE,)


@settings(max_examples=20)
@given(modes)
def test_splits(given_settings: Settings) -> None:
    task = Increment(given_settings)
    train = task.splits["train"]
    if given_settings.mode == "memorise":
        assert task.facts.memorisation
        assert {*task.splits} == {"train", "valid", "test"}
        assert all(split is train for split in task.splits.values())
        return
    assert not task.facts.memorisation
    assert {*task.splits} == {"train", "valid", "test", "longer"}
    every = [source for name in task.splits for source in sources(task, name)]
    assert len(set(every)) == len(every), "a source stands twice"


@settings(max_examples=10)
@given(modes)
def test_the_seed_determines_the_data(given_settings: Settings) -> None:
    task, again = Increment(given_settings), Increment(given_settings)
    assert task.digest() == again.digest()
    other = Settings(
        given_settings.mode,
        given_settings.pairs,
        given_settings.shortest,
        given_settings.longest,
        given_settings.data_seed + 1,
    )
    assert Increment(other).digest() != task.digest()


def test_numpy_global_state_is_not_used() -> None:
    np.random.seed(1)
    first = Increment(Settings()).digest()
    np.random.seed(2)
    assert Increment(Settings()).digest() == first


@given(st.lists(st.integers(FIRST_ID, LAST_SOURCE_ID), min_size=1, max_size=12))
def test_texts_round_trip(ids: list[int]) -> None:
    task = build("increment")
    array = np.array(ids, dtype=np.int32)
    text = task.source_text(array)
    assert text == " ".join(map(str, ids)), "a symbol is its own id"
    assert task.encode(text).tolist() == ids
    assert task.target_text([array], array) == text


def test_own_sizes() -> None:
    assert len(build("increment").splits["train"]) == 50
    task = build("increment:mode=fresh")
    assert [len(task.splits[name]) for name in ("train", "valid", "test", "longer")] == [
        *(20_000, 500, 500, 500)
    ]


def test_scores() -> None:
    task = build("increment:pairs=4")
    split = task.splits["train"]
    right = list(split.targets[0])
    assert task.score([right], split) == {"exact_match": 1.0, "token_accuracy": 1.0}
    assert task.metric in task.score([right], split)
    wrong = [right[0][:-1], *right[1:]]
    scores = task.score([wrong], split)
    assert scores["exact_match"] == 0.75
    assert scores["token_accuracy"] == 1 - 1 / split.targets[0].lengths.sum()


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("increment:mode=memorize", "did you mean memorise"),
        ("increment:shortest=9,longest=5", "shortest=9 and longest=5 are not"),
        ("increment:shortest=0", "1 <= shortest"),
        ("increment:pairs=-1", "pairs=-1 is below 0"),
        ("increment:mode=fresh,shortest=1,longest=1", "do not exist in half of the 97"),
        ("increment:pairs=60,shortest=1,longest=1", "60 different sources of length 1 to 1"),
    ],
)
def test_wrong_settings_are_refused(label: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build(label)


@pytest.mark.parametrize("text", ["1 2", "100", "101", "3 x", "-4", "seven", "3,4"])
def test_wrong_texts_are_refused(text: str) -> None:
    """100 is a target only, as it has no successor."""
    with pytest.raises(ValueError, match="is not a number from 3 to 99"):
        build("increment").encode(text)
