"""Measures what a loss is computed from, for `results.doctor.watched.losses` to judge."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from bench.watching.measure.hand_made import climbs
from bench.watching.read.layout import CLEAN
from bench.watching.read.microbatches import SCALING, TOTALLING
from bench.watching.read.padded import padding_of
from bench.watching.read.predictions import (
    ARITHMETIC,
    BETWEEN,
    SOFTMAX,
    WRITTEN_OUT,
    asked_for,
    normalised_axis,
)
from bench.watching.read.reading import StepReading
from bench.watching.read.recording import Recording
from bench.watching.read.training import ignored_symbol
from bench.watching.record.optimizers import BY_HAND
from bench.watching.record.replaying import Call, Change
from bench.watching.record.tape import instead
from results.doctor.watched.losses import IgnoredLabel, LossesSeen, Normalisation

NO_SIGN = WRITTEN_OUT | {"logsumexp"}
"""Calls whose results a right loss makes neither larger nor smaller as a whole."""
NEARLY_0 = 0.01
"""Probabilities above minus this are 0 but for rounding."""
MOST_FIT = 0.9
"""Share of predictions whose gradients must be those of a cross-entropy."""
ONE_LABEL = 0.25
"""A model gives one symbol if it gives others less than this share of the times it should."""
OWN_CHOICE = 0.9
"""Share of examples that are fed the model's choice above which a step is fed that."""
ONE_OF_THEM = 0.5
"""Share of one symbol among those fed after what the loss ignores, if that is what it ignores."""
FEWEST_TARGETS = 8
"""Targets below which their order cannot be told."""
KEEPING = (BETWEEN - SOFTMAX) | ARITHMETIC
"""Calls that pass probabilities on, if changed."""
VALUEWISE = SOFTMAX | frozenset("log exp clamp clamp_min sigmoid".split())
"""Calls that compute a new value for each symbol and keep its place."""


def losses_seen(recording: Recording) -> LossesSeen | None:
    """Return what the losses of the rounds read are computed from."""
    if not recording.readings:
        return None
    seen = [_seen(reading) for _, reading in recording.readings]
    most = max(seen, key=lambda one: (one.ignored_inside, one.transposed is not None))
    return replace(
        most,
        uphill=_uphill(recording),
        accuracy=recording.accuracy,
        only_predicted=_only_predicted(recording.readings[-1][1]),
        ignored_label=_ignored_label(recording),
        last_round=recording.readings[-1][0].index,
    )


def _ignored_label(recording: Recording) -> IgnoredLabel | None:
    """Return the label that a tagger's loss ignores, and how many real words have it."""
    reading = recording.readings[-1][1]
    label = ignored_symbol([reading for _, reading in recording.readings])
    weight_BT = reading.table(reading.predictions.weight_N, 0.0)
    source = next((g for g in reading.of_role("source") if g.ids_BJ.shape == weight_BT.shape), None)
    symbols = reading.predictions.symbols
    if label is None or source is None or reading.of_role("decoder") or label >= symbols:
        return None
    padded_BT = padding_of(source.ids_BJ)
    real_BT = torch.ones_like(weight_BT, dtype=torch.bool) if padded_BT is None else ~padded_BT
    share = float(((weight_BT == 0) & real_BT).sum() / real_BT.sum())
    named = recording.vocabularies.of_size(symbols).items()
    texts = [(name, known[label]) for name, known in named if label in known]
    return IgnoredLabel(label, share, *(texts[0] if texts else ("", "")))


def _uphill(recording: Recording) -> str | None:
    """Return the line where steps are made that go up the gradient, if they do."""
    if recording.climbed:
        return str(next(seen for seen in recording.optimizers if seen.steps).place)
    rates = recording.curve.rates
    by_hand = [seen for seen in recording.optimizers if seen.kind == BY_HAND]
    if not by_hand or not rates:
        return None
    if not (all(rate < 0 for rate in rates) or climbs(recording)):
        return None
    return str(by_hand[0].place)


