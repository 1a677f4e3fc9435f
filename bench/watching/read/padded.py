"""Tells which symbols of a batch are padding."""

from __future__ import annotations

from torch import Tensor


def padding_of(ids_BJ: Tensor) -> Tensor | None:
    """Return which positions are padding, of shape (B, J): a run of one symbol at one end of
    examples of several lengths; None if there is none.

    A single symbol at the end of some examples may be a word that only stands there, unless it is
    0, which by custom pads.
    """
    examples, positions = ids_BJ.shape
    if examples < 2 or positions < 2:
        return None
    for flipped in (False, True):
        ids = ids_BJ.flip(1) if flipped else ids_BJ
        symbol = ids[:, -1].mode().values
        padded = (ids == symbol).flip(1).cumprod(1).flip(1).bool()
        inside = (ids == symbol) & ~padded
        lengths = padded.sum(1)
        several = int(lengths.max()) > 1 or int(symbol) == 0
        if not bool(inside.any()) and several and int(lengths.min()) < int(lengths.max()):
            return padded.flip(1) if flipped else padded
    return None
