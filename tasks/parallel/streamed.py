"""Translation from a corpus that is larger than memory.

Training pairs stay on disk as ids, prepared once by `bench data add --streamed`; valid and test are
text, as in every corpus. Sides are cut as the corpus was prepared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.mapped import Mapped
from tasks.pairs import (
    LONGEST_DECODED,
    ROOM,
    ReferencedSplit,
    Settings,
    TranslationTask,
    scorer_of,
)
from tasks.parallel.counts import SideCounts, SplitCounts, one_line
from tasks.parallel.languages import Languages
from tasks.parallel.sides import Cutter, Side, SideSettings, normaliser
from tasks.parallel.stored import Example, read_lines
from tasks.parallel.tokenisers import fixed_tokeniser
from tasks.ragged import Ragged
from tasks.sentence_pairs import add_again
from tasks.task import Facts, Split
from tasks.vocabulary import Vocabulary

VOCABULARY_FILE = "vocabulary.json"
"""File of the symbols of both sides, in the order of their ids."""
STREAMED_KIND = "streamed pairs"
"""The kind that about.json gives to a streamed corpus."""
HELD_OUT = ("valid", "test")
"""Splits that are kept as text."""


def fixed_cutter(settings: SideSettings, what: str) -> Cutter:
    """Return what cuts a side without having learned it.

    Raises ValueError for subwords, which would have to be learned first.
    """
    if ":" in settings.cut_into:
        raise ValueError(
            f"{settings.cut_into} is learned from the training text, which a streamed corpus does "
            "not hold in memory; choose words or characters"
        )
    return Cutter(fixed_tokeniser(settings.cut_into), normaliser(settings, what))


class StreamedTranslation(TranslationTask):
    """The translation task on a streamed corpus.

    Args:
        corpus: The name of the corpus.
        folder: The folder of the corpus.
        about: The content of its about.json.

    Raises:
        ValueError: The corpus is damaged.
    """

    sampled_split = "valid"  # training pairs have no text

    def __init__(self, corpus: str, folder: Path, about: Mapping[str, Any]) -> None:
        try:
            self._read(corpus, folder, about)
        except (OSError, KeyError, TypeError, ValueError, AssertionError) as error:
            raise ValueError(
                f"the corpus in {folder} is damaged ({error}); {add_again(corpus)}"
            ) from None

    def _read(self, corpus: str, folder: Path, about: Mapping[str, Any]) -> None:
        self.name, self.longest = corpus, int(about["longest"])
        self.languages = Languages(*map(str, about["languages"]))
        self.solved_at = None if about.get("target") is None else float(about["target"])
        self._known_digest = str(about["digest"])
        sides = {
            what: SideSettings(
                getattr(self.languages, what), side["tokens"], side["case"], side["normal"]
            )
            for what, side in about["sides"].items()
        }
        self.tokens = {what: side.cut_into for what, side in sides.items()}
        symbols = json.loads((folder / VOCABULARY_FILE).read_text(encoding="utf-8"))
        self._source, self._target = (
            Side(fixed_cutter(sides[what], what), Vocabulary(tuple(map(str, symbols[what]))))
            for what in ("source", "target")
        )
        self.source, self.target = self._source.vocabulary, self._target.vocabulary
        self._scorer = scorer_of(Settings(), self.languages, self.tokens["target"])
        self.metric = "bleu"
        train = Split(_mapped(folder, about, "source"), (_mapped(folder, about, "target"),))
        held_out = {name: self._indexed_text(folder, name) for name in HELD_OUT}
        # training compares ids only, so these pairs have no text
        self.splits = {"train": train, **held_out}  # type: ignore[dict-item]
        longest = max(split.targets[0].longest for split in self.splits.values())
        self.facts = Facts(
            len(self.source), (len(self.target),), min(longest + ROOM, LONGEST_DECODED)
        )
        self.counts = self._count(about)
        self.summary = one_line(f"{corpus} {self.languages.text}", self.counts)

    def _indexed_text(self, folder: Path, name: str) -> ReferencedSplit:
        sides = (read_lines(folder / f"{name}.{side}") for side in ("source", "target"))
        examples = [Example(source, (target,)) for source, target in zip(*sides, strict=True)]
        return ReferencedSplit(
            Ragged.of(self._source.encode(self._source.cutter.symbols(e.source)) for e in examples),
            (
                Ragged.of(
                    self._target.vocabulary.encode(self._target.cutter.symbols(e.references[0]))
                    for e in examples
                ),
            ),
            tuple(example.references for example in examples),
        )

    def _count(self, about: Mapping[str, Any]) -> dict[str, SplitCounts]:
        """Return the counts of each split; those of training were made when it was prepared."""
        counts = {
            name: SplitCounts(
                len(self.splits[name]),
                {},
                SideCounts.of(self.splits[name].source),
                SideCounts.of(self.splits[name].targets[0]),
                int((self.splits[name].targets[0].lengths >= self.facts.length_limit).sum()),
            )
            for name in HELD_OUT
        }
        source, target = (SideCounts(**about["counts"][what]) for what in ("source", "target"))
        dropped = {str(why): int(number) for why, number in about["dropped"].items() if number}
        train = SplitCounts(len(self.splits["train"]), dropped, source, target, 0)
        return {"train": train, **counts}

    def digest(self) -> str:
        """Return the digest stored when the corpus was prepared; reading it all takes minutes."""
        return self._known_digest


def _mapped(folder: Path, about: Mapping[str, Any], side: str) -> Mapped:
    known = about["counts"][side]
    return Mapped.open(folder / side, int(known["longest"]), float(known["mean"]))


def check_settings(settings: Any, allowed: Any, about: Mapping[str, Any]) -> None:
    """Raise ValueError if settings of a task differ from those that a streamed corpus takes.

    allowed: the task's defaults with this corpus.
    """
    if settings != allowed:
        sides = about.get("sides", {})
        tokens = sides.get("target", {}).get("tokens", "its own tokens")
        raise ValueError(
            f"the corpus {settings.corpus!r} is streamed, prepared with tokens={tokens} and "
            f"longest={about.get('longest')}; leave settings other than corpus out"
        )
