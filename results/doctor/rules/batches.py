"""Rules about what the model is given: sources, decoder inputs, targets, padding."""

from __future__ import annotations

from collections.abc import Iterator

from results.doctor.examined import SURE, ExaminedRun, Finding, above, below, or_zero, shown

UNSHIFTED = 0.99
"""Share of rows whose inputs equal their targets above which targets are not shifted."""


def unsorted_sources(run: ExaminedRun) -> Iterator[Finding]:
    """Find batches whose sources are paired with other targets."""
    share = run.health.data.sources
    if below(share, 1):
        yield Finding(
            "unsorted-sources",
            SURE,
            f"{1 - share:.0%} of the sources in a batch are paired with another example's target",
            "source = source[order] becomes source, target = source[order], target[order]; or "
            "leave sorting to pack_padded_sequence(..., enforce_sorted=False), which restores the "
            "order",
        )


def unshifted_targets(run: ExaminedRun) -> Iterator[Finding]:
    """Find a decoder that reads the token that it has to predict."""
    equal = run.health.data.inputs_are_targets
    moved = run.health.leak.before if run.health.leak else None
    if _reads_later(run):
        return  # a decoder that reads backward; its inputs are shifted as they should be
    if above(moved, run.tolerance):
        seen = (
            "changing a token of the reference moves logits up to the step that predicts it by "
            f"{moved:.2g} standard deviations"
        )
    elif above(equal, UNSHIFTED):
        seen = f"the decoder's input equals its target in {equal:.0%} of the rows"
    else:
        return
    yield Finding(
        "unshifted-targets",
        SURE,
        f"label leakage: {seen}",
        "decoder(target) becomes decoder([BOS, *target[:-1]]); the loss takes target as before",
    )


def _reads_later(run: ExaminedRun) -> bool:
    """Return whether a token of the reference reaches steps before the one that predicts it."""
    return run.health.leak is not None and above(run.health.leak.earlier, run.tolerance)


def decoder_bidirectional(run: ExaminedRun) -> Iterator[Finding]:
    """Find a decoder that reads tokens of the reference that come later."""
    if _reads_later(run):
        leak = run.health.leak
        yield Finding(
            "decoder-bidirectional",
            SURE,
            "the decoder reads tokens that come later, of which there are none while it decodes: "
            "changing a token of the reference moves logits of earlier steps by "
            f"{shown(leak.earlier if leak else None, '.2g')} standard deviations",
            "nn.GRU(..., bidirectional=True) in the decoder becomes nn.GRU(...), and its output "
            "layer half as wide; in a Transformer, give the decoder its causal mask",
        )


def other_vocabulary(run: ExaminedRun) -> Iterator[Finding]:
    """Find targets that are numbered by another vocabulary."""
    share = run.health.data.targets
    if below(share, 1):
        yield Finding(
            "other-vocabulary",
            SURE,
            f"{1 - share:.0%} of the targets in a batch are not the ids of their examples",
            "[source_vocabulary[word] for word in target] becomes [target_vocabulary[word] for "
            "word in target], the vocabulary that outputs are decoded with",
        )


def padding_attended(run: ExaminedRun) -> Iterator[Finding]:
    """Find outputs that depend on padding.

    Rows that change each other without padding, or a state that is carried over, have other causes.
    """
    alone, tolerance = run.health.alone, run.tolerance
    moved = max(or_zero(alone.mixed), or_zero(run.health.source.under_padding))
    other_cause = run.carries_state or above(alone.alike, tolerance)
    if below(run.health.data.source_mask, 1) or (moved > tolerance and not other_cause):
        yield Finding(
            "padding-attended",
            SURE,
            f"the model reads padding: it moves the logits of a row by {moved:.2g} standard "
            "deviations",
            "scores.softmax(-1) becomes scores.masked_fill(source == PAD, -math.inf).softmax(-1), "
            "and encoder(x) becomes encoder(pack_padded_sequence(x, lengths, "
            "enforce_sorted=False))",
        )
