"""The faults that can be planted: each makes a healthy run fail as somebody's once did.

A fault replaces one function of a run's recipe. `bench doctor` is measured by whether it names
the fault that was planted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from bench.doctor import entropies, planting, wrong_evaluations
from bench.doctor.planting import Plant
from bench.training.state import Recipe
from tasks.choices import one_of
from variants import Variant
from variants.cells import CELLS, Cell
from variants.decoder import DECODER_INPUTS
from variants.embedding import INITS

Obstacle = Callable[[Variant], str | None]
"""Returns why a variant lacks what a fault breaks; None if it has it."""


def _none(variant: Variant) -> str | None:
    return None


class Fault(NamedTuple):
    """A fault that can be planted in a run.

    about: what is wrong, in a sentence. plant: makes the recipe of the run that has it. tagging,
    sequences: whether such tasks have what it breaks. obstacle: why a variant has not. harmless:
    True if it changes no result by definition.
    """

    about: str
    plant: Plant
    tagging: bool = True
    sequences: bool = True
    obstacle: Obstacle = _none
    harmless: bool = False

    @property
    def tasks(self) -> str:
        """The kinds of task that it can be planted in, in words."""
        if self.tagging and self.sequences:
            return "any task"
        return "taggers" if self.tagging else "sequence tasks"

    def inapplicable(self, variant: Variant, tagging: bool) -> str | None:
        """Return why it would change nothing in such a run; None if it applies."""
        if not (self.tagging if tagging else self.sequences):
            return f"it can only be planted in {self.tasks}"
        return self.obstacle(variant)


# what a variant may lack


def _no_token(v: Variant) -> str | None:
    fed = DECODER_INPUTS[v.decoder_input].token
    return None if fed else f"decoder_input={v.decoder_input} feeds no token"


def _forced_always(v: Variant) -> str | None:
    if v.forcing == "always" or (v.forcing == "constant" and v.forcing_rate == 1.0):
        return f"forcing={v.forcing} feeds the reference everywhere already"
    return _no_token(v)


def _forced_never(v: Variant) -> str | None:
    if v.forcing == "never" or (v.forcing == "constant" and v.forcing_rate == 0.0):
        return f"forcing={v.forcing} feeds the reference nowhere already"
    return _no_token(v)


def _no_memory(v: Variant) -> str | None:
    cell = CELLS.get(v.cell)
    if cell is None:
        return f"cell={v.cell} is no recurrent cell"
    offers = ("recurrent_blocks", "recurrent_gains", "forget_bias", "memory_gates")
    if all(getattr(cell, name) is getattr(Cell, name) for name in offers):
        return f"cell={v.cell} names neither recurrent weights nor gates"
    return None


def _no_first_state(v: Variant) -> str | None:
    if v.cell not in CELLS:
        return f"cell={v.cell} is no recurrent cell, whose state could be carried on"
    return "bridge=zero starts every batch from zeros" if v.bridge == "zero" else None


def _frozen(v: Variant) -> str | None:
    if INITS[v.embedding_init].square:
        return f"embedding_init={v.embedding_init} trains none"
    return "embedding_trained=frozen trains none" if v.embedding_trained == "frozen" else None


def _no_dropout(v: Variant) -> str | None:
    return None if v.dropout or v.recurrent_dropout else "dropout=0 drops nothing"


def _no_clipping(v: Variant) -> str | None:
    return None if v.clip else "clip=0 clips nothing"


def _no_rate(v: Variant) -> str | None:
    return None if v.learning_rate else "learning_rate=0 is 0 times anything"


TOGETHER_WITH = "+"
"""Stands between the names of faults that are planted together."""
DECAY = 0.01
"""AdamW's default weight decay."""


def _decays_so(v: Variant) -> str | None:
    return f"weight_decay={DECAY} is the variant's own" if v.weight_decay == DECAY else None


def _rate(factor: float) -> Plant:
    return planting.optimized(
        lambda variant: replace(variant, learning_rate=variant.learning_rate * factor)
    )


