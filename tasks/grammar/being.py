"""Draws sentences of being, having and existing: description, identity, possession, location."""

from __future__ import annotations

from tasks.grammar.clauses import (
    HABIT,
    Clause,
    Pair,
    Predicate,
    be,
    choice,
    declarative,
    interrogative,
    question,
    statement,
)
from tasks.grammar.drawing import Draw
from tasks.grammar.people import ASKERS, FAMILY, NAMED, OTHERS, TRADES, draw_subject
from tasks.grammar.phrases import BARE, PRONOUNS, A, Phrase, noun_phrase
from tasks.grammar.predicates import draw_trait, quality, transitive
from tasks.grammar.relative_clauses import draw_relative
from tasks.grammar.things import (
    adjectives_of,
    described,
    draw_definite,
    draw_determiner,
    draw_thing,
    mass_determiner,
    nouns_of,
)
from tasks.grammar.words import lexicon
from tasks.grammar.words.entries import Adjective, Noun
from tasks.grammar.words.verbs import BE, HAVE


def _describing(draw: Draw, negative: bool, asked: bool) -> Clause:
    """Draw a clause such as "this book is expensive"."""
    if draw.chance(0.3):
        return draw_trait(draw, draw_subject(draw, asked, not (negative or asked)), negative, asked)
    noun, adjective = draw.pick(described())
    degree = "plain" if negative or asked else draw.pick(("plain", "very", "too"))
    subject = draw_relative(draw, noun) if draw.chance(0.3) else draw_thing(draw, noun)
    said = quality(adjective, degree)
    pairs = ((adjective.english, noun.singular),)
    return Clause(subject, said._replace(combinations=pairs), HABIT, negative)


def draw_description(draw: Draw) -> Pair:
    """Draw a sentence such as "This book is expensive": 这本书很贵。"""
    if draw.chance(0.2):
        return question(_describing(draw, False, True))
    return statement(_describing(draw, draw.chance(0.25), False))


def identity(subject: Phrase, noun: Noun, attribute: Adjective | None = None) -> Clause:
    """Build a clause such as "she is a famous teacher"."""
    determiner = BARE if subject.plural and subject.person != 2 else A
    kind = noun_phrase(noun, determiner, attribute)
    translation = kind.chinese
    if attribute is None:
        translation = noun.chinese
    said = Predicate(BE, kind.object, "是", translation, combinations=kind.combinations)
    return Clause(subject, said, HABIT)


def draw_identity(draw: Draw) -> Pair:
    """Draw a sentence about somebody's profession."""
    subject = draw.pick(draw.pick((ASKERS, NAMED, OTHERS)))
    noun = draw.pick(TRADES)
    if draw.chance(0.25):
        return question(identity(subject, noun))
    if draw.chance(0.2):
        return choice(identity(subject, noun))
    negative = draw.chance(0.3)
    fits = adjectives_of(noun)
    adjective = draw.pick(fits) if fits and not negative and draw.chance(0.4) else None
    clause = identity(subject, noun, adjective)
    return statement(Clause(clause.subject, clause.predicate, HABIT, negative))


OWNED = frozenset("vehicle device pet luggage tool printed house".split())


def draw_having(draw: Draw, subject: Phrase, affirmed: bool) -> Clause:
    """Draw a clause such as "he has two cars"."""
    things = not affirmed or draw.chance(0.7)
    noun = draw.pick(nouns_of(OWNED) if things else lexicon.RELATIONS)
    codes: tuple[str, ...] = ("number", "many", "several") if affirmed else ("any",)
    if affirmed and things:
        codes = ("a", *codes)
    determiner = draw_determiner(draw, draw.pick(codes), noun, subject)
    fits = adjectives_of(noun)
    adjective = draw.pick(fits) if fits and draw.chance(0.3) else None
    return Clause(subject, transitive(HAVE, noun_phrase(noun, determiner, adjective), noun), HABIT)


def draw_possession(draw: Draw) -> Pair:
    """Draw a sentence about what somebody has or does not have: 我有两辆汽车。"""
    if draw.chance(0.25):
        return question(draw_having(draw, draw_subject(draw, True), False))
    if draw.chance(0.3):
        clause = draw_having(draw, draw_subject(draw), False)
        return statement(Clause(clause.subject, clause.predicate, HABIT, True))
    return statement(draw_having(draw, draw_subject(draw, plain=True), True))


SCENES: tuple[tuple[str, str, str], ...] = (
    ("on the table", "桌子上", "printed reading ware fragile small-thing orchard hot-drink"),
    ("in the box", "盒子里", "pocket photo toy stationery"),
    ("on the bed", "床上", "clothing printed toy pet"),
    ("under the table", "桌子下面", "pet luggage toy"),
    ("on the wall", "墙上", "painting map photo mirror"),
    ("in the room", "房间里", "furniture device"),
    ("in the fridge", "冰箱里", "orchard egg cake drink grocery"),
    ("in the bag", "包里", "pocket printed stationery"),
    ("in front of the house", "房子前面", "vehicle plant"),
    ("behind the house", "房子后面", "plant farm"),
    ("in the park", "公园里", "plant pet"),
    ("at the zoo", "动物园里", "wild"),
    ("near the station", "车站附近", "building institution"),
    ("next to the school", "学校旁边", "building sight"),
)
CLASSES = {scene: frozenset(kinds.split()) for scene, _, kinds in SCENES}


def draw_existence(draw: Draw) -> Pair:
    """Draw a sentence such as "There are three books on the table": 桌子上有三本书。"""
    place, inside, _ = draw.pick(SCENES)
    noun = draw.pick([n for n in nouns_of(CLASSES[place]) if n.chinese not in inside])
    number = draw.uniform()
    if number < 0.45:
        code = draw.pick(("a", "number", "number", "many", "several"))
        determiner = draw_determiner(draw, code, noun, PRONOUNS["you"])
        if noun.mass:
            determiner = mass_determiner(noun, determiner, True)
        fits = adjectives_of(noun)
        adjective = draw.pick(fits) if fits and draw.chance(0.3) else None
        thing = noun_phrase(noun, determiner, adjective)
        pairs = (*thing.combinations, ("be", noun.singular))
        text = f"there {be(thing)} {thing.english} {place}"
        return declarative(text, f"{inside}有{thing.chinese}", pairs)
    thing = noun_phrase(noun, BARE)
    pairs = (("be", noun.singular),)
    if number < 0.6:
        return declarative(
            f"there {be(thing)} no {thing.english} {place}", f"{inside}没有{noun.chinese}", pairs
        )
    if number < 0.75:
        return interrogative(
            f"{be(thing)} there any {thing.english} {place}", f"{inside}有{noun.chinese}吗", pairs
        )
    return _location(draw, place, inside, noun)


def _location(draw: Draw, place: str, inside: str, noun: Noun) -> Pair:
    """Draw a sentence such as "The book is on the table": 书在桌子上。"""
    if draw.chance(0.4):
        key = draw.pick(("home", *lexicon.SPOTS, *lexicon.CITIES))
        subject = draw.pick(draw.pick((ASKERS, NAMED, FAMILY)))
        said = Predicate(BE, lexicon.PLACES[key].at, "在", lexicon.PLACES[key].chinese)
    else:
        subject = draw_definite(draw, noun, PRONOUNS["you"])
        said = Predicate(BE, place, "在", inside, combinations=(("be", noun.singular),))
    number = draw.uniform()
    if number < 0.2:
        return question(Clause(subject, said, HABIT))
    if number < 0.35:
        return choice(Clause(subject, said, HABIT))
    return statement(Clause(subject, said, HABIT, number < 0.55))
