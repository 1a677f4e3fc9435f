"""A corpus that is larger than memory, prepared line by line: ids on disk, and nothing here holds
more than the vocabulary and a buffer.

Valid and test are drawn by a hash of the English sentence, so all pairs of one English sentence
fall into one split; training pairs whose Chinese stands in valid or test are dropped, so no
sentence of either language is in two splits. Equal training pairs are not looked for.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from bench.corpora.preparation import VERSION, Prepared, Simplifier
from tasks.en_zh_streamed import ABOUT_FILE, HELD_OUT_FILES, KIND, VOCABULARY_FILE
from tasks.sentence_pairs import HELD_OUT_PAIRS, key
from tasks.sentences import (
    chinese_characters,
    chinese_words,
    english_symbols,
    normalise_chinese,
    normalise_english,
)
from tasks.vocabulary import SPECIALS, UNKNOWN, Vocabulary

BUFFER = 1_000_000
"""Ids that are held before they are written."""
COUNTED = 3_000_000
"""Words that are counted at once; beyond, those seen once so far are forgotten."""
SMALLEST = 1_000
"""Pairs; a smaller corpus has no need of this."""


def write_streamed(
    name: str,
    folder: Path,
    source: Path,
    simple: Simplifier,
    about: dict[str, Any],
    tokens: str,
    longest: int,
    symbols: int,
) -> Prepared:
    """Prepare a file of English TAB Chinese lines. longest: symbols of a training sentence on a
    side. symbols: that the vocabulary of a side holds at most. ValueError for a file that will
    not do."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}-") as scratch:
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        with source.open("rb") as opened:
            lines = sum(1 for _ in opened)
        if lines < SMALLEST:
            raise ValueError(
                f"{source} has {lines} lines; below {SMALLEST} leave --streamed out, for they fit "
                "into memory"
            )
        share = min(HELD_OUT_PAIRS / lines, 1 / 20)
        cut = chinese_characters if tokens == "characters" else chinese_words
        first = _Reading(source, simple, cut, share)
        with (Path(scratch) / "cut.tsv").open("w", encoding="utf-8") as cuts:
            counts = first.through(cuts)
        for split, file in HELD_OUT_FILES.items():
            pairs = first.held_out(split)
            if not pairs:
                raise ValueError(f"no pair of {source} fell to {split}; give a larger file")
            (fresh / file).write_text("".join(f"{e}\t{c}\n" for e, c in pairs), encoding="utf-8")
        vocabularies = [_most_frequent(count, symbols) for count in counts]
        held = {"source": vocabularies[0].symbols, "target": vocabularies[1].symbols}
        text = json.dumps(held, ensure_ascii=False)
        (fresh / VOCABULARY_FILE).write_text(text, encoding="utf-8")
        sides = [_Side(fresh / side) for side in held]
        with (Path(scratch) / "cut.tsv").open(encoding="utf-8", newline="\n") as cuts:
            dropped = _encode(cuts, sides, vocabularies, first.chinese_keys, longest)
        about = {
            "name": name,
            "kind": KIND,
            **about,
            "pairs": len(sides[0]),
            "dropped": {**first.dropped, **dropped},
            "tokens": tokens,
            "longest": longest,
            "script": "simplified",
            "opencc": simple.version,
            "preparation": VERSION,
            **{side: made.close() for side, made in zip(held, sides, strict=True)},
        }
        about["digest"] = _digest(fresh, sides)
        if not about["pairs"]:
            raise ValueError(f"no training pair of {source} has at most {longest} symbols a side")
        text = json.dumps(about, ensure_ascii=False, indent=2) + "\n"
        (fresh / ABOUT_FILE).write_text(text, encoding="utf-8")
        shutil.rmtree(folder / name, ignore_errors=True)
        fresh.replace(folder / name)
    return Prepared(name, folder / name, about)


