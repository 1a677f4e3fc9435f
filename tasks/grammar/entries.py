"""Kinds of word, and how a table of them is read.

A table has one line a word, columns between bars; regular English forms are derived, irregular
ones stand in the first column.
"""

from __future__ import annotations

from typing import NamedTuple


class Noun(NamedTuple):
    """A noun that is counted with its measure word.

    Of a mass noun (tea, shoes) singular and plural are the bare form, and unit and units count
    it: a cup of tea, two cups of tea. A mass noun without a unit is only ever bare.
    """

    singular: str
    plural: str
    chinese: str
    measure: str
    classes: frozenset[str]
    mass: bool = False
    unit: str = ""
    units: str = ""
    several: bool = False  # takes a plural verb where bare: shoes, noodles


class Verb(NamedTuple):
    """English forms, and the Chinese verb with the object that a compound brings (游 泳).

    forms: letters of the tenses and moods that it goes with; h habitual, p progressive, d past,
    f future, e experience, y already or not yet, w wishes, m permission and duty, c command,
    s skill (can is 会), n state, l duration, k the object outlives the act. places: keys of PLACES.
    """

    base: str
    third: str
    past: str
    participle: str
    gerund: str
    particle: str
    chinese: str
    inner: str
    objects: frozenset[str]
    forms: frozenset[str]
    places: tuple[str, ...]


class Adjective(NamedTuple):
    """Chinese before a noun (with 的 where it needs one) and as a predicate."""

    english: str
    comparative: str
    attribute: str
    predicate: str
    classes: frozenset[str]


class Place(NamedTuple):
    """at: where something is done. to: where one goes. inside: Chinese with 里 or 上."""

    at: str
    to: str
    chinese: str
    inside: str


class Person(NamedTuple):
    """A name or a kinship term; pronoun: he or she."""

    english: str
    chinese: str
    pronoun: str


def rows(table: str) -> list[list[str]]:
    """The cells of a table."""
    return [[cell.strip() for cell in row.split("|")] for row in table.strip().splitlines()]


def _plural(singular: str) -> str:
    if singular.endswith(("s", "x", "ch", "sh")) or singular in ("tomato", "potato"):
        return singular + "es"
    if singular.endswith("y") and singular[-2] not in "aeiou":
        return singular[:-1] + "ies"
    return singular + "s"


def _third(base: str) -> str:
    return base + "es" if base.endswith("o") else {"have": "has"}.get(base) or _plural(base)


def _gerund(base: str) -> str:
    drops = base.endswith("e") and not base.endswith(("ee", "ye"))
    return (base[:-1] if drops else base) + "ing"


def _past(base: str) -> str:
    if base.endswith("e"):
        return base + "d"
    return base[:-1] + "ied" if base.endswith("y") and base[-2] not in "aeiou" else base + "ed"


def read_nouns(table: str) -> tuple[Noun, ...]:
    """singular/plural | Chinese | measure word | classes; a regular plural is left out."""
    nouns = []
    for english, chinese, measure, classes in rows(table):
        singular, _, plural = english.partition("/")
        nouns.append(
            Noun(
                singular,
                plural or _plural(singular),
                chinese,
                measure,
                frozenset([singular, *classes.split()]),
            )
        )
    return tuple(nouns)


def read_masses(table: str) -> tuple[Noun, ...]:
    """English | Chinese | unit, if it has one | measure word | classes."""
    nouns = []
    for english, chinese, unit, measure, classes in rows(table):
        kinds = frozenset([english, *classes.split()])
        several = "plural" in kinds
        nouns.append(
            Noun(english, english, chinese, measure, kinds, True, unit, _plural(unit), several)
        )
    return tuple(nouns)


def verb_of(english: str, chinese: str, objects: str, forms: str, places: str) -> Verb:
    """base past participle gerund +particle | Chinese | objects | forms | places."""
    words, _, particle = english.partition("+")
    base, *irregular = words.split()
    past = irregular[0] if irregular else _past(base)
    head, _, inner = chinese.partition(" ")
    return Verb(
        base,
        _third(base),
        past,
        irregular[1] if len(irregular) > 1 else past,
        irregular[2] if len(irregular) > 2 else _gerund(base),
        " " + particle.strip() if particle else "",
        head,
        inner,
        frozenset(objects.split()),
        frozenset(forms),
        tuple(places.split()),
    )


def read_verbs(table: str) -> tuple[Verb, ...]:
    """The columns of `verb_of`."""
    return tuple(verb_of(*row) for row in rows(table))


def read_adjectives(table: str) -> tuple[Adjective, ...]:
    """English | comparative | Chinese before a noun | Chinese predicate | classes."""
    return tuple(
        Adjective(english, comparative, attribute, predicate, frozenset(classes.split()))
        for english, comparative, attribute, predicate, classes in rows(table)
    )


def read_colours(table: str) -> tuple[Adjective, ...]:
    """A colour stands bare before what is worn or grows, and with 色的 before other things."""
    adjectives = []
    for english, chinese, close in rows(table):
        distant = frozenset("vehicle furniture bag suitcase umbrella sofa towel".split())
        adjectives.append(Adjective(english, "", chinese, "", frozenset(close.split())))
        adjectives.append(Adjective(english, "", chinese + "色的", "", distant))
    return tuple(adjectives)


def read_people(table: str) -> tuple[Person, ...]:
    """English | Chinese | pronoun."""
    return tuple(Person(*row) for row in rows(table))


def read_places(table: str) -> dict[str, Place]:
    """key | where | where to | Chinese | Chinese, inside it."""
    return {row[0]: Place(*row[1:]) for row in rows(table)}
