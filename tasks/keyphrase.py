"""Keyphrase tagging: which words are keywords, and where in a phrase they stand. Probes context.

Two heads tag every source token, after Zhang et al. 2016 (the model of one of the experiments that
the project started from). Head 1 says whether it is a keyword (0 no, 1 yes), head 2 gives its
position in a keyphrase (0 outside, 1 single, 2 begin, 3 middle, 4 end). The losses are mixed 0.3
and 0.7. Labels are classes, not vocabulary ids.

    source  unlike the garden , this work concerns wide graph partition .
    head 1  0      0   0      0 0    0    0        1    1     1         0
    head 2  0      0   0      0 0    0    0        2    3     4         0

corpus=generated is made by tasks/keyphrase_documents.py. The name of a tagged corpus that
`bench data add --tagged` wrote, or a path with a / in it, is read by tasks/tagged.py. kinds=scored
adds a third head, for the kind of phrase that each token is in (0 outside), and scores phrases of
the right kind; the losses are then mixed 0.2, 0.5 and 0.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks import keyphrase_documents
from tasks.choices import at_least, between, one_of
from tasks.parallel.counts import SideCounts, TextCounts, one_line_of_texts
from tasks.parallel.stored import check_whole, read_about, wrong_kind
from tasks.ragged import Ids, Ragged
from tasks.scoring import Statistics
from tasks.sentence_pairs import add_again
from tasks.spans import (
    OUTSIDE,
    POSITIONS,
    class_scores,
    class_statistics,
    kinds_of,
    labelled_accuracy,
    labelled_statistics,
    span_scores,
    span_statistics,
    spans_of,
    typed_scores,
    typed_spans_of,
    typed_statistics,
)
from tasks.tagged import TAGGED_KIND, Document, read_corpus, read_stored, tokens_of, words_of
from tasks.task import Facts, Outputs, Split, Task
from tasks.vocabulary import Vocabulary

GENERATED_CORPUS = "generated"
"""The name of the corpus that needs no files."""
TYPED_WEIGHTS = (0.2, 0.5, 0.3)
"""Weights of the three losses where kinds are learned."""
HELD_OUT_DOCUMENTS = 200
"""Number of generated documents in valid and in test."""


@dataclass(frozen=True)
class Settings:
    """Settings of the task, with their defaults.

    corpus: generated, a corpus of `bench data`, or a path with a / in it. kinds: ignored, or scored
    to learn the kinds of phrases too. documents, data_seed: training documents and seed of the
    generated corpus.
    """

    corpus: str = GENERATED_CORPUS
    kinds: str = "ignored"
    documents: int = 1_000
    data_seed: int = 0

    def __post_init__(self) -> None:
        one_of("kinds", self.kinds, ("ignored", "scored"))
        between("documents", self.documents, 1)
        at_least("data_seed", self.data_seed, 0)
        for name in ("documents", "data_seed"):
            given = getattr(self, name)
            if self.corpus != GENERATED_CORPUS and given != getattr(Settings, name):
                raise ValueError(
                    f"{name}={given} is for corpus={GENERATED_CORPUS}, and corpus={self.corpus} "
                    "is read from files; leave it out"
                )


class Keyphrase(Task):
    """The tagging task; the head of this file describes it.

    dropped: per split, the number of documents left out: those of training that stand in valid or
    test. kinds: kinds of phrases, if these are scored.
    """

    metric = "span_f1"
    solved_at: float | None = 0.90
    probes = (
        "we propose a method for turbulent flow noise .",
        "they propose a method for turbulent flow noise .",
        "unlike the garden , this work concerns wide graph partition .",
    )

    def __init__(self, settings: Settings, data: Path | None = None) -> None:
        splits, self.dropped = _documents(settings, data)
        train = (document.tokens for document in splits["train"])
        self.source = Vocabulary.counted(train, least=2)
        self.target = Vocabulary.closed(POSITIONS)
        self.kinds = _kinds(settings, splits)
        if self.kinds:
            self.metric = "typed_f1"
        self.splits = {name: self._split(documents) for name, documents in splits.items()}
        self.facts = Facts(
            source_size=len(self.source),
            target_sizes=(2, len(POSITIONS), *([1 + len(self.kinds)] if self.kinds else [])),
            length_limit=max(int(split.source.lengths.max()) for split in self.splits.values()),
            tagging=True,
            head_weights=TYPED_WEIGHTS if self.kinds else (0.3, 0.7),
        )
        self.counts = {
            name: TextCounts(len(split), self.dropped[name], SideCounts.of(split.source))
            for name, split in self.splits.items()
        }
        if settings.corpus != GENERATED_CORPUS:
            self.solved_at = None
            self.summary = one_line_of_texts(settings.corpus, self.counts)

    def _split(self, documents: Sequence[Document]) -> Split:
        positions = Ragged.of(document.positions for document in documents)
        keywords = Ragged((positions.ids != OUTSIDE).astype(np.int32), positions.offsets)
        source = Ragged.of(self.source.encode(document.tokens) for document in documents)
        if not self.kinds:
            return Split(source, (keywords, positions))
        kinds = Ragged.of(
            kinds_of(document.phrases, self.kinds, len(document.tokens)) for document in documents
        )
        return Split(source, (keywords, positions, kinds))

    def tokenize(self, text: str) -> list[str]:
        """Return words and punctuation marks, lower-cased, with every digit as 0."""
        tokens = tokens_of(text)
        if not tokens:
            raise ValueError(f"{text!r} holds no word to tag; give a sentence or more")
        return tokens

    def source_text(self, ids: Ids) -> str:
        return " ".join(self.source.decode(ids))

    def target_text(self, streams: Sequence[Ids], source: Ids) -> str:
        """Render the source with the keyphrases of head 2 in [brackets]."""
        return self._marked(streams, self.source.decode(source))

    def typed_answer(self, streams: Sequence[Ids], text: str) -> tuple[str, str]:
        """Return the words as they were typed, without and with the keyphrases in [brackets]."""
        words = words_of(text)
        return " ".join(words), self._marked(streams, words)

    def _marked(self, streams: Sequence[Ids], words: list[str]) -> str:
        """Return words with their phrases in brackets, with the kind if that is learned."""
        words = list(words)
        for start, stop in spans_of(streams[1]):
            words[start] = "[" + words[start]
            words[stop - 1] += "]"
        if self.kinds:
            for _, stop, kind in typed_spans_of(streams[1], streams[2]):
                words[stop - 1] += f"/{self.kinds[kind - 1]}"
        return " ".join(words)

    def score(self, outputs: Outputs, split: Split) -> dict[str, float]:
        """Score exact spans of head 2 (see tasks/spans.py) and keywords of head 1.

        The accuracies are of head 1 and head 2, over the words that belong to a phrase.
        """
        spans = span_scores(outputs[1], split.targets[1])
        keywords = class_scores(outputs[0], split.targets[0])
        names = ("precision", "recall", "f1")
        typed: dict[str, float] = {}
        if self.kinds:
            found = typed_scores(outputs[1:], split.targets[1:])
            typed = {f"typed_{name}": value for name, value in zip(names, found, strict=True)}
        return {
            **typed,
            **{f"span_{name}": value for name, value in zip(names, spans, strict=True)},
            **{f"keyword_{name}": value for name, value in zip(names, keywords, strict=True)},
            "keyword_accuracy": labelled_accuracy(outputs[0], split.targets[0]),
            "keyphrase_accuracy": labelled_accuracy(outputs[1], split.targets[1]),
        }

    def statistics(self, outputs: Outputs, split: Split) -> dict[str, Statistics]:
        """Return the counts behind the F1 scores and accuracies of `score`."""
        typed: dict[str, Statistics] = {}
        if self.kinds:
            typed["typed_f1"] = typed_statistics(outputs[1:], split.targets[1:])
        return {
            **typed,
            "span_f1": span_statistics(outputs[1], split.targets[1]),
            "keyword_f1": class_statistics(outputs[0], split.targets[0]),
            "keyword_accuracy": labelled_statistics(outputs[0], split.targets[0]),
            "keyphrase_accuracy": labelled_statistics(outputs[1], split.targets[1]),
        }


def _documents(
    settings: Settings, data: Path | None
) -> tuple[dict[str, list[Document]], dict[str, int]]:
    """Return the splits, and how many documents each one lost because they repeat others."""
    if settings.corpus == GENERATED_CORPUS:
        return _generated(settings), {"train": 0, "valid": 0, "test": 0}
    if "/" not in settings.corpus:
        about = read_about(settings.corpus, data)
        if about is not None and data is not None:
            return _stored(settings.corpus, data, about)
    return read_corpus(_folder(settings.corpus, data))


def _stored(
    corpus: str, data: Path, about: Mapping[str, Any]
) -> tuple[dict[str, list[Document]], dict[str, int]]:
    """Read a corpus of `bench data`; ValueError for one of another kind, or a damaged one."""
    if about.get("kind") != TAGGED_KIND:
        raise ValueError(wrong_kind(corpus, about, "tagged texts"))
    check_whole(data / corpus, about)
    if "scheme" not in about:
        return read_corpus(data / corpus)  # kept as it came, by an earlier version
    try:
        return read_stored(data / corpus)
    except (OSError, KeyError, TypeError) as error:
        raise ValueError(f"{data / corpus} is damaged ({error}); {add_again(corpus)}") from None


def _kinds(settings: Settings, splits: Mapping[str, Sequence[Document]]) -> tuple[str, ...]:
    """Return the kinds of phrases to be learned, () if they are ignored."""
    if settings.kinds == "ignored":
        return ()
    found = {phrase.kind for texts in splits.values() for text in texts for phrase in text.phrases}
    if len(found) < 2:
        raise ValueError(
            f"kinds=scored needs a corpus with kinds of phrases, and {settings.corpus} has "
            f"{len(found)}; leave it out"
        )
    return tuple(sorted(found))


def _generated(settings: Settings) -> dict[str, list[Document]]:
    # held-out documents come first: more training documents leave valid and test unchanged
    held_out = 2 * HELD_OUT_DOCUMENTS
    drawn = keyphrase_documents.documents(held_out + settings.documents, settings.data_seed)
    return {
        "train": drawn[held_out:],
        "valid": drawn[:HELD_OUT_DOCUMENTS],
        "test": drawn[HELD_OUT_DOCUMENTS:held_out],
    }


def _folder(corpus: str, data: Path | None) -> Path:
    if "/" in corpus:
        folder = Path(corpus).expanduser()
    elif data is None:
        raise FileNotFoundError(
            f"corpus={corpus} is looked for in the folder of data, and there is none; add data "
            f"first, give a path with a / in it, or corpus={GENERATED_CORPUS}"
        )
    else:
        folder = data / corpus
    if not folder.is_dir():
        raise FileNotFoundError(
            f"corpus={corpus} is not there, for {folder} is no folder; add it with: bench data add "
            f"{Path(corpus).name} FILES --tagged, or give a path, or corpus={GENERATED_CORPUS}"
        )
    return folder