def _seen(reading: StepReading) -> LossesSeen:
    tape, asked = reading.tape, reading.predictions
    criterion = tape.calls[asked.criteria[0]]
    rows, symbols = _labels(reading)
    normalisations = tuple(
        norm
        for index in asked.between
        if (norm := _normalisation(reading, index, rows, symbols)) is not None
    )
    counted = asked.weight_N != 0
    empty, empty_first = _empty(reading, rows)
    weight_BT = reading.table(asked.weight_N, 0.0)
    asked_BT = reading.table(asked.asked_N)
    inside = _inside(weight_BT)
    # where examples are not told apart, the end of one looks like the inside of another
    if reading.examples < 2 or not _one_symbol(reading, inside):
        inside = torch.zeros_like(inside)
    alone = torch.unique(asked.asked_N[counted])
    elsewhere = _of_other_terms(reading)
    # one step of several may ask for the end symbol alone
    told = int(counted.sum()) >= 8 and (reading.steps > 1 or not elsewhere)
    return LossesSeen(
        place=str(criterion.place),
        function=criterion.name,
        normalisations=_unique(normalisations),
        given=_given(reading, asked.criteria[0], rows),
        gradient_sign=_sign(reading, asked.criteria[0]),
        predictions=int(counted.sum()),
        empty=empty,
        empty_first=empty_first,
        share=min(_share(reading), _written_share(reading)),
        steps=reading.steps,
        transposed=_transposed(reading, asked_BT, weight_BT),
        tags_transposed=_tags_transposed(reading),
        made_steps=_made_steps(reading, elsewhere),
        counted_steps=int((weight_BT != 0).any(0).sum()),
        only_symbol=int(alone[0]) if len(alone) == 1 and told else None,
        ignored_inside=int(inside.sum()),
        ignored_symbol=_next_fed(reading, inside),
    )


def _labels(reading: StepReading) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
    """Run the tape with numbers in place of logits: first those of the rows, from 1, then symbols.

    Calls that compute values are passed, so that the numbers show where logits have been moved.
    """
    tape, asked = reading.tape, reading.predictions
    base = tape.replay()
    passed = frozenset(
        index
        for index, call in enumerate(tape.calls)
        if call.name in VALUEWISE and call.inputs and _keeps_shape(call, base)
    ) - set(asked.criteria)
    # this one raises where it is given numbers that are no probabilities
    passed |= {i for i in asked.criteria if tape.calls[i].name == "binary_cross_entropy"}
    # what is looked up by a label makes no sense: embedded symbols stay as they were
    looked_up = [entry for group in reading.groups for entry in group.entries if entry.made]
    passed |= {entry.call for entry in looked_up}
    start = 1
    rows: dict[tuple[int, int], Change] = {}
    symbols: dict[tuple[int, int], Change] = {}
    for head in asked.heads:
        numbers = torch.arange(start, start + head.rows, dtype=torch.float32)
        shape = list(head.values.movedim(head.axis, -1).shape)
        by_row = numbers.reshape([*shape[:-1], 1]).expand(shape).movedim(-1, head.axis)
        of_symbol = torch.arange(1.0, shape[-1] + 1).expand(shape).movedim(-1, head.axis)
        rows[head.call, head.number] = instead(by_row)
        symbols[head.call, head.number] = instead(of_symbol)
        start += head.rows
    for entry in looked_up:
        rows[entry.key] = instead(base[entry.number])
        symbols[entry.key] = instead(base[entry.number])
    stop = max(asked.criteria) + 1
    with torch.no_grad():
        return tape.replay(rows, passed=passed, stop=stop), tape.replay(
            symbols, passed=passed, stop=stop
        )


def _keeps_shape(call: Call, values: dict[int, Tensor]) -> bool:
    """Return whether a call gives a number for each one that it is given; ids are none."""
    made = values.get(call.results[0]) if call.results else None
    if made is None or not made.is_floating_point():
        return False
    return made.shape == values[call.inputs[0]].shape


def _normalisation(
    reading: StepReading, index: int, rows: dict[int, Tensor], symbols: dict[int, Tensor]
) -> Normalisation | None:
    tape = reading.tape
    call = tape.calls[index]
    if call.name not in SOFTMAX and call.name != "cross_entropy":
        return None
    number = call.inputs[0]
    if number not in rows or rows[number].dim() == 0:
        return None
    axis = normalised_axis(tape, index, rows[number])
    return Normalisation(
        call.name,
        str(call.place),
        _over(reading, rows[number], symbols[number], axis),
        tuple(rows[number].shape),
        axis,
        call.name in ("log_softmax", "cross_entropy"),
        _of_probabilities(reading, number),
    )


def _of_probabilities(reading: StepReading, number: int) -> bool:
    """Return whether a tensor holds what a softmax between last layer and loss gave."""
    tape, flow = reading.tape, reading.flow
    makers = [i for n in flow.moved_from(number, KEEPING) for i in flow.makers[n]]
    softmaxes = set(makers).intersection(reading.predictions.between)
    return any(tape.calls[index].name == "softmax" for index in softmaxes)


