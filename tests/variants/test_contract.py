"""Proves of every variant in the registry that it keeps the contract of variants.contract.Model.

The cases are a star (every value of every axis of choices), variants in which every two values
of the axes that change what is computed meet, and a few deep ones; a new value in a registry is
met by all of it:

- shapes; finite first values; gradients that are finite, right, and reach every parameter;
- padding, other rows and their order change nothing;
- decoding step by step is the whole pass, and what is fed is what fed_BT says;
- one seed, the same numbers; parameters of one name and shape shared across variants;
- the global generators are neither read nor moved;
- four examples are learned.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bench.training.decoding import greedy
from bench.training.losses import mean_loss
from bench.training.randomness import torch_generator
from bench.training.state import build_optimizer
from tasks import BOS, EOS
from tests.small import (
    CLASSES,
    LABELS,
    SEQUENCES,
    SMALL,
    TARGETS,
    Row,
    built,
    by_row,
    close,
    labelled,
    rows,
    sequences,
    some_rows,
    widened,
)
from variants import Batch, Model, Variant, inapplicable
from variants.axes import AXES, parse, values
from variants.cells import CELLS
from variants.decoder import DECODER_INPUTS
from variants.embedding import INITS
from variants.models import MODELS

NEEDS = {
    "coin": "forcing=constant",
    "attention_order": "attention=additive",
    "input_feeding": "attention=additive",
    "stack": "depth=2",
    "output_weights": "embedding=8",
    "embedding_init": "vectors=some",
}
"""What must be chosen beside an axis for some of its values to apply."""
NEEDS_OF_VALUE = {"embedding_init=one-hot": "embedding=64"}
"""The same for single values: one-hot inputs have no embedding size to choose."""
APART = {"precision"}
"""Axes that float64 does not show: see test_precision."""
SHAPING = (
    "cell",
    "stack",
    "direction",
    "attention",
    "attention_order",
    "input_feeding",
    "decoder_input",
    "initial_state",
    "bridge",
    "output_weights",
    "weight_init",
)
"""Axes that change what is computed."""
SIZES = ("depth=1", "depth=2", "encoder_depth=3,decoder_depth=1", "encoder_depth=1,decoder_depth=3")
DEEP = (
    "depth=2",
    "depth=2,cell=lstm,direction=bidirectional,attention=additive,decoder_input=output+context",
    "encoder_depth=3,decoder_depth=1,cell=rnn,direction=reversed,attention=dot",
    "encoder_depth=1,decoder_depth=3,cell=lstm,decoder_input=context",
    "encoder_depth=1,decoder_depth=2,cell=transformer",
    "embedding=64,embedding_init=one-hot,attention=additive,attention_order=before",
    "embedding=64,embedding_init=one-hot,cell=attn-decoder-rnn,initial_state=drawn",
)


def applies(text: str, tagging: bool = False) -> bool:
    return inapplicable(parse(text, SMALL), tagging) is None


def star(tagging: bool) -> list[str]:
    """Every value of every axis of choices that applies, the others as in base."""
    found = ["base"]
    for axis in AXES:
        for value in values(axis) if axis not in APART else ():
            text = f"{axis}={value}"
            if not applies(text, tagging):
                beside = NEEDS_OF_VALUE.get(text) or NEEDS.get(axis)
                text = f"{beside},{text}" if beside else text
            if applies(text, tagging):
                found.append(text)
    return found


def pairwise(seed: int = 0, draws: int = 6000) -> list[str]:
    """Variants in which every two values of two shaping axes meet, as far as they go together:
    of many drawn at random, greedily those that show most pairs not yet met."""
    chance = random.Random(seed)
    drawn: dict[str, frozenset[tuple[str, str]]] = {}
    for _ in range(draws):
        parts = [f"{axis}={chance.choice(values(axis))}" for axis in SHAPING]
        parts.append(chance.choice(SIZES))
        # most values of these axes want their neighbour at its base
        parts = [p for p in parts if p.startswith("cell") or chance.random() < 0.7]
        if "output_weights=tied" in parts:
            parts.append("embedding=8")
        text = ",".join(parts) or "base"
        if applies(text):
            drawn[text] = frozenset(itertools.combinations(sorted(parts), 2))
    missing = set().union(*drawn.values())
    chosen = []
    while missing:
        best = max(drawn, key=lambda text: (len(drawn[text] & missing), text))
        chosen.append(best)
        missing -= drawn[best]
    return chosen


STAR, GRID = star(tagging=False), pairwise()
CASES = list(dict.fromkeys([*STAR, *GRID, *DEEP]))
TAGGERS = [
    *star(tagging=True),
    *(
        f"cell={cell},direction={direction},window={window}"
        for cell in values("cell")
        for direction in values("direction")
        for window in (1, 3, 5)
        if applies(f"cell={cell},direction={direction}", tagging=True)
    ),
    "depth=2,cell=lstm,direction=bidirectional",
    "depth=2,cell=gru,direction=bidirectional,stack=residual,initial_state=learned",
]
every_case = pytest.mark.parametrize("text", CASES)
every_tagger = pytest.mark.parametrize("text", TAGGERS)


def test_every_choice_is_met() -> None:
    met = {(axis, getattr(parse(text), axis)) for text in [*STAR, *GRID] for axis in AXES}
    for axis in AXES.keys() - APART:
        for value in values(axis):
            assert (axis, value) in met, f"no case has {axis}={value}; add to NEEDS"


def forcing_mask(batch: Batch, share: float) -> Tensor:
    drawn = torch.rand(batch.inputs_BT.shape, generator=torch.Generator().manual_seed(5))
    return drawn < share


def with_dropout(text: str) -> str:
    """Of both kinds, where there are recurrent weights to drop at."""
    text = "dropout=0.4" if text == "base" else f"{text},dropout=0.4"
    both = f"{text},recurrent_dropout=0.4"
    return both if applies(both) or applies(both, tagging=True) else text


def tokens_matter(text: str) -> bool:
    return parse(text).cell in MODELS or DECODER_INPUTS[parse(text).decoder_input].token


# shapes, values, gradients


@every_case
def test_shapes(text: str) -> None:
    model, batch = built(text), sequences(rows(1, 4))
    (logits_NV,) = model.score(batch)
    assert logits_NV.shape == (batch.tokens, TARGETS)
    memory, state = model.encode(batch)
    tokens_B = torch.full((4,), BOS)
    for _ in range(3):
        logits_BV, state, weights_BS = model.step(tokens_B, state, memory)
        assert logits_BV.shape == (4, TARGETS)
        if parse(text).attention == "none" and parse(text).cell not in MODELS:
            assert weights_BS is None
        else:
            assert weights_BS is not None
            assert weights_BS.shape == batch.source_BS.shape
            assert (weights_BS[~batch.source_mask_BS] == 0).all()
            if parse(text).attention != "local-p":
                close(weights_BS.sum(-1), torch.ones(4, dtype=torch.float64))


@every_tagger
def test_tagger_shapes(text: str) -> None:
    batch = labelled([source for source, _ in rows(1, 4)])
    logits = built(text, tagging=True).score(batch)
    assert [part.shape for part in logits] == [(batch.tokens, size) for size in CLASSES]


def check_gradients(model: Model, loss: Tensor) -> None:
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    loss.backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, f"{name} is dead: no gradient reaches it"
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().sum() > 0, f"{name} is dead: its gradient is 0"
        else:
            assert "embedding.table" in name or ".first." in name
            assert parameter.grad is None


@every_case
def test_gradients_reach_every_parameter(text: str) -> None:
    batch = sequences(rows(1, 4))
    for fed in (None, forcing_mask(batch, 0.5)):
        model = built(text)
        check_gradients(model, mean_loss(model.score(batch, fed), batch, SEQUENCES))


def check_slope(model: Model, loss: Callable[[], Tensor]) -> None:
    """The gradient is that of central differences along a random direction."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for parameter in trained:
            # away from zeros, where relu and the like have no slope
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(noise, alpha=0.1)
    along = [torch.randn(p.shape, generator=generator, dtype=torch.float64) for p in trained]
    gradients = torch.autograd.grad(loss(), trained)
    slope = sum(float((g * d).sum()) for g, d in zip(gradients, along, strict=True))
    values = []
    with torch.no_grad():
        for step in (1e-6, -2e-6):
            for parameter, direction in zip(trained, along, strict=True):
                parameter.add_(direction, alpha=step)
            values.append(float(loss()))
    assert (values[0] - values[1]) / 2e-6 == pytest.approx(slope, rel=1e-5, abs=1e-7)


