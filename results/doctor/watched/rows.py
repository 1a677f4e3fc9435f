"""Judges whether the examples of a batch affect each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from results.doctor.examined import LIKELY, SURE, Finding

MIXED = 0.02
"""Share of predictions that depend on several examples above which examples mix."""
RECURRENT = ("gru", "lstm", "rnn_tanh", "rnn_relu", "gru_cell", "lstm_cell", "rnn_tanh_cell")
RESHAPING = ("view", "reshape", "flatten", "_unsafe_view", "view_as", "reshape_as", "unflatten")


@dataclass(frozen=True)
class RenumberedSeen:
    """The symbols of a batch that read as sequences only before a view, not after it."""

    call: str
    """The call that renumbered them; empty if it was made outside torch."""
    place: str
    """The line of that call, or the one where the symbols enter the model."""
    shape: tuple[int, int]
    """The shape afterwards."""


@dataclass(frozen=True)
class RowsSeen:
    """The effects of changing one example of a batch."""

    examples: int
    mixed: float
    """Share of the predictions that several examples move."""
    call: str = ""
    """The first call whose result moves at several examples."""
    place: str = ""
    shapes: tuple[tuple[int, ...], ...] = ()
    """Shapes of what that call was given and of what it returned."""
    moved: int = 0
    """Examples that move there when one is changed."""
    exchanged: tuple[float, str] | None = None
    """Share of predictions whose source is that of another example than what the decoder is fed,
    and the line where the source enters."""
    renumbered: RenumberedSeen | None = None


def renumbered(seen: RowsSeen) -> Iterator[Finding]:
    """Find symbols that lie in an order in which they are no sequences."""
    torn = seen.renumbered
    if torn is None:
        return
    by = f"{torn.call} makes" if torn.call else "the symbols enter as"
    yield Finding(
        "view-for-transpose",
        SURE if torn.call else LIKELY,
        f"{by} a tensor of shape {torn.shape}, which is made of pieces of several sequences; "
        f"in the shape {torn.shape[::-1]}, with the same order of numbers, all sequences are whole "
        "(they begin with the same symbol or have padding at one end only)",
        "exchange axes with transpose, not with view or reshape, which only renumber: "
        "batch.transpose(0, 1)",
        place=torn.place,
        why="each sequence that the model is given is made of pieces of several examples.",
    )


def exchanged(seen: RowsSeen) -> Iterator[Finding]:
    """Find examples that were put in another order and not put back."""
    if seen.exchanged is not None:
        share, place = seen.exchanged
        yield Finding(
            "rows-not-restored",
            SURE,
            f"{share:.0%} of the predictions depend on the source of one example and on the "
            "decoder input of another: one of them was put in another order and not put back",
            "put the encoder's outputs and state back in order: outputs[order.argsort()], or use "
            "pack_padded_sequence(..., enforce_sorted=False)",
            place=place,
            why="each example is trained to give the target of another one.",
        )


def mixing(seen: RowsSeen) -> Iterator[Finding]:
    """Find the call that makes examples of a batch affect each other."""
    elsewhere = seen.exchanged is not None or seen.renumbered is not None
    if seen.mixed < MIXED or elsewhere or not seen.call:
        return
    evidence = (
        f"changing one of the {seen.examples} examples changes the predictions of others; it "
        f"begins in {seen.call}, which is given {seen.shapes[0]} and returns {seen.shapes[-1]}: "
        f"{seen.moved} examples move"
    )
    cause, change = _named(seen)
    yield Finding(
        cause,
        SURE,
        evidence,
        change,
        place=seen.place,
        why="an example's output must depend on its own source only; here it depends on which "
        "others happen to be in the batch.",
    )


def _named(seen: RowsSeen) -> tuple[str, str]:
    if seen.call in ("softmax", "log_softmax"):
        return (
            "attention-over-batch",
            f"normalise over source positions: {seen.call}(scores, dim=-1)",
        )
    if seen.call in RESHAPING:
        return (
            "view-for-transpose",
            f"{seen.call} only renumbers the elements; exchange axes with transpose or permute: "
            "x.transpose(0, 1)",
        )
    if seen.call in RECURRENT:
        return (
            "axes-swapped",
            "this layer takes the examples for steps: set batch_first=True for (batch, time, "
            "features), or give it x.transpose(0, 1)",
        )
    return (
        "axes-swapped",
        "no operation may run along the examples: look at the axis (dim=) here, and at which axis "
        "is the batch",
    )


ROWS_RULES = (renumbered, exchanged, mixing)
