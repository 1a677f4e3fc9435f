"""The answers of an examination of a trained model, as typed records.

`bench.doctor` fills these in, the rules beside this module read them. `plain` and `from_plain`
write and read the JSON of a stored run, whose keys are the names of the fields.

A number is None if it was not measured: the question makes no sense for this run (a tagger has no
decoder), an earlier version of the suite did not ask it, or the answer was not a finite number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

DIGITS = 5
"""Significant digits of a stored number."""


IF_MEASURED = {"if_measured": True}
"""Marks a field whose key the JSON leaves out when it is None, instead of writing null."""


@dataclass(frozen=True)
class Measurements:
    """A group of answers that is stored as one JSON object."""

    def plain(self) -> dict[str, Any]:
        """Return the JSON form, with numbers rounded to DIGITS and null for infinity and NaN."""
        return {
            part.name: _plain(value)
            for part in fields(self)
            if (value := getattr(self, part.name)) is not None or not part.metadata
        }

    @classmethod
    def from_plain(cls, stored: Mapping[str, Any]) -> Self:
        """Read the JSON form.

        A missing key gives the field's default: earlier versions measured less. An unknown key is
        ignored: it is an answer of a newer version, and nothing here asks for it.
        """
        return cls(
            **{
                part.name: _read(stored[part.name], bool(part.metadata))
                for part in fields(cls)
                if part.name in stored
            }
        )


def _plain(value: Any) -> Any:
    if isinstance(value, Measurements):
        return value.plain()
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value


def _read(value: Any, if_measured: bool) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if value is None and if_measured:
        # the key is there, so it was measured and not finite; None would leave the key out
        return math.nan
    return value


@dataclass(frozen=True)
class BatchContents(Measurements):
    """Compares batches as training makes them with the examples that they are made of."""

    sources: float | None = None
    """Share of the rows whose source is that of their example."""
    source_mask: float | None = None
    """Share of the positions where the source mask is right."""
    inputs: float | None = None
    """Share of the rows whose decoder inputs are bos and the target without its last token."""
    inputs_are_targets: float | None = None
    """Share of the rows whose decoder inputs equal the targets, unshifted; None for a tagger."""
    targets: float | None = None
    """Share of the rows whose targets are those of their example; the least over the heads."""
    target_mask: float | None = None
    """Share of the positions where the target mask is right."""
    padding: float | None = None
    """Share of the source positions that are padding."""
    target_padding: float | None = None
    """Share of the target positions that are padding."""


@dataclass(frozen=True)
class Losses(Measurements):
    """Compares the loss that is trained by with other losses on the same batch, in nats.

    The common mistakes are not measured with label smoothing, which they do not know.
    """

    given: float | None = None
    """The loss that the run trains by."""
    even: float | None = None
    """The loss of guessing every symbol with the same probability."""
    proper: float | None = None
    """Cross-entropy over symbols at real positions, which is the right loss."""
    over_time: float | None = field(default=None, metadata=IF_MEASURED)
    """The loss with a softmax over the time axis."""
    over_batch: float | None = field(default=None, metadata=IF_MEASURED)
    """The loss with a softmax over the rows of the batch."""
    with_padding: float | None = field(default=None, metadata=IF_MEASURED)
    """The loss with padding counted like any symbol."""
    of_probabilities: float | None = field(default=None, metadata=IF_MEASURED)
    """The loss with probabilities given where it takes logits."""
    transposed: float | None = field(default=None, metadata=IF_MEASURED)
    """The loss with logits laid out by rows and targets laid out by steps."""
    without_eos: float | None = field(default=None, metadata=IF_MEASURED)
    """The loss without the end of each output; not measured for a tagger."""
    first_zero: float | None = field(default=None, metadata=IF_MEASURED)
    """The loss with zeros for the logits of the first step; not measured for a tagger."""


@dataclass(frozen=True)
class RowIndependence(Measurements):
    """Measures how far a row's logits move when the row is scored in a batch by itself.

    Both in units of the logits' standard deviation; None with fewer than two rows.
    """

    mixed: float | None = None
    """The largest change against a batch of different source lengths."""
    alike: float | None = None
    """The largest change against a batch of one source length, without padding."""


@dataclass(frozen=True)
class Repetition(Measurements):
    """Measures how far logits move when the same batch is scored once more.

    Both in units of the logits' standard deviation.
    """

    at_once: float | None = None
    """The largest change directly after, with the same random draws."""
    after_another: float | None = None
    """The largest change after a different batch of the same size, with the same random draws."""


@dataclass(frozen=True)
class TargetLeak(Measurements):
    """Measures how far logits move when one token of the reference is changed.

    Both in units of the logits' standard deviation; None if no target is long enough.
    """

    before: float | None = None
    """The largest change up to the step that predicts the token: above 0, it leaks."""
    after: float | None = None
    """The largest change after that step, where the token may be read."""
    earlier: float | None = field(default=None, metadata=IF_MEASURED)
    """The largest change at steps that come before the one that predicts the token."""


@dataclass(frozen=True)
class SourceUse(Measurements):
    """Measures what changes when the sources of a batch are exchanged."""

    loss: float | None = None
    """Cross-entropy with each example's own source, in nats."""
    shuffled: float | None = None
    """Cross-entropy with another example's source; for a tagger, its words in another order."""
    under_padding: float | None = None
    """Largest change of logits, in standard deviations, when ids at padding change."""


