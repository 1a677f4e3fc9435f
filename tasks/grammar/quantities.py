"""Draws sentences of quantity: prices, stocks, dates, ages, how long, how well, how often."""

from __future__ import annotations

from tasks.grammar.clauses import (
    HABIT,
    PAST,
    Clause,
    Pair,
    Predicate,
    Words,
    be,
    declarative,
    statement,
    words_of,
)
from tasks.grammar.drawing import Draw
from tasks.grammar.people import FAMILY, NAMED, draw_subject
from tasks.grammar.phrases import KIN_OWN, NAMES_OWN, OWN, THAT, THIS, noun_phrase
from tasks.grammar.predicates import deed, deeds_with, transitive, verbs_with
from tasks.grammar.things import draw_object, nouns_of
from tasks.grammar.times import BYGONE, CLOCK, DATES, PARTS
from tasks.grammar.words import lexicon
from tasks.grammar.words.numbers import chinese_number, counted, english_number
from tasks.grammar.words.verbs import DEEDS


def large(draw: Draw, digits: int) -> int:
    """Draw a number of so many digits, often with zeros inside, so that 零 occurs."""
    number = 0
    for place in range(digits):
        digit = 1 + int(draw.uniform() * 9)
        number = number * 10 + (digit if not place or draw.chance(0.45) else 0)
    return number


COSTS = ((1, "reading stationery food"), (2, "clothing worn printed ware"), (3, "device furniture"),
         (4, "big-device device"), (5, "motor"))  # fmt: skip


def _cost(draw: Draw) -> Pair:
    """Draw a sentence such as "This car costs twelve thousand yuan": 这辆汽车一万两千块钱。"""
    digits, kinds = draw.pick(COSTS)
    noun = draw.pick(nouns_of(frozenset(kinds.split())))
    thing = noun_phrase(noun, draw.pick((THIS, THAT)))
    number = max(2, large(draw, digits))
    verb = "costs" if thing.third else "cost"
    return declarative(
        f"{thing.english} {verb} {english_number(number)} yuan",
        f"{thing.chinese}{counted(number)}块钱",
    )


HOLDINGS: tuple[tuple[str, str, str, int], ...] = (
    ("this school", "这所学校", "student", 4),
    ("our school", "我们学校", "teacher", 3),
    ("this factory", "这家工厂", "worker", 5),
    ("that hospital", "那家医院", "doctor", 3),
    ("our company", "我们公司", "engineer", 4),
)
STOCKS: tuple[tuple[str, str, str, int], ...] = (
    ("this library", "这个图书馆", "book", 5),
    ("our library", "我们的图书馆", "magazine", 4),
    ("that shop", "那家商店", "bicycle", 3),
    ("this hotel", "这家酒店", "room", 3),
    ("this park", "这个公园", "tree", 5),
)


def _amounts(draw: Draw) -> Pair:
    """Draw a sentence such as "This library has twelve thousand books".

    In Chinese: 这个图书馆有一万两千本书。
    """
    if draw.chance(0.25):
        subject, number = draw_subject(draw), large(draw, draw.pick((4, 5)))
        verb = "earns" if subject.third else "earn"
        return declarative(
            f"{subject.english} {verb} {english_number(number)} yuan a month",
            f"{subject.chinese}每个月挣{counted(number)}块钱",
        )
    where, chinese_where, what, digits = draw.pick((*HOLDINGS, *STOCKS))
    number = large(draw, digits)
    noun = next(n for n in (*lexicon.NOUNS, *lexicon.PEOPLE) if n.singular == what)
    measure = "个" if noun.measure == "位" else noun.measure
    return declarative(
        f"{where} has {english_number(number)} {noun.plural}",
        f"{chinese_where}有{counted(number)}{measure}{noun.chinese}",
    )


