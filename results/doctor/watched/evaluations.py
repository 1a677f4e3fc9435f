"""Rules about evaluations: in what mode they run, what they feed, and what they count."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from results.doctor.examined import LIKELY, SURE, Finding
from results.doctor.watched.evaluation_facts import (
    MOST_EXAMPLES_CHANGED,
    EvaluationsSeen,
    OtherSources,
)

LEAST_CHANGED = 0.02
"""Share of chosen symbols that another start symbol must change."""
LEAST_DIFFERENCE = 0.05
"""Difference between a score with padding and the score without it that counts."""


MOST_UNENDED = 0.1
"""Share of answers without an end, and of targets that are longer, that a limit may leave."""
SEVERAL = 3
"""Passes that do not all stop with their first example by chance."""
MANY_BACKWARDS = 0.75
"""Share of sources that look like training's if read backwards, from which on they are reversed."""
FEW_BACKWARDS = 0.25
"""The same of sources of training, below which it has a direction."""
MANY_UNSEEN = 0.1
"""Share of symbols that training's sources do not have."""
MANY_STRANGE = 0.25
"""Share of pairs of neighbours that training's sources do not have."""
MANY_LONGER = 0.5
"""Share of sources that are longer than all of training's."""
MOSTLY_TRAINED = 0.5
"""Share of predictions that are right from which on training has come to something."""
FAR_WORSE = 0.5
"""Share of these that other weights must lose to be called worse."""
MUCH_ATTENDED = 0.01
"""Mean weight on padding that training hides, from which on evaluation differs."""
MUCH_BETTER = 0.2
"""Difference between two shares of symbols or answers that is no chance."""


class HasEvaluations(Protocol):
    """Offers what the rules about evaluations read of all that was seen."""

    @property
    def evaluations(self) -> EvaluationsSeen | None:
        """Return what was seen of the evaluations."""


def dropout(watched: HasEvaluations) -> Iterator[Finding]:
    """Find dropout, or statistics of the batch, in evaluation."""
    seen = watched.evaluations
    if seen is None:
        return
    if seen.dropout is not None and seen.dropout.matters:
        one = seen.dropout
        yield Finding(
            "dropout-in-evaluation",
            SURE,
            f"dropout{one.detail} was active while symbols were chosen; with it switched off, "
            f"{one.changed:.0%} of {one.symbols:,} chosen symbols are others "
            f"(in {one.examples:.0%} of the examples)",
            "call model.eval() before evaluation, and model.train() before training goes on",
            place=one.place,
            why="Dropout deletes random parts of the model's state, so the answers that are "
            "scored are worse than what the model has learned.",
        )
    if seen.batch_norm is not None and seen.batch_norm.matters:
        one = seen.batch_norm
        yield Finding(
            "batch-norm-in-training",
            SURE,
            "batch norm used the statistics of the batch while symbols were chosen; with the "
            f"running ones {one.changed:.0%} of {one.symbols:,} chosen symbols are others",
            "call model.eval() before evaluation, and model.train() before training goes on",
            place=one.place,
            why="The answer for one example depends on which others happen to be in its batch.",
        )


def start(watched: HasEvaluations) -> Iterator[Finding]:
    """Find a first symbol that differs from that of training."""
    seen = watched.evaluations
    if seen is None or seen.start is None:
        return
    one = seen.start
    if one.changed is not None and one.changed < LEAST_CHANGED:
        return
    shown = ", ".join(map(str, one.fed[:4]))
    effect = "" if one.changed is None else f"; with {one.trained}, {one.changed:.0%} of the "
    yield Finding(
        "wrong-start-at-evaluation",
        SURE if one.changed is not None and one.changed > MOST_EXAMPLES_CHANGED else LIKELY,
        f"training always feeds the decoder symbol {one.trained} first, evaluation feeds {shown}"
        + (effect and effect + "answers are others"),
        f"begin decoding with symbol {one.trained}, as in training",
        place=one.place,
        why="The decoder has only learned to begin after its start symbol; after another one its "
        "first answer is a guess, and all later ones follow from it.",
    )


