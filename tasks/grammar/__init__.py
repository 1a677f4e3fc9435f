"""A synchronous grammar: English sentences with their Chinese, both rendered from one tree.

It probes translation where the right word depends on context: "not" is 不 or 没, "play" is 弹, 踢
or 打, "old" is 老, 旧 or 大, "two" is 两 or 二. 了 stands after the verb or at the end, and time
and place stand before the verb. It was written for this suite: its Chinese is regular, and every
English sentence has exactly one translation. English sentences have 2 to 26 words (half of them 8
or fewer), Chinese ones 4 to 35 characters (half of them 12 or fewer).

    The teacher did not buy three books in Beijing yesterday.
    老师昨天没在北京买三本书。

The modules, from words to sentences:

- words: kinds of word, tables of words in both languages, numbers;
- drawing: random choices; phrases, times: noun phrases, times and places;
- clauses: a Clause holds who does what, when and where, and has a renderer for each language;
- people, things, predicates, actions: draw subjects, objects, predicates and whole clauses;
- statements, questions, relative_clauses, being, comparisons, ba_bei, joined, quantities: draw
  sentences of one construction; constructions lists all of them with their shares;
- splits: makes a corpus of distinct sentences, one split with unseen word combinations.

A function whose name starts with draw_ chooses at random, by the Draw that it is given.

Importing this package builds tables of several thousand phrases, so `tasks` imports it only where
it is used.
"""

from __future__ import annotations

from tasks.grammar.clauses import (
    ALREADY,
    EVER,
    FUTURE,
    HABIT,
    MUST,
    NEED,
    PAST,
    PLAN,
    PROGRESSIVE,
    SKILL,
    WANT,
    WEARING,
    Clause,
    Pair,
    Predicate,
    Words,
    chinese,
    choice,
    english,
    question,
    statement,
)
from tasks.grammar.constructions import CONSTRUCTIONS, construct, count, draw_pair, sample
from tasks.grammar.drawing import Draw
from tasks.grammar.phrases import BARE, OWN, PRONOUNS, THAT, THIS, Determiner, noun_phrase
from tasks.grammar.splits import corpus, held_out, word_types
from tasks.grammar.words.numbers import chinese_number, counted, english_number

__all__ = [
    "ALREADY",
    "BARE",
    "CONSTRUCTIONS",
    "EVER",
    "FUTURE",
    "HABIT",
    "MUST",
    "NEED",
    "OWN",
    "PAST",
    "PLAN",
    "PROGRESSIVE",
    "PRONOUNS",
    "SKILL",
    "THAT",
    "THIS",
    "WANT",
    "WEARING",
    "Clause",
    "Determiner",
    "Draw",
    "Pair",
    "Predicate",
    "Words",
    "chinese",
    "chinese_number",
    "choice",
    "construct",
    "corpus",
    "count",
    "counted",
    "draw_pair",
    "english",
    "english_number",
    "held_out",
    "noun_phrase",
    "question",
    "sample",
    "statement",
    "word_types",
]
