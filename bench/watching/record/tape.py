"""A tape of torch calls, which can be run again with other values.

A tape holds the calls that made a loss (or an evaluation's outputs) in the order in which they
were made. Tensors are numbered. Those that no call on the tape made (parameters, data) are its
roots; their values are copied when they are first met. So the calls can be run again later: with
the same values they give the same results to the bit, and with others they show what depends on
what.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten

from bench.watching.record.places import CodeLine

RANDOM = frozenset(
    "dropout dropout_ feature_dropout alpha_dropout bernoulli bernoulli_ rand randn randint "
    "rand_like randn_like randint_like normal normal_ uniform_ multinomial randperm gru lstm "
    "rnn_tanh rnn_relu rrelu gumbel_softmax random_ exponential_ scaled_dot_product_attention "
    "multi_head_attention_forward dropout1d dropout2d".split()
)
"""Calls that may draw random numbers: the generator's state is kept with them."""
CHANGING = frozenset({"__setitem__", "data.__set__", "requires_grad.__set__"})
"""Calls that are kept although they return no tensor, because they change one."""
HANDING = frozenset({"tolist", "item", "numpy"})
"""Calls that hand values over to Python."""
SKIPPED = HANDING | {"backward", "grad.__set__", "requires_grad.__set__"}
"""Calls that are kept and not run again."""

CUTTING = frozenset({"detach", "data.__get__", "tensor"})
"""Calls whose result is the argument, cut off from its history."""

VIEWS = frozenset(
    "view view_as reshape transpose t __getitem__ expand squeeze unsqueeze detach permute chunk "
    "split unbind narrow select flatten".split()
)
"""Calls that may return their argument's memory without writing to it."""

Change = Callable[[Tensor], Tensor]
"""Returns the value to go on with in place of the one that a call returned."""


@dataclass(frozen=True)
class Slot:
    """Stands for a tensor among the arguments of a call."""

    number: int


@dataclass(frozen=True)
class GeneratorState:
    """Stands for a generator of random numbers among the arguments of a call."""

    state: Tensor
    device: torch.device

    def generator(self) -> torch.Generator:
        """Return a generator that draws what the call drew."""
        return torch.Generator(self.device).set_state(self.state)


