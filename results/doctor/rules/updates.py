"""Rules about evaluation, batches that affect each other, and what a training step does."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from results.doctor.examined import SURE, ExaminedRun, Finding, above, below, or_zero, shown
from results.doctor.rules.losses import SMALLEST_LOSS

NOT_ALIGNED = 0.99
"""Below this cosine, the gradient that was applied is not that of its batch."""
GROWN = 1.25
"""A gradient so many times as large as its batch's includes gradients of earlier steps."""
PARTS = ("embedding", "encoder")
"""Parts of a model that have causes of their own when the optimizer lacks them."""


def dropout_stays(run: ExaminedRun) -> Iterator[Finding]:
    """Find an evaluation with dropout."""
    evaluation = run.health.evaluation
    loss, proper = evaluation.loss, evaluation.proper
    if loss is None or proper is None or run.carries_state:
        return
    if abs(loss - proper) > run.tolerance * max(proper, SMALLEST_LOSS):
        yield Finding(
            "dropout-stays",
            SURE,
            f"evaluating the same examples twice gives losses of {loss:.4g} and "
            f"{shown(evaluation.again, '.4g')}, and without dropout the model's is {proper:.4g}",
            "evaluate(model) becomes model.eval(); evaluate(model); model.train()",
        )


def start_symbol_foreign(run: ExaminedRun) -> Iterator[Finding]:
    """Find an evaluation whose decoding begins with another symbol than training does."""
    decoding = run.health.decoding
    if decoding is not None and below(decoding.started, 1):
        yield Finding(
            "start-symbol-foreign",
            SURE,
            "evaluation feeds another symbol than bos first, in "
            f"{1 - decoding.started:.0%} of the outputs",
            "tokens = [source_vocabulary[BOS]] becomes tokens = [target_vocabulary[BOS]], "
            "embedded by the decoder's own table, as in training",
        )


def never_stops(run: ExaminedRun) -> Iterator[Finding]:
    """Find an evaluation that goes on when every output has ended."""
    decoding = run.health.decoding
    if decoding is not None and above(decoding.beyond, 0):
        yield Finding(
            "never-stops",
            SURE,
            "evaluation does not notice the end symbol: of a stand-in that ends every output at "
            f"its second step it asked for {decoding.beyond} more steps",
            "while output != eos: becomes done |= output.argmax(-1) == eos; if done.all(): break "
            "(compare ids, not tensors of other shapes)",
        )


def rows_not_independent(run: ExaminedRun) -> Iterator[Finding]:
    """Find outputs that depend on the batch before, or on other rows of the same batch."""
    after_another, moved_alone = run.health.again.after_another, run.health.alone.alike
    if run.carries_state:
        yield Finding(
            "state-carried",
            SURE,
            "outputs depend on the batch before: after a different one, logits move by "
            f"{shown(after_another, '.2g')} standard deviations",
            "model(x, state) becomes model(x, None): each batch starts from a fresh state",
        )
    elif above(moved_alone, run.tolerance):
        yield Finding(
            "axes-swapped",
            SURE,
            "rows of a batch affect each other: when a row is scored in a batch by itself, its "
            f"logits move by {moved_alone:.2g} standard deviations",
            "nn.GRU(E, H) of a (batch, time, E) tensor becomes nn.GRU(E, H, batch_first=True)",
        )


def fed_otherwise(run: ExaminedRun) -> Iterator[Finding]:
    """Find a step that feeds all tokens of the reference, or none, where it was to feed half."""
    step = run.health.step
    if step is None:
        return
    everywhere, nowhere = or_zero(step.alignment_everywhere), or_zero(step.alignment_nowhere)
    aligned, tolerance = max(everywhere, nowhere), run.tolerance
    if not (below(step.alignment, 1 - tolerance / 10) and aligned > 1 - tolerance / 100):
        return
    always = everywhere >= nowhere
    yield Finding(
        "always-forced" if always else "never-forced",
        SURE,
        "a step that was to feed every other token of the reference fed "
        f"{'all' if always else 'none'}: its gradient is that of such a step (cosine "
        f"{aligned:.4f})",
        "token = target[:, t] becomes token = target[:, t] if coin else logits.argmax(-1), with a "
        "coin tossed as the schedule says"
        if always
        else "token = logits.argmax(-1) becomes token = target[:, t] if coin else "
        "logits.argmax(-1), with a coin tossed as the schedule says",
    )


