"""What a trained run is like inside, as plain numbers: what `results.doctor.rules` judges.

Everything is measured once, on a few examples, after training: what the model is given beside what
it should be given, its loss beside what such losses give, one more step looked at closely, and
whether outputs move where they should and stay where they should. None where a question makes no
sense, as of attention where there is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.doctor import faults
from bench.training import batching
from bench.training.decoding import greedy
from bench.training.evaluation import GREEDY, SATURATED, Collate
from bench.training.loop import Setting, TrainState, size
from bench.training.losses import mean_loss, training_loss
from tasks import EOS, Facts, Indices, Ragged, Split
from variants import Batch, Model, real
from variants.cells import Cell
from variants.fast.forms import plain_forms
from variants.forcing import probability

Health = dict[str, Any]
ROWS = 8
"""Examples that are looked at."""
MANY = 65_536
"""Examples that they are chosen from, where not all are in memory."""
FAITHFUL = 0.9999
"""Cosine with its own batch's gradient, below which a gradient is looked into."""
CLOSE = 1e-4
"""Share of a loss, by which another is as good as the same."""
LARGE = 1e4
"""What the loss of the examined step is multiplied by."""
SHOWN = 6
"""Places of a sequence that profiles along time are given at."""
COST = 15
"""Training steps that an examination takes as long as at most, but for one model in ten."""
SHARE = 0.03
"""Of the time of training, what examinations may take."""


@dataclass(frozen=True)
class Patient:
    """A model with what it is trained by. examples: ROWS of them, of many lengths. plain: those
    whose sources are all of one length."""

    model: Model
    facts: Facts
    device: str
    collate: Collate
    loss: Callable[..., Tensor]
    smoothing: float
    examples: Split
    plain: Split

    def batch(self, split: Split) -> Batch:
        """As training makes it."""
        return self.collate(split, self.facts, self.device)


def sampled(seed: int, steps: int) -> bool:
    """Whether a run of so many steps is examined: each that is long enough, and of shorter ones
    every second, third, ... seed, so that over all seeds it costs no more than SHARE."""
    return seed % math.ceil(COST / (SHARE * max(steps, 1))) == 0


def of_run(state: TrainState, setting: Setting, stepped: bool = True) -> Health:
    """Of a run that has ended; its model takes two more steps. stepped: whether its own optimizer
    took those before, as it does not where replicas are trained together."""
    train = setting.task.splits["train"]
    if train.source.on_disk:
        train = train.take(np.arange(min(MANY, len(train)), dtype=np.int64))
    recipe, variant = setting.recipe, setting.variant
    patient = Patient(
        state.model,
        setting.task.facts,
        setting.device,
        recipe.collate,
        recipe.loss,
        variant.label_smoothing,
        train.take(_spread(train)),
        train.take(_alike(train)),
    )
    health = of_model(patient)
    decays = [group.get("weight_decay", 0.0) for group in state.optimizer.param_groups]
    health["weights"] = {
        "first": state.first_size,
        "last": size(state.model),
        "decay": float(max(decays)),
    }
    health["evaluation"] = _evaluation(patient, setting)
    health["fed"] = probability(
        variant.forcing, max(state.step - 1, 0), variant.forcing_rate, variant.forcing_steps
    )
    if stepped and setting.variant.precision in ("fp32", "tf32"):
        health["step"] = _step(patient, state, setting)
    found: Health = plain(health)
    return found


def of_model(patient: Patient) -> Health:
    """All that needs no optimizer."""
    batch = patient.batch(patient.examples)
    logits = _logits(patient, batch)
    return {
        "data": _data(patient, batch),
        "loss": losses(patient, batch),
        "probabilities": probabilities(logits),
        "alone": {
            "mixed": alone(patient, patient.examples),
            "alike": alone(patient, patient.plain),
        },
        "again": again(patient, batch, logits),
        "leak": None if patient.facts.tagging else leak(patient),
        "source": source(patient, batch, logits),
        "attention": None if patient.facts.tagging else _attention(patient, batch),
        "outputs": _outputs(patient, batch, logits),
        "hidden": _hidden(patient, batch),
        **_profile(patient, batch),
        "frozen": [n for n, p in patient.model.named_parameters() if not p.requires_grad],
    }


