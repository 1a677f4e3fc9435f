"""Defines a clause, and renders it in English and in Chinese, alone or as a sentence.

"Not" and the auxiliaries, 不 and 没, 了, 着 and 过, and the order of time, place and verb are
decided here; `english` and `chinese` read the same Clause.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from tasks.grammar.phrases import Combination, Phrase
from tasks.grammar.words.entries import Verb
from tasks.grammar.words.verbs import BE, WISHES


class Form(NamedTuple):
    """A tense or mood.

    kind: how English builds it. affirm, deny: Chinese before the verb. ask: its own A-not-A
    question, if it has one. letter: see `words.entries.Verb`.
    """

    kind: str
    english: str
    affirm: str
    deny: str
    ask: str = ""
    letter: str = ""


HABIT = Form("habit", "", "", "不", letter="h")
PAST = Form("past", "", "", "没", letter="d")
PROGRESSIVE = Form("progressive", "", "正在", "没在", letter="p")
PASSIVE = Form("passive", "", "", "没")
WEARING = Form("wearing", "", "", "没", letter="z")
EVER = Form("ever", "", "", "从来没", letter="e")
ALREADY = Form("already", "", "已经", "还没", letter="y")
FUTURE = Form("auxiliary", "will", "会", "不会", "会不会", "f")
HOPED = FUTURE._replace(affirm="")
SKILL = Form("auxiliary", "can", "会", "不会", "会不会", "s")
CAN = Form("auxiliary", "can", "能", "不能", "能不能", "m")
MAY = Form("auxiliary", "may", "可以", "不可以", "", "m")
SHOULD = Form("auxiliary", "should", "应该", "不应该", "应不应该", "m")
MUST = Form("auxiliary", "must", "必须", "", "", "m")
WANT = Form("wish", "want", "想", "不想", "想不想", "w")
LIKE = Form("wish", "like", "喜欢", "不喜欢", "喜不喜欢", "w")
PLAN = Form("wish", "plan", "打算", "不打算", "打不打算", "w")
NEED = Form("wish", "need", "需要", "不用", "", "m")


class Predicate(NamedTuple):
    """The part of a clause that says something about the subject.

    tail: English after the verb. before, head, after: Chinese before the verb (把门), the verb, and
    its object or complement. late: 了 follows the object. degree: the 很 of a plain adjective.
    """

    verb: Verb
    tail: str
    head: str
    after: str = ""
    before: str = ""
    late: bool = False
    degree: str = ""
    places: tuple[str, ...] = ()
    combinations: tuple[Combination, ...] = ()


class Words(NamedTuple):
    """A time, place or adverb in both languages."""

    english: str
    chinese: str


def words_of(table: str) -> tuple[Words, ...]:
    """Read words from a table: english/chinese, with bars between the rows."""
    return tuple(Words(*row.split("/")) for row in table.split("|"))


@dataclass(frozen=True, slots=True)
class Clause:
    """Says who does what, when and where. early: the time stands first, in both languages."""

    subject: Phrase
    predicate: Predicate
    form: Form
    negative: bool = False
    time: Words | None = None
    place: Words | None = None
    adverb: Words | None = None
    early: bool = False

    @property
    def combinations(self) -> frozenset[Combination]:
        """The pairs of content words in the clause."""
        return frozenset((*self.subject.combinations, *self.predicate.combinations))


def be(subject: Phrase) -> str:
    """Return am, are or is, as the subject asks for."""
    if subject.plural:
        return "are"
    return "am" if subject.person == 1 else "is"


def _simple(verb: Verb, subject: Phrase, plain: bool) -> tuple[str, str]:
    if plain:
        return "", verb.third if subject.third else verb.base
    return "does" if subject.third else "do", verb.base


def _compound_verb(form: Form, verb: Verb, subject: Phrase) -> tuple[str, str] | None:
    """Return the auxiliary and the rest of a form with be or have; None for other forms."""
    if form.kind in ("progressive", "wearing"):
        return be(subject), verb.gerund
    if form.kind in ("ever", "already"):
        return "has" if subject.third else "have", verb.participle
    if form is PASSIVE:
        return "were" if subject.plural else "was", verb.participle
    return None


def _modal(clause: Clause, asked: bool) -> str:
    """Return the modal verb of a clause; cannot is one word."""
    word = clause.form.english
    return "cannot" if word == "can" and clause.negative and not asked else word


def _english_verb(clause: Clause, asked: bool) -> tuple[str, str]:
    """Return the auxiliary, or "" if there is none, and the rest of the verb."""
    verb, form, subject = clause.predicate.verb, clause.form, clause.subject
    plain = not (asked or clause.negative)
    if form.kind == "auxiliary":
        return _modal(clause, asked), verb.base
    if compound := _compound_verb(form, verb, subject):
        return compound
    if form.kind == "wish":
        auxiliary, word = _simple(WISHES[form.english], subject, plain)
        return auxiliary, f"{word} to {verb.base}"
    if verb is BE:
        return be(subject), ""
    if form.kind == "past":
        return ("", verb.past) if plain else ("did", verb.base)
    return _simple(verb, subject, plain)


def _english_adverb(clause: Clause, asked: bool) -> str:
    if clause.form is EVER:
        return "never" if clause.negative else "ever" if asked else ""
    if clause.form is ALREADY:
        return "not" if clause.negative else "already"
    adverb = clause.adverb.english if clause.adverb else ""
    if clause.form.english == "can" and not asked:
        return adverb  # cannot is one word
    return f"not {adverb}".strip() if clause.negative else adverb


def _english_end(clause: Clause, asked: bool) -> str:
    if clause.form is ALREADY and clause.negative:
        return "yet"
    return "before" if clause.form is EVER and not clause.negative and not asked else ""


def english(clause: Clause, asked: bool = False) -> str:
    """Render the clause in English, without capital letter and full stop.

    asked: put the auxiliary before the subject.
    """
    auxiliary, verb = _english_verb(clause, asked)
    subject = clause.subject.english
    adverb = _english_adverb(clause, asked)
    first = (auxiliary, subject) if asked else (subject, auxiliary)
    parts = [
        *first,
        adverb,
        verb + (clause.predicate.verb.particle if verb else ""),
        clause.predicate.tail,
        clause.place.english if clause.place else "",
        _english_end(clause, asked),
        clause.time.english if clause.time and not clause.early else "",
    ]
    text = " ".join(part for part in parts if part)
    return f"{clause.time.english}, {text}" if clause.time and clause.early else text


def _choosing(operator: str, place: str, verb: str, head: str) -> tuple[str, str, str]:
    """Apply A-not-A to the first of operator, place and verb that is there: 在不在家看书.

    Returns the three, changed.
    """
    if operator:
        return operator, place, verb
    if head == "有":
        return "", place, "有没" + verb
    if place:
        return "", f"{place[0]}不{place}", verb
    return "", "", f"{verb[0]}不{verb}"


def _chinese_verb(clause: Clause, question: bool) -> str:
    """Render verb, aspect and object: 看了两本书, 看书了, 看过书, 看书."""
    said, form = clause.predicate, clause.form
    if form is EVER:
        return f"{said.head}过{said.after}"
    if clause.negative:
        return said.head + said.after
    if form is WEARING:
        return f"{said.head}着{said.after}"
    if form in (PAST, ALREADY, PASSIVE) and said.verb is not BE:
        late = said.late or (form is ALREADY and question)
        return f"{said.head}{said.after}了" if late else f"{said.head}了{said.after}"
    degree = "" if question else said.degree
    return degree + said.head + said.after


def _chinese_denial(clause: Clause) -> str:
    """Return the negation: 没 before 有 and words that begin with it, such as 有意思."""
    if clause.predicate.head.startswith("有") and clause.form is HABIT:
        return "没"
    return clause.form.deny


def _operator(clause: Clause) -> str:
    """Return the negation or modal before place and verb.

    After 都 the progressive is 在, not 正在.
    """
    if clause.negative:
        return _chinese_denial(clause)
    operator = clause.form.affirm
    if clause.form is PROGRESSIVE and clause.subject.every:
        operator = "在"
    if clause.form is PROGRESSIVE and clause.place:
        return operator.removesuffix("在")
    return operator


def chinese(clause: Clause, mood: str = "") -> str:
    """Render the clause in Chinese, without punctuation.

    mood: "" for a statement; "ask" where 吗 or a question word makes it a question; "choose" for
    A-not-A.
    """
    said, form, subject = clause.predicate, clause.form, clause.subject
    time = _chinese_words(clause.time)
    if form is EVER and not mood and not clause.negative:
        time = "以前"
    operator = _operator(clause)
    place = f"在{clause.place.chinese}" if clause.place else ""
    verb = _chinese_verb(clause, bool(mood))
    if mood == "choose":
        operator, place, verb = _choosing(form.ask, place, said.before + verb, said.head)
    else:
        verb = said.before + verb
    if form in (WANT, PLAN):  # the time is of what is wished for
        operator, time = operator + time, ""
    front = time + subject.chinese if clause.early else subject.chinese + time
    every = "都" if subject.every else ""
    return f"{front}{every}{_chinese_words(clause.adverb)}{operator}{place}{verb}"


def _chinese_words(words: Words | None) -> str:
    return words.chinese if words else ""


class Pair(NamedTuple):
    """An English sentence, its translation, and the content word combinations in it.

    A combination is a verb with its object, or an adjective with its noun.
    """

    english: str
    chinese: str
    combinations: frozenset[Combination]


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def declarative(text: str, translation: str, combinations: Iterable[Combination] = ()) -> Pair:
    """Make a sentence that ends with a full stop."""
    return Pair(_capital(text) + ".", translation + "。", frozenset(combinations))


def interrogative(text: str, translation: str, combinations: Iterable[Combination] = ()) -> Pair:
    """Make a sentence that ends with a question mark."""
    return Pair(_capital(text) + "?", translation + "？", frozenset(combinations))


def statement(clause: Clause) -> Pair:
    """Make a statement from a clause."""
    return declarative(english(clause), chinese(clause), clause.combinations)


def question(clause: Clause) -> Pair:
    """Make a yes-no question, such as "Does he read?" 他看书吗？"""
    return interrogative(english(clause, True), chinese(clause, "ask") + "吗", clause.combinations)


def choice(clause: Clause) -> Pair:
    """Make an A-not-A question, such as "Does he read or not?" 他看不看书？"""
    text = english(clause, True) + " or not"
    return interrogative(text, chinese(clause, "choose"), clause.combinations)