@every_case
def test_gradients_are_the_slope(text: str) -> None:
    model, batch = built(text), sequences(rows(1, 4))
    check_slope(model, lambda: mean_loss(model.score(batch), batch, SEQUENCES))


@every_tagger
def test_tagger_gradients_are_the_slope(text: str) -> None:
    model, batch = built(text, tagging=True), labelled([source for source, _ in rows(1, 4)])
    check_slope(model, lambda: mean_loss(model.score(batch), batch, LABELS))


@every_tagger
def test_tagger_gradients_reach_every_parameter(text: str) -> None:
    model, batch = built(text, tagging=True), labelled([source for source, _ in rows(1, 4)])
    check_gradients(model, mean_loss(model.score(batch), batch, LABELS))


# padding and neighbours


def unchanged(
    score: Callable[[Batch], Tensor], batch: Batch, other: Batch, places: list[int]
) -> None:
    """Row i of `batch` scores as row places[i] of `other`."""
    mine, theirs = by_row(score(batch), batch), by_row(score(other), other)
    for row, place in zip(mine, places, strict=True):
        close(row, theirs[place])


@every_case
@settings(max_examples=5)
@given(examples=some_rows(), more=some_rows(2), source=st.integers(0, 3), data=st.data())
def test_padding_and_neighbours_are_inert(
    text: str, examples: list[Row], more: list[Row], source: int, data: st.DataObject
) -> None:
    model = built(text)
    target = data.draw(st.integers(0, 3))
    order = data.draw(st.permutations(range(len(examples) + len(more))))
    batch = sequences(examples)
    together = [*examples, *more]
    other = widened(sequences([together[index] for index in order]), source, target)
    places = [order.index(index) for index in range(len(examples))]

    def first_step(batch: Batch) -> Tensor:
        memory, state = model.encode(batch)
        logits_BV: Tensor = model.step(torch.full((len(batch.inputs_BT),), BOS), state, memory)[0]
        return logits_BV

    with torch.no_grad():
        unchanged(lambda b: model.score(b)[0], batch, other, places)
        unchanged(lambda b: model.score(b, torch.zeros_like(b.mask_BT))[0], batch, other, places)
        close(first_step(batch), first_step(other)[places])


