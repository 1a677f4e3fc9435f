"""Judges the size of the steps: learning rates, their schedule, decay, and the first weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from results.doctor.examined import LIKELY, SURE, Finding
from results.doctor.watched.losses import ENOUGH, LossesSeen

FELL = 0.8
"""A loss has fallen if it is below this share of what it was."""
HARDLY = 0.95
"""A loss has hardly fallen if it is above this share of what it was."""
BELOW = 0.75
"""A trial of fewer steps than the script's ends below it under this share of the script's last."""
FAR_BELOW = 0.6
"""A trial ends far below the script if its loss is below this share of the script's last."""
SLOWLY = 0.4
"""A loss has fallen slowly if it is above this share of what it was when the training ends."""
HARDLY_IN_A_TRIAL = 0.9
"""The same as HARDLY for the few steps of a trial."""
MANY_TIMES = 4.0
"""Of two trials, one outruns the other if its loss falls so many times as far."""
FADED = 0.02
"""A learning rate has faded away if it is below this share of its largest."""
STOPPED = 1e-4
"""The same of changes that no longer move any weight."""
RISEN = 1.5
"""A loss has risen if it is above so many times what it was."""
FAR_OFF = 2.0
"""A first loss is far off if it is so many times that of guessing evenly."""
MOSTLY_SATURATED = 0.3
"""Share of gates and units at a limit above which hardly any gradient passes."""
FEW_STEPS = 50
"""Below so many steps nothing is said about rates: a model needs some to learn."""


