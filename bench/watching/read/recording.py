"""A training that was watched, as everything that judges it reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from bench.watching.read.microbatches import last_batch
from bench.watching.read.predictions import UnreadableError
from bench.watching.read.reading import StepReading, read
from bench.watching.record.names import Names
from bench.watching.record.optimizers import OptimizerSeen
from bench.watching.record.recorder import Recorder
from bench.watching.record.rounds import EvaluationCalls, LossCurve, Round
from bench.watching.record.vocabularies import Vocabularies

MOSTLY_ONE = 0.6
"""Share of one symbol above which only the others say whether a model has learned."""
FELL_SINCE = 0.5
"""A loss that has fallen below this share of a round's makes that round say nothing of the end."""


@dataclass
class Recording:
    """Everything that a recorder kept of a training."""

    rounds: list[Round]
    """Rounds that were recorded: the first three, and some later ones."""
    evaluations: list[EvaluationCalls]
    curve: LossCurve
    optimizers: list[OptimizerSeen]
    names: Names
    steps: int
    """Number of training steps."""
    vocabularies: Vocabularies
    first_read: int = 3
    """Rounds that are read from the first one on; besides these, the last one is."""
    _reasons: list[str] = field(default_factory=list)
    """Why rounds could not be read."""

    @classmethod
    def of(cls, recorder: Recorder, first_read: int = 3) -> Recording:
        """Return what a recorder that has ended kept."""
        return cls(
            recorder.rounds,
            recorder.evaluations,
            recorder.curve,
            recorder.optimizers.seen,
            recorder.names,
            recorder.steps,
            recorder.vocabularies,
            first_read,
        )

    def files(self) -> set[str]:
        """Return the files of the user's code that made calls."""
        tapes = [one.tape for one in self.rounds] + [one.tape for one in self.evaluations]
        places = [call.place for tape in tapes for call in tape.calls]
        places += [event.place for one in self.rounds for event in one.events]
        places += [optimizer.place for optimizer in self.optimizers]
        return {place.file for place in places if place is not None}

    @cached_property
    def readings(self) -> list[tuple[Round, StepReading]]:
        """Return what could be read of the first rounds and of the last."""
        return list(self._read())

    @property
    def accuracy(self) -> float:
        """Return the share of predictions that are right in the last round that could be read.

        Where most are asked for one symbol, the others count. It is 1 where the loss has fallen to
        half of that round's since: what is right now was not looked at, and nothing may be said
        against it.
        """
        one, reading = self.readings[-1]
        asked = reading.predictions
        counted = asked.weight_N != 0
        losses = self.curve.losses
        last = losses[-max(1, len(losses) // 20) :]
        then = losses[max(0, one.index - 5) : one.index + 5]
        if last and then and sum(last) / len(last) < FELL_SINCE * sum(then) / len(then):
            return 1.0
        if not bool(counted.any()):
            return 0.0
        symbols, right = asked.asked_N[counted], asked.right_N[counted].double()
        commonest = symbols == symbols.mode().values
        if float(commonest.double().mean()) > MOSTLY_ONE and not bool(commonest.all()):
            # always to say the commonest symbol is not to be right
            return float(right[~commonest].mean())
        return float(right.mean())

    @property
    def climbed(self) -> bool:
        """Return whether all optimizers that step make the loss larger."""
        stepping = [seen for seen in self.optimizers if seen.steps]
        return bool(stepping) and all(seen.settings.get("maximize") for seen in stepping)

    def unread(self) -> list[str]:
        """Return a sentence that says why no step could be read; none if some could."""
        if not self.steps or self.readings:
            return []
        reasons = dict.fromkeys(self._reasons)
        why = "; ".join(reasons) or "no backward pass of a recorded step was seen"
        return [
            f"what the model is fed and asked for in the {self.steps:,} training steps, none of "
            f"which could be read: {why}; so only gradients and updates were judged"
        ]

    def _read(self) -> Iterator[tuple[Round, StepReading]]:
        first = self.first_read
        for one in [*self.rounds[:first], *self.rounds[first:][-1:]]:
            batch = last_batch(one)
            if batch is not None:
                try:
                    yield one, read(*batch, climbed=self.climbed)
                except UnreadableError as error:
                    self._reasons.append(str(error))