@every_tagger
@settings(max_examples=5)
@given(examples=some_rows(), more=some_rows(2), source=st.integers(0, 3), data=st.data())
def test_tagger_padding_and_neighbours_are_inert(
    text: str, examples: list[Row], more: list[Row], source: int, data: st.DataObject
) -> None:
    model = built(text, tagging=True)
    together = [ids for ids, _ in (*examples, *more)]
    order = data.draw(st.permutations(range(len(together))))
    batch = labelled(together[: len(examples)])
    other = widened(labelled([together[index] for index in order]), source, source)
    places = [order.index(index) for index in range(len(examples))]
    with torch.no_grad():
        unchanged(lambda b: torch.cat(model.score(b), dim=-1), batch, other, places)


# step by step, and what is fed


@every_case
@torch.no_grad()
def test_stepping_is_the_whole_pass(text: str) -> None:
    for even in (False, True):
        model, batch = built(text), sequences(rows(2, 4, even))
        assert batch.even == even
        memory, state = model.encode(batch)
        steps = []
        for t in range(batch.inputs_BT.shape[1]):
            logits_BV, state, _ = model.step(batch.inputs_BT[:, t], state, memory)
            steps.append(logits_BV)
        close(model.score(batch)[0], torch.stack(steps, dim=1)[batch.mask_BT])


@every_case
@torch.no_grad()
def test_all_fed_is_none(text: str) -> None:
    """Also with dropout: the pass in one piece and the one by steps draw the same masks."""
    model, batch = built(with_dropout(text)), sequences(rows(2, 4))
    everywhere = torch.ones_like(batch.mask_BT)
    plain, dropped = (
        [model.score(batch, fed, dropout())[0] for fed in (None, everywhere)]
        for dropout in (lambda: None, lambda: torch_generator(3, "dropout"))
    )
    close(plain[0], plain[1])
    close(dropped[0], dropped[1])
    assert not torch.allclose(plain[0], dropped[0])


