"""Normalises English and Chinese sentences, cuts them into symbols, and joins symbols again."""

from __future__ import annotations

import logging
import re
import unicodedata
import warnings
from collections.abc import Sequence

UNKNOWN_MARK = "⁇"
"""The mark for <unk> in a text; it is in no reference, so it is never right."""

_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad]")
_CURLY = str.maketrans("‘’‚‛“”„‟′", "''''\"\"\"\"'")

_CONTRACTED = r"'(?:s|m|re|ve|ll|d)\b"
_LETTER = r"[^\W\d_]"
_ENGLISH = re.compile(
    rf"(?:{_LETTER}\.){{2,}}"  # a.m.
    rf"|{_LETTER}+?(?=n't\b)|n't\b|{_CONTRACTED}"  # do n't, i 'm, tom 's, as in the Penn Treebank
    rf"|{_LETTER}+(?:'(?!(?:s|m|re|ve|ll|d)\b){_LETTER}+)*"  # o'clock
    r"|\d|[^\w\s]|\w"
)
# spaces that english_text removes: before a contraction or mark, within numbers, around hyphens
# and within quotes
_GLUED = (
    (re.compile(rf" (?=n't\b|{_CONTRACTED}|[.,?!;:%)])|(?<=[($]) "), ""),
    (re.compile(r"(?<=\d) (?=\d)|(?<=\d[.,:]) (?=\d)"), ""),
    (re.compile(r" - "), "-"),
    (re.compile(r'" ([^"]*) "'), r'"\1"'),
)

_HALF_WIDTH = str.maketrans(
    {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5E)} | {"　": " ", "•": "·"}
)
_FULL_WIDTH = str.maketrans("?!;()「」『』﹐﹒﹔﹕﹖﹗", "？！；（）“”‘’，。；：？！")
# characters as wide as a Chinese one, next to which a space is needless
_WIDE = (
    "\u2e80-\u303f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef“”‘’…—·\U00020000-\U0003ffff"
)
# commas and colons within numbers stay
_COMMA = re.compile(r"(?<!\d),|,(?!\d)")
_COLON = re.compile(r"(?<!\d):|:(?!\d)")
_ELLIPSIS = re.compile(r"[.。]{3,}|…+")
_STOP = re.compile(rf"(?<=[{_WIDE}])\.+")
_SPACE = re.compile(rf"\s+(?=[{_WIDE}])|(?<=[{_WIDE}])\s+")
_CHINESE = re.compile(r"[A-Za-z]+|.", re.DOTALL)


def normalise_english(text: str) -> str:
    """Compose characters, straighten quotes and collapse spaces. Letter case is kept."""
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text)).translate(_CURLY)
    return " ".join(text.split())


def normalise_chinese(text: str) -> str:
    """Make punctuation full-width, letters and digits half-width, and drop needless spaces.

    No space stays next to a wide character. NFKC would make punctuation half-width, so the changes
    are listed here instead. Quotes of any shape become “ and ”, alternating where they were
    straight. Between digits , : and . stay. Simplified and traditional script are left as they are.
    """
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    # repeated, as after a first pass a full stop may follow a wide character
    while (changed := _normalised_once(text)) != text:
        text = changed
    return text


def _normalised_once(text: str) -> str:
    """Apply every rule once."""
    text = text.translate(_HALF_WIDTH).translate(_FULL_WIDTH)
    text = _COLON.sub("：", _COMMA.sub("，", text))
    head, *rest = text.split('"')
    text = head + "".join("“”"[index % 2] + part for index, part in enumerate(rest))
    text = _SPACE.sub("", " ".join(text.split()))
    return _STOP.sub("。", _ELLIPSIS.sub("……", text))


def english_symbols(text: str) -> list[str]:
    """Cut English into lower-case words, with contractions split.

    Punctuation marks and digits stand alone, so that no number is an unknown word. Words are cut at
    hyphens for the same reason.
    """
    return _ENGLISH.findall(normalise_english(text).lower())


def english_text(symbols: Sequence[str]) -> str:
    """Join English symbols for people to read; letter case and some spacing are lost."""
    text = " ".join(symbols)
    for pattern, replacement in _GLUED:
        text = pattern.sub(replacement, text)
    return text


def chinese_characters(text: str) -> list[str]:
    """Cut Chinese into characters; the letters of a Latin word stay together.

    A space that normalisation left between two Latin words is a symbol too, so joining the symbols
    always restores the text.
    """
    return _CHINESE.findall(text)


def chinese_words(text: str) -> list[str]:
    """Cut Chinese into words by jieba; joining them restores the text.

    Raises ValueError if jieba is not installed.
    """
    try:
        with warnings.catch_warnings():
            # jieba's strings hold invalid escapes (deprecated in Python 3.11, a SyntaxWarning since
            # 3.12), and with an old setuptools it imports pkg_resources
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            warnings.filterwarnings("ignore", category=SyntaxWarning)
            warnings.filterwarnings("ignore", category=UserWarning, message="pkg_resources")
            import jieba
    except ImportError:
        raise ValueError(
            "tokens=words needs jieba; install it with: pip install 'seq2seq-bench[zh]'"
        ) from None
    jieba.setLogLevel(logging.WARNING)  # else it reports how its dictionary loads
    return list(jieba.lcut(text))


def chinese_text(symbols: Sequence[str]) -> str:
    """Join symbols without spaces: the inverse of both ways to cut."""
    return "".join(symbols)