@dataclass(frozen=True)
class AttentionWeights(Measurements):
    """Describes where attention looks in the first steps of the reference."""

    padding: float | None = None
    """The largest mean weight on padding of any step."""
    entropy: float | None = None
    """Mean entropy of the weights as a share of that of even weights."""


@dataclass(frozen=True)
class OutputStatistics(Measurements):
    """Compares outputs that the model makes by itself with the references.

    The first two are measured for a tagger only, the others for a decoder only.
    """

    commonest: float | None = field(default=None, metadata=IF_MEASURED)
    """Share of the labels given that are the commonest label."""
    commonest_wanted: float | None = field(default=None, metadata=IF_MEASURED)
    """Share of the reference's labels that are the commonest label."""
    ended: float | None = field(default=None, metadata=IF_MEASURED)
    """Share of the outputs that ended by themselves before the length limit."""
    length: float | None = field(default=None, metadata=IF_MEASURED)
    """Tokens of all outputs over tokens of all references."""
    distinct: float | None = field(default=None, metadata=IF_MEASURED)
    """Distinct outputs over outputs."""
    distinct_wanted: float | None = field(default=None, metadata=IF_MEASURED)
    """Distinct references over references."""
    repeated: float | None = field(default=None, metadata=IF_MEASURED)
    """Share of the outputs' tokens that repeat the token before."""
    repeated_wanted: float | None = field(default=None, metadata=IF_MEASURED)
    """Share of the references' tokens that repeat the token before."""
    right: float | None = field(default=None, metadata=IF_MEASURED)
    """Share of the outputs that equal their reference."""


@dataclass(frozen=True)
class CellActivity(Measurements):
    """Describes how near the outputs and gates of one recurrent cell are to their limits."""

    saturated: tuple[float | None, ...] = ()
    """Share of outputs beyond +-0.99, at the first and at the last step that was run."""
    gates: tuple[float | None, ...] = ()
    """Share of gates within 0.01 of 0 or 1, at the first and at the last step that was run."""
    memory: float | None = None
    """The largest absolute value in the cell's memory at any step."""
    memory_mean: float | None = field(default=None, metadata=IF_MEASURED)
    """The mean absolute value in the cell's memory over all steps."""


@dataclass(frozen=True)
class WeightNorms(Measurements):
    """Compares the norm of all trained weights before the first and after the last step."""

    first: float | None = None
    """The norm before the first step."""
    last: float | None = None
    """The norm after the last step."""
    decay: float | None = None
    """The largest weight decay of the optimizer's parameter groups."""


@dataclass(frozen=True)
class EvaluationLosses(Measurements):
    """Compares the loss that evaluation reports with the model's own, in nats."""

    loss: float | None = None
    """The loss that the run's evaluation reports of some examples."""
    again: float | None = None
    """The same a second time; measured only if the first differs from the proper loss."""
    proper: float | None = None
    """Cross-entropy of a plain pass over the same examples, without dropout."""


@dataclass(frozen=True)
class DecodingProbe(Measurements):
    """Says how the run's evaluation decodes a stand-in whose outputs end at their second step."""

    started: float | None = None
    """Share of the rows that were first fed the start symbol."""
    beyond: int | None = None
    """Steps taken after every output had ended."""