class _Reading:
    """The first time through: clean, cut, count, and set valid and test aside."""

    def __init__(
        self,
        source: Path,
        simple: Simplifier,
        cut: Callable[[str], list[str]],
        share: float,
    ) -> None:
        self._source, self._simple, self._cut, self._share = source, simple, cut, share
        self._aside: dict[str, dict[tuple[str, str], None]] = {name: {} for name in HELD_OUT_FILES}
        self.chinese_keys: set[str] = set()
        self.dropped = {"empty": 0}

    def through(self, cuts: IO[str]) -> tuple[Counter[str], Counter[str]]:
        """Symbols of training pairs go to `cuts`, a line a pair; how often each stands there."""
        counts: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        limits = [COUNTED, COUNTED]
        for english, chinese in self._clean():
            split = self._split(key(english))
            if split:
                self._aside[split][english, chinese] = None
                continue
            pair = english_symbols(english), self._cut(chinese)
            cuts.write("\t".join(" ".join(side) for side in pair) + "\n")
            for place, (count, side) in enumerate(zip(counts, pair, strict=True)):
                count.update(side)
                if len(count) > limits[place]:
                    for symbol in [s for s, times in count.items() if times == 1]:
                        del count[symbol]
                    limits[place] = max(COUNTED, 2 * len(count))
        for pairs in self._aside.values():
            self.chinese_keys |= {self._key(chinese) for _, chinese in pairs}
        return counts

    def held_out(self, split: str) -> list[tuple[str, str]]:
        """Its pairs, none of whose Chinese stands in the split before."""
        pairs = list(self._aside[split])
        if split == "valid":
            return pairs
        before = {self._key(chinese) for _, chinese in self._aside["valid"]}
        return [pair for pair in pairs if self._key(pair[1]) not in before]

    def _key(self, chinese: str) -> str:
        return key("".join(self._cut(chinese)))

    def _clean(self) -> Iterator[tuple[str, str]]:
        with self._source.open("rb") as opened:
            for number, raw in enumerate(opened, 1):
                try:
                    line = raw.decode("utf-8").rstrip("\r\n")
                except UnicodeDecodeError:
                    raise ValueError(
                        f"line {number} of {self._source} is not UTF-8; save it as UTF-8"
                    ) from None
                english, chinese = (*line.split("\t"), "", "")[:2]
                pair = normalise_english(english), self._simple.convert(normalise_chinese(chinese))
                if all(pair):
                    yield pair
                else:
                    self.dropped["empty"] += 1

    def _split(self, english_key: str) -> str:
        digest = hashlib.blake2b(english_key.encode(), digest_size=8).digest()
        place = int.from_bytes(digest, "little") / 2**64
        return "valid" if place < self._share else "test" if place < 2 * self._share else ""


class _Side:
    """One language's ids as they are written: STEM.ids and STEM.offsets."""

    def __init__(self, stem: Path) -> None:
        self._files = [stem.with_name(stem.name + ending) for ending in (".ids", ".offsets")]
        self._opened = [file.open("wb") for file in self._files]
        self._ids: list[np.ndarray[Any, Any]] = []
        self._ends: list[int] = [0]
        self._held = self._total = self._count = self._longest = 0
        self._state = hashlib.blake2b(digest_size=16)

    def __len__(self) -> int:
        return self._count

    def add(self, ids: np.ndarray[Any, Any]) -> None:
        self._ids.append(ids)
        self._total += len(ids)
        self._held += len(ids)
        self._count += 1
        self._longest = max(self._longest, len(ids))
        self._ends.append(self._total)
        if self._held >= BUFFER:
            self._flush()

    def _flush(self) -> None:
        kept = [np.concatenate(self._ids)] if self._ids else []
        for file, arrays in zip(
            self._opened, (kept, [np.asarray(self._ends, dtype=np.int64)]), strict=True
        ):
            for array in arrays:
                content = array.tobytes()
                self._state.update(content)
                file.write(content)
        self._ids, self._ends, self._held = [], [], 0

    def close(self) -> dict[str, Any]:
        """What need not be read again: longest and mean length."""
        self._flush()
        for file in self._opened:
            file.close()
        return {"longest": self._longest, "mean": self._total / max(self._count, 1)}

    @property
    def digest(self) -> bytes:
        return self._state.digest()


def _encode(
    cuts: IO[str],
    sides: list[_Side],
    vocabularies: list[Vocabulary],
    held_out: set[str],
    longest: int,
) -> dict[str, int]:
    """The second time through: ids. How many pairs were dropped, and why."""
    dropped = {"too long": 0, "in valid or test": 0}
    for line in cuts:
        pair = [side.split(" ") for side in line.rstrip("\n").split("\t")]
        if max(map(len, pair)) > longest:
            dropped["too long"] += 1
        elif key("".join(pair[1])) in held_out:
            dropped["in valid or test"] += 1
        else:
            for side, vocabulary, symbols in zip(sides, vocabularies, pair, strict=True):
                side.add(vocabulary.encode(symbols))
    return dropped


def _most_frequent(counts: Counter[str], most: int) -> Vocabulary:
    kept = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))[:most]
    return Vocabulary((*SPECIALS, UNKNOWN, *kept))


def _digest(folder: Path, sides: list[_Side]) -> str:
    state = hashlib.blake2b(digest_size=16)
    for side in sides:
        state.update(side.digest)
    for file in (VOCABULARY_FILE, *HELD_OUT_FILES.values()):
        state.update((folder / file).read_bytes())
    return state.hexdigest()
