"""Judges what the loss is computed from: which softmax, which predictions, which targets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from results.doctor.examined import LIKELY, SURE, Finding

PROPER_SHARE = 0.6
"""Below this part of the probability asked for the right symbol, smoothing is too strong."""
MANY_IGNORED = 0.2
"""Share of real words that a loss leaves out, from which on a label is missing."""
FILL = re.compile(r"\W*(pad|padding|ignore|none|x)?\W*", re.IGNORECASE)
"""The text of a label that stands for no label."""
MOSTLY_RIGHT = 0.9
"""Share of predictions that are right above which a model has learned."""
ENOUGH = 200
"""Training steps after which a model has had time to learn."""
ENOUGH_FOR_TWO = 150
"""Training steps after which it has had time to learn more than one symbol."""
FEW_OTHERS = 0.01
"""Share of other symbols that must be asked for."""
COUNTED = 0.25
"""Share of the loss's weight on padding above which padding drowns the rest."""
MATCHED = 0.9
"""Share of targets that must match for an order of them to count as seen."""


@dataclass(frozen=True)
class Normalisation:
    """A softmax between the model's last layer and the loss."""

    function: str
    place: str
    over: str
    """What it sums to 1 over: symbols, time, batch, several predictions torn apart, or other."""
    shape: tuple[int, ...]
    axis: int
    logarithm: bool
    """Whether it gives logarithms of probabilities."""
    of_probabilities: bool
    """Whether it is given what another softmax gave."""


@dataclass(frozen=True)
class IgnoredLabel:
    """A label that the loss of a tagger ignores."""

    label: int
    share: float
    """Share of the words, without padding, that it leaves out."""
    vocabulary: str
    """What the vocabulary of the labels is called, if one was found."""
    text: str
    """The label's text in it."""


@dataclass(frozen=True)
class LossesSeen:
    """The facts about the loss, in the rounds that could be read."""

    place: str
    """The line where predictions are compared with targets."""
    function: str
    normalisations: tuple[Normalisation, ...] = ()
    """All softmaxes from the last layer to the loss, the loss's own at the end."""
    given: str = "logits"
    """What the loss is given: logits, probabilities or log-probabilities; unknown where it is given
    no finite numbers."""
    gradient_sign: float | None = None
    """Below 0 if the training makes the loss larger."""
    uphill: str | None = None
    """The line where the script itself adds gradients to weights instead of subtracting them."""
    predictions: int = 0
    """Predictions that count, in one round."""
    empty: int = 0
    """Predictions that count though no layer made them: they were left as they were filled."""
    empty_first: bool = False
    """Whether those are the first of each example."""
    share: float = 1.0
    """Mean part of the probability that is asked for the right symbol."""
    steps: int = 0
    """Predictions per example."""
    made_steps: int = 0
    """Predictions per example that the last layer makes, whether the loss reads them or not."""
    counted_steps: int = 0
    """Steps at which some example has weight in the loss."""
    only_symbol: int | None = None
    """The symbol asked for, if the loss asks for no other."""
    transposed: tuple[float, float] | None = None
    """Share of targets that are what is fed next: as they are, and in the other order of axes."""
    tags_transposed: tuple[float, float] | None = None
    """Of a tagger: share of positions where there is a word and the loss asks for a label, or
    neither: as they are, and in the other order of axes."""
    ignored_label: IgnoredLabel | None = None
    ignored_inside: int = 0
    """Predictions without weight that have others of the same example behind them with weight."""
    ignored_symbol: int | None = None
    """The symbol asked for there, if it is known."""
    padding_weight: float | None = None
    """Share of the loss's weight that is on padding."""
    padding_symbol: int | None = None
    only_predicted: tuple[int, float] | None = None
    """The symbol that nearly all predictions of the last round read give, and the share of them
    that is asked for another; None if they give several."""
    last_round: int = 0
    """Training steps before that round."""
    accuracy: float | None = None
    """Share of real symbols that the last round read predicts rightly, with the reference fed."""


