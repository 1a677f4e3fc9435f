"""Proves that every tokeniser gives a sentence back, but for what it says is lost.

On generated text of many scripts, and on Multi30k and Tatoeba where they are.
"""

from __future__ import annotations

import gzip
import importlib.util
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.parallel.subwords import learned
from tasks.parallel.tokenisers import (
    JOINER,
    TOKENS,
    check_tokens,
    cut_words,
    fixed_tokeniser,
    join_words,
)

timeless = settings(deadline=None)
SCRIPTS = (
    "abcÄÖß Łódź I'm don’t „“»« -,.!?\"()[]'1234５ №",
    "Привет, мир! ёж",
    "我爱New York的3。，！？“”《》　",
    "日本語のテキストです。カタカナ",
    "한국어 문장, 입니다.",
    "สวัสดีครับ ภาษาไทย",
    "नमस्ते दुनिया क्या है",
    "السلام عليكم؟ ًٌٍ",
    "\u200b\u00a0\ufeff\u0301😀🇨🇳👨‍👩‍👧 ￭▁⁇\t",
)
words_of_scripts = st.lists(
    st.sampled_from(SCRIPTS).flatmap(lambda script: st.text(st.sampled_from(script), max_size=12)),
    max_size=6,
).map("".join)
anything = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=30
)
sentences = st.one_of(words_of_scripts, anything)
NAMES = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            name == "jieba" and importlib.util.find_spec("jieba") is None,
            reason="jieba is not installed",
        ),
    )
    for name in TOKENS
]


@pytest.mark.parametrize("name", NAMES)
@timeless
@given(text=sentences)
def test_joining_gives_back_what_is_kept(name: str, text: str) -> None:
    tokeniser = fixed_tokeniser(name)
    symbols = tokeniser.cut(text)
    assert all(symbols), "an empty symbol"
    assert tokeniser.join(symbols) == tokeniser.kept(text)


@pytest.mark.parametrize("name", [name for name in TOKENS if name != "treebank"])
@timeless
@given(text=sentences)
def test_nothing_is_lost_beyond_what_is_said(name: str, text: str) -> None:
    tokeniser = fixed_tokeniser(name)
    kept = tokeniser.kept(text)
    assert kept == text or tokeniser.lost
    bare = text.replace(JOINER, "") if JOINER in tokeniser.lost else text
    assert kept.replace(" ", "") == bare.replace(" ", "")


def test_words_carry_no_mark() -> None:
    text = 'He said: "Wait, I\'m 16."'
    symbols = cut_words(text)
    assert symbols == ["He", "said", "￭:", '"￭', "Wait", "￭,", "I'm", "1", "￭6", "￭.", '￭"']
    assert join_words(symbols) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ein Mann, der läuft.", 6),
        ("Über-Größe", 3),
        ("क्या है", 2),
        ("a.b", 3),
        ("1,200", 5),
        ("", 0),
    ],
)
def test_words_of_other_languages(text: str, words: int) -> None:
    assert len(cut_words(text)) == words


TRAINING = ["Ein Mann läuft .", "Eine Frau läuft schnell .", "Zwei Hunde spielen ."] * 30


@pytest.mark.parametrize("name", ["bpe:300", "unigram:282"])
def test_subwords_give_back_any_text(name: str, tmp_path: Path) -> None:
    subwords = learned(name, TRAINING, tmp_path)
    tokeniser = subwords.tokeniser

    @timeless
    @given(text=sentences)
    def check(text: str) -> None:
        symbols = tokeniser.cut(text)
        assert set(symbols) <= set(subwords.symbols)
        assert tokeniser.join(symbols) == tokeniser.kept(text)

    check()
    assert len(tokeniser.cut("Ein Mann läuft .")) < len("Ein Mann läuft .")


def test_learned_subwords_are_kept_and_read_again(tmp_path: Path) -> None:
    first = learned("bpe:300", TRAINING, tmp_path)
    (kept,) = (tmp_path / "subwords").iterdir()
    before = kept.stat().st_mtime_ns
    assert learned("bpe:300", TRAINING, tmp_path).digest == first.digest
    assert kept.stat().st_mtime_ns == before
    assert learned("bpe:300", TRAINING, None).digest == first.digest
    kept.write_bytes(kept.read_bytes()[:-3])  # a damaged one is learned again
    assert learned("bpe:300", TRAINING, tmp_path).digest == first.digest
    assert learned("bpe:300", [*TRAINING, "Ein Hund ."], tmp_path).digest != first.digest


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bpe:8000", "gives at most .* symbols; give a smaller size"),
        ("bpe:20", "give a larger size"),
        ("unigram:8000", "give a smaller size"),
    ],
)
def test_a_size_that_does_not_suit_is_refused(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"{name} cannot be learned .*{said}"):
        learned(name, TRAINING, None)


@pytest.mark.parametrize("name", ["word", "bpe", "bpe:", "bpe:many", "bpe:0", "wordpiece:8000"])
def test_tokens_that_do_not_exist_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"source_tokens"):
        check_tokens("source_tokens", name)


def real_sentences() -> list[str]:
    """Return sentences of German, English and Chinese, as their files have them."""
    data = Path(os.environ["BENCH_DATA"])
    found: list[str] = []
    for file in ("train.de.gz", "train.en.gz"):
        with gzip.open(data / "multi30k" / file, "rt", encoding="utf-8") as stream:
            found += [line.rstrip("\n") for line in stream][:5_000]
    with zipfile.ZipFile(data / "tatoeba" / "cmn-eng.zip") as archive:
        lines = archive.read("cmn.txt").decode("utf-8").split("\n")[::10]
    return found + [text for line in lines if line for text in line.split("\t")[:2]]


@pytest.mark.skipif("BENCH_DATA" not in os.environ, reason="BENCH_DATA is not set")
@pytest.mark.parametrize("name", [*NAMES, "bpe:4000", "unigram:4000"])
def test_real_sentences_come_back(name: str) -> None:
    found = real_sentences()
    tokeniser = learned(name, found, None).tokeniser if ":" in name else fixed_tokeniser(name)
    changed = 0
    for text in found:
        assert tokeniser.join(tokeniser.cut(text)) == tokeniser.kept(text)
        changed += tokeniser.kept(text) != text
    if name != "treebank":
        assert changed < 0.01 * len(found)