def state_lost(watched: HasEvaluations) -> Iterator[Finding]:
    """Find a decoder that forgets its state from step to step, in evaluation only."""
    seen = watched.evaluations
    if seen is None or seen.state_lost is None:
        return
    yield Finding(
        "state-not-carried-at-evaluation",
        SURE,
        "in training, what the decoder is fed in one step changes the steps after it; in "
        "evaluation it changes nothing after its own step",
        "keep the state that the decoder returns and pass it to the next step: "
        "output, hidden = decoder(token, hidden)",
        place=seen.state_lost,
        why="In evaluation each step begins again, so the decoder cannot know how far it has come.",
    )


def other_ids(watched: HasEvaluations) -> Iterator[Finding]:
    """Find symbols that are fed back with another offset than in training."""
    seen = watched.evaluations
    if seen is None or seen.ids is None:
        return
    one = seen.ids
    yield Finding(
        "labels-off-by-one",
        SURE,
        f"training feeds the symbol asked for before {one.trained:+d}, evaluation feeds the "
        f"chosen symbol {one.fed:+d}",
        f"feed back chosen {one.trained:+d} in evaluation, or use the same ids for the loss and "
        "the embedding",
        place=one.place,
        why="The decoder is fed other symbols than those it chose, so it goes on from a wrong one.",
    )


def other_labels(watched: HasEvaluations) -> Iterator[Finding]:
    """Find a number that is added to chosen symbols before they are compared or written down."""
    seen = watched.evaluations
    if seen is None or seen.handed is None:
        return
    one = seen.handed
    if one.right - one.equal < MUCH_BETTER:
        return
    yield Finding(
        "labels-off-by-one",
        SURE,
        f"evaluation adds {one.added:+d} to the chosen symbols, training {one.trained:+d} to those "
        f"that it feeds; {one.equal:.0%} of them equal the targets, and {one.right:.0%} if they "
        "are counted as in training",
        "read chosen symbols by the ids that training asks for: take away "
        f"{one.added - one.trained:+d}",
        place=one.place,
        why="The symbols that are scored are not those that the model has chosen.",
    )


def renamed(watched: HasEvaluations) -> Iterator[Finding]:
    """Find chosen symbols that are read by another vocabulary."""
    seen = watched.evaluations
    if seen is None or seen.renamed is None:
        return
    one = seen.renamed
    shown = ", ".join(f"{symbol} as {name}" for symbol, name in one.names)
    yield Finding(
        "other-vocabulary",
        LIKELY,
        f"the {one.symbols:,} symbols that the model chose come back from Python as others "
        f"({shown}): they were read by one vocabulary and looked up in another",
        "use the vocabulary that was built for training, and no other, to read what the model "
        "chooses",
        place=one.place,
        why="An id means another symbol in another vocabulary, so right answers count as wrong.",
    )


def misread(watched: HasEvaluations) -> Iterator[Finding]:
    """Find chosen symbols that are read by the vocabulary of the source."""
    seen = watched.evaluations
    if seen is None or seen.misread is None:
        return
    one = seen.misread
    yield Finding(
        "other-vocabulary",
        LIKELY,
        f"the model chooses among {one.chosen} symbols, and they are read by {one.vocabulary}, "
        f"which has {one.source}, as the source has",
        "read what the model chooses by the vocabulary of the targets",
        place=one.place,
        why="An id means another symbol in another vocabulary, so right answers count as wrong.",
    )


def forced(watched: HasEvaluations) -> Iterator[Finding]:
    """Find scores of symbols that were chosen while the reference was fed."""
    seen = watched.evaluations
    if seen is None or seen.forced is None or seen.forced.passes < seen.passes:
        return
    one = seen.forced
    yield Finding(
        "forced-at-evaluation",
        SURE,
        f"in all {seen.passes:,} passes of evaluation that choose symbols, the decoder was fed "
        f"the reference ({one.steps:.0%} of the steps after the first), never only its own choices",
        "feed the decoder its own last choice in evaluation: token = logits.argmax(-1) (a teacher "
        "forcing ratio of 0)",
        place=one.place,
        why="The score is that of a model which is told every right symbol before the next one; "
        "alone it can be far worse.",
    )


