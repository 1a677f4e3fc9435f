"""English to Chinese: real sentences, or sentences of a small grammar. Probes all skills at once.

English is cut into lower-case words, Chinese into characters (tokens=words: words, by jieba).

    source   i do n't know him .
    target   我 不 认 识 他 。

corpus=grammar is generated (see grammar/) and needs no data; its split `unseen` is scored like
test. Any other name is a corpus that `bench data` prepared, such as tatoeba, the sentence pairs of
tatoeba.org (CC BY 2.0 FR). A real corpus is divided by `sentence_pairs.divide`: no English and no
Chinese sentence is in two splits, whatever its letter case, punctuation and spaces. A corpus of
one's own becomes the task `pairs` with these tokens (see `tasks/translation.py`).

Training pairs with more than `longest` symbols on either side are left out; test is never cut. A
symbol that occurs fewer than `least` times in training is unknown. Scores are computed on text,
against the reference before unknown symbols were replaced. An unknown symbol in an output is
written as ⁇, which no reference contains. Only token_accuracy is computed on ids, where unknown
matches unknown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks import sentence_pairs
from tasks.choices import at_least, between, one_of
from tasks.parallel.scores import Scorer
from tasks.ragged import Ids, Indices, Ragged
from tasks.scoring import Statistics, token_accuracy, token_statistics
from tasks.sentence_pairs import HELD_OUT_PAIRS, TextPair
from tasks.sentences import (
    UNKNOWN_MARK,
    chinese_characters,
    chinese_text,
    chinese_words,
    english_symbols,
    english_text,
)
from tasks.task import Facts, Outputs, Split, Task
from tasks.vocabulary import SPECIALS, UNKNOWN, Vocabulary

GENERATED_PAIRS = 20_000
"""Number of training pairs that are generated, unless more are asked for."""
SOLVED_REAL = 25.2
"""Target BLEU on Tatoeba, which JoeyNMT reached after 1,465 s of training on one thread."""
TATOEBA = "tatoeba"
"""The real corpus that has a target."""
SOLVED_GENERATED = 90.0
"""Target BLEU on the grammar, which translates every sentence in one way only."""
LONGEST_OUTPUT = 80
"""Largest number of symbols that are decoded."""
UNWRITTEN_SYMBOLS = frozenset((*SPECIALS, UNKNOWN))
"""Symbols that stand for no text."""


@dataclass(frozen=True)
class Settings:
    """Settings of the task, with their defaults.

    corpus: grammar, or the name of a prepared corpus. tokens: characters or words, for Chinese.
    pairs: training pairs; 0 means all there are (20,000 for the grammar). longest: maximum number
    of symbols in a training sentence. least: minimum number of occurrences of a known symbol.
    data_seed: seed of the generated sentences and of the division into splits.
    """

    corpus: str = "grammar"
    tokens: str = "characters"
    pairs: int = 0
    longest: int = 50
    least: int = 2
    data_seed: int = 0

    def __post_init__(self) -> None:
        one_of("tokens", self.tokens, ("characters", "words"))
        between("pairs", self.pairs, 0)
        for name, least in (("longest", 1), ("least", 1), ("data_seed", 0)):
            at_least(name, getattr(self, name), least)


@dataclass(frozen=True, eq=False)
class TextSplit(Split):
    """A split that also keeps its references as text, since ids have lost unknown symbols."""

    references: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        assert len(self.references) == len(self)

    def take(self, indices: Indices) -> TextSplit:
        """Return the examples at these indices, in this order."""
        chosen = super().take(indices)
        texts = tuple(self.references[int(index)] for index in indices)
        return TextSplit(chosen.source, chosen.targets, texts)


class EnZh(Task):
    """The translation task; the head of this file describes it.

    signatures: sacrebleu's signatures, known once something was scored.
    """

    metric = "bleu"

    def __init__(self, settings: Settings, data: Path | None = None) -> None:
        random = np.random.default_rng([settings.data_seed, 4])
        if settings.corpus == "grammar":
            texts = _generated(random, settings.pairs)
            self.solved_at = SOLVED_GENERATED
        else:
            texts = sentence_pairs.divide(sentence_pairs.read(settings.corpus, data), random)
            self.solved_at = SOLVED_REAL if settings.corpus == TATOEBA else None
        cut = chinese_characters if settings.tokens == "characters" else chinese_words
        cuts = {name: cut_pairs(pairs, cut) for name, pairs in texts.items()}
        cuts["train"] = _kept(cuts["train"], settings)
        self.source = Vocabulary.counted((s.english for s in cuts["train"]), settings.least)
        self.target = Vocabulary.counted((s.chinese for s in cuts["train"]), settings.least)
        self.splits: dict[str, TextSplit] = {n: self._indexed(c) for n, c in cuts.items()}
        longest = self.splits["train"].targets[0].longest
        self.facts = facts_of(self.source, self.target, longest)

    def _indexed(self, cuts: Sequence[_Cut]) -> TextSplit:
        return TextSplit(
            Ragged.of(self.source.encode(cut.english) for cut in cuts),
            (Ragged.of(self.target.encode(cut.chinese) for cut in cuts),),
            tuple(cut.reference for cut in cuts),
        )

    def tokenize(self, text: str) -> list[str]:
        """Return the words of an English sentence; words not in training become unknown."""
        symbols = english_symbols(text)
        if not symbols:
            raise ValueError(f"{text!r} has no words; give an English sentence")
        return symbols

    def source_text(self, ids: Ids) -> str:
        return english_text(_readable(self.source, ids))

    def target_text(self, streams: Sequence[Ids], source: Ids) -> str:
        return chinese_text(_readable(self.target, streams[0]))

    def score(self, outputs: Outputs, split: Split) -> dict[str, float]:
        """Return BLEU, chrF2, exact match and token accuracy of a whole split.

        BLEU (with sacrebleu's Chinese tokens) and chrF2 are between 0 and 100, the other two
        between 0 and 1.
        """
        assert isinstance(split, TextSplit), "a split of another task"
        texts = [chinese_text(_readable(self.target, ids)) for ids in outputs[0]]
        scores = self.score_texts(texts, [(reference,) for reference in split.references])
        return {**scores, "token_accuracy": token_accuracy(outputs[0], split.targets[0])}

    def statistics(self, outputs: Outputs, split: Split) -> dict[str, Statistics]:
        """Return the counts of each example behind the scores of `score`."""
        assert isinstance(split, TextSplit), "a split of another task"
        texts = [chinese_text(_readable(self.target, ids)) for ids in outputs[0]]
        found = Scorer("zh", "").statistics(texts, self.references(split))
        return {**found, "token_accuracy": token_statistics(outputs[0], split.targets[0])}

    def references(self, split: Split) -> list[tuple[str, ...]]:
        """Return the references as text, before unknown symbols were replaced."""
        assert isinstance(split, TextSplit), "a split of another task"
        return [(reference,) for reference in split.references]

    @property
    def bleu_tokens(self) -> str:
        """sacrebleu's tokenizer of the target language."""
        return "zh"

    def score_texts(
        self, outputs: Sequence[str], references: Sequence[tuple[str, ...]]
    ) -> dict[str, float]:
        """Return BLEU, chrF2 and exact match."""
        scores, self.signatures = Scorer("zh", "").scores(outputs, references)
        return scores

    def digest(self) -> str:
        """Return a hash that covers the references too, as they are scored as text."""
        state = hashlib.blake2b(super().digest().encode(), digest_size=16)
        for name in sorted(self.splits):
            state.update("\n".join((name, *self.splits[name].references)).encode())
        return state.hexdigest()


@dataclass(frozen=True)
class _Cut:
    """A pair as symbols. reference: the Chinese sentence that outputs are scored against."""

    english: list[str]
    chinese: list[str]
    reference: str


def facts_of(source: Vocabulary, target: Vocabulary, longest: int) -> Facts:
    """Return the facts for a builder. longest: symbols of the longest training target."""
    return Facts(
        source_size=len(source),
        target_sizes=(len(target),),
        length_limit=min(longest + 10, LONGEST_OUTPUT),
    )


def _generated(random: np.random.Generator, pairs: int) -> dict[str, list[TextPair]]:
    """Generate the splits of the grammar, with at least GENERATED_PAIRS training pairs.

    If fewer are wanted, the rest is dropped later. So valid, test and unseen are the same for every
    number of training pairs, and unseen, whose words all occur in training, can always be drawn.
    """
    from tasks import grammar  # its tables of phrases are made on import

    splits = grammar.corpus(random, max(pairs, GENERATED_PAIRS), HELD_OUT_PAIRS, HELD_OUT_PAIRS)
    return {
        name: [TextPair(pair.english, pair.chinese) for pair in pairs]
        for name, pairs in splits.items()
    }


def cut_pairs(pairs: Iterable[TextPair], cut: Callable[[str], list[str]]) -> list[_Cut]:
    """Cut both sides of every pair into symbols. cut: the function for Chinese."""
    return [_Cut(english_symbols(en), cut(zh), zh) for en, zh in pairs]


def _kept(cuts: list[_Cut], settings: Settings) -> list[_Cut]:
    """Return the training pairs that are short enough, as many of them as were asked for."""
    longest = settings.longest
    kept = [c for c in cuts if len(c.english) <= longest and len(c.chinese) <= longest]
    if not kept or settings.pairs > len(kept):
        raise ValueError(
            f"pairs={settings.pairs or 'all'} was asked for, but {settings.corpus} has "
            f"{len(kept)} training pairs of at most {longest} symbols; ask for fewer or longer"
        )
    return kept[: settings.pairs or None]


def _readable(vocabulary: Vocabulary, ids: Ids) -> list[str]:
    """Return symbols for people to read.

    UNKNOWN_MARK stands for unknown symbols, and for special ones, which a model should not output.
    """
    return [UNKNOWN_MARK if s in UNWRITTEN_SYMBOLS else s for s in vocabulary.decode(ids)]
