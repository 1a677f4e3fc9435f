"""Finds what a loss is made of: which predictions it reads, which symbols it asks for.

A loss over symbols has, at the logits of one prediction, the gradient w (p - y): p are the
probabilities, y is 1 at the symbol asked for, w is the prediction's weight in the loss. So both
y and w can be read from the gradient, however the loss was written.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import pad

from bench.watching.read.flow import MOVES, Flow
from bench.watching.record.replaying import Change
from bench.watching.record.tape import Tape

SOFTMAX = frozenset({"softmax", "log_softmax", "logsumexp", "softmin"})
CRITERIA = SOFTMAX | frozenset(
    "cross_entropy nll_loss binary_cross_entropy_with_logits binary_cross_entropy mse_loss l1_loss "
    "smooth_l1_loss kl_div multi_margin_loss".split()
)
BETWEEN = MOVES | SOFTMAX | frozenset("log clamp clamp_min exp sigmoid masked_fill where".split())
"""Calls between a model's last layer and its loss that keep one value per symbol."""
ARITHMETIC = frozenset("add __add__ div __truediv__ mul __mul__ neg __neg__".split())
"""Calls that keep one value per symbol where they are given one tensor and constants."""
WRITTEN_OUT = frozenset({"exp", "exp_"})
"""The call that makes a softmax of logits where a script has none of torch's."""
ONLY_ROUNDING = 1e-6
"""Share of the largest gradient up to which one is 0 but for rounding."""
SUMMING = frozenset({"logsumexp"})
"""Calls by which a CRF sums over the labels of a step."""
BALANCED = 1e-3
"""Share of the gradients of a prediction by which those of a softmax may miss a sum of 0."""
LOGARITHMS = frozenset({"log", "log_", "binary_cross_entropy"})
"""Calls that are given the probabilities of a loss."""
LAYER_CALLS = frozenset(
    "linear addmm conv1d gru lstm rnn_tanh rnn_relu gru_cell lstm_cell rnn_tanh_cell "
    "rnn_relu_cell".split()
)
"""Calls of layers, which make new values of all they are given."""
MIXING = frozenset("add add_ __add__ __iadd__ mul mul_ __mul__ __imul__ lerp".split())
"""Calls that weigh or add probabilities where they are given several."""


@dataclass
class LogitsCall:
    """The logits that one call of the model's last layer gave."""

    call: int
    number: int
    axis: int
    """The axis along which the symbols lie."""
    values: Tensor
    gradient: Tensor
    even: Tensor
    """The gradient there would be if all symbols had the same score: a model that is sure of its
    symbols, or as sure as smoothed targets ask, has gradients that show nothing."""

    @property
    def rows(self) -> int:
        """Return the number of predictions."""
        return self.values.numel() // max(self.values.shape[self.axis], 1)

    @property
    def finite(self) -> Tensor:
        """Return which predictions are numbers and get gradients that are; -inf bans a symbol."""
        values_NV, gradient_NV = self.by_row(self.values), self.by_row(self.gradient)
        return (values_NV < math.inf).all(-1) & gradient_NV.isfinite().all(-1)

    def by_row(self, tensor: Tensor) -> Tensor:
        """Return a tensor of this shape as (N, V)."""
        return tensor.movedim(self.axis, -1).reshape(-1, self.values.shape[self.axis])


@dataclass
class Predictions:
    """All predictions that a loss reads, as N rows."""

    heads: list[LogitsCall]
    criteria: list[int]
    """Indices of the calls nearest to the loss that compare predictions with targets."""
    between: list[int]
    """Indices of the softmax calls between the last layer and the criteria, criteria included."""
    climbed: bool
    """Whether the optimizers make the loss larger; gradients are then those of its negative."""
    asked_N: Tensor = field(default_factory=lambda: torch.zeros(0))
    """The symbol asked for."""
    share_N: Tensor = field(default_factory=lambda: torch.zeros(0))
    """The part of the probability that is asked for that symbol; below 1 with smoothing."""
    weight_N: Tensor = field(default_factory=lambda: torch.zeros(0))
    """The weight in the loss; 0 where the loss ignores the prediction."""
    right_N: Tensor = field(default_factory=lambda: torch.zeros(0))
    """Whether the most probable symbol is the one asked for."""
    best_N: Tensor = field(default_factory=lambda: torch.zeros(0))
    """The most probable symbol."""

    @property
    def symbols(self) -> int:
        """Return the number of symbols."""
        return max(head.values.shape[head.axis] for head in self.heads)

    def rows(self, values: dict[int, Tensor]) -> Tensor:
        """Return the logits in a replay as (N, V); narrower ones are filled with 0."""
        parts = [head.by_row(values[head.number]).detach().double() for head in self.heads]
        return torch.cat([pad(part, (0, self.symbols - part.shape[-1])) for part in parts])