# which examples


def _spread(split: Split) -> Indices:
    """ROWS examples over all source lengths."""
    order = np.argsort(split.source.lengths, kind="stable")
    chosen: Indices = order[np.linspace(0, len(order) - 1, min(ROWS, len(order))).astype(np.int64)]
    return chosen


def _alike(split: Split) -> Indices:
    """Up to ROWS examples of the commonest source length."""
    lengths, counts = np.unique(split.source.lengths, return_counts=True)
    chosen: Indices = np.flatnonzero(split.source.lengths == lengths[counts.argmax()])[:ROWS]
    return chosen


# what it is given


def _data(patient: Patient, batch: Batch) -> Health:
    """Shares of rows (of positions for masks) that are as they should be."""
    proper = batching.collate(patient.examples, patient.facts, patient.device)
    targets = [
        _rows_equal(given, right, proper.mask_BT)
        for given, right in zip(batch.targets, proper.targets, strict=True)
    ]
    return {
        "sources": _rows_equal(batch.source_BS, proper.source_BS, proper.source_mask_BS),
        "source_mask": _equal(batch.source_mask_BS, proper.source_mask_BS),
        "inputs": _rows_equal(batch.inputs_BT, proper.inputs_BT, proper.mask_BT),
        "inputs_are_targets": None
        if patient.facts.tagging
        else _rows_equal(batch.inputs_BT, batch.targets[0], proper.mask_BT),
        "targets": min(targets),
        "target_mask": _equal(batch.mask_BT, proper.mask_BT),
        "padding": 1.0 - float(proper.source_mask_BS.double().mean()),
        "target_padding": 1.0 - float(proper.mask_BT.double().mean()),
    }


def _rows_equal(given: Tensor, right: Tensor, mask: Tensor) -> float:
    if given.shape != right.shape:
        return 0.0
    return float(((given == right) | ~mask).all(1).double().mean())


def _equal(given: Tensor, right: Tensor) -> float:
    return float((given == right).double().mean()) if given.shape == right.shape else 0.0


# its loss


@torch.no_grad()
def losses(patient: Patient, batch: Batch) -> Health:
    """The loss that is trained by, and what others give on the same batch."""
    facts, smoothing = patient.facts, patient.smoothing
    given = (patient.model, batch, None, None, facts, smoothing)
    even = sum(
        weight * math.log(size)
        for weight, size in zip(facts.head_weights, facts.target_sizes, strict=True)
    )
    found = {"given": patient.loss(*given), "even": even}
    if smoothing:
        found["proper"] = training_loss(*given)
        return found  # the others know no smoothing
    others = {
        "proper": faults.twice_log_softmax,
        "over_time": faults.over_time,
        "over_batch": faults.over_batch,
        "with_padding": faults.with_padding,
        "of_probabilities": faults.of_probabilities,
        "transposed": faults.transposed,
    }
    if not facts.tagging:
        others["without_eos"] = faults.without_eos
    logits = faults.grids(patient.model, batch, None, None)
    for name, entropy in others.items():
        found[name] = faults.mixed(entropy, logits, batch, facts)
    return found


def probabilities(logits: Sequence[Tensor]) -> float:
    """Share of positions whose logits are none, but probabilities: none below 0, 1 in sum."""
    shares = [
        ((head_NV >= 0).all(1) & ((head_NV.sum(1) - 1).abs() < 1e-3)).double().mean()
        for head_NV in logits
    ]
    return float(max(shares))


# whether outputs move where they should


@torch.no_grad()
def _logits(patient: Patient, batch: Batch) -> tuple[Tensor, ...]:
    return patient.model.score(batch)


