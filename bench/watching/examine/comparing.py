"""Compares predictions with the symbols asked for, by the user's loss or in place of one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.watching.examine.calls import required_arguments
from bench.watching.examine.outputs import Predicted, own_loss
from bench.watching.examine.roles import BatchRoles
from bench.watching.read.padded import padding_of

Cut = Literal["", "asked", "first", "last"]
"""What is left out where predictions and reference are compared: nothing, the first symbol of the
reference, that and the first prediction, that and the last prediction."""
LossForm = Literal["flat", "aligned", "whole", "symbols-second"]
"""What a loss is given: (N, V) and (N,), both as they are with what does not count cut off, both
as they are, (B, V, T) and (B, T)."""
CUT_TEXTS: dict[Cut, tuple[str, str]] = {
    "": ("outputs", "target"),
    "asked": ("outputs", "target[:, 1:]"),
    "first": ("outputs[:, 1:]", "target[:, 1:]"),
    "last": ("outputs[:, :-1]", "target[:, 1:]"),
}


@dataclass(frozen=True)
class Alignment:
    """Says which predictions go with which symbols of the reference."""

    predicted: Predicted
    cut: Cut = ""

    def pair(self, outputs: Any, roles: BatchRoles) -> tuple[Tensor, Tensor]:
        """Return predictions (B, T, V) and the symbols asked for (B, T); or (B, V) and (B,)."""
        asked = roles.reference
        assert asked is not None
        logits = self._by_steps(outputs, roles)
        if logits.dim() == 3:
            logits = logits[:, int(self.cut == "first") : -1 if self.cut == "last" else None]
        return logits, asked[:, 1:] if self.cut else asked

    def pair_as_given(self, outputs: Any, roles: BatchRoles, *, cut: bool) -> tuple[Tensor, Tensor]:
        """Return both in the order of axes in which the model and the batch have them."""
        logits, asked = self.predicted.logits(outputs), roles.asked
        assert asked is not None
        if not cut or not self.cut:
            return logits, asked
        logits_BTV, asked_BT = self.pair(outputs, roles)
        if logits.dim() == 3:
            back = [self.predicted.axes.index(axis) for axis in range(3)]
            logits_BTV = logits_BTV.permute(back)
        return logits_BTV, asked_BT.T if roles.time_first else asked_BT

    def _by_steps(self, outputs: Any, roles: BatchRoles) -> Tensor:
        logits = self.predicted.by_axes(outputs)
        asked = roles.reference
        if logits.dim() == 3 or asked is None or asked.dim() == 1:
            return logits
        if roles.time_first:
            return logits.reshape(-1, len(asked), logits.shape[-1]).transpose(0, 1)
        return logits.reshape(len(asked), -1, logits.shape[-1])


@dataclass(frozen=True)
class LossUse:
    """A loss and what it is given."""

    function: Callable[..., Any] | None
    """None to use what the model returns by the name `loss`."""
    form: LossForm = "flat"
    reversed: bool = False
    """Whether it takes the symbols asked for before the predictions."""
    masked: bool = False
    """Whether it takes a mask of what counts as third argument."""
    given: bool = True
    """Whether it is the user's."""

    def compute(self, alignment: Alignment, outputs: Any, roles: BatchRoles) -> Tensor:
        """Return the loss of a model's outputs, one number.

        Raises:
            ValueError: it gives something else.
        """
        if self.function is None:
            loss = own_loss(outputs)
        else:
            loss = _first_tensor(self.function(*self._arguments(alignment, outputs, roles)))
        if loss is None or loss.numel() != 1:
            shape = "nothing" if loss is None else f"a tensor of shape {tuple(loss.shape)}"
            raise ValueError(f"the loss gives {shape}, and one number is needed")
        return loss

    def _arguments(
        self, alignment: Alignment, outputs: Any, roles: BatchRoles
    ) -> tuple[Tensor, ...]:
        if self.form in ("aligned", "whole"):
            cut = self.form == "aligned"
            logits, asked = alignment.pair_as_given(outputs, roles, cut=cut)
        else:
            logits, asked = alignment.pair(outputs, roles)
            if self.form == "flat":
                logits, asked = logits.reshape(-1, logits.shape[-1]), asked.reshape(-1)
            else:
                logits = logits.transpose(1, 2)
        pair = (asked, logits) if self.reversed else (logits, asked)
        if not self.masked:
            return pair
        pad = padding_symbol(roles.reference)
        return (*pair, torch.ones_like(asked, dtype=torch.bool) if pad is None else asked != pad)


def loss_uses(loss: Callable[..., Any] | None, log_probabilities: bool) -> Iterator[LossUse]:
    """Yield the ways in which a loss may be used, the likeliest first.

    log_probabilities: whether a loss in place of the user's is given log-probabilities.
    """
    if loss is None:
        function = _log_likelihood if log_probabilities else _cross_entropy
        yield LossUse(function, given=False)
        return
    if isinstance(loss, nn.modules.loss._Loss) or getattr(loss, "__module__", "") == (
        "torch.nn.functional"
    ):
        yield LossUse(loss)
        return
    masked = required_arguments(loss, unknown=2) == 3
    forms: tuple[LossForm, ...] = ("aligned", "whole", "flat", "symbols-second")
    for turned, form in itertools.product((False, True), forms):
        yield LossUse(loss, form, turned, masked)


def _cross_entropy(logits_NV: Tensor, asked_N: Tensor) -> Tensor:
    return functional.cross_entropy(logits_NV, asked_N, ignore_index=_ignored(asked_N))


def _log_likelihood(logits_NV: Tensor, asked_N: Tensor) -> Tensor:
    return functional.nll_loss(logits_NV, asked_N, ignore_index=_ignored(asked_N))


def _ignored(asked_N: Tensor) -> int:
    """Return the id below 0 that stands for padding, if there is one."""
    least = int(asked_N.min())
    return least if least < 0 else -100


def _first_tensor(result: Any) -> Tensor | None:
    if isinstance(result, tuple | list):
        return next((part for part in result if isinstance(part, Tensor)), None)
    return result if isinstance(result, Tensor) else None


def padding_symbol(ids_BT: Tensor | None) -> int | None:
    """Return the symbol that fills rows up, as far as the rows show it."""
    if ids_BT is None or ids_BT.dim() != 2 or ids_BT.is_floating_point():
        return None
    if bool((ids_BT < 0).any()):
        return int(ids_BT.min())
    padded = padding_of(ids_BT.cpu())
    return None if padded is None else int(ids_BT.cpu()[padded][0])


def is_log_probabilities(logits_BTV: Tensor) -> bool:
    """Return whether predictions are logarithms of probabilities over their last axis."""
    below = bool((logits_BTV <= 1e-6).all())
    return below and bool(((logits_BTV.double().exp().sum(-1) - 1).abs() < 1e-2).all())


def without_padding(roles: BatchRoles) -> BatchRoles:
    """Return the same with -100 in place of padding in what is asked.

    So a loss in place of the user's ignores it.
    """
    asked = roles.asked
    pad = padding_symbol(roles.reference)
    if asked is None or pad is None or pad < 0:
        return roles
    padded = padding_of(roles.reference.cpu()) if roles.reference is not None else None
    assert padded is not None
    place = padded.T if roles.time_first else padded
    return replace(
        roles, target=roles.target, labels=asked.masked_fill(place.to(asked.device), -100)
    )
