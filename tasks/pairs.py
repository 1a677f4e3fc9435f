"""Translation between any two languages: parallel text of one's own, or generated English-Chinese.

    source   Zwei Männer spielen Schach .
    target   Two men are playing chess .

corpus=grammar is generated and needs no data; any other name is a corpus of `bench data add`. Its
languages decide how each side is cut (words; characters where a script has no spaces) and how
outputs are scored; settings override that. Nothing is normalised unless a setting asks for it, but
for composed characters (NFC).

Scores are computed on text against the references as they were given. Valid and test are never
cut: the output limit leaves room for their longest reference. Training pairs longer than `longest`
symbols are left out, and `counts` says how many, as it says all else that is dropped or unknown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.choices import at_least, between, one_of
from tasks.parallel.counts import SideCounts, SplitCounts, one_line
from tasks.parallel.dividing import divided
from tasks.parallel.languages import Languages, bleu_tokenizer, has_spaces, read_languages
from tasks.parallel.scores import (
    BLEU_TOKENS,
    SELECTED_BY,
    Scorer,
    check_scorer,
    selecting_metric,
)
from tasks.parallel.sides import Cutter, Side, SideSettings, check_side, make_cutter
from tasks.parallel.stored import Corpus, Example, read_corpus_of
from tasks.ragged import Ids, Indices, Ragged
from tasks.scoring import Statistics, token_accuracy, token_statistics
from tasks.sentence_pairs import HELD_OUT_PAIRS
from tasks.task import Facts, Outputs, Split, Task

GRAMMAR = "grammar"
"""The corpus that is generated."""
SOLVED_GRAMMAR = 90.0
"""Target BLEU on the generated corpus, in which every sentence has one translation."""
GRAMMAR_PAIRS = 20_000
"""Number of generated training pairs, unless more are asked for."""
LONGEST_DECODED = 1_000
"""Largest number of symbols that are decoded; longer references are counted."""
ROOM = 10
"""Number of symbols that may be decoded beyond the longest reference."""


@dataclass(frozen=True)
class Settings:
    """Settings of the task, with their defaults.

    corpus: grammar, or the name of a corpus. direction: stored, or two languages such as en-de to
    translate the other way. source_tokens, target_tokens: words, characters, jieba, bpe:8000,
    unigram:8000, given (separated by spaces already), treebank (English as en-zh cuts it) or han
    (characters, Latin words whole); default is what the language decides. source_case,
    target_case: kept or lower. source_normal, target_normal: none, or for Chinese chinese or
    simplified. bleu_tokens: sacrebleu's tokenizer. metric: bleu, chrf or exact_match, the score
    that selects. pairs: training pairs, 0 for all. longest: maximum number of symbols in a training
    sentence. least: minimum number of occurrences of a known symbol. symbols: maximum size of a
    vocabulary that is not learned, 0 for any. data_seed: seed of generated sentences and of drawn
    splits.
    """

    corpus: str = GRAMMAR
    direction: str = "stored"
    source_tokens: str = "default"
    target_tokens: str = "default"
    source_case: str = "kept"
    target_case: str = "kept"
    source_normal: str = "none"
    target_normal: str = "none"
    bleu_tokens: str = "default"
    metric: str = "default"
    pairs: int = 0
    longest: int = 100
    least: int = 2
    symbols: int = 50_000
    data_seed: int = 0

    def __post_init__(self) -> None:
        check_side("source", self.source_tokens, self.source_case, self.source_normal)
        check_side("target", self.target_tokens, self.target_case, self.target_normal)
        one_of("bleu_tokens", self.bleu_tokens, ("default", *BLEU_TOKENS))
        one_of("metric", self.metric, ("default", *SELECTED_BY))
        if self.direction != "stored":
            read_languages(self.direction)
        between("pairs", self.pairs, 0)
        least = {"longest": 1, "least": 1, "symbols": 0, "data_seed": 0}
        for name, smallest in least.items():
            at_least(name, getattr(self, name), smallest)

    def side(self, what: str, language: str) -> SideSettings:
        """Return the settings of `source` or `target`."""
        tokens, case, normal = (
            getattr(self, f"{what}_{name}") for name in ("tokens", "case", "normal")
        )
        return SideSettings(language, tokens, case, normal)


@dataclass(frozen=True, eq=False)
class ReferencedSplit(Split):
    """A split that keeps its references as they were given, one or more for each source."""

    references: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        assert len(self.references) == len(self)

    def take(self, indices: Indices) -> ReferencedSplit:
        """Return the examples at these indices, in this order."""
        chosen = super().take(indices)
        texts = tuple(self.references[int(index)] for index in indices)
        return ReferencedSplit(chosen.source, chosen.targets, texts)


class TranslationTask(Task):
    """The task; the head of this file describes it.

    signatures: those of the scorers, known once something was scored. languages: of the source
    and the target. tokens: what each side is cut into. longest: of a training sentence. counts:
    what was kept, dropped and unknown in each split.
    """

    sampled_split = "train"
    """The split whose first pairs show what was made of the corpus."""

    def __init__(self, settings: Settings, corpus: Corpus) -> None:
        self.languages, splits = _turned(corpus, settings.direction)
        self.name = corpus.name
        self.solved_at = corpus.target
        generated = corpus.name == GRAMMAR
        leaked: dict[str, int] = {}
        if not generated:
            random = np.random.default_rng([settings.data_seed, 4])
            splits, leaked = divided(splits, random)
        sides = {
            "source": settings.side("source", self.languages.source),
            "target": settings.side("target", self.languages.target),
        }
        self.tokens = {what: side.cut_into for what, side in sides.items()}
        self.longest = settings.longest
        self._scorer = scorer_of(settings, self.languages, self.tokens["target"])
        train, cuts, too_long = self._learn(settings, sides, splits["train"], corpus.folder)
        self.metric = selecting_metric(
            settings.metric,
            [pair.references[0] for pair in train],
            has_spaces(self.languages.target),
        )
        self.source, self.target = self._source.vocabulary, self._target.vocabulary
        self.splits: dict[str, ReferencedSplit] = {"train": self._indexed(train, cuts)}
        cutters = {"source": self._source.cutter, "target": self._target.cutter}
        for name, examples in splits.items():
            if name != "train":
                cuts = [_cut(cutters, pair) for pair in examples]
                self.splits[name] = self._indexed(examples, cuts)
        longest = max(split.targets[0].longest for split in self.splits.values())
        self.facts = Facts(
            source_size=len(self.source),
            target_sizes=(len(self.target),),
            length_limit=min(longest + ROOM, LONGEST_DECODED),
        )
        dropped = corpus.dropped.get("train", corpus.dropped.get("all", {}))
        others = {f"longer than {settings.longest} symbols": too_long, **leaked}
        self.counts = self._counted({**dropped, **others}, corpus)
        self.summary = one_line(f"{self.name} {self.languages.text}", self.counts)

    def _learn(
        self,
        settings: Settings,
        sides: Mapping[str, SideSettings],
        examples: Sequence[Example],
        folder: Path | None,
    ) -> tuple[list[Example], list[tuple[list[str], list[str]]], int]:
        """Make both sides from training pairs.

        Subwords are learned from all training pairs, and symbols counted in those that are kept.
        Returns the pairs kept, their symbols, and how many pairs were too long.
        """
        texts = {
            "source": [pair.source for pair in examples],
            "target": [pair.references[0] for pair in examples],
        }
        cutters = {what: make_cutter(sides[what], what, texts[what], folder) for what in texts}
        cuts = [_cut(cutters, pair) for pair in examples]
        fits = self._fitting(cuts, settings)
        chosen = fits[: settings.pairs or None]
        kept = [cuts[place] for place in chosen]
        self._source, self._target = (
            Side(cutter, cutter.vocabulary(side, settings.least, settings.symbols))
            for cutter, side in zip(cutters.values(), zip(*kept, strict=True), strict=True)
        )
        return [examples[place] for place in chosen], kept, len(examples) - len(fits)

    def _fitting(
        self, cuts: Sequence[tuple[list[str], list[str]]], settings: Settings
    ) -> list[int]:
        """Return the places of pairs that are short enough; ValueError if there are too few."""
        fits = [place for place, cut in enumerate(cuts) if max(map(len, cut)) <= settings.longest]
        if not fits or settings.pairs > len(fits):
            raise ValueError(
                f"pairs={settings.pairs or 'all'} was asked for, but {self.name} has {len(fits)} "
                f"training pairs of at most {settings.longest} symbols; ask for fewer or longer"
            )
        return fits

    def _indexed(
        self, examples: Sequence[Example], cuts: Sequence[tuple[list[str], list[str]]]
    ) -> ReferencedSplit:
        return ReferencedSplit(
            Ragged.of(self._source.encode(source) for source, _ in cuts),
            (Ragged.of(self._target.vocabulary.encode(target) for _, target in cuts),),
            tuple(pair.references for pair in examples),
        )

    def _counted(self, dropped: Mapping[str, int], corpus: Corpus) -> dict[str, SplitCounts]:
        counts = {}
        for name, split in self.splits.items():
            reasons = dropped if name == "train" else corpus.dropped.get(name, {})
            counts[name] = SplitCounts(
                pairs=len(split),
                dropped={why: number for why, number in reasons.items() if number},
                source=SideCounts.of(split.source),
                target=SideCounts.of(split.targets[0]),
                unreachable=int((split.targets[0].lengths >= self.facts.length_limit).sum()),
            )
        return counts

    def tokenize(self, text: str) -> list[str]:
        """Return the symbols of a source sentence; those not in training become unknown."""
        symbols = self._source.cutter.symbols(text)
        if not symbols:
            raise ValueError(f"{text!r} has no symbols; give a sentence")
        return symbols

    def source_text(self, ids: Ids) -> str:
        return self._source.text(ids)

    def target_text(self, streams: Sequence[Ids], source: Ids) -> str:
        return self._target.text(streams[0])

    def score(self, outputs: Outputs, split: Split) -> dict[str, float]:
        """Return the scores of `Scorer`, and token accuracy on ids, where unknown is unknown."""
        assert isinstance(split, ReferencedSplit), "a split of another task"
        texts = [self._target.text(ids) for ids in outputs[0]]
        scores = self.score_texts(texts, split.references)
        return {**scores, "token_accuracy": token_accuracy(outputs[0], split.targets[0])}

    def statistics(self, outputs: Outputs, split: Split) -> dict[str, Statistics]:
        """Return the statistics of `Scorer`, and of token accuracy on ids."""
        assert isinstance(split, ReferencedSplit), "a split of another task"
        texts = [self._target.text(ids) for ids in outputs[0]]
        found = self._scorer.statistics(texts, split.references)
        return {**found, "token_accuracy": token_statistics(outputs[0], split.targets[0])}

    def references(self, split: Split) -> list[tuple[str, ...]]:
        """Return the references as they were given."""
        assert isinstance(split, ReferencedSplit), "a split of another task"
        return list(split.references)

    @property
    def bleu_tokens(self) -> str:
        """sacrebleu's tokenizer of the target language."""
        return self._scorer.tokens

    def score_texts(
        self, outputs: Sequence[str], references: Sequence[tuple[str, ...]]
    ) -> dict[str, float]:
        """Return the scores of `Scorer`."""
        scores, self.signatures = self._scorer.scores(outputs, references)
        return scores

    def digest(self) -> str:
        """Return a hash that covers references, learned subwords and the way of scoring."""
        state = hashlib.blake2b(super().digest().encode(), digest_size=16)
        sides = (self._source, self._target)
        state.update(repr([_cutter_digest(side.cutter) for side in sides]).encode())
        state.update(repr((self.languages, self._scorer)).encode())
        for name in sorted(self.splits):
            for texts in self.splits[name].references:
                state.update("\n".join((name, *texts, "")).encode("utf-8", "surrogatepass"))
        return state.hexdigest()


