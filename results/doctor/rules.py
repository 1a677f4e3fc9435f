"""Why did it not learn? Rules over what a run's examination and its curve say.

Findings come in the order of what causes what: what the model is given, what it minimises, how it
is updated, what it can pass on, what it was shown. A symptom is only told where no cause is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from results.record import Record

Health = Mapping[str, Any]
SURE, LIKELY = "certain", "likely"
SAME = 1e-3
"""How far numbers may be apart that should be the same, as a share; low precision has LOW."""
LOW = 0.1
SATURATED = 0.5
"""Share of an encoder's gates or outputs that are at their ends at its first step."""
SHRUNK = 0.53
"""Times their first size, that weights are at the end where they decay too much."""
LARGE = 3.0
"""Root mean square of embedded symbols."""
SHUT = 0.2
"""Share of an encoder's gates at their ends at its first and its last step."""
VANISHED = 1e-4
"""Share of the largest gradient that still reaches a place of the source."""
HOT, WARM, COLD = 0.08, 0.015, 2e-4
"""Update-to-weight ratios: beyond the first and below the last training gets nowhere, and beyond
the second it may not (about 1e-3 is usual)."""
WILD = 1.2
"""A loss of so many times that of guessing."""
STALLED = 0.95
"""What is left at the end of the loss half-way, where training no longer gets anywhere."""
LEARNED = 0.6
"""Share of the loss of guessing, below which something was learned."""
ALIKE = 0.3
"""Share of the distinct outputs there should be."""
ENDING = 0.5
"""Share of outputs that end."""
EXPOSED = 0.25
"""Tokens right when fed the reference, less those right without."""
OFTEN = 5
"""Epochs after which examples can have been learned by heart."""
BY_HEART = 3.0
"""Times the training loss, that the validation loss is then."""


