"""Draws relative clauses: 我买的书 (the book that I bought), 买了三本书的学生 (the student who
bought three books)."""

from __future__ import annotations

from functools import cache

from tasks.grammar.clauses import (
    HABIT,
    PAST,
    WEARING,
    Clause,
    Form,
    Pair,
    Predicate,
    Words,
    chinese,
    english,
    statement,
)
from tasks.grammar.drawing import Draw
from tasks.grammar.people import DEFINITE, ELDERS, FAMILY, NAMED, TRADES, draw_subject
from tasks.grammar.phrases import BARE, PRONOUNS, Phrase, noun_phrase
from tasks.grammar.predicates import draw_predicate, draw_trait, quality, transitive
from tasks.grammar.things import described, draw_thing, nouns_of
from tasks.grammar.times import BYGONE, at
from tasks.grammar.words.entries import Noun, Verb
from tasks.grammar.words.verbs import BE, STATES, VERBS

LIKE, KNOW = STATES[0], STATES[-1]


def relative(head: Noun, plural: bool, clause: Clause) -> Phrase:
    """Build a phrase such as "the book that I bought": 我买的书.

    The clause loses its object, and in Chinese a 了 at its end. It must not be negated and have no
    adverb.
    """
    said = clause.predicate
    assert not clause.negative
    assert clause.adverb is None
    without_object = Clause(
        clause.subject,
        said._replace(tail="", after=""),
        clause.form,
        time=clause.time,
        place=clause.place,
    )
    bare = chinese(without_object).removesuffix("了")
    text = f"the {head.plural if plural else head.singular} that {english(without_object)}"
    # a mass noun such as "clothes" may take a plural verb
    plural = head.several if head.mass else plural
    return Phrase(text, f"{bare}的{head.chinese}", text, 3, plural, combinations=said.combinations)


@cache
def _verbs_taking(noun: Noun) -> tuple[Verb, ...]:
    """Return the verbs that have a past form and can have the noun as their object."""
    return tuple(v for v in VERBS if PAST.letter in v.forms and v.objects & noun.classes)


def draw_relative(draw: Draw, noun: Noun) -> Phrase:
    """Draw a thing with a relative clause; a plain phrase if no verb fits it."""
    verbs = _verbs_taking(noun)
    if not verbs:
        return draw_thing(draw, noun)
    verb = draw.pick(verbs)
    subject = draw.pick(draw.pick((tuple(PRONOUNS.values()), NAMED, FAMILY, DEFINITE)))
    time = draw.pick(BYGONE) if draw.chance(0.4) else None
    place = at(draw.pick(verb.places)) if verb.places and draw.chance(0.25) else None
    # `relative` drops the object; which words may stand together is known from it
    thing = noun_phrase(noun, BARE)
    clause = Clause(subject, transitive(verb, thing, noun), PAST, time=time, place=place)
    return relative(noun, not noun.mass and draw.chance(0.3), clause)


def person_who(noun: Noun, plural: bool, said: Predicate, form: Form, time: Words | None) -> Phrase:
    """Build a phrase such as "the student who bought three books": 买了三本书的学生."""
    # a subject without words, as the noun stands before "who"; the verb agrees with its number
    who = Phrase("", "", "", plural=plural)
    clause = Clause(who, said, form, time=time)
    text = f"the {noun.plural if plural else noun.singular} who {english(clause)}"
    inner = chinese(clause).removesuffix("了")
    return Phrase(text, f"{inner}的{noun.chinese}", text, 3, plural, combinations=said.combinations)


def _draw_person_who(draw: Draw) -> Phrase:
    """Draw a person described by what they do or wear."""
    # who wears something is one person, so that it is one hat
    noun, form = draw.pick(TRADES), draw.pick((WEARING, WEARING, PAST, PAST, HABIT))
    plural = form is not WEARING and draw.chance(0.3)
    who = Phrase("", "", "", plural=plural)
    said = draw_predicate(draw, form, affirmed=True, subject=who)
    time = draw.pick(BYGONE) if form is PAST and draw.chance(0.5) else None
    return person_who(noun, plural, said, form, time)


def draw_with_relative(draw: Draw) -> Pair:
    """Draw a sentence with a relative clause in its subject or its object.

    A plain phrase takes the place of a clause that no verb fits.
    """
    number = draw.uniform()
    if number < 0.3:  # the book that I bought is new
        noun, adjective = draw.pick(described())
        degree = draw.pick(("plain", "very"))
        said = quality(adjective, degree)._replace(
            combinations=((adjective.english, noun.singular),)
        )
        return statement(Clause(draw_relative(draw, noun), said, HABIT))
    if number < 0.6:  # the student who bought the book is my sister, or is tall
        who = _draw_person_who(draw)
        if draw.chance(0.5) and not who.plural:
            elder = draw.pick(ELDERS)
            said = Predicate(BE, elder.english, "是", elder.chinese)
            return statement(Clause(who, said, HABIT))
        return statement(draw_trait(draw, who, negative=False, asked=False))
    subject = draw_subject(draw)
    if number < 0.8:  # I know the student who bought the book
        who = _draw_person_who(draw)
        said = transitive(KNOW, who, None)
        return statement(Clause(subject, said, HABIT, negative=draw.chance(0.4)))
    # I like the book that you bought
    # not a mass noun without a unit: "the music that you bought" would need a part of it
    noun = draw.pick([n for n in nouns_of(LIKE.objects) if n.unit or not n.mass])
    thing = draw_relative(draw, noun) if _verbs_taking(noun) else noun_phrase(noun, BARE)
    said = transitive(LIKE, thing, noun)
    return statement(Clause(subject, said, HABIT, negative=draw.chance(0.3)))
