"""Lists and draws persons: subjects, and others to whom or with whom something is done."""

from __future__ import annotations

from functools import cache

from tasks.grammar.drawing import Draw
from tasks.grammar.phrases import (
    MANY,
    NAMES_OWN,
    OWN,
    OWNER_PERSON,
    OWNERS,
    PRONOUNS,
    THAT,
    THESE,
    THESE_FEW,
    THIS,
    THOSE,
    Phrase,
    definite,
    kin,
    named,
    noun_phrase,
)
from tasks.grammar.words import lexicon

FAMILY = tuple(kin(owner, person) for owner in OWNERS for person in lexicon.KIN)
NAMED = tuple(named(person) for person in lexicon.NAMES)
DEFINITE = tuple(definite(noun, plural) for noun in lexicon.PEOPLE for plural in (False, True))
POINTED = tuple(
    noun_phrase(noun, determiner)
    for noun in lexicon.PEOPLE
    for determiner in (THIS, THAT, THESE, THOSE, MANY, *THESE_FEW)
)
NEAR = tuple(phrase for phrase in POINTED if not phrase.english.startswith("many"))
RELATED = tuple(
    noun_phrase(noun, determiner)
    for noun in lexicon.RELATIONS
    for determiner in (*OWN.values(), *NAMES_OWN)
)
UNIVERSAL = (
    *(
        Phrase(f"every {n.singular}", f"每{n.measure}{n.chinese}", "", every=True)
        for n in lexicon.PEOPLE
    ),
    *(
        Phrase(f"all the {n.plural}", f"所有的{n.chinese}", "", plural=True, every=True)
        for n in lexicon.PEOPLE
    ),
)
ASKERS = tuple(PRONOUNS[word] for word in ("you", "you", "he", "she", "they"))
OTHERS = tuple(phrase for phrase in FAMILY if not phrase.english.startswith(("my ", "our ")))
ELDERS = tuple(
    kin(owner, person)
    for owner in ("my", "your", "his", "her", "our")
    for person in lexicon.KIN
    if person.english.split()[-1] not in ("son", "daughter", "grandmother", "grandfather")
)
TRADES = tuple(noun for noun in lexicon.PEOPLE if not noun.classes & {"pupil", "visitor"})
DRAWN_SUBJECTS = (
    (0.35, tuple(PRONOUNS.values()), ASKERS),
    (0.5, NAMED, NAMED),
    (0.65, FAMILY, OTHERS),
    (0.8, DEFINITE, DEFINITE),
    (0.87, RELATED, RELATED),
)
"""Subjects of statements and of questions, each with the bound of the number that draws them."""


def draw_subject(draw: Draw, asked: bool = False, plain: bool = False) -> Phrase:
    """Draw somebody as the subject of a clause.

    asked: of a question, so never "I". plain: of an affirmative statement, where "every" may be
    used.
    """
    number = draw.uniform()
    for bound, said_of, asked_of in DRAWN_SUBJECTS:
        if number < bound:
            return draw.pick(asked_of if asked else said_of)
    if plain and number < 0.92:
        return draw.pick(UNIVERSAL)
    return draw.pick(NEAR if asked else POINTED)


def draw_anaphoric(draw: Draw) -> Phrase:
    """Draw somebody whom a pronoun can refer to again."""
    return draw.pick(draw.pick((tuple(PRONOUNS.values()), NAMED, FAMILY)))


def draw_somebody(draw: Draw, subject: Phrase) -> Phrase:
    """Draw a person as an object, other than the subject."""
    if draw.chance(0.4):
        options = [p for p in PRONOUNS.values() if p.person != subject.person]
        return draw.pick(options)
    options = [p for p in (*NAMED, *_foreign_family(subject)) if p.english != subject.english]
    return draw.pick(options)


@cache
def _foreign(person: int) -> tuple[Phrase, ...]:
    return tuple(
        phrase
        for phrase in FAMILY
        if OWNER_PERSON[phrase.english.split()[0]] == (2 if person == 1 else 1)
    )


def _foreign_family(subject: Phrase) -> tuple[Phrase, ...]:
    """Return relatives of other people: after 他, 他妈妈 would leave open whose mother it is."""
    return _foreign(subject.person)
