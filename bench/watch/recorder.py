"""Records training while it runs, by a torch function mode and by hooks, and changes nothing."""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as module_hooks
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten

from bench.watch.gradients import Gradients
from bench.watch.names import Names
from bench.watch.optimizers import Optimizers
from bench.watch.places import Place, place, torch_frame
from bench.watch.rounds import Evaluation, Event, LossCurve, Round
from bench.watch.tape import CHANGING, RANDOM, Call, Slot, Tape

MAKERS = frozenset(
    "zeros ones full arange empty tensor eye as_tensor from_numpy LongTensor linspace".split()
)
"""Calls that make tensors of no tensor."""
UNRECORDED = frozenset(
    "grad.__get__ _record_function_enter_new _record_function_exit is_leaf.__get__ "
    "requires_grad.__get__ __format__ __repr__ is_sparse.__get__ retain_grad".split()
)
"""Calls that return a tensor which no value of the training depends on, or a gradient."""
CLIPPING = frozenset(
    "_foreach_norm _foreach_mul_ linalg_vector_norm norm mul_ stack clamp _foreach_clamp_min_ "
    "_foreach_clamp_max_ clamp_ to isfinite".split()
)
"""Calls that torch's functions for clipping gradients make."""
CLIPS = ("nn/utils/clip_grad.py",)
AFTER_STEP = ("/torch/optim/", "/torch/amp/", "/torch/cuda/amp/")
"""Folders of torch's code whose calls belong to the step that was just taken."""
FIRST_ROUNDS = 3
MOST_CALLS = 20_000
MOST_EVALUATIONS = 4
MOST_ROUNDS = 9
"""Rounds kept: the first ones, and the latest of those sampled."""


def sampled(index: int) -> bool:
    """Return whether a round is recorded: the first, then pairs at growing distances."""
    if index < FIRST_ROUNDS:
        return True
    power = 1 << (index.bit_length() - 1)
    return index - power in (0, 1) and index >= 8