def corpus_of(settings: Settings, data: Path | None) -> Corpus:
    """Return the corpus of some settings."""
    if settings.corpus != GRAMMAR:
        return read_corpus_of(settings.corpus, data)
    from tasks import grammar  # its tables of phrases are made on import

    random = np.random.default_rng([settings.data_seed, 4])
    count = max(settings.pairs, GRAMMAR_PAIRS)
    splits = grammar.corpus(random, count, HELD_OUT_PAIRS, HELD_OUT_PAIRS)
    return Corpus(
        GRAMMAR,
        Languages("en", "zh"),
        {
            name: [Example(pair.english, (pair.chinese,)) for pair in pairs]
            for name, pairs in splits.items()
        },
        {},
        SOLVED_GRAMMAR,
    )


def _turned(corpus: Corpus, direction: str) -> tuple[Languages, dict[str, list[Example]]]:
    """Return the languages and splits of a corpus in a direction.

    Translated the other way, the first reference is the source.
    """
    if direction == "stored":
        return corpus.languages, dict(corpus.splits)
    wanted = read_languages(direction)
    if wanted == corpus.languages:
        return wanted, dict(corpus.splits)
    if wanted != Languages(corpus.languages.target, corpus.languages.source):
        raise ValueError(
            f"direction={direction} was asked for, and {corpus.name} is {corpus.languages.text}; "
            "give that, or its languages the other way round"
        )
    return wanted, {
        name: [Example(pair.references[0], (pair.source,)) for pair in pairs]
        for name, pairs in corpus.splits.items()
    }


def scorer_of(settings: Settings, languages: Languages, tokens: str) -> Scorer:
    """Return what scores outputs; ValueError if it needs what is not installed.

    tokens: what the target is cut into.
    """
    name = settings.bleu_tokens
    if name == "default":
        # tokens that are given are what is compared
        name = "none" if tokens == "given" else bleu_tokenizer(languages.target)
    check_scorer(name)
    return Scorer(name, _error_rate(tokens))


def _error_rate(tokens: str) -> str:
    """Return the error rate that suits the target's tokens, or ""."""
    return {"characters": "character_error_rate", "given": "token_error_rate"}.get(tokens, "")


def _cut(cutters: Mapping[str, Cutter], pair: Example) -> tuple[list[str], list[str]]:
    return cutters["source"].symbols(pair.source), cutters["target"].symbols(pair.references[0])


def _cutter_digest(cutter: Cutter) -> tuple[str, str]:
    return cutter.tokeniser.name, cutter.subwords.digest if cutter.subwords else ""
