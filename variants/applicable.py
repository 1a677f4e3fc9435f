"""Says which choices go together, and why others do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from variants.attention import ATTENTIONS
from variants.axes import AXES, BASE, TRAINING, Variant
from variants.cells import CELLS, Cell
from variants.decoder import DECODER_INPUTS
from variants.embedding import INITS
from variants.models import MODELS
from variants.schedules.forcing import DECAYING


def inapplicable(variant: Variant, tagging: bool) -> str | None:
    """Return why this combination makes no sense on such a task; None if it does."""
    v = variant
    different = {axis for axis in AXES if getattr(v, axis) != getattr(BASE, axis)}
    return (
        _not_of_task(v, different, tagging)
        or _not_of_model(v, different, tagging)
        or _not_needed(v, different)
        or _conflict(v)
    )


DECODING = (
    "attention",
    "attention_order",
    "input_feeding",
    "decoder_input",
    "bridge",
    "forcing",
    "coin",
    "output_weights",
)  # fmt: skip
"""The axes of a decoder that reads its own output."""


def _not_of_task(v: Variant, different: set[str], tagging: bool) -> str | None:
    """Return why a changed axis means nothing on such a task."""
    if not tagging:
        return "window: only a tagger reads windows" if "window" in different else None
    for axis in DECODING:
        if axis in different:
            return f"{_shown(v, axis)}: a tagger has no decoder that feeds itself"
    return None


def _not_of_model(v: Variant, different: set[str], tagging: bool) -> str | None:
    """Return why a changed axis means nothing to the whole model that was chosen as cell."""
    kind = MODELS.get(v.cell)
    if kind is None:
        return None
    if tagging and not kind.tagging:
        return f"cell={v.cell}: it is not built for tagging"
    for axis in AXES:
        if axis in different - TRAINING - kind.axes - {"cell"}:
            return f"{_shown(v, axis)}: cell={v.cell} does not read it"
    return None


class Need(NamedTuple):
    """An axis that means something only together with certain values of others."""

    axis: str
    met: Callable[[Variant], bool]
    reason: Callable[[Variant], str]


def _cell(v: Variant) -> type[Cell] | None:
    return CELLS.get(v.cell)


def _has_blocks(v: Variant) -> bool:
    cell = _cell(v)
    return cell is not None and cell.recurrent_blocks is not Cell.recurrent_blocks


def _recurrent(v: Variant) -> bool:
    cell = _cell(v)
    return cell is not None and cell.recurrent


def _forgets(v: Variant) -> bool:
    cell = _cell(v)
    return cell is not None and cell.forget_bias is not Cell.forget_bias


def _has_span(v: Variant) -> bool:
    attention = ATTENTIONS[v.attention]
    return attention is not None and attention.has_span


def _has_heads(v: Variant) -> bool:
    if v.cell in MODELS:
        return "heads" in MODELS[v.cell].axes
    attention = ATTENTIONS[v.attention]
    return attention is not None and attention.has_heads


def _feeds_tokens(v: Variant) -> bool:
    return v.cell in MODELS or DECODER_INPUTS[v.decoder_input].token


NEEDS = (
    Need("forcing", _feeds_tokens, lambda v: f"decoder_input={v.decoder_input} feeds no token"),
    Need(
        "coin",
        lambda v: v.forcing not in ("always", "never"),
        lambda v: f"forcing={v.forcing} tosses none",
    ),
    Need(
        "forcing_rate",
        lambda v: v.forcing == "constant",
        lambda v: f"forcing={v.forcing} has none, only constant does",
    ),
    Need(
        "forcing_steps",
        lambda v: v.forcing in DECAYING,
        lambda v: f"forcing={v.forcing} does not decay",
    ),
    Need(
        "learning_rate_steps",
        lambda v: v.learning_rate_schedule in ("linear", "cosine"),
        lambda v: f"learning_rate_schedule={v.learning_rate_schedule} never arrives at 0",
    ),
    Need(
        "embedding",
        lambda v: not INITS[v.embedding_init].square,
        lambda v: f"embedding_init={v.embedding_init} has as many inputs as symbols",
    ),
    Need(
        "embedding_trained",
        lambda v: not INITS[v.embedding_init].square,
        lambda v: f"embedding_init={v.embedding_init} never learns",
    ),
    Need(
        "embedding_range",
        lambda v: INITS[v.embedding_init].ranged,
        lambda v: f"embedding_init={v.embedding_init} has no range",
    ),
    Need(
        "vectors",
        lambda v: v.embedding_init == "vectors",
        lambda v: f"embedding_init={v.embedding_init} reads none",
    ),
    Need(
        "attention_order",
        lambda v: v.attention != "none",
        lambda v: "attention=none attends nowhere",
    ),
    Need(
        "input_feeding",
        lambda v: v.attention != "none",
        lambda v: "attention=none has no attentional vector to feed",
    ),
    Need(
        "heads",
        _has_heads,
        lambda v: f"attention={v.attention} has no heads to choose",
    ),
    Need(
        "attention_span",
        _has_span,
        lambda v: f"attention={v.attention} is not local",
    ),
    Need(
        "stack",
        lambda v: max(v.encoder_depth, v.decoder_depth) > 1,
        lambda v: "one layer stands on none; give depth=2 or more",
    ),
    Need(
        "recurrent_dropout",
        _recurrent,
        lambda v: f"cell={v.cell} has no recurrent weights",
    ),
    Need("forget_bias", _forgets, lambda v: f"cell={v.cell} has no forget gate"),
)
"""What each axis needs of the others; axes without an entry always mean something."""


def _not_needed(v: Variant, different: set[str]) -> str | None:
    """Return why a changed axis means nothing with the values of the others."""
    for need in NEEDS:
        if need.axis in different and not need.met(v):
            return f"{_shown(v, need.axis)}: {need.reason(v)}"
    return None


def _both_ways(v: Variant) -> str | None:
    """Return why a value does not go with a bidirectional encoder."""
    if v.direction != "bidirectional":
        return None
    attention = ATTENTIONS[v.attention]
    if attention is not None and attention.same_size:
        return (
            f"attention={v.attention}: bidirectional outputs are twice the decoder's size; "
            "attention=general compares unlike sizes"
        )
    if v.bridge == "linear-tanh":
        return "bridge=linear-tanh: with direction=bidirectional bridge=copy is that already"
    return None


def _unread_source(v: Variant) -> str | None:
    """Return why the source would never reach the decoder."""
    context = DECODER_INPUTS[v.decoder_input].context
    if v.bridge == "zero" and v.attention == "none" and not context:
        return (
            f"bridge=zero: with attention=none and decoder_input={v.decoder_input} the source "
            "would never reach the decoder"
        )
    return None


def _tied_sizes(v: Variant) -> str | None:
    """Return why embeddings cannot be output weights."""
    if v.output_weights == "tied" and INITS[v.embedding_init].square:
        return f"output_weights=tied: embedding_init={v.embedding_init} has no table to tie"
    if v.output_weights == "tied" and v.embedding != v.hidden:
        return (
            f"output_weights=tied: embedding={v.embedding} and hidden={v.hidden} differ; give "
            "both one size"
        )
    return None


def _unnamed_weights(v: Variant) -> str | None:
    """Return why recurrent weights cannot be made orthogonal."""
    if v.weight_init == "orthogonal" and not _has_blocks(v):
        return f"weight_init=orthogonal: cell={v.cell} names no recurrent weights"
    return None


def _warm_up_beyond_the_end(v: Variant) -> str | None:
    """Return why a learning rate's warm-up does not end before its schedule does."""
    decays = v.learning_rate_schedule in ("linear", "cosine")
    if decays and v.warmup >= v.learning_rate_steps:
        return (
            f"warmup={v.warmup}: learning_rate_schedule={v.learning_rate_schedule} is to be 0 at "
            f"learning_rate_steps={v.learning_rate_steps}; give fewer steps of warm-up"
        )
    return None


def _unnamed_vectors(v: Variant) -> str | None:
    """Return why pretrained vectors cannot be found."""
    if v.embedding_init == "vectors" and not v.vectors:
        return "embedding_init=vectors: vectors does not say which; give the name of some"
    return None


def _uneven_heads(v: Variant) -> str | None:
    """Return why heads cannot share out the hidden size."""
    if _has_heads(v) and v.hidden % v.heads:
        return f"heads={v.heads}: hidden={v.hidden} is not a multiple of it"
    return None


CONFLICTS = (
    _both_ways,
    _unread_source,
    _tied_sizes,
    _unnamed_weights,
    _warm_up_beyond_the_end,
    _unnamed_vectors,
    _uneven_heads,
)
"""Rules on values that mean something each but do not go together; the first that holds tells."""


def _conflict(v: Variant) -> str | None:
    """Return why values that mean something each do not go together."""
    return next((reason for rule in CONFLICTS if (reason := rule(v)) is not None), None)


def _shown(v: Variant, axis: str) -> str:
    return f"{axis}={getattr(v, axis)}"