@every_case
@torch.no_grad()
def test_never_fed_is_free_running(text: str) -> None:
    model, batch = built(text), sequences(rows(2, 6))
    length = batch.inputs_BT.shape[1]
    memory, state = model.encode(batch)
    steps, tokens_B = [], torch.full((6,), BOS)
    for _ in range(length):
        logits_BV, state, _ = model.step(tokens_B, state, memory)
        steps.append(logits_BV)
        tokens_B = logits_BV.argmax(-1)
    (free,) = model.score(batch, torch.zeros_like(batch.mask_BT))
    close(free, torch.stack(steps, dim=1)[batch.mask_BT])
    # and as decoding has it, up to each row's eos
    decoded = greedy(model, batch, length)
    for ids, logits in zip(decoded.ids, by_row(free, batch), strict=True):
        own = logits.argmax(-1).tolist()
        own = own[: own.index(EOS)] if EOS in own else own
        assert own == ids[: len(logits)].tolist()[: len(own)]


@every_case
@torch.no_grad()
def test_fed_chooses_token_by_token(text: str) -> None:
    """A mixed mask: each input is the reference where fed, else the argmax of the step before."""
    model, batch = built(text), sequences(rows(4, 5))
    fed = forcing_mask(batch, 0.5)
    memory, state = model.encode(batch)
    steps: list[Tensor] = []
    for t in range(batch.inputs_BT.shape[1]):
        tokens = [
            int(batch.inputs_BT[b, t]) if t == 0 or fed[b, t] else int(steps[-1][b].argmax())
            for b in range(5)
        ]
        logits_BV, state, _ = model.step(torch.tensor(tokens), state, memory)
        steps.append(logits_BV)
    (mixed,) = model.score(batch, fed)
    close(mixed, torch.stack(steps, dim=1)[batch.mask_BT])


def test_where_tokens_are_fed_they_matter() -> None:
    """Otherwise the tests of what is fed could not fail."""
    differ = 0
    for text in GRID:
        model, batch = built(text), sequences(rows(2, 6))
        forced, free = (
            model.score(batch, fed)[0] for fed in (None, torch.zeros_like(batch.mask_BT))
        )
        if tokens_matter(text):
            differ += not torch.allclose(forced, free)
        else:
            close(forced, free)
    assert differ > 0.8 * sum(map(tokens_matter, GRID))


# seeds


@every_case
def test_a_seed_determines_the_numbers(text: str) -> None:
    batch, other = sequences(rows(1, 4)), sequences(rows(9, 3))
    first, again, different = built(text), built(text), built(text, seed=1)
    (logits,) = first.score(batch)
    again.score(other)  # a model keeps nothing between calls
    assert torch.equal(logits, again.score(batch)[0])
    assert not torch.allclose(logits, different.score(batch)[0])
    named = zip(first.named_parameters(), different.parameters(), strict=True)
    for (name, one), two in named:
        assert constant(one) or one_hot(name, text) or not torch.allclose(one, two)


def constant(parameter: Tensor) -> bool:
    """Whether it starts at one value, so that there is nothing to draw."""
    return bool((parameter == parameter.flatten()[0]).all())


def one_hot(name: str, text: str) -> bool:
    """Whether a parameter is a table of one-hot vectors, which are not drawn."""
    return "embedding.table" in name and INITS[parse(text, SMALL).embedding_init].square


@every_case
def test_parameters_are_drawn_apart(text: str) -> None:
    drawn = {
        name: value.flatten()[:3].tolist()
        for name, value in built(text).named_parameters()
        if not constant(value) and not one_hot(name, text)
    }
    assert len({tuple(values) for values in drawn.values()}) == len(drawn)


@every_case
def test_variants_share_first_values(text: str) -> None:
    """So that two variants of one seed differ in what they must alone."""
    depends = ("embedding", "vectors", "weight_init")
    kept = [part for part in text.split(",") if part.startswith(depends)]
    base = built(",".join(kept) or "base").state_dict()
    mine = built(text).state_dict()
    shared = {
        name for name, value in mine.items() if name in base and value.shape == base[name].shape
    }
    assert "decoder.output.bias" in shared
    for name in shared:
        assert torch.equal(mine[name], base[name]), name


@pytest.mark.parametrize("attention", [name for name in values("attention") if name != "none"])
def test_attention_only_adds(attention: str) -> None:
    base, more = (set(built(text).state_dict()) for text in ("base", f"attention={attention}"))
    assert base < more


