"""Defines what every task offers: splits, vocabularies, facts for a model's builder, a scorer."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.ragged import Ids, Indices, Ragged
from tasks.scoring import Statistics
from tasks.vocabulary import Vocabulary


@dataclass(frozen=True)
class Facts:
    """Holds what a model's builder may know about a task, which is not told which task it is.

    A target stream is a sequence of target ids. A sequence task has one stream; a tagger has one
    for each of its heads, with one label (a class) per source token.

    source_size: size of the source vocabulary. target_sizes: size of the target vocabulary of each
    stream, for a tagger the number of classes of each head. tagging: whether the task is a
    tagger's. head_weights: weights of the losses, one per stream. length_limit: maximum number of
    decoded tokens. memorisation: whether the test split is the training split.
    """

    source_size: int
    target_sizes: tuple[int, ...]
    length_limit: int
    tagging: bool = False
    head_weights: tuple[float, ...] = (1.0,)
    memorisation: bool = False


@dataclass(frozen=True, eq=False)
class Split:
    """Indexed examples: source ids and one or more target streams.

    The stream of a sequence task has no bos and eos. Streams of a tagger are as long as the source.
    """

    source: Ragged
    targets: tuple[Ragged, ...]

    def __post_init__(self) -> None:
        assert all(len(target) == len(self.source) for target in self.targets)

    def __len__(self) -> int:
        return len(self.source)

    def take(self, indices: Indices) -> Split:
        """Return the examples at these indices, in this order."""
        return Split(self.source.take(indices), tuple(t.take(indices) for t in self.targets))


Outputs = Sequence[Sequence[Ids]]
"""What a model gave back: per target stream, per example, the ids without bos and eos."""


class Task(ABC):
    """A task, built from its settings; the other files of this folder define the tasks.

    facts: what a model is built from. source, target: the vocabularies. splits: train, valid and
    test, and further ones that are scored at the end like test. metric: the name of the score by
    which the best checkpoint is chosen on valid, and by which a run has solved the task; higher is
    better. solved_at: the threshold for that, or None if nothing says what is solved. probes:
    texts that are decoded and shown, never scored. signatures: how each score was computed, if its
    scorer says so. summary: a line that says what data were kept and dropped, or "".
    """

    facts: Facts
    source: Vocabulary
    target: Vocabulary
    splits: Mapping[str, Split]
    metric: str
    solved_at: float | None
    probes: tuple[str, ...] = ()
    signatures: Mapping[str, str] = {}
    summary: str = ""

    @abstractmethod
    def tokenize(self, text: str) -> list[str]:
        """Return the source symbols of a text that a person types.

        Raises ValueError, which says what is allowed, for a text that is not a source of this task.
        """

    @abstractmethod
    def source_text(self, ids: Ids) -> str:
        """Render a source for people to read."""

    @abstractmethod
    def target_text(self, streams: Sequence[Ids], source: Ids) -> str:
        """Render an output or a reference, one id array per stream, for people to read."""

    @abstractmethod
    def score(self, outputs: Outputs, split: Split) -> dict[str, float]:
        """Score outputs against a split's examples, in its order.

        One of the keys is `self.metric`.
        """

    def statistics(self, outputs: Outputs, split: Split) -> dict[str, Statistics]:
        """Return the counts of each example from whose sums a score is computed, by its name.

        They are kept with the outputs of test, to list wrong outputs and to test differences over
        examples. A task that returns none has no score per example; its outputs are kept anyway.
        """
        return {}

    def references(self, split: Split) -> list[tuple[str, ...]]:
        """Return the right outputs of each example as text, one or more."""
        return [
            (self.target_text([stream[index] for stream in split.targets], split.source[index]),)
            for index in range(len(split))
        ]

    @property
    def bleu_tokens(self) -> str:
        """The name of sacrebleu's tokenizer for outputs as text; `none` cuts at spaces."""
        return "none"

    def score_texts(
        self, outputs: Sequence[str], references: Sequence[tuple[str, ...]]
    ) -> dict[str, float]:
        """Score outputs as text against one or more references each.

        Raises ValueError if the task scores no text.
        """
        raise ValueError("this task scores ids and no text; leave the reference out")

    def typed_answer(self, streams: Sequence[Ids], text: str) -> tuple[str, str]:
        """Return the source and the output as `bench try` shows them for a typed text.

        By default the source is shown as the model read it; a task overrides this to show what was
        typed. streams: the output, one id array per stream.
        """
        source = self.encode(text)
        return self.source_text(source), self.target_text(streams, source)

    def encode(self, text: str) -> Ids:
        """Return the source ids of a text that a person types."""
        return self.source.encode(self.tokenize(text))

    def single(self, source: Ids) -> Split:
        """Make a split of one source whose target is unknown: empty, or label 0 everywhere."""
        target = np.zeros(len(source) if self.facts.tagging else 0, dtype=np.int32)
        return Split(
            Ragged.of([source]), tuple(Ragged.of([target]) for _ in self.facts.target_sizes)
        )

    def digest(self) -> str:
        """Return a hash of all that a model learns from, is built with, or is scored against."""
        state = hashlib.blake2b(digest_size=16)
        state.update(f"{self.facts} {self.metric} {self.solved_at}".encode())
        state.update("\0".join((*self.source.symbols, "", *self.target.symbols)).encode())
        for name in sorted(self.splits):
            split = self.splits[name]
            state.update(name.encode())
            for ragged in (split.source, *split.targets):
                state.update(np.ascontiguousarray(ragged.offsets).tobytes())
                state.update(np.ascontiguousarray(ragged.ids).tobytes())
        return state.hexdigest()
