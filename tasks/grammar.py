"""A synchronous grammar: English sentences with their Chinese, from one tree rendered twice.

Probes translation where it needs context: "not" is 不 or 没, "play" 弹, 踢 or 打, "old" 老, 旧
or 大, "two" 两 or 二; 了 stands after the verb or at the end, time and place before the verb.
The leaves are phrases in both languages (`tasks.lexicon`); a Clause holds who, what, when and
where, and has a renderer a language. Written for this suite: its Chinese is regular, and one
English sentence has one translation. English has 2 to 26 words (half of it 8 or fewer), Chinese
4 to 35 characters (half of it 12 or fewer).

    The teacher did not buy three books in Beijing yesterday.
    老师昨天没在北京买三本书。
"""

from __future__ import annotations

import hashlib
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate, product
from typing import NamedTuple, TypeVar

import numpy as np

from tasks import lexicon
from tasks.lexicon import (
    BE,
    GO,
    HAVE,
    PLACES,
    Adjective,
    Noun,
    Person,
    Verb,
)

T = TypeVar("T")
Combination = tuple[str, str]
SPOTS = lexicon.SPOTS
HELD_OUT = 20  # one combination of content words in so many is kept out of training


class Pair(NamedTuple):
    """A sentence, its translation, and the verb-object and adjective-noun pairs in it."""

    english: str
    chinese: str
    combinations: frozenset[Combination]


class Draw:
    """Choices from blocks of uniform numbers: a generator's single draws are far slower."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._numbers: Iterator[float] = iter(())

    def uniform(self) -> float:
        """The next number in [0, 1)."""
        for number in self._numbers:
            return number
        self._numbers = iter(self._random.random(64).tolist())
        return next(self._numbers)

    def chance(self, probability: float) -> bool:
        """True this often."""
        return self.uniform() < probability

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, all alike."""
        return options[int(self.uniform() * len(options))]

    def two(self, options: Sequence[T]) -> tuple[T, T]:
        """Two different options."""
        first = int(self.uniform() * len(options))
        step = 1 + int(self.uniform() * (len(options) - 1))
        return options[first], options[(first + step) % len(options)]


# ---------------------------------------------------------------- numbers

