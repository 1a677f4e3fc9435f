"""Lists and draws things: nouns by class, fitting adjectives and determiners, and objects."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from tasks.grammar.drawing import Draw
from tasks.grammar.people import draw_somebody
from tasks.grammar.phrases import (
    ANY,
    BARE,
    FEW,
    KIN_OWN,
    MANY,
    NAMES_OWN,
    NUMBERS,
    OWN,
    OWNER_PERSON,
    PRONOUNS,
    SEVERAL,
    THAT,
    THESE,
    THESE_FEW,
    THIS,
    THOSE,
    A,
    Determiner,
    Phrase,
    definite,
    noun_phrase,
)
from tasks.grammar.words import lexicon
from tasks.grammar.words.entries import Adjective, Noun, Verb

ALL_NOUNS = (*lexicon.NOUNS, *lexicon.MASSES)
ALL_ADJECTIVES = (*lexicon.ADJECTIVES, *lexicon.COLOURS)


@cache
def nouns_of(classes: frozenset[str]) -> tuple[Noun, ...]:
    """Return the nouns that have one of the classes."""
    return tuple(noun for noun in ALL_NOUNS if noun.classes & classes)


@cache
def adjectives_of(noun: Noun) -> tuple[Adjective, ...]:
    """Return the adjectives that fit a noun."""
    return tuple(a for a in ALL_ADJECTIVES if a.classes & noun.classes)


@cache
def described() -> tuple[tuple[Noun, Adjective], ...]:
    """Return nouns with the adjectives that can be their predicates."""
    return tuple(
        (noun, adjective)
        for noun in ALL_NOUNS
        if noun.unit or not noun.mass
        for adjective in adjectives_of(noun)
        if adjective.predicate and adjective.attribute != "老"
    )


@cache
def owners(person: int, subject: str) -> tuple[Determiner, ...]:
    """Return the possessives that may stand with a subject.

    Never its own person, for which Chinese would say 自己的.
    """
    own = tuple(OWN[word] for word in OWN if OWNER_PERSON[word] != person)
    if person == 3:
        return own
    names = tuple(d for d in NAMES_OWN if not subject.startswith(d.english))
    return (*own, *names, *(KIN_OWN if person == 2 else ()))


# for the letter of each form: determiners in affirmative statements, and in other sentences
DETERMINERS = {
    "h": ("bare", "bare"),
    "p": ("a a this that these owned", "this that these owned"),
    "d": (
        "a a number number number this that these owned many several bare",
        "this that these owned owned bare few",
    ),
    "f": ("a a number this these owned bare", "this that these owned bare"),
    "e": ("bare bare kept", "bare kept"),
    "y": ("number this these owned", "this these owned bare"),
    "m": ("a number this these owned bare", "this these owned bare"),
    "w": ("a a number this these owned bare", "this these owned bare"),
    "c": ("a this these", "this these"),
    "s": ("bare", "bare"),
    "n": ("bare bare this that these owned", "bare bare this that these owned"),
    "x": ("a a number this owned", "any any this owned"),  # need
    "z": ("a a this that owned", "this that owned"),
    "l": ("bare", "bare"),
}
CODES = {letter: tuple(tuple(s.split()) for s in pair) for letter, pair in DETERMINERS.items()}
FEMININE = ("skirt", "dress")  # worn and owned by women only
MANY_OF = frozenset("orchard printed stationery painting photo song".split())


def draw_determiner(draw: Draw, code: str, noun: Noun, subject: Phrase) -> Determiner:
    """Draw a determiner for a code of `DETERMINERS`."""
    if code == "owned" and noun.singular not in FEMININE:
        return draw.pick(owners(subject.person, subject.english))
    if code == "number":
        return draw.pick(NUMBERS if noun.classes & MANY_OF else FEW)
    if code == "these":
        return draw.pick((THESE, THOSE, draw.pick(THESE_FEW)))
    return {
        "a": A,
        "this": THIS,
        "owned": THAT,
        "that": THAT,
        "many": MANY,
        "several": SEVERAL,
        "bare": BARE,
        "any": ANY,
        "few": draw.pick(FEW),
    }[code]


def mass_determiner(noun: Noun, determiner: Determiner, affirmed: bool) -> Determiner:
    """Return the determiner that fits a mass noun: "a pair of", or none."""
    if not noun.unit:
        return BARE
    if determiner.kind in ("these", "many", "owned") and noun.unit != "pair":
        return A if affirmed else BARE
    return determiner


def draw_object(
    draw: Draw, verb: Verb, letter: str, affirmed: bool, subject: Phrase
) -> tuple[Phrase, Noun | None]:
    """Draw the object of a verb: a phrase, and its noun unless it is a person."""
    options = nouns_of(verb.objects)
    if verb.base == "wear" and subject.echo != "she":
        options = tuple(noun for noun in options if noun.singular not in FEMININE)
    if not options or ("person" in verb.objects and draw.chance(0.4)):
        return draw_somebody(draw, subject), None
    noun = draw.pick(options)
    code = _fitting_code(draw.pick(CODES[letter][not affirmed]), verb, affirmed)
    determiner = draw_determiner(draw, code, noun, subject)
    if noun.mass:
        determiner = mass_determiner(noun, determiner, affirmed)
    return noun_phrase(noun, determiner, _draw_adjective(draw, noun, verb)), noun


def _draw_adjective(draw: Draw, noun: Noun, verb: Verb) -> Adjective | None:
    """Draw an adjective for the object of a verb, or none."""
    fits = adjectives_of(noun)
    adjective = draw.pick(fits) if fits and draw.chance(0.25) else None
    if adjective is not None and (verb.base, adjective.english) == ("wash", "clean"):
        return None  # 洗干净的碗 would be a bowl that was washed clean
    return adjective


def _fitting_code(code: str, verb: Verb, affirmed: bool) -> str:
    """Replace a determiner code that does not fit the verb."""
    if verb.base == "draw" and code in ("this", "these", "owned"):
        return "a" if affirmed else "bare"
    if verb.base == "wear" and code == "number":
        return "a"
    if code == "kept":
        return "this" if "k" in verb.forms else "bare"
    return code


def draw_thing(draw: Draw, noun: Noun) -> Phrase:
    """Draw a phrase such as "this book", "those three books" or "my book"."""
    codes = ("this", "that", "owned") if noun.mass else ("this", "that", "these", "owned")
    code = draw.pick(codes)
    determiner = draw_determiner(draw, code, noun, PRONOUNS["you"])
    if code == "owned" and noun.singular not in FEMININE:
        determiner = draw.pick((*OWN.values(), *NAMES_OWN, *KIN_OWN))
    if noun.mass:
        determiner = mass_determiner(noun, determiner, False)
    return noun_phrase(noun, determiner if determiner is not BARE else THIS)


def draw_definite(draw: Draw, noun: Noun, subject: Phrase) -> Phrase:
    """Draw a definite thing, such as "the red book", "this book" or "his book"."""
    number = draw.uniform()
    if number < 0.6 or (noun.mass and not noun.unit):
        return _draw_with_article(draw, noun)
    determiner = draw_determiner(draw, "this" if number < 0.8 else "owned", noun, subject)
    if noun.mass:
        determiner = mass_determiner(noun, determiner, False)
        return noun_phrase(noun, THIS if determiner is BARE else determiner)
    return noun_phrase(noun, determiner)


def _draw_with_article(draw: Draw, noun: Noun) -> Phrase:
    """Draw "the book" or "the red book"; Chinese has no article."""
    fits = [a for a in adjectives_of(noun) if a.attribute[-1] != "的"]
    if not fits or not draw.chance(0.3):
        return definite(noun)._replace(plural=noun.several)
    bare = noun_phrase(noun, BARE, draw.pick(fits))
    # the bare phrase has the plural of a noun that is counted
    noun_text = bare.english if noun.mass else bare.english[: -len(noun.plural)]
    text = f"the {noun_text}" + ("" if noun.mass else noun.singular)
    return bare._replace(english=text, object=text, plural=noun.several)


def draw_alternatives(draw: Draw, nouns: Sequence[Noun]) -> tuple[Noun, Noun]:
    """Draw two nouns of one kind: tea or coffee, not tea or socks."""
    while True:
        one = draw.pick(nouns)
        alike = [noun for noun in nouns if noun is not one and noun.classes & one.classes]
        if alike:
            return one, draw.pick(alike)
