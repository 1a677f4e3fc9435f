"""Rules about the size of updates: clipping, weight decay, learning rate."""

from __future__ import annotations

import math
from collections.abc import Iterator

from results.doctor.advice import (
    LARGEST_RATIO,
    MEDIAN_RATIO,
    rate_remedies,
    remedy_text,
    rounded_rate,
    scaled_rate,
)
from results.doctor.examined import LIKELY, SURE, ExaminedRun, Finding, above, below, shown

# Thresholds were set on the half of the doctor's benchmark that is for tuning (docs/doctor.md).
OVER_CLIP = 1.01
"""Times the clipping norm above which a gradient was not clipped."""
SHRUNK = 0.53
"""Share of their first norm below which weights have shrunk by decay."""
UPDATE_TOO_LARGE = 0.08
"""Update-to-weight ratio above which training gets nowhere (about 0.001 is usual)."""
UPDATE_LARGE = 0.015
"""Update-to-weight ratio above which training may have got lost."""
UPDATE_TOO_SMALL = 2e-4
"""Update-to-weight ratio below which training gets nowhere."""
LITTLE_FALL = 0.7
"""Share of the first loss above which little was learned."""
WORSE_THAN_GUESSING = 1.05
"""Times the loss of guessing above which a loss at the end is worse than guessing."""
FAR_WORSE_THAN_GUESSING = 1.2
"""The same of the largest loss along the curve."""
USUAL = "about 0.001 is usual"


def unclipped(run: ExaminedRun) -> Iterator[Finding]:
    """Find a gradient larger than the variant's clipping allows."""
    clip = float(run.variant.get("clip", 0.0))
    applied = run.health.step.applied if run.health.step else None
    if clip and above(applied, OVER_CLIP * clip):
        yield Finding(
            "unclipped",
            SURE,
            f"a gradient of norm {applied:.3g} was applied without being clipped, though "
            f"clip={clip:g}",
            "loss.backward() becomes loss.backward(); clip_grad_norm_(model.parameters(), 1.0)",
        )


def diverged_without_clipping(run: ExaminedRun) -> Iterator[Finding]:
    """Find a run without clipping that diverged."""
    if not run.variant.get("clip", 0.0) and run.status == "diverged":
        largest = max(run.values("gradient_norm"), default=math.inf)
        yield Finding(
            "unclipped",
            LIKELY,
            f"it diverged without clipping; the largest gradient norm measured was {largest:.3g}",
            "clip=1",
            {"clip": 1.0},
        )


def decay_too_high(run: ExaminedRun) -> Iterator[Finding]:
    """Find weights that weight decay has shrunk."""
    weights = run.health.weights
    if run.solved or weights.first is None or not above(weights.decay, 0):
        return
    if below(weights.last, SHRUNK * weights.first):
        yield Finding(
            "decay-too-high",
            LIKELY,
            f"the norm of the weights fell from {weights.first:.3g} to {weights.last:.3g}: a decay "
            f"of {weights.decay:g} pulls them to 0 faster than the loss pulls them away from it",
            "weight_decay=0, or optimizer=adamw, which keeps decay out of the gradient",
            {"weight_decay": 0.0},
        )


def rate_too_low(run: ExaminedRun) -> Iterator[Finding]:
    """Find a run whose steps are so small that it hardly learns."""
    ratios, losses = sorted(run.values("update_ratio")), run.values("loss")
    if not ratios or not losses or run.status in ("solved", "diverged"):
        return
    median = ratios[len(ratios) // 2]
    if median < UPDATE_TOO_SMALL and _fell_little(losses):
        remedies = rate_remedies(run.variant, [scaled_rate(run.variant, median, MEDIAN_RATIO)])
        yield Finding(
            "rate-too-low",
            LIKELY,
            f"a step changes weights by {median:.2g} of their norm ({USUAL}), and the loss went "
            f"from {losses[0]:.3g} to {losses[-1]:.3g}",
            remedy_text(remedies),
            remedies[0],
            others=remedies[1:],
        )


def rate_too_high(run: ExaminedRun) -> Iterator[Finding]:
    """Find a run whose steps are so large that it learns nothing or gets worse than guessing."""
    ratios, losses = run.values("update_ratio"), run.values("loss")
    if not ratios or not losses or run.solved:
        return
    largest, guessing = max(ratios), run.health.loss.even
    nowhere = _fell_little(losses) and largest > UPDATE_TOO_LARGE
    if run.status == "diverged" or _lost(losses, largest, guessing) or nowhere:
        rate = float(run.variant.get("learning_rate", 0.0))
        scaled = min(scaled_rate(run.variant, largest, LARGEST_RATIO), rounded_rate(rate / 2))
        remedies = rate_remedies(run.variant, [scaled])
        yield Finding(
            "rate-too-high",
            LIKELY,
            f"a step changes weights by up to {largest:.2g} of their norm ({USUAL}), and the loss "
            f"went from {losses[0]:.3g} to {losses[-1]:.3g}; uniform guessing gives "
            f"{shown(guessing, '.3g')}",
            remedy_text(remedies),
            remedies[0],
            others=remedies[1:],
        )


def _fell_little(losses: list[float]) -> bool:
    return losses[-1] > LITTLE_FALL * losses[0]


def _lost(losses: list[float], largest_ratio: float, guessing: float | None) -> bool:
    """Return whether a run is worse than guessing, at the end or after steps that were large."""
    if guessing is None:
        return False
    jumped = max(losses) > FAR_WORSE_THAN_GUESSING * guessing and largest_ratio > UPDATE_LARGE
    return losses[-1] > WORSE_THAN_GUESSING * guessing or jumped