def _moved(one: Sequence[Tensor], other: Sequence[Tensor]) -> float:
    """The largest change, over how much logits spread."""
    changes = [
        float((a - b).abs().max()) / (float(a.std()) + 1e-9)
        for a, b in zip(one, other, strict=True)
        if a.numel() and a.shape == b.shape
    ]
    return max(changes, default=math.inf)


@torch.no_grad()
def alone(patient: Patient, split: Split) -> float | None:
    """How far a row's logits are from those of the row in a batch by itself."""
    if len(split) < 2:
        return None
    batch = patient.batch(split)
    ends = np.cumsum(batch.mask_BT.sum(1).cpu().numpy())[:-1].tolist()
    together = [logits_NV.tensor_split(ends) for logits_NV in patient.model.score(batch)]
    changes = []
    for row in range(0, len(split), max(1, len(split) // 2)):
        one = patient.batch(split.take(np.array([row])))
        alone = patient.model.score(one)
        changes.append(_moved([stream[row] for stream in together], alone))
    return max(changes)


@torch.no_grad()
def again(patient: Patient, batch: Batch, logits: Sequence[Tensor]) -> Health:
    """How far logits are from those of the same batch once more: after another batch of as many
    rows, and, if they moved, at once, all else alike."""
    rolled = patient.examples.take(np.roll(np.arange(len(patient.examples)), 1))
    patient.model.score(patient.batch(rolled))
    after = _moved(logits, patient.model.score(batch))
    if not after:
        return {"at_once": 0.0, "after_another": 0.0}
    one, other = (_seeded(patient, batch, batch) for _ in range(2))
    carried = _seeded(patient, patient.batch(rolled), batch)
    return {"at_once": _moved(one, other), "after_another": _moved(one, carried)}


def _seeded(patient: Patient, first: Batch, second: Batch) -> tuple[Tensor, ...]:
    """Logits of the second batch after the first; whatever is drawn is drawn alike."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        patient.model.score(first)
        torch.manual_seed(0)
        return patient.model.score(second)


@torch.no_grad()
def leak(patient: Patient) -> Health:
    """How far logits move up to a token of the reference that is changed, and beyond it."""
    split, size = patient.examples, patient.facts.target_sizes[0]
    target = split.targets[0]
    long = [row for row in range(len(split)) if target.lengths[row] >= 2 and size > EOS + 2]
    if not long:
        return {"before": None, "after": None}
    split = split.take(np.array(long))
    target = split.targets[0]
    ids, places = target.ids.copy(), target.lengths // 2
    at = target.offsets[:-1] + places
    first = EOS + 1
    ids[at] = first + (ids[at] - first + 1) % (size - first)
    changed = Split(split.source, (Ragged(ids, target.offsets),))
    one, other = patient.batch(split), patient.batch(changed)
    (before_NV,), (after_NV,) = patient.model.score(one), patient.model.score(other)
    if before_NV.shape != after_NV.shape:
        return {"before": None, "after": None}
    rows_N = torch.repeat_interleave(torch.arange(len(split)), one.mask_BT.sum(1).cpu())
    steps_N = one.places_N.cpu() - rows_N * one.mask_BT.shape[1]
    early_N = steps_N <= torch.from_numpy(places)[rows_N]
    return {
        "before": _moved([before_NV[early_N]], [after_NV[early_N]]),
        "after": _moved([before_NV[~early_N]], [after_NV[~early_N]]),
    }


@torch.no_grad()
def source(patient: Patient, batch: Batch, logits: tuple[Tensor, ...]) -> Health:
    """The loss with each target beside another example's source; what padding holds, changed."""
    facts = patient.facts
    own = float(mean_loss(logits, batch, facts))
    ids = batch.source_BS.clone()
    padding = batching.collate(patient.examples, facts, patient.device).source_mask_BS.logical_not()
    under = None
    if ids.shape == padding.shape and bool(padding.any()):
        ids[padding] = facts.source_size - 1
        other = patient.model.score(batch._replace(source_BS=ids))
        under = _moved(logits, other)
    if facts.tagging:
        # labels belong to words: the words of a row change places instead
        shuffled = batch._replace(source_BS=_turned(batch))
    else:
        rows = torch.arange(len(ids)).roll(max(1, len(ids) // 2))
        shuffled = batch._replace(
            source_BS=batch.source_BS[rows],
            source_mask_BS=batch.source_mask_BS[rows],
            lengths_B=batch.lengths_B[rows],
        )
    other_loss = float(mean_loss(patient.model.score(shuffled), batch, facts))
    return {"loss": own, "shuffled": other_loss, "under_padding": under}


def _turned(batch: Batch) -> Tensor:
    turned = batch.source_BS.clone()
    for row, length in enumerate(batch.lengths_B.tolist()):
        turned[row, :length] = turned[row, :length].roll(max(1, length // 2))
    return turned


# attention, outputs, states


@torch.no_grad()
def _attention(patient: Patient, batch: Batch) -> Health | None:
    """Mass on padding; entropy over that of even weights; at the reference's first steps."""
    proper = batching.collate(patient.examples, patient.facts, patient.device)
    memory, state = patient.model.encode(batch)
    masses, entropies = [], []
    for t in range(min(SHOWN, batch.inputs_BT.shape[1])):
        _, state, weights_BS = patient.model.step(batch.inputs_BT[:, t], state, memory)
        if weights_BS is None or weights_BS.shape != proper.source_mask_BS.shape:
            return None
        masses.append((weights_BS * ~proper.source_mask_BS).sum(1).mean())
        even_B = proper.source_mask_BS.sum(1).clamp(min=2).log()
        entropies.append((torch.special.entr(weights_BS).sum(1) / even_B).mean())
    return {
        "padding": float(torch.stack(masses).max()),
        "entropy": float(torch.stack(entropies).mean()),
    }


@torch.no_grad()
def _outputs(patient: Patient, batch: Batch, logits: Sequence[Tensor]) -> Health:
    """What the model gives by itself beside what it should."""
    if patient.facts.tagging:
        shares = [
            (_commonest(head_NC.argmax(-1)), _commonest(real(target_BS, batch)))
            for head_NC, target_BS in zip(logits, batch.targets, strict=True)
        ]
        most = max(shares)
        return {"commonest": most[0], "commonest_wanted": most[1]}
    decoded = greedy(patient.model, batch, patient.facts.length_limit)
    outputs = [row.tolist() for row in decoded.ids]
    wanted = [row.tolist() for row in patient.examples.targets[0]]
    lengths = [len(row) for row in outputs]
    return {
        "ended": sum(decoded.ended) / len(outputs),
        "length": sum(lengths) / max(1, sum(map(len, wanted))),
        "distinct": _distinct(outputs),
        "distinct_wanted": _distinct(wanted),
        "repeated": _repeated(outputs),
        "repeated_wanted": _repeated(wanted),
        "right": sum(a == b for a, b in zip(outputs, wanted, strict=True)) / len(outputs),
    }


def _commonest(labels_N: Tensor) -> float:
    return float(torch.bincount(labels_N).max()) / len(labels_N)


def _distinct(rows: Sequence[Sequence[int]]) -> float:
    return len({tuple(row) for row in rows}) / len(rows)


def _repeated(rows: Sequence[Sequence[int]]) -> float:
    """Share of tokens that are the one before once more."""
    pairs = [pair for row in rows for pair in pairwise(row)]
    return sum(a == b for a, b in pairs) / max(1, len(pairs))


@torch.no_grad()
def _hidden(patient: Patient, batch: Batch) -> Health:
    """By cell: the share of outputs beyond +-0.99, of gates beyond where a sigmoid is 0.01 from
    its ends, at the first and the last step that was seen, and how large the memory is."""
    seen: dict[str, list[tuple[float, float, float]]] = {}
    with _watched(patient.model, seen), plain_forms():
        patient.model.score(batch)
    return {
        name: {
            "saturated": [steps[0][0], steps[-1][0]],
            "gates": [steps[0][1], steps[-1][1]],
            "memory": max(step[2] for step in steps),
        }
        for name, steps in seen.items()
    }


@contextmanager
def _watched(model: nn.Module, seen: dict[str, list[tuple[float, float, float]]]) -> Iterator[None]:
    """Every step of every cell notes what it did."""
    cells = [(name, module) for name, module in model.named_modules() if isinstance(module, Cell)]

    def watch(name: str, cell: Cell) -> None:
        advance = cell.advance

        def noted(gates_BG: Tensor, state: Any, dropped_BH: Tensor | None = None) -> Any:
            after = advance(gates_BG, state, dropped_BH)
            h_BH = after.h_BH
            memory = getattr(after, "c_BH", h_BH)
            seen.setdefault(name, []).append(
                (
                    float((h_BH.abs() > SATURATED).double().mean()),
                    float((gates_BG.abs() > GATE).double().mean()),
                    float(memory.abs().max()),
                )
            )
            return after

        cell.advance = noted  # type: ignore[method-assign]

    for name, cell in cells:
        watch(name, cell)
    try:
        yield
    finally:
        for _, cell in cells:
            del cell.advance


GATE = math.log(99)
"""Beyond which a sigmoid is within 0.01 of 0 or 1."""


def _profile(patient: Patient, batch: Batch) -> Health:
    """profile: how large the loss's gradient is along the source, from its first symbol to its
    last, over the largest; at SHOWN places. embedded: the root mean square of embedded symbols."""
    embedding = getattr(patient.model, "embedding", None)
    nothing = {"profile": None, "embedded": None}
    if not isinstance(embedding, nn.Module):
        return nothing
    kept: list[Tensor] = []

    def keep(_: nn.Module, __: Any, output: Tensor) -> Tensor:
        output = output.detach().requires_grad_()
        kept.append(output)
        return output

    handle = embedding.register_forward_hook(keep)
    try:
        loss = mean_loss(patient.model.score(batch), batch, patient.facts)
        gradient = torch.autograd.grad(loss, kept[0], allow_unused=True)[0] if kept else None
    except RuntimeError:  # nothing of it hangs on the embedding
        return nothing
    finally:
        handle.remove()
    embedded = kept[0].detach()[batch.source_mask_BS].square().mean().sqrt() if kept else None
    if gradient is None:
        return {"profile": [0.0] * SHOWN, "embedded": embedded}
    by_place_BS, lengths_B1 = gradient.norm(dim=-1).cpu(), batch.lengths_B[:, None]
    # from each source's own first symbol to its own last
    places = (torch.linspace(0, 1, SHOWN) * (lengths_B1 - 1)).round().long()
    means = by_place_BS.gather(1, places).mean(0)
    profile = [float(value) for value in means / (float(means.max()) + 1e-30)]
    return {"profile": profile, "embedded": embedded}


# one more step, and evaluation


def _step(patient: Patient, state: TrainState, setting: Setting) -> Health:
    """A step as training takes it, every other token fed from the reference: each parameter's
    gradient and update, and whether the gradient is that of such a step."""
    variant, model = setting.variant, patient.model
    batch = patient.batch(patient.examples)
    if not patient.facts.tagging:
        # with other tokens to feed, it shows whether they are fed, however well it has learned
        inputs_BT = batch.inputs_BT.roll(1, 0)
        batch = batch._replace(inputs_BT=torch.where(batch.mask_BT, inputs_BT, batch.inputs_BT))
    named = dict(model.named_parameters())
    trained = {name: p for name, p in named.items() if p.requires_grad}
    before = {name: p.detach().clone() for name, p in named.items()}
    half_BT = None
    if not patient.facts.tagging:
        half_BT = torch.arange(batch.inputs_BT.shape[1], device=patient.device) % 2 == 0
        half_BT = half_BT.expand_as(batch.mask_BT)
    drawn = state.dropout.get_state()

    def gradient(fed_BT: Tensor | None) -> list[Tensor]:
        state.dropout.set_state(drawn)
        loss = patient.loss(
            model, batch, fed_BT, state.dropout, patient.facts, variant.label_smoothing
        )
        found = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
        return [
            torch.zeros_like(p) if g is None else g
            for p, g in zip(trained.values(), found, strict=True)
        ]

    fresh = gradient(half_BT)
    state.dropout.set_state(drawn)
    take = setting.recipe.step
    _, norm = take(state, variant, patient.facts, setting.recipe.loss, batch, half_BT)
    updates = {
        name: float((p.detach() - before[name]).norm() / (before[name].norm() + 1e-12))
        for name, p in named.items()
    }
    held = [None if p.grad is None else p.grad.clone() for p in trained.values()]
    found = stepped(trained, held, fresh, updates)
    if half_BT is not None and found["alignment"] < FAITHFUL:
        model.load_state_dict(before, strict=False)
        others = {"everywhere": gradient(None), "nowhere": gradient(torch.zeros_like(half_BT))}
        for name, other in others.items():
            aligned = stepped(trained, held, other, updates)["alignment"]
            found[f"alignment_{name}"] = aligned

    def large(*given: Any) -> Tensor:
        """So large that its gradient has to be clipped, where anything is."""
        return LARGE * setting.recipe.loss(*given)

    # what is fed makes no odds here, and all at once is soonest done
    take(state, variant, patient.facts, large, batch, None)
    applied = _norm([p.grad for p in trained.values() if p.grad is not None])
    return {**found, "norm": norm, "applied": applied}


def stepped(
    trained: Mapping[str, nn.Parameter],
    held: Sequence[Tensor | None],
    fresh: Sequence[Tensor],
    updates: Mapping[str, float],
) -> Health:
    """What a step did. held: the gradients that it left; fresh: those of its batch."""
    # what no optimizer has, none clears either
    moved = [updates[name] > 0 for name in trained]
    left = [
        torch.zeros_like(own) if gradient is None else gradient
        for gradient, own in zip(held, fresh, strict=True)
    ]
    return {
        "norm": _norm(_where(left, moved)),
        "own_norm": _norm(fresh),
        "alignment": _alignment(_where(left, moved), _where(fresh, moved)),
        "without_gradient": [
            name for name, g in zip(trained, fresh, strict=True) if float(g.norm()) == 0.0
        ],
        "without_update": [name for name in trained if updates[name] == 0.0],
        "updates": dict(updates),
        "gradients": {name: float(g.norm()) for name, g in zip(trained, fresh, strict=True)},
    }


def _where(tensors: Sequence[Tensor], kept: Sequence[bool]) -> list[Tensor]:
    return [tensor for tensor, keep in zip(tensors, kept, strict=True) if keep]


def _norm(tensors: Sequence[Tensor]) -> Tensor:
    if not tensors:
        return torch.zeros(())
    norm: Tensor = torch.linalg.vector_norm(torch.stack([t.norm() for t in tensors]))
    return norm


def _alignment(one: Sequence[Tensor], other: Sequence[Tensor]) -> float:
    """Cosine of the angle between them."""
    product = sum(float((a.double() * b.double()).sum()) for a, b in zip(one, other, strict=True))
    return product / (float(_norm(one)) * float(_norm(other)) + 1e-30)


def _evaluation(patient: Patient, setting: Setting) -> Health:
    """The loss that evaluation gives of the examples, beside the proper one; once more if they
    are not the same."""
    some = patient.examples.take(np.arange(0, len(patient.examples), 3))
    given = (patient.model, setting.task, some, patient.device, patient.collate, GREEDY)
    loss = setting.recipe.evaluate(*given).loss
    batch = patient.batch(some)
    proper = float(training_loss(patient.model, batch, None, None, patient.facts, 0.0).detach())
    apart = abs(loss - proper) > CLOSE * max(proper, 0.01)
    again = setting.recipe.evaluate(*given).loss if apart else None
    return {"loss": loss, "again": again, "proper": proper}


def plain(value: Any) -> Any:
    """Numbers of five digits, and None for what is none."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, Tensor):
        value = float(value)
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    return value
