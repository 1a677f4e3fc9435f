"""Why did it not learn? Rules that judge what an examination and a curve show.

Each rule is a function from an examined run to the findings it makes, mostly none or one. Groups of
rules are asked in the order of cause and effect: what the model is given, what it minimises, how
it is updated, what it can remember, what training showed it. Symptoms are only reported where no
cause is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from results.doctor.examined import SURE, ExaminedRun, Finding
from results.doctor.rules import batches, exposure, losses, memory, rates, symptoms, updates

__all__ = ["ASKED", "Rule", "findings"]

Rule = Callable[[ExaminedRun], Iterator[Finding]]

BATCHES: tuple[Rule, ...] = (
    batches.unsorted_sources,
    batches.decoder_bidirectional,
    batches.unshifted_targets,
    batches.other_vocabulary,
    batches.padding_attended,
)
MINIMISED: tuple[Rule, ...] = (losses.wrong_loss, losses.probabilities_as_logits)
UPDATED: tuple[Rule, ...] = (
    updates.dropout_stays,
    updates.start_symbol_foreign,
    updates.never_stops,
    updates.rows_not_independent,
    updates.fed_otherwise,
    updates.part_left_out,
    updates.embedding_frozen,
    updates.uncleared_gradients,
    updates.source_cut,
    rates.unclipped,
    rates.diverged_without_clipping,
    rates.decay_too_high,
    rates.rate_too_low,
    rates.rate_too_high,
)
REMEMBERED: tuple[Rule, ...] = (
    memory.saturating_embedding,
    memory.shut_gates,
    memory.vanishing_gradient,
)
TRAINED_ON: tuple[Rule, ...] = (
    exposure.always_forced,
    exposure.never_forced,
    exposure.overfitting,
)
SYMPTOMS: tuple[Rule, ...] = (
    symptoms.one_label,
    symptoms.source_ignored,
    symptoms.same_outputs,
    symptoms.never_ends,
)
ASKED: Mapping[str, tuple[Rule, ...]] = {
    "what the model is given": BATCHES,
    "what it minimises": MINIMISED,
    "how it is updated": UPDATED,
    "what it can remember": REMEMBERED,
    "what training showed it": TRAINED_ON,
    "symptoms": SYMPTOMS,
}
"""Rules by what they ask about, in the order of asking."""
CAUSES = (BATCHES, MINIMISED, UPDATED, REMEMBERED, TRAINED_ON)
MISLEADING = (BATCHES, MINIMISED)
"""Groups whose findings make everything after them look wrong too: no more rules are asked."""


def findings(run: ExaminedRun) -> list[Finding]:
    """Return the causes found, in the order of cause and effect; symptoms if there is none.

    A cause that is only likely is left out if another was found before it.
    """
    found: dict[str, Finding] = {}
    for group in CAUSES:
        for finding in _made_by(group, run):
            if finding.sure == SURE or not found:
                found.setdefault(finding.cause, finding)
        if found and group in MISLEADING:
            break
    if not found:
        for finding in _made_by(SYMPTOMS, run):
            found.setdefault(finding.cause, finding)
    return list(found.values())


def _made_by(rules: tuple[Rule, ...], run: ExaminedRun) -> Iterator[Finding]:
    for rule in rules:
        yield from rule(run)
