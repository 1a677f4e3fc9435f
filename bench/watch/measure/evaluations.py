"""Measures evaluations: the mode they ran in, what they fed back, what they compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

from bench.watch.measure.ending import compares_end
from bench.watch.read.entries import Lookup
from bench.watch.read.passes import ChosenSymbols, Pass, passes
from bench.watch.read.recording import Recording
from bench.watch.read.training import Habits, habits
from bench.watch.record.rounds import EvaluationCalls
from bench.watch.record.tape import Call, Change
from results.doctor.watched.evaluations import (
    EvaluationsSeen,
    ForcedPasses,
    OtherIds,
    OtherStart,
    Overrun,
    Padded,
    Switched,
)

SEQUENCE_LAYERS = frozenset("gru lstm rnn_tanh rnn_relu".split())
DROPOUTS = frozenset("dropout dropout_ feature_dropout alpha_dropout dropout1d dropout2d".split())
EQUAL = frozenset("eq __eq__ ne __ne__ equal".split())
MASKING = frozenset(
    "mul __mul__ __rmul__ __and__ logical_and masked_select __getitem__ where masked_fill __or__ "
    "logical_or __iand__ mul_ bitwise_and masked_fill_ dot matmul".split()
)
PASSING = frozenset(
    "float double long int to type bool view reshape __invert__ logical_not squeeze flatten".split()
)
MOST = 0.9
"""Share of symbols that must be fed back in the same way."""
MOST_PASSES = 40
"""Passes of one evaluation that are looked at."""

PassesOfEvaluation = tuple[EvaluationCalls, list[Pass]]


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
        dropout=_dropout(seen),
        batch_norm=_batch_norm(seen),
        start=_start(seen, trained),
        state_lost=_state_lost(free, trained),
        padded=_padded(seen[-1], trained),
        ids=_ids(free, trained),
        overrun=_overrun(free, trained),
    )


def _forced(every: list[Pass]) -> ForcedPasses | None:
    found = [one for one in every if "reference" in one.fed]
    if not found:
        return None
    shares = [one.fed.count("reference") / len(one.fed) for one in found]
    where = found[-1].decoder[-1].place
    return ForcedPasses(len(found), sum(shares) / len(shares), str(where or ""))


# what a pass gives with something switched off


def argument(call: Call, name: str, position: int) -> object:
    """Return an argument of a call, given by name or by position; None if neither."""
    args, kwargs = call.arguments()
    return kwargs.get(name, args[position] if len(args) > position else None)


def active_dropout(call: Call) -> float:
    """Return the probability with which a call drops values; 0 if it is not in train mode."""
    if call.name in DROPOUTS:
        p, training = argument(call, "p", 1), argument(call, "training", 2)
        if training is None:
            training = argument(call, "train", 2)
        if p is None:
            p = 0.5
        # torch.nn.functional.dropout drops unless it is told otherwise
        return float(p) if training in (True, None) and isinstance(p, int | float) else 0.0
    if call.name in SEQUENCE_LAYERS:
        where = _recurrent_dropout(call)
        args = call.arguments()[0]
        if where is not None and args[where - 1] > 1 and args[where + 1]:
            return float(args[where])
    return 0.0


def _recurrent_dropout(call: Call) -> int | None:
    """Return the position of the dropout of a recurrent layer: after its number of layers."""
    args = call.arguments()[0]
    for index in range(1, len(args) - 1):
        kinds = [type(args[index + k]) for k in (-2, -1, 0, 1)] if index > 1 else []
        if len(kinds) == 4 and kinds[:2] == [bool, int] and kinds[3] is bool:
            return index
    return None


def _off(call: Call) -> Call:
    """Return the call without dropout."""
    args, kwargs = call.arguments()
    changed = list(args)
    if call.name in SEQUENCE_LAYERS:
        where = _recurrent_dropout(call)
        assert where is not None
        changed[where] = 0.0
    elif len(changed) > 1:
        changed[1] = 0.0
    else:
        kwargs = {**kwargs, "p": 0.0}
    return _with(call, tuple(changed), kwargs)


def _with(call: Call, args: tuple[object, ...], kwargs: dict[str, object]) -> Call:
    leaves, structure = tree_flatten((args, kwargs))
    return dataclasses.replace(call, leaves=leaves, structure=structure)


def _batch_norms(call: Call) -> bool:
    return (
        call.name == "batch_norm"
        and argument(call, "training", 5) is True
        and argument(call, "running_mean", 1) is not None
    )


def _running(call: Call) -> Call:
    """Return a call of batch norm that uses the running statistics."""
    args, kwargs = call.arguments()
    if len(args) > 5:
        return _with(call, (*args[:5], False, *args[6:]), kwargs)
    return _with(call, args, {**kwargs, "training": False})


def _switched(
    one: PassesOfEvaluation, concerned: Callable[[Call], bool], off: Callable[[Call], Call]
) -> Switched | None:
    """Compare the choices of an evaluation with those after some calls were changed."""
    evaluation, found = one
    calls = evaluation.tape.calls
    hits = [index for index, call in enumerate(calls) if concerned(call)]
    if not hits:
        return None
    changed = [off(call) if concerned(call) else call for call in calls]
    other = dataclasses.replace(evaluation.tape, calls=changed).replay()
    differ = symbols = examples = rows = 0
    for this in found:
        parts = [(c.ids != other[c.number]).reshape(-1) for c in this.choices]
        differ += sum(int(part.sum()) for part in parts)
        symbols += sum(len(part) for part in parts)
        if len({len(part) for part in parts}) == 1 and len(parts) > 1:
            examples += int(torch.stack(parts).any(0).sum())
            rows += len(parts[0])
    place = calls[hits[0]].place
    return Switched(
        differ / max(symbols, 1),
        examples / rows if rows >= 20 else 0.0,
        symbols,
        str(place or ""),
        _rate(calls[index] for index in hits),
    )


def _rate(calls: Iterable[Call]) -> str:
    return f" of {max((active_dropout(call) for call in calls), default=0.0):g}"


def _dropout(seen: list[PassesOfEvaluation]) -> Switched | None:
    if not _everywhere(seen[-1], lambda call: active_dropout(call) > 0):
        return None
    return _switched(seen[-1], lambda call: active_dropout(call) > 0, _off)


def _batch_norm(seen: list[PassesOfEvaluation]) -> Switched | None:
    if not _everywhere(seen[-1], _batch_norms):
        return None
    return _switched(seen[-1], _batch_norms, _running)


def _everywhere(one: PassesOfEvaluation, concerned: Callable[[Call], bool]) -> bool:
    """Return whether a kind of call is in every pass."""
    calls = one[0].tape.calls
    return all(any(concerned(calls[index]) for index in this.calls) for this in one[1])


# what is fed


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
    place, unknown = "", False
    for one, entry, ids in _firsts(seen[-1][1]):
        if bool((ids == trained.start).any()):
            return None
        fed.update(int(i) for i in ids.tolist())
        place = str(entry.place or "")
        if entry.weight < 0 or entry.call < 0:
            unknown = True
            continue
        if asked < 500:
            new = _with_first(one, entry, trained.start)
            changed += sum(int((new[c.number] != c.ids).sum()) for c in one.choices)
            asked += sum(c.ids.numel() for c in one.choices)
    if not fed:
        return None
    share = changed / asked if asked and not unknown else None
    return OtherStart(trained.start, tuple(sorted(fed)), share, place)


def _with_first(one: Pass, entry: Lookup, symbol: int) -> dict[int, Tensor]:
    weight = one.values[entry.weight]

    def change(value: Tensor) -> Tensor:
        return weight[symbol].expand_as(value).clone()

    return one.tape.replay({(entry.call, entry.number): change}, stop=one.choices[-1].call + 1)


def _state_lost(free: list[Pass], trained: Habits) -> str | None:
    """Return where a decoder is called without its state, if it has one in training."""
    if not trained.carries:
        return None
    places = [place for one in free[:3] if (place := _lost(one)) is not None]
    return places[0] if places and len(places) == len(free[:3]) else None


def _lost(one: Pass) -> str | None:
    if not one.by_steps or len(one.decoder) < 4:
        return None
    second, third = one.decoder[1], one.decoder[2]
    last = one.choices[min(len(one.choices), 5) - 1]
    if second.call < 0 or last.call < third.call or _brought_in(one, second.call, last.call):
        return None

    def noise(value: Tensor) -> Tensor:
        spread = value.float().std().clamp_min(0.1)
        generator = torch.Generator().manual_seed(0)
        return value + torch.randn(value.shape, generator=generator).to(value) * spread

    changes: dict[tuple[int, int], Change] = {(second.call, second.number): noise}
    for entry in one.decoder[2:]:
        if entry.call >= 0:
            changes[entry.call, entry.number] = _pinned(one.values[entry.number])
    new = one.tape.replay(changes, stop=last.call + 1)
    later = [c for c in one.choices if third.call < c.call <= last.call]
    own = one.chosen_after(second)
    if own is None or not later or not _moved(one, own, new):
        return None
    return None if any(_moved(one, c, new) for c in later) else str(third.place or "")


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


# what is counted


def _padded(one: PassesOfEvaluation, trained: Habits) -> Padded | None:
    found = one[1]
    flow, values = found[0].flow, found[0].values
    chosen = {choice.number for this in found for choice in this.choices}
    positions = padding = equal = real = rows = rows_equal = rows_real = 0
    exact = False
    place = ""
    symbol = trained.ignored
    for index, call in flow.calls(*EQUAL):
        if len(call.inputs) != 2 or not call.results:
            continue
        sides = [bool(flow.ancestors(n) & chosen) for n in call.inputs]
        if sides.count(True) != 1 or _masked(found[0], index):
            continue
        out, target = (values[n] for n in (call.inputs if sides[0] else call.inputs[::-1]))
        if out.shape != target.shape or target.dim() != 2 or target.is_floating_point():
            continue
        pad = _padding(target) if symbol is None else symbol
        if pad is None or not bool((target == pad).any()):
            positions += target.numel()
            equal += int((out == target).sum())
            real += int((out == target).sum())
            continue
        symbol, place = pad, str(call.place or "")
        is_pad, same = target == pad, out == target
        positions, padding = positions + target.numel(), padding + int(is_pad.sum())
        equal, real = equal + int(same.sum()), real + int((same & ~is_pad).sum())
        axis = _reduced(found[0], index)
        if axis is not None:
            exact = True
            rows += same.shape[1 - axis % 2]
            rows_equal += int(same.all(axis).sum())
            rows_real += int((same | is_pad).all(axis).sum())
    if symbol is None or padding == 0 or padding == positions:
        return None
    if exact:
        return Padded(symbol, positions, padding, rows_equal / rows, rows_real / rows, True, place)
    true = real / (positions - padding)
    return Padded(symbol, positions, padding, equal / positions, true, False, place)


def _padding(target: Tensor) -> int | None:
    """Return the symbol that fills rows up at one end, if rows differ in length."""
    for ids in (target, target.t()):
        if min(ids.shape) < 2:
            continue
        pad = int(ids[:, -1].mode().values)
        is_pad = ids == pad
        lengths = is_pad.sum(1)
        suffix = torch.arange(ids.shape[1]) >= ids.shape[1] - lengths[:, None]
        if (
            int(lengths.max()) > 1
            and lengths.min() != lengths.max()
            and bool((is_pad == suffix).all())
        ):
            return pad
    return None


def _users(one: Pass, index: int) -> Iterator[tuple[int, Call]]:
    """Yield the calls that use the result of a call, also after it was converted."""
    todo = [index]
    while todo:
        current = todo.pop()
        for number in one.tape.calls[current].results:
            for user in one.flow.users[number]:
                call = one.tape.calls[user]
                yield user, call
                if call.name in PASSING:
                    todo.append(user)


def _masked(one: Pass, index: int) -> bool:
    """Return whether a comparison is joined with something else, as a mask."""
    return any(call.name in MASKING and len(set(call.inputs)) > 1 for _, call in _users(one, index))


def _reduced(one: Pass, index: int) -> int | None:
    """Return the axis along which whole rows are compared, if they are."""
    for _, call in _users(one, index):
        if call.name in ("all", "prod"):
            axis = argument(call, "dim", 1)
            return axis if isinstance(axis, int) else None
    return None


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
    if len(behind) < 3 or min(behind) < 1:
        return None
    files = {entry.place.file for one in free for entry in one.decoder if entry.place is not None}
    mean = sum(behind) / len(behind)
    place = str(free[-1].decoder[-1].place or "")
    return Overrun(trained.end, mean, compares_end(files, trained.end), place)
