"""Draws sentences with 把 (what is done to a definite thing) and 被 (what happens to it)."""

from __future__ import annotations

from dataclasses import replace

from tasks.grammar.clauses import (
    ALREADY,
    FUTURE,
    MUST,
    PASSIVE,
    PAST,
    PLAN,
    SHOULD,
    WANT,
    Clause,
    Pair,
    Predicate,
    Words,
    question,
    statement,
)
from tasks.grammar.drawing import Draw
from tasks.grammar.people import ASKERS, DEFINITE, FAMILY, NAMED, draw_somebody, draw_subject
from tasks.grammar.phrases import PRONOUNS, Combination, Phrase
from tasks.grammar.things import draw_definite, nouns_of
from tasks.grammar.times import BYGONE, BYGONE_HOURS, COMING, draw_time
from tasks.grammar.words.entries import Noun
from tasks.grammar.words.verbs import DISPOSALS, PRAISES, SUFFERINGS, Handling

FINISHED = {"finish eating": "eat", "finish reading": "read", "finish writing": "write"}


def _act(handling: Handling, noun: Noun) -> Combination:
    """Return verb and object as a combination; "finish eating" counts as "eat"."""
    name = handling.verb.base + handling.verb.particle
    return FINISHED.get(name, name), noun.singular


def disposal(handling: Handling, thing: Phrase, noun: Noun, other: Phrase) -> Predicate:
    """Build a 把 predicate, such as "put the book on the table": 把书放在桌子上."""
    return Predicate(
        handling.verb,
        f"{thing.object} {handling.end.format(other.object)}".strip(),
        handling.chinese,
        handling.after.format(other.chinese),
        f"把{thing.chinese}",
        handling.late,
        combinations=(_act(handling, noun), *thing.combinations),
    )


def draw_disposing(draw: Draw, subject: Phrase) -> Predicate:
    """Draw a 把 predicate about a definite thing: 把书放在桌子上."""
    handling = draw.pick(DISPOSALS)
    noun = draw.pick([n for n in nouns_of(handling.objects) if n.chinese not in handling.after])
    other = draw_somebody(draw, subject)
    return disposal(handling, draw_definite(draw, noun, subject), noun, other)


WILFUL = frozenset("break lose leave".split())  # nobody is asked to do these
COMPLETED = frozenset("finish repair tidy wash".split())  # and nobody is forbidden these


def draw_disposal(draw: Draw) -> Pair:
    """Draw a 把 sentence, such as "I put the book on the table": 我把书放在桌子上了。"""
    number = draw.uniform()
    subject = draw_subject(draw, asked=number < 0.15)
    said = draw_disposing(draw, subject)
    if number < 0.15:
        return question(Clause(subject, said, PAST))
    if number < 0.65 or said.verb.base in WILFUL:
        negative = number < 0.25
        time = draw_time(draw, BYGONE, BYGONE_HOURS) if draw.chance(0.4) else None
        early = time is not None and draw.chance(0.2)
        return statement(Clause(subject, said, PAST, negative, time, early=early))
    form = draw.pick((FUTURE, WANT, SHOULD, MUST, PLAN, ALREADY))
    time = draw.pick(COMING) if form is FUTURE else None
    return statement(Clause(subject, said, form, time=time))


def suffering(handling: Handling, noun: Noun, agent: Phrase | None) -> Predicate:
    """Build a 被 predicate, such as "was stolen by a thief": 被小偷偷走了."""
    return Predicate(
        handling.verb,
        f"by {agent.object}" if agent else "",
        handling.chinese,
        before=f"被{agent.chinese}" if agent else "被",
        late=True,
        combinations=(_act(handling, noun),),
    )


def _judged(draw: Draw, time: Words | None) -> Clause:
    """Draw a clause such as "Tom was praised by the teacher": 汤姆被老师表扬了."""
    victim = draw.pick(draw.pick((ASKERS, NAMED, FAMILY)))
    doer = draw.pick([p for p in (*DEFINITE[::2], *NAMED) if p.english != victim.english])
    verb = draw.pick(PRAISES)
    said = Predicate(verb, f"by {doer.object}", verb.chinese, "", f"被{doer.chinese}", True)
    return Clause(victim, said, PASSIVE, draw.chance(0.2), time)


DOERS = (DEFINITE[::2], NAMED, FAMILY, tuple(PRONOUNS.values()))


def draw_passive(draw: Draw) -> Pair:
    """Draw a 被 sentence, such as "The book was borrowed by Tom": 书被汤姆借走了。"""
    number = draw.uniform()
    time = draw.pick(BYGONE) if draw.chance(0.4) else None
    if number < 0.25:
        return statement(_judged(draw, time))
    handling = draw.pick(SUFFERINGS)
    noun = draw.pick(nouns_of(handling.objects))
    doer = draw.pick(draw.pick(DOERS)) if draw.chance(0.7) else None
    thing = draw_definite(draw, noun, doer or PRONOUNS["you"])
    clause = Clause(thing, suffering(handling, noun, doer), PASSIVE, False, time)
    if number < 0.4:
        return question(clause)
    return statement(replace(clause, negative=number < 0.5))