def softmax_axis(seen: LossesSeen) -> Iterator[Finding]:
    """Find a softmax that runs over another axis than that of the symbols."""
    for norm in seen.normalisations:
        if norm.over in ("symbols", "other"):
            continue
        if norm.over == "one":
            yield _over_one(norm)
            return
        if norm.over == "several":
            yield _torn(norm)
            return
        yield Finding(
            f"softmax-over-{norm.over}",
            SURE,
            f"{norm.function} is given {_shape(norm.shape)} and normalises axis {norm.axis}, along "
            f"which {_LIES[norm.over]} lie: the probabilities of one prediction do not sum to 1",
            f"normalise the axis of the symbols: {norm.function}(..., dim=-1)"
            if norm.function != "cross_entropy"
            else "give cross_entropy the symbols as axis 1: logits.reshape(-1, number_of_symbols), "
            "or logits.permute(0, 2, 1) for (batch, time, symbols)",
            place=norm.place,
            why="predictions compete with each other instead of symbols, so the loss has a floor "
            "that no weights can pass.",
        )
        return


def _over_one(norm: Normalisation) -> Finding:
    return Finding(
        "softmax-over-batch",
        SURE,
        f"{norm.function} is given {_shape(norm.shape)} and normalises axis {norm.axis}, which has "
        "one element: every symbol gets the probability 1",
        f"normalise the axis of the symbols: {norm.function}(..., dim=-1)",
        place=norm.place,
        why="the loss is the same whatever the model says.",
    )


def _torn(norm: Normalisation) -> Finding:
    return Finding(
        "view-for-transpose",
        SURE,
        f"{norm.function} is given {_shape(norm.shape)}, and along its axis {norm.axis}, which it "
        "takes for the symbols, lie numbers of several predictions: a view or reshape has "
        "renumbered the logits",
        "exchange axes with permute, not with view: logits.permute(0, 2, 1) for "
        "(batch, symbols, time), or logits.reshape(-1, number_of_symbols) with targets.reshape(-1)",
        place=norm.place,
        why="each target is compared with scores of other steps and symbols.",
    )


_LIES = {"time": "the steps", "batch": "the examples of the batch"}


def loss_input(seen: LossesSeen) -> Iterator[Finding]:
    """Find a loss that takes logits and is given probabilities, or the other way round."""
    over = [norm for norm in seen.normalisations if norm.over == "symbols"]
    if any(norm.over not in ("symbols", "other") for norm in seen.normalisations):
        return
    twice = len(over) > 1 and not over[0].logarithm and over[-1].of_probabilities
    if twice and over[-1].function in ("cross_entropy", "log_softmax", "softmax"):
        yield Finding(
            "probabilities-as-logits",
            SURE,
            f"{over[0].function} ({over[0].place}) already makes probabilities of the last layer's "
            f"output, and {over[-1].function} ({over[-1].place}) applies a softmax to them again",
            "return the last layer's output without softmax; the loss applies it",
            place=over[0].place,
            why="a softmax of probabilities is nearly even whatever the model says, so gradients "
            "are small and the loss cannot come near 0.",
        )
    if seen.function == "nll_loss" and seen.given in ("logits", "probabilities"):
        yield Finding(
            "logits-as-log-probabilities",
            SURE,
            f"nll_loss is given {seen.given}, not logarithms of probabilities: no log_softmax "
            "stands between the last layer and the loss",
            "use nn.CrossEntropyLoss() in place of nn.NLLLoss(), or return "
            "F.log_softmax(logits, dim=-1)",
            place=seen.place,
            why="the loss falls without end when one output grows, whatever the others say.",
        )


