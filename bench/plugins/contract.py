"""The contract that models and tasks keep, checked on a tiny problem, told in plain words.

`bench check` runs these on a part or task from outside. The suite's own parts are held to more
by tests/variants/test_contract.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from bench.training.batching import collate
from bench.training.decoding import Decoding, beam, greedy
from bench.training.evaluation import plain_scores
from bench.training.loop import build_optimizer
from bench.training.losses import mean_loss
from bench.training.randomness import torch_generator
from tasks import BOS, Facts, Ragged, Split, Task
from variants import Batch, Model, Variant, build, inapplicable
from variants.embedding import PRETRAINED

SOURCES, TARGETS, CLASSES = 11, 9, (2, 5)
ROWS = [([3, 4, 5, 6, 3], [6, 7]), ([5, 4], [8, 3, 3]), ([9, 10, 3], [4]), ([7], [7, 8, 7, 8])]
"""Sources and targets of four examples, of unlike lengths."""
LEARNT_STEPS = 1000
CLOSE = 1e-8


class Finding(NamedTuple):
    """What was checked; wrong is empty where it held."""

    what: str
    wrong: str


class ContractError(Exception):
    """A sentence that says what does not hold."""


def shapes(logits: object, batch: Batch, sizes: tuple[int, ...]) -> None:
    """ContractError if these are not what `score` should give."""
    wanted = [(batch.tokens, size) for size in sizes]
    found = (
        [tuple(head.shape) for head in logits]
        if isinstance(logits, tuple) and all(isinstance(head, Tensor) for head in logits)
        else type(logits).__name__
    )
    if found != wanted:
        raise ContractError(
            f"score gives {found}; it should give a tuple of logits, {wanted}: a row for each "
            "real target position, a column for each symbol"
        )


def facts(tagging: bool) -> Facts:
    """Of the tiny problem."""
    if tagging:
        return Facts(SOURCES, CLASSES, 8, tagging=True, head_weights=(0.3, 0.7))
    return Facts(SOURCES, (TARGETS,), 8)


def _batch(rows: list[tuple[list[int], list[int]]], tagging: bool) -> Batch:
    sources = Ragged.of(source for source, _ in rows)
    if tagging:
        heads = tuple(Ragged.of([i % size for i in s] for s, _ in rows) for size in CLASSES)
        return collate(Split(sources, heads), facts(True), "cpu")
    return collate(Split(sources, (Ragged.of(t for _, t in rows),)), facts(False), "cpu")


class Subject(NamedTuple):
    """A variant on the tiny problem."""

    variant: Variant
    tagging: bool

    def model(self, seed: int = 0) -> Model:
        """In float64, so that equal can mean equal."""
        sizes = CLASSES if self.tagging else (TARGETS,)
        model = build(
            self.variant,
            SOURCES,
            sizes,
            self.tagging,
            lambda name: torch_generator(seed, "init", name),
            longest=5,
        )
        return model.double()

    def batch(self) -> Batch:
        """The four examples."""
        return _batch(ROWS, self.tagging)

    def loss(self, model: Model, batch: Batch) -> Tensor:
        """Of a teacher-forced pass."""
        return mean_loss(model.score(batch), batch, facts(self.tagging))


def of_variant(variant: Variant, tagging: bool) -> list[Finding]:
    """All checks of a model, in an order where one that fails may explain the next."""
    if variant.embedding_init in PRETRAINED:
        raise ValueError(
            f"embedding_init={variant.embedding_init} needs a text to start from; check another"
        )
    subject = Subject(variant, tagging)
    checks: list[tuple[str, Callable[[Subject], None]]] = [
        ("it is built, and gives logits of the right shape", _shaped),
        ("first values, losses and gradients are finite, and every parameter gets one", _finite),
        ("one seed gives the same numbers, another seed others", _seeded),
        ("the global random generator is left alone", _global),
        ("padding and other rows change nothing", _inert),
    ]
    if not tagging:
        checks += [
            ("one step at a time equals the whole pass", _stepwise),
            ("beam search can follow it, and a beam of one is greedy decoding", _beam),
        ]
    checks.append(("it also computes in bfloat16", _bfloat16))
    checks.append((f"four examples are learnt within {LEARNT_STEPS} steps", _learnt))
    return list(_findings(checks, subject))


S = TypeVar("S")


def _findings(checks: list[tuple[str, Callable[[S], None]]], subject: S) -> Iterator[Finding]:
    for what, check in checks:
        try:
            check(subject)
        except ContractError as broken:
            yield Finding(what, str(broken))
        except Exception as error:
            yield Finding(what, f"it raises {type(error).__name__}: {error}")
        else:
            yield Finding(what, "")


def _shaped(subject: Subject) -> None:
    model, batch = subject.model(), subject.batch()
    shapes(model.score(batch), batch, CLASSES if subject.tagging else (TARGETS,))
    if subject.tagging:
        return
    memory, state = model.encode(batch)
    logits, _, weights = model.step(torch.full((4,), BOS), state, memory)
    if logits.shape != (4, TARGETS):
        raise ContractError(
            f"step gives logits {tuple(logits.shape)} for 4 rows and {TARGETS} symbols"
        )
    if weights is not None and weights.shape != batch.source_BS.shape:
        raise ContractError(
            f"step gives attention {tuple(weights.shape)}; it should be "
            f"{tuple(batch.source_BS.shape)}, a weight for each source position"
        )


def _finite(subject: Subject) -> None:
    model, batch = subject.model(), subject.batch()
    for name, parameter in model.named_parameters():
        if not parameter.isfinite().all():
            raise ContractError(f"{name} starts with values that are not finite")
    loss = subject.loss(model, batch)
    if not loss.isfinite():
        raise ContractError(f"the first loss is {float(loss.detach())}")
    loss.backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.grad is None:
            raise ContractError(f"{name} gets no gradient: nothing that is computed depends on it")
        if not parameter.grad.isfinite().all():
            raise ContractError(f"the gradient of {name} is not finite")


def _seeded(subject: Subject) -> None:
    batch = subject.batch()
    first, again, other = (subject.model(seed).score(batch)[0] for seed in (0, 0, 1))
    if not torch.equal(first, again):
        raise ContractError(
            "two models of one seed differ: first values or the pass draw elsewhere"
        )
    if torch.equal(first, other):
        raise ContractError("models of two seeds are the same: first values do not follow the seed")


def _global(subject: Subject) -> None:
    dropping = replace(subject.variant, dropout=0.3)
    if inapplicable(dropping, subject.tagging) is None:
        subject = subject._replace(variant=dropping)
    before = torch.get_rng_state()
    model, batch = subject.model(), subject.batch()
    model.score(batch, None, torch_generator(0, "dropout"))
    once, again = model.score(batch)[0], model.score(batch)[0]
    if not torch.equal(once, again):
        raise ContractError("without a dropout generator, score still draws: two passes differ")
    if not torch.equal(before, torch.get_rng_state()):
        raise ContractError(
            "torch's global generator was used; draw dropout from the generator that score is given"
        )


def _inert(subject: Subject) -> None:
    model = subject.model()
    together = model.score(subject.batch())
    start = 0
    for row in ROWS:
        single = model.score(_batch([row], subject.tagging))
        for head, own in zip(together, single, strict=True):
            if not torch.allclose(head[start : start + len(own)], own, rtol=0, atol=CLOSE):
                raise ContractError(
                    f"a source of {len(row[0])} symbols scores otherwise beside others than alone: "
                    "padding reaches attention, state or readout, or rows are mixed"
                )
        start += len(single[0])


def _stepwise(subject: Subject) -> None:
    model, batch = subject.model(), subject.batch()
    (whole_NV,) = model.score(batch)
    memory, state = model.encode(batch)
    steps = []
    for t in range(batch.inputs_BT.shape[1]):
        logits_BV, state, _ = model.step(batch.inputs_BT[:, t], state, memory)
        steps.append(logits_BV)
    stepped_NV = torch.stack(steps, dim=1)[batch.mask_BT]
    if not torch.allclose(stepped_NV, whole_NV, rtol=0, atol=CLOSE):
        raise ContractError("step, fed the reference, gives other logits than score")


def _tree(tree: object, rows: int, what: str) -> None:
    """ContractError unless beam search can pick rows of it."""
    if isinstance(tree, Tensor):
        if tree.ndim < 1 or len(tree) != rows:
            raise ContractError(
                f"{what} holds a tensor {tuple(tree.shape)}, and its first axis is not the {rows} "
                "rows"
            )
    elif isinstance(tree, tuple):
        for part in tree:
            _tree(part, rows, what)
    elif not (tree is None or isinstance(tree, int | float | str)):
        raise ContractError(
            f"{what} holds a {type(tree).__name__}; only tensors with rows first, tuples of them "
            "and plain values can be followed by beam search"
        )


def _beam(subject: Subject) -> None:
    model, batch = subject.model(), subject.batch()
    memory, state = model.encode(batch)
    for _ in range(2):
        _tree(memory, 4, "memory")
        _tree(state, 4, "state")
        state = model.step(torch.full((4,), BOS), state, memory).state
    plain, one = greedy(model, batch, 6), beam(model, batch, 6, Decoding())
    if [row.tolist() for row in plain.ids] != [row.tolist() for row in one.ids]:
        raise ContractError(
            "they differ: memory and state are not tensors with rows first, in tuples, or step "
            "changes them in place"
        )


def _bfloat16(subject: Subject) -> None:
    small = subject._replace(variant=replace(subject.variant, precision="bf16"))
    model, batch = small.model().float(), subject.batch()
    loss = subject.loss(model, batch)
    loss.backward()  # type: ignore[no-untyped-call]
    if not loss.isfinite():
        raise ContractError(f"the first loss is {float(loss.detach())}")
    if not subject.tagging:
        memory, state = model.encode(batch)
        for _ in range(2):
            state = model.step(torch.full((4,), BOS), state, memory).state


def _learnt(subject: Subject) -> None:
    model, batch = subject.model(), subject.batch()
    optimizer = build_optimizer(subject.variant, model)
    loss = float("inf")
    for _ in range(LEARNT_STEPS):
        optimizer.zero_grad()
        value = subject.loss(model, batch)
        loss = float(value.detach())
        if loss < 0.05:
            return
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    raise ContractError(f"the loss is still {loss:.3f} a token, and should be below 0.05")


# tasks


def of_task(make: Callable[[], Task]) -> list[Finding]:
    """All checks of a task."""
    checks: list[tuple[str, Callable[[Callable[[], Task]], None]]] = [
        ("it has train, valid and test, and none is empty", _split),
        ("ids are within the vocabulary, and lengths within bounds", _bounded),
        ("it is the same every time it is built", _deterministic),
        ("test sources are not trained on, unless it says that it memorises", _disjoint),
        ("sources survive being written and read", _round_trip),
        ("its own references score as solved", _perfect),
    ]
    return list(_findings(checks, make))


def _split(make: Callable[[], Task]) -> None:
    splits = make().splits
    for name in ("train", "valid", "test"):
        if name not in splits or not len(splits[name]):
            raise ContractError(f"there is no split {name}, or it is empty")


def _bounded(make: Callable[[], Task]) -> None:
    task = make()
    for name, split in task.splits.items():
        streams = [(split.source, task.facts.source_size, "source")]
        streams += [
            (target, size, "target")
            for target, size in zip(split.targets, task.facts.target_sizes, strict=True)
        ]
        for ragged, size, what in streams:
            if len(ragged.ids) and not 0 <= ragged.ids.min() <= ragged.ids.max() < size:
                raise ContractError(f"a {what} of {name} has an id beyond its {size} symbols")
        if split.source.lengths.min() < 1:
            raise ContractError(f"a source of {name} is empty")
        longest = max(int(target.lengths.max()) for target in split.targets)
        if not task.facts.tagging and longest >= task.facts.length_limit:
            raise ContractError(
                f"a target of {name} has {longest} symbols and eos, and length_limit="
                f"{task.facts.length_limit} would cut it off"
            )


def _deterministic(make: Callable[[], Task]) -> None:
    if make().digest() != make().digest():
        raise ContractError(
            "two builds differ: draw from a generator that is made from the settings"
        )


def _disjoint(make: Callable[[], Task]) -> None:
    task = make()
    if task.facts.memorisation:
        return
    trained = {row.tobytes() for row in task.splits["train"].source}
    for name in ("valid", "test"):
        shared = sum(row.tobytes() in trained for row in task.splits[name].source)
        if shared:
            raise ContractError(
                f"{shared} of {len(task.splits[name])} sources of {name} are trained on; keep "
                "them apart, or say memorisation=True in its facts"
            )


def _round_trip(make: Callable[[], Task]) -> None:
    task = make()
    source = task.splits["test"].source
    for index in range(min(len(source), 50)):
        text = task.source_text(source[index])
        if not np.array_equal(task.encode(text), source[index]) and UNKNOWN_MARK not in text:
            raise ContractError(f"{text!r}, written by source_text, is read as another source")


UNKNOWN_MARK = "⁇"
"""How a text shows a symbol that the vocabulary lacks."""


def _perfect(make: Callable[[], Task]) -> None:
    task = make()
    test = task.splits["test"]
    scores = plain_scores(task.score([list(s) for s in test.targets], test), task.metric)
    if scores[task.metric] < task.solved_at:
        raise ContractError(
            f"the references get {task.metric} {scores[task.metric]:.3f}, below solved_at="
            f"{task.solved_at}"
        )
