"""Records training while it runs, by a torch function mode and by hooks, and changes nothing."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as module_hooks
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.utils._pytree import TreeSpec, tree_flatten

from bench.watching.record.calls import (
    AFTER_STEP,
    ASKING,
    CLIP_FUNCTIONS,
    CLIPPING,
    CLIPS,
    MAKERS,
    OPTIMIZERS,
    UNRECORDED,
)
from bench.watching.record.gradients import Gradients
from bench.watching.record.hooks import HookedMode
from bench.watching.record.names import Names
from bench.watching.record.optimizers import Optimizers
from bench.watching.record.places import Chain, callers, place, torch_frame
from bench.watching.record.rounds import EvaluationCalls, LossCurve, Round, RoundEvent
from bench.watching.record.sampling import (
    FEW_EVALUATION_CALLS,
    FIRST_ROUNDS,
    MOST_CALLS,
    MOST_EVALUATION_CALLS,
    MOST_EVALUATIONS,
    MOST_ROUNDS,
    sampled,
    sampled_evaluation,
)
from bench.watching.record.tape import (
    CHANGING,
    HANDING,
    RANDOM,
    Call,
    GeneratorState,
    Slot,
    Tape,
    takes_gradients,
)
from bench.watching.record.vocabularies import Vocabularies


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
        self._sample = sample
        self.backwards = 0
        """Number of calls of backward."""
        self.processes = 0
        """Processes that the training code started, other than those that load data."""
        self._most_steps = most_steps
        self.rounds: list[Round] = []
        self.evaluations: list[EvaluationCalls] = []
        self.curve = LossCurve()
        self.names = Names()
        self.optimizers = Optimizers(self.names)
        self.vocabularies = Vocabularies()
        self.steps = 0
        self._round: Round | None = None
        self._ending: Round | None = None
        self._evaluation: EvaluationCalls | None = None
        self._made: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self._modules: list[nn.Module] = []
        self._stepping = self._stepped = self._begun = False
        self._closure: Optimizer | None = None
        self._trains_in_eval_mode = False
        self._loss: tuple[float, int] = (0.0, 0)
        self._gradients = Gradients()
        self._clipping: FrameType | None = None
        self._trained: set[Chain] = set()
        self._calling: set[Chain] = set()
        self._evaluations = 0
        self._passed_over = False
        self._safe_before_call = self._guarded(self._before_call)
        self._safe_after_call = self._guarded(self._after_call)

    def __enter__(self) -> Recorder:
        self._begin_round()
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
        self._ending = self._round = self._evaluation = self._clipping = None

    def _end(self, cut: bool) -> None:
        """Finish what was begun; a round that an error cut off may lack steps and is left out."""
        self._end_evaluation()
        self._finish(self._ending)
        last = self._round
        # a training that never steps is one long round
        if last is not None and last.happened("backward"):
            steps = {len(done.happened("step")) for done in self.rounds}
            if not cut or not steps or len(last.happened("step")) in steps:
                self._finish(last)

    def _stop(self) -> None:
        self._stepping = False
        self._round = self._ending = self._evaluation = None

    # calls

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        initialises = getattr(func, "__module__", None) == "torch.nn.init"
        if self._closure is not None and torch_frame(OPTIMIZERS) is not None:
            return func(*args, **kwargs)
        if self._stepping or self.error is not None or initialises:
            return func(*args, **kwargs)
        if func is Tensor.backward or func is torch.autograd.backward:
            return self._backward(func, args, kwargs)
        if self._idle():
            return func(*args, **kwargs)
        pending = self._safe_before_call(func, args, kwargs)
        self._check_steps()
        result = func(*args, **kwargs)
        if pending is not None:
            self._safe_after_call(func, pending, result)
        return result

    def _check_steps(self) -> None:
        """End the training when it has taken enough steps, and is not in the middle of one."""
        if self._most_steps is not None and self.steps >= self._most_steps and not self._stepped:
            raise EnoughSteps

    def _idle(self) -> bool:
        """Return whether nothing is recorded, and nothing that is recorded can begin now."""
        evaluates = not torch.is_grad_enabled() or self._in_eval_mode()
        evaluation = self._evaluation
        if evaluates and not (self._begun or self._stepped):
            return self._passed_over or (evaluation is not None and evaluation.full)
        return self._round is None and evaluation is None and not (self._stepped or evaluates)

    def _in_eval_mode(self) -> bool:
        return (
            bool(self._modules) and not self._modules[0].training and not self._trains_in_eval_mode
        )

    def _before_call(self, func: Any, args: Any, kwargs: Any) -> _Pending | None:
        """Note what a call is given, before it may change it; None if it is not recorded."""
        flat, structure = tree_flatten((args, kwargs))
        tensors = [leaf for leaf in flat if isinstance(leaf, Tensor)]
        name = _name(func)
        if name in CLIPPING and (frame := torch_frame(CLIPS, CLIP_FUNCTIONS)) is not None:
            self._clip(frame)
            return None
        if self._stepped and torch_frame(AFTER_STEP) is None:
            self._begin_round()
        tape = self._tape(name, tensors)
        if tape is None or name in UNRECORDED or self._full(tape):
            return None
        if not tensors and name not in RANDOM and name not in MAKERS:
            return None
        random = torch.get_rng_state() if name in RANDOM else None
        leaves = [self._kept(tape, leaf) for leaf in flat]
        return _Pending(tape, name, leaves, structure, random)

    def _after_call(self, func: Any, pending: _Pending, result: Any) -> None:
        """Put a call that has returned on its tape."""
        tape = pending.tape
        out = () if pending.name in HANDING else tree_flatten(result)[0]
        if pending.name in HANDING and tape.index < 0:
            self.vocabularies.look()
        kept = CHANGING | HANDING if tape.index < 0 else CHANGING
        if pending.name in kept or any(isinstance(value, Tensor) for value in out):
            call = Call(
                pending.name,
                func,
                pending.leaves,
                pending.structure,
                tuple(tape.result(v) if isinstance(v, Tensor) else -1 for v in out),
                place(),
                tuple(self._modules),
                torch.is_grad_enabled(),
                torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None,
                pending.random,
            )
            tape.calls.append(call)

    def _kept(self, tape: Tape, leaf: Any) -> Any:
        """Return what the tape keeps of an argument."""
        if isinstance(leaf, Tensor):
            return Slot(tape.number(leaf, self._earlier(leaf)))
        if isinstance(leaf, torch.Generator):
            return GeneratorState(leaf.get_state(), leaf.device)
        return leaf

    def _tape(self, name: str, tensors: list[Tensor]) -> Tape | None:
        """Return the tape that a call belongs to, if any."""
        tested = self._evaluation is not None and self._evaluation.with_gradients
        training = torch.is_grad_enabled() and not self._in_eval_mode() and not tested
        if training and name not in ASKING and any(map(takes_gradients, tensors)):
            self._begin_forward(tensors)
        if self._begun:
            return None if self._round is None else self._round.tape
        if self._evaluation is not None:
            return self._evaluation.tape
        if not training:
            return self._begin_evaluation()
        return None if self._round is None else self._round.tape

    def _full(self, tape: Tape) -> bool:
        evaluation = self._evaluation
        if evaluation is not None and evaluation.tape is tape:
            return evaluation.full
        return len(tape.calls) >= MOST_CALLS

    def _earlier(self, tensor: Tensor) -> int | None:
        known = self._made.get(id(tensor))
        return known[1] if known is not None and known[0]() is tensor else None

    # rounds and evaluations

    def _begin_round(self) -> None:
        self._finish(self._ending)
        self._ending, self._stepped, self._begun = self._round, False, False
        self._calling.clear()
        self._round = Round(self.steps, Tape(self.steps)) if self._sample(self.steps) else None

    def _begin_forward(self, tensors: list[Tensor]) -> None:
        """Note that the forward pass of a training step begins."""
        if self._begun:
            return
        self._begun, self._passed_over = True, False
        self._finish(self._ending)
        self._ending = None
        self._gradients = Gradients()
        evaluation = self._evaluation
        if (
            evaluation is not None
            and (self._every_step or not evaluation.chains)
            and any(evaluation.tape.made(tensor) for tensor in tensors)
        ):
            self._adopt(evaluation)
        self._end_evaluation()

    @property
    def _every_step(self) -> bool:
        """Return whether what looks like an evaluation comes before each step: a part of it."""
        return self._evaluations >= self.steps

    def _adopt(self, evaluation: EvaluationCalls) -> None:
        """Take what looked like an evaluation as the beginning of a training step."""
        if self._round is not None:
            self._round.tape = evaluation.tape
            evaluation.tape.index = self._round.index
        self._calling |= evaluation.chains
        self._evaluation = None

    def _begin_evaluation(self) -> Tape | None:
        """Begin to record an evaluation; only a few calls, if it is not one of those sampled."""
        if self._passed_over:
            return None
        index, self._evaluations = self._evaluations, self._evaluations + 1
        if self._every_step and self._round is None:
            self._passed_over = True
            return None
        return self._new_evaluation(
            MOST_EVALUATION_CALLS if sampled_evaluation(index) else FEW_EVALUATION_CALLS
        )

    def _new_evaluation(self, most: int) -> Tape:
        self._end_evaluation()
        self._evaluation = EvaluationCalls(Tape(-1), self.steps, most=most)
        return self._evaluation.tape

    def _on_call(self, module: nn.Module) -> None:
        """Note from where a module is called, which tells an evaluation from a training step.

        Code that trains no other batch evaluates, even in train mode and with gradients.
        """
        if self._begun and not self._stepped and not torch.is_grad_enabled():
            return
        chain = callers()
        with_gradients = torch.is_grad_enabled() and (module.training or self._trains_in_eval_mode)
        if self._begun and not self._stepped and with_gradients:
            self._calling.add(chain)
            return
        if with_gradients and (chain in self._trained or not self._trained):
            self._calling.add(chain)
            if self._evaluation is not None and self._evaluation.with_gradients:
                self._end_evaluation()
            return
        self._evaluates(chain, with_gradients)

    def _evaluates(self, chain: Chain, with_gradients: bool) -> None:
        current = self._evaluation
        if current is None:
            if self._stepped:
                self._begin_round()
            self._begin_evaluation()
        elif current.full and chain not in current.chains:
            self._new_evaluation(FEW_EVALUATION_CALLS)
        if self._evaluation is not None:
            self._evaluation.with_gradients |= with_gradients
            self._evaluation.chains.add(chain)

    def _end_evaluation(self) -> None:
        evaluation, self._evaluation = self._evaluation, None
        if evaluation is None or not evaluation.tape.calls:
            return
        self._name(evaluation.tape, evaluation.names)
        evaluation.tape.close()
        self.evaluations.append(evaluation)
        if len(self.evaluations) > MOST_EVALUATIONS:
            del self.evaluations[self._superseded()]

    def _superseded(self) -> int:
        """Return the first evaluation all of whose code ran again in later ones; else the first."""
        for index, evaluation in enumerate(self.evaluations):
            later = self.evaluations[index + 1 :]
            if evaluation.chains <= {chain for one in later for chain in one.chains}:
                return index
        return 0

    def _finish(self, done: Round | None) -> None:
        if done is None:
            return
        self._remember(done.tape)
        self._name(done.tape, done.names)
        done.norms = self._gradients.norms(self.names)
        done.tape.close()
        self.rounds.append(done)
        if len(self.rounds) > MOST_ROUNDS:
            del self.rounds[FIRST_ROUNDS]

    def _name(self, tape: Tape, names: dict[int, str]) -> None:
        names.update({n: self.names.of(tensor) for n, tensor in tape.parameters.items()})

    def _remember(self, tape: Tape) -> None:
        """Remember which tensors this tape made, to know them when a later one takes them."""
        self._made = {
            id(tensor): (weakref.ref(tensor), tape.index)
            for tensor in tape.keep
            if tape.made(tensor)
        }

    # gradients and steps

    def _backward(self, func: Any, args: Any, kwargs: Any) -> Any:
        self._guarded(self._before_backward)(args)
        if self._round is None or self.error is not None:
            return func(*args, **kwargs)
        with torch._C.DisableTorchFunction():
            result = func(*args, **kwargs)
        self._guarded(self._after_backward)()
        return result

    def _before_backward(self, args: Any) -> None:
        root = args[0] if args and isinstance(args[0], Tensor) else None
        if self._evaluation is not None and root is not None and self._evaluation.tape.made(root):
            self._trains_in_eval_mode |= not self._evaluation.with_gradients
            self._adopt(self._evaluation)
        self._clipping = None
        self._begin_forward([])
        self.backwards += 1
        self._trained |= self._calling
        if root is not None and root.numel() == 1:
            before, count = self._loss
            self._loss = (before + float(root.detach()), count + 1)
        current = self._round
        if current is None:
            return
        self.vocabularies.look()
        number = -1 if root is None else current.tape.number(root)
        if not current.happened("backward"):
            with torch._C.DisableTorchFunction():
                current.tape.settle()
        current.events.append(RoundEvent("backward", len(current.tape.calls), place(), number))
        with torch._C.DisableTorchFunction():
            parameters = [*current.tape.parameters.values(), *self.optimizers.parameters()]
            self._gradients.before_backward(parameters)

    def _after_backward(self) -> None:
        with torch._C.DisableTorchFunction():
            self._gradients.after_backward()
        if self._closure is not None:
            self._note_step(self._closure, self.optimizers.serial(self._closure))

    def _event(
        self,
        kind: str,
        number: int = -1,
        limit: float = math.nan,
        parameters: frozenset[str] = frozenset(),
    ) -> None:
        current = self._ending if self._ending is not None and not self._begun else self._round
        if current is not None:
            at = len(current.tape.calls)
            current.events.append(RoundEvent(kind, at, place(), number, limit, parameters))

    def _clip(self, frame: FrameType) -> None:
        """Note that gradients are clipped, once although the function makes several calls."""
        if self._clipping is frame or (self._ending or self._round) is None:
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
        serial = self.optimizers.stepped(optimizer)
        # a closure computes the loss within the step: the step proper comes after its backward
        closure = len(args) > 1 or kwargs.get("closure") is not None
        self._closure = optimizer if closure else None
        self._stepping = not closure
        if not closure:
            self._note_step(optimizer, serial)

    def _note_step(self, optimizer: Optimizer, serial: int) -> None:
        self._event("step", serial)
        if (self._ending or self._round) is not None:
            with torch._C.DisableTorchFunction():
                self._gradients.before_step(optimizer)

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self._stepping, self._closure = False, None
        if (self._ending or self._round) is not None:
            with torch._C.DisableTorchFunction():
                self._gradients.after_step(optimizer)
        if self._begun and not self._stepped:
            self._stepped = True
            self.steps += 1
            self.optimizers.training_steps = self.steps
            total, count = self._loss
            self.curve.losses.append(total / max(count, 1))
            self.curve.rates.append(float(optimizer.param_groups[0]["lr"]))
            self._loss = (0.0, 0)

    # modules

    def _before_forward(self, module: nn.Module, args: Any) -> None:
        if not self._modules:
            self.names.add(module)
            self._on_call(module)
        self._modules.append(module)

    def _after_forward(self, module: nn.Module, args: Any, result: Any) -> None:
        if self._modules and self._modules[-1] is module:
            self._modules.pop()


@dataclass(frozen=True)
class _Pending:
    """A call that has begun."""

    tape: Tape
    name: str
    leaves: list[Any]
    structure: TreeSpec
    random: Tensor | None


def _name(func: Any) -> str:
    """Return the name of a torch function; a property's has the property before it."""
    name = getattr(func, "__name__", "") or str(func)
    if name in ("__get__", "__set__"):
        return f"{getattr(func.__self__, '__name__', '')}.{name}"
    return str(name)
