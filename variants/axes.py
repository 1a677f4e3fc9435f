"""The record of choices that makes a variant, one field an axis.

A value is looked up in its part's registry when it is read. A combination that does not apply
is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from typing import Any

from variants.attention import ATTENTIONS
from variants.cells import CELLS
from variants.decoder import DECODER_INPUTS
from variants.embedding import INITS, TRAINED
from variants.encoder import DIRECTIONS
from variants.forcing import COINS, SCHEDULES
from variants.optimizers import OPTIMIZERS

Value = str | int | float
Names = Callable[[], Iterable[str]]


def _choice(base: str, names: Names, about: str) -> Any:
    return field(default=base, metadata={"names": names, "about": about})


def _number(base: float, low: float, high: float, about: str) -> Any:
    return field(default=base, metadata={"low": low, "high": high, "about": about})


@dataclass(frozen=True)
class Variant:
    """One value an axis; the defaults are `base`."""

    cell: str = _choice("gru", lambda: CELLS, "recurrent cell")
    encoder_depth: int = _number(1, 1, 16, "encoder layers; for a tagger those of its lower part")
    decoder_depth: int = _number(1, 1, 16, "decoder layers; for a tagger those of its upper part")
    direction: str = _choice("forward", lambda: DIRECTIONS, "order in which the source is read")
    attention: str = _choice("none", lambda: ATTENTIONS, "how decoder states meet the source")
    decoder_input: str = _choice("output", lambda: DECODER_INPUTS, "what enters the decoder's cell")
    forcing: str = _choice("always", lambda: SCHEDULES, "teacher-forcing schedule")
    forcing_rate: float = _number(0.5, 0.0, 1.0, "probability of the reference if constant")
    forcing_steps: int = _number(300, 1, 10**9, "step where linear is 0, inverse-sigmoid 1/2")
    coin: str = _choice("token", lambda: COINS, "one forcing toss per what")
    optimizer: str = _choice("adam", lambda: OPTIMIZERS, "optimizer")
    learning_rate: float = _number(3e-3, 0.0, 1e3, "learning rate")
    clip: float = _number(1.0, 0.0, 1e9, "largest gradient norm, 0 for no clipping")
    weight_decay: float = _number(0.0, 0.0, 1e3, "weight decay")
    embedding: int = _number(64, 1, 10**6, "embedding size")
    embedding_init: str = _choice("uniform", lambda: INITS, "first values of embeddings")
    embedding_range: float = _number(0.1, 0.0, 1e3, "bound of the uniform embedding init")
    embedding_trained: str = _choice("tuned", lambda: TRAINED, "whether embeddings learn")
    dropout: float = _number(0.0, 0.0, 0.95, "on embeddings, between layers, before the output")
    hidden: int = _number(64, 1, 10**6, "hidden size")
    window: int = _number(3, 1, 99, "words around each that a tagger reads, odd")

    def __post_init__(self) -> None:
        for axis, value in asdict(self).items():
            # a whole number given for a float becomes one, so that equal variants are equal
            object.__setattr__(self, axis, read_value(axis, value))


AXES = {axis.name: axis for axis in fields(Variant)}
TOGETHER = {"depth": ("encoder_depth", "decoder_depth")}
"""A shorthand that sets several axes at once."""


def values(axis: str) -> list[str]:
    """The values of an axis of choices; empty for a number."""
    names: Names | None = AXES[axis].metadata.get("names")
    return list(names()) if names else []


def check_axis(name: str) -> None:
    """ValueError with the near ones if there is no such axis."""
    allowed = [*AXES, *TOGETHER]
    if name not in allowed:
        raise ValueError(_unknown("axis", name, allowed))


def read_value(axis: str, given: object) -> Value:
    """A value of an axis from a text or a matrix file; ValueError says what is allowed."""
    check_axis(axis)
    axis = TOGETHER.get(axis, (axis,))[0]
    allowed = values(axis)
    if allowed:
        if str(given) not in allowed:
            raise ValueError(_unknown(axis, str(given), allowed))
        return str(given)
    return _read_number(axis, given)


def _read_number(axis: str, given: object) -> Value:
    kind = int if isinstance(AXES[axis].default, int) else float
    low, high = AXES[axis].metadata["low"], AXES[axis].metadata["high"]
    try:
        if isinstance(given, bool) or not isinstance(given, str | int | float):
            raise ValueError
        number = kind(given)
        if number != float(given) or not low <= number <= high:
            raise ValueError
    except (ValueError, OverflowError):
        sort = "a whole number" if kind is int else "a number"
        raise ValueError(
            f"{axis}={given!r} is not {sort} from {low:g} to {high:g}; give one"
        ) from None
    if axis == "window" and number % 2 == 0:
        raise ValueError(f"window={number} is even; give an odd number of words")
    return number


BASE = Variant()


def change(base: Variant, given: Mapping[str, object]) -> Variant:
    """`base` with these axes changed; ValueError for an axis or value that does not exist."""
    changed: dict[str, Any] = asdict(base)
    for name, value in given.items():
        read = read_value(name, value)
        changed |= dict.fromkeys(TOGETHER.get(name, (name,)), read)
    return Variant(**changed)


def from_record(plain: Mapping[str, object]) -> Variant:
    """The variant that a record holds; ValueError if it names an axis that is not."""
    for axis in plain:
        check_axis(axis)
    return Variant(**dict(plain))  # type: ignore[arg-type]


def parse(text: str, base: Variant = BASE) -> Variant:
    """A variant from its name."""
    if text.strip() in ("", "base"):
        return base
    given: dict[str, object] = {}
    for part in text.split(","):
        axis, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise ValueError(f"{part!r} in the variant {text!r} is not axis=value; write it so")
        if axis in given:
            raise ValueError(f"{axis} stands twice in the variant {text!r}; give it once")
        given[axis] = value
    return change(base, given)


def inapplicable(variant: Variant, tagging: bool) -> str | None:
    """Why this combination makes no sense on such a task; None if it does."""
    different = {axis for axis in AXES if getattr(variant, axis) != getattr(BASE, axis)}
    if tagging:
        for axis in ("attention", "decoder_input", "forcing", "coin"):
            if axis in different:
                return f"{axis}={getattr(variant, axis)}: a tagger has no decoder that feeds itself"
    elif "window" in different:
        return "window: only a tagger reads windows"
    if variant.forcing != "always" and not DECODER_INPUTS[variant.decoder_input].token:
        return f"forcing={variant.forcing}: decoder_input={variant.decoder_input} feeds no token"
    if variant.forcing in ("always", "never") and "coin" in different:
        return f"coin={variant.coin}: forcing={variant.forcing} tosses none"
    if variant.forcing != "constant" and "forcing_rate" in different:
        return "forcing_rate: only forcing=constant has a rate"
    if variant.forcing not in ("linear", "inverse-sigmoid") and "forcing_steps" in different:
        return f"forcing_steps: forcing={variant.forcing} does not decay"
    if variant.embedding_init != "uniform" and "embedding_range" in different:
        return "embedding_range: only embedding_init=uniform has a range"
    attention = ATTENTIONS[variant.attention]
    if attention is not None and attention.same_size and variant.direction == "bidirectional":
        return (
            f"attention={variant.attention}: bidirectional outputs are twice the decoder's size; "
            "attention=general compares unlike sizes"
        )
    return None


def _unknown(what: str, given: str, allowed: Iterable[str]) -> str:
    allowed = list(allowed)
    near = get_close_matches(given, allowed, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "choose one of those"
    return f"{what} {given!r} does not exist; there are {', '.join(allowed)}: {hint}"
