"""Finds weights of a purely functional model that no gradient is computed for."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from bench.watching.read.flow import Flow
from bench.watching.record.by_hand import LAYERS
from bench.watching.record.rounds import Round
from results.doctor.watched.update_facts import ConstantSeen

FEWEST_MATRICES = 2
"""Fewer matrices may be meant to stay as they are: a table of positions, frozen embeddings."""

Matrices = dict[tuple[str, int], Tensor]
"""Matrices that layers multiply by, by line and by how many came before at that line."""


def constants_seen(rounds: list[Round]) -> ConstantSeen | None:
    """Return the matrices that stay the same while others are trained by torch.func.

    Where parameters are tensors of torch or modules, those that get no gradients say so by
    themselves; a function of plain tensors leaves out what it is not asked for.
    """
    # in the first round the script makes its weights
    rounds = [one for one in rounds if one.index > 0 and _functional(one)]
    if len(rounds) < 2:
        return None
    (first, trained), (last, _) = (_matrices(one) for one in (rounds[0], rounds[-1]))
    same = [
        key
        for key, value in first.items()
        if key in last and value.shape == last[key].shape and bool((value == last[key]).all())
    ]
    if len(same) < FEWEST_MATRICES or not trained:
        return None
    return ConstantSeen(len(same), trained, same[-1][0])


def _functional(one: Round) -> bool:
    parameters = one.tape.parameters.values()
    return bool(parameters) and not any(tensor.requires_grad for tensor in parameters)


def _matrices(one: Round) -> tuple[Matrices, int]:
    """Return the matrices without gradients that reach the loss, and how many are trained."""
    values = one.tape.root_values()
    found: Matrices = {}
    trained = set()
    for place, number in _used(one):
        if one.tape.roots[number].parameter:
            trained.add(number)
        elif bool(values[number].abs().sum()):
            count = sum(line == place for line, _ in found)
            found[place, count] = values[number]
    return found, len(trained)


def _used(one: Round) -> Iterator[tuple[str, int]]:
    """Yield each matrix by which a layer multiplies, with the line of its first use."""
    flow, seen = Flow(one.tape), set[int]()
    wanted = {n for event in one.happened("backward") for n in flow.ancestors(event.number)}
    for call in one.tape.calls:
        if call.name not in LAYERS or not wanted.intersection(call.results):
            continue
        for number in call.inputs[1:]:
            root = one.tape.roots.get(number)
            if root is None or len(root.size) != 2 or number in seen:
                continue
            if root.storage.is_floating_point():
                seen.add(number)
                yield str(call.place or ""), number