class Recorder(TorchFunctionMode):
    """Sees all torch calls of the thread while it is entered, and the optimizers' steps."""

    def __init__(self) -> None:
        super().__init__()
        self.rounds: list[Round] = []
        self.evaluations: list[Evaluation] = []
        self.curve = LossCurve()
        self.names = Names()
        self.optimizers = Optimizers(self.names)
        self.steps = 0
        self._round: Round | None = None
        self._ending: Round | None = None
        self._evaluation: Evaluation | None = None
        self._made: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self._modules: list[nn.Module] = []
        self._stepping = self._stepped = self._begun = False
        self._trains_in_eval_mode = False
        self._loss: tuple[float, int] = (0.0, 0)
        self._gradients = Gradients()
        self._evaluated: set[Place | None] = set()
        self._evaluations = 0
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> Recorder:
        self._begin_round()
        for handle in (
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
            module_hooks.register_module_forward_pre_hook(self._before_forward),
            module_hooks.register_module_forward_hook(self._after_forward, always_call=True),
        ):
            self._undo.callback(handle.remove)
        self._patch(Optimizer, "zero_grad", before=self._on_zero_grad)
        self._patch(nn.Module, "zero_grad", before=self._on_zero_grad)
        self._patch(Optimizer, "__init__", after=self.optimizers.made)
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        self._undo.close()
        self._end_evaluation()
        self._finish(self._ending)
        if self._round is not None and self._round.happened("step"):
            self._finish(self._round)
        self._ending = self._round = None

    def _patch(
        self,
        owner: type,
        name: str,
        before: Callable[[Any], None] | None = None,
        after: Callable[[Any], None] | None = None,
    ) -> None:
        original = getattr(owner, name)

        @functools.wraps(original)
        def patched(this: Any, *args: Any, **kwargs: Any) -> Any:
            if before is not None:
                before(this)
            result = original(this, *args, **kwargs)
            if after is not None:
                after(this)
            return result

        setattr(owner, name, patched)
        self._undo.callback(setattr, owner, name, original)

    # calls

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self._stepping:
            return func(*args, **kwargs)
        if func is Tensor.backward or func is torch.autograd.backward:
            return self._backward(func, args, kwargs)
        if self._round is None and self._evaluation is None and not self._may_begin():
            return func(*args, **kwargs)
        return self._seen(func, args, kwargs)

    def _may_begin(self) -> bool:
        """Return whether a call may begin a round or an evaluation."""
        return self._stepped or not torch.is_grad_enabled() or self._in_eval_mode()

    def _in_eval_mode(self) -> bool:
        return (
            bool(self._modules) and not self._modules[0].training and not self._trains_in_eval_mode
        )

    def _seen(self, func: Any, args: Any, kwargs: Any) -> Any:
        flat, structure = tree_flatten((args, kwargs))
        tensors = [leaf for leaf in flat if isinstance(leaf, Tensor)]
        name = _name(func)
        if name in CLIPPING and torch_frame(CLIPS) is not None:
            self._event("clip")
            return func(*args, **kwargs)
        if self._stepped and torch_frame(AFTER_STEP) is None:
            self._begin_round()
        tape = self._tape(tensors)
        if tape is None or name in UNRECORDED or len(tape.calls) >= MOST_CALLS:
            return func(*args, **kwargs)
        if not tensors and name not in RANDOM and name not in MAKERS:
            return func(*args, **kwargs)
        random = torch.get_rng_state() if name in RANDOM else None
        leaves = [
            Slot(tape.number(leaf, self._earlier(leaf))) if isinstance(leaf, Tensor) else leaf
            for leaf in flat
        ]
        result = func(*args, **kwargs)
        out = tree_flatten(result)[0]
        if name in CHANGING or any(isinstance(value, Tensor) for value in out):
            call = Call(
                name,
                func,
                leaves,
                structure,
                tuple(tape.result(v) if isinstance(v, Tensor) else -1 for v in out),
                place(),
                tuple(self._modules),
                torch.is_grad_enabled(),
                torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None,
                random,
            )
            tape.calls.append(call)
        return result

    def _tape(self, tensors: list[Tensor]) -> Tape | None:
        """Return the tape that a call belongs to, if any."""
        training = torch.is_grad_enabled() and not self._in_eval_mode()
        if training and any(tensor.requires_grad and tensor.is_leaf for tensor in tensors):
            self._begin_forward(tensors)
        if self._begun:
            return None if self._round is None else self._round.tape
        if self._evaluation is not None:
            return self._evaluation.tape
        if not training:
            return self._begin_evaluation()
        return None if self._round is None else self._round.tape

    def _earlier(self, tensor: Tensor) -> int | None:
        known = self._made.get(id(tensor))
        return known[1] if known is not None and known[0]() is tensor else None

    # rounds and evaluations

    def _begin_round(self) -> None:
        self._finish(self._ending)
        self._ending, self._stepped, self._begun = self._round, False, False
        self._round = Round(self.steps, Tape(self.steps)) if sampled(self.steps) else None

    def _begin_forward(self, tensors: list[Tensor]) -> None:
        """Note that the forward pass of a training step begins."""
        if self._begun:
            return
        self._begun = True
        self._finish(self._ending)
        self._ending = None
        self._gradients = Gradients()
        evaluation = self._evaluation
        if evaluation is not None and any(evaluation.tape.made(tensor) for tensor in tensors):
            self._adopt(evaluation)
        self._end_evaluation()

    def _adopt(self, evaluation: Evaluation) -> None:
        """Take what looked like an evaluation as the beginning of a training step."""
        if self._round is not None:
            self._round.tape = evaluation.tape
            evaluation.tape.index = self._round.index
        self._evaluation = None

    def _begin_evaluation(self) -> Tape | None:
        where = place()
        if where in self._evaluated and len(self._evaluated) >= MOST_EVALUATIONS:
            return None
        if not sampled(self._evaluations):
            self._evaluations += 1
            return None
        self._evaluations += 1
        self._evaluated.add(where)
        self._evaluation = Evaluation(Tape(-1), self.steps)
        return self._evaluation.tape

    def _end_evaluation(self) -> None:
        evaluation, self._evaluation = self._evaluation, None
        if evaluation is not None and evaluation.tape.calls:
            self._name(evaluation.tape, evaluation.names)
            evaluation.tape.close()
            self.evaluations.append(evaluation)
            if len(self.evaluations) > MOST_EVALUATIONS:
                del self.evaluations[1]

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
        root = args[0] if args and isinstance(args[0], Tensor) else None
        if self._evaluation is not None and root is not None and self._evaluation.tape.made(root):
            self._trains_in_eval_mode = True
            self._adopt(self._evaluation)
        self._begin_forward([])
        if root is not None and root.numel() == 1:
            before, count = self._loss
            self._loss = (before + float(root.detach()), count + 1)
        current = self._round
        if current is None:
            return func(*args, **kwargs)
        number = -1 if root is None else current.tape.number(root)
        current.events.append(Event("backward", len(current.tape.calls), place(), number))
        with torch._C.DisableTorchFunction():
            parameters = [*current.tape.parameters.values(), *self.optimizers.parameters()]
            self._gradients.before_backward(parameters)
            result = func(*args, **kwargs)
            self._gradients.after_backward()
        return result

    def _event(self, kind: str, number: int = -1) -> None:
        current = self._ending if self._ending is not None and not self._begun else self._round
        if current is not None:
            event = Event(kind, len(current.tape.calls), place(), number)
            # clipping makes several calls
            if kind != "clip" or current.events[-1:] != [event]:
                current.events.append(event)

    def _on_zero_grad(self, owner: Any) -> None:
        if isinstance(owner, Optimizer):
            self._event("zero_grad", self.optimizers.serial(owner))
        else:
            self._event("zero_grad")

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        serial = self.optimizers.stepped(optimizer)
        self._stepping = len(args) < 2 and not kwargs.get("closure")  # the first is the optimizer
        self._event("step", serial)
        if (self._ending or self._round) is not None:
            with torch._C.DisableTorchFunction():
                self._gradients.before_step(optimizer)

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self._stepping = False
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
        self._modules.append(module)

    def _after_forward(self, module: nn.Module, args: Any, result: Any) -> None:
        if self._modules and self._modules[-1] is module:
            self._modules.pop()


def _name(func: Any) -> str:
    """Return the name of a torch function; a property's has the property before it."""
    name = getattr(func, "__name__", "") or str(func)
    if name in ("__get__", "__set__"):
        return f"{getattr(func.__self__, '__name__', '')}.{name}"
    return str(name)
