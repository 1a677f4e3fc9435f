"""A tape of torch calls, which can be run again with other values.

A tape holds the calls that made a loss (or an evaluation's outputs) in the order in which they
were made. Tensors are numbered. Those that no call on the tape made (parameters, data) are its
roots; their values are copied when they are first met. So the calls can be run again later: with
the same values they give the same results to the bit, and with others they show what depends on
what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from bench.watching.record.calls import CHANGING, CUTTING, VIEWS
from bench.watching.record.leaves import taken_apart
from bench.watching.record.places import place
from bench.watching.record.replaying import Call, Change, Manner, Slot, run


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
    whole: set[int] = field(default_factory=set)
    """Tensors of whole numbers or truth values."""
    _storages: dict[int, tuple[Any, Tensor]] = field(default_factory=dict)

    def number(self, tensor: Tensor, earlier: int | None = None, *, parameter: bool = False) -> int:
        """Return the number of a tensor that is an argument; a new one becomes a root.

        Args:
            tensor: the argument.
            earlier: index of the earlier tape that made it, if one did.
            parameter: whether it is a parameter although no gradients are computed for it now.
        """
        known = self.numbers.get(id(tensor))
        if known is not None:
            return known
        made = None if parameter else self._cut_from(tensor)
        number = self._new(tensor)
        if made is not None:
            self.calls.append(_call("detach", Tensor.detach, [made], number))
            return number
        self.roots[number] = self._root(tensor, earlier, parameter)
        if self.roots[number].parameter:
            self.parameters[number] = plain(tensor)
        return number

    def result(self, tensor: Tensor) -> int:
        """Return the number of a tensor that a call returned."""
        known = self.numbers.get(id(tensor))
        return self._new(tensor) if known is None else known

    def made(self, tensor: Tensor) -> bool:
        """Return whether a call of this tape made the tensor."""
        number = self.numbers.get(id(tensor))
        return number is not None and number not in self.roots

    def _cut_from(self, tensor: Tensor) -> int | None:
        """Return the tensor of the tape that an unknown leaf was, as after `Variable(x.data)`."""
        if isinstance(tensor, nn.Parameter) or not takes_gradients(tensor):
            return None
        at, shape = memory(tensor), tensor.shape
        same = (n for n, t in enumerate(self.keep) if n not in self.roots and t.shape == shape)
        return next((n for n in same if at and memory(self.keep[n]) == at), None)

    def _new(self, tensor: Tensor) -> int:
        number = len(self.keep)
        self.numbers[id(tensor)] = number
        self.keep.append(tensor)
        if not (tensor.is_floating_point() or tensor.is_complex()):
            self.whole.add(number)
        return number

    def _root(self, tensor: Tensor, earlier: int | None, parameter: bool = False) -> Root:
        leaf = parameter or takes_gradients(tensor)
        opaque = tensor.requires_grad and not leaf
        tensor = plain(tensor)
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

    def sum_of(self, losses: Sequence[int]) -> int:
        """Return the number of the sum of some losses, which is computed when the tape is run."""
        known = (n for call in self.calls for n in (*call.results, *call.inputs))
        number = len(self.keep) or max((*self.roots, *known)) + 1
        if self.keep:
            self.keep.append(torch.zeros(()))
        self.calls.append(_call("sum", _sum, losses, number))
        return number

    def settle(self) -> None:
        """Take the parameters' values anew and drop the calls that made them or wrote to them.

        On the first tape there may be the calls that make a model and set its first weights. If
        they stayed, running the tape with other parameters would undo these.
        """
        leaves = {n: t for n, t in enumerate(self.keep) if _settles(t)}
        if any(n not in self.roots and not isinstance(t, nn.Parameter) for n, t in leaves.items()):
            leaves = {n: leaves[n] for n in leaves.keys() - self._cut_off()}
        pointers = {memory(tensor) for tensor in leaves.values()} - {0}
        own = leaves.keys() | {n for n, t in enumerate(self.keep) if memory(t) in pointers}
        self.calls = [
            call
            for call in self.calls
            if not own & _written(call) and not leaves.keys() & {*call.results}
        ]
        self._storages = {at: held for at, held in self._storages.items() if at not in pointers}
        for number, tensor in leaves.items():
            if self.numbers.get(id(tensor)) == number:
                self.roots[number] = self._root(tensor, None)
                if takes_gradients(tensor):
                    self.parameters[number] = plain(tensor)
        self._keep_aliases(own - leaves.keys())

    def _keep_aliases(self, numbers: set[int]) -> None:
        """Take the values of tensors anew that share a parameter's memory and are read later.

        A script that does without modules makes a parameter of a tensor that it has computed.
        """
        made = {number for call in self.calls for number in call.results}
        read = {number for call in self.calls for number in call.inputs}
        for number in (numbers & read) - made - self.roots.keys():
            self.roots[number] = self._root(self.keep[number], None)

    def _cut_off(self) -> set[int]:
        """Return what the script computed with parameters and cut off: such leaves are none."""
        computed = {n for n, tensor in self.parameters.items() if isinstance(tensor, nn.Parameter)}
        cut: set[int] = set()
        for call in self.calls:
            taken, made = {*call.inputs}, {number for number in call.results if number >= 0}
            cuts = call.name in CUTTING
            if (cuts and taken & (computed - self.parameters.keys())) or (
                taken & cut and call.name in VIEWS | CUTTING
            ):
                cut |= made
            elif call.gradients and not cuts and taken & computed:
                computed |= made
        return cut

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
            changes: what to put in the place of a tensor, by index of a call and number of the
                tensor: of one that the call makes, from there on; of one that the call takes, for
                that call only; with -1 for the call, of a root.
            gradients: whether to build a graph, whose leaves are the parameters.
            roots: values of roots that differ from those recorded.
            uncut: whether gradients also pass where the script cuts them (no_grad, detach, data),
                so that they show what depends on what.
            passed: indices of calls that return their first tensor as it is.
            stop: index of the call before which to stop.
        """
        values = self.root_values()
        if gradients:
            for number in self.parameters:
                values[number] = values[number].detach().clone().requires_grad_()
        values.update(roots or {})
        return run(self.calls, values, changes or {}, Manner(gradients, uncut, passed, stop))


