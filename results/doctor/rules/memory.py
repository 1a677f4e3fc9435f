"""Rules about what the model can remember: saturated gates, gradients that vanish."""

from __future__ import annotations

from collections.abc import Iterator

from results.doctor.examined import LIKELY, ExaminedRun, Finding, above, or_zero
from results.doctor.health import CellActivity

# Thresholds were set on the half of the doctor's benchmark that is for tuning (docs/doctor.md).
SATURATED_SHARE = 0.5
"""Share of an encoder's gates or outputs that are saturated above which it learns nothing."""
LARGE_EMBEDDING = 3.0
"""Root mean square of embedded symbols above which they saturate what reads them."""
SHUT_SHARE = 0.2
"""Share of an encoder's gates that are fully open or shut above which it remembers nothing."""
VANISHED = 1e-4
"""Share of the largest gradient below which nothing is learned at a place of the source."""


def _first_encoder_cell(run: ExaminedRun) -> tuple[str, CellActivity] | None:
    """Return the encoder's first recurrent cell with its name, unless the run solved its task."""
    cells = [(n, cell) for n, cell in run.health.hidden.items() if "decoder" not in n]
    return cells[0] if cells and not run.solved else None


def saturating_embedding(run: ExaminedRun) -> Iterator[Finding]:
    """Find an encoder that large embedded symbols saturate at the first step."""
    encoder, embedded = _first_encoder_cell(run), run.health.embedded
    if encoder is None or not above(embedded, LARGE_EMBEDDING):
        return
    name, cell = encoder
    saturated = max(or_zero(cell.saturated[0]), or_zero(cell.gates[0]))
    if saturated > SATURATED_SHARE:
        yield Finding(
            "saturating-embedding",
            LIKELY,
            f"{saturated:.0%} of the gates or outputs of {name} are saturated at the first step, "
            f"where almost no gradient passes; embedded symbols have a root mean square of "
            f"{embedded:.3g}",
            "initialise the embedding with smaller values: embedding_init=uniform",
            {"embedding_init": "uniform", "embedding_range": 0.1},
        )


def shut_gates(run: ExaminedRun) -> Iterator[Finding]:
    """Find an encoder whose gates stay fully open or shut, though its inputs are small."""
    encoder = _first_encoder_cell(run)
    if encoder is None or or_zero(run.health.embedded) > LARGE_EMBEDDING:
        return
    name, cell = encoder
    shut = min(or_zero(share) for share in cell.gates)
    if shut > SHUT_SHARE:
        yield Finding(
            "vanishing-memory",
            LIKELY,
            f"{shut:.0%} of the gates of {name} are fully open or shut from the first step to the "
            "last, though its inputs are small",
            "initialise gates so that they are open: weight_init=default, forget_bias=1",
        )


def vanishing_gradient(run: ExaminedRun) -> Iterator[Finding]:
    """Find a place of the source that almost no gradient reaches."""
    profile = _whole_profile(run)
    if run.solved or not any(profile):
        return
    least = min(profile)
    if least < VANISHED:
        where = "first" if profile[0] == least else "last" if profile[-1] == least else "middle"
        yield Finding(
            "vanishing-memory",
            LIKELY,
            f"the gradient at the {where} symbols of a source is {least:.1g} of the largest",
            "a gated cell, attention, or orthogonal initialisation: cell=lstm,attention=general",
            {"cell": "lstm", "attention": "general"},
        )


def _whole_profile(run: ExaminedRun) -> list[float]:
    """Return the share of the gradient at each place of the source; none if one is not known."""
    profile = run.health.profile or ()
    known = [share for share in profile if share is not None]
    return known if len(known) == len(profile) else []