def same_fed(watched: HasEvaluations) -> Iterator[Finding]:
    """Find decoding that is fed its first symbol at every step."""
    seen = watched.evaluations
    if seen is None or seen.same_fed is None or seen.same_fed.others < MUCH_BETTER:
        return
    one = seen.same_fed
    first = "one symbol, the same for an example from step to step"
    what = first if one.symbol is None else f"symbol {one.symbol}"
    yield Finding(
        "always-start-at-evaluation",
        SURE,
        f"in all {seen.passes:,} passes of evaluation every step was fed {what}, "
        f"though {one.others:.0%} of the chosen symbols are others; training feeds several",
        "feed the symbol that was chosen last: token = logits.argmax(-1)",
        place=one.place,
        why="The decoder cannot know what it has said, and answers as if each step were the first.",
    )


def too_short(watched: HasEvaluations) -> Iterator[Finding]:
    """Find a limit of steps that cuts answers off."""
    seen = watched.evaluations
    if seen is None or seen.too_short is None:
        return
    one = seen.too_short
    # where the limit is what cuts answers off, as many have no end as there are longer targets
    if min(one.unended, one.longer) < MOST_UNENDED or abs(one.unended - one.longer) > MUCH_BETTER:
        return
    yield Finding(
        "stops-too-early",
        LIKELY,
        f"decoding stops after {one.steps} symbols; {one.unended:.0%} of the answers have no end "
        f"symbol by then, and {one.longer:.0%} of the training's targets are longer",
        "let decoding go on to the longest answer that is expected",
        place=one.place,
        why="A longer answer cannot be right, however good the model is.",
    )


def stops_with_first(watched: HasEvaluations) -> Iterator[Finding]:
    """Find decoding of a batch that stops as soon as one of its examples has ended."""
    seen = watched.evaluations
    if seen is None or seen.first_ends is None or seen.first_ends.unended < MOST_UNENDED:
        return
    one = seen.first_ends
    passes = "the pass" if one.passes == 1 else f"each of {one.passes} passes"
    yield Finding(
        "stops-too-early",
        LIKELY if one.passes < SEVERAL else SURE,
        f"{passes} of the evaluation stops at the step in which the first example of its batch "
        f"gives the end symbol; {one.unended:.0%} of the answers have no end by then",
        "stop when all examples have ended: finished |= token == end; if finished.all(): break",
        place=one.place,
        why="The answers of all other examples are cut off.",
    )


def other_sources(watched: HasEvaluations) -> Iterator[Finding]:
    """Find sources that are prepared in another way than those of training."""
    seen = watched.evaluations
    unlike = _unlike(seen.sources) if seen is not None and seen.sources is not None else None
    if seen is None or seen.sources is None or unlike is None:
        return
    yield Finding(
        "sources-unlike-training",
        LIKELY,
        unlike,
        "prepare sources by one and the same function in training and in evaluation",
        place=seen.sources.place,
        why="The model has learned nothing about sources of this kind, so its answers are guesses.",
    )


