"""Says what is wrong with a finished model: some passes and training steps, watched and undone.

import bench

found = bench.examine(model, loader, loss=criterion, optimizer=optimizer)
found.show()
"""

from __future__ import annotations

import dataclasses
import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from rich.console import Console
from torch import nn
from torch.optim import SGD, Optimizer

from bench.watching.examine.batches import FEWEST_ROUNDS, first_batches
from bench.watching.examine.finishing import EvalPasses, FinishedWatch, eval_passes, steps_taken
from bench.watching.examine.plans import COMPARED, Planner, StepPlan, own_plan
from bench.watching.examine.restoring import KeptState, optimizers_of, seed_all
from results.doctor.examined import LIKELY, Finding
from results.doctor.watched import Watched
from results.doctor.watched.show import show
from results.show.terminal import SafeConsole

Models = nn.Module | Sequence[nn.Module] | Mapping[str, nn.Module]
"""One module, or several such as (encoder, decoder)."""

NeutralOptimizer: type[SGD] = type("an optimizer of all parameters", (SGD,), {})
"""Stands in where no optimizer is known. It changes nothing; findings name it by its class."""


@dataclass(frozen=True, repr=False)
class Examination:
    """Says what is wrong with a finished model, as far as some batches show it."""

    findings: tuple[Finding, ...]
    """Causes, those that are certain first."""
    watched: Watched
    """The facts that they rest on; `watched.unseen` says what could not be seen."""
    batches: int
    """Batches that were looked at."""
    called: str
    """The way in which model and loss were called, as code."""

    def show(self, console: Console | None = None) -> None:
        """Print what was found, how it was seen and what to change."""
        to = console or SafeConsole()
        count = "1 batch" if self.batches == 1 else f"{self.batches} batches"
        to.print(f"examined {count}: {self.called}", markup=False)
        show(self.watched, self.findings, to)

    def plain(self) -> dict[str, Any]:
        """Return the same as plain values, for JSON."""
        return {
            "batches": self.batches,
            "called": self.called,
            "findings": [dataclasses.asdict(finding) for finding in self.findings],
            "unseen": list(self.watched.unseen),
        }

    def __repr__(self) -> str:
        text = io.StringIO()
        self.show(SafeConsole(file=text, width=88))
        return text.getvalue().rstrip()


def examine(
    model: Models,
    batches: Any,
    loss: Callable[..., Any] | None = None,
    optimizer: Optimizer | None = None,
    *,
    step: Callable[..., Any] | None = None,
) -> Examination:
    """Return what is wrong with a finished model.

    The first 8 batches are looked at. Some training steps are taken on them and watched; then
    everything is given back as it was: parameters, gradients, buffers, modes, the optimizer's
    state, random numbers. A generator of batches is used up as far as it is read.

    Args:
        model: an encoder-decoder or a tagger, or several modules if there is a `step`.
        batches: batches as you train on them: tuples, lists, dicts or objects of ids.
        loss: the loss that the model is trained by: of predictions and the symbols asked for. What
            concerns the loss is not judged without it.
        optimizer: the optimizer that it is trained by. What it holds is not judged without it.
        step: a function of one batch that returns its loss, or trains on it. With it nothing about
            the model, the batches and the loss has to be guessed.

    Raises:
        ValueError: there is no batch, or the model cannot be called; the text says what to write.
    """
    modules = _modules(model)
    _check(loss, optimizer, step, len(modules))
    parameters = [parameter for module in modules for parameter in module.parameters()]
    optimizers = list(optimizers_of(None if step is not None else parameters))
    if optimizer is not None and all(optimizer is not one for one in optimizers):
        optimizers.append(optimizer)
    bound = getattr(step, "__self__", None)
    own = [vars(bound)] if hasattr(bound, "__dict__") else []
    kept = KeptState([*modules, *optimizers, loss, *own])
    try:
        with torch.inference_mode(False), torch.enable_grad():
            chosen = first_batches(batches)
            trained = steps_taken([optimizer] if optimizer is not None else optimizers)
            case = _Case(modules, chosen, optimizer, kept, trained)
            plans = (
                Planner(modules[0], chosen, loss, kept).plans()
                if step is None
                else iter([own_plan(step, chosen)])
            )
            return case.judged(plans)
    finally:
        kept.restore()


