"""A small corpus of English and Chinese, for tests of what is done with outputs as text."""

from __future__ import annotations

from pathlib import Path

LABEL = "en-zh:corpus=small"
WHO = {"i": "我", "you": "你", "he": "他", "she": "她", "we": "我们", "tom": "汤姆"}
DO = {"see": "看见", "like": "喜欢", "know": "认识", "want": "想要", "buy": "买"}
WHAT = {"dogs": "狗", "tea": "茶", "books": "书", "the house": "这个房子", "rice": "米饭"}


def write_corpus(data: Path) -> None:
    """Write 150 pairs to a folder of corpora, of which seven come to test."""
    (data / "small").mkdir(parents=True)
    lines = [
        f"{who} {do} {what}.\t{WHO[who]}{DO[do]}{WHAT[what]}。\tmade up"
        for who in WHO
        for do in DO
        for what in WHAT
    ]
    (data / "small" / "pairs.tsv").write_text("\n".join(lines) + "\n", "utf-8")
