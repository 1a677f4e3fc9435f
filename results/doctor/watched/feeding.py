"""Judges what the decoder is fed, and whether source and past reach its predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from results.doctor.examined import LIKELY, SURE, Finding
from results.doctor.watched.evaluation_facts import EvaluationsSeen
from results.doctor.watched.losses import MOSTLY_RIGHT

MOST_STEPS = 0.7
"""Share of the steps that must show a thing for it to hold of the decoder."""


@dataclass(frozen=True)
class Fed:
    """The symbols that the decoder was fed in one round, at the steps after the first."""

    round: int
    steps: int
    by_offset: Mapping[int, int] = field(default_factory=dict)
    """Steps fed the symbol that the step so many before asks for: 1 is the reference as it should
    be, 0 the very symbol that the step itself must give."""
    own: int = 0
    """Steps fed the model's own choice where that is not the reference."""
    of_source: int = 0
    """Steps fed the source symbol of their position or of a neighbouring one, where that is not the
    reference."""
    first: int | None = None
    """The symbol of the first step, if it is one for all examples."""
    constant: bool = False
    """Whether every step of every example is fed the symbol of the first."""
    start_asked: bool = False
    """Whether the first prediction of every example is asked for the symbol that it is fed."""


@dataclass(frozen=True)
class SourceSeen:
    """The source positions that reach the predictions of one example."""

    place: str
    positions: int
    """Positions of the example, without padding."""
    reaching: int
    which: tuple[int, ...]
    reached: bool
    first: bool = False
    last: bool = False


@dataclass(frozen=True)
class CarriedSeen:
    """A tensor made in one round that predictions of the next depend on."""

    place: str
    shape: tuple[int, ...]
    moved: float
    """Change of the predictions when it is set to 0, in standard deviations."""


@dataclass(frozen=True)
class ChainSeen:
    """A loop over steps in which a recurrent layer is not given what it returned before."""

    function: str
    place: str
    calls: int
    state: bool
    """Whether the state comes from the step before, at some step."""
    memory: bool
    """Whether the memory cell of an LSTM does."""
    decoder: bool = False
    """Whether the layer is given what the decoder is fed."""


@dataclass(frozen=True)
class OverwrittenSeen:
    """A loop that writes into one and the same slot of a tensor, without reading it."""

    place: str
    slot: str
    times: int


@dataclass(frozen=True)
class AheadSeen:
    """Steps that depend on the symbol that they must give, though it is fed a step later."""

    place: str
    """The line where these symbols enter."""
    steps: int
    of_steps: int


@dataclass(frozen=True)
class FeedingSeen:
    """Everything that was seen to reach the predictions."""

    fed: tuple[Fed, ...] = ()
    source: SourceSeen | None = None
    recurrent_decoder: bool = False
    advances: bool | None = None
    """Whether symbols fed early reach later predictions."""
    decoder_place: str = ""
    prediction_place: str = ""
    cells_swapped: str | None = None
    carried: CarriedSeen | None = None
    chains: tuple[ChainSeen, ...] = ()
    overwritten: OverwrittenSeen | None = None
    ahead: AheadSeen | None = None
    accuracy: float = 0.0
    """Share of predictions that are right at the end."""


def source_cut(seen: FeedingSeen) -> Iterator[Finding]:
    """Find predictions that no source symbol reaches."""
    source = seen.source
    if source is not None and not source.reached:
        yield Finding(
            "source-cut",
            SURE,
            "symbols are embedded here and changing them changes no prediction: neither the "
            "encoder's state nor its outputs reach the decoder",
            "give the decoder the encoder's last state: decoder(inputs, encoder_state)",
            place=source.place,
            why="the model can only learn which outputs are common, not which belong to a source.",
        )


def partly_cut(seen: FeedingSeen) -> Iterator[Finding]:
    """Find an encoder of which only the first or the last symbol reaches the decoder."""
    source = seen.source
    if source is None or source.reaching != 1 or source.positions < 3:
        return
    if source.last:
        yield Finding(
            "state-reset",
            SURE,
            f"of {source.positions} source symbols only the last reaches the predictions: the "
            "encoder's state is not carried from step to step",
            "pass the state on in the loop: output, hidden = rnn(x_t, hidden)",
            place=source.place,
            why="the decoder knows nothing of the rest of the source.",
        )
    elif source.first:
        yield Finding(
            "wrong-state-passed",
            SURE,
            f"of {source.positions} source symbols only the first reaches the predictions",
            "pass on the encoder's state after the last symbol, not after the first: outputs[-1], "
            "or the state that the layer returns",
            place=source.place,
            why="the decoder knows nothing of the rest of the source.",
        )


