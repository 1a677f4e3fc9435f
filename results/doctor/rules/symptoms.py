"""Rules about the symptoms of a model that learned something and got stuck."""

from __future__ import annotations

from collections.abc import Iterator

from results.doctor.advice import MEDIAN_RATIO, rate_remedies, remedy_text, scaled_rate
from results.doctor.examined import LIKELY, ExaminedRun, Finding, above, below, shown

ONE_LABEL = 0.99
"""Share of the commonest label in the outputs above which nothing else is given."""
MANY_LABELS = 0.97
"""Share of the commonest label in the reference below which other labels matter."""
SAME_LOSS = 1.005
"""Times its loss below which a model with other sources has the same loss."""
BEGUN = 3
"""Evaluations from which a tagger is no longer at its beginning."""
FEW_DISTINCT = 0.3
"""Share of the distinct outputs that there should be, below which outputs are the same."""
FEW_ENDED = 0.5
"""Share of outputs that end by themselves, below which outputs do not end."""


def one_label(run: ExaminedRun) -> Iterator[Finding]:
    """Find a tagger that gives nearly every word the same label."""
    given, wanted = run.health.outputs.commonest, run.health.outputs.commonest_wanted
    if not (run.tagging and above(given, ONE_LABEL) and below(wanted, MANY_LABELS)):
        return
    # every tagger begins there; how long it stays is not waited for
    if run.solved or len(run.values("loss")) < BEGUN:
        return
    ratios = sorted(run.values("update_ratio"))
    rates = [scaled_rate(run.variant, ratios[len(ratios) // 2], MEDIAN_RATIO)] if ratios else []
    own = float(run.variant.get("learning_rate", 0.0))
    # steps that are too small leave it there; larger ones are tried, not smaller ones
    remedies = rate_remedies(run.variant, [rate for rate in rates if rate > own])
    tried = remedy_text(remedies)
    yield Finding(
        "one-label",
        LIKELY,
        f"the commonest label is {given:.0%} of the outputs and {wanted:.0%} of the reference",
        f"{tried}; else " * bool(tried) + "train longer, or weight rare labels more",
        remedies[0] if remedies else {},
        others=remedies[1:],
    )


def source_ignored(run: ExaminedRun) -> Iterator[Finding]:
    """Find a decoder that ignores its source."""
    own, other = run.health.source.loss, run.health.source.shuffled
    if own is None or not (run.stalled and run.learned):
        return
    if below(other, SAME_LOSS * own):
        yield Finding(
            "source-ignored",
            LIKELY,
            f"the loss is {other:.4g} with other examples' sources and {own:.4g} with their own",
            "the decoder learned the language of the targets and nothing from the sources: train "
            "longer, or use attention or a bridge",
            {"attention": "general"},
        )


def same_outputs(run: ExaminedRun) -> Iterator[Finding]:
    """Find a decoder that gives the same output for different sources."""
    given, wanted = run.health.outputs.distinct, run.health.outputs.distinct_wanted
    if wanted is None or not (run.stalled and run.learned):
        return
    if below(given, FEW_DISTINCT * wanted):
        yield Finding(
            "same-outputs",
            LIKELY,
            f"{given:.0%} of the outputs for different sources are distinct, where {wanted:.0%} "
            "should be",
            "the decoder learned what is likely on average: train longer, or use attention or a "
            "larger cell",
            {"attention": "general"},
        )


def never_ends(run: ExaminedRun) -> Iterator[Finding]:
    """Find a decoder whose outputs do not end."""
    outputs = run.health.outputs
    if run.stalled and run.learned and below(outputs.ended, FEW_ENDED):
        yield Finding(
            "never-ends",
            LIKELY,
            f"{outputs.ended:.0%} of the outputs end before the length limit, and they are "
            f"{shown(outputs.length, '.2g')} times as long as they should be",
            "put eos at the end of every target, and into the loss; train longer",
        )