def part_left_out(run: ExaminedRun) -> Iterator[Finding]:
    """Find parameters that have a gradient but are not updated, once per part of the model."""
    step = run.health.step
    if step is None:
        return
    still = [name for name in step.without_update if name not in step.without_gradient]
    for part, names in _by_part(still).items():
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            yield Finding(
                f"{part}-left-out",
                SURE,
                f"{names[0]}{more} got a gradient and did not change in a training step",
                "Adam(model.decoder.parameters()) becomes Adam(model.parameters())",
            )


def _by_part(names: Sequence[str]) -> dict[str, list[str]]:
    """Return names of parameters by the part of the model they are in; the others as `part`."""
    by_part = {part: [name for name in names if name.startswith(f"{part}.")] for part in PARTS}
    known = {name for part in by_part.values() for name in part}
    return by_part | {"part": [name for name in names if name not in known]}


def embedding_frozen(run: ExaminedRun) -> Iterator[Finding]:
    """Find an embedding that takes no gradient though the variant trains it."""
    frozen = [name for name in run.health.frozen if "embedding." in name]
    meant = run.variant.get("embedding_init") == "one-hot"
    if frozen and not meant and run.variant.get("embedding_trained", "tuned") == "tuned":
        yield Finding(
            "embedding-frozen",
            SURE,
            f"{frozen[0]} takes no gradient, though the variant trains it",
            "embedding.weight.requires_grad_(False) becomes "
            "embedding.weight.requires_grad_(True); if it is meant to stay as it is, say "
            "embedding_trained=frozen",
        )


def uncleared_gradients(run: ExaminedRun) -> Iterator[Finding]:
    """Find a step whose gradient is not that of its batch alone."""
    step = run.health.step
    if step is None or run.carries_state:
        return
    if step.norm is None or step.own_norm is None or not math.isfinite(step.norm):
        # a gradient that overflowed has no direction
        return
    times = step.norm / max(step.own_norm, 1e-12)
    # a step that fed other tokens than asked for has another gradient too
    fed = max(or_zero(step.alignment_everywhere), or_zero(step.alignment_nowhere))
    other_direction = below(step.alignment, NOT_ALIGNED) and fed < 1 - run.tolerance
    # gradients of parameters that no optimizer has are never cleared and count in the norm
    larger = above(times, GROWN) and not step.without_update
    if other_direction or larger:
        yield Finding(
            "uncleared-gradients",
            SURE,
            "the gradient applied is not that of its batch: their cosine is "
            f"{shown(step.alignment, '.3f')}, and it is {times:.3g} times as large",
            "loss.backward() becomes optimizer.zero_grad(); loss.backward()",
        )


def source_cut(run: ExaminedRun) -> Iterator[Finding]:
    """Find an encoder that gets no gradient at all."""
    step, source = run.health.step, run.health.source
    if step is None:
        return
    names = [name for name in step.updates if name.startswith("encoder.")]
    dead = [name for name in step.without_gradient if name.startswith("encoder.")]
    if names and len(dead) == len(names):
        yield Finding(
            "source-cut",
            SURE,
            "no gradient reaches the encoder, and other sources give the same loss "
            f"({shown(source.shuffled, '.4g')} instead of {shown(source.loss, '.4g')})",
            "decoder(inputs, state.detach()) becomes decoder(inputs, state), with the outputs and "
            "the state of the encoder",
        )
