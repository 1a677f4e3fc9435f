"""Attentions by position, alone or together with content."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from variants.attention.content import General
from variants.attention.contract import Attended, Attention, Sizes, masked_softmax
from variants.fast.matmul import Linear


class Location(Attention):
    """The attention softmax(W q): a weight for each position, whatever symbol it holds.

    Luong et al. 2015, section 3.1, location.
    W has a row for each position up to the longest source of the training split; positions
    beyond get no weight. No bias.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.to_positions = Linear(sizes.query, sizes.longest, bias=False)

    def score(self, queries_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
        scores_BTP: Tensor = self.to_positions(queries_BTH)
        beyond = keys_BSK.shape[1] - scores_BTP.shape[-1]
        if beyond > 0:
            return nn.functional.pad(scores_BTP, (0, beyond), value=float("-inf"))
        return scores_BTP[..., : keys_BSK.shape[1]]


class Local(General):
    """Attends by the scores of `general` within `span` positions on either side of a middle."""

    has_span = True

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.span = sizes.span

    def distances(self, middles_BT: Tensor, mask_BS: Tensor) -> Tensor:
        """Return how far each position is from each middle, (B, T, S)."""
        positions = torch.arange(mask_BS.shape[1], device=mask_BS.device)
        return (positions - middles_BT[..., None]).abs()

    def within(self, queries_BTH: Tensor, read: Attended, distances_BTS: Tensor) -> Tensor:
        """Return weights_BTS, 0 outside the window."""
        inside = (distances_BTS <= self.span) & read.mask_BS[:, None]
        return masked_softmax(self.score(queries_BTH, read.keys_BSK), inside)


class LocalMonotonic(Local):
    """The attention local-m with general scores: the middle is p_t = t.

    Luong et al. 2015, section 3.2.

    Deviation: p_t stays at the last position once the target outgrows the source; the paper's
    window would be empty there.
    """

    def weigh(self, queries_BTH: Tensor, read: Attended, start: int) -> Tensor:
        steps = torch.arange(start, start + queries_BTH.shape[1], device=queries_BTH.device)
        last_B1 = read.mask_BS.sum(1, keepdim=True) - 1
        middles_BT = torch.minimum(steps, last_B1)
        return self.within(queries_BTH, read, self.distances(middles_BT, read.mask_BS))


class LocalPredictive(Local):
    """The attention local-p with general scores: the middle is predicted.

    It is p_t = S sigmoid(v . tanh(W q)), and weights are multiplied by
    exp(-(s - p_t)^2 / (2 sigma^2)), sigma = span / 2. Luong et al. 2015, eq. 9 and 10; as there,
    weights are not normalised again, so they sum to less than 1.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.to_place = Linear(sizes.query, sizes.query, bias=False)
        self.place = Linear(sizes.query, 1, bias=False)

    def weigh(self, queries_BTH: Tensor, read: Attended, start: int) -> Tensor:
        lengths_B1 = read.mask_BS.sum(1, keepdim=True)
        shares_BT = torch.sigmoid(self.place(torch.tanh(self.to_place(queries_BTH))).squeeze(-1))
        distances_BTS = self.distances(lengths_B1 * shares_BT, read.mask_BS)
        weights_BTS = self.within(queries_BTH, read, distances_BTS)
        return weights_BTS * torch.exp(-2.0 * (distances_BTS / self.span) ** 2)
