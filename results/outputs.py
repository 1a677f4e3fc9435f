"""Writes all outputs of a run on its scored splits as bytes, and reads them back.

A header of one line of JSON names arrays, whose bytes follow in its order:

    {"format": 1, "splits": {"test": {"examples": N, "arrays": [[name, type, shape], ...]}}}

Arrays are `lengths I` and `ids I` for target stream I (ids end to end), `ended` (N; whether an
output stopped before the limit), and `statistics NAME` (K, N): the counts of each example that the
score NAME is computed from. Numbers are unsigned, as narrow as their largest one allows, and those
of several bytes lie byte by byte, which packs better.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
"""Counts of each example (N, K), see the statistics of a task."""
FORMAT = 1
"""Version of the form of kept outputs."""
TYPES = ("u1", "u2", "u4", "u8")
"""Types of numbers, the narrowest first."""


class SplitOutputs(NamedTuple):
    """The outputs of a run on one split.

    streams: per target stream, the ids of each example without bos and eos. ended: whether each
    output stopped before the limit (N,). statistics: counts of each example by a score's name.
    """

    streams: list[list[npt.NDArray[np.int32]]]
    ended: npt.NDArray[np.bool_]
    statistics: dict[str, Counts]

    @property
    def examples(self) -> int:
        """Return the number of examples."""
        return len(self.ended)


KeptOutputs = Mapping[str, SplitOutputs]
"""The outputs of a run by the name of the split."""


def encode(outputs: KeptOutputs) -> bytes:
    """Return outputs as bytes; ValueError for statistics that are no counts of each example."""
    header: dict[str, Any] = {"format": FORMAT, "splits": {}}
    content: list[bytes] = []
    for split, kept in outputs.items():
        arrays = []
        for name, values in _arrays(split, kept):
            kind = _narrowest(name, values)
            arrays.append([name, kind, list(values.shape)])
            content.append(_bytes(values, kind))
        header["splits"][split] = {"examples": len(kept.ended), "arrays": arrays}
    return json.dumps(header).encode() + b"\n" + b"".join(content)


def _arrays(split: str, kept: SplitOutputs) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    for place, rows in enumerate(kept.streams):
        yield f"lengths {place}", np.array([len(row) for row in rows], dtype=np.int64)
        yield f"ids {place}", np.concatenate([np.zeros(0, dtype=np.int32), *rows])
    yield "ended", np.asarray(kept.ended, dtype=np.int64)
    for name, counts in kept.statistics.items():
        values = np.asarray(counts)
        if values.ndim != 2 or len(values) != len(kept.ended):
            raise ValueError(
                f"the statistics of {name} on {split} have the shape {values.shape}; give a row of "
                f"counts for each of the {len(kept.ended)} examples"
            )
        yield f"statistics {name}", values.T


def _narrowest(name: str, values: npt.NDArray[Any]) -> str:
    """Return the narrowest type that holds all values; ValueError if they are no counts."""
    if values.dtype.kind not in "iu" or (values.size and int(values.min()) < 0):
        raise ValueError(f"{name} holds more than whole numbers from 0 on; give counts")
    most = int(values.max()) if values.size else 0
    return next(kind for kind in TYPES if most <= np.iinfo(kind).max)


def _bytes(values: npt.NDArray[Any], kind: str) -> bytes:
    """Return all lowest bytes, then all second ones, and so on."""
    flat = np.ascontiguousarray(values, dtype=f"<{kind}").reshape(-1)
    return flat.view(np.uint8).reshape(len(flat), np.dtype(kind).itemsize).T.tobytes()


def decode(content: bytes) -> dict[str, SplitOutputs]:
    """Return what `encode` wrote; ValueError for anything else."""
    line, _, rest = content.partition(b"\n")
    try:
        header = json.loads(line)
        if header["format"] != FORMAT:
            raise ValueError(
                f"these outputs have the form {header['format']}; update seq2seq-bench"
            )
        reader = _Reader(rest)
        found = {str(n): _split(split, reader) for n, split in header["splits"].items()}
    except (KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(f"these are no outputs ({error!r})") from error
    if reader.place != len(rest):
        raise ValueError("something follows the outputs")
    return found


class _Reader:
    """Reads arrays one after another. place: where the next one begins."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.place = 0

    def array(self, kind: str, shape: Sequence[int]) -> npt.NDArray[np.int64]:
        """Return the next array; ValueError if there are too few bytes for it."""
        if kind not in TYPES or any(not isinstance(n, int) or n < 0 for n in shape):
            raise ValueError(f"there are no arrays of {kind!r} {shape!r}")
        width, count = np.dtype(kind).itemsize, math.prod(shape)
        end = self.place + width * count
        if end > len(self.content):
            raise ValueError("the outputs are cut")
        planes = np.frombuffer(self.content[self.place : end], dtype=np.uint8)
        self.place = end
        flat = np.ascontiguousarray(planes.reshape(width, count).T).view(f"<{kind}")
        return flat.reshape(shape).astype(np.int64)


def _cut(
    ids: npt.NDArray[Any], lengths: npt.NDArray[Any], count: int
) -> list[npt.NDArray[np.int32]]:
    """Return the ids of each example, of all ids in a row; count: examples."""
    if len(lengths) != count or int(lengths.sum()) != len(ids):
        raise ValueError("lengths and ids do not belong together")
    return np.split(ids.astype(np.int32), np.cumsum(lengths)[:-1]) if count else []


def _split(split: Mapping[str, Any], reader: _Reader) -> SplitOutputs:
    arrays = {str(name): reader.array(kind, shape) for name, kind, shape in split["arrays"]}
    count = split["examples"]
    sequences = sum(name.startswith("ids ") for name in arrays)
    streams = [
        _cut(arrays[f"ids {place}"], arrays[f"lengths {place}"], count)
        for place in range(sequences)
    ]
    statistics = {
        name.removeprefix("statistics "): counts.T
        for name, counts in arrays.items()
        if name.startswith("statistics ")
    }
    ended = arrays["ended"].astype(bool)
    if any(len(rows) != count for rows in (ended, *statistics.values())):
        raise ValueError("there is not one row for each example")
    return SplitOutputs(streams, ended, statistics)
