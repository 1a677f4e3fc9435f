"""Defines noun phrases in both languages: pronouns, names, relatives, nouns with determiners."""

from __future__ import annotations

from typing import NamedTuple

from tasks.grammar.words import lexicon
from tasks.grammar.words.entries import Adjective, Noun, Person
from tasks.grammar.words.numbers import counted, english_number

Combination = tuple[str, str]


class Phrase(NamedTuple):
    """A noun phrase in both languages.

    object: English after a verb. bare: no measure word, number or owner, so 了 follows it. every:
    the Chinese verb takes 都. echo: the pronoun that refers to it afterwards.
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
        """Whether the English verb takes -s."""
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
    """Return a name as a noun phrase: Tom."""
    return Phrase(person.english, person.chinese, person.english, echo=person.pronoun)


def kin(owner: str, person: Person) -> Phrase:
    """Return a relative, such as "my mother": 我妈妈; "our" and "their" take 的."""
    english = f"{owner} {person.english}"
    link = "的" if owner in ("our", "their") else ""
    return Phrase(english, OWNERS[owner] + link + person.chinese, english, echo=person.pronoun)


class Determiner(NamedTuple):
    """A word before a noun. kind: how it counts the noun; see `noun_phrase`."""

    kind: str
    english: str = ""
    chinese: str = ""
    number: int = 1


def _number(number: int) -> Determiner:
    return Determiner("number", english_number(number), counted(number), number)


MEASURED = ("a", "number", "this")
"""Kinds of determiners after which Chinese has a measure word."""
A = Determiner("a", "a", "一")
THIS, THAT = Determiner("this", "this", "这"), Determiner("this", "that", "那")
THESE = Determiner("these", "these", "这些", 2)
THOSE = Determiner("these", "those", "那些", 2)
MANY = Determiner("many", "many", "很多", 2)
SEVERAL = Determiner("number", "several", "几", 2)
BARE = Determiner("bare", number=2)
ANY = Determiner("bare", "a")  # "a book" in a negated sentence: 书
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
    """Build a noun phrase, such as "two new books": 两本新书, or "a cup of hot tea": 一杯热茶."""
    kind, counts_several = determiner.kind, determiner.number > 1
    measured = kind in MEASURED
    combinations: tuple[Combination, ...] = ()
    attribute, word = "", noun.plural if counts_several else noun.singular
    if adjective is not None:
        word = f"{adjective.english} {word}"
        attribute = adjective.attribute
        combinations = ((adjective.english, noun.singular),)
    if noun.mass and measured:
        word = f"{noun.units if counts_several else noun.unit} of {word}"
    plural = noun.several if noun.mass and kind in ("bare", "owned") else counts_several
    bare = kind == "bare" and not attribute.endswith("的")
    english = _with_determiner(word, determiner, noun.mass)
    chinese = determiner.chinese + noun.measure * measured + attribute + noun.chinese
    return Phrase(english, chinese, english, 3, plural, bare, combinations=combinations)


def _with_determiner(word: str, determiner: Determiner, mass: bool) -> str:
    """Put a determiner before an English word; no "a" stands before a mass noun that is bare."""
    if determiner.kind == "bare":
        return f"{_article(word)} {word}" if determiner.english and not mass else word
    return f"{_article(word) if determiner.kind == 'a' else determiner.english} {word}"


def definite(noun: Noun, plural: bool = False) -> Phrase:
    """Build "the teacher": 老师, or "the teachers": 老师们.

    Other nouns are definite only where 把 or 被 makes that clear.
    """
    english = f"the {noun.plural if plural else noun.singular}"
    return Phrase(english, noun.chinese + ("们" if plural else ""), english, 3, plural)