def unshifted(seen: FeedingSeen) -> Iterator[Finding]:
    """Find a decoder that is fed the very symbol that it must predict."""
    rounds = [fed for fed in seen.fed if fed.by_offset.get(0, 0) >= _needed(fed)]
    early = seen.fed[:3]
    if not rounds:
        rounds = [fed for fed in early if _ahead_where_forced(fed)]
        rounds = rounds if len(rounds) > 1 else []
    if not rounds and early and all(fed.start_asked for fed in early):
        yield _start_asked(seen)
        return
    if not rounds or any(fed.by_offset.get(1, 0) >= _needed(fed) for fed in rounds):
        return
    fed = rounds[0]
    yield Finding(
        "unshifted-targets",
        SURE,
        f"at {fed.by_offset[0]} of {fed.steps} steps the decoder is fed the symbol that the loss "
        "asks of the same step, and the prediction depends on it",
        "feed what comes before: inputs = targets[:, :-1] after a start symbol, and ask for "
        "targets[:, 1:]",
        place=seen.decoder_place,
        why="the model learns to copy its input, and has nothing to copy when it runs alone.",
    )


def _ahead_where_forced(fed: Fed) -> bool:
    """Return whether the steps that are not fed the model's choice are fed what they must give."""
    ahead, forced = fed.by_offset.get(0, 0), fed.steps - fed.own
    shown = forced > 0 and ahead >= max(2, MOST_STEPS * forced)
    return shown and not fed.by_offset.get(1, 0)


def _start_asked(seen: FeedingSeen) -> Finding:
    return Finding(
        "unshifted-targets",
        SURE,
        f"at the first step every example is fed symbol {seen.fed[0].first}, the start symbol, and "
        "the loss asks for the same symbol there: targets are not shifted against what is fed",
        "ask for targets[:, 1:] when targets[:, :-1] are fed",
        place=seen.prediction_place,
        why="the model learns to answer the start symbol with itself, and every output comes a "
        "step late.",
    )


def shifted(seen: FeedingSeen) -> Iterator[Finding]:
    """Find a loss that asks for the symbol of another step than the next."""
    for offset, what in ((2, "the symbol after the next one"), (-1, "a symbol fed before")):
        rounds = [fed for fed in seen.fed if fed.by_offset.get(offset, 0) >= _needed(fed)]
        others = [
            fed
            for fed in rounds
            if max(fed.by_offset.get(1, 0), fed.by_offset.get(0, 0)) >= fed.by_offset[offset]
        ]
        if rounds and not others:
            fed = rounds[0]
            yield Finding(
                "targets-shifted",
                SURE,
                f"at {fed.by_offset[offset]} of {fed.steps} steps the loss asks for {what}, as "
                "what is fed at the other steps shows",
                "ask at each step for the symbol that is fed at the next: outputs[:, t] goes with "
                "targets[:, t] when inputs[:, t] is targets[:, t - 1]",
                place=seen.prediction_place,
                why="decoding feeds each output back as the next symbol, which it is not.",
            )
            return


def looks_ahead(seen: FeedingSeen) -> Iterator[Finding]:
    """Find a decoder that sees the symbols that it is yet to give."""
    if seen.ahead is not None:
        yield Finding(
            "looks-ahead",
            LIKELY,
            f"at {seen.ahead.steps} of {seen.ahead.of_steps} steps the prediction depends on the "
            "very symbol that the loss asks for, which is fed to the step after it",
            "let a step see nothing that is fed later: a causal mask, a decoder that reads forward "
            "only, attention over the encoder's outputs",
            place=seen.ahead.place,
            why="the model learns to copy what is fed later, and nothing is when it runs alone.",
        )


def _needed(fed: Fed) -> float:
    return max(2, MOST_STEPS * fed.steps)


def always_start(seen: FeedingSeen) -> Iterator[Finding]:
    """Find a decoder that is fed the start symbol at every step."""
    if seen.fed and all(fed.constant and fed.steps >= 2 for fed in seen.fed):
        yield Finding(
            "always-start",
            SURE,
            f"the decoder is fed symbol {seen.fed[0].first} at each of its "
            f"{seen.fed[0].steps + 1} steps, in all rounds that were looked at",
            "feed the symbol before: decoder_input = targets[:, t] (forced), or "
            "output.argmax(-1) (its own)",
            place=seen.decoder_place,
            why="the decoder does not know which symbols it has already given.",
        )


def not_advanced(seen: FeedingSeen) -> Iterator[Finding]:
    """Find a decoder that begins each step from the same state."""
    if seen.advances is False and seen.fed:
        yield Finding(
            "state-not-advanced",
            SURE if seen.recurrent_decoder else LIKELY,
            "a symbol that the decoder is fed changes only the prediction of its own step, none "
            "of the later ones: each step begins from the same state",
            "keep the state that the layer returns: output, hidden = decoder(x_t, hidden)",
            place=seen.decoder_place,
            why="the decoder cannot know how far it has come.",
        )


