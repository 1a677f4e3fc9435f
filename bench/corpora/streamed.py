"""Prepares a corpus that is larger than memory, line by line, as ids on disk.

The text is read three times: once to count its lines and to see its script, once to cut it, count
symbols and draw valid and test, and once to write ids. Only the vocabulary, the held-out pairs and
a buffer are in memory.

Valid and test are drawn by a hash of the source sentence, so all pairs of one source sentence
are in one split. Training pairs whose target is in valid or test are dropped, so no sentence of
either language is in two splits. Duplicate training pairs are not looked for.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import IO, Any

import numpy as np

from bench.corpora.given import Held, about_files, held
from bench.corpora.parallel import (
    EMPTY,
    Given,
    Progress,
    Row,
    SampledLanguages,
    one_line,
    opened_split,
)
from bench.corpora.preparation import Prepared
from bench.corpora.publishing import published, write_about_whole
from tasks.parallel.languages import UNKNOWN_LANGUAGE, Languages, base_language, read_languages
from tasks.parallel.sides import Cutter, SideSettings
from tasks.parallel.stored import UNDIVIDED
from tasks.parallel.streamed import HELD_OUT, STREAMED_KIND, VOCABULARY_FILE, fixed_cutter
from tasks.ragged import Ids
from tasks.sentence_pairs import HELD_OUT_PAIRS, key
from tasks.vocabulary import SPECIALS, UNK, UNKNOWN, Vocabulary

STREAMED_VERSION = 2
"""Version of the preparation: increased when the same text would give another corpus."""
BUFFERED_IDS = 1_000_000
"""Number of ids that are held before they are written."""
COUNTED_SYMBOLS = 3_000_000
"""Number of symbols that are counted at once; beyond it, symbols seen only once are forgotten."""
FEWEST_LINES = 1_000
"""A smaller corpus fits into memory and is not streamed."""
LEAST_OFTEN = 2
"""A symbol that occurs fewer times in training is unknown, as in tasks that hold their corpus."""
TOO_LONG, LEAKED_TARGET = "too long", "its target stands in valid or test"


@dataclass(frozen=True)
class StreamOptions:
    """Holds what is decided when a streamed corpus is prepared.

    tokens: of the target, `default` for what its language decides. longest: the largest number of
    symbols of a training sentence, on either side. symbols: the largest number of symbols in the
    vocabulary of a side.
    """

    tokens: str = "default"
    longest: int = 50
    symbols: int = 50_000


def add_streamed(
    name: str,
    folder: Path,
    given: Given,
    options: StreamOptions,
    progress: Progress | None = None,
) -> Prepared:
    """Prepare parallel text as ids under a new name.

    Raises:
        ValueError: The file has too few lines, another form than it should, or leaves a split
            without pairs.
        FileNotFoundError: The file does not exist.
    """
    said = read_languages(given.languages) if given.languages else None
    progress = progress or (lambda lines: None)
    with published(name, folder) as fresh:
        scratch, number = fresh.parent, count()
        files = [held(path, scratch, next(number)) for path in given.splits[UNDIVIDED]]
        source = _Source(files, given, said)
        languages = source.look()
        sides = _sides(languages, options.tokens)
        cutters = {what: fixed_cutter(side, what) for what, side in sides.items()}
        cuts_file = scratch / "cut.jsonl"
        reading = _FirstReading(source, cutters, progress)
        with cuts_file.open("w", encoding="utf-8") as cuts:
            counts = reading.write_cuts(cuts)
        _write_held_out(fresh, reading, source.name)
        vocabularies = {
            what: _most_frequent(found, options.symbols)
            for what, found in zip(sides, counts, strict=True)
        }
        _write_vocabularies(fresh, vocabularies)
        writers = {what: _SideWriter(fresh / what) for what in vocabularies}
        with cuts_file.open(encoding="utf-8", newline="\n") as cuts:
            dropped = _encode(cuts, writers, vocabularies, reading.target_keys, options.longest)
        if not len(writers["source"]):
            raise ValueError(
                f"no training pair of {source.name} has at most {options.longest} symbols a side"
            )
        about = {
            "name": name,
            "kind": STREAMED_KIND,
            **about_files(files),
            "languages": list(languages),
            "pairs": len(writers["source"]),
            "dropped": {**reading.dropped, **dropped},
            "sides": {
                what: {"tokens": side.cut_into, "case": side.case, "normal": side.normal}
                for what, side in sides.items()
            },
            "longest": options.longest,
            "counts": {what: writer.close() for what, writer in writers.items()},
            "target": given.target,
            "preparation": STREAMED_VERSION,
        }
        # the digest covers what close() writes
        about["digest"] = _digest(fresh, list(writers.values()), languages, sides)
        about = write_about_whole(fresh, about)
    return Prepared(name, folder / name, about)


def _sides(languages: Languages, tokens: str) -> dict[str, SideSettings]:
    """Return how both sides are cut: English to Chinese as the task `en-zh` does."""
    from_english = base_language(languages.source) in ("en", UNKNOWN_LANGUAGE)
    if from_english and base_language(languages.target) == "zh":
        chinese = {"default": "han", "characters": "han", "words": "jieba"}.get(tokens, tokens)
        return {
            "source": SideSettings(languages.source, "treebank"),
            "target": SideSettings(languages.target, chinese, normal="simplified"),
        }
    return {
        "source": SideSettings(languages.source),
        "target": SideSettings(languages.target, tokens),
    }


class _Source:
    """The rows of the files, which can be read again and again.

    Attributes:
        share: The share of pairs that valid and test each get.
    """

    def __init__(self, files: Sequence[Held], given: Given, said: Languages | None) -> None:
        self._files, self._given, self._said = files, given, said
        self.name = ", ".join(str(one.given) for one in files)
        self.share = 0.0

    def rows(self) -> Iterator[Row]:
        return opened_split(UNDIVIDED, self._files, self._given.reading, self._said).rows

    def look(self) -> Languages:
        """Count the rows, and return the languages.

        Valid and test get 1,000 pairs each, at most a twentieth of all.
        """
        opened = opened_split(UNDIVIDED, self._files, self._given.reading, self._said)
        sampled = SampledLanguages(opened.told)
        lines = 0
        for row in opened.rows:
            sampled.see(row, lines)
            lines += 1
        if lines < FEWEST_LINES:
            raise ValueError(
                f"{self.name} has {lines} pairs; below {FEWEST_LINES} leave --streamed out, for "
                "they fit into memory"
            )
        self.share = min(HELD_OUT_PAIRS / lines, 1 / 20)
        return sampled.languages(self._said, self._given)


class _FirstReading:
    """Cuts all pairs, counts symbols, and collects valid and test.

    Attributes:
        target_keys: Keys of the target sentences in valid and test, once all pairs are read.
        dropped: Number of dropped pairs by reason.
    """

    def __init__(self, source: _Source, cutters: Mapping[str, Cutter], progress: Progress) -> None:
        self._source, self._cutters, self._progress = source, cutters, progress
        # the keys of a dict are an ordered set: a pair that is repeated counts once
        self._held_out: dict[str, dict[tuple[str, str], None]] = {n: {} for n in HELD_OUT}
        self.target_keys: set[str] = set()
        self.dropped = {EMPTY: 0}

    def write_cuts(self, cuts: IO[str]) -> tuple[Counter[str], Counter[str]]:
        """Write the symbols of training pairs, a line each; return how often each symbol occurs."""
        source_counts, target_counts = _Counts(), _Counts()
        source_cut, target_cut = (self._cutters[what].symbols for what in ("source", "target"))
        for source, target in self._whole():
            split = self._split(key(source))
            if split:
                self._held_out[split][source, target] = None
                continue
            sides = source_cut(source), target_cut(target)
            # a symbol may be a space or any other character
            cuts.write(json.dumps(sides, ensure_ascii=False) + "\n")
            source_counts.add(sides[0])
            target_counts.add(sides[1])
        for pairs in self._held_out.values():
            self.target_keys |= {self._key(target) for _, target in pairs}
        return source_counts.counter, target_counts.counter

    def held_out(self, split: str) -> list[tuple[str, str]]:
        """Return the pairs of valid or test; test lacks pairs whose target is in valid."""
        pairs = list(self._held_out[split])
        if split == "valid":
            return pairs
        in_valid = {self._key(target) for _, target in self._held_out["valid"]}
        return [pair for pair in pairs if self._key(pair[1]) not in in_valid]

    def _key(self, target: str) -> str:
        return key("".join(self._cutters["target"].symbols(target)))

    def _whole(self) -> Iterator[tuple[str, str]]:
        """Yield pairs as they were given, and count the rows in which a side is empty."""
        changed: Counter[str] = Counter()
        for number, row in enumerate(self._source.rows(), start=1):
            if number % 100_000 == 0:
                self._progress(number)
            source, target = (one_line(text, changed) for text in row[:2])
            if source.strip() and target.strip():
                yield source, target
            else:
                self.dropped[EMPTY] += 1

    def _split(self, source_key: str) -> str:
        """Return the held-out split of a source sentence, or "" for training."""
        digest = hashlib.blake2b(source_key.encode("utf-8", "surrogatepass"), digest_size=8)
        place = int.from_bytes(digest.digest(), "little") / 2**64
        share = self._source.share
        return "valid" if place < share else "test" if place < 2 * share else ""


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


def _write_held_out(folder: Path, reading: _FirstReading, source: str) -> None:
    for split in HELD_OUT:
        pairs = reading.held_out(split)
        if not pairs:
            raise ValueError(f"{source} gives no pair for {split}; give a larger file")
        for place, side in enumerate(("source", "target")):
            text = "".join(pair[place] + "\n" for pair in pairs)
            (folder / f"{split}.{side}").write_bytes(text.encode("utf-8"))


def _write_vocabularies(folder: Path, vocabularies: Mapping[str, Vocabulary]) -> None:
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
        self._buffered = self._total = self._count = self._unknown = 0
        self._lengths: Counter[int] = Counter()
        self._state = hashlib.blake2b(digest_size=16)

    def __len__(self) -> int:
        return self._count

    def add(self, ids: Ids) -> None:
        """Add one sentence, to be written when the buffer is full."""
        self._ids.append(ids)
        self._total += len(ids)
        self._buffered += len(ids)
        self._count += 1
        self._unknown += int(np.count_nonzero(ids == UNK))
        self._lengths[len(ids)] += 1
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
        """Write the rest; return the counts of SideCounts, which would take minutes to read."""
        self._flush()
        for file in self._opened:
            file.close()
        within, most = 0, 0
        for length in sorted(self._lengths):
            within, most = within + self._lengths[length], length
            if within >= 0.99 * self._count:
                break
        return {
            "symbols": self._total,
            "unknown": self._unknown / max(self._total, 1),
            "mean": self._total / max(self._count, 1),
            "most": most,
            "longest": max(self._lengths, default=0),
        }

    @property
    def digest(self) -> bytes:
        """The hash of all ids and offsets written so far."""
        return self._state.digest()


def _encode(
    cuts: IO[str],
    sides: Mapping[str, _SideWriter],
    vocabularies: Mapping[str, Vocabulary],
    held_out: set[str],
    longest: int,
) -> dict[str, int]:
    """Read the cut pairs, write their ids, and return how many pairs were dropped by reason."""
    dropped = {TOO_LONG: 0, LEAKED_TARGET: 0}
    for line in cuts:
        pair: list[list[str]] = json.loads(line)
        if max(map(len, pair)) > longest:
            dropped[TOO_LONG] += 1
        elif key("".join(pair[1])) in held_out:
            dropped[LEAKED_TARGET] += 1
        else:
            for side, symbols in zip(sides, pair, strict=True):
                sides[side].add(vocabularies[side].encode(symbols or [UNKNOWN]))
    return dropped


def _most_frequent(counts: Counter[str], most: int) -> Vocabulary:
    often = (symbol for symbol, times in counts.items() if times >= LEAST_OFTEN)
    kept = sorted(often, key=lambda symbol: (-counts[symbol], symbol))[:most]
    return Vocabulary((*SPECIALS, UNKNOWN, *kept))


def _digest(
    folder: Path,
    writers: Sequence[_SideWriter],
    languages: Languages,
    sides: Mapping[str, SideSettings],
) -> str:
    """Return the digest of a streamed corpus: of ids, vocabularies, held-out texts and settings."""
    state = hashlib.blake2b(repr((languages, sides)).encode(), digest_size=16)
    for writer in writers:
        state.update(writer.digest)
    texts = [f"{split}.{side}" for split in HELD_OUT for side in ("source", "target")]
    for file in (VOCABULARY_FILE, *texts):
        state.update((folder / file).read_bytes())
    return state.hexdigest()
