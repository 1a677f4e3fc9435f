"""Lists every construction with its share, draws sentences from them, and counts sentences."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, product

import numpy as np

from tasks.grammar.ba_bei import draw_disposal, draw_passive
from tasks.grammar.being import draw_description, draw_existence, draw_identity, draw_possession
from tasks.grammar.clauses import PAST, Clause, Pair, Predicate, Words
from tasks.grammar.comparisons import draw_comparison, draw_distance
from tasks.grammar.drawing import Draw
from tasks.grammar.joined import draw_joined, draw_thought
from tasks.grammar.people import DEFINITE, FAMILY, NAMED, POINTED, RELATED
from tasks.grammar.phrases import (
    FEW,
    MANY,
    PRONOUNS,
    SEVERAL,
    THAT,
    THESE,
    THESE_FEW,
    THIS,
    THOSE,
    A,
    Phrase,
    noun_phrase,
)
from tasks.grammar.predicates import transitive, verbs_with
from tasks.grammar.quantities import draw_extent, draw_number_sentence
from tasks.grammar.questions import draw_or, draw_wh
from tasks.grammar.relative_clauses import draw_with_relative
from tasks.grammar.statements import (
    draw_choice,
    draw_giving,
    draw_imperative,
    draw_liking,
    draw_question,
    draw_statement,
)
from tasks.grammar.things import nouns_of
from tasks.grammar.times import BYGONE, BYGONE_HOURS, DATES, at
from tasks.grammar.words.entries import Verb

# construction: how often it is drawn, in a hundred
CONSTRUCTIONS: dict[str, tuple[float, Callable[[Draw], Pair]]] = {
    "statement": (21, draw_statement),
    "question": (6, draw_question),
    "liking": (2, draw_liking),
    "choice": (4, draw_choice),
    "wh": (8, draw_wh),
    "or": (1, draw_or),
    "disposal": (8, draw_disposal),
    "passive": (5, draw_passive),
    "comparison": (6, draw_comparison),
    "description": (3, draw_description),
    "relative": (8, draw_with_relative),
    "existence": (3, draw_existence),
    "possession": (2, draw_possession),
    "identity": (1, draw_identity),
    "joined": (8, draw_joined),
    "thought": (3, draw_thought),
    "number": (4, draw_number_sentence),
    "extent": (2, draw_extent),
    "giving": (2, draw_giving),
    "imperative": (2, draw_imperative),
    "distance": (1, draw_distance),
}
_RULES = tuple(rule for _, rule in CONSTRUCTIONS.values())
_TOTALS = tuple(accumulate(share for share, _ in CONSTRUCTIONS.values()))


def draw_pair(draw: Draw) -> Pair:
    """Draw a sentence of any construction, by their shares."""
    return _RULES[bisect(_TOTALS, draw.uniform() * _TOTALS[-1])](draw)


def construct(name: str, random: np.random.Generator) -> Pair:
    """Draw a sentence of the named construction."""
    return CONSTRUCTIONS[name][1](Draw(random))


def sample(random: np.random.Generator) -> Pair:
    """Draw a sentence of any construction from a numpy generator."""
    return draw_pair(Draw(random))


SUBJECTS = (*PRONOUNS.values(), *NAMED, *FAMILY, *DEFINITE, *POINTED, *RELATED)
BYGONE_TIMES = (*BYGONE, *BYGONE_HOURS, *DATES)


def past_predicates(verb: Verb) -> tuple[Predicate, ...]:
    """Return a verb with every counted object that any subject allows, without adjectives."""
    few = (A, MANY, SEVERAL, *dict.fromkeys(FEW))
    determiners = few if verb.base == "draw" else (*few, THIS, THAT, THESE, THOSE, *THESE_FEW)
    nouns = [noun for noun in nouns_of(verb.objects) if not noun.mass]
    return tuple(
        transitive(verb, noun_phrase(noun, determiner), noun)
        for noun, determiner in product(nouns, determiners)
    )


def past_statements(
    subjects: Sequence[Phrase], verbs: Sequence[Verb], times: Sequence[Words]
) -> Iterator[Clause]:
    """Yield every plain past statement of these subjects, verbs and times.

    Each comes without a place and with each of the verb's places.
    """
    for verb in verbs:
        places = (None, *map(at, verb.places))
        for subject, said, time, place in product(subjects, past_predicates(verb), times, places):
            yield Clause(subject, said, PAST, time=time, place=place)


def past_count(subjects: Sequence[Phrase], verbs: Sequence[Verb], times: Sequence[Words]) -> int:
    """Count `past_statements` without making them."""
    each = sum(len(past_predicates(verb)) * (1 + len(verb.places)) for verb in verbs)
    return len(subjects) * each * len(times)


def count() -> int:
    """Return a lower bound on the number of different sentences.

    It counts only affirmative past statements of a subject, a transitive verb, a counted object
    without adjective, a time and perhaps a place. They all differ in English, because the words of
    one slot never run into those of the next. The tests enumerate a part of them.
    """
    return past_count(SUBJECTS, verbs_with("d"), BYGONE_TIMES)
