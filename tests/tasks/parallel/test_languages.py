"""Proves that languages are read by their codes, told by their script, and decide tokens."""

from __future__ import annotations

import pytest

from tasks.parallel.languages import (
    Languages,
    bleu_tokenizer,
    contradicts,
    default_tokens,
    guessed,
    read_languages,
    script_name,
)

TEXTS = {
    "de": ["Ein Mann läuft.", "Die Straße ist naß."],
    "zh": ["他16岁了。", "我住在New York 3。"],
    "ja": ["議会は東京にある。", "彼は学生です。"],
    "ko": ["나는 학생입니다."],
    "th": ["ฉันเป็นนักเรียน"],
    "ru": ["Я студент."],
    "el": ["Είμαι φοιτητής."],
    "he": ["אני סטודנט."],
    "hi": ["मैं छात्र हूँ"],
}


@pytest.mark.parametrize(
    ("text", "languages"),
    [
        ("de-en", ("de", "en")),
        (" eng-cmn ", ("en", "zh")),
        ("deu-und", ("de", "und")),
        ("sr_Latn-en", ("sr_Latn", "en")),
    ],
)
def test_codes_of_iso_639(text: str, languages: tuple[str, str]) -> None:
    assert read_languages(text) == Languages(*languages)


@pytest.mark.parametrize("text", ["", "de", "de-en-fr", "de en", "german-english", "xx-en", "-"])
def test_other_codes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"two codes|does not exist"):
        read_languages(text)


@pytest.mark.parametrize("code", TEXTS)
def test_the_script_tells_a_language_or_none(code: str) -> None:
    shared = {"de", "ru", "hi"}  # scripts of many languages
    assert guessed(TEXTS[code]) == ("und" if code in shared else code)


@pytest.mark.parametrize("said", TEXTS)
@pytest.mark.parametrize("code", TEXTS)
def test_another_script_contradicts(said: str, code: str) -> None:
    # Japanese is written in Chinese characters too, but Chinese in no kana
    kin = (said, code) == ("ja", "zh")
    assert contradicts(said, TEXTS[code]) == (said != code and not kin)


def test_nothing_contradicts_an_unknown_language_or_no_letters() -> None:
    assert not contradicts("und", TEXTS["th"])
    assert not contradicts("de", ["1 2 3", "..."])


@pytest.mark.parametrize(
    ("code", "tokens", "bleu"),
    [
        ("de", "words", "13a"),
        ("zh", "characters", "zh"),
        ("zh_Hant", "characters", "zh"),
        ("ja", "characters", "ja-mecab"),
        ("ko", "words", "ko-mecab"),
        ("th", "characters", "char"),
        ("km", "characters", "char"),
        ("und", "words", "13a"),
        ("hi", "words", "13a"),
    ],
)
def test_a_language_decides_tokens_and_scorer(code: str, tokens: str, bleu: str) -> None:
    assert default_tokens(code) == tokens
    assert bleu_tokenizer(code) == bleu


def test_scripts_have_names() -> None:
    names = [script_name(texts) for texts in (TEXTS["de"], TEXTS["zh"], TEXTS["ru"], ["1"])]
    assert names == ["Latin", "Chinese", "Cyrillic", "no"]
