"""Draws sentences of two clauses: because, although, if, but, after; and thoughts and hopes."""

from __future__ import annotations

from dataclasses import replace

from tasks.grammar.actions import draw_action
from tasks.grammar.clauses import (
    CAN,
    FUTURE,
    HABIT,
    HOPED,
    MUST,
    PAST,
    SHOULD,
    WANT,
    Clause,
    Pair,
    Predicate,
    Words,
    chinese,
    declarative,
    english,
    statement,
    words_of,
)
from tasks.grammar.drawing import Draw
from tasks.grammar.people import NAMED, draw_anaphoric, draw_subject
from tasks.grammar.phrases import BARE, PRONOUNS, Phrase, noun_phrase
from tasks.grammar.predicates import VEHICLES, journey, quality, transitive
from tasks.grammar.things import described, draw_alternatives, draw_thing, nouns_of
from tasks.grammar.times import COMING
from tasks.grammar.words import lexicon
from tasks.grammar.words.verbs import HAVE, STATES, THOUGHTS, VERBS


def _cause(draw: Draw) -> tuple[Clause, Phrase]:
    """Draw somebody's state, and the pronoun that refers to them afterwards."""
    subject = draw_anaphoric(draw)
    moods = [
        trait
        for trait in lexicon.TRAITS
        if trait.classes & {"mood", "need"} and trait.english != "happy"
    ]
    clause = Clause(subject, quality(draw.pick(moods), draw.pick(("plain", "very"))), HABIT)
    return clause, PRONOUNS[subject.echo]


def draw_joined(draw: Draw) -> Pair:
    """Draw two clauses joined by because, although, if, but or after."""
    return draw.pick((_because, _because, _although, _if, _if, _but, _after))(draw)


def _because(draw: Draw) -> Pair:
    cause, subject = _cause(draw)
    form = draw.pick((WANT, WANT, FUTURE, CAN))
    result = _late(draw_action(draw, form, True, who=subject))
    while result.predicate.verb.base in ("sleep", "rest"):
        result = _late(draw_action(draw, form, True, who=subject))
    text = f"because {english(cause)}, {english(result)}"
    pairs = cause.combinations | result.combinations
    return declarative(text, f"因为{chinese(cause)}，所以{chinese(result)}", pairs)


def _late(clause: Clause) -> Clause:
    """Return the clause with its time after the subject, as a longer sentence needs it."""
    return Clause(
        clause.subject, clause.predicate, clause.form, clause.negative, clause.time, clause.place
    )


def _although(draw: Draw) -> Pair:
    cause, subject = _cause(draw)
    form = draw.pick((WANT, MUST, SHOULD, FUTURE))
    result = _late(draw_action(draw, form, who=subject))
    text = f"although {english(cause)}, {english(result)}"
    pairs = cause.combinations | result.combinations
    return declarative(text, f"虽然{chinese(cause)}，但是{chinese(result)}", pairs)


CONDITIONS = words_of("time/时间|money/钱")
WEATHER_CONDITIONS = words_of("it rains/下雨|it snows/下雪|the weather is good/天气很好")


def _if(draw: Draw) -> Pair:
    """Draw a condition, such as "If it rains tomorrow, I will not go": 如果明天下雨，我就不去。"""
    subject, day = draw_anaphoric(draw), draw.pick(COMING[:15])
    second, negative = subject, False
    if draw.chance(0.4):
        words = draw.pick(WEATHER_CONDITIONS)
        condition, translation = words.english, f"{day.chinese}{words.chinese}"
        negative = draw.chance(0.4)
    else:
        thing = draw.pick(CONDITIONS)
        has = Clause(subject, Predicate(HAVE, thing.english, "有", thing.chinese), HABIT)
        condition, translation = english(has), chinese(replace(has, time=day))
        second = PRONOUNS[subject.echo]
    result = replace(_late(draw_action(draw, FUTURE, negative, who=second)), time=None)
    adverb = replace(result, adverb=Words("", "就"))
    return declarative(
        f"if {condition} {day.english}, {english(result)}",
        f"如果{translation}，{chinese(adverb)}",
        result.combinations,
    )


def _but(draw: Draw) -> Pair:
    """Draw a contrast: "She likes cats, but she does not like dogs", 她喜欢猫，但是她不喜欢狗。"""
    subject = draw_anaphoric(draw)
    like = STATES[0]
    one, other = draw_alternatives(draw, nouns_of(like.objects))
    first = Clause(subject, transitive(like, noun_phrase(one, BARE), one), HABIT)
    again = PRONOUNS[subject.echo]
    second = Clause(again, transitive(like, noun_phrase(other, BARE), other), HABIT, True)
    return declarative(
        f"{english(first)}, but {english(second)}",
        f"{chinese(first)}，但是{chinese(second)}",
        first.combinations | second.combinations,
    )


def _after(draw: Draw) -> Pair:
    """Draw a sequence of two acts.

    After he ate breakfast, he went to school: 他吃了早饭以后，就去学校了。
    """
    subject = draw_anaphoric(draw)
    meal = draw.pick(nouns_of(frozenset(["meal"])))
    said = journey(draw.pick(lexicon.SPOTS), draw.pick(VEHICLES) if draw.chance(0.5) else None)
    again = PRONOUNS[subject.echo]
    first = Clause(subject, transitive(VERBS[0], noun_phrase(meal, BARE), meal), PAST)
    second = Clause(again, said, PAST)
    return declarative(
        f"after {english(first)}, {english(second)}",
        f"{subject.chinese}吃完{meal.chinese}以后，就{chinese(second).removeprefix(again.chinese)}",
        first.combinations | second.combinations,
    )


def draw_thought(draw: Draw) -> Pair:
    """Draw a thought, such as "She thinks that this book is expensive": 她觉得这本书很贵。"""
    verb = draw.pick(THOUGHTS)
    subject = draw_subject(draw)
    if verb.base == "hope":
        who = draw.pick([p for p in PRONOUNS.values() if p.person != subject.person])
        inner = _late(draw_action(draw, FUTURE, who=who))
        inner = replace(inner, form=HOPED)
    elif verb.base == "think" or draw.chance(0.5):
        noun, adjective = draw.pick(described())
        pairs = ((adjective.english, noun.singular),)
        said = quality(adjective, draw.pick(("plain", "too", "very")))
        inner = Clause(draw_thing(draw, noun), said._replace(combinations=pairs), HABIT)
    else:
        inner = _late(draw_action(draw, PAST, draw.chance(0.3), who=draw.pick(NAMED)))
    outer = Clause(
        subject, Predicate(verb, f"that {english(inner)}", verb.chinese, chinese(inner)), HABIT
    )
    return statement(outer)._replace(combinations=inner.combinations)
