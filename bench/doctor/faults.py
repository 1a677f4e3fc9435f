"""Faults to plant: each replaces one function of a run's recipe, so that a healthy run fails as
somebody's did. `bench doctor` is measured by whether it names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from bench.training.decoding import Decoding
from bench.training.evaluation import Collate, Evaluation
from bench.training.randomness import torch_generator
from bench.training.state import Loss, Recipe, TrainState
from tasks import EOS, Facts, Ragged, Split, Task
from variants import Batch, Encoded, Model, Step, Variant, real
from variants.cells import Cell


class Fault(NamedTuple):
    """about: what is wrong, in a sentence. plant: makes the recipe of the run that has it.
    tagging, sequences: whether it makes sense on such tasks."""

    about: str
    plant: Callable[[Recipe], Recipe]
    tagging: bool = True
    sequences: bool = True


# losses


def grids(
    model: Model, batch: Batch, fed_BT: Tensor | None, dropout: torch.Generator | None
) -> list[Tensor]:
    """Logits_BTV of each target stream at every position, padding included."""
    count = batch.mask_BT.numel()
    places_N = torch.arange(count, device=batch.mask_BT.device)
    whole = batch._replace(places_N=places_N, tokens=count)
    return [
        logits_NV.view(*batch.mask_BT.shape, -1)
        for logits_NV in model.score(whole, fed_BT, dropout)
    ]


Entropy = Callable[[Tensor, Tensor, Batch], Tensor]
"""Of logits_BTV and targets_BT of one stream."""


def as_loss(entropy: Entropy) -> Loss:
    """A training loss that mixes heads as the healthy one does."""

    def loss(
        model: Model,
        batch: Batch,
        fed_BT: Tensor | None,
        dropout: torch.Generator | None,
        facts: Facts,
        smoothing: float,
    ) -> Tensor:
        return mixed(entropy, grids(model, batch, fed_BT, dropout), batch, facts)

    return loss


def mixed(entropy: Entropy, logits: Sequence[Tensor], batch: Batch, facts: Facts) -> Tensor:
    """Of all heads, by their weights. logits: as `grids` gives them."""
    parts = [
        weight * entropy(logits_BTV, target_BT, batch)
        for logits_BTV, target_BT, weight in zip(
            logits, batch.targets, facts.head_weights, strict=True
        )
    ]
    return torch.stack(parts).sum()


def over_time(logits_BTV: Tensor, target_BT: Tensor, batch: Batch) -> Tensor:
    """The softmax runs over time; padding counts."""
    logarithms_BTV = logits_BTV.log_softmax(dim=1)
    return nn.functional.nll_loss(logarithms_BTV.flatten(0, 1), target_BT.flatten())


def over_batch(logits_BTV: Tensor, target_BT: Tensor, batch: Batch) -> Tensor:
    """The softmax runs over the rows of a batch."""
    logarithms_BTV = logits_BTV.log_softmax(dim=0)
    return nn.functional.nll_loss(real(logarithms_BTV, batch), real(target_BT, batch))


def with_padding(logits_BTV: Tensor, target_BT: Tensor, batch: Batch) -> Tensor:
    """Padding counts like any symbol."""
    return nn.functional.cross_entropy(logits_BTV.flatten(0, 1), target_BT.flatten())


def without_eos(logits_BTV: Tensor, target_BT: Tensor, batch: Batch) -> Tensor:
    """The end of an output is not learned."""
    target_N = real(target_BT, batch)
    kept = target_N != EOS
    return nn.functional.cross_entropy(real(logits_BTV, batch)[kept], target_N[kept])


def of_probabilities(logits_BTV: Tensor, target_BT: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy, which takes logits, is given probabilities."""
    return nn.functional.cross_entropy(real(logits_BTV, batch).softmax(-1), real(target_BT, batch))


