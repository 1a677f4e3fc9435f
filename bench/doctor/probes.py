"""Probes of a trained model: is it fed the right data, and do its outputs react as they should?

Each probe changes one thing (the other rows of a batch, the batch before, a token of the
reference, the sources) and measures how far the logits move.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from bench.doctor.patient import Patient
from bench.training import batching
from bench.training.decoding import greedy
from bench.training.losses import mean_loss
from results.doctor.health import (
    BatchContents,
    OutputStatistics,
    Repetition,
    RowIndependence,
    SourceUse,
    TargetLeak,
)
from tasks import EOS, Ragged, Split
from variants import Batch, real

Logits = Sequence[Tensor]
"""Logits_NV of each head at the N real positions of a batch."""


def batch_contents(patient: Patient, batch: Batch) -> BatchContents:
    """Compare a batch as training makes it with the examples that it is made of."""
    proper = batching.collate(patient.examples, patient.facts, patient.device)
    shifted = None
    if not patient.facts.tagging:
        shifted = _rows_equal(batch.inputs_BT, batch.targets[0], proper.mask_BT)
    return BatchContents(
        sources=_rows_equal(batch.source_BS, proper.source_BS, proper.source_mask_BS),
        source_mask=_equal(batch.source_mask_BS, proper.source_mask_BS),
        inputs=_rows_equal(batch.inputs_BT, proper.inputs_BT, proper.mask_BT),
        inputs_are_targets=shifted,
        targets=min(
            _rows_equal(actual_BT, proper_BT, proper.mask_BT)
            for actual_BT, proper_BT in zip(batch.targets, proper.targets, strict=True)
        ),
        target_mask=_equal(batch.mask_BT, proper.mask_BT),
        padding=1.0 - float(proper.source_mask_BS.double().mean()),
        target_padding=1.0 - float(proper.mask_BT.double().mean()),
    )


def _rows_equal(actual: Tensor, proper: Tensor, mask: Tensor) -> float:
    """Return the share of rows (B, S) or (B, T) that are equal wherever the mask is true."""
    if actual.shape != proper.shape:
        return 0.0
    return float(((actual == proper) | ~mask).all(1).double().mean())


def _equal(actual: Tensor, proper: Tensor) -> float:
    """Return the share of positions of two tensors (B, S) or (B, T) that are equal."""
    return float((actual == proper).double().mean()) if actual.shape == proper.shape else 0.0


@torch.no_grad()
def score(patient: Patient, batch: Batch) -> tuple[Tensor, ...]:
    """Return the model's logits_NV of each head, teacher-forced and without dropout."""
    return patient.model.score(batch)


def change(before: Logits, after: Logits) -> float:
    """Return the largest change of any logit, in standard deviations of the logits before."""
    changes = [
        float((old - new).abs().max()) / (float(old.std()) + 1e-9)
        for old, new in zip(before, after, strict=True)
        if old.numel() and old.shape == new.shape
    ]
    # logits that cannot be compared have changed as much as they can
    return max(changes, default=math.inf)


@torch.no_grad()
def row_independence(patient: Patient) -> RowIndependence:
    """Compare logits of rows in a batch with those of the same rows in batches of their own."""
    return RowIndependence(
        mixed=change_alone(patient, patient.examples), alike=change_alone(patient, patient.plain)
    )