@contextmanager
def globals_untouched() -> Iterator[None]:
    before = torch.get_rng_state(), repr(np.random.get_state()), random.getstate()
    yield
    assert torch.equal(before[0], torch.get_rng_state()), "torch's global generator was used"
    assert before[1] == repr(np.random.get_state()), "numpy's global generator was used"
    assert before[2] == random.getstate(), "Python's global generator was used"


@every_case
def test_global_generators_are_untouched(text: str) -> None:
    dropped = with_dropout(text)
    batch = sequences(rows(1, 3))
    with globals_untouched():
        model = built(dropped)
        optimizer = build_optimizer(parse(dropped), model)
        logits = model.score(batch, forcing_mask(batch, 0.5), torch_generator(0, "dropout"))
        mean_loss(logits, batch, SEQUENCES).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        greedy(model, batch, 4)
    # and the numbers do not follow from it either
    torch.manual_seed(1234)
    again = built(dropped).score(batch, forcing_mask(batch, 0.5), torch_generator(0, "dropout"))
    assert torch.equal(logits[0], again[0])


@every_tagger
def test_tagger_seeds(text: str) -> None:
    batch = labelled([source for source, _ in rows(1, 3)])
    with globals_untouched():
        first = built(with_dropout(text), tagging=True)
        dropped = first.score(batch, None, torch_generator(0, "dropout"))
        same = first.score(batch, None, torch_generator(0, "dropout"))
    assert all(map(torch.equal, dropped, same))
    plain = first.score(batch)
    assert all(map(torch.equal, plain, built(text, tagging=True).score(batch)))
    assert not any(map(torch.allclose, plain, built(text, seed=1, tagging=True).score(batch)))
    assert not any(map(torch.allclose, plain, dropped))


# learning

ATTENDING = [name for name in values("attention") if name != "none"]
LEARNT = sorted(
    {f"cell={cell},attention=additive" for cell in CELLS}
    | {f"attention={value}" for value in values("attention")}
    | {f"attention={value},attention_order=before,input_feeding=on" for value in ATTENDING}
    | {"cell=transformer"}
    | {
        f"cell={cell},attention=none,decoder_input={value}"
        for cell in CELLS
        for value in values("decoder_input")
        # a constant context, and gates that see nothing else, leave little to say
        if CELLS[cell].recurrent or DECODER_INPUTS[value].token
    }
    | {f"attention={value},decoder_input=output+context" for value in values("attention")}
    | {f"direction={value},attention=general,depth=2" for value in values("direction")}
)
PAIRS: list[Row] = [
    ([3, 4, 5], [6, 7]),
    ([5, 4], [8, 3, 3]),
    ([9, 10, 3], [4]),
    ([7], [7, 8, 7, 8]),
]
LARGER: Variant = parse("hidden=24,embedding=12,learning_rate=0.01", SMALL)


def learnt(model: Model, variant: Variant, loss: Callable[[], Tensor]) -> float:
    """The loss after at most 500 steps, fewer where it is small before."""
    optimizer = build_optimizer(variant, model)
    last = float("inf")
    for _ in range(500):
        optimizer.zero_grad()
        value = loss()
        last = float(value.detach())
        if last < 0.05:
            break
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return last


@pytest.mark.parametrize("text", LEARNT)
def test_four_pairs_are_learnt(text: str) -> None:
    model, batch = built(text, base=LARGER), sequences(PAIRS)
    loss = learnt(
        model, parse(text, LARGER), lambda: mean_loss(model.score(batch), batch, SEQUENCES)
    )
    assert loss < 0.05
    decoded = greedy(model, batch, 8)
    assert [ids.tolist() for ids in decoded.ids] == [target for _, target in PAIRS]


@pytest.mark.parametrize(
    "text",
    [
        f"cell={cell},direction={direction},window={window}"
        for cell in values("cell")
        for direction in values("direction")
        for window in (1, 3)
        if applies(f"cell={cell},direction={direction}", tagging=True)
    ],
)
def test_four_taggings_are_learnt(text: str) -> None:
    model, batch = built(text, tagging=True, base=LARGER), labelled([s for s, _ in PAIRS])
    loss = learnt(model, parse(text, LARGER), lambda: mean_loss(model.score(batch), batch, LABELS))
    assert loss < 0.05