FAULTS: dict[str, Fault] = {
    "softmax-over-time": Fault(
        "the softmax runs over the time axis, padding included: torch's default for a tensor of "
        "three axes, of which time is the first, when no axis is named",
        planting.loss(entropies.over_time),
    ),
    "softmax-over-batch": Fault(
        "the softmax runs over the rows of a batch, so that examples compete with each other",
        planting.loss(entropies.over_batch),
    ),
    "probabilities-as-logits": Fault(
        "cross-entropy is given probabilities where it takes logits: softmax is applied twice",
        planting.loss(entropies.of_probabilities),
    ),
    "log-softmax-twice": Fault(
        "cross-entropy is given log-softmax where it takes logits, which changes nothing, as the "
        "log-softmax of a log-softmax is itself",
        planting.loss(entropies.twice_log_softmax),
        harmless=True,
    ),
    "no-eos-in-loss": Fault(
        "the loss leaves out the end of each output, so that nothing teaches the model to stop",
        planting.loss(entropies.without_eos),
        tagging=False,
    ),
    "first-slot-zero": Fault(
        "the array of outputs is filled from its second step on, so the first symbol is predicted "
        "by zeros and the loss has a floor of ln V over the length",
        planting.loss(entropies.first_zero),
        tagging=False,
    ),
    "padding-in-loss": Fault(
        "padding counts in the loss like any other symbol, and is most of what is learned",
        planting.loss(entropies.with_padding),
    ),
    "targets-transposed": Fault(
        "logits laid out row by row meet targets laid out step by step, as view does where permute "
        "is meant",
        planting.loss(entropies.transposed),
    ),
    "one-label": Fault(
        "the commonest label outweighs all others, so that the tagger gives nothing else, as "
        "happens with imbalanced tags",
        planting.loss(entropies.one_label),
        sequences=False,
    ),
    "unshifted-targets": Fault(
        "the decoder reads at each step the very token that it is to give: targets fed unshifted",
        planting.collated(planting.unshifted),
        tagging=False,
        obstacle=_no_token,
    ),
    "decoder-bidirectional": Fault(
        "the decoder reads the reference in both directions, and so sees the tokens that it is to "
        "give, of which there are none while it decodes",
        planting.built(planting.read_both_ways),
        tagging=False,
        obstacle=_no_token,
    ),
    "padding-attended": Fault(
        "sources are not masked, so that padding is read and attended like any symbol",
        planting.collated(planting.attended_padding),
        tagging=False,
    ),
    "unsorted-sources": Fault(
        "sources are sorted by length, as packing once asked for, and never put back beside their "
        "targets",
        planting.collated(planting.unsorted),
        tagging=False,
    ),
    "other-vocabulary": Fault(
        "target symbols are numbered by one vocabulary and read back by another",
        planting.other_vocabulary,
    ),
    "axes-swapped": Fault(
        "the encoder takes the rows of a batch for the steps of a sequence, as with batch_first "
        "forgotten",
        planting.built(planting.swap_axes),
        tagging=False,
    ),
    "source-cut": Fault(
        "what the encoder reads never reaches the decoder, which is left to guess",
        planting.built(planting.cut_source),
        tagging=False,
    ),
    "state-carried": Fault(
        "the decoder starts from the state of the batch before, which was never reset",
        planting.built(planting.carry_state),
        tagging=False,
        obstacle=_no_first_state,
    ),
    "saturating-embedding": Fault(
        "first values of the source embedding are so large that the encoder saturates at once",
        planting.built(planting.saturate),
    ),
    "vanishing-memory": Fault(
        "gates start shut and recurrent weights next to nothing, so that nothing is remembered and "
        "no gradient comes back over more than a step or two",
        planting.built(planting.forget),
        obstacle=_no_memory,
    ),
    "embedding-frozen": Fault(
        "embeddings keep their first values, though the variant says that they are tuned",
        planting.built(planting.freeze_embeddings),
        obstacle=_frozen,
    ),
    "embedding-left-out": Fault(
        "the source embedding is not among the parameters that the optimizer was given",
        planting.left_out(planting.source_embedding),
        obstacle=_frozen,
    ),
    "encoder-left-out": Fault(
        "the encoder is not among the parameters that the optimizer was given",
        planting.left_out(planting.encoder),
        tagging=False,
    ),
    "uncleared-gradients": Fault(
        "gradients are never cleared, so that every step goes where all before it went",
        planting.uncleared,
    ),
    "rate-too-high": Fault(
        "the learning rate is a hundred times the variant's, as with per cent taken for a share",
        _rate(100.0),
        obstacle=_no_rate,
    ),
    "rate-too-low": Fault(
        "the learning rate is a thousandth of the variant's, so that weights hardly move",
        _rate(0.001),
        obstacle=_no_rate,
    ),
    "decay-too-high": Fault(
        "weights decay by 0.01, AdamW's default, in an optimizer that adds the decay to the "
        "gradient, where it outweighs what is to be learned",
        planting.optimized(lambda variant: replace(variant, weight_decay=DECAY)),
        obstacle=_decays_so,
    ),
    "unclipped": Fault(
        "gradients are not clipped, though the variant says so, and one step may undo all before",
        planting.stepped(planting.unclipped),
        obstacle=_no_clipping,
    ),
    "always-forced": Fault(
        "the reference is fed everywhere, though the variant says otherwise: the decoder never "
        "reads its own output until it is tested",
        planting.stepped(planting.fed_everywhere),
        tagging=False,
        obstacle=_forced_always,
    ),
    "never-forced": Fault(
        "the reference is fed nowhere from the first step on, so that outputs build on early ones "
        "that are all wrong",
        planting.stepped(planting.fed_nowhere),
        tagging=False,
        obstacle=_forced_never,
    ),
    "dropout-stays": Fault(
        "dropout is left on while the model is evaluated, as with eval() forgotten",
        planting.dropout_stays,
        tagging=False,
        obstacle=_no_dropout,
    ),
    "never-stops": Fault(
        "decoding never notices the end symbol, as with a comparison of tensors whose shapes can "
        "never be equal, and goes on to the length limit",
        wrong_evaluations.evaluated(wrong_evaluations.NeverStops),
        tagging=False,
    ),
    "start-symbol-foreign": Fault(
        "decoding begins with another symbol than training does, as with the start symbol's vector "
        "taken from the table of the source",
        wrong_evaluations.evaluated(wrong_evaluations.ForeignStart),
        tagging=False,
        obstacle=_no_token,
    ),
}
"""All faults by name."""