def _over(reading: StepReading, rows: Tensor, symbols: Tensor, axis: int) -> str:
    """Return along what an axis of moved logits lies."""
    rows_NA = rows.movedim(axis, -1).reshape(-1, rows.shape[axis]).round().long()
    symbols_NA = symbols.movedim(axis, -1).reshape(-1, symbols.shape[axis]).round().long()
    full = (rows_NA > 0).all(1)
    if rows_NA.shape[1] == 1 and reading.predictions.symbols > 1:
        return "one"
    if rows_NA.shape[1] < 2 or not bool(full.any()):
        return "symbols" if bool(full.any()) else "other"
    rows_NA, symbols_NA = rows_NA[full], symbols_NA[full]
    if bool((rows_NA == rows_NA[:, :1]).all()):
        return "symbols"
    if not bool((symbols_NA == symbols_NA[:, :1]).all()):
        return "several"
    owner_NA, step_NA = reading.owner_N[rows_NA - 1], reading.step_N[rows_NA - 1]
    if bool((owner_NA < 0).any()):
        # which example a prediction belongs to is not known: the shape decides
        return "batch" if rows.shape[axis] == reading.examples else "time"
    varies_over = bool((owner_NA[:, 1:] != owner_NA[:, :-1]).any())
    return "batch" if varies_over and not _steps_vary(step_NA) else "time"


def _steps_vary(step_NA: Tensor) -> bool:
    return bool((step_NA[:, 1:] != step_NA[:, :-1]).any())


def _empty(reading: StepReading, rows: dict[int, Tensor]) -> tuple[int, bool]:
    """Return how many predictions of real symbols no layer made, and whether they come first."""
    tape, asked = reading.tape, reading.predictions
    values = tape.replay(gradients=True)
    count, first = 0, False
    symbols: set[int] = set()
    for index in asked.criteria:
        number = tape.calls[index].inputs[0]
        if number not in rows or rows[number].dim() < 2 or number not in values:
            continue
        axis = normalised_axis(tape, index, rows[number])
        unmade = (rows[number].movedim(axis, -1) == 0).all(-1)
        if not bool(unmade.any()) or not values[number].requires_grad:
            continue
        (gradient,) = torch.autograd.grad(
            values[reading.loss].sum(), [values[number]], retain_graph=True, allow_unused=True
        )
        if gradient is None:
            continue
        counts = (gradient.movedim(axis, -1).abs().amax(-1) > 0) & unmade
        count += int(counts.sum())
        flat = unmade.flatten()
        first = first or bool(flat[0])
        symbols.update(gradient.movedim(axis, -1).argmin(-1)[counts].tolist())
    # one symbol for all is a start symbol, whose slot does no harm
    return (count, first) if len(symbols) > 1 else (0, False)


def _given(reading: StepReading, index: int, rows: dict[int, Tensor]) -> str:
    """Return whether a criterion is given logits, probabilities or their logarithms.

    Slots that no layer wrote to, and rows of nan, as a wrong mask makes them, say nothing.
    """
    number = reading.tape.calls[index].inputs[0]
    value = reading.tape.replay(stop=index + 1)[number].double()
    if value.dim() == 0:
        return "logits"
    axis = normalised_axis(reading.tape, index, value)
    value_NV = value.movedim(axis, -1).reshape(-1, value.shape[axis])
    said_N = (value_NV < math.inf).all(-1)
    if number in rows and rows[number].shape == value.shape:
        said_N &= (rows[number].movedim(axis, -1).reshape(value_NV.shape) != 0).any(-1)
    value_NV = value_NV[said_N]
    if not len(value_NV):
        return "unknown"
    if value_NV.shape[1] > 1:
        if bool((value_NV >= 0).all()) and bool(((value_NV.sum(1) - 1).abs() < 1e-3).all()):
            return "probabilities"
        sums_N = value_NV.exp().sum(1)
        if bool((value_NV <= 1e-6).all()) and bool(((sums_N - 1).abs() < 1e-2).all()):
            return "log-probabilities"
    return "logits"