def twice_log_softmax(logits_BTV: Tensor, target_BT: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy, which takes logits, is given their log-softmax: no harm, as it is the same."""
    given = real(logits_BTV, batch).log_softmax(-1)
    return nn.functional.cross_entropy(given, real(target_BT, batch))


def transposed(logits_BTV: Tensor, target_BT: Tensor, batch: Batch) -> Tensor:
    """Logits laid out row by row meet targets laid out step by step."""
    return nn.functional.cross_entropy(logits_BTV.flatten(0, 1), target_BT.t().flatten())


def one_label(logits_BTV: Tensor, target_BT: Tensor, batch: Batch) -> Tensor:
    """The commonest label weighs a hundred times as much as any other."""
    target_N = real(target_BT, batch)
    weights_V = logits_BTV.new_ones(logits_BTV.shape[-1])
    weights_V[torch.bincount(target_N).argmax()] = 100.0
    return nn.functional.cross_entropy(real(logits_BTV, batch), target_N, weight=weights_V)


def _loss(entropy: Entropy) -> Callable[[Recipe], Recipe]:
    return lambda recipe: replace(recipe, loss=as_loss(entropy))


# batches


def _unshifted(split: Split, batch: Batch) -> Batch:
    return batch._replace(inputs_BT=batch.targets[0])


def _attended_padding(split: Split, batch: Batch) -> Batch:
    rows, steps = batch.source_BS.shape
    return batch._replace(
        source_mask_BS=torch.ones_like(batch.source_mask_BS),
        lengths_B=torch.full((rows,), steps, dtype=batch.lengths_B.dtype),
        even=True,
    )


def _unsorted(split: Split, batch: Batch) -> Batch:
    """Sorted by length, as packing once asked for, and by first symbol; nothing is put back."""
    order = np.lexsort((batch.source_BS[:, 0].cpu().numpy(), -batch.lengths_B.numpy()))
    rows = torch.from_numpy(order)
    return batch._replace(
        source_BS=batch.source_BS[rows],
        source_mask_BS=batch.source_mask_BS[rows],
        lengths_B=batch.lengths_B[rows],
    )


def _collated(change: Callable[[Split, Batch], Batch]) -> Callable[[Recipe], Recipe]:
    def plant(recipe: Recipe) -> Recipe:
        def collate(split: Split, facts: Facts, device: str) -> Batch:
            return change(split, recipe.collate(split, facts, device))

        return replace(recipe, collate=collate)

    return plant


def _other_vocabulary(recipe: Recipe) -> Recipe:
    """Target symbols are numbered in another order than they are read back in."""

    def collate(split: Split, facts: Facts, device: str) -> Batch:
        streams = []
        for target, size in zip(split.targets, facts.target_sizes, strict=True):
            first = 0 if facts.tagging else EOS + 1
            order = np.arange(size, dtype=target.ids.dtype)
            order[first:] = np.roll(order[first:], 1)
            streams.append(Ragged(order[target.ids], target.offsets))
        return recipe.collate(Split(split.source, tuple(streams)), facts, device)

    return replace(recipe, collate=collate)


# models


def _changed(change: Callable[[Model], None]) -> Callable[[Recipe], Recipe]:
    def plant(recipe: Recipe) -> Recipe:
        def built(model: Model) -> Model:
            model = recipe.built(model)
            change(model)
            return model

        return replace(recipe, built=built)

    return plant


@torch.no_grad()
def _saturate(model: Model) -> None:
    for name, parameter in model.named_parameters():
        if name.startswith("embedding."):
            parameter.mul_(20.0 / parameter.std())


def _freeze_embedding(model: Model) -> None:
    for name, parameter in model.named_parameters():
        if "embedding." in name:
            parameter.requires_grad_(False)


@torch.no_grad()
def _forget(model: Model) -> None:
    """Gates that would keep what was, shut for good; recurrent weights next to nothing."""
    for module in model.modules():
        if not isinstance(module, Cell):
            continue
        shut = {3: slice(0, 2 * module.hidden), 4: slice(module.hidden, 2 * module.hidden)}
        for name, parameter in module.named_parameters():
            if "weight_hh" in name:
                parameter.mul_(0.02)
            elif "bias_hh" in name and module.gates in shut:
                parameter[shut[module.gates]] = -12.0


def _cut_source(model: Any) -> None:
    remember = model.decoder.remember

    def blind(read: Any, mask_BS: Tensor) -> Any:
        nothing = [
            type(state)(*(torch.zeros_like(part) for part in state)) for state in read.states
        ]
        outputs = torch.zeros_like(read.outputs_BSD)
        return remember(read._replace(outputs_BSD=outputs, states=nothing), mask_BS)

    model.decoder.remember = blind


def _carry_state(model: Any) -> None:
    remember = model.decoder.remember
    kept: dict[int, Any] = {}

    def carried(read: Any, mask_BS: Tensor) -> Any:
        memory, state = remember(read, mask_BS)
        before = kept.get(len(mask_BS))
        kept[len(mask_BS)] = [type(s)(*(part.detach() for part in s)) for s in state.layers]
        return memory, state if before is None else state._replace(layers=before)

    model.decoder.remember = carried


def _swap_axes(model: Any) -> None:
    """The encoder takes the rows of a batch for the steps of a sequence."""
    encoder = model.encoder.forward

    def swapped(embedded_BSE: Tensor, padding: Any, dropout: Any) -> Any:
        read = encoder(embedded_BSE.transpose(0, 1), None, dropout)
        # what is the last state for whom is lost; each row takes its own outputs' last
        last_BD = read.outputs_BSD.transpose(0, 1)[:, -1]
        states = [type(s)(*(last_BD[:, : part.shape[1]] for part in s)) for s in read.states]
        return read._replace(outputs_BSD=read.outputs_BSD.transpose(0, 1), states=states)

    model.encoder.forward = swapped


# optimizers and steps


def _without(part: str) -> Callable[[Recipe], Recipe]:
    def plant(recipe: Recipe) -> Recipe:
        def optimizer(variant: Variant, model: nn.Module) -> torch.optim.Optimizer:
            left_out = [p for name, p in model.named_parameters() if name.startswith(part)]
            for parameter in left_out:
                parameter.requires_grad_(False)
            made = recipe.optimizer(variant, model)
            for parameter in left_out:
                parameter.requires_grad_()
            return made

        return replace(recipe, optimizer=optimizer)

    return plant


def _optimized(change: Callable[[Variant], Variant]) -> Callable[[Recipe], Recipe]:
    """The optimizer is that of another variant."""

    def plant(recipe: Recipe) -> Recipe:
        def optimizer(variant: Variant, model: nn.Module) -> torch.optim.Optimizer:
            return recipe.optimizer(change(variant), model)

        return replace(recipe, optimizer=optimizer)

    return plant


def _rate(factor: float) -> Callable[[Recipe], Recipe]:
    return _optimized(
        lambda variant: replace(variant, learning_rate=variant.learning_rate * factor)
    )


def _stepped(
    change: Callable[[TrainState, Variant, Batch, Tensor | None], tuple[Variant, Tensor | None]],
) -> Callable[[Recipe], Recipe]:
    """Variant and feeding of every step are changed."""

    def plant(recipe: Recipe) -> Recipe:
        def step(
            state: TrainState,
            variant: Variant,
            facts: Facts,
            loss_of: Loss,
            batch: Batch,
            fed_BT: Tensor | None,
        ) -> tuple[Tensor, Tensor]:
            variant, fed_BT = change(state, variant, batch, fed_BT)
            return recipe.step(state, variant, facts, loss_of, batch, fed_BT)

        return replace(recipe, step=step)

    return plant


def _uncleared(recipe: Recipe) -> Recipe:
    def step(state: TrainState, *given: Any) -> tuple[Tensor, Tensor]:
        clear = state.optimizer.zero_grad
        state.optimizer.zero_grad = lambda *_, **__: None  # type: ignore[method-assign]
        try:
            return recipe.step(state, *given)
        finally:
            state.optimizer.zero_grad = clear  # type: ignore[method-assign]

    return replace(recipe, step=step)


class _Dropping(Model):
    """A model whose dropout never ends."""

    def __init__(self, model: Model, drawn: torch.Generator) -> None:
        super().__init__()
        self.model = model
        self.drawn = drawn

    def score(
        self, batch: Batch, fed_BT: Tensor | None = None, dropout: torch.Generator | None = None
    ) -> tuple[Tensor, ...]:
        return self.model.score(batch, fed_BT, dropout or self.drawn)

    def encode(self, batch: Batch) -> Encoded:
        model: Any = self.model
        read = model._read(batch, self.drawn)
        return Encoded(*model.decoder.remember(read, batch.source_mask_BS))

    def step(self, tokens_B: Tensor, state: Any, memory: Any) -> Step:
        model: Any = self.model
        masks = model.decoder.masks(len(tokens_B), 1, self.drawn, memory.outputs_BSD)
        readout, state, weights = model.decoder(tokens_B[:, None], state, memory, masks)
        logits_BV = model.decoder.output(readout[:, 0])
        return Step(logits_BV, state, None if weights is None else weights[:, 0])


def _dropout_stays(recipe: Recipe) -> Recipe:
    drawn: dict[str, torch.Generator] = {}

    def dropping(
        model: Model, task: Task, split: Split, device: str, collate: Collate, decoding: Decoding
    ) -> Evaluation:
        if device not in drawn:
            drawn[device] = torch_generator(0, "dropout", device=device)
        dropped = _Dropping(model, drawn[device])
        return recipe.evaluate(dropped, task, split, device, collate, decoding)

    return replace(recipe, evaluate=dropping)


def _fed_everywhere(
    state: TrainState, variant: Variant, batch: Batch, fed_BT: Tensor | None
) -> tuple[Variant, Tensor | None]:
    return variant, None


def _fed_nowhere(
    state: TrainState, variant: Variant, batch: Batch, fed_BT: Tensor | None
) -> tuple[Variant, Tensor | None]:
    return variant, torch.zeros_like(batch.mask_BT)


def _unclipped(
    state: TrainState, variant: Variant, batch: Batch, fed_BT: Tensor | None
) -> tuple[Variant, Tensor | None]:
    return replace(variant, clip=0.0), fed_BT


FAULTS: dict[str, Fault] = {
    "softmax-over-time": Fault(
        "the softmax runs over the time axis, padding included: torch's default for a tensor of "
        "three axes, of which time is the first, when no axis is named",
        _loss(over_time),
    ),
    "softmax-over-batch": Fault(
        "the softmax runs over the rows of a batch, so that examples compete with each other",
        _loss(over_batch),
    ),
    "probabilities-as-logits": Fault(
        "cross-entropy is given probabilities where it takes logits: softmax is applied twice",
        _loss(of_probabilities),
    ),
    "log-softmax-twice": Fault(
        "cross-entropy is given log-softmax where it takes logits, which changes nothing, as the "
        "log-softmax of a log-softmax is itself",
        _loss(twice_log_softmax),
    ),
    "no-eos-in-loss": Fault(
        "the loss leaves out the end of each output, so that nothing teaches the model to stop",
        _loss(without_eos),
        tagging=False,
    ),
    "padding-in-loss": Fault(
        "padding counts in the loss like any other symbol, and is most of what is learned",
        _loss(with_padding),
    ),
    "targets-transposed": Fault(
        "logits laid out row by row meet targets laid out step by step, as view does where permute "
        "is meant",
        _loss(transposed),
    ),
    "one-label": Fault(
        "the commonest label outweighs all others, so that the tagger gives nothing else, as "
        "happens with imbalanced tags",
        _loss(one_label),
        sequences=False,
    ),
    "unshifted-targets": Fault(
        "the decoder reads at each step the very token that it is to give: targets fed unshifted",
        _collated(_unshifted),
        tagging=False,
    ),
    "padding-attended": Fault(
        "sources are not masked, so that padding is read and attended like any symbol",
        _collated(_attended_padding),
        tagging=False,
    ),
    "unsorted-sources": Fault(
        "sources are sorted by length, as packing once asked for, and never put back beside their "
        "targets",
        _collated(_unsorted),
        tagging=False,
    ),
    "other-vocabulary": Fault(
        "target symbols are numbered by one vocabulary and read back by another",
        _other_vocabulary,
    ),
    "axes-swapped": Fault(
        "the encoder takes the rows of a batch for the steps of a sequence, as with batch_first "
        "forgotten",
        _changed(_swap_axes),
        tagging=False,
    ),
    "source-cut": Fault(
        "what the encoder reads never reaches the decoder, which is left to guess",
        _changed(_cut_source),
        tagging=False,
    ),
    "state-carried": Fault(
        "the decoder starts from the state of the batch before, which was never reset",
        _changed(_carry_state),
        tagging=False,
    ),
    "saturating-embedding": Fault(
        "first values of the source embedding are so large that the encoder saturates at once",
        _changed(_saturate),
    ),
    "vanishing-memory": Fault(
        "gates start shut and recurrent weights next to nothing, so that nothing is remembered and "
        "no gradient comes back over more than a step or two",
        _changed(_forget),
    ),
    "embedding-frozen": Fault(
        "embeddings keep their first values, though the variant says that they are tuned",
        _changed(_freeze_embedding),
    ),
    "embedding-left-out": Fault(
        "the source embedding is not among the parameters that the optimizer was given",
        _without("embedding."),
    ),
    "encoder-left-out": Fault(
        "the encoder is not among the parameters that the optimizer was given",
        _without("encoder."),
        tagging=False,
    ),
    "uncleared-gradients": Fault(
        "gradients are never cleared, so that every step goes where all before it went",
        _uncleared,
    ),
    "rate-too-high": Fault(
        "the learning rate is a hundred times the variant's, as with per cent taken for a share",
        _rate(100.0),
    ),
    "rate-too-low": Fault(
        "the learning rate is a thousandth of the variant's, so that weights hardly move",
        _rate(0.001),
    ),
    "decay-too-high": Fault(
        "weights decay by 0.01, AdamW's default, in an optimizer that adds the decay to the "
        "gradient, where it outweighs what is to be learned",
        _optimized(lambda variant: replace(variant, weight_decay=0.01)),
    ),
    "unclipped": Fault(
        "gradients are not clipped, though the variant says so, and one step may undo all before",
        _stepped(_unclipped),
    ),
    "always-forced": Fault(
        "the reference is fed everywhere, though the variant says otherwise: the decoder never "
        "reads its own output until it is tested",
        _stepped(_fed_everywhere),
        tagging=False,
    ),
    "never-forced": Fault(
        "the reference is fed nowhere from the first step on, so that outputs build on early ones "
        "that are all wrong",
        _stepped(_fed_nowhere),
        tagging=False,
    ),
    "dropout-stays": Fault(
        "dropout is left on while the model is evaluated, as with eval() forgotten",
        _dropout_stays,
        tagging=False,
    ),
}


def planted(name: str, recipe: Recipe) -> Recipe:
    """The recipe with a fault; as it is for no name. ValueError for an unknown one."""
    if not name:
        return recipe
    if name not in FAULTS:
        raise ValueError(f"fault={name!r} is not one of {', '.join(FAULTS)}; give one")
    return FAULTS[name].plant(recipe)
