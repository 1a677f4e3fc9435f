"""Proves that the counts kept of each example say what a score says: their sums give it."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tasks
from results.stats import aggregates
from tasks import Ids, Split, Task
from tasks.parallel.scores import Scorer
from tasks.scoring import Statistics
from tests.sentences import LABEL, write_corpus

LABELS = ("reversal", "increment", "opposites", "keyphrase", LABEL)
DERIVED = ("_precision", "_recall")
"""Scores that the counts of an F1 give too."""


@cache
def task(label: str) -> Task:
    with tempfile.TemporaryDirectory() as data:
        write_corpus(Path(data))
        return tasks.build(label, Path(data))


def altered(split: Split, classes: tuple[int, ...], tagging: bool) -> list[list[Ids]]:
    """Return references of which some are changed, cut, empty or left as they are."""
    random = np.random.default_rng(0)
    streams = []
    for stream, size in zip(split.targets, classes, strict=True):
        rows = []
        for row in stream:
            changed = np.array(row)
            if len(changed) and random.random() < 0.7:
                changed[random.integers(len(changed))] = random.integers(size if tagging else 3)
            keep = len(changed) if tagging else int(random.integers(len(changed) + 1))
            rows.append(changed if random.random() < 0.5 else changed[:keep])
        streams.append(rows)
    return streams


@pytest.mark.parametrize("label", LABELS)
def test_summed_counts_give_the_scores(label: str) -> None:
    built = task(label)
    split = built.splits["test"].take(np.arange(min(60, len(built.splits["test"]))))
    facts = built.facts
    outputs = altered(split, facts.target_sizes, facts.tagging)
    scores, counts = built.score(outputs, split), built.statistics(outputs, split)
    assert built.metric in counts
    assert set(counts) == {name for name in scores if not name.endswith(DERIVED)}
    for name, rows in counts.items():
        assert len(rows) == len(split)
        assert total(name, rows) == pytest.approx(scores[name], abs=1e-9), name
    right = aggregates.right_examples(counts, built.metric)
    assert right is not None
    assert 0 < right.mean() < 1
    perfect = [list(stream) for stream in split.targets]
    everything = aggregates.right_examples(built.statistics(perfect, split), built.metric)
    assert everything is not None
    assert label == LABEL or everything.all()  # there, unknown symbols are never right


def total(name: str, rows: Statistics) -> float:
    return float(aggregates.scores(name, rows.sum(axis=0, keepdims=True))[0])


TEXT = st.text("ab c的我.", max_size=12)
TEXTS = st.lists(st.tuples(TEXT, st.lists(TEXT, min_size=1, max_size=2)), min_size=1, max_size=4)


@settings(max_examples=60)
@given(
    TEXTS,
    st.sampled_from(["zh", "13a", "none", "char"]),
    st.sampled_from(["", "character_error_rate", "token_error_rate"]),
)
def test_any_texts_are_counted_as_sacrebleu_and_jiwer_score_them(
    pairs: list[tuple[str, list[str]]], tokens: str, error_rate: str
) -> None:
    scorer = Scorer(tokens, error_rate)
    texts, references = [text for text, _ in pairs], [tuple(refs) for _, refs in pairs]
    scores, _ = scorer.scores(texts, references)
    counts = scorer.statistics(texts, references)
    assert set(counts) == set(scores)
    for name, rows in counts.items():
        if name == error_rate and not rows[:, 1].any():
            continue  # nothing was wanted at all
        assert total(name, rows) == pytest.approx(scores[name], abs=1e-9), name


def test_a_task_of_a_plugin_needs_no_statistics() -> None:
    built = task("reversal")
    split = built.splits["test"].take(np.arange(3))
    assert Task.statistics(built, [list(split.targets[0])], split) == {}
    assert [text[0] for text in built.references(split)] == [
        built.target_text([split.targets[0][index]], split.source[index]) for index in range(3)
    ]


def test_unknown_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="bleu cannot be computed from 3 columns"):
        aggregates.scores("bleu", np.ones((1, 3)))
    with pytest.raises(ValueError, match="mine cannot be computed from 4 columns"):
        aggregates.scores("mine", np.ones((1, 4)))
