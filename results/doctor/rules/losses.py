"""Rules about what is minimised: the loss that the run trains by."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from results.doctor.examined import LIKELY, SURE, ExaminedRun, Finding, above, shown
from results.doctor.health import Losses

SMALLEST_LOSS = 0.01
"""Differences are relative to at least this loss: rounding counts for more below it."""
ALL_PROBABILITIES = 0.99
"""Share of positions with probabilities above which the model outputs probabilities."""


class Mistake(NamedTuple):
    """A common mistake in a loss. loss: what it gives. what: what is wrong. change: what to do."""

    cause: str
    loss: Callable[[Losses], float | None]
    what: str
    change: str


MISTAKES = (
    Mistake(
        "softmax-over-time",
        lambda loss: loss.over_time,
        "the softmax runs over the time axis",
        "F.log_softmax(logits) becomes F.log_softmax(logits, dim=-1)",
    ),
    Mistake(
        "softmax-over-batch",
        lambda loss: loss.over_batch,
        "the softmax runs over the rows of the batch",
        "F.log_softmax(logits, dim=0) becomes F.log_softmax(logits, dim=-1)",
    ),
    Mistake(
        "padding-in-loss",
        lambda loss: loss.with_padding,
        "padding counts in the loss like any symbol",
        "nn.CrossEntropyLoss() becomes nn.CrossEntropyLoss(ignore_index=PAD)",
    ),
    Mistake(
        "no-eos-in-loss",
        lambda loss: loss.without_eos,
        "the end of an output is not in the loss",
        "target = ids becomes target = ids + [EOS], with no mask over that place",
    ),
    Mistake(
        "first-slot-zero",
        lambda loss: loss.first_zero,
        "the first symbol is predicted by zeros, whatever the weights are",
        "loss(outputs, target) becomes loss(outputs[1:], target[1:]), without the empty first "
        "step; or let outputs[t] = output begin at t = 0",
    ),
    Mistake(
        "probabilities-as-logits",
        lambda loss: loss.of_probabilities,
        "the loss takes logits and is given probabilities",
        "loss(logits.softmax(-1), target) becomes loss(logits, target)",
    ),
    Mistake(
        "targets-transposed",
        lambda loss: loss.transposed,
        "logits are laid out row by row and targets step by step",
        "logits.view(-1, V) becomes logits.transpose(0, 1).reshape(-1, V), or batch_first for both",
    ),
)


def wrong_loss(run: ExaminedRun) -> Iterator[Finding]:
    """Find a loss that is not cross-entropy, and the common mistake that gives its value."""
    given, proper = run.health.loss.given, run.health.loss.proper
    if given is None or proper is None:
        return
    if abs(given - proper) <= run.tolerance * max(abs(proper), SMALLEST_LOSS):
        return
    mistake = _mistake_that_gives(given, run.health.loss, run.tolerance)
    if mistake is not None:
        yield Finding(
            mistake.cause,
            SURE,
            f"{mistake.what}: the loss is {given:.4g}, exactly what this mistake gives; "
            f"cross-entropy over symbols at real positions is {proper:.4g}",
            mistake.change,
        )
    elif run.tagging:
        outputs = run.health.outputs
        yield Finding(
            "one-label",
            LIKELY,
            f"the loss is {given:.4g} where cross-entropy is {proper:.4g}; the commonest label is "
            f"{shown(outputs.commonest, '.0%')} of the outputs and "
            f"{shown(outputs.commonest_wanted, '.0%')} of the reference",
            "weight all labels equally, or rare ones more",
        )
    else:
        yield Finding(
            "another-loss",
            SURE,
            f"the loss is {given:.4g} where cross-entropy of the model's predictions is "
            f"{proper:.4g}",
            "loss = my_loss(logits, target) becomes loss = F.cross_entropy(logits.flatten(0, -2), "
            "target.flatten(), ignore_index=PAD); if another loss is meant, compare both on one "
            "batch",
        )


def _mistake_that_gives(given: float, loss: Losses, tolerance: float) -> Mistake | None:
    """Return the mistake whose loss is nearest to the one given, if they are equal."""

    def distance(mistake: Mistake) -> float:
        value = mistake.loss(loss)
        return math.inf if value is None or math.isnan(value) else abs(given - value)

    nearest = min(MISTAKES, key=distance)
    equal = distance(nearest) <= tolerance * max(abs(given), SMALLEST_LOSS)
    return nearest if equal else None


def probabilities_as_logits(run: ExaminedRun) -> Iterator[Finding]:
    """Find a model that outputs probabilities where the loss takes logits."""
    share = run.health.probabilities
    if above(share, ALL_PROBABILITIES):
        yield Finding(
            "probabilities-as-logits",
            SURE,
            f"the model's outputs are at least 0 and sum to 1 at {share:.0%} of the positions: it "
            "ends in a softmax, and the loss takes logits",
            "return logits.softmax(-1) becomes return logits",
        )