@dataclass
class Call:
    """A call of a torch function, with numbers in place of tensors."""

    name: str
    function: Callable[..., Any]
    leaves: list[Any]
    structure: TreeSpec
    results: tuple[int, ...]
    place: CodeLine | None
    modules: tuple[nn.Module, ...]
    """The modules whose forward was running, from the outermost to the innermost."""
    gradients: bool
    """Whether gradients were enabled."""
    autocast: torch.dtype | None = None
    random: Tensor | None = None

    @property
    def inputs(self) -> list[int]:
        """Return the numbers of the tensors among the arguments, in their order."""
        return [leaf.number for leaf in self.leaves if isinstance(leaf, Slot)]

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return positional and keyword arguments, with a Slot for each tensor."""
        args, kwargs = tree_unflatten(self.leaves, self.structure)
        return args, kwargs


@dataclass(frozen=True)
class Root:
    """The value of a tensor that no call of the tape made: a view of a copied storage."""

    storage: Tensor
    size: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    parameter: bool
    """Whether it is a leaf that takes gradients."""
    opaque: bool
    """Whether a function that the tape cannot see computed it."""
    earlier: int | None
    """Index of the earlier tape that made the tensor, if one did."""


@dataclass
class Tape:
    """Calls in order, and the values of the roots.

    `keep` holds the tensors of the calls alive while the tape records, so that an id belongs to
    one tensor; `close` lets them go.
    """

    index: int = 0
    calls: list[Call] = field(default_factory=list)
    roots: dict[int, Root] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)
    keep: list[Tensor] = field(default_factory=list)
    parameters: dict[int, Tensor] = field(default_factory=dict)
    """The user's own parameters among the roots, by number."""
    _storages: dict[int, tuple[Any, Tensor]] = field(default_factory=dict)

    def number(self, tensor: Tensor, earlier: int | None = None) -> int:
        """Return the number of a tensor that is an argument; a new one becomes a root."""
        known = self.numbers.get(id(tensor))
        if known is not None:
            return known
        number = self._new(tensor)
        self.roots[number] = self._root(tensor, earlier)
        if self.roots[number].parameter:
            self.parameters[number] = tensor
        return number

    def result(self, tensor: Tensor) -> int:
        """Return the number of a tensor that a call returned."""
        known = self.numbers.get(id(tensor))
        return self._new(tensor) if known is None else known

    def made(self, tensor: Tensor) -> bool:
        """Return whether a call of this tape made the tensor."""
        number = self.numbers.get(id(tensor))
        return number is not None and number not in self.roots

    def _new(self, tensor: Tensor) -> int:
        number = len(self.keep)
        self.numbers[id(tensor)] = number
        self.keep.append(tensor)
        return number

    def _root(self, tensor: Tensor, earlier: int | None) -> Root:
        leaf = takes_gradients(tensor)
        opaque = tensor.requires_grad and not leaf
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_nested:
            value = tensor.detach().clone()
            return Root(value, (), (), -1, False, opaque, earlier)
        # views of one storage stay views of one: a change of one is seen in the others
        storage = tensor.untyped_storage()
        key = storage.data_ptr() or id(storage)
        if key not in self._storages:
            whole = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
            whole.set_(storage.clone())  # type: ignore[no-untyped-call]
            self._storages[key] = (storage, whole)
        copy = self._storages[key][1]
        if copy.dtype != tensor.dtype:
            copy = tensor.detach().clone()
            return Root(copy, tuple(copy.shape), copy.stride(), 0, leaf, opaque, earlier)
        return Root(
            copy,
            tuple(tensor.shape),
            tensor.stride(),
            int(tensor.storage_offset()),
            leaf,
            opaque,
            earlier,
        )

    def settle(self) -> None:
        """Take the parameters' values anew and drop the calls that made them or wrote to them.

        On the first tape there may be the calls that make a model and set its first weights. If
        they stayed, running the tape with other parameters would undo these.
        """
        leaves = {
            number: tensor
            for number, tensor in enumerate(self.keep)
            if takes_gradients(tensor) and tensor.layout == torch.strided
        }
        pointers = {tensor.untyped_storage().data_ptr() for tensor in leaves.values()} - {0}
        self.calls = [
            call
            for call in self.calls
            if not any(
                number in leaves or self.keep[number].untyped_storage().data_ptr() in pointers
                for number in _written(call)
            )
        ]
        for pointer in pointers:
            self._storages.pop(pointer, None)
        for number, tensor in leaves.items():
            if self.numbers.get(id(tensor)) == number:
                self.roots[number] = self._root(tensor, None)
                self.parameters[number] = tensor

    def close(self) -> None:
        """Let the tensors of the calls go; what is needed to run them again stays."""
        self.keep = []
        self.numbers = {}
        self._storages = {}

    def parameter_value(self, number: int) -> Tensor:
        """Return the value that a parameter had when the tape met it."""
        root = self.roots[number]
        return root.storage.as_strided(root.size, root.stride, root.offset)

    def root_values(self) -> dict[int, Tensor]:
        """Return fresh copies of the roots, views of one storage where they were."""
        copies: dict[int, Tensor] = {}
        values = {}
        for number, root in self.roots.items():
            key = id(root.storage)
            if key not in copies:
                copies[key] = root.storage.clone()
            values[number] = (
                copies[key]
                if root.offset < 0
                else copies[key].as_strided(root.size, root.stride, root.offset)
            )
        return values

    def replay(
        self,
        changes: Mapping[tuple[int, int], Change] | None = None,
        *,
        gradients: bool = False,
        roots: Mapping[int, Tensor] | None = None,
        uncut: bool = False,
        passed: frozenset[int] = frozenset(),
        stop: int | None = None,
    ) -> dict[int, Tensor]:
        """Run the calls again and return the value of every tensor, by number.

        Args:
            changes: by index of a call and number of one of its results, what to put in its place.
            gradients: whether to build a graph, whose leaves are the parameters.
            roots: values of roots that differ from those recorded.
            uncut: whether gradients also pass where the script cuts them (no_grad, detach, data),
                so that they show what depends on what.
            passed: indices of calls that return their first tensor as it is.
            stop: index of the call before which to stop.
        """
        changes = changes or {}
        with (
            torch.random.fork_rng(devices=[]),
            torch._C.DisableTorchFunction(),
            warnings.catch_warnings(),
        ):
            # the script has had its warnings when it made the calls
            warnings.simplefilter("ignore")
            values = self.root_values()
            if gradients:
                for number in self.parameters:
                    values[number] = values[number].detach().clone().requires_grad_()
            values.update(roots or {})
            for index, call in enumerate(self.calls[:stop]):
                if call.name in SKIPPED:
                    continue
                leaves = [_given(leaf, values) for leaf in call.leaves]
                args, kwargs = tree_unflatten(leaves, call.structure)
                if call.random is not None:
                    torch.set_rng_state(call.random)
                with _as_recorded(call, gradients, uncut):
                    if index in passed:
                        returned = values[call.inputs[0]]
                    elif uncut and _cuts(call, args):
                        returned = args[0].to(kwargs.get("dtype") or args[0].dtype).view_as(args[0])
                    else:
                        returned = call.function(*args, **kwargs)
                flat = tree_flatten(returned)[0] if call.results else ()
                for number, value in zip(call.results, flat, strict=False):
                    if number >= 0 and isinstance(value, Tensor):
                        change = changes.get((index, number))
                        values[number] = value if change is None else change(value)
        return values


def _written(call: Call) -> set[int]:
    """Return the tensors that a call makes in place of others, or writes to."""
    taken = call.inputs
    if call.name in CHANGING:
        return set(taken[:1])
    views = call.name.startswith(("data.", "T.")) or call.name in VIEWS
    return {number for number in call.results if number >= 0 and (number in taken or not views)}


def _cuts(call: Call, args: tuple[Any, ...]) -> bool:
    """Return whether a call's result is its argument, cut off from its history."""
    return (
        call.name in CUTTING
        and bool(args)
        and isinstance(args[0], Tensor)
        and args[0].is_floating_point()
    )


def takes_gradients(tensor: Tensor) -> bool:
    """Return whether a tensor is a leaf for which gradients are computed."""
    try:
        return tensor.requires_grad and tensor.is_leaf
    except (
        RuntimeError
    ):  # torch forbids the question for views made in one mode, written in another
        return False


def _given(leaf: Any, values: Mapping[int, Tensor]) -> Any:
    """Return the argument that stands for what was recorded."""
    if isinstance(leaf, Slot):
        return values[leaf.number]
    return leaf.generator() if isinstance(leaf, GeneratorState) else leaf


def instead(value: Tensor) -> Change:
    """Return a change that puts a value in the place of what a call returned."""
    return lambda _: value.clone()


@contextlib.contextmanager
def _as_recorded(call: Call, gradients: bool, uncut: bool) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.set_grad_enabled(gradients and (call.gradients or uncut)))
        if call.autocast is not None:
            stack.enter_context(torch.autocast("cpu", dtype=call.autocast))
        yield