def _sign(reading: StepReading, index: int) -> float | None:
    """Return the derivative of what is minimised with respect to a criterion's result."""
    tape = reading.tape
    call = tape.calls[index]
    if call.name in NO_SIGN or not call.results:
        return _sign_that_fits(reading)
    values = tape.replay(gradients=True)
    result = values[call.results[0]]
    if not result.requires_grad:
        return None
    (gradient,) = torch.autograd.grad(values[reading.loss].sum(), [result], allow_unused=True)
    if gradient is None:
        return None
    if call.name not in SOFTMAX:
        return float(gradient.sum())
    # of probabilities, those asked for must grow: their derivatives are below 0
    same_sign = bool((gradient >= 0).all()) or bool((gradient <= 0).all())
    return -float(gradient.sum()) if same_sign else None


def _sign_that_fits(reading: StepReading) -> float | None:
    """Return 1 if gradients are those of a cross-entropy, -1 of its negative, None if of neither.

    Of a cross-entropy they are the model's probabilities less those asked for, which are not below
    0; with the wrong sign the latter would be.
    """
    asked = reading.predictions
    fitting = [
        sign for sign in (1.0, -1.0) if all(_fits(h.by_row(sign * h.even)) for h in asked.heads)
    ]
    if len(fitting) != 1:
        return None
    return -fitting[0] if asked.climbed else fitting[0]


def _fits(gradient_NV: Tensor) -> bool:
    """Return whether a gradient is one of probabilities less others, whatever the weights."""
    asked_NV = asked_for(gradient_NV)
    return len(asked_NV) > 0 and float((asked_NV > -NEARLY_0).all(-1).double().mean()) > MOST_FIT


def _inside(weight_BT: Tensor) -> Tensor:
    """Return which predictions have no weight while later ones of their example have some.

    The first of an example is not counted: many leave the start symbol out.
    """
    later_BT = (weight_BT != 0).flip(1).cumsum(1).flip(1) > 0
    inside_BT = (weight_BT == 0) & later_BT
    before_BT = (weight_BT != 0).cumsum(1) > 0
    return inside_BT & before_BT


def _one_symbol(reading: StepReading, inside_BT: Tensor) -> bool:
    """Return whether predictions without weight may all be asked for one symbol.

    A tagger leaves out what it likes: parts of words, and positions that have no label.
    """
    if not reading.of_role("decoder"):
        return False
    fed_BT = reading.fed()
    if fed_BT.shape != inside_BT.shape:
        return True
    following = fed_BT[:, 1:][inside_BT[:, :-1]]
    following = following[following >= 0]
    if not len(following):
        return True
    return float((following == following.mode().values).double().mean()) >= ONE_OF_THEM


def _next_fed(reading: StepReading, inside_BT: Tensor) -> int | None:
    """Return the symbol that is fed after most of these predictions, if one is."""
    fed_BT = reading.fed()
    if fed_BT.shape != inside_BT.shape or not bool(inside_BT[:, :-1].any()):
        return None
    following = fed_BT[:, 1:][inside_BT[:, :-1]]
    following = following[following >= 0]
    return int(following.mode().values) if len(following) else None


def _transposed(
    reading: StepReading, asked_BT: Tensor, weight_BT: Tensor
) -> tuple[float, float] | None:
    """Return how many targets are what is fed next, as they are and in the other order.

    Left out is what says nothing: steps that are fed the model's own choice, and ends, which are
    asked for where padding is fed next.
    """
    fed_BT = reading.fed()
    examples, steps = asked_BT.shape
    if reading.layout.owners.clean < CLEAN or examples < 2 or steps < 3:
        return None
    best_BT = reading.table(reading.predictions.best_N)
    next_BT = torch.full_like(fed_BT, -1)
    next_BT[:, :-1] = fed_BT[:, 1:]
    own_T = (next_BT == best_BT).double().mean(0) > OWN_CHOICE
    known_BT = (next_BT >= 0) & ~own_T & ~_repeated_end(next_BT)
    counted_BT = known_BT & (weight_BT != 0)
    if int(counted_BT.sum()) < FEWEST_TARGETS:
        return None
    now = float((asked_BT == next_BT)[counted_BT].double().mean())
    best = 0.0
    for other_BT, weights_BT in zip(_other_orders(asked_BT), _other_orders(weight_BT), strict=True):
        counted = known_BT & (weights_BT != 0)
        if bool(counted.any()):
            best = max(best, float((other_BT == next_BT)[counted].double().mean()))
    return now, best


