"""Free running: the model feeds itself."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from tasks import BOS, EOS, Ids
from variants import Batch, Model


class Decoded(NamedTuple):
    """ids: one array a row, without bos and eos. ended: whether eos came before the limit.
    attention: per row (steps, source length) weights, or None."""

    ids: list[Ids]
    ended: list[bool]
    attention: list[list[list[float]]] | None


@torch.no_grad()
def greedy(model: Model, batch: Batch, limit: int, attention: bool = False) -> Decoded:
    """The most likely token at every step, until eos or `limit` tokens."""
    memory, state = model.encode(batch)
    rows = len(batch.source_BS)
    tokens_B = torch.full((rows,), BOS, device=batch.source_BS.device)
    done_B = torch.zeros(rows, dtype=torch.bool, device=tokens_B.device)
    chosen, weights = [], []
    for _ in range(limit):
        logits_BV, state, attention_BS = model.step(tokens_B, state, memory)
        tokens_B = logits_BV.argmax(-1)
        chosen.append(tokens_B)
        if attention and attention_BS is not None:
            weights.append(attention_BS)
        done_B |= tokens_B == EOS
        # one synchronisation a step, which buys not decoding to the limit
        if bool(done_B.all()):
            break
    ids_BT = torch.stack(chosen, dim=1).cpu().numpy().astype(np.int32)
    lengths = [_length(row) for row in ids_BT]
    return Decoded(
        [row[:length] for row, length in zip(ids_BT, lengths, strict=True)],
        [length < len(row) for row, length in zip(ids_BT, lengths, strict=True)],
        _by_row(weights, lengths, batch.lengths_B.tolist()) if weights else None,
    )


def _length(row: Ids) -> int:
    """Tokens before eos."""
    ends = np.flatnonzero(row == EOS)
    return int(ends[0]) if len(ends) else len(row)


def _by_row(
    weights: list[torch.Tensor], lengths: list[int], sources: list[int]
) -> list[list[list[float]]]:
    """Weights of each row's real steps (eos included) over its real source."""
    weights_BTS = torch.stack(weights, dim=1).cpu().double().numpy().round(4)
    return [
        weights_BTS[row, : length + 1, :source].tolist()
        for row, (length, source) in enumerate(zip(lengths, sources, strict=True))
    ]
