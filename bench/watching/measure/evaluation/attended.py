"""Measures how much an evaluation attends to padding that training hides."""

from __future__ import annotations

from statistics import fmean

from torch import Tensor

from bench.watching.measure.attention import attention_seen, on_padding
from bench.watching.read.padded import padding_of
from bench.watching.read.passes import Pass, PassesOfEvaluation
from bench.watching.read.predictions import BETWEEN
from bench.watching.read.recording import Recording
from bench.watching.read.training import source_rows
from bench.watching.read.weighing import weighings
from results.doctor.watched.evaluation_facts import AttendedPadding


def attended_padding(seen: PassesOfEvaluation, recording: Recording) -> AttendedPadding | None:
    """Return the weight on padding in an evaluation, where attention hides it in training."""
    symbol, _ = source_rows([reading for _, reading in recording.readings])
    if symbol is None:
        return None
    found = [weight for one in seen[1] if (weight := _on_padding(one, symbol)) is not None]
    trained = attention_seen(recording) if found else None
    known = [] if trained is None else [w.padding for w in trained.last if w.padding is not None]
    # one that training lets see padding would be seen in the evaluation too
    if not known or any(known):
        return None
    return AttendedPadding(fmean(share for share, _ in found), found[-1][1])


def _on_padding(one: Pass, symbol: int) -> tuple[float, str] | None:
    """Return the largest mean weight that a pass puts on padding, and the line of that one."""
    ids = one.source[0].ids if len(one.source) == 1 else None
    if ids is None or ids.dim() != 2:
        return None
    # a softmax over the symbols that are chosen from is none of attention, however many there are
    scores = [one.tape.calls[choice.call].inputs[0] for choice in one.choices]
    chosen: set[int] = set().union(*(one.flow.moved_from(n, BETWEEN) for n in scores))
    calls = [one.tape.calls[index] for index in one.calls]
    wanted = {call.results[0] for call in calls if call.results} - chosen
    shares = []
    for found in weighings(one.flow, one.values, wanted, ()):
        share = _share(found.weights(one.values), found.axis, ids.cpu(), symbol)
        if share is not None:
            shares.append((share, str(found.place or "")))
    return max(shares, default=None)


def _share(weights: Tensor, axis: int, ids: Tensor, symbol: int) -> float | None:
    """Return the mean weight on padding, whichever axis of the symbols is that of the examples."""
    for ids_BJ in (ids, ids.t()):
        padded_BJ = padding_of(ids_BJ)
        if padded_BJ is None or bool((ids_BJ[padded_BJ] != symbol).any()):
            continue
        share = on_padding([weights], axis, padded_BJ)
        if share is not None:
            return share
    return None