def _tags_transposed(reading: StepReading) -> tuple[float, float] | None:
    """Return for how many positions of a tagger's sources the loss asks where there is a symbol and
    only there: as its targets are, and in the other order of axes."""
    weight_N = reading.predictions.weight_N
    if reading.of_role("decoder"):
        return None
    for group in reading.of_role("source"):
        examples, steps = group.ids_BJ.shape
        if group.batch_axis is None or examples * steps != len(weight_N):
            continue
        last_B = group.ids_BJ[:, -1].mode().values
        real_BJ = (group.ids_BJ != last_B).flip(1).long().cummax(1).values.flip(1).bool()
        if len(torch.unique(real_BJ.sum(1))) < 2:
            continue
        weighed_BJ = (weight_N != 0).reshape(examples, steps)
        known_N, place_N = reading.owner_N >= 0, torch.arange(len(weight_N))
        ordered_N = (reading.owner_N == place_N // steps) | ~known_N
        if not bool(ordered_N.all()) or not bool(known_N.double().mean() > 0.5):
            continue
        other_BJ = weighed_BJ.reshape(steps, examples).T
        now, other = [float((w == real_BJ).double().mean()) for w in (weighed_BJ, other_BJ)]
        return now, other
    return None


def _repeated_end(fed_BT: Tensor) -> Tensor:
    """Return where an example has but one symbol from here on, as padding, before its last -1."""
    ids_BT = fed_BT[:, :-1]
    end_BT = (ids_BT == ids_BT[:, -1:]).flip(1).long().cumprod(1).flip(1).bool()
    end_BT &= end_BT.sum(1, keepdim=True) > 1
    return torch.cat([end_BT, torch.zeros_like(end_BT[:, :1])], 1)


def _other_orders(table_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Return a table as it would be if rows had been written where columns belong, both ways."""
    examples, steps = table_BT.shape
    return (
        table_BT.T.reshape(-1).reshape(examples, steps),
        table_BT.reshape(-1).reshape(steps, examples).T,
    )


def _only_predicted(reading: StepReading) -> tuple[int, float] | None:
    """Return the symbol that nearly all predictions give and the share asked for another."""
    asked = reading.predictions
    counted = asked.weight_N != 0
    if int(counted.sum()) < FEWEST_TARGETS:
        return None
    symbol = asked.best_N[counted].mode().values
    given = float((asked.best_N[counted] != symbol).double().mean())
    wanted = float((asked.asked_N[counted] != symbol).double().mean())
    return (int(symbol), wanted) if given < ONE_LABEL * wanted else None


def _share(reading: StepReading) -> float:
    """Return the mean part of the probability that is asked for the right symbol."""
    asked = reading.predictions
    counted = asked.weight_N != 0
    return float(asked.share_N[counted].mean()) if bool(counted.any()) else 1.0


def _written_share(reading: StepReading) -> float:
    """Return the same as the label smoothing of cross_entropy says it."""
    _, kwargs = reading.tape.calls[reading.predictions.criteria[0]].arguments()
    smoothing = float(kwargs.get("label_smoothing") or 0.0)
    return 1 - smoothing + smoothing / reading.predictions.symbols


def _made_steps(reading: StepReading, elsewhere: set[int]) -> int:
    """Return how many predictions of an example the last layer makes, read by the loss or not.

    elsewhere: what other terms of a sum are computed from, if the loss is one of them.
    """
    calls, heads = reading.tape.calls, reading.predictions.heads
    first = calls[heads[0].call]
    same = [c for c in calls[reading.since :] if c.name == first.name and c.place == first.place]
    same = [call for call in same if not elsewhere.intersection(call.results)]
    return max(reading.steps, len(same) if len(heads) == 1 else 0)


def _of_other_terms(reading: StepReading) -> set[int]:
    """Return what the other terms of a sum are computed from, if the loss read is one of them.

    Steps that know nothing of each other are such terms, as several batches are.
    """
    flow = reading.flow
    own = flow.ancestors(reading.loss)
    sums = {reading.loss, *flow.sources(reading.loss)}
    todo = list(sums)
    while todo:
        for index in flow.users[todo.pop()]:
            call = reading.tape.calls[index]
            new = set(call.results) - sums if call.name in TOTALLING | SCALING else set()
            sums |= new
            todo += new
    calls = reading.tape.calls
    whole = [n for n in sums if not any(sums & set(calls[i].results) - {n} for i in flow.users[n])]
    return set().union(*(flow.ancestors(number) for number in whole)) - own


def _unique(norms: tuple[Normalisation, ...]) -> tuple[Normalisation, ...]:
    """Leave out softmaxes of later steps at the same line."""
    return tuple({(n.function, n.place, n.over): n for n in norms}.values())
