"""Cuts sentences of any language into symbols, and joins symbols to sentences again.

Every tokeniser gives the sentence back when its symbols are joined; `lost` says what of it is not.
Words carry no mark, so that word vectors know them. A mark and a part of a word carry JOINER where
no space stands next to it:

    He said: "Wait."      He said ￭: "￭ Wait ￭. ￭"
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import regex

from tasks.choices import one_of
from tasks.sentences import chinese_characters, chinese_words, english_symbols, english_text

JOINER = "￭"
"""The mark of a symbol that no space separates from its neighbour."""
SUBWORD_KINDS = ("bpe", "unigram")
"""Kinds of subwords, whose tokens are written as `bpe:8000`."""
TOKENS = ("words", "characters", "jieba", "given", "treebank", "han")
"""Tokens that are not learned from the training text."""
_PIECE = regex.compile(r"(?:[\p{L}\p{M}]+(?:['’](?=\p{L})[\p{L}\p{M}]+)*)|[^ ]")
_WORD = regex.compile(r"[\p{L}\p{M}'’]+|\p{N}")


class Tokeniser(NamedTuple):
    """A way to cut sentences, and its inverse.

    cut: symbols of a sentence. join: the sentence of symbols. lost: what joining does not give
    back, in words, or "". kept: the sentence without what is lost.
    """

    name: str
    cut: Callable[[str], list[str]]
    join: Callable[[Sequence[str]], str]
    lost: str = ""
    kept: Callable[[str], str] = str


def single_spaces(text: str) -> str:
    """Return a text with one space between its parts, and none at its ends."""
    return " ".join(part for part in text.split(" ") if part)


def cut_words(text: str) -> list[str]:
    """Return words, digits and marks, JOINER where no space separates two of them."""
    symbols: list[str] = []
    for part in text.replace(JOINER, "").split(" "):
        pieces = _PIECE.findall(part)
        symbols += _joined(pieces)
    return symbols


def _joined(pieces: list[str]) -> list[str]:
    """Return the pieces of a part without spaces, with the joiners between them.

    A word carries a joiner only next to a word or a digit.
    """
    words = [_WORD.fullmatch(piece) is not None for piece in pieces]
    marked = list(pieces)
    for right in range(1, len(pieces)):
        if words[right] and not words[right - 1]:
            marked[right - 1] += JOINER
        else:
            marked[right] = JOINER + marked[right]
    return marked


def join_words(symbols: Sequence[str]) -> str:
    """Join the symbols of `cut_words`."""
    text = " ".join(symbols)
    return text.replace(f"{JOINER} ", "").replace(f" {JOINER}", "").replace(JOINER, "")


def _joined_without_spaces(symbols: Sequence[str]) -> str:
    return "".join(symbols)


def _given(text: str) -> list[str]:
    return single_spaces(text).split(" ") if text.strip(" ") else []


_EXTRA_SPACES = "repeated spaces, and spaces at the ends"
_FIXED: dict[str, Tokeniser] = {
    "words": Tokeniser(
        "words",
        cut_words,
        join_words,
        f"{_EXTRA_SPACES}; the character {JOINER}",
        lambda text: single_spaces(text.replace(JOINER, "")),
    ),
    "characters": Tokeniser("characters", list, _joined_without_spaces),
    "jieba": Tokeniser("jieba", chinese_words, _joined_without_spaces),
    "han": Tokeniser("han", chinese_characters, _joined_without_spaces),
    "given": Tokeniser("given", _given, " ".join, _EXTRA_SPACES, single_spaces),
    "treebank": Tokeniser(
        "treebank",
        english_symbols,
        english_text,
        "letter case, the shape of quotes and some spaces",
        lambda text: english_text(english_symbols(text)),
    ),
}


def check_tokens(what: str, name: str) -> str:
    """Return the name of tokens if there are such; else raise ValueError. what: the setting."""
    kind, colon, size = name.partition(":")
    if not colon or kind not in SUBWORD_KINDS:
        return one_of(what, name, ("default", *TOKENS, *(f"{k}:8000" for k in SUBWORD_KINDS)))
    if not size.isascii() or not size.isdigit() or not 1 <= int(size) <= 1_000_000:
        raise ValueError(f"{what}={name} has no size; write the number of symbols, as {kind}:8000")
    return f"{kind}:{int(size)}"


def fixed_tokeniser(name: str) -> Tokeniser:
    """Return a tokeniser that is not learned."""
    return _FIXED[name]