class UnreadableError(Exception):
    """Says in a clause why a round of training cannot be read."""


def predictions(tape: Tape, flow: Flow, loss: int, climbed: bool = False) -> Predictions:
    """Return what the loss of this number asks for.

    climbed: whether the optimizers make it larger, as one of logarithms of probabilities.

    Raises:
        UnreadableError: It is no loss over symbols, or gradients do not reach their scores.
    """
    criteria, by_hand = _criteria(tape, flow, loss)
    if _mixes(tape, flow, loss, criteria):
        raise UnreadableError("its loss adds probabilities of several softmaxes, as a pointer does")
    chained = _chained(tape, flow, criteria)
    makers, passed = _walk(tape, flow, [tape.calls[index].inputs[0] for index in criteria])
    if chained:
        makers = _scores_of_steps(tape, flow, loss)
    heads = _heads(tape, loss, makers, criteria[0], -1 if climbed else 1)
    if not any(bool(head.finite.any()) for head in heads):
        raise UnreadableError("no prediction, or no gradient of one, is a finite number")
    between = [] if chained else sorted({*passed, *criteria})
    found = Predictions(heads, criteria, between, climbed)
    if by_hand and not all(map(_balances, heads)):
        raise UnreadableError(_no_criterion(tape, flow, loss))
    parts = [_asked(head) for head in heads]
    columns = [torch.cat(part) for part in zip(*parts, strict=True)]
    found.asked_N, found.share_N, found.weight_N, found.right_N, found.best_N = columns
    return found


def _chained(tape: Tape, flow: Flow, criteria: list[int]) -> bool:
    """Return whether a loss sums over all sequences of labels step by step, as that of a CRF."""
    return any(
        tape.calls[i].name == "logsumexp" and flow.before(tape.calls[i].inputs[0], SUMMING)
        for i in criteria
    )


def _scores_of_steps(tape: Tape, flow: Flow, loss: int) -> list[tuple[int, int]]:
    """Return the layer's calls that score the labels of the steps, and what they give."""
    found = [(index, tape.calls[index].results[0]) for index in flow.before(loss, LAYER_CALLS)]
    return sorted((index, number) for index, number in found if number in flow.differentiable)


def _mixes(tape: Tape, flow: Flow, loss: int, criteria: list[int]) -> bool:
    """Return whether the loss reads a sum of several probabilities, as of a model that copies."""
    logarithms = flow.before(loss, LOGARITHMS)
    if any(_is_mixture(tape, flow, tape.calls[i].inputs[0]) for i in logarithms):
        return True
    softmaxes = {n for index in criteria for n in tape.calls[index].results}
    ancestors = flow.ancestors(loss)
    return any(
        call.name in ("scatter_add", "scatter_add_")
        and bool(ancestors.intersection(call.results))
        and bool(softmaxes & flow.ancestors(call.results[0]))
        for call in tape.calls
    )


def _is_mixture(tape: Tape, flow: Flow, number: int) -> bool:
    """Return whether softmaxes of several lines of the script were weighed or added to this.

    What a layer was given is no part of a mixture: the gate that weighs them is made by one.
    """
    places, mixed = set(), False
    seen, todo = {number}, [number]
    while todo:
        for index in flow.makers[todo.pop()]:
            call = tape.calls[index]
            if call.name in SOFTMAX:
                places.add(call.place)
                continue
            if call.name in LAYER_CALLS:
                continue
            mixed |= call.name in MIXING and len(flow.computed.intersection(call.inputs)) > 1
            todo += [before for before in call.inputs if before not in seen]
            seen.update(call.inputs)
    return mixed and len(places) > 1


