"""Tells what a training is at: the forward pass of a round, after its step, or an evaluation."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import torch
from torch import Tensor, nn

from bench.watching.record.calls import asks, looks_up
from bench.watching.record.places import Chain, callers
from bench.watching.record.rounds import EvaluationCalls, Round
from bench.watching.record.sampling import (
    FEW_EVALUATION_CALLS,
    FIRST_ROUNDS,
    MOST_CALLS,
    MOST_EVALUATION_CALLS,
    MOST_EVALUATIONS,
    MOST_ROUNDS,
    sampled_evaluation,
)
from bench.watching.record.tape import Tape, takes_gradients


class Stages:
    """The rounds and evaluations of a training, those that are over and those that go on.

    A round goes from the first call after a step to the next step; its forward pass begins with
    the first call that takes a parameter. Calls without gradients, in eval mode or by code that
    trained nothing so far are an evaluation.
    """

    def __init__(
        self, sample: Callable[[int], bool], finished: Callable[[Round | EvaluationCalls], None]
    ) -> None:
        """Prepare the stages, which begin with `begin_round`.

        Args:
            sample: whether the round of an index is recorded.
            finished: called with each round and evaluation that is over, before its tape lets its
                tensors go.
        """
        self.rounds: list[Round] = []
        self.evaluations: list[EvaluationCalls] = []
        self.steps = 0
        self.round: Round | None = None
        """The round that goes on, if it is recorded."""
        self.ending: Round | None = None
        """The round whose step was taken, until the next forward pass begins."""
        self.evaluation: EvaluationCalls | None = None
        self.begun = False
        """Whether the forward pass of the round has begun."""
        self.stepped = False
        """Whether the step of the round was taken."""
        self.modules: list[nn.Module] = []
        """The modules whose forward is running, from the outermost to the innermost."""
        self._sample, self._finished = sample, finished
        self._made: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self._trains_in_eval_mode = False
        self._trained: set[Chain] = set()
        self._calling: set[Chain] = set()
        self._evaluated: set[Chain] = set()
        self._evaluations = 0
        self._passed_over = False
        self._modules_called = 0
        self._calls_modules = False

    @property
    def updating(self) -> Round | None:
        """Return the recorded round whose gradients are being applied, if there is one."""
        return self.ending or self.round

    def drop(self) -> None:
        """Forget what goes on."""
        self.round = self.ending = self.evaluation = None

    def idle(self) -> bool:
        """Return whether nothing is recorded, and nothing that is recorded can begin now."""
        evaluates = not torch.is_grad_enabled() or self.in_eval_mode()
        evaluation = self.evaluation
        if evaluates and not (self.begun or self.stepped):
            return self._passed_over or (evaluation is not None and evaluation.full)
        return self.round is None and evaluation is None and not (self.stepped or evaluates)

    def in_eval_mode(self) -> bool:
        """Return whether the outermost module that runs is in eval mode, and training is not."""
        return bool(self.modules) and not self.modules[0].training and not self._trains_in_eval_mode

    def tape(self, name: str, tensors: list[Tensor], tests: bool = False) -> Tape | None:
        """Return the tape that a call belongs to, if any.

        tests: whether it takes parameters that are trained, and computes no gradients for them.
        """
        tested = tests or (self.evaluation is not None and self.evaluation.with_gradients)
        training = torch.is_grad_enabled() and not self.in_eval_mode() and not tested
        if training and not asks(name) and any(map(takes_gradients, tensors)):
            self.begin_forward(tensors)
        if self.begun:
            return self._of_round()
        if not training and looks_up(name, tensors):
            # a model is run; what else comes before each step may average weights
            self._evaluates(callers(), with_gradients=False)
        if self.evaluation is not None:
            return self.evaluation.tape
        return self._of_round() if training else self._begin_evaluation()

    def _of_round(self) -> Tape | None:
        return None if self.round is None else self.round.tape

    def full(self, tape: Tape) -> bool:
        """Return whether a tape takes no more calls."""
        evaluation = self.evaluation
        if evaluation is not None and evaluation.tape is tape:
            return evaluation.full
        return len(tape.calls) >= MOST_CALLS

    def earlier(self, tensor: Tensor) -> int | None:
        """Return the index of the last tape, if it made a tensor."""
        known = self._made.get(id(tensor))
        return known[1] if known is not None and known[0]() is tensor else None

    # rounds

    def begin_round(self) -> None:
        """Begin the next round; the one before may still have events, such as zero_grad."""
        self._finish(self.ending)
        self.ending, self.stepped, self.begun = self.round, False, False
        self._calling.clear()
        self.round = Round(self.steps, Tape(self.steps)) if self._sample(self.steps) else None

    def begin_forward(self, tensors: list[Tensor]) -> None:
        """Note that the forward pass of a training step begins."""
        if self.begun:
            return
        self.begun, self._passed_over, self._calls_modules = True, False, False
        self._finish(self.ending)
        self.ending = None
        evaluation = self.evaluation
        if (
            evaluation is not None
            and (self._every_step or not (evaluation.chains or evaluation.by_hand))
            and any(evaluation.tape.made(tensor) for tensor in tensors)
        ):
            self._adopt(evaluation)
        self.end_evaluation()

    def begin_backward(self, root: Tensor | None) -> None:
        """Note that a backward pass begins, from `root`."""
        if self.evaluation is not None and root is not None and self.evaluation.tape.made(root):
            self._trains_in_eval_mode |= not self.evaluation.with_gradients
            self._adopt(self.evaluation)
        self.begin_forward([])
        self._trained |= self._calling

    def end(self, *, cut: bool) -> None:
        """Finish what was begun; a round that an error cut off may lack steps and is left out."""
        self.end_evaluation()
        self._finish(self.ending)
        last = self.round
        # a training that never steps is one long round
        if last is not None and last.happened("backward"):
            steps = {len(done.happened("step")) for done in self.rounds}
            if not cut or not steps or len(last.happened("step")) in steps:
                self._finish(last)

    @property
    def _every_step(self) -> bool:
        """Return whether what looks like an evaluation comes before each step: a part of it."""
        return self._evaluations >= self.steps

    def _adopt(self, evaluation: EvaluationCalls) -> None:
        """Take what looked like an evaluation as the beginning of a training step."""
        if self.round is not None:
            self.round.tape = evaluation.tape
            evaluation.tape.index = self.round.index
        self._calling |= evaluation.chains
        self.evaluation = None

    def _finish(self, done: Round | None) -> None:
        if done is None:
            return
        self._remember(done.tape)
        self._finished(done)
        done.tape.close()
        self.rounds.append(done)
        if len(self.rounds) > MOST_ROUNDS:
            del self.rounds[FIRST_ROUNDS]

    def _remember(self, tape: Tape) -> None:
        """Remember which tensors this tape made, to know them when a later one takes them."""
        self._made = {
            id(tensor): (weakref.ref(tensor), tape.index)
            for tensor in tape.keep
            if tape.made(tensor)
        }

    # evaluations

    def called(self, module: nn.Module) -> None:
        """Note from where a module is called, which tells an evaluation from a training step.

        Code that trains no other batch evaluates, even in train mode and with gradients.
        """
        in_step = self.begun and not self.stepped
        if in_step and not torch.is_grad_enabled():
            return
        chain = callers()
        with_gradients = torch.is_grad_enabled() and (module.training or self._trains_in_eval_mode)
        trains = in_step or chain in self._trained or not self._trained
        if not (with_gradients and trains):
            self._evaluates(chain, with_gradients)
            return
        self._calling.add(chain)
        evaluation = self.evaluation
        if not in_step and evaluation is not None and evaluation.with_gradients:
            self.end_evaluation()

    def _evaluates(self, chain: Chain, with_gradients: bool) -> None:
        """Note that modules are called in what is no training step."""
        if not self._calls_modules:
            self._calls_modules = True
            self._modules_called += 1
        current = self.evaluation
        if current is None:
            if self.stepped:
                self.begin_round()
            if self._passed_over and self._modules_called < self.steps:
                # something without gradients comes before each step, but no modules are called
                self._passed_over = False
                self._record_evaluation(self._modules_called - 1)
            else:
                self._begin_evaluation()
        elif current.full and chain not in current.chains:
            self._new_evaluation(FEW_EVALUATION_CALLS)
        if self.evaluation is not None:
            if chain not in self._evaluated:  # code that has not evaluated before
                self.evaluation.most = MOST_EVALUATION_CALLS
            self._evaluated.add(chain)
            self.evaluation.with_gradients |= with_gradients
            self.evaluation.chains.add(chain)

    def _begin_evaluation(self) -> Tape | None:
        """Begin to record an evaluation; only a few calls, if it is not one of those sampled."""
        if self._passed_over:
            return None
        index, self._evaluations = self._evaluations, self._evaluations + 1
        if self._every_step and self.round is None:
            self._passed_over = True
            return None
        return self._record_evaluation(index)

    def _record_evaluation(self, index: int) -> Tape:
        return self._new_evaluation(
            MOST_EVALUATION_CALLS if sampled_evaluation(index) else FEW_EVALUATION_CALLS
        )

    def _new_evaluation(self, most: int) -> Tape:
        self.end_evaluation()
        self.evaluation = EvaluationCalls(Tape(-1), self.steps, most=most)
        return self.evaluation.tape

    def end_evaluation(self) -> None:
        """End the evaluation that goes on, if there is one, and keep it."""
        evaluation, self.evaluation = self.evaluation, None
        if evaluation is None or not evaluation.tape.calls:
            return
        self._finished(evaluation)
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
