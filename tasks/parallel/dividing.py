"""Makes train, valid and test of a corpus, so that training knows no sentence of the others.

Splits that are given stay as they are: a test set is scored whole. Training pairs of which a
sentence stands in valid or test are dropped from training. Splits that are not given are drawn
from training by `sentence_pairs.divide`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from tasks.parallel.stored import UNDIVIDED, Example
from tasks.sentence_pairs import HELD_OUT_PAIRS, TextPair, components, divide, key

LEAKED = "its sentence stands in valid or test"
"""The reason for which a training pair is dropped."""


def divided(
    splits: dict[str, list[Example]], random: np.random.Generator
) -> tuple[dict[str, list[Example]], dict[str, int]]:
    """Return train, valid and test, and how many training pairs were dropped by reason.

    Args:
        splits: Those that are given, or all pairs under UNDIVIDED.
        random: Draws the splits that are not given.

    Raises:
        ValueError: There are too few pairs.
    """
    if UNDIVIDED in splits:
        return _drawn_from_all(splits[UNDIVIDED], random), {}
    train = list(splits["train"])
    held_out = {name: pairs for name, pairs in splits.items() if name != "train"}
    kept = without_leaks(train, held_out.values())
    dropped = {LEAKED: len(train) - len(kept)}
    lacking = [name for name in ("valid", "test") if name not in held_out]
    for name in lacking:
        drawn, kept = _held_out(kept, random, name)
        held_out[name] = drawn
    if not kept:
        raise ValueError(
            "every training pair shares a sentence with valid or test; give other training pairs"
        )
    return {"train": kept, **held_out}, dropped


def without_leaks(train: Sequence[Example], held_out: Iterable[Sequence[Example]]) -> list[Example]:
    """Return the training pairs of which no sentence stands in other splits."""
    sources, targets = set(), set()
    for pairs in held_out:
        for pair in pairs:
            sources.add(key(pair.source))
            targets |= {key(reference) for reference in pair.references}
    return [
        pair
        for pair in train
        if key(pair.source) not in sources and key(pair.references[0]) not in targets
    ]


def _drawn_from_all(
    examples: Sequence[Example], random: np.random.Generator
) -> dict[str, list[Example]]:
    pairs = [TextPair(example.source, example.references[0]) for example in examples]
    return {
        name: [Example(pair.english, (pair.chinese,)) for pair in chosen]
        for name, chosen in divide(pairs, random).items()
    }


def _held_out(
    train: Sequence[Example], random: np.random.Generator, name: str
) -> tuple[list[Example], list[Example]]:
    """Draw a split from training, and return it and what is left: no sentence is in both."""
    size = min(HELD_OUT_PAIRS, len(train) // 20)
    if not size:
        raise ValueError(
            f"{len(train)} training pairs are too few to draw {name} from; give at least 20, or "
            f"files for {name}"
        )
    groups = components(TextPair(pair.source, pair.references[0]) for pair in train)
    drawn: list[Example] = []
    rest: list[Example] = []
    for group in random.permutation(len(groups)):
        places = groups[int(group)]
        into = drawn if len(drawn) + len(places) <= size else rest
        into += [train[place] for place in places]
    if not drawn or not rest:
        raise ValueError(
            f"{len(train)} training pairs share so many sentences that {name} cannot be drawn "
            f"from them; give files for {name}"
        )
    return drawn, rest