def broken_chain(seen: FeedingSeen) -> Iterator[Finding]:
    """Find a loop over steps in which a recurrent layer does not get its own state back."""
    for chain in seen.chains:
        lost = "its memory cell" if chain.state else "its state"
        yield Finding(
            "state-not-advanced" if chain.state or chain.decoder else "state-reset",
            SURE,
            f"{chain.function} runs {chain.calls} steps in a loop, and none of them is given "
            f"{lost} of the step before",
            "keep what the layer returns and pass it on: "
            + (
                "hidden, cell = lstm_cell(x_t, (hidden, cell))"
                if "lstm" in chain.function
                else "output, hidden = rnn(x_t, hidden)"
            ),
            place=chain.place,
            why="each step begins anew and knows nothing of the steps before.",
        )


def overwritten_slot(seen: FeedingSeen) -> Iterator[Finding]:
    """Find outputs that a loop writes into one slot, so that only the last is left."""
    if seen.overwritten is not None:
        slot, times = seen.overwritten.slot, seen.overwritten.times
        yield Finding(
            "wrong-values",
            SURE,
            f"the loop writes into slot [{slot}] at least {times} times without reading it: only "
            "the last of these outputs is left",
            "write each step into its own slot: outputs[step] = output",
            place=seen.overwritten.place,
            why="what was written before is lost, and the other slots stay as they were filled.",
        )


def swapped_cells(seen: FeedingSeen) -> Iterator[Finding]:
    """Find an LSTM whose state and memory cell are exchanged."""
    if seen.cells_swapped:
        yield Finding(
            "wrong-state-passed",
            SURE,
            "the LSTM is given the other's memory cell as its state and the state as its memory "
            "cell",
            "pass (hidden, cell) in this order",
            place=seen.cells_swapped,
            why="the state is bounded by 1 and the cell is not: each reads the other's numbers.",
        )


def carried(seen: FeedingSeen) -> Iterator[Finding]:
    """Find a state that is kept from batch to batch."""
    if seen.carried is not None:
        yield Finding(
            "state-carried",
            SURE,
            f"predictions depend on a tensor of shape {seen.carried.shape} that the step before "
            f"made: set to 0, they move by {seen.carried.moved:.2g} standard deviations",
            "begin each batch from a fresh state: hidden = None, or zeros",
            place=seen.carried.place,
            why="examples of the batch before have nothing to do with those of this one.",
        )


def never_forced(seen: FeedingSeen) -> Iterator[Finding]:
    """Find a decoder that is never fed the reference and does not learn."""
    if len(seen.fed) < 3 or any(fed.steps < 3 for fed in seen.fed):
        return
    never = all(fed.own >= MOST_STEPS * fed.steps for fed in seen.fed)
    if never and seen.accuracy < MOSTLY_RIGHT:
        yield Finding(
            "never-forced",
            LIKELY,
            "in all rounds that were looked at the decoder was fed its own choices, never the "
            f"reference; {seen.accuracy:.0%} of its predictions are right",
            "feed the reference at least half of the time: x = targets[:, t] if random.random() < "
            "ratio else output.argmax(-1)",
            place=seen.decoder_place,
            why="early outputs are wrong, and the decoder learns to continue wrong beginnings.",
        )


class HasFeeding(Protocol):
    """Offers what the rule about symbols of the source reads of all that was seen."""

    @property
    def feeding(self) -> FeedingSeen | None:
        """Return what was seen of what the decoder is fed."""

    @property
    def evaluations(self) -> EvaluationsSeen | None:
        """Return what was seen of the evaluations."""


def source_fed(watched: HasFeeding) -> Iterator[Finding]:
    """Find a decoder that is fed the source in training, and its own choices when it runs alone."""
    seen, evaluated = watched.feeding, watched.evaluations
    if seen is None or evaluated is None or not evaluated.free or not seen.fed:
        return
    if all(fed.of_source >= _needed(fed) for fed in seen.fed):
        fed = seen.fed[-1]
        yield Finding(
            "other-symbols-fed",
            SURE,
            f"at {fed.of_source} of {fed.steps} steps training feeds the decoder the symbols of "
            "the source, not those that the loss asks for; evaluation feeds it its own choices",
            "feed the reference: decoder_input = targets[:, t - 1], made from the target's text",
            place=seen.decoder_place,
            why="the model learns to continue symbols that it never gives when it runs alone.",
        )


FEEDING_RULES = (
    source_cut,
    partly_cut,
    carried,
    unshifted,
    shifted,
    looks_ahead,
    always_start,
    not_advanced,
    broken_chain,
    overwritten_slot,
    swapped_cells,
    never_forced,
)
