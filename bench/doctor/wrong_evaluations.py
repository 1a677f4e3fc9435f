"""Evaluations that feed or stop wrongly, as planted faults have them, and the probe of both.

The probe evaluates a stand-in for the model, which ends every output at its second step, and notes
what it is asked to read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.doctor.patient import Patient
from bench.training.decoding import Decoding
from bench.training.evaluation import GREEDY, Collate, Evaluation
from bench.training.state import Recipe, Setting
from results.doctor.health import DecodingProbe
from tasks import BOS, EOS, PAD, Split, Task
from variants import Batch, Encoded, Model, Readout, Step


class Around(Model):
    """A model around another that changes only how it is decoded."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def score(
        self, batch: Batch, fed_BT: Tensor | None = None, dropout: torch.Generator | None = None
    ) -> tuple[Tensor, ...]:
        """Return the logits_NV of each stream, unchanged."""
        return self.model.score(batch, fed_BT, dropout)

    def readouts(
        self, batch: Batch, fed_BT: Tensor | None = None, dropout: torch.Generator | None = None
    ) -> tuple[Readout, ...] | None:
        """Return what the inner model makes its logits of."""
        return self.model.readouts(batch, fed_BT, dropout)

    def encode(self, batch: Batch) -> Encoded:
        """Read the sources, unchanged."""
        return self.model.encode(batch)

    def step(self, tokens_B: Tensor, state: Any, memory: Any) -> Step:
        """Feed one token to each row, unchanged."""
        return self.model.step(tokens_B, state, memory)


class NeverStops(Around):
    """A model whose end symbol no loop recognises: it stands where padding's number should."""

    def step(self, tokens_B: Tensor, state: Any, memory: Any) -> Step:
        """Feed one token to each row, its own end symbol too, and hide the next one."""
        # what was given as padding was the end symbol, and the model goes on from it
        own_B = torch.where(tokens_B == PAD, EOS, tokens_B)
        step = self.model.step(own_B, state, memory)
        logits_BV = step.logits_BV.clone()
        logits_BV[:, PAD] = step.logits_BV[:, EOS]
        logits_BV[:, EOS] = float("-inf")
        return step._replace(logits_BV=logits_BV)


class ForeignStart(Around):
    """A model that begins with a symbol which training never fed: padding instead of bos."""

    def encode(self, batch: Batch) -> Encoded:
        """Read the sources; the state says that nothing was fed yet."""
        memory, state = self.model.encode(batch)
        return Encoded(memory, (state, True))

    def step(self, tokens_B: Tensor, state: Any, memory: Any) -> Step:
        """Feed one token to each row, the first time a foreign one."""
        inner, first = state
        fed_B = torch.full_like(tokens_B, PAD) if first else tokens_B
        step = self.model.step(fed_B, inner, memory)
        return step._replace(state=(step.state, False))


def evaluated(around: Callable[[Model], Model]) -> Callable[[Recipe], Recipe]:
    """Plant an evaluation of the model with something around it."""

    def plant(recipe: Recipe) -> Recipe:
        def evaluate(
            model: Model,
            task: Task,
            split: Split,
            device: str,
            collate: Collate,
            decoding: Decoding,
        ) -> Evaluation:
            return recipe.evaluate(around(model), task, split, device, collate, decoding)

        return replace(recipe, evaluate=evaluate)

    return plant


class StandIn(Model):
    """A stand-in for a model: each output is one symbol and the end, whatever it reads.

    fed: the tokens_B of every step, in order. size: number of target symbols.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.fed: list[Tensor] = []

    def score(
        self, batch: Batch, fed_BT: Tensor | None = None, dropout: torch.Generator | None = None
    ) -> tuple[Tensor, ...]:
        """Return logits_NV that are all 0."""
        return (torch.zeros(batch.tokens, self.size, device=batch.mask_BT.device),)

    def encode(self, batch: Batch) -> Encoded:
        """Begin a batch: no step was taken yet."""
        return Encoded((), 0)

    def step(self, tokens_B: Tensor, state: Any, memory: Any) -> Step:
        """Note what is fed, and give one symbol, then the end for ever."""
        self.fed.append(tokens_B)
        logits_BV = torch.zeros(len(tokens_B), self.size, device=tokens_B.device)
        logits_BV[:, EOS if state else EOS + 1] = 1.0
        return Step(logits_BV, state + 1, None)


STAND_IN_STEPS = 2
"""Steps that an output of the stand-in has, its end included."""


def probe_decoding(patient: Patient, setting: Setting) -> DecodingProbe | None:
    """Evaluate a stand-in by the run's own function, and say what it was fed and when it stopped.

    None for a tagger, where the vocabulary has no ordinary symbol, and where the run evaluates
    nothing but models of its own kind.
    """
    size = patient.facts.target_sizes[0]
    if patient.facts.tagging or size <= EOS + 1 or patient.facts.length_limit <= STAND_IN_STEPS:
        return None
    stand_in = StandIn(size)
    examples = patient.examples.take(np.arange(min(2, len(patient.examples))))
    inputs = (setting.task, examples, patient.device, patient.collate, GREEDY)
    try:
        setting.recipe.evaluate(stand_in, *inputs)
    except ValueError:
        return None
    if not stand_in.fed:
        return None
    return DecodingProbe(
        started=float((stand_in.fed[0] == BOS).double().mean()),
        beyond=len(stand_in.fed) - STAND_IN_STEPS,
    )