DIGITS = "零一二三四五六七八九"
SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = (
    "- first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
    "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()


def english_number(number: int) -> str:
    """1 to 99,999 in words: 10,050 is ten thousand and fifty."""
    assert 0 < number < 100_000, number
    if number < 20:
        return SMALL[number]
    if number < 100:
        return TENS[number // 10] + (f"-{SMALL[number % 10]}" if number % 10 else "")
    size, name = (100, "hundred") if number < 1000 else (1000, "thousand")
    head, rest = divmod(number, size)
    text = f"{english_number(head)} {name}"
    if not rest:
        return text
    return f"{text} {'and ' if rest < 100 else ''}{english_number(rest)}"


def chinese_number(number: int) -> str:
    """1 to 99,999: 10,050 is 一万零五十, 12,000 一万两千; 2 is 两 before 百, 千 and 万."""
    assert 0 < number < 100_000, number
    if 10 <= number < 20:
        return "十" + (DIGITS[number % 10] if number % 10 else "")
    text, gap = "", False
    for size, sign in ((10_000, "万"), (1_000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // size % 10
        if not digit:
            gap = bool(text)
            continue
        name = "两" if digit == 2 and size >= 100 else DIGITS[digit]
        text += ("零" if gap else "") + name + sign
        gap = False
    return text


def counted(number: int) -> str:
    """A number before a measure word: two alone is 两."""
    return "两" if number == 2 else chinese_number(number)


# ---------------------------------------------------------------- phrases


class Phrase(NamedTuple):
    """A noun phrase in both languages.

    object: English after a verb. bare: no measure word, number or owner, so 了 follows it.
    every: takes 都. echo: the pronoun that takes it up again.
    """

    english: str
    chinese: str
    object: str
    person: int = 3
    plural: bool = False
    bare: bool = False
    every: bool = False
    echo: str = ""
    combinations: tuple[Combination, ...] = ()

    @property
    def third(self) -> bool:
        """Whether its English verb takes -s."""
        return self.person == 3 and not self.plural


def _pronoun(english: str, chinese: str, accusative: str, person: int, plural: bool) -> Phrase:
    return Phrase(english, chinese, accusative, person, plural, echo=english)


PRONOUNS = {
    "I": _pronoun("I", "我", "me", 1, False),
    "you": _pronoun("you", "你", "you", 2, True),
    "he": _pronoun("he", "他", "him", 3, False),
    "she": _pronoun("she", "她", "her", 3, False),
    "we": _pronoun("we", "我们", "us", 1, True),
    "they": _pronoun("they", "他们", "them", 3, True),
}
OWNERS = {"my": "我", "your": "你", "his": "他", "her": "她", "our": "我们", "their": "他们"}
OWNER_PERSON = {"my": 1, "your": 2, "his": 3, "her": 3, "our": 1, "their": 3}


def named(person: Person) -> Phrase:
    """Tom."""
    return Phrase(person.english, person.chinese, person.english, echo=person.pronoun)


def kin(owner: str, person: Person) -> Phrase:
    """My mother: 我妈妈, without 的 where one owner has a relative."""
    english = f"{owner} {person.english}"
    link = "的" if owner in ("our", "their") else ""
    return Phrase(english, OWNERS[owner] + link + person.chinese, english, echo=person.pronoun)


class Determiner(NamedTuple):
    """What stands before a noun. kind: how it is counted; see `noun_phrase`."""

    kind: str
    english: str = ""
    chinese: str = ""
    number: int = 1


def _number(number: int) -> Determiner:
    return Determiner("number", english_number(number), counted(number), number)


A = Determiner("a", "a", "一")
THIS, THAT = Determiner("this", "this", "这"), Determiner("this", "that", "那")
THESE = Determiner("these", "these", "这些", 2)
THOSE = Determiner("these", "those", "那些", 2)
MANY = Determiner("many", "many", "很多", 2)
SEVERAL = Determiner("number", "several", "几", 2)
BARE = Determiner("bare", number=2)
ANY = Determiner("bare", "a")  # "a book" of which there is none: 书
NUMBERS = tuple(_number(n) for n in (2, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20))
FEW = tuple(_number(n) for n in (2, 2, 3, 4, 5))
THESE_FEW = tuple(
    Determiner("number", f"{english} {english_number(n)}", chinese + counted(n), n)
    for english, chinese in (("these", "这"), ("those", "那"))
    for n in (2, 3, 4)
)


def _owned(english: str, chinese: str) -> Determiner:
    return Determiner("owned", english, chinese + "的")


OWN = {word: _owned(word, chinese) for word, chinese in OWNERS.items()}
NAMES_OWN = tuple(_owned(f"{p.english}'s", p.chinese) for p in lexicon.NAMES)
KIN_OWN = tuple(_owned(f"my {p.english}'s", f"我{p.chinese}") for p in lexicon.KIN)


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" and not word.startswith(("use", "uni")) else "a"


def noun_phrase(noun: Noun, determiner: Determiner, adjective: Adjective | None = None) -> Phrase:
    """Two new books: 两本新书; a cup of hot tea: 一杯热茶."""
    kind = determiner.kind
    combinations: tuple[Combination, ...] = ()
    attribute, word = "", noun.plural if determiner.number > 1 else noun.singular
    if adjective is not None:
        word = f"{adjective.english} {word}"
        attribute = adjective.attribute
        combinations = ((adjective.english, noun.singular),)
    chinese = attribute + noun.chinese
    plural = determiner.number > 1
    if noun.mass:
        plural = noun.several if kind in ("bare", "owned") else plural
        if kind in ("a", "number", "this"):
            word = f"{noun.units if determiner.number > 1 else noun.unit} of {word}"
    if kind in ("a", "number", "this"):
        chinese = determiner.chinese + noun.measure + chinese
    else:
        chinese = determiner.chinese + chinese
    if kind == "bare":
        bare = not attribute.endswith("的")
        word = f"{_article(word)} {word}" if determiner.english and not noun.mass else word
        return Phrase(word, chinese, word, 3, plural, bare, combinations=combinations)
    english = f"{_article(word) if kind == 'a' else determiner.english} {word}"
    return Phrase(english, chinese, english, 3, plural, combinations=combinations)


def definite(noun: Noun, plural: bool = False) -> Phrase:
    """The teacher: 老师; the teachers: 老师们. Other nouns only where 把 or 被 makes it clear."""
    english = f"the {noun.plural if plural else noun.singular}"
    return Phrase(english, noun.chinese + ("们" if plural else ""), english, 3, plural)


# ---------------------------------------------------------------- clauses


class Form(NamedTuple):
    """Tense or mood. kind: how English builds it; affirm, deny: Chinese before the verb.

    ask: its A-not-A question, where it has one of its own. letter: see `lexicon.Verb`.
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
    """What is said of the subject.

    tail: English after the verb. before, head, after: Chinese before the verb (把门), the verb,
    its object or complement. late: 了 follows the object. degree: 很 of a plain adjective.
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
    """A time, place or adverb."""

    english: str
    chinese: str


@dataclass(frozen=True, slots=True)
class Clause:
    """Who does what, when and where. early: the time stands first, in both languages."""

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
        """The content pairs in it."""
        return frozenset((*self.subject.combinations, *self.predicate.combinations))


def be(subject: Phrase) -> str:
    """Am, are or is."""
    if subject.plural:
        return "are"
    return "am" if subject.person == 1 else "is"


def _simple(verb: Verb, subject: Phrase, plain: bool) -> tuple[str, str]:
    if plain:
        return "", verb.third if subject.third else verb.base
    return "does" if subject.third else "do", verb.base


def _english_verb(clause: Clause, asked: bool) -> tuple[str, str]:
    """The auxiliary, or "", and the rest of the verb."""
    verb, form, subject = clause.predicate.verb, clause.form, clause.subject
    plain = not (asked or clause.negative)
    if form.kind == "auxiliary":
        joined = form.english == "can" and clause.negative and not asked
        return "cannot" if joined else form.english, verb.base
    if form.kind in ("progressive", "wearing"):
        return be(subject), verb.gerund
    if form.kind in ("ever", "already"):
        return "has" if subject.third else "have", verb.participle
    if form is PASSIVE:
        return "were" if subject.plural else "was", verb.participle
    if form.kind == "wish":
        auxiliary, word = _simple(lexicon.WISHES[form.english], subject, plain)
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
    """The clause in English, without capital and full stop.

    asked: the auxiliary stands before the subject.
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
    """A-not-A on the first that there is of an operator, a place and the verb: 在不在家看书."""
    if operator:
        return operator, place, verb
    if head == "有":
        return "", place, "有没" + verb
    if place:
        return "", f"{place[0]}不{place}", verb
    return "", "", f"{verb[0]}不{verb}"


def _chinese_verb(clause: Clause, question: bool) -> str:
    """Verb, aspect and object: 看了两本书, 看书了, 看过书, 看书."""
    said, form = clause.predicate, clause.form
    if form is EVER:
        return f"{said.head}过{said.after}"
    if form is WEARING and not clause.negative:
        return f"{said.head}着{said.after}"
    if form in (PAST, ALREADY, PASSIVE) and not clause.negative and said.verb is not BE:
        late = said.late or (form is ALREADY and question)
        return f"{said.head}{said.after}了" if late else f"{said.head}了{said.after}"
    degree = "" if question or clause.negative else said.degree
    return degree + said.head + said.after


def _chinese_denial(clause: Clause) -> str:
    """The negation: 没 of 有, and of what begins with it, such as 有意思."""
    if clause.predicate.head.startswith("有") and clause.form is HABIT:
        return "没"
    return clause.form.deny


def _operator(clause: Clause) -> str:
    """Negation or modal before the place and the verb; all is followed by 在, not 正在."""
    if clause.negative:
        return _chinese_denial(clause)
    operator = clause.form.affirm
    if clause.form is PROGRESSIVE and clause.subject.every:
        operator = "在"
    if clause.form is PROGRESSIVE and clause.place:
        return operator.removesuffix("在")
    return operator


def chinese(clause: Clause, mood: str = "") -> str:
    """The clause in Chinese, without punctuation.

    mood: nothing; ask, where 吗 or a question word makes it a question; or choose, for A-not-A.
    """
    said, form, subject = clause.predicate, clause.form, clause.subject
    time = clause.time.chinese if clause.time else ""
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
    adverb = clause.adverb.chinese if clause.adverb else ""
    return f"{front}{every}{adverb}{operator}{place}{verb}"


# ---------------------------------------------------------------- times and places


def _clock() -> tuple[tuple[str, str, str], ...]:
    """English, Chinese and part of the day of a time of day; at two o'clock is 两点."""
    parts = (("morning", range(6, 12)), ("afternoon", range(1, 6)), ("evening", range(7, 11)))
    return tuple(
        (f"at {minute}{SMALL[hour]}{end}", f"{counted(hour)}点{chinese}", part)
        for part, hours in parts
        for hour in hours
        for minute, end, chinese in (
            ("", " o'clock", ""),
            ("half past ", "", "半"),
            ("a quarter past ", "", "一刻"),
        )
    )


CLOCK = _clock()
MONTHS = (
    "January February March April May June July August September October November December"
).split()
WEEKDAYS = ("Monday 一 Tuesday 二 Wednesday 三 Thursday 四 Friday 五 Saturday 六 Sunday 天").split()
DAYS = tuple(zip(WEEKDAYS[::2], WEEKDAYS[1::2], strict=True))
PARTS = {"morning": "早上", "afternoon": "下午", "evening": "晚上"}
DATES = tuple(
    Words(f"on {month} the {ORDINALS[day]}", f"{chinese_number(index)}月{chinese_number(day)}号")
    for index, month in enumerate(MONTHS, 1)
    for day in range(1, 21)
)


def _words(table: str) -> tuple[Words, ...]:
    return tuple(Words(*row.split("/")) for row in table.split("|"))


def _hours(day: str, chinese: str) -> tuple[Words, ...]:
    """Every half past seven in the evening of a day."""
    return tuple(
        Words(f"{english} {day} {part}", f"{chinese}{PARTS[part]}{clock}")
        for english, clock, part in CLOCK
    )


HABITUAL = (
    *_words("every day/每天|every morning/每天早上|every evening/每天晚上|on weekends/周末"),
    *(Words(f"on {day}s", f"星期{sign}") for day, sign in DAYS),
)
DAILY = _hours("every", "每天")
BYGONE = (
    *_words("yesterday/昨天|yesterday evening/昨天晚上|yesterday morning/昨天早上"),
    *_words("last week/上个星期|last month/上个月|last year/去年|the day before yesterday/前天"),
    *(Words(f"last {day}", f"上个星期{sign}") for day, sign in DAYS),
    *(Words(f"{english_number(n)} days ago", f"{counted(n)}天前") for n in range(2, 8)),
)
BYGONE_HOURS = _hours("yesterday", "昨天")
COMING = (
    *_words("tomorrow/明天|tomorrow morning/明天早上|tomorrow evening/明天晚上|next week/下个星期"),
    *_words("next month/下个月|next year/明年|the day after tomorrow/后天|tonight/今天晚上"),
    *(Words(f"next {day}", f"下个星期{sign}") for day, sign in DAYS),
    *(Words(f"in {english_number(n)} days", f"{counted(n)}天后") for n in range(2, 8)),
)
COMING_HOURS = _hours("tomorrow", "明天")
NOW = Words("now", "现在")
OFTEN = _words("often/经常|usually/通常|sometimes/有时候|always/总是")
ALSO = Words("also", "也")


def _time(draw: Draw, days: Sequence[Words], hours: Sequence[Words]) -> Words:
    """Mostly a day, at times with the hour, or a date."""
    number = draw.uniform()
    if number < 0.15:
        return draw.pick(hours)
    return draw.pick(DATES) if number < 0.2 and days is not HABITUAL else draw.pick(days)


def _at(key: str) -> Words:
    return Words(PLACES[key].at, PLACES[key].chinese)


# ---------------------------------------------------------------- who and what

ALL_NOUNS = (*lexicon.NOUNS, *lexicon.MASSES)
ALL_ADJECTIVES = (*lexicon.ADJECTIVES, *lexicon.COLOURS)
FAMILY = tuple(kin(owner, person) for owner in OWNERS for person in lexicon.KIN)
NAMED = tuple(named(person) for person in lexicon.NAMES)
DEFINITE = tuple(definite(noun, plural) for noun in lexicon.PEOPLE for plural in (False, True))
POINTED = tuple(
    noun_phrase(noun, determiner)
    for noun in lexicon.PEOPLE
    for determiner in (THIS, THAT, THESE, THOSE, MANY, *THESE_FEW)
)
NEAR = tuple(phrase for phrase in POINTED if not phrase.english.startswith("many"))
RELATED = tuple(
    noun_phrase(noun, determiner)
    for noun in lexicon.RELATIONS
    for determiner in (*OWN.values(), *NAMES_OWN)
)
UNIVERSAL = (
    *(
        Phrase(f"every {n.singular}", f"每{n.measure}{n.chinese}", "", every=True)
        for n in lexicon.PEOPLE
    ),
    *(
        Phrase(f"all the {n.plural}", f"所有的{n.chinese}", "", plural=True, every=True)
        for n in lexicon.PEOPLE
    ),
)
ASKERS = tuple(PRONOUNS[word] for word in ("you", "you", "he", "she", "they"))
OTHERS = tuple(phrase for phrase in FAMILY if not phrase.english.startswith(("my ", "our ")))


@cache
def nouns_of(classes: frozenset[str]) -> tuple[Noun, ...]:
    """The nouns that have one of the classes."""
    return tuple(noun for noun in ALL_NOUNS if noun.classes & classes)


@cache
def adjectives_of(noun: Noun) -> tuple[Adjective, ...]:
    """The adjectives that suit a noun."""
    return tuple(a for a in ALL_ADJECTIVES if a.classes & noun.classes)


def _subject(draw: Draw, asked: bool = False, plain: bool = False) -> Phrase:
    """Somebody. asked: of whom one asks. plain: in an affirmative statement, so all may be."""
    number = draw.uniform()
    if number < 0.35:
        return draw.pick(ASKERS if asked else tuple(PRONOUNS.values()))
    if number < 0.5:
        return draw.pick(NAMED)
    if number < 0.65:
        return draw.pick(OTHERS if asked else FAMILY)
    if number < 0.8:
        return draw.pick(DEFINITE)
    if number < 0.87:
        return draw.pick(RELATED)
    if plain and number < 0.92:
        return draw.pick(UNIVERSAL)
    return draw.pick(NEAR if asked else POINTED)


def _anaphoric(draw: Draw) -> Phrase:
    """Somebody whom a pronoun takes up again."""
    return draw.pick(draw.pick((tuple(PRONOUNS.values()), NAMED, FAMILY)))


def _somebody(draw: Draw, subject: Phrase) -> Phrase:
    """A person as object, not the subject itself."""
    if draw.chance(0.4):
        options = [p for p in PRONOUNS.values() if p.person != subject.person]
        return draw.pick(options)
    options = [p for p in (*NAMED, *_foreign_family(subject)) if p.english != subject.english]
    return draw.pick(options)


@cache
def _foreign(person: int) -> tuple[Phrase, ...]:
    return tuple(
        phrase
        for phrase in FAMILY
        if OWNER_PERSON[phrase.english.split()[0]] == (2 if person == 1 else 1)
    )


def _foreign_family(subject: Phrase) -> tuple[Phrase, ...]:
    """Relatives of others: 他 and 他妈妈 would leave open whose."""
    return _foreign(subject.person)


@cache
def owners(person: int, subject: str) -> tuple[Determiner, ...]:
    """Possessives beside a subject: never its own person, which Chinese would call 自己的."""
    own = tuple(OWN[word] for word in OWN if OWNER_PERSON[word] != person)
    if person == 3:
        return own
    names = tuple(d for d in NAMES_OWN if not subject.startswith(d.english))
    return (*own, *names, *(KIN_OWN if person == 2 else ()))


# letter of the form: determiners in an affirmative statement, and in others
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
FEMININE = ("skirt", "dress")  # not worn or owned by just anybody
MANY_OF = frozenset("orchard printed stationery painting photo song".split())


def _determiner(draw: Draw, code: str, noun: Noun, subject: Phrase) -> Determiner:
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


def _mass_determiner(noun: Noun, determiner: Determiner, affirmed: bool) -> Determiner:
    """What suits a mass noun: a pair of, or nothing."""
    if not noun.unit:
        return BARE
    if determiner.kind in ("these", "many", "owned") and noun.unit != "pair":
        return A if affirmed else BARE
    return determiner


def _object(
    draw: Draw, verb: Verb, letter: str, affirmed: bool, subject: Phrase
) -> tuple[Phrase, Noun | None]:
    """What the verb is done to."""
    options = nouns_of(verb.objects)
    if verb.base == "wear" and subject.echo != "she":
        options = tuple(noun for noun in options if noun.singular not in FEMININE)
    if not options:
        return _somebody(draw, subject), None
    if "person" in verb.objects and draw.chance(0.4):
        return _somebody(draw, subject), None
    noun = draw.pick(options)
    code = draw.pick(CODES[letter][not affirmed])
    if verb.base == "draw" and code in ("this", "these", "owned"):
        code = "a" if affirmed else "bare"
    if verb.base == "wear" and code == "number":
        code = "a"
    if code == "kept":
        code = "this" if "k" in verb.forms else "bare"
    determiner = _determiner(draw, code, noun, subject)
    if noun.mass:
        determiner = _mass_determiner(noun, determiner, affirmed)
    fits = adjectives_of(noun)
    adjective = draw.pick(fits) if fits and draw.chance(0.25) else None
    if adjective is not None and (verb.base, adjective.english) == ("wash", "clean"):
        adjective = None  # 洗干净的碗 is a bowl washed clean
    return noun_phrase(noun, determiner, adjective), noun


# ---------------------------------------------------------------- predicates


@cache
def verbs_with(letter: str) -> tuple[Verb, ...]:
    """Verbs with objects that go with a form."""
    return tuple(verb for verb in (*lexicon.VERBS, *lexicon.STATES) if letter in verb.forms)


@cache
def deeds_with(letter: str) -> tuple[Verb, ...]:
    """Verbs without, or with an object of their own."""
    return tuple(verb for verb in lexicon.DEEDS if letter in verb.forms)


def transitive(verb: Verb, thing: Phrase, noun: Noun | None) -> Predicate:
    """Reads two books."""
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
    """Swims."""
    return Predicate(verb, "", verb.chinese, verb.inner, late=True, places=verb.places)


VEHICLES = _words("by bus/坐公共汽车|by taxi/坐出租车|by underground/坐地铁|by bicycle/骑自行车")
FAR_VEHICLES = _words("by train/坐火车|by plane/坐飞机")


def journey(goal: str, means: Words | None = None) -> Predicate:
    """Goes to Beijing by train."""
    place = PLACES[goal]
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
    """Goes to the library to read books."""
    doing = draw.pick([verb for verb in verbs_with("h") if verb.places])
    goals = [key for key in doing.places if key in SPOTS]
    if not goals:
        return journey(draw.pick(SPOTS))
    thing, noun = _object(draw, doing, "h", True, subject)
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
        return journey(draw.pick(SPOTS), draw.pick(VEHICLES) if draw.chance(0.5) else None)
    goal = draw.pick((*lexicon.CITIES, *lexicon.COUNTRIES))
    return journey(goal, draw.pick(FAR_VEHICLES) if draw.chance(0.4) else None)


def _with(draw: Draw, predicate: Predicate, subject: Phrase) -> Predicate:
    """Swims with Tom: 跟汤姆一起游泳."""
    other = _somebody(draw, subject)
    tail = f"{predicate.tail} with {other.object}".strip()
    return predicate._replace(tail=tail, before=f"跟{other.chinese}一起{predicate.before}")


ALONE = frozenset("觉 澡 电话".split())


def _predicate(draw: Draw, form: Form, affirmed: bool, subject: Phrase) -> Predicate:
    """Something to do in this form."""
    letter, number = form.letter, draw.uniform()
    if letter in GO.forms and form is not CAN and number < 0.15:
        return _journey(draw, form, subject)
    if number < 0.35 and deeds_with(letter):
        said = deed(draw.pick(deeds_with(letter)))
        together = letter in "hdfw" and said.after not in ALONE and draw.chance(0.2)
        return _with(draw, said, subject) if together else said
    verb = draw.pick(verbs_with(letter))
    thing, noun = _object(draw, verb, letter, affirmed, subject)
    return transitive(verb, thing, noun)


# form: its share of statements, and how often a time stands with it
SHARES: dict[Form, tuple[float, float]] = {
    HABIT: (20, 0.5),
    PAST: (32, 0.75),
    PROGRESSIVE: (10, 0.2),
    FUTURE: (10, 1.0),
    EVER: (10, 0.0),
    ALREADY: (6, 0.0),
    WANT: (4, 0.4),
    LIKE: (3, 0.0),
    PLAN: (3, 0.6),
    NEED: (2, 0.3),
    SKILL: (4, 0.0),
    CAN: (3, 0.4),
    MAY: (2, 0.3),
    SHOULD: (3, 0.4),
    MUST: (2, 0.4),
    WEARING: (4, 0.0),
}
FORMS = tuple(SHARES)
FORM_TOTALS = tuple(accumulate(share for share, _ in SHARES.values()))
ASKED_FORMS = (HABIT, PAST, PAST, PROGRESSIVE, FUTURE, EVER, EVER, ALREADY, WANT, PLAN, SKILL, CAN)


def _form(draw: Draw) -> Form:
    return FORMS[bisect(FORM_TOTALS, draw.uniform() * FORM_TOTALS[-1])]


def _when(draw: Draw, form: Form, late: bool) -> Words | None:
    if (form is PAST and late) or draw.chance(SHARES[form][1]):
        if form is HABIT:
            return _time(draw, HABITUAL, DAILY)
        if form is PROGRESSIVE:
            return NOW
        return _time(draw, *((BYGONE, BYGONE_HOURS) if form is PAST else (COMING, COMING_HOURS)))
    return None


PLACED = (HABIT, PAST, PROGRESSIVE, FUTURE, WANT, LIKE, PLAN)


def _action(
    draw: Draw, form: Form, negative: bool = False, asked: bool = False, who: Phrase | None = None
) -> Clause:
    """Somebody does something."""
    affirmed = not (negative or asked)
    subject = who or _subject(draw, asked, affirmed)
    if form is WEARING and subject.plural and not subject.every and subject.person == 3:
        subject = draw.pick(NAMED)  # many would hardly wear one hat
    if form is CAN:
        said = _feat(draw, affirmed, subject)
    else:
        said = _predicate(draw, form, affirmed, subject)
    where = said.places and form in PLACED and not (negative and form is PROGRESSIVE)
    where = where and not (subject.every and form is PROGRESSIVE)  # 都在家 is no progressive
    place = _at(draw.pick(said.places)) if where and draw.chance(0.45) else None
    time = _when(draw, form, said.late)
    adverb = None
    if form is HABIT and affirmed and not subject.every and time is None and draw.chance(0.5):
        adverb = draw.pick(OFTEN)
    elif form in (HABIT, WANT, PLAN) and affirmed and not subject.every and draw.chance(0.1):
        adverb = ALSO
    early = time is not None and form in (PAST, FUTURE) and not asked and draw.chance(0.2)
    return Clause(subject, said, form, negative, time, place, adverb, early)


def _feat(draw: Draw, affirmed: bool, subject: Phrase) -> Predicate:
    """Something one can do without having learned it, so that can is 能."""
    verb = draw.pick([v for v in verbs_with("m") if "s" not in v.forms])
    return transitive(verb, *_object(draw, verb, "m", affirmed, subject))


# ---------------------------------------------------------------- sentences


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _said(text: str, translation: str, combinations: Iterable[Combination] = ()) -> Pair:
    return Pair(_capital(text) + ".", translation + "。", frozenset(combinations))


def _asked(text: str, translation: str, combinations: Iterable[Combination] = ()) -> Pair:
    return Pair(_capital(text) + "?", translation + "？", frozenset(combinations))


def statement(clause: Clause) -> Pair:
    """A clause on its own."""
    return _said(english(clause), chinese(clause), clause.combinations)


def question(clause: Clause) -> Pair:
    """Does he read? 他看书吗？"""
    return _asked(english(clause, True), chinese(clause, "ask") + "吗", clause.combinations)


def choice(clause: Clause) -> Pair:
    """Does he read or not? 他看不看书？"""
    text = english(clause, True) + " or not"
    return _asked(text, chinese(clause, "choose"), clause.combinations)


def _statement(draw: Draw) -> Pair:
    form = _form(draw)
    negative = form is not MUST and draw.chance(0.3)
    return statement(_action(draw, form, negative))


def _question(draw: Draw) -> Pair:
    return question(_action(draw, draw.pick(ASKED_FORMS), asked=True))


def _state(draw: Draw, negative: bool, asked: bool) -> Clause:
    """Likes, needs or knows."""
    subject = _subject(draw, asked, not (negative or asked))
    verb = draw.pick(lexicon.STATES)
    letter = "x" if verb.base == "need" else "n"
    thing = _object(draw, verb, letter, not (negative or asked), subject)
    return Clause(subject, transitive(verb, *thing), HABIT, negative)


def _liking(draw: Draw) -> Pair:
    if draw.chance(0.3):
        return question(_state(draw, False, True))
    return statement(_state(draw, draw.chance(0.3), False))


def _choice(draw: Draw) -> Pair:
    if draw.chance(0.3):
        return choice(_state(draw, False, True))
    if draw.chance(0.25):
        return choice(_trait(draw, _subject(draw, True), False, True))
    if draw.chance(0.2):
        return choice(_having(draw, _subject(draw, True), False))
    form = draw.pick((HABIT, FUTURE, SKILL, CAN, WANT, PLAN))
    return choice(_action(draw, form, asked=True))


# -- being, having


def quality(adjective: Adjective, degree: str = "plain") -> Predicate:
    """Is tall, very tall, too tall, a little tired."""
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


def _trait(draw: Draw, subject: Phrase, negative: bool, asked: bool) -> Clause:
    """Somebody is tall."""
    adjective = draw.pick(lexicon.TRAITS)
    degree = "plain"
    if not (negative or asked):
        degrees = ["plain", "plain", "very"]
        if adjective.english in UNPLEASANT:
            degrees += ["too", "little"]
        degree = draw.pick(degrees) if not subject.every else "plain"
    return Clause(subject, quality(adjective, degree), HABIT, negative)


def _thing(draw: Draw, noun: Noun) -> Phrase:
    """This book, those three books, my book."""
    codes = ("this", "that", "owned") if noun.mass else ("this", "that", "these", "owned")
    code = draw.pick(codes)
    determiner = _determiner(draw, code, noun, PRONOUNS["you"])
    if code == "owned" and noun.singular not in FEMININE:
        determiner = draw.pick((*OWN.values(), *NAMES_OWN, *KIN_OWN))
    if noun.mass:
        determiner = _mass_determiner(noun, determiner, False)
    return noun_phrase(noun, determiner if determiner is not BARE else THIS)


@cache
def described() -> tuple[tuple[Noun, Adjective], ...]:
    """Nouns with adjectives that can be said of them."""
    return tuple(
        (noun, adjective)
        for noun in ALL_NOUNS
        if noun.unit or not noun.mass
        for adjective in adjectives_of(noun)
        if adjective.predicate and adjective.attribute != "老"
    )


def _describing(draw: Draw, negative: bool, asked: bool) -> Clause:
    """This book is expensive."""
    if draw.chance(0.3):
        return _trait(draw, _subject(draw, asked, not (negative or asked)), negative, asked)
    noun, adjective = draw.pick(described())
    degree = "plain" if negative or asked else draw.pick(("plain", "very", "too"))
    subject = _relative(draw, noun) if draw.chance(0.3) else _thing(draw, noun)
    said = quality(adjective, degree)
    pairs = ((adjective.english, noun.singular),)
    return Clause(subject, said._replace(combinations=pairs), HABIT, negative)


def _description(draw: Draw) -> Pair:
    if draw.chance(0.2):
        return question(_describing(draw, False, True))
    return statement(_describing(draw, draw.chance(0.25), False))


def identity(subject: Phrase, noun: Noun, attribute: Adjective | None = None) -> Clause:
    """She is a famous teacher."""
    determiner = BARE if subject.plural and subject.person != 2 else A
    kind = noun_phrase(noun, determiner, attribute)
    translation = kind.chinese
    if attribute is None:
        translation = noun.chinese
    said = Predicate(BE, kind.object, "是", translation, combinations=kind.combinations)
    return Clause(subject, said, HABIT)


TRADES = tuple(noun for noun in lexicon.PEOPLE if not noun.classes & {"pupil", "visitor"})


def _identity(draw: Draw) -> Pair:
    """Somebody's trade."""
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


def _having(draw: Draw, subject: Phrase, affirmed: bool) -> Clause:
    """Has two cars."""
    things = not affirmed or draw.chance(0.7)
    noun = draw.pick(nouns_of(OWNED) if things else lexicon.RELATIONS)
    codes: tuple[str, ...] = ("number", "many", "several") if affirmed else ("any",)
    if affirmed and things:
        codes = ("a", *codes)
    determiner = _determiner(draw, draw.pick(codes), noun, subject)
    fits = adjectives_of(noun)
    adjective = draw.pick(fits) if fits and draw.chance(0.3) else None
    return Clause(subject, transitive(HAVE, noun_phrase(noun, determiner, adjective), noun), HABIT)


def _possession(draw: Draw) -> Pair:
    if draw.chance(0.25):
        return question(_having(draw, _subject(draw, True), False))
    if draw.chance(0.3):
        clause = _having(draw, _subject(draw), False)
        return statement(Clause(clause.subject, clause.predicate, HABIT, True))
    return statement(_having(draw, _subject(draw, plain=True), True))


# -- comparison

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
# Of whom one may say how much older they are: a mother is not two years older than her son.
PEERS = ("brother", "sister", *PRONOUNS, *(person.english for person in lexicon.NAMES))
PRICED = frozenset("clothing worn vehicle device furniture plain-worn".split())


def _amount(draw: Draw, adjective: Adjective) -> Words:
    """By how much: two years, much, or nothing said; Chinese after the adjective."""
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
    """He is two years older than me: 他比我大两岁."""
    tail = f"{amount.english}{adjective.comparative} than {other.object}"
    before = f"比{other.chinese}"
    return Clause(subject, Predicate(BE, tail, adjective.predicate, amount.chinese, before), HABIT)


def equality(subject: Phrase, adjective: Adjective, other: Phrase, negative: bool) -> Clause:
    """He is (not) as old as me: 他跟我一样大, 他没有我大."""
    tail = f"{'not ' if negative else ''}as {adjective.english} as {other.object}"
    before = f"没有{other.chinese}" if negative else f"跟{other.chinese}一样"
    return Clause(subject, Predicate(BE, tail, adjective.predicate, "", before), HABIT)


def _compared(draw: Draw) -> tuple[Phrase, Adjective, Phrase]:
    """Two people or two things, and the scale."""
    if draw.chance(0.6):
        subject = draw.pick(draw.pick((ASKERS, NAMED, FAMILY)))
        other, scale = _somebody(draw, subject), SCALES
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


def _comparison(draw: Draw) -> Pair:
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


# -- relative clauses


def relative(head: Noun, plural: bool, clause: Clause) -> Phrase:
    """The book that I bought: 我买的书. The clause's object is left out, and so is 了."""
    said = clause.predicate
    gap = Clause(
        clause.subject,
        said._replace(tail="", after=""),
        clause.form,
        time=clause.time,
        place=clause.place,
    )
    bare = chinese(gap).removesuffix("了")
    text = f"the {head.plural if plural else head.singular} that {english(gap)}"
    plural = head.several if head.mass else plural
    return Phrase(text, f"{bare}的{head.chinese}", text, 3, plural, combinations=said.combinations)


@cache
def _gaps(noun: Noun) -> tuple[Verb, ...]:
    """Verbs of which a noun can have been the object."""
    return tuple(v for v in lexicon.VERBS if "d" in v.forms and v.objects & noun.classes)


def _relative(draw: Draw, noun: Noun) -> Phrase:
    """A thing with what was done to it; a plain phrase where nothing can have been."""
    verbs = _gaps(noun)
    if not verbs:
        return _thing(draw, noun)
    verb = draw.pick(verbs)
    subject = draw.pick(draw.pick((tuple(PRONOUNS.values()), NAMED, FAMILY, DEFINITE)))
    time = draw.pick(BYGONE) if draw.chance(0.4) else None
    place = _at(draw.pick(verb.places)) if verb.places and draw.chance(0.25) else None
    thing = noun_phrase(noun, BARE)
    clause = Clause(subject, transitive(verb, thing, noun), PAST, time=time, place=place)
    return relative(noun, not noun.mass and draw.chance(0.3), clause)


def person_who(noun: Noun, plural: bool, said: Predicate, form: Form, time: Words | None) -> Phrase:
    """The student who bought three books: 买了三本书的学生."""
    who = Phrase("", "", "", plural=plural)
    clause = Clause(who, said, form, time=time)
    text = f"the {noun.plural if plural else noun.singular} who {english(clause)}"
    inner = chinese(clause).removesuffix("了")
    return Phrase(text, f"{inner}的{noun.chinese}", text, 3, plural, combinations=said.combinations)


def _person_who(draw: Draw) -> Phrase:
    """Somebody known by what they do."""
    noun, form = draw.pick(TRADES), draw.pick((WEARING, WEARING, PAST, PAST, HABIT))
    plural = form is not WEARING and draw.chance(0.3)
    who = Phrase("", "", "", plural=plural)
    said = _predicate(draw, form, True, who)
    time = draw.pick(BYGONE) if form is PAST and draw.chance(0.5) else None
    return person_who(noun, plural, said, form, time)


ELDERS = tuple(
    kin(owner, person)
    for owner in ("my", "your", "his", "her", "our")
    for person in lexicon.KIN
    if person.english.split()[-1] not in ("son", "daughter", "grandmother", "grandfather")
)


def _with_relative(draw: Draw) -> Pair:
    """A relative clause in the subject or the object."""
    number = draw.uniform()
    if number < 0.3:
        noun, adjective = draw.pick(described())
        degree = draw.pick(("plain", "very"))
        said = quality(adjective, degree)._replace(
            combinations=((adjective.english, noun.singular),)
        )
        return statement(Clause(_relative(draw, noun), said, HABIT))
    if number < 0.6:
        who = _person_who(draw)
        if draw.chance(0.5) and not who.plural:
            said = Predicate(BE, (one := draw.pick(ELDERS)).english, "是", one.chinese)
            return statement(Clause(who, said, HABIT))
        return statement(_trait(draw, who, False, False))
    subject = _subject(draw)
    if number < 0.8:
        who = _person_who(draw)
        know = lexicon.STATES[-1]
        return statement(Clause(subject, transitive(know, who, None), HABIT, draw.chance(0.4)))
    noun = draw.pick([n for n in nouns_of(lexicon.STATES[0].objects) if n.unit or not n.mass])
    thing = _relative(draw, noun) if _gaps(noun) else noun_phrase(noun, BARE)
    said = transitive(lexicon.STATES[0], thing, noun)
    return statement(Clause(subject, said, HABIT, draw.chance(0.3)))


# -- 把 and 被


FINISHED = {"finish eating": "eat", "finish reading": "read", "finish writing": "write"}


def _act(handling: lexicon.Handling, noun: Noun) -> Combination:
    """Verb and object; what is finished is done."""
    name = handling.verb.base + handling.verb.particle
    return FINISHED.get(name, name), noun.singular


def disposal(handling: lexicon.Handling, thing: Phrase, noun: Noun, other: Phrase) -> Predicate:
    """Put the book on the table: 把书放在桌子上."""
    return Predicate(
        handling.verb,
        f"{thing.object} {handling.end.format(other.object)}".strip(),
        handling.chinese,
        handling.after.format(other.chinese),
        f"把{thing.chinese}",
        handling.late,
        combinations=(_act(handling, noun), *thing.combinations),
    )


def _the(draw: Draw, noun: Noun, subject: Phrase) -> Phrase:
    """A definite thing: the red book, this book, his book."""
    number = draw.uniform()
    if number < 0.6 or (noun.mass and not noun.unit):
        fits = [a for a in adjectives_of(noun) if a.attribute[-1] != "的"]
        if fits and draw.chance(0.3):
            bare = noun_phrase(noun, BARE, draw.pick(fits))
            noun_text = bare.english if noun.mass else bare.english[: -len(noun.plural)]
            text = f"the {noun_text}" + ("" if noun.mass else noun.singular)
            return bare._replace(english=text, object=text, plural=noun.several)
        return definite(noun)._replace(plural=noun.several)
    determiner = _determiner(draw, "this" if number < 0.8 else "owned", noun, subject)
    if noun.mass:
        determiner = _mass_determiner(noun, determiner, False)
        return noun_phrase(noun, THIS if determiner is BARE else determiner)
    return noun_phrase(noun, determiner)


def _disposing(draw: Draw, subject: Phrase) -> Predicate:
    handling = draw.pick(lexicon.DISPOSALS)
    noun = draw.pick([n for n in nouns_of(handling.objects) if n.chinese not in handling.after])
    other = _somebody(draw, subject)
    return disposal(handling, _the(draw, noun, subject), noun, other)


WILFUL = frozenset("break lose leave".split())  # nobody is asked to
COMPLETED = frozenset("finish repair tidy wash".split())  # nor forbidden this


def _disposal(draw: Draw) -> Pair:
    number = draw.uniform()
    subject = _subject(draw, asked=number < 0.15)
    said = _disposing(draw, subject)
    if number < 0.15:
        return question(Clause(subject, said, PAST))
    if number < 0.65 or said.verb.base in WILFUL:
        negative = number < 0.25
        time = _time(draw, BYGONE, BYGONE_HOURS) if draw.chance(0.4) else None
        early = time is not None and draw.chance(0.2)
        return statement(Clause(subject, said, PAST, negative, time, early=early))
    form = draw.pick((FUTURE, WANT, SHOULD, MUST, PLAN, ALREADY))
    time = draw.pick(COMING) if form is FUTURE else None
    return statement(Clause(subject, said, form, time=time))


def suffering(handling: lexicon.Handling, noun: Noun, agent: Phrase | None) -> Predicate:
    """Was stolen by a thief: 被小偷偷走了."""
    return Predicate(
        handling.verb,
        f"by {agent.object}" if agent else "",
        handling.chinese,
        before=f"被{agent.chinese}" if agent else "被",
        late=True,
        combinations=(_act(handling, noun),),
    )


def _judged(draw: Draw, time: Words | None) -> Clause:
    """Tom was praised by the teacher: 汤姆被老师表扬了."""
    victim = draw.pick(draw.pick((ASKERS, NAMED, FAMILY)))
    doer = draw.pick([p for p in (*DEFINITE[::2], *NAMED) if p.english != victim.english])
    verb = draw.pick(lexicon.PRAISES)
    said = Predicate(verb, f"by {doer.object}", verb.chinese, "", f"被{doer.chinese}", True)
    return Clause(victim, said, PASSIVE, draw.chance(0.2), time)


DOERS = (DEFINITE[::2], NAMED, FAMILY, tuple(PRONOUNS.values()))


def _passive(draw: Draw) -> Pair:
    number = draw.uniform()
    time = draw.pick(BYGONE) if draw.chance(0.4) else None
    if number < 0.25:
        return statement(_judged(draw, time))
    handling = draw.pick(lexicon.SUFFERINGS)
    noun = draw.pick(nouns_of(handling.objects))
    doer = draw.pick(draw.pick(DOERS)) if draw.chance(0.7) else None
    thing = _the(draw, noun, doer or PRONOUNS["you"])
    clause = Clause(thing, suffering(handling, noun, doer), PASSIVE, False, time)
    if number < 0.4:
        return question(clause)
    return statement(replace(clause, negative=number < 0.5))


# -- there is, is in


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


def _existence(draw: Draw) -> Pair:
    """There are three books on the table: 桌子上有三本书."""
    place, inside, _ = draw.pick(SCENES)
    noun = draw.pick([n for n in nouns_of(CLASSES[place]) if n.chinese not in inside])
    number = draw.uniform()
    if number < 0.45:
        code = draw.pick(("a", "number", "number", "many", "several"))
        determiner = _determiner(draw, code, noun, PRONOUNS["you"])
        if noun.mass:
            determiner = _mass_determiner(noun, determiner, True)
        fits = adjectives_of(noun)
        adjective = draw.pick(fits) if fits and draw.chance(0.3) else None
        thing = noun_phrase(noun, determiner, adjective)
        pairs = (*thing.combinations, ("be", noun.singular))
        text = f"there {be(thing)} {thing.english} {place}"
        return _said(text, f"{inside}有{thing.chinese}", pairs)
    thing = noun_phrase(noun, BARE)
    pairs = (("be", noun.singular),)
    if number < 0.6:
        return _said(
            f"there {be(thing)} no {thing.english} {place}", f"{inside}没有{noun.chinese}", pairs
        )
    if number < 0.75:
        return _asked(
            f"{be(thing)} there any {thing.english} {place}", f"{inside}有{noun.chinese}吗", pairs
        )
    return _location(draw, place, inside, noun)


def _location(draw: Draw, place: str, inside: str, noun: Noun) -> Pair:
    """The book is on the table: 书在桌子上."""
    if draw.chance(0.4):
        key = draw.pick(("home", *SPOTS, *lexicon.CITIES))
        subject = draw.pick(draw.pick((ASKERS, NAMED, FAMILY)))
        said = Predicate(BE, PLACES[key].at, "在", PLACES[key].chinese)
    else:
        subject = _the(draw, noun, PRONOUNS["you"])
        said = Predicate(BE, place, "在", inside, combinations=(("be", noun.singular),))
    number = draw.uniform()
    if number < 0.2:
        return question(Clause(subject, said, HABIT))
    if number < 0.35:
        return choice(Clause(subject, said, HABIT))
    return statement(Clause(subject, said, HABIT, number < 0.55))


# -- who, what, when, where, why, how


WHO = Phrase("who", "谁", "whom")
WHAT = frozenset("buy write draw learn".split())


def _open(text: str, clause: Clause, translation: str) -> Pair:
    return _asked(f"{text} {english(clause, True)}", translation, clause.combinations)


def _what(draw: Draw) -> Pair:
    """What did he buy yesterday? 他昨天买了什么？"""
    form = draw.pick((HABIT, PAST, PAST, PROGRESSIVE, FUTURE, WANT))
    verb = draw.pick([v for v in verbs_with(form.letter) if v.base in WHAT])
    said = Predicate(verb, "", verb.chinese, "什么")
    time = _when(draw, form, False)
    place = _at(draw.pick(verb.places)) if form in (HABIT, PAST) and draw.chance(0.3) else None
    clause = Clause(_subject(draw, True), said, form, time=time, place=place)
    return _open("what", clause, chinese(clause, "ask"))


def _who(draw: Draw) -> Pair:
    """Who bought this book? 谁买了这本书？"""
    form = draw.pick((PAST, PAST, PROGRESSIVE, WANT, SKILL, HABIT))
    clause = _action(draw, form, asked=True, who=WHO)
    clause = Clause(WHO, clause.predicate, form, time=clause.time, place=clause.place)
    return _asked(english(clause), chinese(clause), clause.combinations)


def _whom(draw: Draw) -> Pair:
    """Whom did he invite? 他邀请了谁？"""
    verb = draw.pick([v for v in verbs_with("d") if "person" in v.objects])
    time = draw.pick(BYGONE) if draw.chance(0.6) else None
    clause = Clause(_subject(draw, True), Predicate(verb, "", verb.chinese, "谁"), PAST, time=time)
    return _open("who", clause, chinese(clause, "ask"))


def _where(draw: Draw) -> Pair:
    """Where did he buy this book? 他是在哪儿买这本书的？"""
    form = draw.pick((HABIT, PAST, FUTURE, WANT, PAST))
    clause = _action(draw, form, asked=True)
    if not clause.predicate.places:
        clause = Clause(clause.subject, deed(draw.pick(DEED_PLACED)), form, time=clause.time)
    clause = Clause(clause.subject, clause.predicate, form, time=clause.time)
    if form is PAST:
        return _open("where", clause, _cleft(clause, "在哪儿"))
    held = Clause(clause.subject, clause.predicate, form, time=clause.time, place=Words("", "哪儿"))
    return _open("where", clause, chinese(held, "ask"))


def _cleft(clause: Clause, asked: str) -> str:
    """When or where it was done, 是…的, which takes no 了."""
    said = clause.predicate
    time = clause.time.chinese if clause.time else ""
    return f"{clause.subject.chinese}{time}是{asked}{said.before}{said.head}{said.after}的"


DEED_PLACED = tuple(v for v in lexicon.DEEDS if v.places and {"h", "f", "d", "w"} <= v.forms)


def _whenever(draw: Draw) -> Pair:
    """When will he go to Beijing? 他什么时候去北京？"""
    form = draw.pick((PAST, FUTURE))
    clause = _action(draw, form, asked=True)
    clause = Clause(clause.subject, clause.predicate, form)
    if form is PAST:
        return _open("when", clause, _cleft(clause, "什么时候"))
    said = clause.predicate
    translation = f"{clause.subject.chinese}什么时候{said.before}{said.head}{said.after}"
    return _open("when", clause, translation)


def _why(draw: Draw) -> Pair:
    """Why did he not buy this book? 他为什么没买这本书？"""
    form = draw.pick((PAST, HABIT, WANT, LIKE))
    clause = _action(draw, form, negative=form is PAST or draw.chance(0.5), asked=True)
    time = clause.time if form is PAST else None
    adverb = Words("", (time.chinese if time else "") + "为什么")
    why = Clause(clause.subject, clause.predicate, form, clause.negative, adverb=adverb)
    text = Clause(clause.subject, clause.predicate, form, clause.negative, time)
    return _open("why", text, chinese(why, "ask"))


def _how_many(draw: Draw) -> Pair:
    """How many books did he buy? 他买了几本书？"""
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
    clause = Clause(_subject(draw, True), said, PAST, time=time)
    return _open(f"how many {word}", clause, chinese(clause, "ask"))


def _which(draw: Draw) -> Pair:
    """Which book does he like? 他喜欢哪本书？"""
    form = draw.pick((PAST, WANT, HABIT))
    pool = lexicon.STATES[:1] if form is HABIT else verbs_with(form.letter)
    verb = draw.pick(pool)
    options = [n for n in nouns_of(verb.objects) if not n.mass]
    if not options:
        return _whom(draw)
    noun = draw.pick(options)
    pairs = ((verb.base + verb.particle, noun.singular),)
    said = Predicate(verb, "", verb.chinese, f"哪{noun.measure}{noun.chinese}", combinations=pairs)
    clause = Clause(_subject(draw, True), said, form)
    return _open(f"which {noun.singular}", clause, chinese(clause, "ask"))


def _how(draw: Draw) -> Pair:
    """How does he go to school? How old is he?"""
    subject = _subject(draw, True)
    if draw.chance(0.65):
        clause = Clause(subject, journey(draw.pick(SPOTS)), HABIT)
        return _open("how", clause, f"{subject.chinese}怎么去{clause.predicate.after}")
    scale = draw.pick(_words("old/大|tall/高"))
    text = f"how {scale.english} {be(subject)} {subject.english}"
    return _asked(text, f"{subject.chinese}多{scale.chinese}")


BELONGINGS = frozenset("small-thing pocket clothing vehicle".split())


def _whose(draw: Draw) -> Pair:
    """Whose book is this? 这是谁的书？"""
    noun = draw.pick(nouns_of(BELONGINGS))
    if noun.mass:
        return _asked(f"whose {noun.plural} are these", f"这是谁的{noun.chinese}")
    near = draw.pick((THIS, THAT))
    text = f"whose {noun.singular} is {near.english}"
    return _asked(text, f"{near.chinese}是谁的{noun.chinese}")


def _how_much(draw: Draw) -> Pair:
    """How much does this book cost? 这本书多少钱？"""
    thing = noun_phrase(draw.pick(nouns_of(PRICED)), draw.pick((THIS, THAT)))
    does = "does" if thing.third else "do"
    return _asked(f"how much {does} {thing.english} cost", f"{thing.chinese}多少钱")


QUESTIONS: tuple[Callable[[Draw], Pair], ...] = (
    _what, _who, _who, _whom, _where, _where, _whenever, _whenever, _why, _why,
    _how_many, _which, _how, _how, _whose, _how_much,
)  # fmt: skip


def _wh(draw: Draw) -> Pair:
    return draw.pick(QUESTIONS)(draw)


def _or(draw: Draw) -> Pair:
    """Does he drink tea or coffee? 他喝茶还是咖啡？"""
    form = draw.pick((HABIT, WANT))
    verb = draw.pick([v for v in verbs_with(form.letter) if len(nouns_of(v.objects)) > 2])
    one, other = (
        transitive(verb, noun_phrase(noun, BARE), noun)
        for noun in _alternatives(draw, nouns_of(verb.objects))
    )
    said = one._replace(
        tail=f"{one.tail} or {other.tail}",
        after=f"{one.after}还是{other.after}",
        combinations=one.combinations + other.combinations,
    )
    clause = Clause(_subject(draw, True), said, form)
    return _asked(english(clause, True), chinese(clause, "ask"), clause.combinations)


# -- two clauses


def _cause(draw: Draw) -> tuple[Clause, Phrase]:
    """A state of somebody, and the pronoun that takes them up."""
    subject = _anaphoric(draw)
    moods = [
        trait
        for trait in lexicon.TRAITS
        if trait.classes & {"mood", "need"} and trait.english != "happy"
    ]
    clause = Clause(subject, quality(draw.pick(moods), draw.pick(("plain", "very"))), HABIT)
    return clause, PRONOUNS[subject.echo]


def _joined(draw: Draw) -> Pair:
    """Because, although, if, but, after."""
    return draw.pick((_because, _because, _although, _if, _if, _but, _after))(draw)


def _because(draw: Draw) -> Pair:
    cause, subject = _cause(draw)
    form = draw.pick((WANT, WANT, FUTURE, CAN))
    result = _late(_action(draw, form, True, who=subject))
    while result.predicate.verb.base in ("sleep", "rest"):
        result = _late(_action(draw, form, True, who=subject))
    text = f"because {english(cause)}, {english(result)}"
    pairs = cause.combinations | result.combinations
    return _said(text, f"因为{chinese(cause)}，所以{chinese(result)}", pairs)


def _late(clause: Clause) -> Clause:
    """The clause with its time after the subject, as fits within a longer sentence."""
    return Clause(
        clause.subject, clause.predicate, clause.form, clause.negative, clause.time, clause.place
    )


def _although(draw: Draw) -> Pair:
    cause, subject = _cause(draw)
    form = draw.pick((WANT, MUST, SHOULD, FUTURE))
    result = _late(_action(draw, form, who=subject))
    text = f"although {english(cause)}, {english(result)}"
    pairs = cause.combinations | result.combinations
    return _said(text, f"虽然{chinese(cause)}，但是{chinese(result)}", pairs)


CONDITIONS = _words("time/时间|money/钱")
WEATHER_CONDITIONS = _words("it rains/下雨|it snows/下雪|the weather is good/天气很好")


def _if(draw: Draw) -> Pair:
    """If it rains tomorrow, I will not go to the park: 如果明天下雨，我就不去公园。"""
    subject, day = _anaphoric(draw), draw.pick(COMING[:15])
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
    result = replace(_late(_action(draw, FUTURE, negative, who=second)), time=None)
    adverb = replace(result, adverb=Words("", "就"))
    return _said(
        f"if {condition} {day.english}, {english(result)}",
        f"如果{translation}，{chinese(adverb)}",
        result.combinations,
    )


def _alternatives(draw: Draw, nouns: Sequence[Noun]) -> tuple[Noun, Noun]:
    """Two nouns of one kind: tea or coffee, not tea or socks."""
    while True:
        one = draw.pick(nouns)
        alike = [noun for noun in nouns if noun is not one and noun.classes & one.classes]
        if alike:
            return one, draw.pick(alike)


def _but(draw: Draw) -> Pair:
    """She likes cats, but she does not like dogs: 她喜欢猫，但是她不喜欢狗。"""
    subject = _anaphoric(draw)
    like = lexicon.STATES[0]
    one, other = _alternatives(draw, nouns_of(like.objects))
    first = Clause(subject, transitive(like, noun_phrase(one, BARE), one), HABIT)
    again = PRONOUNS[subject.echo]
    second = Clause(again, transitive(like, noun_phrase(other, BARE), other), HABIT, True)
    return _said(
        f"{english(first)}, but {english(second)}",
        f"{chinese(first)}，但是{chinese(second)}",
        first.combinations | second.combinations,
    )


def _after(draw: Draw) -> Pair:
    """After he ate breakfast, he went to school: 他吃了早饭以后，就去学校了。"""
    subject = _anaphoric(draw)
    meal = draw.pick(nouns_of(frozenset(["meal"])))
    said = journey(draw.pick(SPOTS), draw.pick(VEHICLES) if draw.chance(0.5) else None)
    again = PRONOUNS[subject.echo]
    first = Clause(subject, transitive(lexicon.VERBS[0], noun_phrase(meal, BARE), meal), PAST)
    second = Clause(again, said, PAST)
    return _said(
        f"after {english(first)}, {english(second)}",
        f"{subject.chinese}吃完{meal.chinese}以后，就{chinese(second).removeprefix(again.chinese)}",
        first.combinations | second.combinations,
    )


def _thought(draw: Draw) -> Pair:
    """She thinks that this book is expensive: 她觉得这本书很贵。"""
    verb = draw.pick(lexicon.THOUGHTS)
    subject = _subject(draw)
    if verb.base == "hope":
        who = draw.pick([p for p in PRONOUNS.values() if p.person != subject.person])
        inner = _late(_action(draw, FUTURE, who=who))
        inner = replace(inner, form=HOPED)
    elif verb.base == "think" or draw.chance(0.5):
        noun, adjective = draw.pick(described())
        pairs = ((adjective.english, noun.singular),)
        said = quality(adjective, draw.pick(("plain", "too", "very")))
        inner = Clause(_thing(draw, noun), said._replace(combinations=pairs), HABIT)
    else:
        inner = _late(_action(draw, PAST, draw.chance(0.3), who=draw.pick(NAMED)))
    outer = Clause(
        subject, Predicate(verb, f"that {english(inner)}", verb.chinese, chinese(inner)), HABIT
    )
    return statement(outer)._replace(combinations=inner.combinations)


# -- numbers


def large(draw: Draw, digits: int) -> int:
    """A number of so many digits, often with noughts, so that 零 is heard."""
    number = 0
    for place in range(digits):
        digit = 1 + int(draw.uniform() * 9)
        number = number * 10 + (digit if not place or draw.chance(0.45) else 0)
    return number


COSTS = ((1, "reading stationery food"), (2, "clothing worn printed ware"), (3, "device furniture"),
         (4, "big-device device"), (5, "motor"))  # fmt: skip


def _cost(draw: Draw) -> Pair:
    """This car costs twelve thousand yuan: 这辆汽车一万两千块钱。"""
    digits, kinds = draw.pick(COSTS)
    noun = draw.pick(nouns_of(frozenset(kinds.split())))
    thing = noun_phrase(noun, draw.pick((THIS, THAT)))
    number = max(2, large(draw, digits))
    verb = "costs" if thing.third else "cost"
    return _said(
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
    """This library has twelve thousand books: 这个图书馆有一万两千本书。"""
    if draw.chance(0.25):
        subject, number = _subject(draw), large(draw, draw.pick((4, 5)))
        verb = "earns" if subject.third else "earn"
        return _said(
            f"{subject.english} {verb} {english_number(number)} yuan a month",
            f"{subject.chinese}每个月挣{counted(number)}块钱",
        )
    where, chinese_where, what, digits = draw.pick((*HOLDINGS, *STOCKS))
    number = large(draw, digits)
    noun = next(n for n in (*lexicon.NOUNS, *lexicon.PEOPLE) if n.singular == what)
    measure = "个" if noun.measure == "位" else noun.measure
    return _said(
        f"{where} has {english_number(number)} {noun.plural}",
        f"{chinese_where}有{counted(number)}{measure}{noun.chinese}",
    )


def _calendar(draw: Draw) -> Pair:
    """Today is March the second: 今天是三月二号; it is two o'clock: 现在两点."""
    number = draw.uniform()
    if number < 0.3:
        english_time, zh, part = draw.pick(CLOCK)
        return _said(
            f"it is {english_time.removeprefix('at ')} in the {part}", f"现在是{PARTS[part]}{zh}"
        )
    date = draw.pick(DATES)
    if number < 0.6:
        day = draw.pick(_words("today/今天|tomorrow/明天|the day after tomorrow/后天"))
        return _said(f"{day.english} is {date.english[3:]}", f"{day.chinese}是{date.chinese}")
    if number < 0.8:
        owner = draw.pick((*OWN.values(), *NAMES_OWN, *KIN_OWN))
        return _said(
            f"{owner.english} birthday is {date.english}", f"{owner.chinese}生日是{date.chinese}"
        )
    subject = draw.pick((*NAMED, *FAMILY))
    youngest, oldest = lexicon.AGES.get(subject.english.split()[-1], (10, 60))
    age = youngest + int(draw.uniform() * (oldest - youngest))
    return _said(
        f"{subject.english} {be(subject)} {english_number(age)} years old",
        f"{subject.chinese}{chinese_number(age)}岁",
    )


def _number_sentence(draw: Draw) -> Pair:
    return draw.pick((_cost, _amounts, _calendar))(draw)


# -- how long, how well, how often

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
MANNERS = _words("very well/很好|very fast/很快|very slowly/很慢")
MANNERED = {"swim": "012", "run": "12", "dance": "0", "sing": "0", "skate": "01", "ski": "01"}
MANNERED |= {"cook": "012", "sleep": "0"}


def _manner(draw: Draw) -> Pair:
    """He swims very fast: 他游泳游得很快; he speaks Chinese very well: 他说中文说得很好。"""
    subject = _subject(draw)
    if draw.chance(0.5):
        verb = draw.pick([v for v in verbs_with("s") if v.chinese in "弹拉踢打下说画"])
        thing, noun = _object(draw, verb, "s", True, subject)
        said = transitive(verb, thing, noun)
        manner = MANNERS[0]
    else:
        verb = draw.pick([v for v in lexicon.DEEDS if v.base in MANNERED])
        said = deed(verb)
        manner = MANNERS[int(draw.pick(MANNERED[verb.base]))]
    twice = said.head + said.after
    tail = f"{said.tail} {manner.english}".strip()
    result = Predicate(
        said.verb, tail, f"{twice}{said.head}得{manner.chinese}", combinations=said.combinations
    )
    return statement(Clause(subject, result, HABIT))


def _lasting(draw: Draw) -> Pair:
    """He swam for two hours: 他游了两个小时泳。"""
    subject, span = _subject(draw), draw.pick(SPANS)
    time: Words | None = draw.pick(BYGONE[:3])
    if draw.chance(0.5):
        said = deed(draw.pick(deeds_with("l")))
    else:
        verb = draw.pick(verbs_with("l"))
        thing, noun = _object(draw, verb, "l", True, subject)
        said = transitive(verb, thing, noun)
        if verb.base == "learn":
            time, span = None, draw.pick(LONG_SPANS)
    said = said._replace(
        tail=f"{said.tail} for {span.english}".strip(), late=False, after=span.chinese + said.after
    )
    return statement(Clause(subject, said, PAST, time=time))


TIMES = _words("once/一次|twice/两次|three times/三次|four times/四次|many times/很多次")


def _repeated(draw: Draw) -> Pair:
    """She has been to Beijing twice: 她去过两次北京。"""
    subject, times = _subject(draw), draw.pick(TIMES)
    goal = draw.pick((*lexicon.CITIES, *lexicon.COUNTRIES))
    verb = "has" if subject.third else "have"
    return _said(
        f"{subject.english} {verb} been {PLACES[goal].to} {times.english}",
        f"{subject.chinese}去过{times.chinese}{PLACES[goal].chinese}",
        [("go", goal)],
    )


def _extent(draw: Draw) -> Pair:
    return draw.pick((_manner, _manner, _lasting, _lasting, _repeated))(draw)


# -- giving, asking, distance


def _teaching(draw: Draw, other: Phrase) -> tuple[Predicate, Form]:
    """Teaches us Chinese: 教我们中文."""
    noun, verb = draw.pick(nouns_of(frozenset(["subject"]))), lexicon.TEACH
    pairs = ((verb.base, noun.singular),)
    tail, after = f"{other.object} {noun.plural}", other.chinese + noun.chinese
    return Predicate(verb, tail, verb.chinese, after, combinations=pairs), HABIT


def _gift(draw: Draw, other: Phrase, negative: bool) -> tuple[Predicate, Form]:
    """Gave me two books: 给了我两本书."""
    verb = draw.pick(lexicon.GIFTS)
    noun = draw.pick(nouns_of(verb.objects))
    determiner = draw.pick((THESE_FEW[0], THIS) if negative else (A, *FEW))
    thing = noun_phrase(noun, determiner)
    pairs = ((verb.base, noun.singular),)
    tail, after = f"{other.object} {thing.object}", other.chinese + thing.chinese
    return Predicate(verb, tail, verb.chinese, after, combinations=pairs), PAST


def _favour(draw: Draw, subject: Phrase, other: Phrase, negative: bool) -> tuple[Predicate, Form]:
    """Bought a book for me: 给我买了一本书."""
    verb = draw.pick([v for v in lexicon.VERBS if v.base in ("buy", "draw")])
    said = transitive(verb, *_object(draw, verb, "w", not negative, subject))
    said = said._replace(tail=f"{said.tail} for {other.object}", before=f"给{other.chinese}")
    return said, draw.pick((PAST, WANT))


def _giving(draw: Draw) -> Pair:
    """Giving, teaching, buying for somebody."""
    subject, number, negative = _subject(draw), draw.uniform(), draw.chance(0.25)
    other = _somebody(draw, subject)
    if number < 0.2:
        said, form = _teaching(draw, other)
    elif number < 0.6:
        said, form = _gift(draw, other, negative)
    else:
        said, form = _favour(draw, subject, other, negative)
    timed = form is PAST and (said.late or draw.chance(0.5))
    time = draw.pick(BYGONE) if timed else None
    return statement(Clause(subject, said, form, negative, time))


def _imperative(draw: Draw) -> Pair:
    """Please close the door: 请把门关上; do not drink this cup of tea: 别喝这杯茶。"""
    you, negative = PRONOUNS["you"], draw.chance(0.45)
    if draw.chance(0.4):
        said = _disposing(draw, you)
        while said.verb.base in (COMPLETED if negative else WILFUL):
            said = _disposing(draw, you)
    else:
        said = _predicate(draw, Form("command", "", "", "别", letter="c"), not negative, you)
    clause = Clause(you._replace(chinese="别" if negative else "请"), said, HABIT)
    text = english(clause).removeprefix("you ")
    return _said(f"{'do not' if negative else 'please'} {text}", chinese(clause), said.combinations)


WEATHERS = tuple(
    zip(
        _words("winter/冬天|summer/夏天|spring/春天|autumn/秋天"),
        _words("cold colder/冷|hot hotter/热|warm warmer/暖和|cool cooler/凉快"),
        strict=True,
    )
)


def _distance(draw: Draw) -> Pair:
    """The school is very far from my home; Beijing is colder than Shanghai in winter."""
    if draw.chance(0.5):
        one, other = draw.two(SPOTS)
        near = draw.pick(
            (
                Words("very far from", "很远"),
                Words("very close to", "很近"),
                Words("not far from", "不远"),
            )
        )
        start, end = (PLACES[k].to.removeprefix("to ") for k in (one, other))
        start, end = ("the school" if k == "school" else k for k in (start, end))
        return _said(
            f"{start} is {near.english} {end}",
            f"{PLACES[one].chinese}离{PLACES[other].chinese}{near.chinese}",
        )
    season, weather = draw.pick(WEATHERS)
    plain, more = weather.english.split()
    one, other = draw.two(lexicon.CITIES)
    if draw.chance(0.5):
        degree = draw.pick(_words("/很|very /非常"))
        return _said(
            f"it is {degree.english}{plain} in {one} in {season.english}",
            f"{PLACES[one].chinese}{season.chinese}{degree.chinese}{weather.chinese}",
        )
    return _said(
        f"it is {more} in {one} than in {other} in {season.english}",
        f"{season.chinese}{PLACES[one].chinese}比{PLACES[other].chinese}{weather.chinese}",
    )


# construction: how often it is drawn, in a hundred
CONSTRUCTIONS: dict[str, tuple[float, Callable[[Draw], Pair]]] = {
    "statement": (21, _statement),
    "question": (6, _question),
    "liking": (2, _liking),
    "choice": (4, _choice),
    "wh": (8, _wh),
    "or": (1, _or),
    "disposal": (8, _disposal),
    "passive": (5, _passive),
    "comparison": (6, _comparison),
    "description": (3, _description),
    "relative": (8, _with_relative),
    "existence": (3, _existence),
    "possession": (2, _possession),
    "identity": (1, _identity),
    "joined": (8, _joined),
    "thought": (3, _thought),
    "number": (4, _number_sentence),
    "extent": (2, _extent),
    "giving": (2, _giving),
    "imperative": (2, _imperative),
    "distance": (1, _distance),
}
_RULES = tuple(rule for _, rule in CONSTRUCTIONS.values())
_TOTALS = tuple(accumulate(share for share, _ in CONSTRUCTIONS.values()))


def draw_pair(draw: Draw) -> Pair:
    """One sentence of any construction."""
    return _RULES[bisect(_TOTALS, draw.uniform() * _TOTALS[-1])](draw)


def construct(name: str, random: np.random.Generator) -> Pair:
    """One sentence of a construction."""
    return CONSTRUCTIONS[name][1](Draw(random))


def sample(random: np.random.Generator) -> Pair:
    """One sentence of any construction."""
    return draw_pair(Draw(random))


# ---------------------------------------------------------------- how many, and which are held out


SUBJECTS = (*PRONOUNS.values(), *NAMED, *FAMILY, *DEFINITE, *POINTED, *RELATED)
BYGONE_TIMES = (*BYGONE, *BYGONE_HOURS, *DATES)


def past_predicates(verb: Verb) -> tuple[Predicate, ...]:
    """A verb with every counted object that any subject allows, without adjectives."""
    few = (A, MANY, SEVERAL, *dict.fromkeys(FEW))
    determiners = few if verb.base == "draw" else (*few, THIS, THAT, THESE, THOSE, *THESE_FEW)
    nouns = [noun for noun in nouns_of(verb.objects) if not noun.mass]
    return tuple(
        transitive(verb, noun_phrase(noun, determiner), noun)
        for noun, determiner in product(nouns, determiners)
    )


def past_statements(
    subjects: Sequence[Phrase], verbs: Sequence[Verb], times: Sequence[Words]
) -> Iterator[Clause]:
    """Every plain statement in the past that these make, at each of a verb's places and none."""
    for verb in verbs:
        places = (None, *map(_at, verb.places))
        for subject, said, time, place in product(subjects, past_predicates(verb), times, places):
            yield Clause(subject, said, PAST, time=time, place=place)


def past_count(subjects: Sequence[Phrase], verbs: Sequence[Verb], times: Sequence[Words]) -> int:
    """How many `past_statements` there are, without making them."""
    each = sum(len(past_predicates(verb)) * (1 + len(verb.places)) for verb in verbs)
    return len(subjects) * each * len(times)


def count() -> int:
    """A lower bound on the number of different sentences.

    Only affirmative past statements of a subject, a transitive verb, a counted object without
    adjective, a time and perhaps a place are counted; these differ in English because the words
    of one slot never run into those of the next. The tests enumerate a part of them.
    """
    return past_count(SUBJECTS, verbs_with("d"), BYGONE_TIMES)


@cache
def held_out(combination: Combination) -> bool:
    """Whether a combination is kept for the split of unseen ones: a hash decides, not the order."""
    digest = hashlib.blake2b(" ".join(combination).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % HELD_OUT == 0


def word_types(english: str) -> set[str]:
    """The lower-case words of a sentence."""
    return {word.strip(",.?").lower() for word in english.split()}


def corpus(
    random: np.random.Generator, train: int, valid: int, test: int, unseen: int = 1_000
) -> dict[str, list[Pair]]:
    """Splits of different sentences, different in either language.

    train, valid and test are drawn alike and hold no combination that is `held_out`; each of
    unseen has one, while all its words and characters occur in train.
    """
    size = train + valid + test
    heard: list[Pair] = []
    novel: list[Pair] = []
    used: set[str] = set()
    draw = Draw(random)

    def fill(into: list[Pair], wanted: int, novelty: bool) -> None:
        while len(into) < wanted:
            pair = draw_pair(draw)
            fresh = pair.english not in used and pair.chinese not in used
            if fresh and novelty == any(map(held_out, pair.combinations)):
                if novelty and not _familiar(pair, words, characters):
                    continue
                used.update((pair.english, pair.chinese))
                into.append(pair)

    words: set[str] = set()
    characters: set[str] = set()
    fill(heard, size, False)
    for pair in heard[:train]:
        words |= word_types(pair.english)
        characters.update(pair.chinese)
    fill(novel, unseen, True)
    return {
        "train": heard[:train],
        "valid": heard[train : train + valid],
        "test": heard[train + valid :],
        "unseen": novel,
    }


def _familiar(pair: Pair, words: set[str], characters: set[str]) -> bool:
    return characters.issuperset(pair.chinese) and words >= word_types(pair.english)
