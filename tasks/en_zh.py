"""English to Chinese: real sentences, or ones from a small grammar. Probes all at once.

English is lower-case words, Chinese characters (tokens=words: words, as jieba cuts them).

    source   i do n't know him .
    target   我 不 认 识 他 。

corpus=grammar is generated (see grammar/) and needs no data; its split `unseen` is scored like
test. Another name is a corpus that `bench data` prepared, such as tatoeba, the sentence pairs of
tatoeba.org (CC BY 2.0 FR). A real corpus is divided by `parallel.divide`: no English and no
Chinese sentence, letter case, punctuation and spaces set aside, stands in two splits.

Training pairs with more than `longest` symbols on a side are left out; test is never cut. A
symbol that training holds fewer than `least` times is unknown. Scores are of text, against the
reference as it was before unknown symbols were replaced; an unknown symbol in an output is
written ⁇, which is in no reference. Only token_accuracy is of ids, where unknown for unknown is
right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks import sentence_pairs
from tasks.choices import at_least, one_of
from tasks.ragged import Ids, Indices, Ragged
from tasks.scoring import token_accuracy
from tasks.sentence_pairs import HELD_OUT, TextPair
from tasks.sentences import (
    UNREADABLE,
    chinese_characters,
    chinese_text,
    chinese_words,
    english_symbols,
    english_text,
)
from tasks.task import Facts, Outputs, Split, Task
from tasks.vocabulary import SPECIALS, UNKNOWN, Vocabulary

GENERATED_PAIRS = 20_000
# Of a real corpus: the BLEU that JoeyNMT reached on Tatoeba, measured at 1,465 s on one thread.
# Of the grammar nearly all is asked, for it translates every sentence in one way.
SOLVED_REAL = 25.2
SOLVED_GENERATED = 90.0
LONGEST_OUTPUT = 80
UNWORDED = frozenset((*SPECIALS, UNKNOWN))


@dataclass(frozen=True)
class Settings:
    """corpus: grammar, or the name of a prepared one. tokens: characters or words, of Chinese.
    pairs: training pairs, 0 for all there are (20,000 generated ones). longest: symbols of a
    training sentence. least: times that a known symbol stands in training. data_seed: of what
    is generated and of the division into splits."""

    corpus: str = "grammar"
    tokens: str = "characters"
    pairs: int = 0
    longest: int = 50
    least: int = 2
    data_seed: int = 0

    def __post_init__(self) -> None:
        one_of("tokens", self.tokens, ("characters", "words"))
        for name, least in (("pairs", 0), ("longest", 1), ("least", 1), ("data_seed", 0)):
            at_least(name, getattr(self, name), least)


@dataclass(frozen=True, eq=False)
class TextSplit(Split):
    """A split that also keeps its references as text, for the ids have lost unknown symbols."""

    references: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        assert len(self.references) == len(self)

    def take(self, indices: Indices) -> TextSplit:
        """The examples at these indices, in this order."""
        chosen = super().take(indices)
        texts = tuple(self.references[int(index)] for index in indices)
        return TextSplit(chosen.source, chosen.targets, texts)


class EnZh(Task):
    """See the head of this file. signatures: sacrebleu's own, known once something was scored."""

    metric = "bleu"

    def __init__(self, settings: Settings, data: Path | None = None) -> None:
        random = np.random.default_rng([settings.data_seed, 4])
        if settings.corpus == "grammar":
            texts = _generated(random, settings.pairs)
            self.solved_at = SOLVED_GENERATED
        else:
            texts = sentence_pairs.divide(sentence_pairs.read(settings.corpus, data), random)
            self.solved_at = SOLVED_REAL
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
        """An English sentence; words that training lacks become unknown."""
        symbols = english_symbols(text)
        if not symbols:
            raise ValueError(f"{text!r} has no words; give an English sentence")
        return symbols

    def source_text(self, ids: Ids) -> str:
        return english_text(_readable(self.source, ids))

    def target_text(self, streams: Sequence[Ids], source: Ids) -> str:
        return chinese_text(_readable(self.target, streams[0]))

    def score(self, outputs: Outputs, split: Split) -> dict[str, float]:
        """BLEU (sacrebleu's Chinese tokens) and chrF2 of the whole split, 0 to 100; shares of
        texts that equal their reference and of right tokens, 0 to 1."""
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF

        assert isinstance(split, TextSplit), "a split of another task"
        texts = [chinese_text(_readable(self.target, ids)) for ids in outputs[0]]
        references = split.references
        bleu, chrf = BLEU(tokenize="zh"), CHRF()
        scores = {
            "bleu": bleu.corpus_score(texts, [references]).score,
            "chrf": chrf.corpus_score(texts, [references]).score,
            "exact_match": sum(map(str.__eq__, texts, references)) / len(references),
            "token_accuracy": token_accuracy(outputs[0], split.targets[0]),
        }
        # A signature tells the number of references, so it is complete only now.
        signatures = {"bleu": bleu.get_signature(), "chrf": chrf.get_signature()}
        self.signatures = {name: signature.format() for name, signature in signatures.items()}
        return scores

    def digest(self) -> str:
        """Of the references too, which are scored against as text."""
        state = hashlib.blake2b(super().digest().encode(), digest_size=16)
        for name in sorted(self.splits):
            state.update("\n".join((name, *self.splits[name].references)).encode())
        return state.hexdigest()


@dataclass(frozen=True)
class _Cut:
    """A pair as symbols; reference: the Chinese sentence as scored against."""

    english: list[str]
    chinese: list[str]
    reference: str


def facts_of(source: Vocabulary, target: Vocabulary, longest: int) -> Facts:
    """longest: symbols of the longest training target."""
    return Facts(
        source_size=len(source),
        target_sizes=(len(target),),
        length_limit=min(longest + 10, LONGEST_OUTPUT),
    )


def _generated(random: np.random.Generator, pairs: int) -> dict[str, list[TextPair]]:
    """Splits of the grammar; of GENERATED_PAIRS fewer are taken later.

    So fewer training pairs leave valid, test and unseen as they are, and unseen, whose words all
    stand in training, can be drawn at all.
    """
    from tasks import grammar  # its tables of phrases are made on import

    splits = grammar.corpus(random, max(pairs, GENERATED_PAIRS), HELD_OUT, HELD_OUT)
    return {
        name: [TextPair(pair.english, pair.chinese) for pair in pairs]
        for name, pairs in splits.items()
    }


def cut_pairs(pairs: Iterable[TextPair], cut: Callable[[str], list[str]]) -> list[_Cut]:
    """Both sides as symbols. cut: of Chinese."""
    return [_Cut(english_symbols(en), cut(zh), zh) for en, zh in pairs]


def _kept(cuts: list[_Cut], settings: Settings) -> list[_Cut]:
    """The training pairs that are short enough, and of those as many as were asked for."""
    longest = settings.longest
    kept = [c for c in cuts if len(c.english) <= longest and len(c.chinese) <= longest]
    if not kept or settings.pairs > len(kept):
        raise ValueError(
            f"pairs={settings.pairs or 'all'} was asked for, but {settings.corpus} has "
            f"{len(kept)} training pairs of at most {longest} symbols; ask for fewer or longer"
        )
    return kept[: settings.pairs or None]


def _readable(vocabulary: Vocabulary, ids: Ids) -> list[str]:
    """Symbols; UNREADABLE for unknown ones, and for the specials that a model should not give."""
    return [UNREADABLE if s in UNWORDED else s for s in vocabulary.decode(ids)]
