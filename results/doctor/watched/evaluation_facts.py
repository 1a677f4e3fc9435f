"""Holds what was seen of evaluations, for `results.doctor.watched.evaluations` to judge."""

from __future__ import annotations

from dataclasses import dataclass

MOST_CHANGED = 0.04
"""Share of chosen symbols that randomness may change without a finding."""
MOST_EXAMPLES_CHANGED = 0.12
"""The same of examples in which any symbol changes."""


@dataclass(frozen=True)
class Switched:
    """Chosen symbols, compared with the same pass after something was switched off or replaced."""

    changed: float
    """Share of the symbols that differ."""
    examples: float
    """Share of the examples in which any symbol differs."""
    symbols: int
    place: str
    detail: str = ""

    @property
    def matters(self) -> bool:
        """Return whether enough changes."""
        return self.changed > MOST_CHANGED or self.examples > MOST_EXAMPLES_CHANGED


@dataclass(frozen=True)
class ForcedPasses:
    """Passes that choose symbols while the reference is fed."""

    passes: int
    steps: float
    """Share of the steps that were fed the reference; 1 if the whole sequence was."""
    place: str


@dataclass(frozen=True)
class OtherStart:
    """The decoder's first symbol, which is another one in evaluation than in training."""

    trained: int
    fed: tuple[int, ...]
    changed: float | None
    """Share of the choices that differ with the symbol of training; None if not asked."""
    place: str


@dataclass(frozen=True)
class Padded:
    """A comparison of chosen symbols with targets that contain padding."""

    symbol: int
    positions: int
    padding: int
    score: float
    """Share of all positions that are equal (or of rows, if whole rows are compared)."""
    true_score: float
    """The same without padding."""
    rows: bool
    place: str


@dataclass(frozen=True)
class OtherIds:
    """Symbols are fed back with another offset than in training."""

    trained: int
    fed: int
    place: str


@dataclass(frozen=True)
class HandedIds:
    """Chosen symbols to which a number is added before Python gets them."""

    trained: int
    """What training adds to a symbol asked for before it feeds it."""
    added: int
    equal: float
    """Share of what is handed over that equals the targets that are handed over too."""
    right: float
    """The same for the chosen symbols as training counts them."""
    place: str


@dataclass(frozen=True)
class RenamedIds:
    """Chosen symbols that went through Python and came back as others."""

    names: tuple[tuple[int, int], ...]
    """Some symbols with their other names."""
    symbols: int
    place: str


@dataclass(frozen=True)
class MisreadIds:
    """Chosen symbols that are read by the vocabulary of the source."""

    vocabulary: str
    """What it is called there."""
    source: int
    """Symbols that the source has, and that vocabulary."""
    chosen: int
    """Symbols that the model chooses among."""
    place: str


@dataclass(frozen=True)
class Overrun:
    """Decoding went on behind the end symbol."""

    end: int
    steps: float
    """Mean number of steps behind the end."""
    compared: bool
    """Whether the script compares anything with the end symbol outside training."""
    place: str


@dataclass(frozen=True)
class SameFed:
    """Each example was fed the same at all steps after the first, though training feeds several."""

    symbol: int | None
    """The symbol, if all examples were fed the same."""
    others: float
    """Share of the chosen symbols that are others, without the last one of each answer."""
    place: str


@dataclass(frozen=True)
class TooShort:
    """The passes of an evaluation all stopped after as many steps, before answers had an end."""

    steps: int
    unended: float
    """Share of the answers without an end symbol."""
    longer: float
    """Share of the training's targets that have more symbols than there are steps."""
    place: str


@dataclass(frozen=True)
class FirstEnds:
    """The passes of an evaluation all stopped when one example of their batch had ended."""

    passes: int
    unended: float
    """Share of the answers without an end symbol."""
    place: str


@dataclass(frozen=True)
class OtherSources:
    """Sources of an evaluation, compared with those of training."""

    rows: int
    unseen: float
    """Share of their symbols that half of training's sources do not have."""
    unseen_trained: float
    """The same of the other half of training's sources."""
    backwards: float
    """Share of them that are more like training's if they are read backwards."""
    backwards_trained: float
    place: str
    front: float | None = None
    """Share of padded sources with the padding in front; None if few are padded at one end."""
    front_trained: float | None = None
    longer: float = 0.0
    """Share of them that are longer than all of training's."""
    longest_trained: int = 0
    strange: float = 0.0
    """Share of pairs of neighbours that half of training's sources do not have."""
    strange_trained: float = 0.0
    """The same of the other half of training's sources."""


@dataclass(frozen=True)
class OtherWeights:
    """Weights of an evaluation that are not those which were trained until then."""

    later: int
    """Steps of training between the step that was asked and the evaluation."""
    right: float
    """Share of the step's predictions that are right."""
    right_with: float
    """The same with the evaluation's weights."""
    same: float
    """Share of the parameters that are the trained ones."""
    place: str


@dataclass(frozen=True)
class AttendedPadding:
    """Attention to the padding of an evaluation's sources, which training hides."""

    weight: float
    """Mean weight on padding, in examples that have some."""
    place: str


@dataclass(frozen=True)
class EvaluationsSeen:
    """Everything that was seen of the evaluations after training had begun."""

    passes: int = 0
    """Passes in which symbols are chosen."""
    free: int = 0
    """Those in which the model's own choices are fed back."""
    forced: ForcedPasses | None = None
    dropout: Switched | None = None
    """None also if some evaluation ran without dropout."""
    batch_norm: Switched | None = None
    start: OtherStart | None = None
    state_lost: str | None = None
    """Where the decoder is called without its state of the step before."""
    padded: Padded | None = None
    ids: OtherIds | None = None
    overrun: Overrun | None = None
    handed: HandedIds | None = None
    renamed: RenamedIds | None = None
    misread: MisreadIds | None = None
    same_fed: SameFed | None = None
    too_short: TooShort | None = None
    first_ends: FirstEnds | None = None
    fewest_steps: int | None = None
    """Steps of the shortest pass that feeds back its choices; None of fewer than three passes."""
    sources: OtherSources | None = None
    """None if too few could be compared."""
    attended: AttendedPadding | None = None
    """None if training does not hide padding from attention, or the evaluation has none."""
    weights: OtherWeights | None = None
    """None if the evaluation has the trained weights, or if that cannot be told."""
