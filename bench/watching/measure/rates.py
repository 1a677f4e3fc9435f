"""Measures the course of the loss, and tries other learning rates on the recorded rounds."""

from __future__ import annotations

import math
from statistics import fmean, median

import torch

from bench.watching.measure.hand_made import update_sizes
from bench.watching.measure.trials import Trials, TrialSetting
from bench.watching.read.chains import STATES
from bench.watching.read.recording import Recording
from bench.watching.record.replaying import Call
from results.doctor.watched.rates import (
    FAR_BELOW,
    FEW_STEPS,
    HARDLY_IN_A_TRIAL,
    RISEN,
    SLOWLY,
    RatesSeen,
)

HAS_LEARNED = 0.85
"""Share of predictions that are right above which a model has learned."""
LARGE = 2.0
"""Root mean square of a weight matrix above which it is large; embeddings begin with 1."""
LIMIT = 4.0
"""A sigmoid of more is within 0.02 of its limit."""
JUMP = 3.0
"""A loss so many times the median of those around it is a jump."""
TRIED = {"0.1": 0.1, "0.01": 0.01, "0.001": 0.001, "10": 10.0, "100": 100.0}
FAR_HIGHER = ("1000", "10000")
"""Factors that are tried where a hundred times the rate is still too low."""


def rates_seen(recording: Recording) -> RatesSeen | None:
    """Return the course of the loss, and the results of trials if the model has not learned."""
    losses = recording.curve.losses
    stepping = [seen for seen in recording.optimizers if seen.steps]
    if not losses or not stepping or not recording.readings:
        return None
    sizes = update_sizes(recording)
    rates = _second_half_last(recording, sizes) if sizes else recording.curve.rates
    largest = max(rates)
    few = max(1, len(losses) // 10)
    first, last = _mean(losses[: min(few, 3)]), _mean(losses[-few:])
    decay = max((seen.settings.get("weight_decay", 0.0) for seen in stepping), default=0.0)
    learned = recording.accuracy > HAS_LEARNED and recording.readings[-1][0].index > 2
    even, per_symbol = _first_loss(recording)
    return RatesSeen(
        len(losses),
        str(stepping[0].place or ""),
        stepping[0].kind,
        largest,
        median(rates[len(rates) // 2 :]) / largest if largest > 0 else 1.0,
        first,
        last,
        even,
        per_symbol,
        learned,
        _unstable(losses),
        decay,
        {}
        if learned or len(losses) < FEW_STEPS
        else _trials(recording, decay, last / first if first > 0 else 1.0),
        _constant(recording),
        tuple((name, rms) for name, _, rms in _large(recording)),
        _all_embeddings(recording),
        _saturated(recording),
        estimated=bool(sizes),
    )


def _second_half_last(recording: Recording, sizes: dict[int, float]) -> list[float]:
    """Return the sizes of changes, as many of the first half as of the second of the training."""
    half = recording.steps / 2
    later = [size for index, size in sizes.items() if index >= half]
    earlier = sorted(size for index, size in sizes.items() if index < half)
    few = max(len(later), 1)
    return [*earlier[-few:], *(later or earlier[-1:])]


def _mean(values: list[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return fmean(finite) if len(finite) == len(values) else math.inf


def _unstable(losses: list[float]) -> bool:
    if not all(map(math.isfinite, losses)):
        return True
    window = 20
    return any(
        losses[at] > JUMP * max(median(losses[at - window : at]), 1e-3)
        for at in range(window, len(losses))
    )


def _first_loss(recording: Recording) -> tuple[float | None, float | None]:
    """Return the loss of guessing evenly and that of the first predictions, for one symbol."""
    one, reading = recording.readings[0]
    if one.index > 0:
        return None, None
    asked = reading.predictions
    counted = asked.weight_N != 0
    logits_NV = asked.rows(one.tape.replay())[counted]
    if not len(logits_NV):
        return None, None
    loss = torch.nn.functional.cross_entropy(logits_NV, asked.asked_N[counted])
    return math.log(asked.symbols), float(loss)


def _trials(recording: Recording, decay: float, share: float) -> dict[str, tuple[float, float]]:
    """Return the losses before and after trials, by setting; see `RatesSeen.trials`.

    share: the script's last loss as a share of its first.
    """
    trials = Trials(recording)
    if not trials.possible:
        return {}
    before, after, trained = trials.train(TrialSetting())
    found = {"1": (before, after)}
    if len(trials.rounds) > len(trials.held_out):
        found["memorised"] = before, trained
    settings = {}
    if decay > 0:
        settings["no-decay"] = TrialSetting(decay=False)
    large = _large(recording)
    places = {id(tensor): place for place, tensor in enumerate(trials.parameters.values())}
    scale = tuple((places[id(t)], 0.1 / rms) for _, t, rms in large if id(t) in places)
    if scale:
        settings["scaled"] = TrialSetting(scale=scale)
    # a rate by which the model learns is accused of nothing, and a trial takes a second
    factors = dict(TRIED) if share > RISEN or after > HARDLY_IN_A_TRIAL * before else {}
    if share > SLOWLY and recording.steps >= 2 * FEW_STEPS:
        factors |= {name: factor for name, factor in TRIED.items() if factor > 1}
    settings |= {name: TrialSetting(rate=factor) for name, factor in factors.items()}
    for name, setting in settings.items():
        if trials.possible:
            found[name] = trials.train(setting)[:2]
    return found | (_far_higher(trials, found) if "100" in found else {})


def _far_higher(
    trials: Trials, found: dict[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """Return trials with still higher rates, as long as each takes the loss further down."""
    higher: dict[str, tuple[float, float]] = {}
    last = found["100"][1]
    for name in FAR_HIGHER:
        if last > min(found["10"][1], found["1"][1]) or last < FAR_BELOW * found["1"][0]:
            break
        if trials.possible:
            higher[name] = trials.train(TrialSetting(rate=float(name)))[:2]
            last = higher[name][1]
    return higher


def _large(recording: Recording) -> list[tuple[str, torch.Tensor, float]]:
    """Return the weight matrices whose first values are large, with their root mean square."""
    found = []
    for one in recording.rounds[:1]:
        for number, tensor in one.tape.parameters.items():
            rms = float(one.tape.parameter_value(number).float().square().mean().sqrt())
            if tensor.dim() >= 2 and rms > LARGE and one.index == 0:
                found.append((one.names.get(number, ""), tensor, rms))
    return found


def _all_embeddings(recording: Recording) -> bool:
    """Return whether the large weights are those by which symbols are embedded."""
    one, reading = recording.readings[0]
    weights = {entry.weight for group in reading.groups for entry in group.entries}
    embedding = {id(one.tape.parameters[n]) for n in weights if n in one.tape.parameters}
    return all(id(tensor) in embedding for _, tensor, _ in _large(recording))


def _saturated(recording: Recording) -> float:
    """Return the share of inputs to gates and units, from symbols, that drive them to a limit."""
    one, reading = recording.readings[0]
    if one.index > 0 or not _large(recording):
        return 0.0
    flow, values = reading.flow, one.tape.replay()
    embedded = {entry.number for group in reading.groups for entry in group.entries}
    found = []
    for call in one.tape.calls:
        matrix = _input_matrix(call, values)
        if matrix is not None and embedded & flow.ancestors(call.inputs[0]):
            value = values[call.inputs[0]]
            if value.shape[-1] == matrix.shape[-1]:
                found.append(((value @ matrix.T).abs() > LIMIT).double().mean())
    return float(torch.stack(found).mean()) if found else 0.0


def _input_matrix(call: Call, values: dict[int, torch.Tensor]) -> torch.Tensor | None:
    """Return the first matrix by which a recurrent call multiplies its input."""
    count = STATES.get(call.name)
    if count is None or len(call.inputs) < 2 + count:
        return None
    matrix = values[call.inputs[1 + count]]
    return matrix if matrix.dim() == 2 else None


def _constant(recording: Recording) -> tuple[str, ...]:
    """Return the weight matrices that begin as one number, except those of one element."""
    names = []
    for one in recording.rounds[:1]:
        if one.index > 0:
            continue
        for number, tensor in one.tape.parameters.items():
            value = one.tape.parameter_value(number)
            # a frozen one is met when it is made, before it has its values
            if (
                tensor.requires_grad
                and tensor.dim() >= 2
                and value.numel() > 1
                and bool((value == value.flatten()[0]).all())
            ):
                names.append(one.names.get(number, ""))
    return tuple(names)
