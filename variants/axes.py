"""A variant as a record of choices, with one field for each axis.

A value is looked up in its part's registry when it is read. `variants.applicable` says which
values do not apply together.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any

from variants.attention import ATTENTION_ORDERS, ATTENTIONS
from variants.bridge import BRIDGES
from variants.cells import CELLS
from variants.decoder import DECODER_INPUTS, INPUT_FEEDING, OUTPUT_WEIGHTS
from variants.embedding import INITS, TRAINED
from variants.encoder import DIRECTIONS
from variants.initial_state import INITIAL_STATES
from variants.initialisation import WEIGHT_INITS
from variants.models import MODELS
from variants.optimizers import OPTIMIZERS
from variants.precision import PRECISIONS
from variants.schedules.forcing import COINS, SCHEDULES
from variants.schedules.learning_rates import RATE_SCHEDULES
from variants.stack import STACKS

Value = str | int | float
Registry = Mapping[str, object]
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}|")
"""The form of an axis that holds a name; empty for none."""


def _choice(base: str, registry: Callable[[], Registry] | Registry, about: str) -> Any:
    get = registry if callable(registry) else lambda: registry
    return field(default=base, metadata={"registry": get, "about": about})


def _number(base: float, low: float, high: float, about: str) -> Any:
    return field(default=base, metadata={"low": low, "high": high, "about": about})


def _name(about: str) -> Any:
    return field(default="", metadata={"about": about})


def _cells() -> Registry:
    """Return recurrent cells and whole models, plugins' included, which share an axis."""
    return {**CELLS, **MODELS}


@dataclass(frozen=True)
class Variant:
    """One value for each axis; the defaults are those of `base`."""

    cell: str = _choice("gru", _cells, "recurrent cell, or a whole model in its place")
    encoder_depth: int = _number(1, 1, 16, "encoder layers; for a tagger those of its lower part")
    decoder_depth: int = _number(1, 1, 16, "decoder layers; for a tagger those of its upper part")
    stack: str = _choice("plain", STACKS, "how layers stand on each other")
    direction: str = _choice("forward", DIRECTIONS, "order in which the source is read")
    attention: str = _choice("none", ATTENTIONS, "how decoder states meet the source")
    attention_order: str = _choice("after", ATTENTION_ORDERS, "which decoder state is the query")
    input_feeding: str = _choice("off", INPUT_FEEDING, "whether attention's last result is read")
    heads: int = _number(4, 1, 256, "heads of multihead attention and of the Transformer")
    attention_span: int = _number(
        3, 1, 10**6, "positions on either side of local attention's middle; the paper has 10, for "
        "longer sources than those of most tasks here"
    )  # fmt: skip
    decoder_input: str = _choice("output", DECODER_INPUTS, "what enters the decoder's cell")
    initial_state: str = _choice("zeros", INITIAL_STATES, "the encoder's state before the source")
    bridge: str = _choice("copy", BRIDGES, "from the encoder's last states to the decoder's first")
    forcing: str = _choice("always", SCHEDULES, "teacher-forcing schedule, p that of the reference")
    forcing_rate: float = _number(0.5, 0.0, 1.0, "probability of the reference if constant")
    forcing_steps: int = _number(
        300, 1, 10**9, "step where linear is 0, exponential and inverse-sigmoid 1/2"
    )
    coin: str = _choice("token", COINS, "one forcing toss per what")
    optimizer: str = _choice("adam", OPTIMIZERS, "optimizer")
    learning_rate: float = _number(3e-3, 0.0, 1e3, "learning rate")
    learning_rate_schedule: str = _choice("constant", RATE_SCHEDULES, "how it goes with training")
    learning_rate_steps: int = _number(1000, 1, 10**9, "step where linear and cosine are 0")
    warmup: int = _number(0, 0, 10**9, "steps over which the learning rate rises to its value")
    clip: float = _number(1.0, 0.0, 1e9, "largest gradient norm, 0 for no clipping")
    weight_decay: float = _number(0.0, 0.0, 1e3, "weight decay")
    embedding: int = _number(64, 1, 10**6, "embedding size")
    embedding_init: str = _choice("uniform", INITS, "first values of embeddings")
    embedding_range: float = _number(0.1, 0.0, 1e3, "bound of the uniform embedding init")
    embedding_trained: str = _choice("tuned", TRAINED, "whether embeddings learn")
    vectors: str = _name("name under which bench data holds the vectors of embedding_init=vectors")
    output_weights: str = _choice("own", OUTPUT_WEIGHTS, "weights of the output layer")
    dropout: float = _number(0.0, 0.0, 0.95, "on embeddings, between layers, before the output")
    recurrent_dropout: float = _number(
        0.0, 0.0, 0.95, "on h where recurrent weights meet it, one mask for all steps of a row "
        "(Gal and Ghahramani 2016, section 4)"
    )  # fmt: skip
    label_smoothing: float = _number(
        0.0, 0.0, 0.99, "share of the target's probability that goes to all symbols alike while "
        "training (Szegedy et al. 2016, section 7)"
    )  # fmt: skip
    weight_init: str = _choice("default", WEIGHT_INITS, "first values of weights and biases")
    forget_bias: float = _number(0.0, -100.0, 100.0, "added to first values of forget biases")
    hidden: int = _number(64, 1, 10**6, "hidden size")
    precision: str = _choice("fp32", PRECISIONS, "number format")
    window: int = _number(3, 1, 99, "words around each that a tagger reads, odd")

    def __post_init__(self) -> None:
        for axis, value in vars(self).copy().items():
            # a whole number given for a float becomes one, so that equal variants are equal
            object.__setattr__(self, axis, read_value(axis, value))


