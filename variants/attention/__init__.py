"""Attention weighs the source's positions by a decoder's state."""

from __future__ import annotations

from variants.attention.content import Additive, Concat, Dot, General, ScaledDot
from variants.attention.contract import Attended, Attention, Sizes
from variants.attention.multihead import Multihead
from variants.attention.position import LocalMonotonic, LocalPredictive, Location

__all__ = ["ATTENTIONS", "ATTENTION_ORDERS", "Attended", "Attention", "Sizes"]

ATTENTIONS: dict[str, type[Attention] | None] = {
    "none": None,
    "location": Location,
    "additive": Additive,
    "concat": Concat,
    "dot": Dot,
    "scaled-dot": ScaledDot,
    "general": General,
    "local-m": LocalMonotonic,
    "local-p": LocalPredictive,
    "multihead": Multihead,
}
"""The attentions by name; None for no attention."""

ATTENTION_ORDERS = {
    "after": "the query is the state after the cell's step (Luong et al. 2015, section 3.1)",
    "before": "the query is the state before it (Bahdanau et al. 2015, section 3.1)",
}
"""When the decoder attends: before or after the step of its cell."""
