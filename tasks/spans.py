"""Converts between phrases and position classes, and scores phrases.

text       we study wide graph partitions and noise
positions  0  0     2    3     4          0   1
spans      (2, 5) (6, 7)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from tasks.ragged import Ids
from tasks.scoring import Statistics, statistics_of

OUTSIDE, SINGLE, BEGIN, MIDDLE, END = range(5)
POSITIONS = ("O", "S", "B", "M", "E")
"""Names of the five position classes."""
Span = tuple[int, int]
"""Indices of the first token and of the one after the last."""


class MarkedPhrase(NamedTuple):
    """A marked phrase: indices of its first token and of the one after its last, and its kind."""

    start: int
    stop: int
    kind: str


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


def phrases_of_tags(tags: Sequence[str]) -> list[MarkedPhrase]:
    """Return the phrases of tags in any of the schemes BIO (IOB1, IOB2), BIOES, BMES and BILOU.

    Tags are O, or a letter and perhaps - and a kind. A phrase ends where its kind does, before a
    B, S or U, and after an E, S, L or U; an I, M, E or L that continues none begins one. So the
    schemes need not be told apart, and phrases are those of conlleval and seqeval.
    """
    found: list[MarkedPhrase] = []
    over, kind = True, ""
    for index, tag in enumerate(tags):
        if tag == "O":
            over = True
            continue
        letter, after = tag[0], tag[2:]
        if over or letter in "BSU" or after != kind:
            found.append(MarkedPhrase(index, index + 1, after))
        else:
            found[-1] = found[-1]._replace(stop=index + 1)
        over, kind = letter in "ESLU", after
    return found


def phrases_of_classes(tags: Sequence[str]) -> list[MarkedPhrase]:
    """Return the phrases of plain tags: neighbours of one tag, unless that is O."""
    found: list[MarkedPhrase] = []
    before = "O"
    for index, tag in enumerate(tags):
        if tag != "O" and tag == before:
            found[-1] = found[-1]._replace(stop=index + 1)
        elif tag != "O":
            found.append(MarkedPhrase(index, index + 1, tag))
        before = tag
    return found


def spans_of_tags(tags: Sequence[str]) -> list[Span]:
    """Return the phrases of tags without their kinds."""
    return [(phrase.start, phrase.stop) for phrase in phrases_of_tags(tags)]


def kinds_of(phrases: Iterable[MarkedPhrase], kinds: Sequence[str], length: int) -> list[int]:
    """Return a class for each token of a text: 0 outside, else 1 + the place of its kind."""
    labels = [0] * length
    for phrase in phrases:
        labels[phrase.start : phrase.stop] = [1 + kinds.index(phrase.kind)] * (
            phrase.stop - phrase.start
        )
    return labels


def typed_spans_of(
    positions: Sequence[int] | Ids, kinds: Sequence[int] | Ids
) -> list[tuple[int, int, int]]:
    """Return the phrases of `spans_of` whose tokens are all of one kind, with that kind."""
    return [
        (start, stop, int(kinds[start]))
        for start, stop in spans_of(positions)
        if kinds[start] and len({int(kind) for kind in kinds[start:stop]}) == 1
    ]


def precision_recall_f1(right: int, given: int, wanted: int) -> tuple[float, float, float]:
    """Return precision, recall and F1 from counts; 0/0 is 0."""
    return (
        right / given if given else 0.0,
        right / wanted if wanted else 0.0,
        2 * right / (given + wanted) if given + wanted else 0.0,
    )


def span_scores(outputs: Sequence[Ids], references: Iterable[Ids]) -> tuple[float, float, float]:
    """Return precision, recall and F1 of exact spans, counted over all texts."""
    return summed_scores(span_statistics(outputs, references))


def span_statistics(outputs: Sequence[Ids], references: Iterable[Ids]) -> Statistics:
    """Return the right, given and wanted spans of each text (N, 3)."""
    true = list(references)
    _check_lengths(outputs, true)
    return _set_statistics(map(spans_of, outputs), map(spans_of, true))


def summed_scores(counts_N3: Statistics) -> tuple[float, float, float]:
    """Return precision, recall and F1 of counts that are summed over all texts."""
    right, given, wanted = counts_N3.sum(axis=0).tolist()
    return precision_recall_f1(right, given, wanted)


def typed_scores(
    outputs: Sequence[Sequence[Ids]], references: Sequence[Iterable[Ids]]
) -> tuple[float, float, float]:
    """Return precision, recall and F1 of exact spans of the right kind.

    outputs, references: two streams each, positions and kinds. It is seqeval's strict score of the
    tags B-, I-, E- and S- that these streams stand for.
    """
    return summed_scores(typed_statistics(outputs, references))


def typed_statistics(
    outputs: Sequence[Sequence[Ids]], references: Sequence[Iterable[Ids]]
) -> Statistics:
    """Return the right, given and wanted typed spans of each text (N, 3)."""
    found, true = (
        [typed_spans_of(*text) for text in zip(*streams, strict=True)]
        for streams in (outputs, references)
    )
    return _set_statistics(found, true)


def _check_lengths(outputs: Sequence[Ids], references: Sequence[Ids]) -> None:
    for output, reference in zip(outputs, references, strict=True):
        assert len(output) == len(reference), "a tagger gives one label a token"


def _set_statistics(
    outputs: Iterable[Sequence[object]], references: Iterable[Sequence[object]]
) -> Statistics:
    rows = []
    for output, reference in zip(outputs, references, strict=True):
        found, true = set(output), set(reference)
        rows.append((len(found & true), len(found), len(true)))
    return statistics_of(rows, 3)


def labelled_accuracy(outputs: Sequence[Ids], references: Iterable[Ids]) -> float:
    """Return the share of right labels among all tokens whose true label is not OUTSIDE.

    A tagger that labels everything OUTSIDE has 0, where the share of all tokens would be high. 0
    if no token is labelled.
    """
    right, wanted = labelled_statistics(outputs, references).sum(axis=0).tolist()
    return right / wanted if wanted else 0.0


def labelled_statistics(outputs: Sequence[Ids], references: Iterable[Ids]) -> Statistics:
    """Return the right and the wanted labels other than OUTSIDE of each text (N, 2)."""
    rows = []
    for output, reference in zip(outputs, references, strict=True):
        assert len(output) == len(reference), "a tagger gives one label a token"
        right = int(np.count_nonzero((output == reference) & (reference != OUTSIDE)))
        rows.append((right, int(np.count_nonzero(reference != OUTSIDE))))
    return statistics_of(rows, 2)


def class_scores(outputs: Sequence[Ids], references: Iterable[Ids]) -> tuple[float, float, float]:
    """Return precision, recall and F1 of class 1 among classes 0 and 1, over all tokens."""
    return summed_scores(class_statistics(outputs, references))


def class_statistics(outputs: Sequence[Ids], references: Iterable[Ids]) -> Statistics:
    """Return the right, given and wanted tokens of class 1 of each text (N, 3)."""
    rows = []
    for output, reference in zip(outputs, references, strict=True):
        assert len(output) == len(reference), "a tagger gives one label a token"
        right = int(np.count_nonzero((output == 1) & (reference == 1)))
        rows.append((right, int(np.count_nonzero(output == 1)), int((reference == 1).sum())))
    return statistics_of(rows, 3)
