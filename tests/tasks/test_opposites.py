"""Proves that opposites has the lesson's six pairs, filled up, and reads short words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import build
from tasks.opposites import FILLER, PAIRS, WIDTH

TASK = build("opposites")
words = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=WIDTH)


def test_the_six_pairs() -> None:
    train = TASK.splits["train"]
    shown = [
        (TASK.source_text(source), TASK.target_text([target], source))
        for source, target in zip(train.source, train.targets[0], strict=True)
    ]
    assert (
        shown
        == [*PAIRS]
        == [
            ("man", "woman"),
            ("black", "white"),
            ("king", "queen"),
            ("girl", "boy"),
            ("up", "down"),
            ("high", "low"),
        ]
    )


def test_it_is_memorisation() -> None:
    assert TASK.facts.memorisation
    assert all(split is TASK.splits["train"] for split in TASK.splits.values())
    assert {*TASK.splits} == {"train", "valid", "test"}


def test_every_side_fills_its_width() -> None:
    train = TASK.splits["train"]
    for ragged in (train.source, *train.targets):
        assert {*ragged.lengths.tolist()} == {WIDTH}
        # the filler is a symbol to learn, not padding
        assert ragged.ids.min() >= 3
    assert TASK.source.decode(train.source[4]) == ["u", "p", *FILLER * 3]


@given(words)
def test_words_round_trip(text: str) -> None:
    ids = TASK.encode(f" {text} ")
    assert len(ids) == WIDTH
    assert TASK.source_text(ids) == text
    assert TASK.target_text([ids], ids) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [("blacks", "has 6 letters; give at most 5"), ("é", "'é' is not in"), ("A", "'A' is not in")],
)
def test_wrong_texts_are_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TASK.encode(text)


def test_probes_can_be_read() -> None:
    learnt = {word for pair in PAIRS for word in pair}
    for probe in TASK.probes:
        assert probe not in learnt
        assert TASK.source_text(TASK.encode(probe)) == probe


def test_building_it_twice_is_the_same() -> None:
    assert TASK.digest() == build("opposites").digest()
