"""Converts between phrases and position classes, and scores phrases.

text       we study wide graph partitions and noise
positions  0  0     2    3     4          0   1
spans      (2, 5) (6, 7)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from tasks.ragged import Ids

OUTSIDE, SINGLE, BEGIN, MIDDLE, END = range(5)
POSITIONS = ("O", "S", "B", "M", "E")
"""Names of the five position classes."""
Span = tuple[int, int]
"""Indices of the first token and of the one after the last."""


def positions_of(spans: Iterable[Span], length: int) -> list[int]:
    """Return the position classes of a text of this length with these phrases.

    Phrases must not overlap.
    """
    labels = [OUTSIDE] * length
    taken = 0
    for start, stop in sorted(spans):
        assert taken <= start < stop <= length, (start, stop, length)
        inside = [BEGIN, *[MIDDLE] * (stop - start - 2), END]
        labels[start:stop] = [SINGLE] if stop - start == 1 else inside
        taken = stop
    return labels


def spans_of(labels: Sequence[int] | Ids) -> list[Span]:
    """Return the phrases of a text, in order: every S, and every B M* E.

    Only these count. A B without its E, an M or E without its B, and a phrase interrupted by an O,
    S or B give no phrase: a model gets no credit for boundaries that it left open.
    """
    found: list[Span] = []
    start: int | None = None
    for index, label in enumerate(np.asarray(labels).tolist()):
        if label == SINGLE:
            found.append((index, index + 1))
        elif label == END and start is not None:
            found.append((start, index + 1))
        if label == BEGIN:
            start = index
        elif label != MIDDLE:
            start = None
    return found


def spans_of_tags(tags: Sequence[str]) -> list[Span]:
    """Return the phrases of B-X, I-X and O tags.

    An I- tag that does not continue a phrase of its kind begins one.
    """
    begins = [
        tag != "O" and (tag[0] == "B" or before[1:] != tag[1:])
        for before, tag in pairwise(("O", *tags))
    ]
    found: list[Span] = []
    for index, tag in enumerate(tags):
        if begins[index]:
            found.append((index, index + 1))
        elif tag != "O":
            found[-1] = (found[-1][0], index + 1)
    return found


def precision_recall_f1(right: int, given: int, wanted: int) -> tuple[float, float, float]:
    """Return precision, recall and F1 from counts; 0/0 is 0."""
    return (
        right / given if given else 0.0,
        right / wanted if wanted else 0.0,
        2 * right / (given + wanted) if given + wanted else 0.0,
    )


def span_scores(outputs: Sequence[Ids], references: Iterable[Ids]) -> tuple[float, float, float]:
    """Return precision, recall and F1 of exact spans, counted over all texts."""
    right = given = wanted = 0
    for output, reference in zip(outputs, references, strict=True):
        assert len(output) == len(reference), "a tagger gives one label a token"
        found, true = set(spans_of(output)), set(spans_of(reference))
        right += len(found & true)
        given += len(found)
        wanted += len(true)
    return precision_recall_f1(right, given, wanted)


def labelled_accuracy(outputs: Sequence[Ids], references: Iterable[Ids]) -> float:
    """Return the share of right labels among all tokens whose true label is not OUTSIDE.

    A tagger that labels everything OUTSIDE has 0, where the share of all tokens would be high. 0
    if no token is labelled.
    """
    right = wanted = 0
    for output, reference in zip(outputs, references, strict=True):
        assert len(output) == len(reference), "a tagger gives one label a token"
        right += int(np.count_nonzero((output == reference) & (reference != OUTSIDE)))
        wanted += int(np.count_nonzero(reference != OUTSIDE))
    return right / wanted if wanted else 0.0


def class_scores(outputs: Sequence[Ids], references: Iterable[Ids]) -> tuple[float, float, float]:
    """Return precision, recall and F1 of class 1 among classes 0 and 1, over all tokens."""
    right = given = wanted = 0
    for output, reference in zip(outputs, references, strict=True):
        assert len(output) == len(reference), "a tagger gives one label a token"
        right += int(np.count_nonzero((output == 1) & (reference == 1)))
        given += int(np.count_nonzero(output == 1))
        wanted += int(np.count_nonzero(reference == 1))
    return precision_recall_f1(right, given, wanted)
