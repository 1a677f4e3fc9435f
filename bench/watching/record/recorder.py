"""Records training while it runs, by a torch function mode and by hooks, and changes nothing."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as module_hooks
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from bench.watching.record.by_hand import COPYING, HandMadeSteps
from bench.watching.record.calls import (
    AFTER_STEP,
    CHANGING,
    CLIP_FUNCTIONS,
    CLIPPING,
    CLIPS,
    HANDING,
    MAKERS,
    OPTIMIZERS,
    RANDOM,
    UNRECORDED,
    asks,
    looks_up,
)
from bench.watching.record.gradients import Gradients
from bench.watching.record.hooks import HookedMode
from bench.watching.record.leaves import leaves_of, taken_apart
from bench.watching.record.names import Names
from bench.watching.record.optimizers import Optimizers
from bench.watching.record.places import CodeLine, place, torch_frame
from bench.watching.record.replaying import Call, GeneratorState, Slot
from bench.watching.record.rounds import EvaluationCalls, LossCurve, Round, RoundEvent
from bench.watching.record.sampling import sampled
from bench.watching.record.stages import Stages
from bench.watching.record.tape import Tape, in_transform, plain, takes_gradients
from bench.watching.record.vocabularies import Vocabularies

FEWEST_INPUTS = 2
"""Gradients of fewer tensors, none of them a Parameter, are no step: they explain one input."""


class EnoughSteps(BaseException):
    """Raised in the training code after as many steps as were asked for."""


class Recorder(HookedMode):
    """Sees all torch calls of the thread while it is entered, and the optimizers' steps.

    An error in here never reaches the training: recording stops then, and `error` says why.
    """

    def __init__(
        self, most_steps: int | None = None, sample: Callable[[int], bool] = sampled
    ) -> None:
        """Prepare a recorder, which begins when it is entered.

        Args:
            most_steps: training steps after which to end the training, None for no limit.
            sample: whether the round of an index is recorded.
        """
        super().__init__()
        self.backwards = 0
        """Number of backward passes, and of calls of torch.autograd.grad for parameters."""
        self.processes = 0
        """Processes that the training code started, other than those that load data."""
        self._most_steps = most_steps
        self.curve = LossCurve()
        self.names = Names()
        self.optimizers = Optimizers(self.names)
        self.vocabularies = Vocabularies()
        self._stages = Stages(sample, self._finished)
        self._by_hand = HandMadeSteps(self.optimizers.parameters)
        self._stepping = False
        self._closure: Optimizer | None = None
        self._loss: tuple[float, int] = (0.0, 0)
        self._gradients = Gradients()
        self._clipping: FrameType | None = None
        self._safe_before_call = self._guarded(self._before_call)
        self._safe_after_call = self._guarded(self._after_call)
        self._safe_after_copy = self._guarded(self._after_copy)

    @property
    def rounds(self) -> list[Round]:
        """Return the recorded rounds that are over."""
        return self._stages.rounds

    @property
    def evaluations(self) -> list[EvaluationCalls]:
        """Return the recorded evaluations that are over."""
        return self._stages.evaluations

    @property
    def steps(self) -> int:
        """Return the number of training steps taken so far."""
        return self._stages.steps

    def __enter__(self) -> Recorder:
        self._stages.begin_round()
        safe = self._guarded
        for handle in (
            register_optimizer_step_pre_hook(safe(self._before_step)),
            register_optimizer_step_post_hook(safe(self._after_step)),
            module_hooks.register_module_forward_pre_hook(safe(self._before_forward)),
            module_hooks.register_module_forward_hook(safe(self._after_forward), always_call=True),
        ):
            self._undo.callback(handle.remove)
        self._patch(Optimizer, "zero_grad", before=safe(self._on_zero_grad))
        self._patch(nn.Module, "zero_grad", before=safe(self._on_zero_grad))
        self._patch(Optimizer, "__init__", after=safe(self.optimizers.made))
        self._patch(BaseProcess, "start", before=safe(self._on_process))
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        self._undo.close()
        self._guarded(self._end)(cut=error[:1] != (None,) and bool(error))
        self._stages.drop()
        self._clipping = None

    def _end(self, cut: bool) -> None:
        self._end_update()
        self._stages.end(cut=cut)

    def _stop(self) -> None:
        self._stepping = False
        self._by_hand.cancel()
        self._stages.drop()

    # calls

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self._passes(func):
            return func(*args, **kwargs)
        if func is Tensor.backward or func is torch.autograd.backward:
            return self._backward(func, args, kwargs)
        if func is torch.autograd.grad and self._of_parameters(args):
            return self._returned(func, args, kwargs)
        if self._by_hand.anew and _name(func) in COPYING:
            result = self._called(func, args, kwargs)
            self._safe_after_copy(args, kwargs, result)
            return result
        return self._called(func, args, kwargs)

    def _called(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Make a call that is no backward pass, and record it if it is looked at."""
        idle = self._stages.idle() and not self._by_hand.awaited and not self._may_test(args)
        if idle and (torch.is_grad_enabled() or not looks_up(_name(func), args)):
            return func(*args, **kwargs)
        pending = self._safe_before_call(func, args, kwargs)
        self._check_steps()
        result = func(*args, **kwargs)
        if pending is not None:
            self._safe_after_call(func, pending, result)
        return result

    def _may_test(self, given: Iterable[Any]) -> bool:
        """Return whether a call may take a known parameter and compute no gradients for it."""
        by_hand = self._by_hand
        if not (by_hand.functional or by_hand.anew) or in_transform():
            return False
        return by_hand.functional or any(
            isinstance(one, Tensor) and not one.requires_grad and by_hand.knows(one)
            for one in given
        )

    def _passes(self, func: Any) -> bool:
        """Return whether a call is not looked at: it is an optimizer's, or sets first weights."""
        if self._closure is not None and torch_frame(OPTIMIZERS) is not None:
            return True
        initialises = getattr(func, "__module__", None) == "torch.nn.init"
        return self._stepping or self.error is not None or initialises

    def _check_steps(self) -> None:
        """End the training when it has taken enough steps, and is not in the middle of one."""
        enough = self._most_steps is not None and self.steps >= self._most_steps
        if enough and not self._stages.stepped:
            raise EnoughSteps

    def _before_call(self, func: Any, args: Any, kwargs: Any) -> _Pending | _Updating | None:
        """Note what a call is given, before it may change it; None if it is not recorded."""
        name = _name(func)
        if name == "__deepcopy__":
            # its second argument knows copies by the ids of objects, which are others' in a replay
            args = (args[0], {})
        flat, places = taken_apart((args, kwargs))
        tensors = [leaf for leaf in flat if isinstance(leaf, Tensor)]
        if name in CLIPPING and (frame := torch_frame(CLIPS, CLIP_FUNCTIONS)) is not None:
            self._clip(frame)
            return None
        if self._updates(name, tensors):
            return _Updating(name, tensors)
        tape = self._recording(name, tensors)
        if tape is None:
            return None
        random = torch.get_rng_state() if name in RANDOM else None
        leaves = [self._kept(tape, leaf) for leaf in flat]
        return _Pending(tape, name, leaves, places, random)

    def _recording(self, name: str, tensors: list[Tensor]) -> Tape | None:
        """Return the tape that takes a call, if one does."""
        if self._stages.stepped and torch_frame(AFTER_STEP) is None:
            self._stages.begin_round()
        known = any(map(self._by_hand.knows, tensors))
        if known and name in COPYING and self._by_hand.anew and not self._stages.begun:
            return None  # parameters on their way to the next step, or to an evaluation
        tests = known and name not in COPYING and not asks(name) and self._may_test(tensors)
        tape = self._stages.tape(name, tensors, tests)
        if known and not asks(name) and self._stages.evaluation is not None:
            self._stages.evaluation.by_hand = True
        if tape is None or name in UNRECORDED or self._stages.full(tape):
            return None
        return tape if tensors or name in RANDOM or name in MAKERS else None

    def _after_copy(self, args: Any, kwargs: Any, result: Any) -> None:
        """Follow parameters through a call that copies."""
        flat, _ = taken_apart((args, kwargs))
        self._by_hand.copied([leaf for leaf in flat if isinstance(leaf, Tensor)], result)

    def _after_call(self, func: Any, pending: _Pending | _Updating, result: Any) -> None:
        """Put a call that has returned on its tape."""
        if isinstance(pending, _Updating):
            self._by_hand.note(pending.name, pending.tensors, result)
            return
        tape, handing = pending.tape, pending.name in HANDING
        out = () if handing else leaves_of(result)
        if handing and tape.index < 0:
            self.vocabularies.look()
        if self._keeps(pending, out):
            call = Call(
                pending.name,
                func,
                pending.leaves,
                pending.places,
                tuple(tape.result(v) if isinstance(v, Tensor) else -1 for v in out),
                place(),
                tuple(self._stages.modules),
                torch.is_grad_enabled(),
                torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None,
                pending.random,
            )
            tape.calls.append(call)

    def _keeps(self, pending: _Pending, out: tuple[Any, ...] | list[Any]) -> bool:
        """Return whether a call is kept: it returned or changed a tensor, or hands one over."""
        kept = CHANGING | HANDING if pending.tape.index < 0 else CHANGING
        return pending.name in kept or any(isinstance(value, Tensor) for value in out)

    def _kept(self, tape: Tape, leaf: Any) -> Any:
        """Return what the tape keeps of an argument."""
        if isinstance(leaf, Tensor):
            known = self._by_hand.knows(leaf)
            return Slot(tape.number(leaf, self._stages.earlier(leaf), parameter=known))
        if isinstance(leaf, torch.Generator):
            return GeneratorState(leaf.get_state(), leaf.device)
        # scripts write into their arrays again
        return leaf.copy() if isinstance(leaf, np.ndarray) else leaf

    def _finished(self, done: Round | EvaluationCalls) -> None:
        """Name the parameters of a round or evaluation that is over, and count its gradients."""
        done.names.update({n: self.names.of(t) for n, t in done.tape.parameters.items()})
        if isinstance(done, Round):
            done.norms = self._gradients.norms(self.names)
            self._gradients = Gradients()
            self._by_hand.trace(done.tape)

    # gradients

    def _backward(self, func: Any, args: Any, kwargs: Any) -> Any:
        self._guarded(self._before_backward)(_roots(args, kwargs))
        if self._stages.round is None or self.error is not None:
            result = func(*args, **kwargs)
        else:
            with torch._C.DisableTorchFunction():
                result = func(*args, **kwargs)
        self._guarded(self._after_backward)()
        return result

    def _of_parameters(self, args: Any) -> bool:
        """Return whether torch.autograd.grad is asked for the gradients of a training step."""
        inputs = leaves_of(args[1]) if len(args) > 1 else []
        leaves = [t for t in inputs if isinstance(t, Tensor) and takes_gradients(t)]
        return len(leaves) >= FEWEST_INPUTS or any(isinstance(t, nn.Parameter) for t in leaves)

    def _returned(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Compute gradients that are returned instead of being left in `.grad`."""
        self._guarded(self._before_backward)(_roots(args, {})[:1])
        with torch._C.DisableTorchFunction():
            result = func(*args, **kwargs)
        self._guarded(self._after_returned)(leaves_of(args[1]), leaves_of(result))
        return result

    def _before_backward(self, roots: list[Tensor]) -> None:
        self._end_update()
        self._clipping = None
        self._stages.begin_backward(roots[0] if roots else None)
        self.backwards += 1
        if roots and all(root.numel() == 1 for root in roots):
            before, count = self._loss
            self._loss = (before + sum(float(plain(root).detach()) for root in roots), count + 1)
        current = self._stages.round
        if current is None:
            return
        self.vocabularies.look()
        self._note_backward(current, roots)
        parameters = list(current.tape.parameters.values())
        self.names.find(parameters)
        self._by_hand.know(parameters)
        with torch._C.DisableTorchFunction():
            self._gradients.before_backward([*parameters, *self.optimizers.parameters()])

    def _note_backward(self, current: Round, roots: list[Tensor]) -> None:
        """Note in a round that a backward pass begins."""
        tape = current.tape
        numbers = [tape.number(root) for root in roots]
        if not current.happened("backward"):
            with torch._C.DisableTorchFunction():
                tape.settle()
        # a script may cut the model in two, and hand the gradients at the cut to the first part
        before = current.not_handed_on()
        handed_on = bool(before) and any(root.numel() > 1 for root in roots)
        parts = before if handed_on else numbers
        number = parts[0] if len(parts) == 1 and not handed_on else -1
        if handed_on or len(parts) > 1:
            number = tape.sum_of(parts)
        at = len(tape.calls)
        current.events.append(RoundEvent("backward", at, place(), number, handed_on=handed_on))

    def _after_backward(self) -> None:
        if self._stages.round is not None:
            with torch._C.DisableTorchFunction():
                self._gradients.after_backward()
            if self._closure is not None:
                self._note_step(self._closure, self.optimizers.serial(self._closure))
        if self._closure is None:
            self._by_hand.await_step()

    def _after_returned(self, inputs: list[Tensor], gradients: list[Tensor | None]) -> None:
        parameters = [plain(tensor) for tensor in inputs]
        self._by_hand.functional |= any(map(operator.is_not, parameters, inputs))
        given = [None if gradient is None else plain(gradient) for gradient in gradients]
        self._by_hand.know(parameters)
        with torch._C.DisableTorchFunction():
            self._gradients.given(parameters, given)
        self._by_hand.await_step([gradient for gradient in given if gradient is not None])

    def _clip(self, frame: FrameType) -> None:
        """Note that gradients are clipped, once although the function makes several calls."""
        if self._clipping is frame or self._stages.updating is None:
            return
        self._clipping = frame
        seen = frame.f_locals
        clipped = seen.get("parameters")
        if isinstance(clipped, Tensor):
            clipped = [clipped]
        named = clipped if isinstance(clipped, list | tuple) else ()
        parameters = frozenset(self.names.of(parameter) for parameter in named)
        limit = seen.get("max_norm", seen.get("clip_value", math.nan))
        self._event("clip", limit=float(limit), parameters=parameters)

    # steps

    def _event(
        self,
        kind: str,
        number: int = -1,
        limit: float = math.nan,
        parameters: frozenset[str] = frozenset(),
        where: CodeLine | None = None,
    ) -> None:
        ending = self._stages.ending
        current = ending if ending is not None and not self._stages.begun else self._stages.round
        if current is not None:
            at = len(current.tape.calls)
            event = RoundEvent(kind, at, where or place(), number, limit, parameters)
            current.events.append(event)

    def _updates(self, name: str, tensors: list[Tensor]) -> bool:
        """Return whether a call belongs to a step that the script takes by itself."""
        if not self._by_hand.awaited:
            return False
        if self._by_hand.takes(name, tensors):
            self._by_hand.begin(name, tensors, self._gradients)
            return True
        self._end_update()
        return False

    def _end_update(self) -> None:
        """Note a step that the script took by itself, if it has begun one."""
        if not self._by_hand.begun:
            return
        if self._stages.round is not None:
            self._by_hand.trace(self._stages.round.tape)
        step = self._by_hand.end(self._gradients)
        if step is None:
            return
        for tensor, first in self._by_hand.line():
            self.names.renew(tensor, first)
        self._event("step", self.optimizers.by_hand(step), where=step.place)
        self._count_step(step.rate)
        self._stages.begin_round()
        if self._stages.ending is None:
            self._gradients = Gradients()

    def _on_zero_grad(self, owner: Any) -> None:
        if isinstance(owner, Optimizer):
            self._event("zero_grad", self.optimizers.cleared(owner))
        else:
            self._event("zero_grad")

    def _on_process(self, process: Any) -> None:
        target = getattr(process, "_target", None)
        if not getattr(target, "__module__", "").startswith("torch.utils.data"):
            self.processes += 1

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self._by_hand.cancel()
        serial = self.optimizers.stepped(optimizer)
        # a closure computes the loss within the step: the step proper comes after its backward
        closure = len(args) > 1 or kwargs.get("closure") is not None
        self._closure = optimizer if closure else None
        self._stepping = not closure
        if not closure:
            self._note_step(optimizer, serial)

    def _note_step(self, optimizer: Optimizer, serial: int) -> None:
        self._event("step", serial)
        if self._stages.updating is not None:
            with torch._C.DisableTorchFunction():
                self._gradients.before_step(optimizer)

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self._stepping, self._closure = False, None
        if self._stages.updating is not None:
            with torch._C.DisableTorchFunction():
                self._gradients.after_step(optimizer)
        if self._stages.begun and not self._stages.stepped:
            self._stages.stepped = True
            self._count_step(float(optimizer.param_groups[0]["lr"]))

    def _count_step(self, rate: float) -> None:
        self._stages.steps += 1
        self.optimizers.training_steps = self.steps
        total, count = self._loss
        self.curve.losses.append(total / max(count, 1))
        self.curve.rates.append(rate)
        self._loss = (0.0, 0)

    # modules

    def _before_forward(self, module: nn.Module, args: Any) -> None:
        if not self._stages.modules:
            self._end_update()
            self.names.add(module)
            self._stages.called(module)
        elif all(next(outer.parameters(), None) is None for outer in self._stages.modules):
            # a criterion that is given the model and calls it: what it calls is the model
            self.names.add(module)
        self._stages.modules.append(module)

    def _after_forward(self, module: nn.Module, args: Any, result: Any) -> None:
        if self._stages.modules and self._stages.modules[-1] is module:
            self._stages.modules.pop()


@dataclass(frozen=True)
class _Pending:
    """A call that has begun."""

    tape: Tape
    name: str
    leaves: list[Any]
    places: Any
    random: Tensor | None


@dataclass(frozen=True)
class _Updating:
    """A call of a step that the script takes by itself."""

    name: str
    tensors: list[Tensor]


def _roots(args: Any, kwargs: Any) -> list[Tensor]:
    """Return the tensors at which a backward pass begins."""
    given = args[0] if args else kwargs.get("tensors", ())
    return [leaf for leaf in leaves_of(given) if isinstance(leaf, Tensor)]


def _name(func: Any) -> str:
    """Return the name of a torch function; a property's has the property before it."""
    name = getattr(func, "__name__", "") or str(func)
    if name in ("__get__", "__set__"):
        return f"{getattr(func.__self__, '__name__', '')}.{name}"
    return str(name)
