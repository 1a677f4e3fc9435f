"""What every task offers: splits, vocabularies, plain facts for a model's builder, a scorer."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.ragged import Ids, Indices, Ragged
from tasks.vocabulary import Vocabulary


@dataclass(frozen=True)
class Facts:
    """What a model's builder is told of a task; never its name.

    source_size: number of source symbols. target_sizes: number of target symbols; for a tagger
    the classes of each head. tagging: one label per source token and head, rather than a target
    sequence. head_weights: how the heads' losses are mixed, one a target stream. length_limit:
    decoding gives up after so many tokens. memorisation: test = train.
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

    A sequence task has one stream, without bos and eos; a tagger one stream a head, each as
    long as the source.
    """

    source: Ragged
    targets: tuple[Ragged, ...]

    def __post_init__(self) -> None:
        assert all(len(target) == len(self.source) for target in self.targets)

    def __len__(self) -> int:
        return len(self.source)

    def take(self, indices: Indices) -> Split:
        """The examples at these indices, in this order."""
        return Split(self.source.take(indices), tuple(t.take(indices) for t in self.targets))


Outputs = Sequence[Sequence[Ids]]
"""What a model gave back: per target stream, per example, the ids without bos and eos."""


class Task(ABC):
    """A task, built from its settings; see the files beside this one.

    splits: train, valid and test, and further ones that are scored at the end like test.
    metric: the score that selects on valid and decides "solved"; higher is better.
    solved_at: its threshold. probes: texts that are decoded and shown, never scored.
    """

    facts: Facts
    source: Vocabulary
    target: Vocabulary
    splits: Mapping[str, Split]
    metric: str
    solved_at: float
    probes: tuple[str, ...] = ()
    signatures: Mapping[str, str] = {}

    @abstractmethod
    def tokenize(self, text: str) -> list[str]:
        """Source symbols of a text that a person types; ValueError says what is allowed."""

    @abstractmethod
    def source_text(self, ids: Ids) -> str:
        """A source as a person reads it."""

    @abstractmethod
    def target_text(self, streams: Sequence[Ids], source: Ids) -> str:
        """An output or reference, one id array a stream, as a person reads it."""

    @abstractmethod
    def score(self, outputs: Outputs, split: Split) -> dict[str, float]:
        """Scores of outputs for a split's examples, in its order; contains `metric`."""

    def encode(self, text: str) -> Ids:
        """Source ids of a text that a person types."""
        return self.source.encode(self.tokenize(text))

    def single(self, source: Ids) -> Split:
        """One source without a known target, as a split: targets are empty, or all of label 0."""
        target = np.zeros(len(source) if self.facts.tagging else 0, dtype=np.int32)
        return Split(
            Ragged.of([source]), tuple(Ragged.of([target]) for _ in self.facts.target_sizes)
        )

    def digest(self) -> str:
        """A hash of all that is learned from, told to a model, or scored against."""
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
