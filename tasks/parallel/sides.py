"""Treats one side of a corpus: normalises its sentences, cuts them, and writes symbols as text."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tasks.choices import one_of
from tasks.parallel.languages import base_language, default_tokens
from tasks.parallel.subwords import Subwords, learned
from tasks.parallel.tokenisers import Tokeniser, check_tokens, fixed_tokeniser
from tasks.ragged import Ids
from tasks.sentences import UNKNOWN_MARK, normalise_chinese
from tasks.vocabulary import SPECIALS, UNK, UNKNOWN, Vocabulary

CASES = ("kept", "lower")
"""Settings of letter case."""
NORMALS = ("none", "chinese", "simplified")
"""Settings of normalisation; the last two are for Chinese."""


@dataclass(frozen=True)
class SideSettings:
    """Settings of one side of a corpus.

    language: a code. tokens: what it is cut into, `default` for what the language decides. case:
    kept or lower. normal: none, chinese (punctuation and spaces written one way) or simplified
    (that, and simplified script by OpenCC).
    """

    language: str
    tokens: str = "default"
    case: str = "kept"
    normal: str = "none"

    @property
    def cut_into(self) -> str:
        """The tokens, with the language's own for the default."""
        return default_tokens(self.language) if self.tokens == "default" else self.tokens


def check_side(side: str, tokens: str, case: str, normal: str) -> None:
    """Raise ValueError for settings of a side that do not exist. side: source or target."""
    check_tokens(f"{side}_tokens", tokens)
    one_of(f"{side}_case", case, CASES)
    one_of(f"{side}_normal", normal, NORMALS)


@dataclass(frozen=True)
class Cutter:
    """Cuts the sentences of one side.

    normal: the normal form of a sentence. subwords: a learned model, or None.
    """

    tokeniser: Tokeniser
    normal: Callable[[str], str]
    subwords: Subwords | None = None

    def symbols(self, sentence: str) -> list[str]:
        """Return the symbols of a sentence."""
        return self.tokeniser.cut(self.normal(sentence))

    def vocabulary(self, cuts: Iterable[list[str]], least: int, most: int) -> Vocabulary:
        """Return the vocabulary of some training sentences.

        Args:
            cuts: Their symbols.
            least: A symbol that occurs fewer times is unknown.
            most: The largest number of symbols; 0 for any.

        Learned subwords have a vocabulary of their own.
        """
        if self.subwords is not None:
            return Vocabulary((*SPECIALS, UNKNOWN, *self.subwords.symbols))
        counted = Vocabulary.counted(cuts, least)
        return Vocabulary(counted.symbols[: UNK + 1 + most]) if most else counted


@dataclass(frozen=True)
class Side:
    """One side of a corpus: how it is cut, and its vocabulary."""

    cutter: Cutter
    vocabulary: Vocabulary

    def encode(self, symbols: Sequence[str]) -> Ids:
        """Return the ids of symbols; of an empty sentence, the id of one unknown symbol."""
        return self.vocabulary.encode(symbols or [UNKNOWN])

    def text(self, ids: Iterable[int]) -> str:
        """Return ids as a sentence, UNKNOWN_MARK for what stands for no text."""
        symbols = self.vocabulary.symbols
        return self.cutter.tokeniser.join(
            [symbols[int(i)] if int(i) > UNK else UNKNOWN_MARK for i in ids]
        )


def normaliser(settings: SideSettings, what: str) -> Callable[[str], str]:
    """Return the function that normalises a side's sentences.

    what: the side's name in settings. Raises ValueError for Chinese rules on another language.
    """
    if settings.normal != "none" and base_language(settings.language) not in ("zh", "und"):
        raise ValueError(
            f"{what}_normal={settings.normal} is for Chinese, and the {what} is "
            f"{settings.language}; leave it out"
        )
    steps: list[Callable[[str], str]] = [lambda text: unicodedata.normalize("NFC", text)]
    if settings.normal != "none":
        steps.append(normalise_chinese)
    if settings.normal == "simplified":
        steps.append(_simplify())
    if settings.case == "lower":
        steps.append(str.lower)

    def normal(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return normal


@lru_cache(maxsize=1)
def _simplify() -> Callable[[str], str]:
    try:
        import opencc
    except ImportError:
        raise ValueError(
            "simplified script needs OpenCC; install it with: pip install 'seq2seq-bench[zh]'"
        ) from None
    convert: Callable[[str], str] = opencc.OpenCC("t2s").convert
    return convert


def make_cutter(
    settings: SideSettings, what: str, train: Sequence[str], folder: Path | None
) -> Cutter:
    """Return what cuts a side, learned from its training sentences where it is learned.

    Args:
        settings: Of the side.
        what: source or target.
        train: Training sentences, as they were given.
        folder: The folder of the corpus, where learned subwords are kept.

    Raises:
        ValueError: The settings do not suit the language, or a library is missing.
    """
    normal = normaliser(settings, what)
    name = settings.cut_into
    if ":" not in name:
        return Cutter(fixed_tokeniser(name), normal)
    subwords = learned(name, [normal(sentence) for sentence in train], folder)
    return Cutter(subwords.tokeniser, normal, subwords)
