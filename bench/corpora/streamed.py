"""Prepares a corpus that is larger than memory, line by line, as ids on disk.

The text is read twice: once to clean it, count symbols and draw valid and test, and once to write
ids. Only the vocabulary, the held-out pairs and a buffer are in memory.

Valid and test are drawn by a hash of the English sentence, so all pairs of one English sentence
are in one split. Training pairs whose Chinese is in valid or test are dropped, so no sentence of
either language is in two splits. Duplicate training pairs are not looked for.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from bench.corpora.preparation import VERSION, Prepared, Simplifier, new_folder, write_about
from tasks.en_zh_streamed import HELD_OUT_FILES, KIND, VOCABULARY_FILE
from tasks.ragged import Ids
from tasks.sentence_pairs import HELD_OUT_PAIRS, key
from tasks.sentences import (
    chinese_characters,
    chinese_words,
    english_symbols,
    normalise_chinese,
    normalise_english,
)
from tasks.vocabulary import SPECIALS, UNKNOWN, Vocabulary

BUFFERED_IDS = 1_000_000
"""Number of ids that are held before they are written."""
COUNTED_SYMBOLS = 3_000_000
"""Number of symbols that are counted at once; beyond it, symbols seen only once are forgotten."""
FEWEST_LINES = 1_000
"""A smaller corpus fits into memory and is not streamed."""


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
    """Prepare a file of English TAB Chinese lines.

    Args:
        about: What about.json says of the file.
        tokens: Whether Chinese is cut into characters or words.
        longest: The largest number of symbols of a training sentence, on either side.
        symbols: The largest number of symbols in the vocabulary of a side.

    Raises:
        ValueError: The file has too few lines, is not UTF-8, or leaves a split without pairs.
    """
    share = _held_out_share(source)
    with new_folder(name, folder) as fresh:
        cuts_file = fresh.with_name("cut.tsv")
        cut = chinese_characters if tokens == "characters" else chinese_words
        reading = _FirstReading(source, simple, cut, share)
        with cuts_file.open("w", encoding="utf-8") as cuts:
            counts = reading.write_cuts(cuts)
        _write_held_out(fresh, reading, source)
        vocabularies = {
            side: _most_frequent(count, symbols)
            for side, count in zip(("source", "target"), counts, strict=True)
        }
        _write_vocabularies(fresh, vocabularies)
        sides = {side: _SideWriter(fresh / side) for side in vocabularies}
        with cuts_file.open(encoding="utf-8", newline="\n") as cuts:
            dropped = _encode(cuts, sides, vocabularies, reading.chinese_keys, longest)
        if not len(sides["source"]):
            raise ValueError(f"no training pair of {source} has at most {longest} symbols a side")
        about = {
            "name": name,
            "kind": KIND,
            **about,
            "pairs": len(sides["source"]),
            "dropped": {**reading.dropped, **dropped},
            "tokens": tokens,
            "longest": longest,
            "script": "simplified",
            "opencc": simple.version,
            "preparation": VERSION,
            **{side: writer.close() for side, writer in sides.items()},
        }
        # the digest covers what close() writes
        about["digest"] = _digest(fresh, list(sides.values()))
        write_about(fresh, about)
    return Prepared(name, folder / name, about)


def _held_out_share(source: Path) -> float:
    """Return the share of pairs that valid and test each get: 1,000 pairs, at most a twentieth."""
    with source.open("rb") as opened:
        lines = sum(1 for _ in opened)
    if lines < FEWEST_LINES:
        raise ValueError(
            f"{source} has {lines} lines; below {FEWEST_LINES} leave --streamed out, for they fit "
            "into memory"
        )
    return min(HELD_OUT_PAIRS / lines, 1 / 20)


class _FirstReading:
    """Cleans and cuts all pairs, counts symbols, and collects valid and test.

    Attributes:
        chinese_keys: Keys of the Chinese sentences in valid and test, once all pairs are read.
        dropped: Number of dropped pairs by reason.
    """

    def __init__(
        self,
        source: Path,
        simple: Simplifier,
        cut: Callable[[str], list[str]],
        share: float,
    ) -> None:
        self._source, self._simple, self._cut, self._share = source, simple, cut, share
        # the keys of a dict are an ordered set: a pair that is repeated counts once
        self._held_out: dict[str, dict[tuple[str, str], None]] = {n: {} for n in HELD_OUT_FILES}
        self.chinese_keys: set[str] = set()
        self.dropped = {"empty": 0}

    def write_cuts(self, cuts: IO[str]) -> tuple[Counter[str], Counter[str]]:
        """Write the symbols of training pairs, a line each; return how often each symbol occurs."""
        english_counts, chinese_counts = _Counts(), _Counts()
        for english, chinese in self._clean():
            split = self._split(key(english))
            if split:
                self._held_out[split][english, chinese] = None
                continue
            sides = english_symbols(english), self._cut(chinese)
            cuts.write("\t".join(" ".join(side) for side in sides) + "\n")
            english_counts.add(sides[0])
            chinese_counts.add(sides[1])
        for pairs in self._held_out.values():
            self.chinese_keys |= {self._key(chinese) for _, chinese in pairs}
        return english_counts.counter, chinese_counts.counter

    def held_out(self, split: str) -> list[tuple[str, str]]:
        """Return the pairs of valid or test; test lacks pairs whose Chinese is in valid."""
        pairs = list(self._held_out[split])
        if split == "valid":
            return pairs
        in_valid = {self._key(chinese) for _, chinese in self._held_out["valid"]}
        return [pair for pair in pairs if self._key(pair[1]) not in in_valid]

    def _key(self, chinese: str) -> str:
        return key("".join(self._cut(chinese)))

    def _clean(self) -> Iterator[tuple[str, str]]:
        """Yield normalised pairs, and count the rows in which a side is empty."""
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
        """Return the held-out split of an English sentence, or "" for training."""
        digest = hashlib.blake2b(english_key.encode(), digest_size=8).digest()
        place = int.from_bytes(digest, "little") / 2**64
        return "valid" if place < self._share else "test" if place < 2 * self._share else ""


class _Counts:
    """Counts symbols in bounded memory, by forgetting those seen only once so far."""

    def __init__(self) -> None:
        self.counter: Counter[str] = Counter()
        self._limit = COUNTED_SYMBOLS

    def add(self, symbols: list[str]) -> None:
        self.counter.update(symbols)
        if len(self.counter) > self._limit:
            for symbol in [s for s, times in self.counter.items() if times == 1]:
                del self.counter[symbol]
            self._limit = max(COUNTED_SYMBOLS, 2 * len(self.counter))


def _write_held_out(folder: Path, reading: _FirstReading, source: Path) -> None:
    for split, file in HELD_OUT_FILES.items():
        pairs = reading.held_out(split)
        if not pairs:
            raise ValueError(f"{source} gives no pair for {split}; give a larger file")
        (folder / file).write_text("".join(f"{e}\t{c}\n" for e, c in pairs), encoding="utf-8")


def _write_vocabularies(folder: Path, vocabularies: dict[str, Vocabulary]) -> None:
    symbols = {side: vocabulary.symbols for side, vocabulary in vocabularies.items()}
    text = json.dumps(symbols, ensure_ascii=False)
    (folder / VOCABULARY_FILE).write_text(text, encoding="utf-8")


class _SideWriter:
    """Writes one language's ids, to the files STEM.ids (int32) and STEM.offsets (int64).

    Attributes:
        digest: A hash of everything written.
    """

    def __init__(self, stem: Path) -> None:
        self._files = [stem.with_name(stem.name + ending) for ending in (".ids", ".offsets")]
        self._opened = [file.open("wb") for file in self._files]
        self._ids: list[Ids] = []
        self._ends: list[int] = [0]
        self._buffered = self._total = self._count = self._longest = 0
        self._state = hashlib.blake2b(digest_size=16)

    def __len__(self) -> int:
        return self._count

    def add(self, ids: Ids) -> None:
        """Add one sentence, to be written when the buffer is full."""
        self._ids.append(ids)
        self._total += len(ids)
        self._buffered += len(ids)
        self._count += 1
        self._longest = max(self._longest, len(ids))
        self._ends.append(self._total)
        if self._buffered >= BUFFERED_IDS:
            self._flush()

    def _flush(self) -> None:
        ids = np.concatenate(self._ids) if self._ids else np.zeros(0, dtype=np.int32)
        ends = np.asarray(self._ends, dtype=np.int64)
        contents = ids.tobytes(), ends.tobytes()
        for file, content in zip(self._opened, contents, strict=True):
            self._state.update(content)
            file.write(content)
        self._ids, self._ends, self._buffered = [], [], 0

    def close(self) -> dict[str, Any]:
        """Write the rest; return longest and mean length, which would take minutes to read."""
        self._flush()
        for file in self._opened:
            file.close()
        return {"longest": self._longest, "mean": self._total / max(self._count, 1)}

    @property
    def digest(self) -> bytes:
        """The hash of all ids and offsets written so far."""
        return self._state.digest()


def _encode(
    cuts: IO[str],
    sides: dict[str, _SideWriter],
    vocabularies: dict[str, Vocabulary],
    held_out: set[str],
    longest: int,
) -> dict[str, int]:
    """Read the cut pairs, write their ids, and return how many pairs were dropped by reason."""
    dropped = {"too long": 0, "in valid or test": 0}
    for line in cuts:
        pair = [side.split(" ") for side in line.rstrip("\n").split("\t")]
        if max(map(len, pair)) > longest:
            dropped["too long"] += 1
        elif key("".join(pair[1])) in held_out:
            dropped["in valid or test"] += 1
        else:
            for side, symbols in zip(sides, pair, strict=True):
                sides[side].add(vocabularies[side].encode(symbols))
    return dropped


def _most_frequent(counts: Counter[str], most: int) -> Vocabulary:
    kept = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))[:most]
    return Vocabulary((*SPECIALS, UNKNOWN, *kept))


def _digest(folder: Path, sides: list[_SideWriter]) -> str:
    """Return the digest of a streamed corpus: of its ids, vocabularies and held-out texts."""
    state = hashlib.blake2b(digest_size=16)
    for side in sides:
        state.update(side.digest)
    for file in (VOCABULARY_FILE, *HELD_OUT_FILES.values()):
        state.update((folder / file).read_bytes())
    return state.hexdigest()