def _criteria(tape: Tape, flow: Flow, loss: int) -> tuple[list[int], bool]:
    """Return the calls nearest to a loss that compare predictions with targets.

    Returns:
        their indices, and whether they are a softmax that the script writes out itself.
    """
    # what only a layer leads to is no part of the loss, as attention that a second term reaches
    nearest = [
        i for i in flow.before(loss, CRITERIA | LAYER_CALLS) if tape.calls[i].name in CRITERIA
    ]
    found = [i for i in nearest or flow.before(loss, CRITERIA) if tape.calls[i].inputs]
    # where symbols are scored, a loss of numbers beside it is another task
    of_symbols = SOFTMAX | {"cross_entropy", "nll_loss"}
    found = [i for i in found if tape.calls[i].name in of_symbols] or found
    if found:
        return found, False
    written = [i for i in flow.before(loss, WRITTEN_OUT) if tape.calls[i].inputs]
    if not written:
        raise UnreadableError(_no_criterion(tape, flow, loss))
    return written, True


def _no_criterion(tape: Tape, flow: Flow, loss: int) -> str:
    calls = [tape.calls[index] for index in flow.makers[loss]]
    if not calls:
        return (
            "the loss was computed where no calls can be seen, as in compiled code or in a "
            "torch.autograd.Function"
        )
    calls += [tape.calls[index] for n in flow.sources(loss) for index in flow.makers[n]]
    names = ", ".join(dict.fromkeys(call.name.strip("_") for call in calls))
    return (
        f"the loss ({calls[0].place}) is made by {names}, and no softmax or loss function before "
        "them compares scores of symbols with the symbols asked for"
    )


def _heads(
    tape: Tape, loss: int, makers: list[tuple[int, int]], criterion: int, sign: int
) -> list[LogitsCall]:
    """Return the logits from which a loss is computed, with the gradients there of sign * loss."""
    values = tape.replay(gradients=True)
    wanted = [(i, n) for i, n in makers if values[n].requires_grad and values[n].dim() > 0]
    heads = []
    if wanted and values[loss].requires_grad:
        size = _symbols(tape, values, criterion)
        gradients = _gradients(values[loss], [values[n] for _, n in wanted], sign)
        evens = _even_gradients(tape, loss, [(i, n, values[n]) for i, n in wanted], sign)
        heads = [
            LogitsCall(index, n, _axis(values[n], size), values[n].detach(), gradient, even)
            for (index, n), gradient, even in zip(wanted, gradients, evens, strict=True)
            if gradient is not None and even is not None
        ]
    if not heads:
        call = tape.calls[criterion]
        raise UnreadableError(
            f"what {call.name} is given at {call.place} is computed from no parameter by which "
            "gradients could reach it"
        )
    return heads


def _gradients(loss: Tensor, places: list[Tensor], sign: int) -> tuple[Tensor | None, ...]:
    return torch.autograd.grad(sign * loss.sum(), places, allow_unused=True)


def _even_gradients(
    tape: Tape, loss: int, places: list[tuple[int, int, Tensor]], sign: int
) -> tuple[Tensor | None, ...]:
    """Return the gradients if all scores at some places, of an index and a number, were 0."""
    scores = [torch.zeros_like(value).requires_grad_() for _, _, value in places]
    # a script may write to what a call returned, but nobody may write to a leaf
    changes = {
        (index, number): _instead_of(score)
        for (index, number, _), score in zip(places, scores, strict=True)
    }
    run = tape.replay(changes, gradients=True)
    if not run[loss].requires_grad:
        return (None,) * len(places)
    return _gradients(run[loss], scores, sign)


def _instead_of(score: Tensor) -> Change:
    return lambda value: score.clone()


def _balances(head: LogitsCall) -> bool:
    """Return whether gradients are those of a softmax: over all symbols they sum to 0."""
    gradient_NV = head.by_row(head.gradient).double()
    sums_N, sizes_N = gradient_NV.sum(-1).abs(), gradient_NV.abs().sum(-1)
    return bool((sums_N <= BALANCED * sizes_N).all())


