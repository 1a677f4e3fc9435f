"""Draws comparisons with 比, 一样 and 没有, also of places by distance and weather."""

from __future__ import annotations

from tasks.grammar.clauses import (
    HABIT,
    Clause,
    Pair,
    Predicate,
    Words,
    declarative,
    question,
    statement,
    words_of,
)
from tasks.grammar.drawing import Draw
from tasks.grammar.people import ASKERS, FAMILY, NAMED, draw_somebody
from tasks.grammar.phrases import PRONOUNS, THAT, THIS, Phrase, noun_phrase
from tasks.grammar.things import described
from tasks.grammar.words import lexicon
from tasks.grammar.words.entries import Adjective
from tasks.grammar.words.numbers import counted, english_number
from tasks.grammar.words.verbs import BE

AGE = Adjective("old", "older", "", "大", frozenset(["age"]))
YOUTH = Adjective("young", "younger", "", "小", frozenset(["age"]))
MEASURES: dict[str, tuple[str, str, range]] = {
    "older": ("year", "岁", range(1, 16)),
    "younger": ("year", "岁", range(1, 16)),
    "taller": ("centimetre", "厘米", range(2, 20)),
    "shorter": ("centimetre", "厘米", range(2, 20)),
    "fatter": ("kilo", "公斤", range(2, 16)),
}
SCALES = tuple(trait for trait in lexicon.TRAITS if trait.comparative)

# People whose ages can be compared: a mother is not two years older than her son.
PEERS = ("brother", "sister", *PRONOUNS, *(person.english for person in lexicon.NAMES))


def _amount(draw: Draw, adjective: Adjective) -> Words:
    """Draw the size of a difference: two years, much, or nothing.

    In Chinese it follows the adjective.
    """
    if draw.chance(0.2):
        return Words("much ", "得多")
    if adjective.comparative in MEASURES and draw.chance(0.6):
        unit, chinese, numbers = MEASURES[adjective.comparative]
        number = draw.pick(numbers)
        plural = "" if number == 1 else "s"
        return Words(f"{english_number(number)} {unit}{plural} ", counted(number) + chinese)
    if adjective.comparative in ("more expensive", "cheaper") and draw.chance(0.4):
        number = draw.pick((5, 10, 20, 50, 80, 100, 120, 200, 250, 500, 1000, 1500))
        return Words(f"{english_number(number)} yuan ", f"{counted(number)}块钱")
    return Words("", "")


NOTHING = Words("", "")


def comparison(
    subject: Phrase, adjective: Adjective, other: Phrase, amount: Words = NOTHING
) -> Clause:
    """Build a clause such as "he is two years older than me": 他比我大两岁."""
    tail = f"{amount.english}{adjective.comparative} than {other.object}"
    before = f"比{other.chinese}"
    return Clause(subject, Predicate(BE, tail, adjective.predicate, amount.chinese, before), HABIT)


def equality(subject: Phrase, adjective: Adjective, other: Phrase, negative: bool) -> Clause:
    """Build a clause such as "he is (not) as old as me": 他跟我一样大, 他没有我大."""
    tail = f"{'not ' if negative else ''}as {adjective.english} as {other.object}"
    before = f"没有{other.chinese}" if negative else f"跟{other.chinese}一样"
    return Clause(subject, Predicate(BE, tail, adjective.predicate, "", before), HABIT)


def _compared(draw: Draw) -> tuple[Phrase, Adjective, Phrase]:
    """Draw two people or two things, and the adjective that compares them."""
    if draw.chance(0.6):
        subject = draw.pick(draw.pick((ASKERS, NAMED, FAMILY)))
        other, scale = draw_somebody(draw, subject), SCALES
        if subject.english.endswith(PEERS) and other.english.endswith(PEERS):
            scale = (*SCALES, *[AGE] * 9, *[YOUTH] * 6)
        return subject, draw.pick(scale), other
    noun, adjective = draw.pick([p for p in described() if p[1].comparative and not p[0].mass])
    this, that = noun_phrase(noun, THIS), noun_phrase(noun, THAT)
    pairs = ((adjective.english, noun.singular),)
    if draw.chance(0.5):
        one = Phrase("", f"那{noun.measure}", "that one")
        return this._replace(combinations=pairs), adjective, one
    return this._replace(combinations=pairs), adjective, that


def draw_comparison(draw: Draw) -> Pair:
    """Draw a comparison of two people or two things.

    He is taller than me: 他比我高。 As tall as me: 跟我一样高。 Not as tall: 没有我高。
    """
    subject, adjective, other = _compared(draw)
    number = draw.uniform()
    if number < 0.3 and adjective is YOUTH:
        adjective = AGE  # as young as is said of the old
    if number < 0.15:
        return statement(equality(subject, adjective, other, True))
    if number < 0.3:
        return statement(equality(subject, adjective, other, False))
    if number < 0.45:
        return question(comparison(subject, adjective, other))
    return statement(comparison(subject, adjective, other, _amount(draw, adjective)))


WEATHERS = tuple(
    zip(
        words_of("winter/冬天|summer/夏天|spring/春天|autumn/秋天"),
        words_of("cold colder/冷|hot hotter/热|warm warmer/暖和|cool cooler/凉快"),
        strict=True,
    )
)


def draw_distance(draw: Draw) -> Pair:
    """Draw a comparison of two places.

    The school is very far from my home. Beijing is colder than Shanghai in winter.
    """
    if draw.chance(0.5):
        one, other = draw.two(lexicon.SPOTS)
        near = draw.pick(
            (
                Words("very far from", "很远"),
                Words("very close to", "很近"),
                Words("not far from", "不远"),
            )
        )
        start, end = (lexicon.PLACES[k].to.removeprefix("to ") for k in (one, other))
        start, end = ("the school" if k == "school" else k for k in (start, end))
        return declarative(
            f"{start} is {near.english} {end}",
            f"{lexicon.PLACES[one].chinese}离{lexicon.PLACES[other].chinese}{near.chinese}",
        )
    season, weather = draw.pick(WEATHERS)
    plain, more = weather.english.split()
    one, other = draw.two(lexicon.CITIES)
    if draw.chance(0.5):
        degree = draw.pick(words_of("/很|very /非常"))
        return declarative(
            f"it is {degree.english}{plain} in {one} in {season.english}",
            f"{lexicon.PLACES[one].chinese}{season.chinese}{degree.chinese}{weather.chinese}",
        )
    return declarative(
        f"it is {more} in {one} than in {other} in {season.english}",
        f"{season.chinese}{lexicon.PLACES[one].chinese}比{lexicon.PLACES[other].chinese}{weather.chinese}",
    )
