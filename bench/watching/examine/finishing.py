"""Watches the few steps of an examination, and judges them as those of a finished model."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from bench.watching.examine.outputs import tensors_in
from bench.watching.examine.restoring import KeptState, seed_all
from bench.watching.measure.evaluation.switched import active_dropout
from bench.watching.read.padded import padding_of
from bench.watching.read.reading import StepReading
from bench.watching.read.recording import Recording
from bench.watching.record.recorder import Recorder
from bench.watching.watch import Watch
from results.doctor.watched import Watched
from results.doctor.watched.finished import DropoutAlive, FinishedSeen
from results.doctor.watched.losses import ENOUGH, LossesSeen

GUESSING = 0.8
"""A loss below this share of that of guessing evenly shows that a model was trained."""


@dataclass(frozen=True)
class EvalPasses:
    """The outcome of passes over one batch in eval mode."""

    dropout: DropoutAlive | None = None
    unseen: tuple[str, ...] = ()


class FinishedWatch(Watch):
    """Watches an examination: records every step, and leaves out what only a training shows."""

    def __init__(self, batches: int, trained: int, *, judges_loss: bool) -> None:
        """Prepare to watch an examination.

        Args:
            batches: number of batches that are looked at.
            trained: number of steps that the optimizer has taken before, 0 if unknown.
            judges_loss: whether the loss is the user's.
        """
        super().__init__()
        self._recorder = Recorder(sample=lambda _: True)
        self._batches, self._trained, self._judges_loss = batches, trained, judges_loss
        self.passes: Callable[[], EvalPasses] = EvalPasses
        """Gives the passes in eval mode, once the steps have been taken."""

    @property
    def backwards(self) -> int:
        """Return the number of backward passes so far."""
        return self._recorder.backwards

    def _recording(self) -> Recording:
        return Recording.of(self._recorder, first_read=len(self._recorder.rounds))

    def _observed(self, recording: Recording, errors: list[Exception]) -> Watched:
        seen = super()._observed(recording, errors)
        passes = self.passes()
        seen = replace(
            seen,
            evaluations=None,
            finished=FinishedSeen(self._batches, passes.dropout),
            unseen=passes.unseen,
        )
        if seen.data is not None:
            seen = replace(seen, data=replace(seen.data, repeated=False))
        if seen.rates is not None:
            seen = replace(seen, rates=replace(seen.rates, constant=(), large=()))
        return self._with_age(self._without_loss(seen), recording)

    def _without_loss(self, seen: Watched) -> Watched:
        if self._judges_loss or seen.losses is None:
            return seen
        if seen.data is not None:
            # bench, not the user, left out what looks like padding
            seen = replace(seen, data=replace(seen.data, common_end=None))
        assert seen.losses is not None
        wrong = [n for n in seen.losses.normalisations if n.over not in ("symbols", "other")]
        own = LossesSeen(seen.losses.place, "", tuple(wrong), accuracy=seen.losses.accuracy)
        return replace(seen, losses=own)

    def _with_age(self, seen: Watched, recording: Recording) -> Watched:
        """Return the facts with the number of steps that the model was trained before."""
        age, rates = self._trained, seen.rates
        if rates is not None and rates.even and rates.first_per_symbol is not None:
            age = max(age, ENOUGH if rates.first_per_symbol < GUESSING * rates.even else 0)
        if seen.attention is not None:
            seen = replace(seen, attention=replace(seen.attention, steps=age))
        if seen.losses is not None:
            losses = replace(seen.losses, last_round=age)
            if self._judges_loss and age >= ENOUGH:
                losses = _with_padding(losses, [reading for _, reading in recording.readings])
            seen = replace(seen, losses=losses)
        return seen


def _with_padding(seen: LossesSeen, readings: Sequence[StepReading]) -> LossesSeen:
    """Return the facts with the padding's share of the loss, where rows show what is padding."""
    whole = on_padding = 0.0
    symbol, right, real = None, 0, 0
    for reading in readings:
        asked = reading.predictions
        asked_BT = reading.table(asked.asked_N)
        weight_BT = reading.table(asked.weight_N, 0.0).abs()
        padded_BT = padding_of(asked_BT)
        if padded_BT is None:
            continue
        symbol = int(asked_BT[padded_BT][0])
        whole += float(weight_BT.sum())
        on_padding += float(weight_BT[padded_BT].sum())
        counted_BT = ~padded_BT & (weight_BT != 0)
        right += int(reading.table(asked.right_N.long(), 0)[counted_BT].sum())
        real += int(counted_BT.sum())
    if symbol is None or not whole or not real:
        return seen
    return replace(
        seen, padding_weight=on_padding / whole, padding_symbol=symbol, accuracy=right / real
    )


def steps_taken(optimizers: Iterable[Any]) -> int:
    """Return the number of steps that optimizers have taken, as far as their states tell."""
    taken = [0]
    for optimizer in optimizers:
        if isinstance(optimizer, Optimizer):
            steps = (state.get("step", 0) for state in optimizer.state.values())
            taken += [int(step) for step in steps if isinstance(step, int | float | Tensor)]
    return max(taken)


def eval_passes(model: nn.Module, run: Callable[[], Any], kept: KeptState) -> EvalPasses:
    """Return what passes over one batch in eval mode show: randomness, and dropout among it.

    Args:
        model: the model.
        run: calls it with a batch.
        kept: gives the model back as it was after each pass.
    """

    def given(seed: int) -> list[Tensor]:
        kept.restore()
        model.eval()
        seed_all(seed)
        with torch.no_grad(), warnings.catch_warnings():
            # the user has seen the model's warnings in training
            warnings.simplefilter("ignore")
            return [tensor.detach().clone() for tensor in tensors_in(run())]

    try:
        first, again = given(0), given(0)
        if not _same(first, again):
            return EvalPasses(
                unseen=(
                    "whether the model is random in eval mode: two passes of one batch differ "
                    "although the random numbers of torch, numpy and Python were the same for "
                    "both, so passes were not compared",
                )
            )
        other = given(1)
        recorder = Recorder()
        if not _same(first, other):
            # torch may take another way when it is watched, so this pass is not compared
            with recorder:
                given(1)
    except Exception as error:
        text = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
        return EvalPasses(unseen=(f"passes in eval mode: calling the model ended by {text}",))
    finally:
        kept.restore()
    return _judged(recorder, first, other)


def _judged(recorder: Recorder, first: list[Tensor], other: list[Tensor]) -> EvalPasses:
    if _same(first, other):
        return EvalPasses()
    calls = [call for one in recorder.evaluations for call in one.tape.calls]
    alive = next((call for call in calls if active_dropout(call) > 0), None)
    if alive is None:
        return EvalPasses(
            unseen=(
                "what the model gives alone: in eval mode its outputs depend on random numbers, as "
                "by a coin for teacher forcing; they were the same for each call here",
            )
        )
    pairs = [(a.argmax(-1), b.argmax(-1)) for a, b in zip(first, other, strict=True)]
    changed = float((pairs[0][0] != pairs[0][1]).double().mean())
    return EvalPasses(DropoutAlive(str(alive.place), active_dropout(alive), changed))


def _same(first: list[Tensor], other: list[Tensor]) -> bool:
    return len(first) == len(other) and all(
        a.shape == b.shape and torch.equal(a.nan_to_num(), b.nan_to_num())
        for a, b in zip(first, other, strict=True)
    )
