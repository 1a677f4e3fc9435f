"""Defines the kinds of word, and reads tables of them.

A table has one word per line and columns between bars. Regular English forms are derived;
irregular ones stand in the first column.
"""

from __future__ import annotations

from typing import NamedTuple


class Noun(NamedTuple):
    """A noun that is counted with a measure word.

    For a mass noun (tea, shoes) singular and plural are the bare form, and unit and units count it:
    a cup of tea, two cups of tea. A mass noun without a unit is only used bare. several: the bare
    form takes a plural verb (shoes, noodles).
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
    """A verb: its English forms, and the Chinese verb with the object of a compound (游 泳).

    objects: classes of nouns that it takes. forms: letters of the tenses and moods it goes with:
    h habitual, p progressive, d past, f future, e experience, y already or not yet, w wishes,
    m permission and duty, c command, s skill ("can" is 会), n state, l duration, z wearing; k means
    that the object outlives the act. places: keys of the table of places where it is done.
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
    """An adjective, in Chinese before a noun (with 的 where needed) and as a predicate."""

    english: str
    comparative: str
    attribute: str
    predicate: str
    classes: frozenset[str]


class Place(NamedTuple):
    """A place: "at the library", "to the library", 图书馆, and 图书馆里 for what is inside it."""

    at: str
    to: str
    chinese: str
    inside: str


class Person(NamedTuple):
    """A name or a kinship term, with the pronoun he or she."""

    english: str
    chinese: str
    pronoun: str


def rows(table: str) -> list[list[str]]:
    """Return the cells of a table, line by line."""
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
    """Read nouns from the columns: singular/plural | Chinese | measure word | classes.

    A regular plural is left out.
    """
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
    """Read mass nouns from the columns of a table.

    They are: English | Chinese | unit, if any | measure word | classes.
    """
    nouns = []
    for english, chinese, unit, measure, classes in rows(table):
        kinds = frozenset([english, *classes.split()])
        several = "plural" in kinds
        nouns.append(
            Noun(english, english, chinese, measure, kinds, True, unit, _plural(unit), several)
        )
    return tuple(nouns)


def verb_of(english: str, chinese: str, objects: str, forms: str, places: str) -> Verb:
    """Build a verb from the columns of a table.

    english: base past participle gerund +particle; regular forms are left out. chinese: the verb,
    and the object of a compound. objects, forms, places: see `Verb`.
    """
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
    """Read verbs from the columns that `verb_of` takes."""
    return tuple(verb_of(*row) for row in rows(table))


def read_adjectives(table: str) -> tuple[Adjective, ...]:
    """Read adjectives from the columns of `Adjective`.

    They are: English | comparative | Chinese before a noun | Chinese predicate | classes.
    """
    return tuple(
        Adjective(english, comparative, attribute, predicate, frozenset(classes.split()))
        for english, comparative, attribute, predicate, classes in rows(table)
    )


def read_colours(table: str) -> tuple[Adjective, ...]:
    """Read colours from the columns: English | Chinese | classes of worn or growing things.

    A colour stands bare before what is worn or grows, and with 色的 before other things.
    """
    adjectives = []
    for english, chinese, close in rows(table):
        distant = frozenset("vehicle furniture bag suitcase umbrella sofa towel".split())
        adjectives.append(Adjective(english, "", chinese, "", frozenset(close.split())))
        adjectives.append(Adjective(english, "", chinese + "色的", "", distant))
    return tuple(adjectives)


def read_people(table: str) -> tuple[Person, ...]:
    """Read names or kinship terms from the columns: English | Chinese | pronoun."""
    return tuple(Person(*row) for row in rows(table))


def read_places(table: str) -> dict[str, Place]:
    """Read places from the columns: key | at | to | Chinese | Chinese, inside it."""
    return {row[0]: Place(*row[1:]) for row in rows(table)}
