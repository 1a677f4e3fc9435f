"""Measures evaluations: the mode they ran in, what they fed back, what they compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import fmean

import torch
from torch import Tensor

from bench.watching.measure.evaluation.attended import attended_padding
from bench.watching.measure.evaluation.counted import padded
from bench.watching.measure.evaluation.ending import compares_end
from bench.watching.measure.evaluation.handed import handed_ids, renamed_ids
from bench.watching.measure.evaluation.sources import other_sources, sources_of
from bench.watching.measure.evaluation.switched import dropout_off, running_statistics
from bench.watching.measure.evaluation.weights import other_weights
from bench.watching.measure.vocabulary import misread_ids
from bench.watching.read.dividing import passes
from bench.watching.read.entries import Lookup
from bench.watching.read.passes import ChosenSymbols, Pass, PassesOfEvaluation
from bench.watching.read.recording import Recording
from bench.watching.read.training import Habits, habits
from bench.watching.record.replaying import Change
from results.doctor.watched.evaluation_facts import (
    EvaluationsSeen,
    FirstEnds,
    ForcedPasses,
    OtherIds,
    OtherStart,
    Overrun,
    SameFed,
    TooShort,
)

MOST = 0.9
"""Share of symbols that must be fed back in the same way."""
FEWEST_FED = 4
"""Steps without which a pass does not show whether a state is carried."""
FEWEST_PASSES = 3
"""Fewer passes may be long by chance."""
FEWEST_ANSWERS = 10
"""Fewer answers may lack an end by chance."""
MOST_PASSES = 40
"""Passes of one evaluation that are looked at."""


def evaluations_seen(recording: Recording) -> EvaluationsSeen | None:
    """Return what was seen of the evaluations after training had begun."""
    trained = habits(recording)
    seen = []
    for evaluation in recording.evaluations:
        if evaluation.after > 0:
            found = passes(evaluation.tape, evaluation.names, trained.sides)
            seen.append((evaluation, [one for one in found if one.choices][:MOST_PASSES]))
    seen = [(evaluation, found) for evaluation, found in seen if found]
    if not seen:
        return None
    every = [one for _, found in seen for one in found]
    free = [one for one in every if one.decoder and set(one.fed) == {"own"}]
    return EvaluationsSeen(
        passes=len(every),
        free=len(free),
        forced=_forced(every),
        dropout=dropout_off(seen),
        batch_norm=running_statistics(seen),
        start=_start(seen, trained),
        state_lost=_state_lost(free, trained),
        padded=padded(seen[-1], trained),
        ids=_ids(free, trained),
        overrun=_overrun(free, trained),
        same_fed=_same_fed(every, trained),
        too_short=_too_short(seen[-1][1], trained),
        first_ends=_first_ends(seen[-1][1], trained),
        handed=handed_ids(seen[-1], trained),
        renamed=renamed_ids(seen[-1]),
        misread=misread_ids(seen[-1], recording),
        fewest_steps=_fewest_steps(free),
        sources=other_sources(seen[-1], recording, trained.sides),
        attended=attended_padding(seen[-1], recording),
        weights=other_weights(seen[-1], recording),
    )


def _fewest_steps(free: list[Pass]) -> int | None:
    steps = [len(one.choices) for one in free if one.by_steps]
    return min(steps) if len(steps) >= FEWEST_PASSES else None


def _forced(every: list[Pass]) -> ForcedPasses | None:
    found = [one for one in every if "reference" in one.fed]
    if not found:
        return None
    shares = [one.fed.count("reference") / len(one.fed) for one in found]
    where = found[-1].decoder[-1].place
    return ForcedPasses(len(found), sum(shares) / len(shares), str(where or ""))


def _firsts(found: list[Pass]) -> Iterator[tuple[Pass, Lookup, Tensor]]:
    """Yield the first symbols that the decoder is fed in each pass."""
    for one in found:
        entry = one.decoder[0] if one.decoder else None
        if entry is None or entry.ids is None:
            continue
        # where a choice comes before it, the first symbol has entered in a way that is not seen
        begins = one.chosen_before(entry) is None
        if len(one.decoder) > 1 and one.fed[0] == "own" and begins:
            yield one, entry, entry.ids.reshape(-1)


def _start(seen: list[PassesOfEvaluation], trained: Habits) -> OtherStart | None:
    if trained.start is None:
        return None
    fed: set[int] = set()
    changed = asked = 0
    place = ""
    for one, entry, ids in _firsts(seen[-1][1]):
        if bool((ids == trained.start).any()):
            return None
        fed.update(int(i) for i in ids.tolist())
        place = str(entry.place or "")
        if asked < 500:
            new = _with_first(one, entry, trained.start)
            changed += sum(int((c.among(new) != c.ids).sum()) for c in one.choices)
            asked += sum(c.ids.numel() for c in one.choices)
    if not fed:
        return None
    share = changed / asked if asked else None
    return OtherStart(trained.start, tuple(sorted(fed)), share, place)


def _with_first(one: Pass, entry: Lookup, symbol: int) -> dict[int, Tensor]:
    def change(value: Tensor) -> Tensor:
        if entry.weight < 0:
            hot = torch.zeros(value.shape[-1]).to(value)
            hot[min(symbol, len(hot) - 1)] = 1
            return hot.expand_as(value).clone()
        return one.values[entry.weight][symbol].expand_as(value).clone()

    return one.tape.replay({entry.key: change}, stop=one.choices[-1].call + 1)


def _state_lost(free: list[Pass], trained: Habits) -> str | None:
    """Return where a decoder is called without its state, if it has one in training."""
    if not trained.carries:
        return None
    long = [one for one in free if len(one.decoder) >= FEWEST_FED]
    asked = [one for one in long if one.by_steps or _grows(one)][:3]
    lost = [(_lost if one.by_steps else _forgets_prefix)(one) for one in asked]
    places = [place for place in lost if place is not None]
    return places[0] if places and len(places) == len(asked) else None


def _grows(one: Pass) -> bool:
    """Return whether each step is fed all symbols so far, of shape (B, step)."""
    sizes = [entry.ids.numel() if entry.ids is not None else 0 for entry in one.decoder]
    return sizes == [sizes[0] * step for step in range(1, len(sizes) + 1)]


def _forgets_prefix(one: Pass) -> str | None:
    """Return the line of a decoder that is fed a prefix and reads nothing of it but its end."""
    entry = one.decoder[FEWEST_FED - 1]
    choice = one.chosen_after(entry)
    axes = [a for a, size in enumerate(entry.shape) if size == FEWEST_FED]
    if choice is None or len(entry.shape) != 2 or not axes:
        return None
    recorded = one.values[entry.number]
    noisy = _noise(recorded)
    last = torch.arange(FEWEST_FED) == FEWEST_FED - 1
    last = last.to(recorded.device).view(-1, *[1] * (recorded.dim() - axes[-1] - 1))
    earlier = {other.key: _noise for other in one.decoder[: FEWEST_FED - 1]}
    stop = choice.call + 1
    before = one.tape.replay(
        {**earlier, entry.key: _pinned(torch.where(last, recorded, noisy))}, stop=stop
    )
    end = one.tape.replay({entry.key: _pinned(torch.where(last, noisy, recorded))}, stop=stop)
    kept = _moved(one, choice, before) or not _moved(one, choice, end)
    return None if kept else str(entry.place or "")


def _lost(one: Pass) -> str | None:
    second, third = one.decoder[1], one.decoder[2]
    last = one.choices[min(len(one.choices), 5) - 1]
    own = one.chosen_after(second)
    if own is None or not _followed(one, last):
        return None
    later = [c for c in one.choices if third.at < c.call <= last.call]
    changes = {entry.key: _pinned(one.values[entry.number]) for entry in one.decoder[2:]}
    new = one.tape.replay({**changes, second.key: _noise}, stop=last.call + 1)
    if not later or not _moved(one, own, new):
        return None
    # where a state is passed on and nothing moves, units are at their limits
    kept = any(_reaches(one, second, c) or _moved(one, c, new) for c in later)
    return None if kept else str(third.place or "")


def _followed(one: Pass, last: ChosenSymbols) -> bool:
    """Return whether the tape has all that the steps up to a choice are computed from."""
    written_anew = any(entry.call >= 0 and not entry.made for entry in one.decoder)
    if written_anew or last.call < one.decoder[2].at:
        return False
    return not _brought_in(one, one.decoder[1].at, last.call)


def _noise(value: Tensor) -> Tensor:
    spread = value.float().std().clamp_min(0.1)
    generator = torch.Generator().manual_seed(0)
    return value + torch.randn(value.shape, generator=generator).to(value) * spread


def _reaches(one: Pass, entry: Lookup, choice: ChosenSymbols) -> bool:
    """Return whether a choice is computed from an entry, by another way than chosen symbols."""
    taken = {other.number for other in one.decoder} - {entry.number} | one.tape.whole
    seen, todo = {choice.number}, list(one.tape.calls[choice.call].inputs[:1])
    while todo:
        number = todo.pop()
        if number == entry.number:
            return True
        if number not in taken and number not in seen:
            seen.add(number)
            todo.extend(one.flow.sources(number))
    return False


def _pinned(recorded: Tensor) -> Change:
    return lambda value: recorded


def _moved(one: Pass, choice: ChosenSymbols, new: Mapping[int, Tensor]) -> bool:
    number = one.tape.calls[choice.call].inputs[0]
    old = one.values[number].float()
    return bool(((new[number].float() - old).abs() > 1e-5 * old.std().clamp_min(1e-30)).any())


def _brought_in(one: Pass, begin: int, end: int) -> bool:
    """Return whether data that the tape cannot follow comes in between two calls."""
    calls = one.tape.calls
    known = {n for call in calls[: begin + 1] for n in call.inputs}
    known.update(entry.number for entry in one.decoder)
    for call in calls[begin + 1 : end]:
        for number in call.inputs:
            root = one.tape.roots.get(number)
            if root is not None and not root.parameter and number not in known:
                value = one.values[number]
                if value.is_floating_point() and value.numel() > 1:
                    return True
    return False


def _ids(free: list[Pass], trained: Habits) -> OtherIds | None:
    """Return the offset with which choices are fed back, if it differs from that of training."""
    if trained.offset is None:
        return None
    found: list[int] = []
    for one in free:
        if not one.by_steps:
            return None
        for entry in one.decoder[1:]:
            choice = one.chosen_before(entry)
            if choice is not None and entry.ids is not None:
                difference = entry.ids.reshape(-1) - choice.ids.reshape(-1)
                found.extend(difference.tolist())
    fed = max(set(found), key=found.count, default=trained.offset)
    if len(found) < 3 or found.count(fed) < MOST * len(found) or fed == trained.offset:
        return None
    return OtherIds(trained.offset, fed, str(free[-1].decoder[-1].place or ""))


def _overrun(free: list[Pass], trained: Habits) -> Overrun | None:
    """Return how far decoding goes on behind the end symbol, when it is one example at a time."""
    if trained.end is None:
        return None
    behind = []
    for one in free:
        if not one.by_steps or one.choices[0].ids.numel() != 1:
            return None
        ids = [int(choice.ids) for choice in one.choices]
        if trained.end in ids:
            behind.append(len(ids) - 1 - ids.index(trained.end))
    if len(behind) < FEWEST_PASSES or min(behind) < 1:
        return None
    files = {entry.place.file for one in free for entry in one.decoder if entry.place is not None}
    mean = sum(behind) / len(behind)
    place = str(free[-1].decoder[-1].place or "")
    return Overrun(trained.end, mean, compares_end(files, trained.end), place)


def _same_fed(every: list[Pass], trained: Habits) -> SameFed | None:
    """Return whether each example of every pass is fed the same at every step after the first.

    Training feeds several symbols.
    """
    found: list[float] = []
    symbols: set[int] = set()
    place = ""
    # passes that choose all at once are fed the reference, and short ones show little
    for one in (one for one in every if len(one.choices) >= FEWEST_FED):
        fed_TB = _fed_steps(one)
        if fed_TB is None or bool((fed_TB != fed_TB[0]).any()):
            return None
        chosen_TB = torch.stack([choice.ids.reshape(-1) for choice in one.choices])
        # the last choice is fed to no step
        found.append(float((chosen_TB[:-1] != fed_TB[0]).double().mean()))
        symbols.update(fed_TB[0].tolist())
        place = str(one.decoder[-1].place or "")
    if not trained.fed_varies or not found:
        return None
    same = symbols.pop() if len(symbols) == 1 else None
    return SameFed(same, fmean(found), place)


def _fed_steps(one: Pass) -> Tensor | None:
    """Return what a pass feeds at each step after the first, (T, B); None if that is not known."""
    rows = {choice.ids.numel() for choice in one.choices}
    entries = one.decoder
    if len(rows) != 1 or not entries:
        return None
    if one.one_for_all and entries[0].ids is not None:
        return entries[0].ids.reshape(1, -1).expand(len(one.choices), -1)
    steps = [entry.ids.reshape(-1) for entry in entries if entry.ids is not None]
    if not one.by_steps or len(steps) < FEWEST_FED:
        return None
    return torch.stack(steps[1:])


def _too_short(last: list[Pass], trained: Habits) -> TooShort | None:
    """Return after how many steps the passes of the last evaluation stop without an end."""
    if trained.end is None:
        return None
    steps, rows, ended = set(), 0, 0
    for one in last:
        if not one.by_steps:
            return None
        chosen_TB = torch.stack([choice.ids.reshape(-1) for choice in one.choices])
        ends_B = (chosen_TB == trained.end).any(0)
        rows, ended = rows + len(ends_B), ended + int(ends_B.sum())
        if not bool(ends_B.all()):
            steps.add(len(chosen_TB))
    if len(steps) != 1 or rows < FEWEST_ANSWERS:
        return None
    limit = steps.pop()
    longer = sum(length > limit for length in trained.lengths) / len(trained.lengths)
    place = last[-1].tape.calls[last[-1].choices[-1].call].place
    return TooShort(limit, 1 - ended / rows, longer, str(place or ""))


def _first_ends(last: list[Pass], trained: Habits) -> FirstEnds | None:
    """Return how many answers have no end, if each pass stops when one of its examples has one."""
    if trained.end is None or len(set(trained.lengths)) < 2:
        return None
    found, rows, ended = 0, 0, 0
    for one in last:
        if not one.by_steps:
            return None
        chosen_TB = torch.stack([choice.ids.reshape(-1) for choice in one.choices])
        # one answer, or several beams of one
        if len(set(sources_of(one))) < 2:
            continue
        ends_TB = chosen_TB == trained.end
        if bool(ends_TB[:-1].any()) or not bool(ends_TB[-1].any()):
            return None
        found, rows = found + 1, rows + chosen_TB.shape[1]
        ended += int(ends_TB[-1].sum())
    if rows < FEWEST_ANSWERS:
        return None
    place = last[-1].tape.calls[last[-1].choices[-1].call].place
    return FirstEnds(found, 1 - ended / rows, str(place or ""))
