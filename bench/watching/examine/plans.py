"""Plans the training steps of an examination: the user's own, or steps that it makes up itself."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from bench.watching.examine.batches import parts_of
from bench.watching.examine.calls import (
    FoundCall,
    ModelCall,
    fed_step,
    find_call,
    required_arguments,
)
from bench.watching.examine.comparing import (
    CUT_TEXTS,
    Alignment,
    Cut,
    LossUse,
    is_log_probabilities,
    loss_uses,
    padding_symbol,
    without_padding,
)
from bench.watching.examine.outputs import Asked, own_loss
from bench.watching.examine.restoring import KeptState, seed_all
from bench.watching.examine.roles import BatchRoles, roles_of

EXAMPLE = """
def step(batch):
    source, target = batch
    logits = model(source, target[:, :-1])
    return criterion(logits.flatten(0, 1), target[:, 1:].flatten())

found = bench.examine(model, batches, step=step)
"""
"""Shows what to write where a model cannot be called; a test runs it."""
COMPARED = frozenset(
    "unshifted-targets targets-shifted first-slot-empty targets-transposed "
    "sequences-cut-off".split()
)
"""Causes that lie in how outputs are compared with targets."""


@dataclass(frozen=True)
class StepPlan:
    """The training steps of an examination, and what it chose for them itself."""

    steps: tuple[Callable[[], Any], ...]
    """Each gives the loss of one batch, or trains on it."""
    called: str
    """The way in which model and loss are called, as code."""
    ours: frozenset[str] = frozenset()
    """Causes that would be this plan's own doing, and are not reported."""
    unsure: frozenset[str] = frozenset()
    """Causes that are only likely, because the plan may not do as the user's training does."""
    unseen: tuple[str, ...] = ()
    judges_loss: bool = True
    repeat: Callable[[], Any] | None = None
    """Runs the model on the first batch once more; None if it is learned from the steps."""


def own_plan(step: Callable[..., Any], batches: Sequence[Any]) -> StepPlan:
    """Return the plan of taking the user's own steps."""

    def taking(batch: Any) -> Callable[[], Any]:
        parts = len(batch) if isinstance(batch, tuple | list) else 1
        apart = parts > 1 and required_arguments(step, unknown=1) == parts
        return lambda: step(*batch) if apart else step(batch)

    name = getattr(step, "__name__", "step")
    return StepPlan(tuple(map(taking, batches)), f"{name}(batch)")