def _walk(tape: Tape, flow: Flow, starts: list[int]) -> tuple[list[tuple[int, int]], list[int]]:
    """Go back from the criteria to the last layer's calls, by the calls in between.

    Returns:
        the last layer's calls with the numbers of their results, and the softmax calls passed.
    """
    heads: dict[int, int] = {}
    between: set[int] = set()
    seen, todo = set(starts), list(starts)
    while todo:
        number = todo.pop()
        for index in flow.makers[number]:
            call = tape.calls[index]
            if not _keeps_symbols(tape, index):
                heads[index] = number
                continue
            if call.name in SOFTMAX:
                between.add(index)
            sources = call.inputs if call.name in MOVES else call.inputs[:1]
            for before in sources:
                if before not in seen:
                    seen.add(before)
                    todo.append(before)
    return sorted(heads.items()), sorted(between)


def _keeps_symbols(tape: Tape, index: int) -> bool:
    call = tape.calls[index]
    if call.name in ARITHMETIC:
        # with a constant, as in log(p + 1e-9) or logits / temperature
        return len(call.inputs) == 1
    return call.name in BETWEEN


def _symbols(tape: Tape, values: dict[int, Tensor], index: int) -> int | None:
    """Return the number of symbols that a criterion reads, if it is one that takes classes."""
    value = values[tape.calls[index].inputs[0]]
    if tape.calls[index].name not in ("cross_entropy", "nll_loss") or not value.dim():
        return None
    return value.shape[normalised_axis(tape, index, value)]


def _axis(value: Tensor, size: int | None) -> int:
    """Return the axis of the symbols: the last one, unless only another has their number."""
    fitting = [axis for axis, length in enumerate(value.shape) if length == size]
    last = value.dim() - 1
    return last if last in fitting or not fitting else fitting[-1]


def normalised_axis(tape: Tape, index: int, value: Tensor) -> int:
    """Return the axis over which a softmax or a loss over symbols normalises its argument."""
    call = tape.calls[index]
    args, kwargs = call.arguments()
    if call.name in ("cross_entropy", "nll_loss"):
        return 1 if value.dim() > 1 else 0
    if call.name in SOFTMAX:
        dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
        dim = dim[0] if isinstance(dim, tuple | list) else dim
        if dim is None:  # torch's old rule, which warns
            dim = 0 if value.dim() in (0, 1, 3) else 1
        return int(dim) % max(value.dim(), 1)
    return value.dim() - 1


def _asked(head: LogitsCall) -> tuple[Tensor, ...]:
    """Return what is asked of each prediction: the columns of Predictions, in their order."""
    values_NV = head.by_row(head.values).double()
    gradient_NV = head.by_row(head.even).double().nan_to_num()
    spoilt_N1 = ~head.finite[:, None]
    values_NV, gradient_NV = (v.masked_fill(spoilt_N1, 0) for v in (values_NV, gradient_NV))
    symbols = gradient_NV.shape[-1]
    asked_N = gradient_NV.argmin(-1)
    others_NV = torch.ones_like(gradient_NV).scatter(-1, asked_N[:, None], 0)
    # of equal scores, each symbol has the probability 1 / symbols
    weight_N = (gradient_NV * others_NV).sum(-1) * symbols / max(symbols - 1, 1)
    sizes_N = gradient_NV.abs().amax(-1)
    weight_N = weight_N.masked_fill(sizes_N <= ONLY_ROUNDING * sizes_N.max(), 0)
    safe_N = weight_N.masked_fill(weight_N == 0, 1)
    share_N = 1 / symbols - gradient_NV.gather(-1, asked_N[:, None])[:, 0] / safe_N
    best_N = values_NV.argmax(-1)
    return asked_N, share_N, weight_N, best_N == asked_N, best_N


def asked_for(gradient_NV: Tensor) -> Tensor:
    """Return the probabilities that a cross-entropy with these gradients at equal scores asks for.

    Some are below 0 where the gradients are none of a cross-entropy. Predictions without gradient
    are left out.
    """
    gradient_NV = gradient_NV[(gradient_NV != 0).any(-1)].double()
    symbols = gradient_NV.shape[-1]
    asked_N1 = gradient_NV.argmin(-1, keepdim=True)
    others_N1 = gradient_NV.scatter(-1, asked_N1, 0).sum(-1, keepdim=True)
    weight_N1 = others_N1 * symbols / max(symbols - 1, 1)
    return 1 / symbols - gradient_NV / weight_N1.where(weight_N1 != 0, 1)
