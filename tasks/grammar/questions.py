"""Draws open questions (who, what, when, where, why, how, whose, how much) and "tea or coffee"."""

from __future__ import annotations

from collections.abc import Callable

from tasks.grammar.actions import draw_action, draw_when
from tasks.grammar.clauses import (
    FUTURE,
    HABIT,
    LIKE,
    PAST,
    PROGRESSIVE,
    SKILL,
    WANT,
    Clause,
    Pair,
    Predicate,
    Words,
    be,
    chinese,
    english,
    interrogative,
    words_of,
)
from tasks.grammar.drawing import Draw
from tasks.grammar.people import draw_subject
from tasks.grammar.phrases import BARE, SEVERAL, THAT, THIS, Phrase, noun_phrase
from tasks.grammar.predicates import deed, journey, transitive, verbs_with
from tasks.grammar.things import draw_alternatives, nouns_of
from tasks.grammar.times import BYGONE, at
from tasks.grammar.words import lexicon
from tasks.grammar.words.verbs import DEEDS, STATES

WHO = Phrase("who", "谁", "whom")
WHAT = frozenset("buy write draw learn".split())


def _open(text: str, clause: Clause, translation: str) -> Pair:
    return interrogative(f"{text} {english(clause, True)}", translation, clause.combinations)


def _what(draw: Draw) -> Pair:
    """Draw a question such as "What did he buy yesterday?" 他昨天买了什么？"""
    form = draw.pick((HABIT, PAST, PAST, PROGRESSIVE, FUTURE, WANT))
    verb = draw.pick([v for v in verbs_with(form.letter) if v.base in WHAT])
    said = Predicate(verb, "", verb.chinese, "什么")
    time = draw_when(draw, form, False)
    place = at(draw.pick(verb.places)) if form in (HABIT, PAST) and draw.chance(0.3) else None
    clause = Clause(draw_subject(draw, True), said, form, time=time, place=place)
    return _open("what", clause, chinese(clause, "ask"))


def _who(draw: Draw) -> Pair:
    """Draw a question such as "Who bought this book?" 谁买了这本书？"""
    form = draw.pick((PAST, PAST, PROGRESSIVE, WANT, SKILL, HABIT))
    clause = draw_action(draw, form, asked=True, who=WHO)
    clause = Clause(WHO, clause.predicate, form, time=clause.time, place=clause.place)
    return interrogative(english(clause), chinese(clause), clause.combinations)


def _whom(draw: Draw) -> Pair:
    """Draw a question such as "Whom did he invite?" 他邀请了谁？"""
    verb = draw.pick([v for v in verbs_with("d") if "person" in v.objects])
    time = draw.pick(BYGONE) if draw.chance(0.6) else None
    clause = Clause(
        draw_subject(draw, True), Predicate(verb, "", verb.chinese, "谁"), PAST, time=time
    )
    return _open("who", clause, chinese(clause, "ask"))


def _where(draw: Draw) -> Pair:
    """Draw a question such as "Where did he buy this book?" 他是在哪儿买这本书的？"""
    form = draw.pick((HABIT, PAST, FUTURE, WANT, PAST))
    clause = draw_action(draw, form, asked=True)
    if not clause.predicate.places:
        clause = Clause(clause.subject, deed(draw.pick(DEED_PLACED)), form, time=clause.time)
    clause = Clause(clause.subject, clause.predicate, form, time=clause.time)
    if form is PAST:
        return _open("where", clause, _cleft(clause, "在哪儿"))
    held = Clause(clause.subject, clause.predicate, form, time=clause.time, place=Words("", "哪儿"))
    return _open("where", clause, chinese(held, "ask"))


def _cleft(clause: Clause, asked: str) -> str:
    """Render a question about when or where something was done with 是…的, which takes no 了."""
    said = clause.predicate
    time = clause.time.chinese if clause.time else ""
    return f"{clause.subject.chinese}{time}是{asked}{said.before}{said.head}{said.after}的"


DEED_PLACED = tuple(v for v in DEEDS if v.places and {"h", "f", "d", "w"} <= v.forms)


def _whenever(draw: Draw) -> Pair:
    """Draw a question such as "When will he go to Beijing?" 他什么时候去北京？"""
    form = draw.pick((PAST, FUTURE))
    clause = draw_action(draw, form, asked=True)
    clause = Clause(clause.subject, clause.predicate, form)
    if form is PAST:
        return _open("when", clause, _cleft(clause, "什么时候"))
    said = clause.predicate
    translation = f"{clause.subject.chinese}什么时候{said.before}{said.head}{said.after}"
    return _open("when", clause, translation)