def inapplicable_fault(name: str, variant: Variant, tagging: bool) -> str | None:
    """Return why a fault would change nothing in such a run; None if it applies, or for no name.

    name: one, or several as `read_faults` returns them, of which each must apply.
    """
    for one in name.split(TOGETHER_WITH) if name else ():
        reason = FAULTS[one].inapplicable(variant, tagging)
        if reason is not None:
            return f"fault={one}: {reason}"
    return None


def read_faults(text: str) -> str:
    """Return the name of a fault, or of several joined by TOGETHER_WITH, as a spec holds it.

    Raises:
        ValueError: A name is unknown or stands twice, or two faults replace the same loss.
    """
    names = [name.strip() for name in text.split(TOGETHER_WITH)]
    for name in names:
        one_of("fault", name, list(FAULTS))
        if names.count(name) > 1:
            raise ValueError(f"fault {name} is given twice; give it once")
    sound = Recipe()
    losses = [name for name in names if FAULTS[name].plant(sound).loss is not sound.loss]
    if len(losses) > 1:
        raise ValueError(
            f"the faults {' and '.join(losses)} each replace the loss, so only the last would be "
            "planted; give one of them"
        )
    return TOGETHER_WITH.join(names)


def planted(name: str, recipe: Recipe) -> Recipe:
    """Return the recipe with a fault planted, or several; unchanged for an empty name.

    Raises:
        ValueError: A name is unknown.
    """
    for one in name.split(TOGETHER_WITH) if name else ():
        if one not in FAULTS:
            raise ValueError(f"fault={one!r} is not one of {', '.join(FAULTS)}; give one")
        recipe = FAULTS[one].plant(recipe)
    return recipe
