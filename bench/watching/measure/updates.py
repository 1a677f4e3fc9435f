"""Measures what becomes of the gradients: which parameters they reach, and what is applied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from statistics import median

import torch

from bench.watching.measure.constants import constants_seen
from bench.watching.measure.cuts import cuts_seen
from bench.watching.measure.parameters import KnownParameter, known_parameters
from bench.watching.read.finite import first_not_finite
from bench.watching.read.recording import Recording
from bench.watching.record.optimizers import BY_HAND, OptimizerSeen
from bench.watching.record.rounds import Round, RoundEvent
from results.doctor.watched.update_facts import (
    ClipSeen,
    NotFiniteSeen,
    OptimizerUse,
    ParameterSeen,
    UpdatesSeen,
)


def updates_seen(recording: Recording) -> UpdatesSeen | None:
    """Return what became of the gradients of a training; None if no backward pass was seen."""
    rounds = [one for one in recording.rounds if one.happened("backward")]
    if not rounds:
        return None
    known = known_parameters(recording, rounds)
    holders = _holders(recording)
    cuts, cosine = cuts_seen(recording, known)
    return UpdatesSeen(
        tuple(_parameter(one, holders.get(id(one.tensor))) for one in known.values()),
        tuple(_use(recording, seen, known) for seen in _living(recording.optimizers)),
        len(recording.optimizers),
        _cleared(rounds),
        _left_over(rounds[1:]),
        _clips(rounds),
        cuts,
        cosine,
        _not_finite(_with_bad_loss(recording, rounds)),
        constants_seen(rounds),
        recording.accuracy if recording.readings else 1.0,
    )


def _holders(recording: Recording) -> dict[int, OptimizerSeen]:
    """Return the optimizer of each parameter: one that steps before one that does not."""
    holders: dict[int, OptimizerSeen] = {}
    for seen in sorted(recording.optimizers, key=lambda seen: seen.steps > 0):
        holders.update({id(tensor): seen for tensor in seen.parameters})
    return holders


def _parameter(one: KnownParameter, holder: OptimizerSeen | None) -> ParameterSeen:
    return ParameterSeen(
        one.name,
        tuple(one.tensor.shape),
        one.part,
        one.embedding,
        one.registered,
        "" if holder is None else holder.name,
        0 if holder is None else holder.steps,
        max((norms.own for norms in one.norms), default=0.0),
        one.uncut,
        max((norms.applied or 0.0 for norms in one.norms), default=0.0),
        one.moved,
        one.first is not None,
        one.reaches,
        str(one.place or ""),
    )


def _living(optimizers: list[OptimizerSeen]) -> list[OptimizerSeen]:
    return [seen for seen in optimizers if seen.parameters][:8]


def _use(
    recording: Recording, seen: OptimizerSeen, known: dict[int, KnownParameter]
) -> OptimizerUse:
    used = [t for t in seen.parameters if id(t) in known and known[id(t)].first is not None]
    same = [
        other
        for other in recording.optimizers
        if other.kind == seen.kind and other.place == seen.place
    ]
    return OptimizerUse(
        seen.name,
        seen.kind,
        str(seen.place or ""),
        len(seen.parameters),
        len(used),
        seen.steps,
        seen.made_after,
        max((group.get("momentum", 0) or 0 for group in seen.groups), default=0) > 0
        or seen.kind != "SGD",
        len(same),
        sum(other.steps for other in same) / max(len(same), 1),
        seen.kind == BY_HAND,
    )


def _cleared(rounds: list[Round]) -> tuple[str, tuple[str, ...]]:
    """Return where gradients are cleared between the backward pass and the step, and whose."""
    where: Counter[str] = Counter()
    whose: Counter[str] = Counter()
    for one in rounds:
        place, lost = _cleared_in(one)
        if lost:
            where[place] += 1
            whose.update(lost)
    if sum(where.values()) * 2 <= len(rounds):
        return "", ()
    return where.most_common(1)[0][0], tuple(whose)


def _cleared_in(one: Round) -> tuple[str, list[str]]:
    """Return where a round clears gradients before its step, and those that are lost by it."""
    kinds = [event.kind for event in one.events]
    if "step" not in kinds or "backward" not in kinds:
        return "", []
    step, backward = (len(kinds) - 1 - kinds[::-1].index(kind) for kind in ("step", "backward"))
    between = [event for event in one.events[backward:step] if event.kind == "zero_grad"]
    if not between:
        return "", []
    lost = [k for k, n in one.norms.items() if n.own > 0 and n.update is not None and not n.applied]
    return str(between[0].place or ""), lost


def _left_over(rounds: Iterable[Round]) -> dict[str, float]:
    """Return the share of the applied gradients that earlier rounds left, by parameter.

    Only parameters for which that is so in most rounds are given.
    """
    shares: dict[str, list[float]] = {}
    for one in rounds:
        for name, norms in one.norms.items():
            if norms.applied and norms.own > 0:
                mixed = norms.cosine is not None and norms.cosine < 0.9999
                share = norms.left_over / norms.own if mixed else 0.0
                shares.setdefault(name, []).append(share)
    medians = {name: median(values) for name, values in shares.items()}
    return {name: share for name, share in medians.items() if share > 1e-2}


def _with_bad_loss(recording: Recording, rounds: list[Round]) -> list[Round]:
    """Return the rounds whose loss is no finite number."""
    losses = recording.curve.losses
    return [
        one
        for one in rounds
        if one.index < len(losses) and not abs(losses[one.index]) < float("inf")
    ]


def _clips(rounds: list[Round]) -> tuple[ClipSeen, ...]:
    found: dict[str, list[ClipSeen]] = {}
    for one in rounds:
        for event, after in _clip_events(one.events):
            stepped = {name: n for name, n in one.norms.items() if n.update is not None}
            whole = sum(n.own**2 for n in stepped.values()) ** 0.5
            if event.parameters:
                part = sum(n.own**2 for k, n in stepped.items() if k in event.parameters) ** 0.5
            else:
                part = whole
            applied = sum((n.applied or 0) ** 2 for n in stepped.values()) ** 0.5
            seen = ClipSeen(str(event.place or ""), event.limit, after, whole, part, applied)
            found.setdefault(seen.place, []).append(seen)
    return tuple(_typical(clips) for clips in found.values())


def _typical(clips: list[ClipSeen]) -> ClipSeen:
    return ClipSeen(
        clips[0].place,
        clips[0].limit,
        all(clip.after for clip in clips),
        median(clip.norm for clip in clips),
        median(clip.clipped for clip in clips),
        median(clip.applied for clip in clips),
    )


def _clip_events(events: list[RoundEvent]) -> Iterator[tuple[RoundEvent, bool]]:
    """Yield the clippings of a round, and whether the steps were taken before."""
    stepped = False
    for event in events:
        stepped = (stepped or event.kind == "step") and event.kind != "backward"
        if event.kind == "clip":
            yield event, stepped


def _not_finite(rounds: list[Round]) -> NotFiniteSeen | None:
    """Return the call by which the loss of a round becomes nan or infinite, if one does."""
    for one in rounds:
        for event in one.happened("backward"):
            found = None if event.number < 0 else first_not_finite(one.tape, event.number)
            if found is not None:
                call, given = found
                empty = given.dim() > 0 and bool(torch.isneginf(given).all(-1).any())
                place = str(call.place or "")
                return NotFiniteSeen(one.index, call.name, place, tuple(given.shape), empty)
    return None