@dataclass
class _Case:
    """Holds what is examined."""

    modules: list[nn.Module]
    batches: list[Any]
    optimizer: Optimizer | None
    kept: KeptState
    trained: int

    def judged(self, plans: Iterable[StepPlan]) -> Examination:
        """Return the findings by the first plan that compares outputs at the right steps."""
        found: list[Examination] = []
        for plan in plans:
            one = self._examined(plan)
            found.append(one)
            if not any(finding.cause in COMPARED for finding in one.findings):
                return one
        return found[0]

    def _examined(self, plan: StepPlan) -> Examination:
        watch = self._watched(plan, steps=False)
        if watch.backwards and not watch.steps:
            # the user's step leaves the optimizer's to others
            watch = self._watched(plan, steps=True)
        findings = [f for f in watch.findings if f.cause not in plan.ours]
        findings = [replace(f, sure=LIKELY) if f.cause in plan.unsure else f for f in findings]
        unseen = (*watch.watched.unseen, *plan.unseen)
        watched = replace(watch.watched, unseen=unseen)
        return Examination(tuple(findings), watched, len(self.batches), plan.called)

    def _watched(self, plan: StepPlan, *, steps: bool) -> FinishedWatch:
        """Take the steps of a plan under a watch, and give everything back.

        steps: whether to step the optimizer after each, though the plan's steps run backward.
        """
        watch = FinishedWatch(len(self.batches), self.trained, judges_loss=plan.judges_loss)
        calls: list[Callable[[], Any]] = []
        try:
            self._prepare(calls)
            optimizer = self.optimizer or self._neutral()
            rounds = max(len(plan.steps), FEWEST_ROUNDS)
            repeat = plan.repeat
            watch.passes = lambda: self._passes(repeat or (calls[0] if calls else None))
            with watch:
                for number, step in enumerate(
                    itertools.islice(itertools.cycle(plan.steps), rounds)
                ):
                    seed_all(number)
                    _take(step, watch, optimizer, self.modules, steps=steps)
        finally:
            self.kept.restore()
        return watch

    def _prepare(self, calls: list[Callable[[], Any]]) -> None:
        """Put the modules into train mode, and note the first call of the first one."""
        for module in self.modules:
            if not module.training:
                module.train()
        parameters = [p for module in self.modules for p in module.parameters()]
        if parameters and not any(p.requires_grad for p in parameters):
            for parameter in parameters:
                parameter.requires_grad_(parameter.is_floating_point())
        model = self.modules[0]

        def note(module: nn.Module, args: Any, kwargs: Any) -> None:
            if not calls:
                calls.append(lambda: model(*args, **kwargs))

        # the hook goes away when everything is given back
        model.register_forward_pre_hook(note, with_kwargs=True)

    def _neutral(self) -> Optimizer:
        parameters = {id(p): p for m in self.modules for p in m.parameters() if p.requires_grad}
        return NeutralOptimizer(list(parameters.values()), lr=0.0)

    def _passes(self, repeat: Callable[[], Any] | None) -> EvalPasses:
        if repeat is None or len(self.modules) > 1:
            return EvalPasses(unseen=("passes in eval mode: they need one module that is called",))
        return eval_passes(self.modules[0], repeat, self.kept)


def _take(
    step: Callable[[], Any],
    watch: FinishedWatch,
    optimizer: Optimizer,
    modules: Sequence[nn.Module],
    *,
    steps: bool,
) -> None:
    """Take one step: the user's as it is, completed by what it leaves out."""
    before = watch.backwards
    loss = step()
    if watch.backwards == before and isinstance(loss, torch.Tensor) and loss.requires_grad:
        for parameter in _parameters(modules, optimizer):
            parameter.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    elif steps:
        optimizer.step()
        for parameter in _parameters(modules, optimizer):
            parameter.grad = None


def _parameters(modules: Sequence[nn.Module], optimizer: Optimizer) -> Iterator[torch.Tensor]:
    for module in modules:
        yield from module.parameters()
    for group in optimizer.param_groups:
        yield from group["params"]


def _modules(model: Models) -> list[nn.Module]:
    if isinstance(model, nn.Module):
        return [model]
    found = list(model.values()) if isinstance(model, Mapping) else list(model)
    if not found or not all(isinstance(module, nn.Module) for module in found):
        raise ValueError(
            f"model is {type(model).__name__}; give an nn.Module, or several in a list"
        )
    return found


def _check(loss: Any, optimizer: Any, step: Any, modules: int) -> None:
    """Raise ValueError for arguments that cannot be used."""
    if isinstance(loss, type):
        raise ValueError(
            f"loss is the class {loss.__name__}; give an object of it: loss={loss.__name__}()"
        )
    if loss is not None and not callable(loss):
        raise ValueError(f"loss is {type(loss).__name__}; give a function or nn.CrossEntropyLoss()")
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise ValueError(f"optimizer is {type(optimizer).__name__}; give one of torch.optim")
    if step is not None and not callable(step):
        raise ValueError(f"step is {type(step).__name__}; give a function of one batch")
    if modules > 1 and step is None:
        raise ValueError(
            "several modules are called in a way of your own; give step=, a function of one batch "
            "that returns its loss"
        )
