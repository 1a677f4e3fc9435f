"""Checks that a variant's model keeps the contract, on a tiny problem of four examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from bench.plugins.contract import CheckResult, ContractError, check_shapes, run_checks
from bench.training.batching import collate
from bench.training.decoding import Decoding, beam, greedy
from bench.training.losses import mean_loss
from bench.training.randomness import torch_generator
from bench.training.state import build_optimizer
from tasks import BOS, Facts, Ragged, Split
from variants import Batch, Model, Variant, build, inapplicable
from variants.embedding import PRETRAINED

SOURCES, TARGETS, CLASSES = 11, 9, (2, 5)
"""Vocabulary sizes of the tiny problem: source, target, and the two heads of a tagger."""
EXAMPLES = [
    ([3, 4, 5, 6, 3], [6, 7]),
    ([5, 4], [8, 3, 3]),
    ([9, 10, 3], [4]),
    ([7], [7, 8, 7, 8]),
]
"""Source and target ids of four examples, of unequal lengths so that padding is needed."""
LEARNT_STEPS = 1000
LEARNT_LOSS = 0.05
"""Nats per token below which the four examples count as learnt."""
LARGEST_DIFFERENCE = 1e-8
"""Largest absolute difference of logits, in float64, that counts as equal."""


def check_variant(variant: Variant, tagging: bool) -> list[CheckResult]:
    """Run all checks of a model, in an order where one that fails may explain the next.

    Args:
        tagging: Whether to build the variant as a tagger.

    Raises:
        ValueError: The variant needs a text that its embeddings are computed from.
    """
    if variant.embedding_init in PRETRAINED:
        raise ValueError(
            f"embedding_init={variant.embedding_init} needs a text to start from; check another"
        )
    checks: list[tuple[str, Callable[[TinyProblem], None]]] = [
        ("it is built, and gives logits of the right shape", _check_output_shapes),
        (
            "first values, losses and gradients are finite, and every parameter gets one",
            _check_finite,
        ),
        ("one seed gives the same numbers, another seed others", _check_seeds),
        ("the global random generator is left alone", _check_global_generator),
        ("padding and other rows change nothing", _check_padding),
    ]
    if not tagging:
        checks += [
            ("one step at a time equals the whole pass", _check_steps),
            ("beam search can follow it, and a beam of one is greedy decoding", _check_beam),
        ]
    checks.append(("it also computes in bfloat16", _check_bfloat16))
    checks.append((f"four examples are learnt within {LEARNT_STEPS} steps", _check_learning))
    return list(run_checks(checks, TinyProblem(variant, tagging)))


def _facts(tagging: bool) -> Facts:
    if tagging:
        return Facts(SOURCES, CLASSES, 8, tagging=True, head_weights=(0.3, 0.7))
    return Facts(SOURCES, (TARGETS,), 8)


def _batch(examples: list[tuple[list[int], list[int]]], tagging: bool) -> Batch:
    sources = Ragged.of(source for source, _ in examples)
    if tagging:
        heads = tuple(Ragged.of([i % size for i in s] for s, _ in examples) for size in CLASSES)
        return collate(Split(sources, heads), _facts(True), "cpu")
    targets = Ragged.of(target for _, target in examples)
    return collate(Split(sources, (targets,)), _facts(False), "cpu")


class TinyProblem(NamedTuple):
    """A variant on the tiny problem that every check of a model is done on."""

    variant: Variant
    tagging: bool

    def model(self, seed: int = 0) -> Model:
        """Return a new model in float64, in which equal results differ by rounding only."""
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
        """Return the four examples as one batch."""
        return _batch(EXAMPLES, self.tagging)

    def loss(self, model: Model, batch: Batch) -> Tensor:
        """Return the mean loss () per token of a teacher-forced pass."""
        return mean_loss(model.score(batch), batch, _facts(self.tagging))


def _check_output_shapes(problem: TinyProblem) -> None:
    model, batch = problem.model(), problem.batch()
    check_shapes(model.score(batch), batch, CLASSES if problem.tagging else (TARGETS,))
    if problem.tagging:
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


def _check_finite(problem: TinyProblem) -> None:
    """Check that initial values, loss and gradients are finite, and that no gradient is missing."""
    model, batch = problem.model(), problem.batch()
    for name, parameter in model.named_parameters():
        if not parameter.isfinite().all():
            raise ContractError(f"{name} starts with values that are not finite")
    loss = problem.loss(model, batch)
    if not loss.isfinite():
        raise ContractError(f"the first loss is {float(loss.detach())}")
    torch.autograd.backward(loss)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.grad is None:
            raise ContractError(f"{name} gets no gradient: nothing that is computed depends on it")
        if not parameter.grad.isfinite().all():
            raise ContractError(f"the gradient of {name} is not finite")


def _check_seeds(problem: TinyProblem) -> None:
    batch = problem.batch()
    first, again, other = (problem.model(seed).score(batch)[0] for seed in (0, 0, 1))
    if not torch.equal(first, again):
        raise ContractError(
            "two models of one seed differ: first values or the pass draw elsewhere"
        )
    if torch.equal(first, other):
        raise ContractError("models of two seeds are the same: first values do not follow the seed")


def _check_global_generator(problem: TinyProblem) -> None:
    # dropout is what most often draws from the global generator
    dropping = replace(problem.variant, dropout=0.3)
    if inapplicable(dropping, problem.tagging) is None:
        problem = problem._replace(variant=dropping)
    before = torch.get_rng_state()
    model, batch = problem.model(), problem.batch()
    model.score(batch, None, torch_generator(0, "dropout"))
    first, second = model.score(batch)[0], model.score(batch)[0]
    if not torch.equal(first, second):
        raise ContractError("without a dropout generator, score still draws: two passes differ")
    if not torch.equal(before, torch.get_rng_state()):
        raise ContractError(
            "torch's global generator was used; draw dropout from the generator that score is given"
        )


def _check_padding(problem: TinyProblem) -> None:
    """Check that each example scores the same alone, unpadded, as in the batch of all."""
    model = problem.model()
    batched = model.score(problem.batch())
    start = 0
    for example in EXAMPLES:
        single = model.score(_batch([example], problem.tagging))
        for head, alone in zip(batched, single, strict=True):
            in_batch = head[start : start + len(alone)]
            if not torch.allclose(in_batch, alone, rtol=0, atol=LARGEST_DIFFERENCE):
                raise ContractError(
                    f"a source of {len(example[0])} symbols gets other scores in a batch than "
                    "alone: padding reaches attention, state or readout, or rows are mixed"
                )
        start += len(single[0])


def _check_steps(problem: TinyProblem) -> None:
    model, batch = problem.model(), problem.batch()
    (whole_NV,) = model.score(batch)
    memory, state = model.encode(batch)
    steps = []
    for t in range(batch.inputs_BT.shape[1]):
        logits_BV, state, _ = model.step(batch.inputs_BT[:, t], state, memory)
        steps.append(logits_BV)
    stepped_NV = torch.stack(steps, dim=1)[batch.mask_BT]
    if not torch.allclose(stepped_NV, whole_NV, rtol=0, atol=LARGEST_DIFFERENCE):
        raise ContractError("step, fed the reference, gives other logits than score")


def _check_rows_first(tree: object, rows: int, what: str) -> None:
    """Raise ContractError unless beam search can pick rows of memory or state."""
    if isinstance(tree, Tensor):
        if tree.ndim < 1 or len(tree) != rows:
            raise ContractError(
                f"{what} holds a tensor {tuple(tree.shape)}, and its first axis is not the {rows} "
                "rows"
            )
    elif isinstance(tree, tuple):
        for part in tree:
            _check_rows_first(part, rows, what)
    elif not (tree is None or isinstance(tree, int | float | str)):
        raise ContractError(
            f"{what} holds a {type(tree).__name__}; only tensors with rows first, tuples of them "
            "and plain values can be followed by beam search"
        )


def _check_beam(problem: TinyProblem) -> None:
    model, batch = problem.model(), problem.batch()
    memory, state = model.encode(batch)
    # the state after a step may have another form than the first one
    for _ in range(2):
        _check_rows_first(memory, 4, "memory")
        _check_rows_first(state, 4, "state")
        state = model.step(torch.full((4,), BOS), state, memory).state
    by_greedy, by_beam = greedy(model, batch, 6), beam(model, batch, 6, Decoding())
    if [row.tolist() for row in by_greedy.ids] != [row.tolist() for row in by_beam.ids]:
        raise ContractError(
            "they differ: memory and state are not tensors with rows first, in tuples, or step "
            "changes them in place"
        )


def _check_bfloat16(problem: TinyProblem) -> None:
    """Check that a pass, its gradients and, for a decoder, two steps run in bfloat16."""
    problem = problem._replace(variant=replace(problem.variant, precision="bf16"))
    model, batch = problem.model().float(), problem.batch()
    loss = problem.loss(model, batch)
    torch.autograd.backward(loss)
    if not loss.isfinite():
        raise ContractError(f"the first loss is {float(loss.detach())}")
    if not problem.tagging:
        memory, state = model.encode(batch)
        for _ in range(2):
            state = model.step(torch.full((4,), BOS), state, memory).state


def _check_learning(problem: TinyProblem) -> None:
    model, batch = problem.model(), problem.batch()
    optimizer = build_optimizer(problem.variant, model)
    value = float("inf")
    for _ in range(LEARNT_STEPS):
        optimizer.zero_grad()
        loss = problem.loss(model, batch)
        value = float(loss.detach())
        if value < LEARNT_LOSS:
            return
        torch.autograd.backward(loss)
        optimizer.step()
    raise ContractError(f"the loss is still {value:.3f} a token, and should be below {LEARNT_LOSS}")
