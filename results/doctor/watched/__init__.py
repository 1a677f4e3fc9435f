"""Why does it not learn? Judges a training script by what was seen while it ran.

Each module has one group of facts (a dataclass that `bench.watch` fills in) and the rules that
read them; two large groups of facts have modules of their own. A rule is a function from the facts
to the findings it makes, mostly none or one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from results.doctor.examined import SURE, Finding
from results.doctor.watched import (
    attention,
    data,
    evaluations,
    feeding,
    finished,
    losses,
    modes,
    raising,
    rates,
    rows,
    symbol_weights,
    updates,
)
from results.doctor.watched.attention import AttentionSeen
from results.doctor.watched.data import DataSeen
from results.doctor.watched.evaluation_facts import EvaluationsSeen
from results.doctor.watched.feeding import FeedingSeen
from results.doctor.watched.finished import FinishedSeen
from results.doctor.watched.losses import LossesSeen
from results.doctor.watched.modes import ModesSeen
from results.doctor.watched.raising import RaisedSeen
from results.doctor.watched.rates import RatesSeen
from results.doctor.watched.rows import RowsSeen
from results.doctor.watched.symbol_weights import SymbolWeightsSeen
from results.doctor.watched.update_facts import UpdatesSeen

__all__ = ["Watched", "judge"]


@dataclass(frozen=True)
class Watched:
    """Holds what was seen of a training; a group is None where nothing could be seen of it."""

    steps: int = 0
    """Training steps taken."""
    rows: RowsSeen | None = None
    losses: LossesSeen | None = None
    symbol_weights: SymbolWeightsSeen | None = None
    attention: AttentionSeen | None = None
    feeding: FeedingSeen | None = None
    data: DataSeen | None = None
    modes: ModesSeen | None = None
    updates: UpdatesSeen | None = None
    rates: RatesSeen | None = None
    evaluations: EvaluationsSeen | None = None
    finished: FinishedSeen | None = None
    """Seen of a finished model only."""
    unseen: tuple[str, ...] = ()
    """Sentences that say what could not be seen, and why."""
    lines: Mapping[str, str] = field(default_factory=dict)
    """The lines of code at the places of findings, as {"train.py:12": "loss.backward()"}."""
    raised: RaisedSeen | None = None
    """The error that ended the training, if one did."""


WatchedRule = Callable[[Watched], Iterator[Finding]]


def _of(group: str, *rules: Callable[[Any], Iterator[Finding]]) -> tuple[WatchedRule, ...]:
    """Return rules that read one group of facts as rules that read all, if the group was seen."""

    def asked(rule: Callable[[Any], Iterator[Finding]]) -> WatchedRule:
        def ask(watched: Watched) -> Iterator[Finding]:
            seen = getattr(watched, group)
            if seen is not None:
                yield from rule(seen)

        return ask

    return tuple(asked(rule) for rule in rules)


RULES: tuple[WatchedRule, ...] = (
    *_of("raised", *raising.RAISING_RULES),
    *_of("rows", *rows.ROWS_RULES),
    *_of("losses", *losses.LOSSES_RULES),
    rates.without_logarithm,
    *_of("symbol_weights", *symbol_weights.WEIGHTS_RULES),
    *_of("attention", *attention.ATTENTION_RULES),
    *_of("feeding", *feeding.FEEDING_RULES),
    feeding.source_fed,
    *_of("data", *data.DATA_RULES),
    data.no_end,
    *_of("modes", *modes.MODES_RULES),
    updates.not_finite,
    updates.never_stepped,
    updates.cleared_before_step,
    updates.uncleared,
    updates.unregistered,
    updates.left_out,
    updates.constant,
    updates.detached,
    updates.made_anew,
    updates.unused_layers,
    evaluations.other_weights,
    evaluations.state_lost,
    evaluations.other_ids,
    evaluations.other_labels,
    evaluations.renamed,
    evaluations.misread,
    evaluations.other_sources,
    evaluations.start,
    evaluations.dropout,
    evaluations.same_fed,
    evaluations.forced,
    evaluations.attended,
    evaluations.padding,
    evaluations.never_stops,
    evaluations.stops_with_first,
    evaluations.too_short,
    *finished.FINISHED_RULES,
    *_of("rates", *rates.RATES_RULES),
    updates.badly_clipped,
)
"""In the order of cause and effect."""


ROWS_MIXED = frozenset(
    "view-for-transpose axes-swapped attention-over-batch rows-not-restored".split()
)
OF_MIXED = frozenset("attention-over-wrong-axis targets-transposed padding-attended".split())
CONSEQUENCES: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(ROWS_MIXED, OF_MIXED | {"ids-collide"}),
    "rows-not-restored": OF_MIXED | frozenset(["ids-collide", "mask-inverted"]),
    "view-for-transpose": OF_MIXED
    | frozenset("real-token-ignored no-eos-in-loss ids-collide".split()),
    **dict.fromkeys(["softmax-over-time", "softmax-over-batch"], frozenset(["no-eos-in-loss"])),
    "initialisation-constant": frozenset(
        "attention-constant query-constant source-cut unused-layer".split()
    ),
    "mask-inverted": frozenset(["attention-constant", "padding-attended", "loss-not-finite"]),
    "attention-constant": frozenset(["loss-not-finite"]),
    "attention-over-wrong-axis": frozenset(["loss-not-finite"]),
    "attention-over-batch": OF_MIXED | {"loss-not-finite"},
    "loss-not-finite": frozenset(
        "one-label rate-too-high rate-too-low padding-in-loss query-constant pairs-misaligned "
        "initialisation-too-large never-forced clip-after-step".split()
    ),
    "state-not-advanced": frozenset(["query-constant", "state-reset"]),
    "targets-transposed": frozenset(
        "real-token-ignored never-forced padding-in-loss no-eos-in-loss".split()
    ),
    "source-cut": frozenset(["encoder-left-out", "unused-layer", "attention-constant"]),
    "dropout-too-strong": frozenset(["one-label"]),
    "sequences-cut-off": frozenset(["no-eos-in-loss", "stops-too-early"]),
    "only-padding-in-loss": frozenset(["no-eos-in-loss"]),
    "always-start": frozenset(["never-forced"]),
    "rate-too-high": frozenset(["one-label"]),
    "unregistered-layers": frozenset(["part-left-out"]),
    "other-weights-at-evaluation": frozenset(["stops-too-early"]),
    "optimizer-not-stepped": frozenset(["encoder-left-out", "decoder-left-out", "part-left-out"]),
    "wrong-model-optimized": frozenset(["unused-layer", "part-left-out"]),
    "graph-cut": frozenset(["unused-layer", "source-cut"]),
    "encoder-detached": frozenset(["unused-layer", "source-cut"]),
    "cleared-before-step": frozenset(["optimizer-not-stepped", "rate-too-low"]),
    "uncleared-gradients": frozenset(["rate-too-low", "rate-too-high"]),
    **dict.fromkeys(
        ["initialisation-too-large", "saturating-embedding", "decay-too-high"],
        frozenset(["rate-too-high", "rate-too-low"]),
    ),
    "loss-maximised": frozenset(
        "rate-too-high rate-too-low schedule-too-fast real-token-ignored only-padding-in-loss "
        "no-eos-in-loss".split()
    ),
    "loss-of-last-step-only": frozenset(["only-padding-in-loss"]),
    "wrong-values": frozenset("first-slot-empty loss-of-last-step-only no-eos-in-loss".split()),
}
"""What follows from a cause: it is not reported beside it."""
SYMPTOMATIC = frozenset("one-label pairs-misaligned never-forced".split())
"""What is only likely and may follow from anything: not reported beside what is certain."""


def judge(watched: Watched, errors: list[Exception] | None = None) -> list[Finding]:
    """Return the causes found, in the order of cause and effect, those that are certain first.

    errors: takes the errors of rules, which find nothing then; None to let them pass.
    """
    found: dict[str, Finding] = {}
    for rule in RULES:
        try:
            for finding in rule(watched):
                found.setdefault(finding.cause, finding)
        except Exception as error:
            if errors is None:
                raise
            errors.append(error)
    return sorted(_without_consequences(found), key=lambda finding: finding.sure != SURE)


def _without_consequences(found: Mapping[str, Finding]) -> list[Finding]:
    """Return the findings that do not follow from others."""
    following = {name for cause in found for name in CONSEQUENCES.get(cause, ())}
    left = [finding for finding in found.values() if finding.cause not in following]
    if any(finding.sure == SURE for finding in left):
        left = [f for f in left if f.sure == SURE or f.cause not in SYMPTOMATIC]
    return left