class Planner:
    """Makes up training steps for a model: how it is called, and how its loss is computed."""

    def __init__(
        self,
        model: nn.Module,
        batches: Sequence[Any],
        loss: Callable[..., Any] | None,
        kept: KeptState,
    ) -> None:
        self._model, self._loss, self._kept = model, loss, kept
        parameter = next(model.parameters(), None)
        device = torch.device("cpu") if parameter is None else parameter.device
        self._parts = [parts_of(batch, device) for batch in batches]
        self._roles = [self._completed(roles_of(parts)) for parts in self._parts]

    def plans(self) -> Iterator[StepPlan]:
        """Yield plans, of which the first is right unless it compares at the wrong steps.

        Raises:
            ValueError: the model cannot be called, or the loss not be computed.
        """
        first = self._roles[0]
        asked_BT = first.reference
        if first.source is None or asked_BT is None:
            raise self._uncalled(None)
        asked = Asked(asked_BT, first.time_first, first.labels is None)
        found = find_call(self._model, first, asked, lambda call: self._run(call, first))
        if not isinstance(found, FoundCall):
            raise self._uncalled(found)
        alignment = Alignment(found.predicted, self._cut(found, asked))
        outputs = self._run(found.call, first)
        for use in self._uses(alignment, outputs):
            yield self._plan(found.call, alignment, use, asked)

    def _completed(self, roles: BatchRoles) -> BatchRoles:
        """Return the roles with lengths, by the padding that rows or embeddings show."""
        source = roles.source
        turned = source is not None and source.dim() == 2 and roles.time_first
        pad = padding_symbol(source.T if source is not None and turned else source)
        return roles.with_lengths(self._padding_idx() if pad is None else pad)

    def _padding_idx(self) -> int | None:
        embeddings = (m for m in self._model.modules() if isinstance(m, nn.Embedding))
        return next((m.padding_idx for m in embeddings if m.padding_idx is not None), None)

    def _run(self, call: ModelCall, roles: BatchRoles) -> Any:
        """Return the outputs of a call in train mode, without lasting effects."""
        try:
            if not self._model.training:
                self._model.train()
            seed_all(0)
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return call.run(self._model, roles)
        finally:
            self._kept.restore()

    def _cut(self, found: FoundCall, asked: Asked) -> Cut:
        """Return what is left out where outputs and reference are compared."""
        roles = self._roles[0]
        if asked.ids_BT.dim() == 1:
            return ""
        if asked.whole and found.predicted.steps < asked.ids_BT.shape[1]:
            return "asked"
        alignment = Alignment(found.predicted)
        logits, _ = alignment.pair(self._run(found.call, roles), roles)
        if logits.shape[1] > 1 and bool((logits[:, 0] == logits[0, 0, 0]).all()):
            return "first"
        if not asked.whole or not self._feeds_reference(found.call):
            return ""

        def run(target_BT: Tensor) -> Tensor:
            target = target_BT.T if roles.time_first else target_BT
            changed = replace(roles, target=target)
            return alignment.pair(self._run(found.call, changed), changed)[0]

        fed = fed_step(run, asked.ids_BT)
        return "last" if fed in ("same", "unknown") and self._common_start() else ""

    def _feeds_reference(self, call: ModelCall) -> bool:
        _, kwargs = call.arguments(self._roles[0])
        args, _ = call.arguments(self._roles[0])
        target = self._roles[0].value("fed")
        given = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
        return any(v.shape == target.shape and torch.equal(v, target) for v in given)

    def _common_start(self) -> bool:
        """Return whether all references begin alike."""
        firsts = [roles.reference[:, 0] for roles in self._roles if roles.reference is not None]
        joined = torch.cat(firsts)
        return len(joined) > 1 and bool((joined == joined[0]).all())

    def _uses(self, alignment: Alignment, outputs: Any) -> list[LossUse]:
        """Return the ways to use the loss that give one number; two only where steps are cut."""
        roles = self._asked_of(self._roles[0])
        if self._loss is None and own_loss(outputs) is not None:
            return [LossUse(None)]
        logits, _ = alignment.pair(outputs, roles)
        working: list[LossUse] = []
        first: Exception | None = None
        for use in loss_uses(self._loss, is_log_probabilities(logits)):
            try:
                seed_all(0)
                use.compute(alignment, outputs, roles)
            except Exception as error:
                first = first or error
                continue
            working.append(use)
        if not working:
            raise ValueError(
                f"the loss could not be computed of outputs {tuple(logits.shape)} "
                f"({_one_line(first)}); give step=, a function of one batch that returns its "
                f"loss, for example:\n{EXAMPLE}"
            )
        both = [use for use in working if use.form in ("whole", "aligned")]
        if alignment.cut and len(both) > 1 and not both[1].reversed:
            return [both[1], both[0]]
        return working[:1]

    def _asked_of(self, roles: BatchRoles) -> BatchRoles:
        """Return the roles; without padding in what is asked, if the loss is not the user's."""
        return without_padding(roles) if self._loss is None else roles

    def _plan(self, call: ModelCall, alignment: Alignment, use: LossUse, asked: Asked) -> StepPlan:
        model = self._model

        def taking(roles: BatchRoles) -> Callable[[], Tensor]:
            compared = self._asked_of(roles)
            return lambda: use.compute(alignment, call.run(model, roles), compared)

        chosen = asked.whole and self._feeds_reference(call)
        return StepPlan(
            tuple(taking(roles) for roles in self._roles),
            _text(call, alignment, use, self._loss),
            ours=(COMPARED if chosen and alignment.cut else frozenset()) | {"never-forced"},
            unsure=COMPARED if chosen else frozenset(),
            unseen=tuple(_unseen(use, chosen)),
            judges_loss=use.given,
            repeat=lambda: call.run(model, self._roles[0]),
        )

    def _uncalled(self, error: Exception | None) -> ValueError:
        """Return the error that says what to write where the model cannot be called."""
        parts = [
            f"{part.name or 'part'} {tuple(getattr(part.value, 'shape', ()))}"
            for part in self._parts[0]
        ]
        try:
            takes = str(inspect.signature(self._model.forward))
        except (ValueError, TypeError):
            takes = "(...)"
        why = "no call gives predictions of their size" if error is None else _one_line(error)
        return ValueError(
            f"{type(self._model).__name__}.forward{takes} could not be called with batches of "
            f"{', '.join(parts) or 'no tensors'} ({why}); give step=, a function of one batch that "
            f"returns its loss, for example:\n{EXAMPLE}"
        )


def _text(call: ModelCall, alignment: Alignment, use: LossUse, loss: Any) -> str:
    """Return how model and loss are called, as code."""
    if use.function is None:
        return f"{call.text()}.loss"
    name = "cross-entropy" if loss is None else getattr(loss, "__name__", type(loss).__name__)
    outputs, target = CUT_TEXTS["" if use.form == "whole" else alignment.cut]
    pair = (target, outputs) if use.reversed else (outputs, target)
    return f"outputs = {call.text()}; {name}({', '.join(pair)})"


def _unseen(use: LossUse, chosen: bool) -> Iterator[str]:
    if not use.given:
        yield "the loss: none was given; give loss= as you train with"
    if chosen:
        yield (
            "whether your training compares outputs and targets at the right steps: these were "
            "chosen here; give step= to have yours judged"
        )


def _one_line(error: Exception | None) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
