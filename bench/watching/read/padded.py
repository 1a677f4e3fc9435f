"""Tells which symbols of a batch are padding."""

from __future__ import annotations

from torch import Tensor


def padding_of(ids_BJ: Tensor) -> Tensor | None:
    """Return which positions are padding, of shape (B, J): a run of one symbol at one end of
    examples of several lengths; None if there is none.

    A single symbol at the end of some examples may be a word that only stands there, unless it is
    0, which by custom pads, or stands behind one that ends all others.
    """
    examples, positions = ids_BJ.shape
    if examples < 2 or positions < 2:
        return None
    for flipped in (False, True):
        ids = ids_BJ.flip(1) if flipped else ids_BJ
        padded = _run_of_commonest(ids)
        if padded is None:
            padded = _run_behind_end(ids)
        if padded is not None:
            return padded.flip(1) if flipped else padded
    return None


def _run_of_commonest(ids_BJ: Tensor) -> Tensor | None:
    """Return where the commonest last symbol stands, if only at the ends of some examples."""
    symbol = ids_BJ[:, -1].mode().values
    padded_BJ = _run_of(ids_BJ, symbol)
    if padded_BJ is None:
        return None
    lengths = padded_BJ.sum(1)
    several = int(lengths.max()) > 1 or int(symbol) == 0
    return padded_BJ if several and int(lengths.min()) < int(lengths.max()) else None


def _run_behind_end(ids_BJ: Tensor) -> Tensor | None:
    """Return where a symbol stands behind another one that ends every example, if one does.

    So it is where most examples are as long as the longest one, and where none is much shorter.
    """
    common = ids_BJ[:, -1].mode().values
    others = ids_BJ[:, -1][ids_BJ[:, -1] != common]
    if not len(others):
        return None
    second = others.mode().values
    for end, padding in ((common, second), (second, common)):
        padded_BJ = _run_of(ids_BJ, padding)
        if padded_BJ is not None and _all_end_with(end, ids_BJ, padded_BJ):
            return padded_BJ
    return None


def _all_end_with(end: Tensor, ids_BJ: Tensor, padded_BJ: Tensor) -> bool:
    """Return whether the last symbol before the padding is this one in every example."""
    last_B1 = (~padded_BJ).sum(1, keepdim=True) - 1
    return bool((last_B1 >= 0).all() and (ids_BJ.gather(1, last_B1.clamp_min(0)) == end).all())


def _run_of(ids_BJ: Tensor, symbol: Tensor) -> Tensor | None:
    """Return where examples end in a run of a symbol; None if it also stands before that."""
    padded_BJ = (ids_BJ == symbol).flip(1).cumprod(1).flip(1).bool()
    inside_BJ = (ids_BJ == symbol) & ~padded_BJ
    return None if bool(inside_BJ.any()) else padded_BJ