@torch.no_grad()
def change_alone(patient: Patient, split: Split) -> float | None:
    """Return how far a row's logits move when it is scored in a batch by itself.

    Two or three rows are tried. None with fewer than two examples.
    """
    if len(split) < 2:
        return None
    batch = patient.batch(split)
    # logits of all rows stand one after another; these are the ends of all rows but the last
    ends = np.cumsum(batch.mask_BT.sum(1).cpu().numpy())[:-1].tolist()
    by_row = [logits_NV.tensor_split(ends) for logits_NV in patient.model.score(batch)]
    changes = []
    for row in range(0, len(split), max(1, len(split) // 2)):
        single = patient.batch(split.take(np.array([row])))
        changes.append(change([head[row] for head in by_row], patient.model.score(single)))
    return max(changes)


@torch.no_grad()
def repetition(patient: Patient, batch: Batch, logits: Logits) -> Repetition:
    """Score one batch again, directly and after another batch.

    The generator is seeded alike before each pass, so that random draws (dropout that was left on)
    are not taken for a state that is carried over.

    Args:
        patient: the model and its examples.
        batch: a batch of the patient's examples.
        logits: what the model gave for it the first time.
    """
    # the same examples in another order: a batch of the same size with other contents
    rolled = patient.examples.take(np.roll(np.arange(len(patient.examples)), 1))
    patient.model.score(patient.batch(rolled))
    if not change(logits, patient.model.score(batch)):
        return Repetition(at_once=0.0, after_another=0.0)
    first, second = (_score_second(patient, batch, batch) for _ in range(2))
    after_another = _score_second(patient, patient.batch(rolled), batch)
    return Repetition(at_once=change(first, second), after_another=change(first, after_another))


def _score_second(patient: Patient, first: Batch, second: Batch) -> tuple[Tensor, ...]:
    """Return logits_NV of the second batch after the first, both with the same random draws."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        patient.model.score(first)
        torch.manual_seed(0)
        return patient.model.score(second)


@torch.no_grad()
def target_leak(patient: Patient) -> TargetLeak:
    """Change a token in the middle of each reference and measure which logits move."""
    split, size = patient.examples, patient.facts.target_sizes[0]
    lengths = split.targets[0].lengths
    # a token can only be changed for another where there are at least two
    long = [row for row in range(len(split)) if lengths[row] >= 2 and size > EOS + 2]
    if not long:
        return TargetLeak()
    split = split.take(np.array(long))
    places = split.targets[0].lengths // 2
    original = patient.batch(split)
    changed = patient.batch(_with_other_tokens(split, places, size))
    (before_NV,), (after_NV,) = patient.model.score(original), patient.model.score(changed)
    if before_NV.shape != after_NV.shape:
        return TargetLeak()
    rows_N = torch.repeat_interleave(torch.arange(len(split)), original.mask_BT.sum(1).cpu())
    steps_N = original.places_N.cpu() - rows_N * original.mask_BT.shape[1]
    # the step that predicts the changed token is the last that must not move
    early_N = steps_N <= torch.from_numpy(places)[rows_N]
    past_N = steps_N < torch.from_numpy(places)[rows_N]
    return TargetLeak(
        before=change([before_NV[early_N]], [after_NV[early_N]]),
        after=change([before_NV[~early_N]], [after_NV[~early_N]]),
        earlier=change([before_NV[past_N]], [after_NV[past_N]]),
    )


def _with_other_tokens(split: Split, places: np.ndarray, size: int) -> Split:
    """Return the split with the next token of the vocabulary at one place of each target."""
    # the special ids come first, and no token is changed for one of them
    target = split.targets[0]
    ids, first = target.ids.copy(), EOS + 1
    changed = target.offsets[:-1] + places
    ids[changed] = first + (ids[changed] - first + 1) % (size - first)
    return Split(split.source, (Ragged(ids, target.offsets),))


@torch.no_grad()
def source_use(patient: Patient, batch: Batch, logits: tuple[Tensor, ...]) -> SourceUse:
    """Measure the loss with other sources, and what ids at padding positions change.

    logits: (N, V) of each head, of the batch as it is.
    """
    own_loss = float(mean_loss(logits, batch, patient.facts))
    under_padding = _change_under_padding(patient, batch, logits)
    if patient.facts.tagging:
        # labels belong to words, so the words of a row change places instead of the rows
        exchanged = batch._replace(source_BS=_rotated_words(batch))
    else:
        rows = torch.arange(len(batch.source_BS)).roll(max(1, len(batch.source_BS) // 2))
        exchanged = batch._replace(
            source_BS=batch.source_BS[rows],
            source_mask_BS=batch.source_mask_BS[rows],
            lengths_B=batch.lengths_B[rows],
        )
    shuffled = float(mean_loss(patient.model.score(exchanged), batch, patient.facts))
    return SourceUse(loss=own_loss, shuffled=shuffled, under_padding=under_padding)


def _change_under_padding(patient: Patient, batch: Batch, logits: Logits) -> float | None:
    """Return how far logits move when other ids stand at padding; None without padding."""
    ids = batch.source_BS.clone()
    proper = batching.collate(patient.examples, patient.facts, patient.device)
    padding = proper.source_mask_BS.logical_not()
    if ids.shape != padding.shape or not bool(padding.any()):
        return None
    # any id that is not padding's; the last is always one
    ids[padding] = patient.facts.source_size - 1
    return change(logits, patient.model.score(batch._replace(source_BS=ids)))


def _rotated_words(batch: Batch) -> Tensor:
    """Return source_BS with the words of each row rotated by half of its length."""
    rotated = batch.source_BS.clone()
    for row, length in enumerate(batch.lengths_B.tolist()):
        rotated[row, :length] = rotated[row, :length].roll(max(1, length // 2))
    return rotated


@torch.no_grad()
def output_statistics(patient: Patient, batch: Batch, logits: Logits) -> OutputStatistics:
    """Compare what the model outputs by itself with the references."""
    if patient.facts.tagging:
        return _label_statistics(batch, logits)
    decoded = greedy(patient.model, batch, patient.facts.length_limit)
    outputs = [row.tolist() for row in decoded.ids]
    references = [row.tolist() for row in patient.examples.targets[0]]
    equal = sum(a == b for a, b in zip(outputs, references, strict=True))
    return OutputStatistics(
        ended=sum(decoded.ended) / len(outputs),
        length=sum(map(len, outputs)) / max(1, sum(map(len, references))),
        distinct=_distinct(outputs),
        distinct_wanted=_distinct(references),
        repeated=_repeated(outputs),
        repeated_wanted=_repeated(references),
        right=equal / len(outputs),
    )


def _label_statistics(batch: Batch, logits: Logits) -> OutputStatistics:
    """Return the commonest label's shares, for the head where its share is largest."""
    given, wanted = max(
        (_commonest(head_NC.argmax(-1)), _commonest(real(target_BS, batch)))
        for head_NC, target_BS in zip(logits, batch.targets, strict=True)
    )
    return OutputStatistics(commonest=given, commonest_wanted=wanted)


def _commonest(labels_N: Tensor) -> float:
    """Return the share of the commonest label."""
    return float(torch.bincount(labels_N).max()) / len(labels_N)


def _distinct(rows: Sequence[Sequence[int]]) -> float:
    """Return the number of distinct rows over the number of rows."""
    return len({tuple(row) for row in rows}) / len(rows)


def _repeated(rows: Sequence[Sequence[int]]) -> float:
    """Return the share of tokens that repeat the token before them."""
    pairs = [pair for row in rows for pair in pairwise(row)]
    return sum(a == b for a, b in pairs) / max(1, len(pairs))
