"""Takes an evaluation apart into passes: what hangs together on its tape by computed values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor

from bench.watching.read.entries import Lookup, entries
from bench.watching.read.flow import Flow
from bench.watching.read.passes import ChosenSymbols, Pass, Sides
from bench.watching.read.predictions import BETWEEN, CRITERIA
from bench.watching.record.calls import HANDING
from bench.watching.record.replaying import Call
from bench.watching.record.tape import Tape

CHOICES = frozenset("argmax topk max multinomial sort argsort".split())
"""Calls that choose symbols by their logits or probabilities."""
ADDING = frozenset("add __add__ __iadd__ add_ __radd__ sum".split())


def passes(tape: Tape, names: Mapping[int, str], sides: Sides) -> list[Pass]:
    """Return the passes of an evaluation, in order."""
    flow, values = Flow(tape), tape.replay()
    choices = [c for c in _choices(flow, values, sides.symbols) if _fits(flow, values, c, sides)]
    wanted = [choice.call for choice in choices]
    wanted += [index for index, _ in flow.calls(*CRITERIA)]
    component = _components(flow, values, wanted)
    found: dict[int, Pass] = defaultdict(lambda: Pass(tape, flow, values, every_choice=choices))
    for choice in choices:
        found[component[choice.call]].choices.append(choice)
    for at, inside in _placed(flow, component).items():
        _give_sides(found[at], inside, names, sides)
    for index, at in sorted(component.items()):
        if at in found:
            found[at].calls.append(index)
    losses = [call.inputs[0] for _, call in flow.calls(*CRITERIA) if call.inputs]
    for_loss = set().union(*map(flow.ancestors, losses))
    for one in found.values():
        _leave_out(one, for_loss)
    return [found[at] for at in sorted(found)]


def _leave_out(one: Pass, for_loss: set[int]) -> None:
    """Take away what the decoder is fed for a loss that is computed beside the choices."""
    scores = [one.tape.calls[choice.call].inputs[0] for choice in one.choices]
    for_choices = set().union(*map(one.flow.ancestors, scores))
    beside = for_loss - for_choices
    one.decoder = [entry for entry in one.decoder if entry.number not in beside]


def _placed(flow: Flow, component: Mapping[int, int]) -> dict[int, list[Lookup]]:
    """Return where symbols enter, by component."""
    placed: dict[int, list[Lookup]] = defaultdict(list)
    for entry in entries(flow.tape, flow):
        at = _place(flow, component, entry)
        if at is not None:
            placed[at].append(entry)
    return placed


def _place(flow: Flow, component: Mapping[int, int], entry: Lookup) -> int | None:
    """Return the component that an entry belongs to, if it belongs to one."""
    users = [entry.call, entry.at, *(i for i in flow.users[entry.number] if i in component)]
    return next((component[index] for index in users if index in component), None)


def _give_sides(one: Pass, found: list[Lookup], names: Mapping[int, str], sides: Sides) -> None:
    """Give a pass its entries, each on its side."""
    unsure = []
    for entry in found:
        side = sides.of(entry, names.get(entry.parameter))
        if side == "?":
            unsure.append(entry)
        else:
            (one.decoder if side == "decoder" else one.source).append(entry)
    _tell_sides(one, unsure)


def _tell_sides(one: Pass, unsure: list[Lookup]) -> None:
    """Give a pass its entries of which training does not tell whether they are the decoder's.

    Where a line looks up the model's own choices, it looks up the first symbol too.
    """
    numbers = [choice.number for choice in one.choices]
    own = {e.place for e in unsure if one.flow.ancestors(e.ids_number).intersection(numbers)}
    for entry in unsure:
        (one.decoder if entry.place in own else one.source).append(entry)
    for entries_of_side in (one.decoder, one.source):
        entries_of_side.sort(key=lambda entry: entry.at)


def _choices(flow: Flow, values: Mapping[int, Tensor], symbols: int) -> Iterator[ChosenSymbols]:
    chosen_of: set[int] = set()
    for index, call in enumerate(flow.tape.calls):
        number = _scores(flow, call, values)
        if number is None:
            continue
        if call.name in CHOICES:
            made = [n for n in call.results if n >= 0 and values[n].dtype == torch.int64]
            cut = _left_out(values[number], _whole_scores(flow, values, number, symbols))
            chosen = [ChosenSymbols(index, n, values[n] + cut, left_out=cut) for n in made[-1:]]
        elif values[number].shape[-1] == symbols and not chosen_of & flow.moved_from(
            number, BETWEEN
        ):
            # scores that are handed over beside a choice are for people to read
            chosen = [ChosenSymbols(index, number, values[number].argmax(-1), handed=True)]
        else:
            chosen = []
        chosen_of.update(number for _ in chosen)
        yield from chosen


def _scores(flow: Flow, call: Call, values: Mapping[int, Tensor]) -> int | None:
    """Return the number of the scores that a call may choose by; None if it is given none."""
    number = call.inputs[0] if call.inputs else -1
    if number not in flow.computed or call.name not in CHOICES | HANDING:
        return None
    return number if values[number].is_floating_point() and values[number].dim() else None


def _whole_scores(
    flow: Flow, values: Mapping[int, Tensor], number: int, symbols: int
) -> Tensor | None:
    """Return scores with a value for every symbol, of which those of a number may be a part."""
    if not symbols or symbols in values[number].shape:
        return values[number]
    wholes = (values[n] for n in sorted(flow.moved_from(number, BETWEEN)))
    return next((value for value in wholes if value.dim() and value.shape[-1] == symbols), None)


def _left_out(part: Tensor, whole: Tensor | None) -> int:
    """Return how many symbols were cut off the beginning of the scores that a choice reads."""
    if whole is None or not part.dim():
        return 0
    cut = whole.shape[-1] - part.shape[-1]
    row = part.reshape(-1, part.shape[-1])[0]
    rows = whole.reshape(-1, whole.shape[-1])
    return cut if cut > 0 and bool((rows[:, cut:] == row).all(1).any()) else 0


def _fits(flow: Flow, values: Mapping[int, Tensor], choice: ChosenSymbols, sides: Sides) -> bool:
    """Return whether a choice is among the symbols that the model predicts, or most of them."""
    number = flow.tape.calls[choice.call].inputs[0]
    if not sides.symbols or sides.symbols in values[number].shape:
        return True
    whole = _whole_scores(flow, values, number, sides.symbols)
    return whole is not None and 2 * values[number].shape[-1] > sides.symbols


def _components(flow: Flow, values: Mapping[int, Tensor], wanted: Iterable[int]) -> dict[int, int]:
    """Return for each call that leads to a wanted one the first call of its component."""
    parent: dict[int, int] = {}

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    todo = list(wanted)
    parent.update({index: index for index in todo})
    seen = set(todo)
    while todo:
        index = todo.pop()
        for maker in _makers(flow, values, index):
            parent.setdefault(maker, maker)
            first, second = sorted((root(index), root(maker)))
            parent[second] = first
            if maker not in seen:
                seen.add(maker)
                todo.append(maker)
    return {index: root(index) for index in parent}


def _makers(flow: Flow, values: Mapping[int, Tensor], index: int) -> Iterator[int]:
    """Yield the calls before a call that computed what it takes."""
    tape = flow.tape
    for number in tape.calls[index].inputs:
        if number not in flow.computed or number in tape.roots:
            continue
        for maker in flow.makers[number]:
            call = tape.calls[maker]
            if maker <= index and not _accumulates(call.name, call.results, values):
                yield maker


def _accumulates(name: str, results: tuple[int, ...], values: Mapping[int, Tensor]) -> bool:
    return name in ADDING and all(n < 0 or values[n].dim() == 0 for n in results)
