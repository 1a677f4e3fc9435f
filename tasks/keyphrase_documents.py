"""Generates documents with keyphrases, for machines without a corpus.

Whether a noun phrase is a keyphrase follows from its context and never from its words: every
phrase, key or not, is drawn from the same adjectives and nouns. What decides:

- a cue to the left, near or far: `we study X`, but `they study X`, `we do not study X`, and
  `we propose , as they did for X , a method for Y`;
- the clause: `unlike X , this work concerns Y` makes Y a keyphrase and X not;
- a cue to the right, for phrases at the start of a sentence: `X is the topic of this paper`, but
  `X is the topic of another paper`; a forward model cannot know these few;
- the document: in `it concerns X`, X is a keyphrase if the document opens as the authors' own
  (`abstract of the dense paper`), not if it opens as somebody else's (`review of the dense
  paper`).

Where a phrase ends follows from the parts of speech: zero to two adjectives, then nouns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tasks.spans import Span, positions_of
from tasks.tagged import Document

SHORTEST, LONGEST = 15, 60
"""Least and greatest number of tokens in a document."""
SHAPES = ((0, 1), (0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3), (2, 1), (2, 2))
"""Numbers of adjectives and nouns that a phrase may have."""
PHRASE_NOUNS = tuple(
    "acid alloy antenna apple bacteria basin battery beam bird boundary bridge cable camera "
    "carbon castle cell chain channel circuit city climate cloud coast coil colour column copper "
    "crack crop crystal current desert diffusion disk dust earth electron energy engine enzyme "
    "fabric fibre field filter fish flame flow fluid forest fracture friction fuel garden gas "
    "gear glass grain graph gravity harbour heat hill horse house ice image insect iron island "
    "kernel lake laser lattice layer leaf lens light liquid magnet market matrix membrane memory "
    "mesh metal mineral mirror molecule mountain museum network noise nucleus ocean orbit oxide "
    "particle partition pipe plasma plate polymer pore powder pressure protein pulse queue rain "
    "river road robot rock rotor salt sand seed sensor signal silicon soil sound spectrum spring "
    "steel stone storm surface tank tissue tower traffic tree tunnel turbine valley vapour "
    "vector village virus voltage vortex wall water wave weather wheel wind wing wire wood".split()
)
PHRASE_ADJECTIVES = tuple(
    "acoustic ancient bright broad chemical cold complex dark deep dense digital distant dry "
    "elastic electric flat curved fragile frozen green heavy hidden hollow large linear "
    "local magnetic marine mild mobile narrow nuclear optical organic periodic plain porous "
    "quiet random rapid regional rigid robust rough salty sharp slow smooth soft solar sparse "
    "stable steep stiff thermal thick thin turbulent urban vertical viscous warm wide wild".split()
)
WORDS: dict[str, str] = {
    "study": "study investigate address analyse examine explore",
    "propose": "propose present introduce develop describe",
    "method": "method scheme technique procedure",
    "abstract": "abstract summary preface proposal",
    "review": "review critique parody notice",
    "own": "this our the~present",
    "other": "an~older their that~early another",
    "work": "paper article work thesis report",
    "they": "they others critics rivals visitors",
    "concerns": "concerns treats covers considers",
    "topic": "topic subject theme",
    "fails": "fails varies matters",
    "near": "near beside behind above",
    "saw": "saw visited left passed recalled",
    "is": "is was seems",
}
"""Words for each {name} in a frame; ~ stands for a space within one choice."""
OWN_OPENING, OTHER_OPENING = "{abstract} of the A {work} .", "{review} of the A {work} ."
"""How documents open: as the authors' own work, or as somebody else's."""
FRAMES = {
    # cues to the left, near and far
    "we {study} K .": 7,
    "we {study} K and K .": 4,
    "here we {propose} a {method} for K .": 5,
    "we {propose} , as {they} did for N , a {method} for K .": 2,
    "we {study} , much like {they} near N , K .": 2,
    "{own} {work} {concerns} K .": 6,
    "studies of K show that N {fails} .": 3,
    "{they} {study} N .": 5,
    "{they} {study} N and N .": 2,
    "here {they} {propose} a {method} for N .": 5,
    "{other} {work} {concerns} N .": 4,
    "no studies of N show that N {fails} .": 1,
    "{they} {saw} N {near} N .": 2,
    "we {saw} N and N .": 2,
    "{own} {work} is A and it {concerns} K .": 3,
    "{other} {work} is A and it {concerns} N .": 3,
    # negation and contrast
    "we do not {study} N .": 4,
    "{own} {work} never {concerns} N .": 3,
    "we do not only {study} K .": 3,
    "unlike N , {own} {work} {concerns} K .": 4,
    "unlike {other} {work} on N , we {study} K .": 2,
    "we {study} K rather than N .": 3,
    # cues to the right
    "K {is} the {topic} of {own} {work} .": 2,
    "N {is} the {topic} of {other} {work} .": 1,
    "N {is} {near} N .": 1,
    "N {is} A .": 1,
    # the document's cue
    "it {concerns} D .": 3,
    "it {concerns} D and D .": 1,
}
"""Sentence frames and their weights.