@dataclass(frozen=True)
class Finding:
    """cause: its name. sure: certain or likely. evidence: what was measured. change: what to do.
    remedy: axes to change for a run that tests it; none where code is wrong."""

    cause: str
    sure: str
    evidence: str
    change: str
    remedy: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Chart:
    """What rules read. health: as bench.doctor.examination gives it."""

    health: Health
    curve: Sequence[Mapping[str, Any]]
    variant: Mapping[str, Any]
    status: str
    tagging: bool

    @property
    def tolerance(self) -> float:
        """By the number format."""
        return SAME if self.variant.get("precision", "fp32") in ("fp32", "tf32") else LOW

    def of(self, part: str, key: str, default: float = math.nan) -> float:
        """A measurement; nan where there is none, with which every comparison is false."""
        inside = self.health.get(part) or {}
        value = inside.get(key)
        return default if value is None else float(value)

    def last(self, key: str) -> float:
        """Of the curve."""
        value = self.curve[-1].get(key) if self.curve else None
        return math.nan if value is None else float(value)

    def values(self, key: str) -> list[float]:
        """Along the curve."""
        return [float(point[key]) for point in self.curve if point.get(key) is not None]

    @property
    def stalled(self) -> bool:
        """Whether the loss hardly fell any more in the second half, all data having been seen."""
        losses = self.values("loss")
        seen = self.last("epoch") >= 1
        return seen and len(losses) >= 3 and losses[-1] > STALLED * losses[len(losses) // 2]

    @property
    def learned(self) -> bool:
        """Whether it is well below guessing, yet has not solved its task."""
        return self.status != "solved" and self.of("source", "loss") < LEARNED * self.of(
            "loss", "even"
        )


Rule = Callable[[Chart], Iterator[Finding]]


def chart(record: Record) -> Chart | None:
    """None for a run that was not examined."""
    health = record.outcome.get("health")
    if not health or "error" in health:
        return None
    return Chart(
        health,
        record.outcome.get("curve", []),
        record.variant,
        record.status,
        health.get("leak") is None,
    )


def findings(of: Chart) -> list[Finding]:
    """Causes, first what is nearest to the root; symptoms if there is no cause."""
    found: dict[str, Finding] = {}
    for rules in (DATA, MINIMISED, UPDATED, PASSED, SHOWN):
        for rule in rules:
            for one in rule(of):
                # what is only likely is told where nothing is certain
                if one.sure == SURE or not found:
                    found.setdefault(one.cause, one)
        # what is given wrongly makes all that comes after look wrong too
        if found and rules in (DATA, MINIMISED):
            return list(found.values())
    if not found:
        for rule in SYMPTOMS:
            for one in rule(of):
                found.setdefault(one.cause, one)
    return list(found.values())


# what the model is given


def _rows(of: Chart) -> Iterator[Finding]:
    share = of.of("data", "sources")
    if share < 1:
        yield Finding(
            "unsorted-sources",
            SURE,
            f"{1 - share:.0%} of the sources in a batch stand beside another example's target",
            "put rows back in their order after sorting (enforce_sorted=False does), or sort "
            "targets alike",
        )


def _unshifted(of: Chart) -> Iterator[Finding]:
    if of.of("data", "inputs_are_targets") > 0.99 or of.of("leak", "before") > of.tolerance:
        yield Finding(
            "unshifted-targets",
            SURE,
            "a prediction moves with the very token that it is to predict: changing one moves "
            f"logits before it by {of.of('leak', 'before'):.2g} of their spread",
            "feed bos and the target without its last token; predict the target",
        )


def _vocabulary(of: Chart) -> Iterator[Finding]:
    share = of.of("data", "targets")
    if share < 1:
        yield Finding(
            "other-vocabulary",
            SURE,
            f"{1 - share:.0%} of the targets in a batch are not the ids of their examples",
            "number targets by the vocabulary that outputs are read back with",
        )


def _padding(of: Chart) -> Iterator[Finding]:
    share, mixed = of.of("data", "source_mask"), of.of("alone", "mixed")
    moved = of.of("source", "under_padding")
    carried = of.of("again", "after_another") > of.tolerance
    apart = max(_or(mixed), _or(moved)) > of.tolerance and not carried
    if share < 1 or (apart and not of.of("alone", "alike") > of.tolerance):
        yield Finding(
            "padding-attended",
            SURE,
            "what stands under the padding is read: outputs of a row move by "
            f"{max(_or(mixed), _or(moved)):.2g} of their spread with it",
            "mask padding in the encoder (pack, or carry the state over it) and in attention",
        )


# what is minimised


LOSSES = {
    "over_time": ("softmax-over-time", "the softmax runs over the time axis", "dim=-1"),
    "over_batch": (
        "softmax-over-batch",
        "the softmax runs over the rows of the batch",
        "dim=-1",
    ),
    "with_padding": (
        "padding-in-loss",
        "padding counts in the loss like any symbol",
        "ignore_index, or pick the real positions",
    ),
    "without_eos": (
        "no-eos-in-loss",
        "the end of an output is not in the loss",
        "eos among the targets",
    ),
    "of_probabilities": (
        "probabilities-as-logits",
        "the loss takes logits and is given probabilities",
        "the last layer's output without softmax",
    ),
    "transposed": (
        "targets-transposed",
        "logits row by row meet targets step by step",
        "permute where view stands, or batch_first on both",
    ),
}


def _probabilities(of: Chart) -> Iterator[Finding]:
    share = _or(_number(of.health.get("probabilities")))
    if share > 0.99:
        yield Finding(
            "probabilities-as-logits",
            SURE,
            f"what the model gives is not below 0 and sums to 1 at {share:.0%} of positions: a "
            "softmax stands in it, and the loss takes logits",
            "the last layer's output without softmax",
        )


def _loss(of: Chart) -> Iterator[Finding]:
    given, proper = of.of("loss", "given"), of.of("loss", "proper")
    if not abs(given - proper) > of.tolerance * max(abs(proper), 0.01):
        return
    apart = {name: abs(given - of.of("loss", name, math.inf)) for name in LOSSES}
    nearest = min(apart, key=lambda name: apart[name])
    if apart[nearest] <= of.tolerance * max(abs(given), 0.01):
        cause, what, change = LOSSES[nearest]
        yield Finding(
            cause,
            SURE,
            f"{what}: the loss is {given:.4g}, which is just what that gives, where cross-entropy "
            f"over symbols at real positions is {proper:.4g}",
            f"give the loss {change}",
        )
    elif of.tagging:
        yield Finding(
            "one-label",
            LIKELY,
            f"the loss is {given:.4g} where cross-entropy is {proper:.4g}, and the commonest label "
            f"is {of.of('outputs', 'commonest'):.0%} of what is given, "
            f"{of.of('outputs', 'commonest_wanted'):.0%} of what is wanted",
            "weigh labels evenly, or rare ones more",
        )
    else:
        yield Finding(
            "another-loss",
            SURE,
            f"the loss is {given:.4g} where cross-entropy of the model's predictions is "
            f"{proper:.4g}",
            "compare the loss with torch.nn.functional.cross_entropy on one batch",
        )


# how it is updated


def _dropout(of: Chart) -> Iterator[Finding]:
    once, again = of.of("evaluation", "loss"), of.of("evaluation", "again")
    own = of.of("evaluation", "proper")
    carried = of.of("again", "after_another") > of.tolerance
    if not carried and abs(once - own) > of.tolerance * max(own, 0.01):
        yield Finding(
            "dropout-stays",
            SURE,
            f"the same examples evaluated twice have a loss of {once:.4g} and {again:.4g}, where "
            f"that of the model without dropout is {own:.4g}",
            "model.eval() before evaluation and decoding",
        )


def _mixed_rows(of: Chart) -> Iterator[Finding]:
    if of.of("again", "after_another") > of.tolerance:
        yield Finding(
            "state-carried",
            SURE,
            "outputs hang on the batch before: they move by "
            f"{of.of('again', 'after_another'):.2g} of their spread with another one",
            "start each batch from a fresh state, or detach and reset it",
        )
    elif of.of("alone", "alike") > of.tolerance:
        yield Finding(
            "axes-swapped",
            SURE,
            "rows of a batch change each other: a row by itself has outputs that are "
            f"{of.of('alone', 'alike'):.2g} of their spread away",
            "batch_first, or transpose: no layer may run along the batch",
        )


def _forcing(of: Chart) -> Iterator[Finding]:
    own = of.of("step", "alignment")
    everywhere, nowhere = (
        _or(of.of("step", f"alignment_{where}")) for where in ("everywhere", "nowhere")
    )
    other = max(everywhere, nowhere)
    if not (own < 1 - of.tolerance / 10 and other > 1 - of.tolerance / 100):
        return
    always = everywhere >= nowhere
    yield Finding(
        "always-forced" if always else "never-forced",
        SURE,
        "a step that was to feed every other reference token fed "
        f"{'all' if always else 'none'}: its gradient is that of such a step (cosine "
        f"{other:.4f})",
        "feed what the schedule says" + (" from the model's own output" if always else ""),
    )


def _uncleared(of: Chart) -> Iterator[Finding]:
    own = of.of("step", "alignment")
    other = max(_or(of.of("step", "alignment_everywhere")), _or(of.of("step", "alignment_nowhere")))
    carried = of.of("again", "after_another") > of.tolerance
    times = of.of("step", "norm") / max(of.of("step", "own_norm"), 1e-12)
    astray = own < 0.99 and other < 1 - of.tolerance
    # what no optimizer has is never cleared either, and counts in the norm
    grown = times > 1.25 and not (of.health.get("step") or {}).get("without_update")
    if (astray or grown) and not carried:
        yield Finding(
            "uncleared-gradients",
            SURE,
            f"the gradient applied is not that of its batch: cosine {own:.3f}, {times:.3g} times "
            "as large",
            "optimizer.zero_grad() before every backward()",
        )


def _left_out(of: Chart) -> Iterator[Finding]:
    step = of.health.get("step") or {}
    dead = set(step.get("without_gradient", ()))
    still = [name for name in step.get("without_update", ()) if name not in dead]
    for part in ("embedding", "encoder"):
        names = [name for name in still if name.startswith(part + ".")]
        if names:
            yield Finding(
                f"{part}-left-out",
                SURE,
                f"{names[0]}"
                + (f" and {len(names) - 1} more" if len(names) > 1 else "")
                + " get a gradient and never move",
                "give the optimizer all of model.parameters()",
            )
    others = [name for name in still if not name.startswith(("embedding.", "encoder."))]
    if others:
        yield Finding(
            "part-left-out",
            SURE,
            f"{others[0]} and {len(others) - 1} more get a gradient and never move",
            "give the optimizer all of model.parameters()",
        )
    frozen = [name for name in of.health.get("frozen", ()) if "embedding." in name]
    if frozen and of.variant.get("embedding_trained", "tuned") == "tuned":
        yield Finding(
            "embedding-frozen",
            SURE,
            f"{frozen[0]} takes no gradient, though it is said to be tuned",
            "requires_grad, or embedding_trained=frozen if that is meant",
        )


def _clip(of: Chart) -> Iterator[Finding]:
    clip, applied = float(of.variant.get("clip", 0.0)), of.of("step", "applied")
    if clip and applied > 1.01 * clip:
        yield Finding(
            "unclipped",
            SURE,
            f"a gradient made as large as {applied:.3g} was applied as it was, where clip={clip:g}",
            "clip_grad_norm_ between backward() and step()",
        )
    elif not clip and of.status == "diverged":
        yield Finding(
            "unclipped",
            LIKELY,
            "it diverged without clipping; the largest gradient norm seen was "
            f"{max(of.values('gradient_norm'), default=math.inf):.3g}",
            "clip=1",
            {"clip": 1.0},
        )


def _decay(of: Chart) -> Iterator[Finding]:
    first, last, decay = (of.of("weights", key) for key in ("first", "last", "decay"))
    if decay > 0 and last < SHRUNK * first and of.status != "solved":
        yield Finding(
            "decay-too-high",
            LIKELY,
            f"weights began at a size (norm) of {first:.3g} and ended at {last:.3g}: a decay of "
            f"{decay:g} pulls them to 0 faster than the loss pulls them apart",
            "weight_decay=0, or optimizer=adamw, which keeps decay out of the gradient",
            {"weight_decay": 0.0},
        )


def _rate(of: Chart) -> Iterator[Finding]:
    ratios = sorted(of.values("update_ratio"))
    losses = of.values("loss")
    if not ratios or not losses or of.status == "solved":
        return
    middle, most = ratios[len(ratios) // 2], max(ratios)
    rate = float(of.variant.get("learning_rate", 0.0))
    little = losses[-1] > 0.7 * losses[0]
    even = of.of("loss", "even")
    # worse than guessing, at the end or after steps that were large
    lost = losses[-1] > 1.05 * even or (max(losses) > WILD * even and most > WARM)
    if middle < COLD and little and of.status != "diverged":
        yield Finding(
            "rate-too-low",
            LIKELY,
            f"a step changes weights by {middle:.2g} of their size (about 0.001 is usual), and the "
            f"loss went from {losses[0]:.3g} to {losses[-1]:.3g}",
            f"learning_rate={rate * 10:g}",
            {"learning_rate": rate * 10},
        )
    elif of.status == "diverged" or lost or (little and most > HOT):
        yield Finding(
            "rate-too-high",
            LIKELY,
            f"a step changes weights by up to {most:.2g} of their size (about 0.001 is usual), and "
            f"the loss went from {losses[0]:.3g} to {losses[-1]:.3g}; guessing has {even:.3g}",
            f"learning_rate={rate / 10:g}",
            {"learning_rate": rate / 10},
        )


# what it can pass on


def _cut(of: Chart) -> Iterator[Finding]:
    step = of.health.get("step") or {}
    names = [n for n in step.get("updates", ()) if n.startswith("encoder.")]
    dead = [name for name in step.get("without_gradient", ()) if name.startswith("encoder.")]
    if names and len(dead) == len(names):
        yield Finding(
            "source-cut",
            SURE,
            "no gradient reaches the encoder, and the loss is the same with other sources "
            f"({of.of('source', 'shuffled'):.4g} and {of.of('source', 'loss'):.4g})",
            "hand the encoder's outputs and state to the decoder; look for detach()",
        )


def _saturated(of: Chart) -> Iterator[Finding]:
    cells = {n: c for n, c in (of.health.get("hidden") or {}).items() if "decoder" not in n}
    if not cells or of.status == "solved":
        return
    name, cell = next(iter(cells.items()))
    at_ends = max(_or(_number(cell["saturated"][0])), _or(_number(cell["gates"][0])))
    if at_ends > SATURATED and _or(_number(of.health.get("embedded"))) > LARGE:
        yield Finding(
            "saturating-embedding",
            LIKELY,
            f"{at_ends:.0%} of the gates or outputs of {name} are at their ends at the first step, "
            f"where nearly no gradient passes; embedded symbols are {of.health['embedded']:.3g} in "
            "size (root mean square)",
            "smaller first values of the embedding: embedding_init=uniform",
            {"embedding_init": "uniform", "embedding_range": 0.1},
        )


def _shut(of: Chart) -> Iterator[Finding]:
    cells = {n: c for n, c in (of.health.get("hidden") or {}).items() if "decoder" not in n}
    if not cells or of.status == "solved":
        return
    name, cell = next(iter(cells.items()))
    shut = min(_or(_number(value)) for value in cell["gates"])
    if shut > SHUT and _or(_number(of.health.get("embedded"))) <= LARGE:
        yield Finding(
            "vanishing-memory",
            LIKELY,
            f"{shut:.0%} of the gates of {name} are at their ends from the first step to the last, "
            "though what they read is small",
            "first values that leave gates open: weight_init=default, forget_bias=1",
        )


def _vanishing(of: Chart) -> Iterator[Finding]:
    profile = of.health.get("profile") or []
    if of.status == "solved" or not profile or None in profile or not any(profile):
        return
    least = min(profile)
    if least < VANISHED:
        where = "first" if profile[0] == least else "last" if profile[-1] == least else "middle"
        yield Finding(
            "vanishing-memory",
            LIKELY,
            f"the gradient at the {where} symbols of a source is {least:.1g} of the largest",
            "a gated cell, attention, orthogonal first values: cell=lstm,attention=general",
            {"cell": "lstm", "attention": "general"},
        )


# what it was shown


def _exposure(of: Chart) -> Iterator[Finding]:
    forced, alone = of.last("forced_accuracy"), of.last("token_accuracy")
    fed = of.health.get("fed")
    if of.tagging or of.status == "solved" or fed is None:
        return
    if fed >= 1 and forced > 0.85 and forced - alone > EXPOSED:
        yield Finding(
            "always-forced",
            LIKELY,
            f"fed the reference, {forced:.0%} of tokens are right; fed its own output, {alone:.0%}",
            "forcing=constant with forcing_rate=0.5, or attention",
            {"forcing": "constant", "forcing_rate": 0.5},
        )
    elif of.variant.get("forcing") == "never" and forced < 0.9:
        yield Finding(
            "never-forced",
            LIKELY,
            f"the reference was never fed, and {forced:.0%} of tokens are right",
            "forcing=always to begin with",
            {"forcing": "always"},
        )


def _overfitted(of: Chart) -> Iterator[Finding]:
    trained, valid = of.values("loss"), of.values("valid_loss")
    if of.status == "solved" or not trained or len(valid) < 3 or of.last("epoch") < OFTEN:
        return
    still = valid[-1] > STALLED * valid[len(valid) // 2]
    even = of.of("loss", "even")
    if still and valid[-1] > BY_HEART * trained[-1] and valid[-1] > 0.05 * even:
        dropped = float(of.variant.get("dropout", 0.0))
        yield Finding(
            "overfitting",
            LIKELY,
            f"after {of.last('epoch'):.0f} epochs the loss is {trained[-1]:.3g} on what is trained "
            f"on, {valid[-1]:.3g} on validation, {min(valid):.3g} where that was least",
            "more data; else dropout, or a smaller hidden",
            {"dropout": 0.3} if dropped < 0.3 else {"hidden": int(of.variant["hidden"]) // 2},
        )


# symptoms


def _one_label(of: Chart) -> Iterator[Finding]:
    given, wanted = of.of("outputs", "commonest"), of.of("outputs", "commonest_wanted")
    if of.tagging and of.stalled and given > 0.99 and wanted < 0.97:
        yield Finding(
            "one-label",
            LIKELY,
            f"the commonest label is {given:.0%} of what is given, {wanted:.0%} of what is wanted",
            "train longer, or weigh rare labels more",
        )


def _ignored(of: Chart) -> Iterator[Finding]:
    own, other = of.of("source", "loss"), of.of("source", "shuffled")
    if of.stalled and of.learned and other < 1.005 * own:
        yield Finding(
            "source-ignored",
            LIKELY,
            f"with other sources the loss is {other:.4g}, with their own {own:.4g}",
            "the decoder learned the language of the targets and nothing of the sources: train "
            "longer, attention, a bridge",
            {"attention": "general"},
        )


def _same(of: Chart) -> Iterator[Finding]:
    given, wanted = of.of("outputs", "distinct"), of.of("outputs", "distinct_wanted")
    if of.stalled and of.learned and given < ALIKE * wanted:
        yield Finding(
            "same-outputs",
            LIKELY,
            f"{given:.0%} of the outputs for different sources differ, where {wanted:.0%} should",
            "the decoder found what is likely on average: train longer, attention, a larger cell",
            {"attention": "general"},
        )


def _endless(of: Chart) -> Iterator[Finding]:
    ended = of.of("outputs", "ended")
    if of.stalled and of.learned and ended < ENDING:
        yield Finding(
            "never-ends",
            LIKELY,
            f"{ended:.0%} of the outputs end by themselves, and they are "
            f"{of.of('outputs', 'length'):.2g} times as long as they should be",
            "eos at the end of every target, and in the loss; train longer",
        )


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _or(value: float) -> float:
    return 0.0 if math.isnan(value) else value


DATA: tuple[Rule, ...] = (_rows, _unshifted, _vocabulary, _padding)
MINIMISED: tuple[Rule, ...] = (_loss, _probabilities)
UPDATED: tuple[Rule, ...] = (
    _dropout,
    _mixed_rows,
    _forcing,
    _left_out,
    _uncleared,
    _cut,
    _clip,
    _decay,
    _rate,
)
PASSED: tuple[Rule, ...] = (_saturated, _shut, _vanishing)
SHOWN: tuple[Rule, ...] = (_exposure, _overfitted)
SYMPTOMS: tuple[Rule, ...] = (_one_label, _ignored, _same, _endless)
