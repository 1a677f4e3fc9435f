"""A synchronous grammar: English sentences with their Chinese, from one tree rendered twice.

Probes translation where it needs context: "not" is 不 or 没, "play" 弹, 踢 or 打, "old" 老, 旧
or 大, "two" 两 or 二; 了 stands after the verb or at the end, time and place before the verb.
The leaves are phrases in both languages (`lexicon`, `verbs`); a Clause holds who, what, when and
where, and has a renderer a language (`clauses`). Written for this suite: its Chinese is regular,
and one English sentence has one translation. English has 2 to 26 words (half of it 8 or fewer),
Chinese 4 to 35 characters (half of it 12 or fewer).

    The teacher did not buy three books in Beijing yesterday.
    老师昨天没在北京买三本书。

From the words up: entries, lexicon, verbs; drawing, numbers, phrases, clauses, times; what is
chosen, people, things, predicates, actions; constructions by kind, statements, questions,
relative_clauses, being, comparisons, ba_bei, joined, quantities; and all of them, constructions,
splits. A function that is named draw_ chooses by the Draw that it is given.

Importing this makes tables of some thousand phrases, so `tasks` does so only where it is used.
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
from tasks.grammar.numbers import chinese_number, counted, english_number
from tasks.grammar.phrases import BARE, OWN, PRONOUNS, THAT, THIS, Determiner, noun_phrase
from tasks.grammar.splits import corpus, held_out, word_types

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
