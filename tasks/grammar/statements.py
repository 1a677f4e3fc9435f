"""Draws simple sentences about an act: statements, questions, choices, gifts and commands."""

from __future__ import annotations

from tasks.grammar.actions import ASKED_FORMS, draw_action, draw_form
from tasks.grammar.ba_bei import COMPLETED, WILFUL, draw_disposing
from tasks.grammar.being import draw_having
from tasks.grammar.clauses import (
    CAN,
    FUTURE,
    HABIT,
    MUST,
    PAST,
    PLAN,
    SKILL,
    WANT,
    Clause,
    Form,
    Pair,
    Predicate,
    chinese,
    choice,
    declarative,
    english,
    question,
    statement,
)
from tasks.grammar.drawing import Draw
from tasks.grammar.people import draw_somebody, draw_subject
from tasks.grammar.phrases import FEW, PRONOUNS, THESE_FEW, THIS, A, Phrase, noun_phrase
from tasks.grammar.predicates import draw_predicate, draw_trait, transitive
from tasks.grammar.things import draw_object, nouns_of
from tasks.grammar.times import BYGONE
from tasks.grammar.words.verbs import GIFTS, STATES, TEACH, VERBS


def draw_statement(draw: Draw) -> Pair:
    """Draw a statement such as "The teacher did not buy three books": 老师没买三本书。"""
    form = draw_form(draw)
    negative = form is not MUST and draw.chance(0.3)
    return statement(draw_action(draw, form, negative))


def draw_question(draw: Draw) -> Pair:
    """Draw a question such as "Did he buy three books?" 他买了三本书吗？"""
    return question(draw_action(draw, draw.pick(ASKED_FORMS), asked=True))


def _state(draw: Draw, negative: bool, asked: bool) -> Clause:
    """Draw a clause with like, need or know."""
    subject = draw_subject(draw, asked, not (negative or asked))
    verb = draw.pick(STATES)
    letter = "x" if verb.base == "need" else "n"
    thing = draw_object(draw, verb, letter, not (negative or asked), subject)
    return Clause(subject, transitive(verb, *thing), HABIT, negative)


def draw_liking(draw: Draw) -> Pair:
    """Draw a statement or question with like, need or know: 她喜欢书。"""
    if draw.chance(0.3):
        return question(_state(draw, False, True))
    return statement(_state(draw, draw.chance(0.3), False))


def draw_choice(draw: Draw) -> Pair:
    """Draw a question such as "Does he read books or not?" 他看不看书？"""
    if draw.chance(0.3):
        return choice(_state(draw, False, True))
    if draw.chance(0.25):
        return choice(draw_trait(draw, draw_subject(draw, True), False, True))
    if draw.chance(0.2):
        return choice(draw_having(draw, draw_subject(draw, True), False))
    form = draw.pick((HABIT, FUTURE, SKILL, CAN, WANT, PLAN))
    return choice(draw_action(draw, form, asked=True))


def _teaching(draw: Draw, other: Phrase) -> tuple[Predicate, Form]:
    """Draw a predicate such as "teaches us Chinese": 教我们中文."""
    noun, verb = draw.pick(nouns_of(frozenset(["subject"]))), TEACH
    pairs = ((verb.base, noun.singular),)
    tail, after = f"{other.object} {noun.plural}", other.chinese + noun.chinese
    return Predicate(verb, tail, verb.chinese, after, combinations=pairs), HABIT


def _gift(draw: Draw, other: Phrase, negative: bool) -> tuple[Predicate, Form]:
    """Draw a predicate such as "gave me two books": 给了我两本书."""
    verb = draw.pick(GIFTS)
    noun = draw.pick(nouns_of(verb.objects))
    determiner = draw.pick((THESE_FEW[0], THIS) if negative else (A, *FEW))
    thing = noun_phrase(noun, determiner)
    pairs = ((verb.base, noun.singular),)
    tail, after = f"{other.object} {thing.object}", other.chinese + thing.chinese
    return Predicate(verb, tail, verb.chinese, after, combinations=pairs), PAST


def _favour(draw: Draw, subject: Phrase, other: Phrase, negative: bool) -> tuple[Predicate, Form]:
    """Draw a predicate such as "bought a book for me": 给我买了一本书."""
    verb = draw.pick([v for v in VERBS if v.base in ("buy", "draw")])
    said = transitive(verb, *draw_object(draw, verb, "w", not negative, subject))
    said = said._replace(tail=f"{said.tail} for {other.object}", before=f"给{other.chinese}")
    return said, draw.pick((PAST, WANT))


def draw_giving(draw: Draw) -> Pair:
    """Draw a sentence about giving to, teaching, or buying for somebody."""
    subject, number, negative = draw_subject(draw), draw.uniform(), draw.chance(0.25)
    other = draw_somebody(draw, subject)
    if number < 0.2:
        said, form = _teaching(draw, other)
    elif number < 0.6:
        said, form = _gift(draw, other, negative)
    else:
        said, form = _favour(draw, subject, other, negative)
    timed = form is PAST and (said.late or draw.chance(0.5))
    time = draw.pick(BYGONE) if timed else None
    return statement(Clause(subject, said, form, negative, time))


def draw_imperative(draw: Draw) -> Pair:
    """Draw a command, such as "Please close the door": 请把门关上。

    Or "Do not drink this cup of tea": 别喝这杯茶。
    """
    you, negative = PRONOUNS["you"], draw.chance(0.45)
    if draw.chance(0.4):
        said = draw_disposing(draw, you)
        while said.verb.base in (COMPLETED if negative else WILFUL):
            said = draw_disposing(draw, you)
    else:
        said = draw_predicate(draw, Form("command", "", "", "别", letter="c"), not negative, you)
    clause = Clause(you._replace(chinese="别" if negative else "请"), said, HABIT)
    text = english(clause).removeprefix("you ")
    return declarative(
        f"{'do not' if negative else 'please'} {text}", chinese(clause), said.combinations
    )