@dataclass(frozen=True)
class RatesSeen:
    """The course of the loss, and what other settings do on the recorded rounds."""

    steps: int
    place: str
    """The line where the optimizer was made."""
    optimizer: str
    rate: float
    """The largest learning rate."""
    faded: float
    """Median rate of the second half of the training, as a share of the largest."""
    first: float
    """Mean loss of the first steps."""
    last: float
    """Mean loss of the last steps."""
    even: float | None
    """The loss of guessing evenly, where the loss is a mean over symbols; None if unknown."""
    first_per_symbol: float | None
    """Cross-entropy of one prediction before the first step."""
    learned: bool
    """Whether nearly all predictions of the last round read are right."""
    unstable: bool
    """Whether the loss jumped far above its course, or stopped being a number."""
    decay: float
    """The largest weight decay."""
    trials: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By setting (1 for the script's own rate, 0.1 for a tenth, no-decay, ...), the loss of rounds
    that were not trained on, before and after the trial; `memorised` has the loss of those that
    were trained on after the trial at the script's own rate."""
    constant: tuple[str, ...] = ()
    """Weight matrices whose first values are all one number."""
    large: tuple[tuple[str, float], ...] = ()
    """Weight matrices that begin large, with their root mean square."""
    large_embeddings: bool = False
    """Whether those are all embeddings."""
    saturated: float = 0.0
    """Share of what gates and units are given from such embedded symbols, before the first step,
    that drives them to a limit."""
    estimated: bool = False
    """Whether steps are by a rule of the script's, so that the rate is the size of its changes, and
    trials are of Adam with that rate."""


def _falls(seen: RatesSeen, setting: str) -> float | None:
    """Return the loss after a trial as a share of that before; None if it was not tried."""
    if setting not in seen.trials:
        return None
    before, after = seen.trials[setting]
    return after / before if before > 0 else None


class HasLosses(Protocol):
    """Offers what the rule about a loss below 0 reads of all that was seen."""

    @property
    def losses(self) -> LossesSeen | None:
        """Return what was seen of the loss."""

    @property
    def rates(self) -> RatesSeen | None:
        """Return the course of the loss."""


def without_logarithm(watched: HasLosses) -> Iterator[Finding]:
    """Find a loss that adds up probabilities, where their logarithms belong."""
    seen, course = watched.losses, watched.rates
    if seen is None or course is None or seen.function != "softmax":
        return
    if course.last < course.first < 0 and not seen.uphill:
        yield Finding(
            "logits-as-log-probabilities",
            LIKELY,
            f"the loss is below 0, from {course.first:.3g} to {course.last:.3g}, which no "
            "cross-entropy is: it is made of the probabilities that softmax gives, not of their "
            "logarithms",
            "use F.log_softmax(logits, dim=-1), or F.cross_entropy, which is given the logits",
            place=seen.place,
            why="a symbol that the model holds for impossible costs no more than a doubtful one, "
            "and gives next to no gradient.",
        )


def constant_weights(seen: RatesSeen) -> Iterator[Finding]:
    """Find weights that all begin with one number."""
    if seen.constant and not seen.learned:
        yield Finding(
            "initialisation-constant",
            SURE,
            f"all values of {', '.join(seen.constant[:3])} begin as one and the same number",
            "leave the layer's own initialisation, or draw at random: nn.init.xavier_uniform_(w)",
            place=seen.place,
            why="units that begin alike get the same gradients and stay alike.",
        )


def far_off(seen: RatesSeen) -> Iterator[Finding]:
    """Find first weights so large that the first loss is far above guessing."""
    if seen.learned or seen.even is None or seen.first_per_symbol is None:
        return
    if seen.first_per_symbol > FAR_OFF * seen.even and seen.steps >= FEW_STEPS:
        yield Finding(
            "initialisation-too-large",
            LIKELY,
            f"before the first step one prediction costs {seen.first_per_symbol:.3g}, where "
            f"guessing evenly costs {seen.even:.3g}",
            "begin with smaller weights: leave the layers' own initialisation",
            place=seen.place,
            why="saturated units pass on almost no gradient.",
        )


def too_large(seen: RatesSeen) -> Iterator[Finding]:
    """Find first weights so large that the model learns when they are made smaller."""
    own, scaled = _ended_at(seen, "1"), _ended_at(seen, "scaled")
    if seen.learned or own is None or scaled is None or not seen.large:
        return
    far_below = scaled < FAR_BELOW * min(own, seen.last)
    limited = seen.saturated > MOSTLY_SATURATED and scaled < own
    if far_below or limited:
        yield Finding(
            "saturating-embedding" if seen.large_embeddings else "initialisation-too-large",
            SURE if far_below else LIKELY,
            f"weights begin with root mean squares of {_largest(seen)}, and drive "
            f"{seen.saturated:.0%} of the gates and units that get them to a limit; a short trial "
            f"on recorded batches takes the loss of others to {own:.3g}, and to {scaled:.3g} if "
            "they begin with 0.1",
            "begin with smaller weights: nn.Embedding's own, or 0.1 * torch.randn(...)",
            place=seen.place,
            why="large inputs drive gates and units to their limits, where gradients vanish.",
        )


def _largest(seen: RatesSeen) -> str:
    """Return the names of the largest weights with their root mean squares."""
    return ", ".join(f"{name} ({rms:.3g})" for name, rms in seen.large[:3])


def _ended_at(seen: RatesSeen, trial: str) -> float | None:
    """Return the loss with which a trial ended; None if it was not made."""
    return seen.trials[trial][1] if trial in seen.trials else None


def decay_too_high(seen: RatesSeen) -> Iterator[Finding]:
    """Find weight decay without which the model learns."""
    own, without = _falls(seen, "1"), _falls(seen, "no-decay")
    if seen.learned or seen.decay <= 0 or own is None or without is None:
        return
    if without < FELL * own and seen.trials["no-decay"][1] < BELOW * seen.last:
        yield Finding(
            "decay-too-high",
            SURE,
            f"with weight_decay {seen.decay:g} the loss of rounds that were not trained on goes "
            f"to {own:.0%} of its value, without it to {without:.0%}",
            "weight_decay=0, or at most 0.01 with AdamW",
            place=seen.place,
            why="decay shrinks the weights faster than the loss can make them grow.",
        )


def rate(seen: RatesSeen) -> Iterator[Finding]:
    """Find a learning rate that is too high or too low, where another one learns."""
    own = _falls(seen, "1")
    if seen.learned or seen.steps < FEW_STEPS or own is None:
        return
    found = [_faded(seen, own)] if _has_faded(seen, own) else _another_rate(seen, own)
    for one in found:
        yield replace(one, sure=LIKELY) if seen.estimated else one


def _another_rate(seen: RatesSeen, own: float) -> Iterator[Finding]:
    """Find a rate that does what the script's own cannot, in fewer steps than the script took."""
    lower = _best(seen, higher=False)
    higher = _best(seen, higher=True)
    risen = seen.last > RISEN * seen.first
    if (own > HARDLY or risen) and _beats(seen, lower):
        yield _finding(seen, "rate-too-high", own, lower)
    elif own > RISEN and seen.last > FELL * seen.first and _falls_by(seen, lower):
        yield replace(_finding(seen, "rate-too-high", own, lower), sure=LIKELY)
    elif own > HARDLY_IN_A_TRIAL and _beats(seen, higher):
        yield _finding(seen, "rate-too-low", own, higher)
    elif _beats(seen, higher) or (own > HARDLY_IN_A_TRIAL and _outruns(seen, higher)):
        yield replace(_finding(seen, "rate-too-low", own, higher), sure=LIKELY)


def _has_faded(seen: RatesSeen, own: float) -> bool:
    """Return whether the rate has become so low that the script stopped learning by it."""
    if seen.estimated and seen.faded < STOPPED and own < RISEN:
        return True
    return seen.faded < FADED and own < FELL and seen.trials["1"][1] < FELL * seen.last


def _best(seen: RatesSeen, *, higher: bool) -> str:
    """Return the factor, above or below 1, whose trial ended with the lowest loss."""
    tried = [name for name in seen.trials if _number(name) and (float(name) > 1) is higher]
    tried = [name for name in tried if float(name) != 1]
    return min(tried, key=lambda name: seen.trials[name][1], default="1")


def _falls_by(seen: RatesSeen, factor: str) -> bool:
    """Return whether the loss of a trial with another rate fell."""
    share = _falls(seen, factor)
    return factor != "1" and share is not None and share < FELL


def _outruns(seen: RatesSeen, factor: str) -> bool:
    """Return whether a trial took the loss down many times as far as the script's own rate."""
    if factor == "1":
        return False
    before, after = seen.trials[factor]
    own_before, own_after = seen.trials["1"]
    fell = before - after
    return fell > 0.1 * before and fell > MANY_TIMES * max(own_before - own_after, 0.0)


def _beats(seen: RatesSeen, factor: str) -> bool:
    """Return whether a trial ended far below where the script did."""
    return factor != "1" and seen.trials[factor][1] < FAR_BELOW * seen.last


def unrelated(seen: RatesSeen) -> Iterator[Finding]:
    """Find targets that cannot be told from their sources: they are memorised, none is learned."""
    own, memorised = seen.trials.get("1"), seen.trials.get("memorised")
    if seen.learned or own is None or memorised is None or seen.steps < ENOUGH:
        return
    nothing_learned = seen.last > HARDLY_IN_A_TRIAL * seen.first
    if nothing_learned and memorised[1] < FELL * memorised[0] and own[1] > own[0]:
        yield Finding(
            "pairs-misaligned",
            LIKELY,
            f"in {seen.steps:,} steps the loss went from {seen.first:.3g} to {seen.last:.3g} only; "
            f"a short trial on a few recorded batches memorises them ({memorised[1]:.3g}) while "
            f"the loss of other batches rises from {own[0]:.3g} to {own[1]:.3g}",
            "print some pairs of source and target as the model is given them: do they belong "
            "together?",
            why="the model can learn, but what it is asked for has nothing to do with its source.",
        )


def _faded(seen: RatesSeen, own: float) -> Finding:
    return Finding(
        "schedule-too-fast",
        SURE,
        f"the learning rate is at most {seen.rate:.3g}, and {seen.rate * seen.faded:.2g} in the "
        f"second half of the {seen.steps:,} steps; kept at its largest value, a trial of some "
        f"steps takes the loss to {own:.0%}, {seen.trials['1'][1]:.3g}; the script ended at "
        f"{seen.last:.3g}",
        "call scheduler.step() once per epoch, or let the rate fall over all steps",
        place=seen.place,
        why="the steps have become too small before the model has learned.",
    )


def _number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


def _finding(seen: RatesSeen, cause: str, own: float, factor: str) -> Finding:
    rate, after = seen.rate * float(factor), seen.trials[factor][1]
    high = cause == "rate-too-high"
    return Finding(
        cause,
        SURE,
        f"{seen.optimizer} steps at {seen.rate:.3g}: a short trial on recorded batches takes the "
        f"loss of others to {own:.0%} of its value with that, and to {after:.3g} with {rate:.2g}; "
        f"the script went from {seen.first:.3g} to {seen.last:.3g}",
        f"lr={rate:.2g}",
        place=seen.place,
        why="each step jumps past the good weights."
        if high
        else "each step changes too little to get anywhere.",
    )


RATES_RULES = (constant_weights, too_large, decay_too_high, far_off, rate, unrelated)