def _call(name: str, function: Callable[..., Tensor], taken: Sequence[int], made: int) -> Call:
    """Return a call that the script did not make in a way that can be seen."""
    leaves, places = taken_apart((tuple(map(Slot, taken)), {}))
    return Call(name, function, leaves, places, (made,), place(), (), gradients=True)


def _sum(*losses: Tensor) -> Tensor:
    return torch.stack([loss.sum().float() for loss in losses]).sum()


def _written(call: Call) -> set[int]:
    """Return the tensors that a call makes in place of others, or writes to."""
    taken = call.inputs
    if call.name in CHANGING:
        return set(taken[:1])
    views = call.name.startswith(("data.", "T.")) or call.name in VIEWS
    return {number for number in call.results if number >= 0 and (number in taken or not views)}


def takes_gradients(tensor: Tensor) -> bool:
    """Return whether a tensor is a leaf for which gradients are computed."""
    try:
        return tensor.requires_grad and tensor.is_leaf
    except (
        RuntimeError
    ):  # torch forbids the question for views made in one mode, written in another
        return False


def in_transform() -> bool:
    """Return whether a function that torch.func transforms is running."""
    return torch._C._functorch.peek_interpreter_stack() is not None


def plain(tensor: Tensor) -> Tensor:
    """Return the tensor that torch.func has wrapped, if it has."""
    while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        tensor = torch._C._functorch.get_unwrapped(tensor)
    return tensor


def _settles(tensor: Tensor) -> bool:
    """Return whether a tensor is a parameter, perhaps a frozen one, whose value is taken anew."""
    parameter = takes_gradients(tensor) or isinstance(tensor, nn.Parameter)
    return parameter and plain(tensor).layout == torch.strided


def memory(tensor: Tensor) -> int:
    """Return where a tensor's values lie; 0 if they lie nowhere."""
    tensor = plain(tensor)
    return int(tensor.untyped_storage().data_ptr()) if tensor.layout == torch.strided else 0


def instead(value: Tensor) -> Change:
    """Return a change that puts a value in the place of what a call returned."""
    return lambda _: value.clone()