def maximised(seen: LossesSeen) -> Iterator[Finding]:
    """Find a loss with the wrong sign, or steps that go up it; both together are right."""
    if seen.gradient_sign is None:  # going up is right where the number is a likelihood
        return
    grows = seen.gradient_sign < 0
    if seen.uphill and not grows:
        yield Finding(
            "loss-maximised",
            SURE,
            f"the update at {seen.uphill} moves the weights along the gradient, not against it, so "
            "each step makes the loss larger",
            "subtract the gradient: weight -= learning_rate * gradient (maximize=False of torch's "
            "optimizers)",
            place=seen.uphill,
            why="each step makes the right symbols less probable.",
        )
    if grows and not seen.uphill:
        yield Finding(
            "loss-maximised",
            SURE,
            f"the number whose backward() runs falls when the loss of {seen.place} grows: its "
            f"derivative with respect to it is {seen.gradient_sign:.3g}",
            "remove the minus sign before the loss",
            place=seen.place,
            why="each step makes the right symbols less probable.",
        )


def empty_slot(seen: LossesSeen) -> Iterator[Finding]:
    """Find predictions in the loss that no layer has made."""
    if seen.empty and seen.predictions:
        where = "the first of each example" if seen.empty_first else "among them"
        yield Finding(
            "first-slot-empty",
            SURE,
            f"{seen.empty} of the {seen.predictions + seen.empty} predictions in the loss were "
            f"never written: they hold what the tensor was filled with ({where})",
            "fill every slot that counts, or leave the empty one out on both sides: "
            "loss(outputs[1:], targets[1:])",
            place=seen.place,
            why="the model is asked for a symbol that it had no way to give, and decoding begins "
            "with that empty slot.",
        )


def transposed(seen: LossesSeen) -> Iterator[Finding]:
    """Find logits and targets that are flattened in different orders."""
    if seen.transposed is None:
        return
    now, other = seen.transposed
    if other >= MATCHED and now < other - 0.3:
        yield Finding(
            "targets-transposed",
            SURE,
            f"of the symbols that the loss asks for, {now:.0%} are the ones that the decoder is "
            f"fed next; flattened in the other order of axes it would be {other:.0%}",
            "bring logits and targets into the same order before flattening: "
            "targets.transpose(0, 1).reshape(-1), or batch_first for both",
            place=seen.place,
            why="each prediction is compared with the target of another example or step.",
        )


def tags_transposed(seen: LossesSeen) -> Iterator[Finding]:
    """Find a tagger's logits and labels that are flattened in different orders."""
    if seen.tags_transposed is None:
        return
    now, other = seen.tags_transposed
    if other == 1 and now < MATCHED:
        yield Finding(
            "targets-transposed",
            SURE,
            f"at {1 - now:.0%} of the positions the loss asks for a label where the source is "
            "padding, or ignores a word; flattened in the other order of axes, none is left",
            "bring logits and labels into the same order before flattening: "
            "labels.reshape(-1) for logits of shape (batch, steps, labels)",
            place=seen.place,
            why="each prediction is compared with the label of another word.",
        )


def ignored(seen: LossesSeen) -> Iterator[Finding]:
    """Find real symbols that the loss ignores as if they were padding."""
    if seen.ignored_inside and all(norm.over == "symbols" for norm in seen.normalisations):
        symbol = "" if seen.ignored_symbol is None else f" (symbol {seen.ignored_symbol})"
        yield Finding(
            "real-token-ignored",
            SURE,
            f"{seen.ignored_inside} predictions inside outputs{symbol} have no weight in the loss, "
            "though later ones of the same example count",
            "set ignore_index to the padding symbol only",
            place=seen.place,
            why="the model never learns to give that symbol.",
        )