@dataclass(frozen=True)
class StepEffect(Measurements):
    """Describes one more training step that feeds every other token of the reference."""

    norm: float | None = None
    """The norm of the gradient that the step applied, before clipping."""
    own_norm: float | None = None
    """The norm of the gradient of the step's batch alone."""
    alignment: float | None = None
    """Cosine of the angle between the gradient applied and that of the batch alone."""
    without_gradient: tuple[str, ...] = ()
    """Names of trained parameters that the loss gives no gradient."""
    without_update: tuple[str, ...] = ()
    """Names of trained parameters that the step did not change."""
    updates: Mapping[str, float | None] = field(default_factory=dict)
    """By parameter, the norm of its change over the norm of its value."""
    gradients: Mapping[str, float | None] = field(default_factory=dict)
    """By trained parameter, the norm of the gradient of the batch alone."""
    alignment_everywhere: float | None = field(default=None, metadata=IF_MEASURED)
    """Alignment with the gradient of feeding every token; measured if `alignment` is low."""
    alignment_nowhere: float | None = field(default=None, metadata=IF_MEASURED)
    """Alignment with the gradient of feeding no token; measured if `alignment` is low."""
    applied: float | None = None
    """Norm of the gradient applied, after clipping, in a step whose loss is made very large."""


@dataclass(frozen=True)
class Health(Measurements):
    """Everything that one examination measured."""

    data: BatchContents = BatchContents()
    loss: Losses = Losses()
    probabilities: float | None = None
    """Share of positions where the model gives probabilities instead of logits."""
    alone: RowIndependence = RowIndependence()
    again: Repetition = Repetition()
    leak: TargetLeak | None = None
    """None for a tagger, which reads no reference."""
    source: SourceUse = SourceUse()
    attention: AttentionWeights | None = None
    """None for a tagger and for a model without attention over the source."""
    outputs: OutputStatistics = OutputStatistics()
    hidden: Mapping[str, CellActivity] = field(default_factory=dict)
    """By the name of each recurrent cell, in the order in which they run."""
    profile: tuple[float | None, ...] | None = None
    """Norm of the loss's gradient at places from the first source symbol to the last, as shares of
    the largest; None if the model has no source embedding."""
    embedded: float | None = None
    """Root mean square of the embedded source symbols."""
    frozen: tuple[str, ...] = ()
    """Names of the parameters that take no gradient."""
    weights: WeightNorms = WeightNorms()
    evaluation: EvaluationLosses = EvaluationLosses()
    fed: float | None = None
    """Probability with which the run's last step fed a token of the reference."""
    decoding: DecodingProbe | None = field(default=None, metadata=IF_MEASURED)
    """Not measured for a tagger, which decodes nothing."""
    step: StepEffect | None = field(default=None, metadata=IF_MEASURED)
    """Measured in full precision only, and not where replicas are trained together."""

    @classmethod
    def from_plain(cls, stored: Mapping[str, Any]) -> Self:
        """Read the JSON form; a missing part is read as one where nothing was measured."""
        # null says that the question makes no sense for this run
        leak, attention, step = (stored.get(key) for key in ("leak", "attention", "step"))
        decoding = stored.get("decoding")
        profile = stored.get("profile")
        return cls(
            data=BatchContents.from_plain(stored.get("data", {})),
            loss=Losses.from_plain(stored.get("loss", {})),
            probabilities=stored.get("probabilities"),
            alone=RowIndependence.from_plain(stored.get("alone", {})),
            again=Repetition.from_plain(stored.get("again", {})),
            leak=None if leak is None else TargetLeak.from_plain(leak),
            source=SourceUse.from_plain(stored.get("source", {})),
            attention=None if attention is None else AttentionWeights.from_plain(attention),
            outputs=OutputStatistics.from_plain(stored.get("outputs", {})),
            hidden={
                name: CellActivity.from_plain(cell)
                for name, cell in stored.get("hidden", {}).items()
            },
            profile=None if profile is None else tuple(profile),
            embedded=stored.get("embedded"),
            frozen=tuple(stored.get("frozen", ())),
            weights=WeightNorms.from_plain(stored.get("weights", {})),
            evaluation=EvaluationLosses.from_plain(stored.get("evaluation", {})),
            fed=stored.get("fed"),
            decoding=None if decoding is None else DecodingProbe.from_plain(decoding),
            step=None if step is None else StepEffect.from_plain(step),
        )