def _why(draw: Draw) -> Pair:
    """Draw a question such as "Why did he not buy this book?" 他为什么没买这本书？"""
    form = draw.pick((PAST, HABIT, WANT, LIKE))
    clause = draw_action(draw, form, negative=form is PAST or draw.chance(0.5), asked=True)
    time = clause.time if form is PAST else None
    adverb = Words("", (time.chinese if time else "") + "为什么")
    why = Clause(clause.subject, clause.predicate, form, clause.negative, adverb=adverb)
    text = Clause(clause.subject, clause.predicate, form, clause.negative, time)
    return _open("why", text, chinese(why, "ask"))


def _how_many(draw: Draw) -> Pair:
    """Draw a question such as "How many books did he buy?" 他买了几本书？"""
    verb = draw.pick([v for v in verbs_with("d") if nouns_of(v.objects)])
    options = [n for n in nouns_of(verb.objects) if not n.mass or n.unit]
    if not options:
        return _whom(draw)
    noun = draw.pick(options)
    thing = noun_phrase(noun, SEVERAL)
    word = thing.english.removeprefix("several ")
    pairs = ((verb.base + verb.particle, noun.singular),)
    said = Predicate(verb, "", verb.chinese, thing.chinese, combinations=pairs)
    time = draw.pick(BYGONE) if draw.chance(0.5) else None
    clause = Clause(draw_subject(draw, True), said, PAST, time=time)
    return _open(f"how many {word}", clause, chinese(clause, "ask"))


def _which(draw: Draw) -> Pair:
    """Draw a question such as "Which book does he like?" 他喜欢哪本书？"""
    form = draw.pick((PAST, WANT, HABIT))
    pool = STATES[:1] if form is HABIT else verbs_with(form.letter)
    verb = draw.pick(pool)
    options = [n for n in nouns_of(verb.objects) if not n.mass]
    if not options:
        return _whom(draw)
    noun = draw.pick(options)
    pairs = ((verb.base + verb.particle, noun.singular),)
    said = Predicate(verb, "", verb.chinese, f"哪{noun.measure}{noun.chinese}", combinations=pairs)
    clause = Clause(draw_subject(draw, True), said, form)
    return _open(f"which {noun.singular}", clause, chinese(clause, "ask"))


def _how(draw: Draw) -> Pair:
    """Draw a question such as "How does he go to school?" or "How old is he?"."""
    subject = draw_subject(draw, True)
    if draw.chance(0.65):
        clause = Clause(subject, journey(draw.pick(lexicon.SPOTS)), HABIT)
        return _open("how", clause, f"{subject.chinese}怎么去{clause.predicate.after}")
    scale = draw.pick(words_of("old/大|tall/高"))
    text = f"how {scale.english} {be(subject)} {subject.english}"
    return interrogative(text, f"{subject.chinese}多{scale.chinese}")


BELONGINGS = frozenset("small-thing pocket clothing vehicle".split())


def _whose(draw: Draw) -> Pair:
    """Draw a question such as "Whose book is this?" 这是谁的书？"""
    noun = draw.pick(nouns_of(BELONGINGS))
    if noun.mass:
        return interrogative(f"whose {noun.plural} are these", f"这是谁的{noun.chinese}")
    near = draw.pick((THIS, THAT))
    text = f"whose {noun.singular} is {near.english}"
    return interrogative(text, f"{near.chinese}是谁的{noun.chinese}")


PRICED = frozenset("clothing worn vehicle device furniture plain-worn".split())


def _how_much(draw: Draw) -> Pair:
    """Draw a question such as "How much does this book cost?" 这本书多少钱？"""
    thing = noun_phrase(draw.pick(nouns_of(PRICED)), draw.pick((THIS, THAT)))
    does = "does" if thing.third else "do"
    return interrogative(f"how much {does} {thing.english} cost", f"{thing.chinese}多少钱")


QUESTIONS: tuple[Callable[[Draw], Pair], ...] = (
    _what, _who, _who, _whom, _where, _where, _whenever, _whenever, _why, _why,
    _how_many, _which, _how, _how, _whose, _how_much,
)  # fmt: skip


def draw_wh(draw: Draw) -> Pair:
    """Draw a question with a question word."""
    return draw.pick(QUESTIONS)(draw)


def draw_or(draw: Draw) -> Pair:
    """Draw a question such as "Does he drink tea or coffee?" 他喝茶还是咖啡？"""
    form = draw.pick((HABIT, WANT))
    verb = draw.pick([v for v in verbs_with(form.letter) if len(nouns_of(v.objects)) > 2])
    one, other = (
        transitive(verb, noun_phrase(noun, BARE), noun)
        for noun in draw_alternatives(draw, nouns_of(verb.objects))
    )
    said = one._replace(
        tail=f"{one.tail} or {other.tail}",
        after=f"{one.after}还是{other.after}",
        combinations=one.combinations + other.combinations,
    )
    clause = Clause(draw_subject(draw, True), said, form)
    return interrogative(english(clause, True), chinese(clause, "ask"), clause.combinations)