AXES = {axis.name: axis for axis in fields(Variant)}
"""The axes by name, as fields of Variant."""
TOGETHER = {"depth": ("encoder_depth", "decoder_depth")}
"""Shorthands that set several axes at once."""
TRAINING = frozenset({
    "forcing",
    "forcing_rate",
    "forcing_steps",
    "coin",
    "optimizer",
    "learning_rate",
    "learning_rate_schedule",
    "learning_rate_steps",
    "warmup",
    "clip",
    "weight_decay",
    "label_smoothing",
    "precision",
})  # fmt: skip
"""Axes that say how a model is trained, whichever it is."""


def registry(axis: str) -> Registry:
    """Return the values of an axis of choices and the parts that they name; empty for others."""
    get: Callable[[], Registry] | None = AXES[axis].metadata.get("registry")
    return get() if get else {}


def values(axis: str) -> list[str]:
    """Return the values of an axis of choices; empty for others."""
    return list(registry(axis))


def meaning(part: object) -> str:
    """Return what a value of an axis says of itself: a text, its `about`, or its docstring."""
    if part is None:
        return "there is none"
    if isinstance(part, str):
        return part
    about = getattr(part, "about", None)
    text = about if isinstance(about, str) else inspect.cleandoc(part.__doc__ or "")
    return " ".join(text.split())


def check_axis(name: str) -> None:
    """Raise a ValueError that names the near ones if there is no such axis."""
    allowed = [*AXES, *TOGETHER]
    if name not in allowed:
        raise ValueError(_unknown("axis", name, allowed))


def read_value(axis: str, value: object) -> Value:
    """Return a value of an axis, read from a text or a matrix file.

    Raises:
        ValueError: The value does not exist; it says which do.
    """
    check_axis(axis)
    axis = TOGETHER.get(axis, (axis,))[0]
    allowed = values(axis)
    if allowed:
        if str(value) not in allowed:
            raise ValueError(_unknown(axis, str(value), allowed))
        return str(value)
    if isinstance(AXES[axis].default, str):
        if not isinstance(value, str) or not NAME.fullmatch(value):
            raise ValueError(f"{axis}={value!r} is not a name of letters, digits, . _ -; give one")
        return value
    return _read_number(axis, value)


def _read_number(axis: str, value: object) -> Value:
    kind = int if isinstance(AXES[axis].default, int) else float
    low, high = AXES[axis].metadata["low"], AXES[axis].metadata["high"]
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        number = kind(value)
        if number != float(value) or not low <= number <= high:
            raise ValueError
    except (ValueError, OverflowError):
        sort = "a whole number" if kind is int else "a number"
        raise ValueError(
            f"{axis}={value!r} is not {sort} from {low:g} to {high:g}; give one"
        ) from None
    if axis == "window" and number % 2 == 0:
        raise ValueError(f"window={number} is even; give an odd number of words")
    return number


BASE = Variant()


def change(base: Variant, changes: Mapping[str, object]) -> Variant:
    """Return `base` with these axes changed; ValueError for an axis or value that is unknown."""
    changed: dict[str, Any] = vars(base).copy()
    for name, value in changes.items():
        axes = TOGETHER.get(name, (name,))
        changed |= dict.fromkeys(axes, read_value(name, value))
    return Variant(**changed)


def from_record(plain: Mapping[str, object]) -> Variant:
    """Return the variant that a record holds; ValueError if it names an unknown axis."""
    for axis in plain:
        check_axis(axis)
    return Variant(**dict(plain))  # type: ignore[arg-type]


def parse(text: str, base: Variant = BASE) -> Variant:
    """Return the variant of a name, as `axis=value,axis=value`; its base for `base` or nothing."""
    if text.strip() in ("", "base"):
        return base
    changes: dict[str, object] = {}
    for part in text.split(","):
        axis, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise ValueError(f"{part!r} in the variant {text!r} is not axis=value; write it so")
        if axis in changes:
            raise ValueError(f"{axis} stands twice in the variant {text!r}; give it once")
        changes[axis] = value
    return change(base, changes)


def _unknown(what: str, name: str, allowed: Iterable[str]) -> str:
    """Return the sentence on a name that does not exist, with those that come near it."""
    allowed = list(allowed)
    near = get_close_matches(name, allowed, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "choose one of those"
    return f"{what} {name!r} is not one of {', '.join(allowed)}; {hint}"