def ignored_label(seen: LossesSeen) -> Iterator[Finding]:
    """Find a label of many real words that a tagger's loss ignores."""
    one = seen.ignored_label
    if one is None or one.share < MANY_IGNORED or not one.text or FILL.fullmatch(one.text):
        return
    yield Finding(
        "real-token-ignored",
        LIKELY,
        f"the loss ignores label {one.label}, which is {one.text!r} in {one.vocabulary}: "
        f"{one.share:.0%} of the words, without padding, have no weight",
        "pad labels with an id that no label has, such as -100, and ignore that",
        place=seen.place,
        why="the model never learns to give that label.",
    )


def only_one_symbol(seen: LossesSeen) -> Iterator[Finding]:
    """Find a loss that asks for one and the same symbol everywhere."""
    if seen.only_symbol is not None and seen.counted_steps >= 1:
        yield Finding(
            "only-padding-in-loss",
            SURE,
            f"all {seen.predictions} predictions with weight in the loss are asked for the same "
            f"symbol, {seen.only_symbol}",
            "check the mask of the loss: it must be 1 at real symbols and 0 at padding "
            "(mask = targets != pad)",
            place=seen.place,
            why="the model learns to give this symbol and no other.",
        )


def last_step_only(seen: LossesSeen) -> Iterator[Finding]:
    """Find a loss that reads only one of the decoder's steps."""
    if seen.made_steps >= 3 and seen.counted_steps == 1:
        yield Finding(
            "loss-of-last-step-only",
            SURE,
            f"the model makes {seen.made_steps} predictions for an example, and the loss reads one",
            "compute the loss of all steps: sum it in the loop, or keep all outputs",
            place=seen.place,
            why="nothing teaches the model what to output at the other steps.",
        )


def smoothing(seen: LossesSeen) -> Iterator[Finding]:
    """Find label smoothing that asks for little of the right symbol."""
    proper = all(norm.over == "symbols" for norm in seen.normalisations)
    if proper and 0 < seen.share < PROPER_SHARE:
        yield Finding(
            "smoothing-too-strong",
            LIKELY,
            f"the loss asks for only {seen.share:.2f} of the probability for the right symbol",
            "set label_smoothing to 0.1 or less",
            place=seen.place,
            why="the model is taught to be unsure.",
        )


def one_label(seen: LossesSeen) -> Iterator[Finding]:
    """Find a model that gives one symbol whatever it is given."""
    if seen.only_predicted is None or seen.last_round < ENOUGH_FOR_TWO:
        return
    symbol, others = seen.only_predicted
    if others > FEW_OTHERS and seen.only_symbol is None and (seen.accuracy or 0) < MOSTLY_RIGHT:
        yield Finding(
            "one-label",
            LIKELY,
            f"after {seen.last_round:,} steps nearly all predictions are symbol {symbol}, though "
            f"{others:.0%} are asked for others",
            "train longer or with a higher rate; give rare symbols more weight in the loss",
            place=seen.place,
            why="to say the commonest symbol lowers the loss at once, and what would lower it "
            "further has not been learned.",
        )


def padding(seen: LossesSeen) -> Iterator[Finding]:
    """Find padding that has much of the loss's weight, in a model that has not learned."""
    weight = seen.padding_weight
    if weight is None or weight < COUNTED or (seen.accuracy or 0) > MOSTLY_RIGHT:
        return
    yield Finding(
        "padding-in-loss",
        LIKELY,
        f"{weight:.0%} of the loss is that of padding (symbol {seen.padding_symbol}), and "
        f"{seen.accuracy or 0:.0%} of the real symbols are predicted rightly",
        f"leave padding out of the loss: ignore_index={seen.padding_symbol}",
        place=seen.place,
        why="predicting padding is easy and takes most of the gradient.",
    )


LOSSES_RULES = (
    softmax_axis,
    loss_input,
    maximised,
    empty_slot,
    transposed,
    tags_transposed,
    ignored,
    ignored_label,
    only_one_symbol,
    last_step_only,
    smoothing,
    padding,
    one_label,
)


def _shape(shape: tuple[int, ...]) -> str:
    return f"a tensor of shape {tuple(shape)}"
