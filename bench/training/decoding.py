"""Free-running decoding: the model reads its own output, greedily or by beam search."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tasks import BOS, EOS, Ids
from variants import Batch, Model

BEAM_FORM = re.compile(r"beam=(\d+)(?:,length_penalty=(\d+(?:\.\d{1,4})?))?")
"""The text of a beam search: its width, and its length penalty if there is one."""
WIDEST_BEAM = 1000
"""Largest width of a beam."""


class Decoding(NamedTuple):
    """A way to decode: greedily, or by beam search.

    width: hypotheses kept, 1 for greedy. length_penalty: the alpha of Wu et al. 2016, eq. 14,
    without their coverage: scores are log P / ((5 + length) / 6)^alpha.
    """

    width: int = 1
    length_penalty: float = 0.0

    @property
    def text(self) -> str:
        """The decoding as a spec writes it; `read` is the inverse."""
        if self.width == 1:
            return "greedy"
        plain = f"{self.length_penalty:.4f}".rstrip("0").rstrip(".")
        penalty = f",length_penalty={plain}" if self.length_penalty else ""
        return f"beam={self.width}{penalty}"

    def normalised(self, log_p: Tensor, length: int) -> Tensor:
        """Return scores (...) of hypotheses of so many tokens, eos included. log_p: (...)."""
        return log_p / float(((5.0 + length) / 6.0) ** self.length_penalty)


def read_decoding(text: str) -> Decoding:
    """Read `greedy`, `beam=5` or `beam=5,length_penalty=0.6`; ValueError for anything else."""
    match = BEAM_FORM.fullmatch(text.replace(" ", ""))
    if match and 1 <= int(match[1]) <= WIDEST_BEAM and float(match[2] or 0) <= 10:
        width = int(match[1])
        return Decoding(width, float(match[2] or 0) if width > 1 else 0.0)
    if text.strip() == "greedy":
        return Decoding()
    raise ValueError(
        f"the decoding {text!r} does not exist; give greedy, beam=5 or beam=5,length_penalty=0.6, "
        f"a width from 1 to {WIDEST_BEAM} and a penalty from 0 to 10 of at most 4 decimals"
    )


class Decoded(NamedTuple):
    """The outputs of a batch, one for each row.

    ids: without bos and eos. ended: whether eos came before the limit. attention: weights (T, S)
    over the row's real steps and real source, or None.
    """

    ids: list[Ids]
    ended: list[bool]
    attention: list[list[list[float]]] | None


def decode(
    model: Model, batch: Batch, limit: int, how: Decoding, attention: bool = False
) -> Decoded:
    """Return outputs of at most `limit` tokens, eos included; with attention if asked for."""
    if how.width == 1:
        return greedy(model, batch, limit, attention)
    found = beam(model, batch, limit, how)
    return found._replace(attention=_along(model, batch, found)) if attention else found


@torch.no_grad()
def greedy(model: Model, batch: Batch, limit: int, attention: bool = False) -> Decoded:
    """Decode with the most likely token at every step, until eos or `limit` tokens."""
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
    """Return the number of tokens before eos."""
    ends = np.flatnonzero(row == EOS)
    return int(ends[0]) if len(ends) else len(row)


class Hypothesis(NamedTuple):
    """An output of a beam: its normalised log-probability, its ids, and whether eos came."""

    score: float
    ids: Ids
    ended: bool


NOTHING = Hypothesis(float("-inf"), np.zeros(0, dtype=np.int32), False)
"""The output of a row for which nothing was finite."""


def beam(model: Model, batch: Batch, limit: int, how: Decoding) -> Decoded:
    """Decode with the best hypothesis that a beam of `how.width` finds.

    With a width of 1 the outputs are those of `greedy`.
    """
    best = [found[0] if found else NOTHING for found in n_best(model, batch, limit, how, 1)]
    return Decoded([found.ids for found in best], [found.ended for found in best], None)


@torch.no_grad()
def n_best(
    model: Model, batch: Batch, limit: int, how: Decoding, count: int
) -> list[list[Hypothesis]]:
    """Return the best hypotheses that a beam finds for each row, at most `count`, best first.

    At every step the `width` likeliest extensions of a row's hypotheses are kept. Those that end
    leave the beam and are remembered. Hypotheses that have not ended at the limit compete as they
    are. A row is done when nothing in its beam can be better than what is remembered any more.
    """
    width, rows = how.width, len(batch.source_BS)
    device = batch.source_BS.device
    memory, state = model.encode(batch)
    each = torch.arange(rows, device=device).repeat_interleave(width)
    memory, state = pick(memory, each), pick(state, each)
    tokens_N = torch.full((rows * width,), BOS, device=device)
    history_NT = tokens_N.new_empty(rows * width, 0)
    # one hypothesis to begin with, or all would be the same
    first = torch.arange(width, device=device) == 0
    alive_BW = torch.zeros(rows, width, device=device).masked_fill(~first, float("-inf"))
    best: list[list[Hypothesis]] = [[] for _ in range(rows)]
    for step in range(1, limit + 1):
        logits_NV, state, _ = model.step(tokens_N, state, memory)
        size = logits_NV.shape[-1]
        extended = alive_BW[..., None] + logits_NV.log_softmax(-1).view(rows, width, size)
        alive_BW, chosen_BW = extended.flatten(1).topk(min(width, width * size), dim=-1)
        parents_N = (
            chosen_BW // size + torch.arange(rows, device=device)[:, None] * width
        ).flatten()
        tokens_N = (chosen_BW % size).flatten()
        history_NT = torch.cat([history_NT[parents_N], tokens_N[:, None]], dim=1)
        state = pick(state, parents_N)
        ended_BW = (tokens_N == EOS).view(rows, width) & alive_BW.isfinite()
        over_BW = ended_BW if step < limit else alive_BW.isfinite()
        scores_BW = how.normalised(alive_BW, step).masked_fill(~over_BW, float("-inf"))
        _remember(best, count, scores_BW, ended_BW, history_NT)
        alive_BW = alive_BW.masked_fill(ended_BW, float("-inf"))
        # what is alive gets no likelier, and is divided by the limit's penalty at best
        hope_B = how.normalised(alive_BW.max(-1).values, limit).cpu()
        if all(hope <= _least(f, count) for hope, f in zip(hope_B.tolist(), best, strict=True)):
            break
    return best


def _least(found: list[Hypothesis], count: int) -> float:
    """Return the score that a further hypothesis of a row has to beat."""
    return found[-1].score if len(found) == count else float("-inf")


def _remember(
    best: list[list[Hypothesis]],
    count: int,
    scores_BW: Tensor,
    ended_BW: Tensor,
    history_NT: Tensor,
) -> None:
    """Put into `best` each row's hypotheses that are over, if they are among its `count` best.

    scores_BW: of each row's beam, -inf for what is not over. history_NT: tokens so far, N = B * W.
    """
    width = scores_BW.shape[1]
    scores, ended = scores_BW.tolist(), ended_BW.tolist()
    for row, found in enumerate(best):
        # of equal ones the first in the beam comes first
        order = sorted(range(width), key=scores[row].__getitem__, reverse=True)
        for place in order[:count]:
            score = scores[row][place]
            if score > _least(found, count):
                ids = history_NT[row * width + place].cpu().numpy().astype(np.int32)
                over = ended[row][place]
                found.append(Hypothesis(score, ids[:-1] if over else ids, over))
                found.sort(key=lambda one: -one.score)
                del found[count:]


def pick(tree: Any, rows_N: Tensor) -> Any:
    """Return nested tuples with the rows rows_N of every tensor in them.

    Anything that is no tensor stays as it is.
    """
    if isinstance(tree, Tensor):
        return tree.index_select(0, rows_N)
    if isinstance(tree, tuple):
        picked = [pick(part, rows_N) for part in tree]
        return type(tree)(*picked) if hasattr(tree, "_fields") else tuple(picked)
    return tree


@torch.no_grad()
def _along(model: Model, batch: Batch, found: Decoded) -> list[list[list[float]]] | None:
    """Return the attention on the way to outputs that are known, by feeding these.

    A beam does not keep it: most hypotheses are dropped again.
    """
    memory, state = model.encode(batch)
    weights = []
    lengths = [len(ids) for ids in found.ids]
    tokens_B = torch.full((len(lengths),), BOS, device=batch.source_BS.device)
    steps = max(length + ended for length, ended in zip(lengths, found.ended, strict=True))
    for t in range(steps):
        _, state, attention_BS = model.step(tokens_B, state, memory)
        if attention_BS is None:
            return None
        weights.append(attention_BS)
        after = [int(ids[t]) if t < len(ids) else EOS for ids in found.ids]
        tokens_B = torch.tensor(after, device=tokens_B.device)
    return _by_row(weights, lengths, batch.lengths_B.tolist())


def _by_row(
    weights: list[Tensor], lengths: list[int], sources: list[int]
) -> list[list[list[float]]]:
    """Return weights (T, S) for each row: its real steps, eos included, over its real source.

    weights: (B, S) for each step.
    """
    weights_BTS = torch.stack(weights, dim=1).cpu().double().numpy().round(4)
    return [
        weights_BTS[row, : length + 1, :source].tolist()
        for row, (length, source) in enumerate(zip(lengths, sources, strict=True))
    ]
