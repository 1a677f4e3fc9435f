"""Rules about what training showed the model: the reference, its own outputs, enough data."""

from __future__ import annotations

from collections.abc import Iterator

from results.doctor.examined import LIKELY, STALLED, ExaminedRun, Finding, below

FORCED_WELL = 0.85
"""Teacher-forced token accuracy above which a model has learned to continue the reference."""
EXPOSED = 0.25
"""Teacher-forced accuracy minus free-running accuracy above which a model needs the reference."""
FORCED_BADLY = 0.9
"""Teacher-forced accuracy below which a model that never read the reference learned too little."""
EPOCHS_TO_MEMORISE = 5
"""Epochs after which a model can have memorised its examples."""
MEMORISED = 3.0
"""Times the training loss above which the validation loss shows memorised examples."""
AS_GOOD_AS_SOLVED = 0.05
"""Share of the loss of guessing up to which a validation loss is no problem."""
MOST_DROPOUT = 0.3
"""Dropout that is advised; from there on, a smaller model is advised instead."""


def always_forced(run: ExaminedRun) -> Iterator[Finding]:
    """Find a decoder that always read the reference and fails without it."""
    fed, forced, free = run.health.fed, run.last("forced_accuracy"), run.last("token_accuracy")
    if run.tagging or run.solved or fed is None or forced is None or free is None:
        return
    if fed >= 1 and forced > FORCED_WELL and forced - free > EXPOSED:
        yield Finding(
            "always-forced",
            LIKELY,
            f"{forced:.0%} of tokens are right when the decoder reads the reference, {free:.0%} "
            "when it reads its own output",
            "forcing=constant with forcing_rate=0.5, or attention",
            {"forcing": "constant", "forcing_rate": 0.5},
        )


def never_forced(run: ExaminedRun) -> Iterator[Finding]:
    """Find a decoder that never read the reference and learned too little."""
    forced = run.last("forced_accuracy")
    if run.tagging or run.solved or run.health.fed is None:
        return
    if run.variant.get("forcing") == "never" and below(forced, FORCED_BADLY):
        yield Finding(
            "never-forced",
            LIKELY,
            f"the decoder never read the reference in training, and {forced:.0%} of tokens are "
            "right when it does",
            "begin with forcing=always",
            {"forcing": "always"},
        )


def overfitting(run: ExaminedRun) -> Iterator[Finding]:
    """Find a model that memorised its training examples."""
    trained, valid = run.values("loss"), run.values("valid_loss")
    epochs, guessing = run.last("epoch"), run.health.loss.even
    if run.solved or not trained or len(valid) < 3 or epochs is None or guessing is None:
        return
    falling = valid[-1] <= STALLED * valid[len(valid) // 2]
    if epochs < EPOCHS_TO_MEMORISE or falling:
        return
    if valid[-1] > MEMORISED * trained[-1] and valid[-1] > AS_GOOD_AS_SOLVED * guessing:
        yield Finding(
            "overfitting",
            LIKELY,
            f"after {epochs:.0f} epochs the loss is {trained[-1]:.3g} on training data and "
            f"{valid[-1]:.3g} on validation data, where its minimum was {min(valid):.3g}",
            "more data; else dropout, or a smaller hidden size",
            _against_overfitting(run),
        )


def _against_overfitting(run: ExaminedRun) -> dict[str, float]:
    if float(run.variant.get("dropout", 0.0)) < MOST_DROPOUT:
        return {"dropout": MOST_DROPOUT}
    return {"hidden": int(run.variant["hidden"]) // 2}
