"""Reads language codes, and decides by language and script how text is cut and scored.

Codes are those of ISO 639, in two or three letters, with a script where it is not the usual one:
de, deu, zh, sr_Latn; und stands for a language that is not known. `langcodes` reads them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import regex

UNKNOWN_LANGUAGE = "und"
"""The ISO 639 code of a language that is not known."""
_SCRIPT_PARTS = {
    "Hans": ("Hani",),
    "Hant": ("Hani",),
    "Jpan": ("Hani", "Hira", "Kana"),
    "Kore": ("Hang",),
    "Hrkt": ("Hira", "Kana"),
}
"""Scripts of which a script of `langcodes` is made, where it is not one of Unicode's."""
_WITHOUT_SPACES = frozenset("Hans Hant Hani Jpan Thai Laoo Khmr Mymr Tibt Lana Talu Java".split())
"""Scripts whose words are not separated by spaces."""
_TOLD_BY_SCRIPT = {
    "Hira": "ja",
    "Kana": "ja",
    "Hani": "zh",
    "Hang": "ko",
    "Thai": "th",
    "Laoo": "lo",
    "Khmr": "km",
    "Mymr": "my",
    "Tibt": "bo",
    "Grek": "el",
    "Hebr": "he",
    "Geor": "ka",
    "Armn": "hy",
    "Taml": "ta",
    "Telu": "te",
    "Knda": "kn",
    "Mlym": "ml",
    "Gujr": "gu",
    "Sinh": "si",
}
"""Scripts that one language of many speakers is written in; kana decides between ja and zh."""
_SEVERAL_LANGUAGES = ("Latn", "Cyrl", "Arab", "Deva", "Beng", "Ethi")
"""Scripts that many languages share."""
_LEAST_SHARE = 0.3
"""Share of letters in a language's script below which a text is not in that language."""
_KANA_SHARE = 0.02
"""Share of kana from which a text is guessed to be Japanese."""
_JAPANESE_SHARE = 0.2
"""Share of kana from which a text is surely not Chinese."""


class Languages(NamedTuple):
    """Holds the languages of a corpus, as codes."""

    source: str
    target: str

    @property
    def text(self) -> str:
        """The languages as they are written: de-en."""
        return f"{self.source}-{self.target}"


def read_languages(text: str) -> Languages:
    """Read `de-en`; raise ValueError for anything but two language codes."""
    codes = text.strip().split("-")
    if len(codes) != 2:
        raise ValueError(
            f"the languages {text!r} are not two codes with a - between; write de-en, or "
            f"{UNKNOWN_LANGUAGE} for a language without a code"
        )
    return Languages(*(language_code(code) for code in codes))


@lru_cache(maxsize=256)
def language_code(code: str) -> str:
    """Return the shortest code of a language, with its script if that was given.

    Raises ValueError for a code that does not exist.
    """
    from langcodes import Language, standardize_tag
    from langcodes.tag_parser import LanguageTagError

    try:
        tag = standardize_tag(code.replace("_", "-"), macro=True)
        known = Language.get(tag).is_valid()
    except LanguageTagError:
        known = False
    if not known:
        raise ValueError(
            f"the language {code!r} does not exist; give a code of ISO 639 such as de, deu, zh or "
            f"sr_Latn, or {UNKNOWN_LANGUAGE} for a language without one"
        )
    return tag.replace("-", "_")


@lru_cache(maxsize=256)
def script_of(code: str) -> str:
    """Return the script that a language is usually written in, by its ISO 15924 code."""
    from langcodes import Language

    return Language.get(code.replace("_", "-")).maximize().script or "Latn"


def base_language(code: str) -> str:
    """Return a language code without its script."""
    return code.split("_")[0]


def has_spaces(code: str) -> bool:
    """Return whether a language separates its words by spaces."""
    return script_of(code) not in _WITHOUT_SPACES


def default_tokens(code: str) -> str:
    """Return the tokens that a language is cut into unless a task setting says others."""
    return "words" if has_spaces(code) else "characters"


def bleu_tokenizer(code: str) -> str:
    """Return sacrebleu's tokenizer for a target language."""
    own = {"zh": "zh", "ja": "ja-mecab", "ko": "ko-mecab"}.get(base_language(code))
    return own or ("13a" if has_spaces(code) else "char")


@lru_cache(maxsize=64)
def _pattern(script: str) -> regex.Pattern[str]:
    parts = _SCRIPT_PARTS.get(script, (script,))
    letters = "[" + "".join(rf"\p{{Script={part}}}" for part in parts) + "]"
    return regex.compile(letters + "+" * (script == "Latn"))


def letters_in(texts: Iterable[str], script: str = "") -> int:
    """Return how many letters of a script stand in the texts; of any script if none is named.

    A run of Latin letters counts as one, as Latin names stand in texts of every script.
    """
    pattern = _pattern(script) if script else regex.compile(r"\p{Script=Latn}+|\p{L}")
    return sum(len(pattern.findall(text)) for text in texts)


def guessed(texts: list[str]) -> str:
    """Return the language that the script of some texts tells, or UNKNOWN_LANGUAGE."""
    letters = letters_in(texts)
    if not letters:
        return UNKNOWN_LANGUAGE
    counts = {script: letters_in(texts, script) for script in _TOLD_BY_SCRIPT}
    if counts["Hira"] + counts["Kana"] > _KANA_SHARE * letters:
        return "ja"
    script = max(counts, key=lambda name: counts[name])
    enough = counts[script] > _LEAST_SHARE * letters
    return _TOLD_BY_SCRIPT[script] if enough else UNKNOWN_LANGUAGE


def contradicts(code: str, texts: list[str]) -> bool:
    """Return whether texts are written in another script than the language's."""
    if code == UNKNOWN_LANGUAGE:
        return False
    letters = letters_in(texts)
    if base_language(code) == "zh" and letters_in(texts, "Hrkt") > _JAPANESE_SHARE * letters:
        return True
    return letters > 0 and letters_in(texts, script_of(code)) < _LEAST_SHARE * letters


def script_name(texts: list[str]) -> str:
    """Return the name of the script that most letters of some texts are in."""
    scripts = (*_TOLD_BY_SCRIPT, *_SEVERAL_LANGUAGES)
    most = max(scripts, key=lambda script: letters_in(texts, script))
    names = {
        "Latn": "Latin",
        "Cyrl": "Cyrillic",
        "Hani": "Chinese",
        "Hira": "Japanese",
        "Kana": "Japanese",
        "Hang": "Korean",
        "Arab": "Arabic",
        "Grek": "Greek",
        "Hebr": "Hebrew",
    }
    return names.get(most, most) if letters_in(texts, most) else "no"