def _calendar(draw: Draw) -> Pair:
    """Draw a sentence such as "Today is March the second" or "It is two o'clock".

    In Chinese: 今天是三月二号。 现在两点。
    """
    number = draw.uniform()
    if number < 0.3:
        english_time, zh, part = draw.pick(CLOCK)
        return declarative(
            f"it is {english_time.removeprefix('at ')} in the {part}", f"现在是{PARTS[part]}{zh}"
        )
    date = draw.pick(DATES)
    if number < 0.6:
        day = draw.pick(words_of("today/今天|tomorrow/明天|the day after tomorrow/后天"))
        return declarative(f"{day.english} is {date.english[3:]}", f"{day.chinese}是{date.chinese}")
    if number < 0.8:
        owner = draw.pick((*OWN.values(), *NAMES_OWN, *KIN_OWN))
        return declarative(
            f"{owner.english} birthday is {date.english}", f"{owner.chinese}生日是{date.chinese}"
        )
    subject = draw.pick((*NAMED, *FAMILY))
    youngest, oldest = lexicon.AGES.get(subject.english.split()[-1], (10, 60))
    age = youngest + int(draw.uniform() * (oldest - youngest))
    return declarative(
        f"{subject.english} {be(subject)} {english_number(age)} years old",
        f"{subject.chinese}{chinese_number(age)}岁",
    )


def draw_number_sentence(draw: Draw) -> Pair:
    """Draw a sentence about a price, an amount or a date."""
    return draw.pick((_cost, _amounts, _calendar))(draw)


SPANS = tuple(
    Words(f"{english_number(n)} {unit}{'s' if n > 1 else ''}", f"{counted(n)}{chinese}")
    for unit, chinese, numbers in (
        ("hour", "个小时", (1, 2, 3, 4, 5)),
        ("minute", "分钟", (10, 20, 30, 40, 50)),
    )
    for n in numbers
)
LONG_SPANS = tuple(
    Words(f"{english_number(n)} {unit}{'s' if n > 1 else ''}", f"{counted(n)}{chinese}")
    for unit, chinese, numbers in (("year", "年", range(1, 11)), ("month", "个月", range(1, 7)))
    for n in numbers
)
MANNERS = words_of("very well/很好|very fast/很快|very slowly/很慢")
MANNERED = {"swim": "012", "run": "12", "dance": "0", "sing": "0", "skate": "01", "ski": "01"}
MANNERED |= {"cook": "012", "sleep": "0"}


def _manner(draw: Draw) -> Pair:
    """Draw a sentence such as "He swims very fast": 他游泳游得很快。"""
    subject = draw_subject(draw)
    if draw.chance(0.5):
        verb = draw.pick([v for v in verbs_with("s") if v.chinese in "弹拉踢打下说画"])
        thing, noun = draw_object(draw, verb, "s", True, subject)
        said = transitive(verb, thing, noun)
        manner = MANNERS[0]
    else:
        verb = draw.pick([v for v in DEEDS if v.base in MANNERED])
        said = deed(verb)
        manner = MANNERS[int(draw.pick(MANNERED[verb.base]))]
    twice = said.head + said.after
    tail = f"{said.tail} {manner.english}".strip()
    result = Predicate(
        said.verb, tail, f"{twice}{said.head}得{manner.chinese}", combinations=said.combinations
    )
    return statement(Clause(subject, result, HABIT))


def _lasting(draw: Draw) -> Pair:
    """Draw a sentence such as "He swam for two hours": 他游了两个小时泳。"""
    subject, span = draw_subject(draw), draw.pick(SPANS)
    time: Words | None = draw.pick(BYGONE[:3])
    if draw.chance(0.5):
        said = deed(draw.pick(deeds_with("l")))
    else:
        verb = draw.pick(verbs_with("l"))
        thing, noun = draw_object(draw, verb, "l", True, subject)
        said = transitive(verb, thing, noun)
        if verb.base == "learn":
            time, span = None, draw.pick(LONG_SPANS)
    said = said._replace(
        tail=f"{said.tail} for {span.english}".strip(), late=False, after=span.chinese + said.after
    )
    return statement(Clause(subject, said, PAST, time=time))


TIMES = words_of("once/一次|twice/两次|three times/三次|four times/四次|many times/很多次")


def _repeated(draw: Draw) -> Pair:
    """Draw a sentence such as "She has been to Beijing twice": 她去过两次北京。"""
    subject, times = draw_subject(draw), draw.pick(TIMES)
    goal = draw.pick((*lexicon.CITIES, *lexicon.COUNTRIES))
    verb = "has" if subject.third else "have"
    return declarative(
        f"{subject.english} {verb} been {lexicon.PLACES[goal].to} {times.english}",
        f"{subject.chinese}去过{times.chinese}{lexicon.PLACES[goal].chinese}",
        [("go", goal)],
    )


def draw_extent(draw: Draw) -> Pair:
    """Draw a sentence about how well, how long or how often something is done."""
    return draw.pick((_manner, _manner, _lasting, _lasting, _repeated))(draw)
