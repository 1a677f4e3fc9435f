"""Draws predicates: that somebody does something, goes somewhere, or has some quality."""

from __future__ import annotations

from functools import cache

from tasks.grammar.clauses import CAN, EVER, HABIT, Clause, Form, Predicate, Words, words_of
from tasks.grammar.drawing import Draw
from tasks.grammar.people import draw_somebody
from tasks.grammar.phrases import Phrase
from tasks.grammar.things import draw_object
from tasks.grammar.words import lexicon
from tasks.grammar.words.entries import Adjective, Noun, Verb
from tasks.grammar.words.verbs import BE, DEEDS, GO, STATES, VERBS


@cache
def verbs_with(letter: str) -> tuple[Verb, ...]:
    """Return the transitive verbs that go with the form of this letter."""
    return tuple(verb for verb in (*VERBS, *STATES) if letter in verb.forms)


@cache
def deeds_with(letter: str) -> tuple[Verb, ...]:
    """Return the verbs of this form that take no object, or have one of their own."""
    return tuple(verb for verb in DEEDS if letter in verb.forms)


def transitive(verb: Verb, thing: Phrase, noun: Noun | None) -> Predicate:
    """Build a predicate with an object, such as "reads two books"."""
    pair = ((verb.base + verb.particle, noun.singular),) if noun else ()
    return Predicate(
        verb,
        thing.object,
        verb.chinese,
        thing.chinese,
        late=thing.bare,
        places=verb.places,
        combinations=(*pair, *thing.combinations),
    )


def deed(verb: Verb) -> Predicate:
    """Build a predicate without an object, such as "swims"."""
    return Predicate(verb, "", verb.chinese, verb.inner, late=True, places=verb.places)


VEHICLES = words_of("by bus/坐公共汽车|by taxi/坐出租车|by underground/坐地铁|by bicycle/骑自行车")
FAR_VEHICLES = words_of("by train/坐火车|by plane/坐飞机")


def journey(goal: str, means: Words | None = None) -> Predicate:
    """Build a predicate such as "goes to Beijing by train"."""
    place = lexicon.PLACES[goal]
    tail = f"{place.to} {means.english}" if means else place.to
    return Predicate(
        GO,
        tail,
        "去",
        place.chinese,
        before=means.chinese if means else "",
        late=True,
        combinations=(("go", goal),),
    )


def _errand(draw: Draw, subject: Phrase) -> Predicate:
    """Draw a predicate such as "goes to the library to read books"."""
    doing = draw.pick([verb for verb in verbs_with("h") if verb.places])
    goals = [key for key in doing.places if key in lexicon.SPOTS]
    if not goals:
        return journey(draw.pick(lexicon.SPOTS))
    thing, noun = draw_object(draw, doing, "h", True, subject)
    inner, going = transitive(doing, thing, noun), journey(draw.pick(goals))
    return going._replace(
        tail=f"{going.tail} to {doing.base}{doing.particle} {inner.tail}",
        after=going.after + inner.head + inner.after,
        combinations=(*going.combinations, *inner.combinations),
    )


def _journey(draw: Draw, form: Form, subject: Phrase) -> Predicate:
    if form is EVER:
        return journey(draw.pick(lexicon.SIGHTS))
    if form is HABIT or draw.chance(0.5):
        if draw.chance(0.4):
            return _errand(draw, subject)
        return journey(draw.pick(lexicon.SPOTS), draw.pick(VEHICLES) if draw.chance(0.5) else None)
    goal = draw.pick((*lexicon.CITIES, *lexicon.COUNTRIES))
    return journey(goal, draw.pick(FAR_VEHICLES) if draw.chance(0.4) else None)


def _with(draw: Draw, predicate: Predicate, subject: Phrase) -> Predicate:
    """Add a companion to a predicate: "swims with Tom", 跟汤姆一起游泳."""
    other = draw_somebody(draw, subject)
    tail = f"{predicate.tail} with {other.object}".strip()
    return predicate._replace(tail=tail, before=f"跟{other.chinese}一起{predicate.before}")


ALONE = frozenset("觉 澡 电话".split())


def draw_predicate(draw: Draw, form: Form, affirmed: bool, subject: Phrase) -> Predicate:
    """Draw something to do in this form."""
    letter, number = form.letter, draw.uniform()
    if letter in GO.forms and form is not CAN and number < 0.15:
        return _journey(draw, form, subject)
    if number < 0.35 and deeds_with(letter):
        said = deed(draw.pick(deeds_with(letter)))
        together = letter in "hdfw" and said.after not in ALONE and draw.chance(0.2)
        return _with(draw, said, subject) if together else said
    verb = draw.pick(verbs_with(letter))
    thing, noun = draw_object(draw, verb, letter, affirmed, subject)
    return transitive(verb, thing, noun)


def quality(adjective: Adjective, degree: str = "plain") -> Predicate:
    """Build a predicate from an adjective: is tall, very tall, too tall, a little tired."""
    word, zh = adjective.english, adjective.predicate
    if degree == "too":
        return Predicate(BE, f"too {word}", zh, "了", before="太")
    english, chinese = {
        "plain": (word, "很"),
        "very": (f"very {word}", "非常"),
        "little": (f"a little {word}", "有点儿"),
    }[degree]
    return Predicate(BE, english, zh, degree=chinese)


UNPLEASANT = frozenset("busy tired hungry thirsty nervous strict lazy fat short".split())


def draw_trait(draw: Draw, subject: Phrase, negative: bool, asked: bool) -> Clause:
    """Draw a clause about what somebody is like, such as "he is tall"."""
    adjective = draw.pick(lexicon.TRAITS)
    degree = "plain"
    if not (negative or asked):
        degrees = ["plain", "plain", "very"]
        if adjective.english in UNPLEASANT:
            degrees += ["too", "little"]
        degree = draw.pick(degrees) if not subject.every else "plain"
    return Clause(subject, quality(adjective, degree), HABIT, negative)