def _unlike(one: OtherSources) -> str | None:
    """Return in what the sources of an evaluation are unlike those of training, or None."""
    if one.backwards > MANY_BACKWARDS and one.backwards_trained < FEW_BACKWARDS:
        return (
            f"{one.backwards:.0%} of {one.rows} sources of the evaluation look like those of "
            f"training if they are read backwards ({one.backwards_trained:.0%} of training's do): "
            "one side is reversed"
        )
    if one.unseen > MANY_UNSEEN + one.unseen_trained:
        return (
            f"{one.unseen:.0%} of the symbols in {one.rows} sources of the evaluation do not occur "
            f"in training's ({one.unseen_trained:.0%} of other training sources')"
        )
    if one.strange > MANY_STRANGE + one.strange_trained:
        return (
            f"{one.strange:.0%} of the pairs of neighbouring symbols in {one.rows} sources of the "
            f"evaluation do not occur in training's ({one.strange_trained:.0%} of other training "
            "sources'), as with ids of another vocabulary"
        )
    if one.longer > MANY_LONGER:
        return (
            f"{one.longer:.0%} of {one.rows} sources of the evaluation are longer than all of "
            f"training's, the longest of which has {one.longest_trained} symbols"
        )
    sides = one.front is not None and one.front_trained is not None
    if sides and abs((one.front or 0.0) - (one.front_trained or 0.0)) > MANY_BACKWARDS:
        return (
            f"padding stands in front in {one.front:.0%} of the padded sources of the evaluation, "
            f"and in {one.front_trained:.0%} of training's"
        )
    return None


def other_weights(watched: HasEvaluations) -> Iterator[Finding]:
    """Find an evaluation of weights that are much worse than those trained until then."""
    seen = watched.evaluations
    if seen is None or seen.weights is None:
        return
    one = seen.weights
    if one.right < MOSTLY_TRAINED or one.right_with > FAR_WORSE * one.right:
        return
    what = "the same tensors with other values" if one.same == 1 else "other tensors than"
    yield Finding(
        "other-weights-at-evaluation",
        SURE,
        f"the weights that the evaluation uses are {what} those of training: on a batch of "
        f"training they predict {one.right_with:.0%} of the symbols right, the trained ones "
        f"{one.right:.0%}, {one.later:,} steps before",
        "evaluate the model that was trained; where an average of weights or a checkpoint is used, "
        "check its decay, and which one is loaded",
        place=one.place,
        why="What is scored is not the model that has learned.",
    )


def attended(watched: HasEvaluations) -> Iterator[Finding]:
    """Find an evaluation whose attention sees padding, which it does not in training."""
    seen = watched.evaluations
    if seen is None or seen.attended is None or seen.attended.weight < MUCH_ATTENDED:
        return
    yield Finding(
        "padding-attended",
        SURE,
        f"in training attention gives padding no weight at all, in the evaluation "
        f"{seen.attended.weight:.0%} where sources are padded",
        "give the decoder the same mask in evaluation as in training",
        place=seen.attended.place,
        why="The model has never seen what attention gives it there.",
    )


def padding(watched: HasEvaluations) -> Iterator[Finding]:
    """Find scores that count padding."""
    seen = watched.evaluations
    if seen is None or seen.padded is None:
        return
    one = seen.padded
    if abs(one.score - one.true_score) < LEAST_DIFFERENCE:
        return
    what = "rows" if one.rows else "positions"
    yield Finding(
        "metric-on-padding",
        SURE if not one.rows else LIKELY,
        f"{one.padding:,} of {one.positions:,} compared positions are padding (symbol "
        f"{one.symbol}): {one.score:.1%} of all {what} are equal, without padding "
        f"{one.true_score:.1%}",
        f"count only real symbols: ((out == target) & (target != {one.symbol})).sum() / "
        f"(target != {one.symbol}).sum()",
        place=one.place,
        why="The score says how well padding is answered, which nobody needs.",
    )


def never_stops(watched: HasEvaluations) -> Iterator[Finding]:
    """Find decoding that goes on behind the end symbol, whose output is never cut."""
    seen = watched.evaluations
    if seen is None or seen.overrun is None or seen.overrun.compared:
        return
    one = seen.overrun
    yield Finding(
        "never-stops",
        LIKELY,
        f"decoding goes on for {one.steps:.1f} steps behind the end symbol ({one.end}), and no "
        "line outside training compares anything with it",
        f"stop at the end symbol: if token == {one.end}: break (or cut the output there)",
        place=one.place,
        why="What stands behind the end is noise, and it makes right answers count as wrong.",
    )