K is a keyphrase, N a phrase that is not one, D a keyphrase only in documents about the authors' own
work, A an adjective alone, {name} one of WORDS.
"""


class _Item(NamedTuple):
    """A part of a frame: words to choose from, or a phrase or adjective to draw."""

    kind: str
    choices: tuple[tuple[str, ...], ...] = ()


def _items(frame: str) -> tuple[_Item, ...]:
    items = []
    for part in frame.split():
        if part in ("K", "N", "D", "A"):
            items.append(_Item(part))
        else:
            words = WORDS[part[1:-1]].split() if part[0] == "{" else [part]
            items.append(_Item("words", tuple(tuple(word.split("~")) for word in words)))
    return tuple(items)


_OPENINGS = (_items(OTHER_OPENING), _items(OWN_OPENING))
_DRAWN = tuple(_items(frame) for frame, often in FRAMES.items() for _ in range(often))


def documents(count: int, seed: int) -> list[Document]:
    """Draw so many distinct documents, in the order drawn.

    A larger number starts with the same documents.
    """
    random = np.random.default_rng([seed, 3])
    seen: dict[tuple[str, ...], Document] = {}
    while len(seen) < count:
        drawn = document(random)
        seen.setdefault(drawn.tokens, drawn)
    return list(seen.values())


def document(random: np.random.Generator) -> Document:
    """Draw a document: an opening and one to four more sentences, 15 to 60 tokens in all."""
    while True:
        own = bool(random.integers(2))
        tokens: list[str] = []
        keys: list[Span] = []
        _write(_OPENINGS[own], own, random, tokens, keys)
        for _ in range(random.integers(1, 5)):
            _write(_DRAWN[random.integers(len(_DRAWN))], own, random, tokens, keys)
        if SHORTEST <= len(tokens) <= LONGEST:
            return Document(tuple(tokens), tuple(positions_of(keys, len(tokens))))


def _write(
    frame: tuple[_Item, ...],
    own: bool,
    random: np.random.Generator,
    tokens: list[str],
    keys: list[Span],
) -> None:
    """Append a sentence to the document's tokens, and its keyphrases to keys."""
    for kind, choices in frame:
        if kind == "words":
            tokens += choices[random.integers(len(choices))]
        elif kind == "A":
            tokens.append(PHRASE_ADJECTIVES[random.integers(len(PHRASE_ADJECTIVES))])
        else:
            tokens += ["the"] * int(random.random() < 0.3)
            phrase = _phrase(random)
            if kind == "K" or (kind == "D" and own):
                keys.append((len(tokens), len(tokens) + len(phrase)))
            tokens += phrase


def _phrase(random: np.random.Generator) -> list[str]:
    """Draw zero to two adjectives and one to three nouns, at most four words."""
    adjectives, nouns = SHAPES[random.integers(len(SHAPES))]
    drawn = [PHRASE_ADJECTIVES[random.integers(len(PHRASE_ADJECTIVES))] for _ in range(adjectives)]
    return drawn + [PHRASE_NOUNS[random.integers(len(PHRASE_NOUNS))] for _ in range(nouns)]
