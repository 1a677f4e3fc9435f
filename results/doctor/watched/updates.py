"""Says which parameters are not trained as they should be: gradients that are lost or not applied.

The facts are about the rounds that were recorded, from the backward passes to the step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from results.doctor.examined import LIKELY, SURE, Finding
from results.doctor.watched.raising import RaisedSeen
from results.doctor.watched.rates import RatesSeen
from results.doctor.watched.update_facts import (
    ClipSeen,
    CutSeen,
    NotFiniteSeen,
    OptimizerUse,
    ParameterSeen,
    UpdatesSeen,
)

MOST_NAMES = 4
"""Names of parameters that are listed in one sentence."""
NEARLY_RIGHT = 0.95
"""Share of predictions that are right above which a tensor made anew does no harm to speak of."""
NEARLY_ALL = 0.85
"""A part of a model is left out if this share of its parameters is."""
ANEW = 3.0
"""An optimizer is made anew if each one takes fewer steps than this on average."""
WAYS_PART = 0.9
"""Gradients are cut if the cosine of the angle to those without cuts is below this."""
CLIPPED_FEW = 0.5
"""Clipping misses the gradient if it covers less than this share of its norm."""


class HasUpdates(Protocol):
    """Offers what the rules about updates read of all that was seen."""

    @property
    def updates(self) -> UpdatesSeen | None:
        """Return what was seen of parameters, gradients and the optimizer."""

    @property
    def steps(self) -> int:
        """Return the number of training steps."""

    @property
    def raised(self) -> RaisedSeen | None:
        """Return the error that ended the training, if one did."""

    @property
    def rates(self) -> RatesSeen | None:
        """Return what was seen of the learning rate, and whether the model learned."""


def not_finite(watched: HasUpdates) -> Iterator[Finding]:
    """Find the call by which the loss became nan or infinite."""
    seen = watched.updates
    if seen is None or seen.not_finite is None or _learned(watched):
        return
    one = seen.not_finite
    rows = ", rows of which are -inf throughout," if one.empty else ""
    yield Finding(
        "loss-not-finite",
        SURE,
        f"in step {one.round:,} the loss is no finite number; {one.call} is the first call that "
        f"makes such a number of others: it is given a tensor of shape {one.shape}{rows} and "
        "returns nan or infinity",
        _keep_finite(one),
        place=one.place,
        why="the gradients are nan then, and so is every weight after the step.",
    )


def _keep_finite(one: NotFiniteSeen) -> str:
    """Return what to write so that a call returns finite numbers."""
    if "softmax" in one.call:
        return "leave one position of each row unmasked, or mask with -1e9 in place of -inf"
    if one.call.startswith("log"):
        return "take log_softmax(x, dim=-1) in place of log(softmax(x)), or log(x.clamp_min(1e-9))"
    if one.call in ("div", "__truediv__", "cross_entropy", "nll_loss"):
        return "do not divide by 0: where nothing is counted, divide by 1 (count.clamp_min(1))"
    return f"look at what {one.call} is given there, and keep it within bounds"


def never_stepped(watched: HasUpdates) -> Iterator[Finding]:
    """Find an optimizer that never steps although its parameters get gradients."""
    seen = watched.updates
    # an error in the first step keeps it from its end
    if seen is None or (watched.raised is not None and not watched.steps):
        return
    idle = {use.name: use for use in seen.optimizers if not use.steps and use.used}
    for name, names in _kept_first_values(seen.parameters).items():
        use = idle.get(name)
        if use is None:
            continue
        yield Finding(
            "optimizer-not-stepped",
            SURE,
            f"{name} ({use.kind}, made at {use.place or 'an unseen line'}) never steps; "
            f"{listed(names)} get gradients and keep their first values",
            f"write {name}.step() after loss.backward()",
            place=use.place,
            why="Backward passes only compute gradients; the step is what changes the weights.",
        )


def _kept_first_values(parameters: Sequence[ParameterSeen]) -> dict[str, list[str]]:
    """Return, by optimizer, the names of parameters that get gradients and never change."""
    names: dict[str, list[str]] = {}
    for parameter in parameters:
        if parameter.left_out:
            names.setdefault(parameter.holder, []).append(parameter.name)
    return names


def cleared_before_step(watched: HasUpdates) -> Iterator[Finding]:
    """Find gradients that are cleared between the backward pass and the step."""
    seen = watched.updates
    if seen is None or not seen.cleared[1]:
        return
    place, names = seen.cleared
    yield Finding(
        "cleared-before-step",
        SURE,
        f"zero_grad at {place} runs after loss.backward() and before the step: the gradients of "
        f"{listed(names)} are gone when the optimizer steps",
        "call zero_grad() before loss.backward(), or after step()",
        place=place,
        why="The optimizer steps with empty gradients, so these weights do not change.",
    )


def made_anew(watched: HasUpdates) -> Iterator[Finding]:
    """Find an optimizer that is made anew for each batch."""
    seen = watched.updates
    if seen is None:
        return
    for use in seen.optimizers:
        if use.remembers and use.same_line >= 8 and use.steps_each < ANEW:
            yield Finding(
                "optimizer-made-anew",
                SURE,
                f"{use.kind} was made {use.same_line} times at {use.place}, and each one took "
                f"{use.steps_each:.3g} steps",
                f"make the {use.kind} once, before the loop over batches",
                place=use.place,
                why=f"A new {use.kind} has no memory of earlier gradients, so it steps as if every "
                "batch were the first.",
            )
            return


def uncleared(watched: HasUpdates) -> Iterator[Finding]:
    """Find gradients that are added to those of earlier steps."""
    seen = watched.updates
    if seen is None or not seen.left_over:
        return
    names = list(seen.left_over)
    largest = max(seen.left_over.values())
    yield Finding(
        "uncleared-gradients",
        SURE,
        f"before loss.backward(), the gradients of {listed(names)} still hold what earlier steps "
        f"applied, up to {largest:.3g} times the batch's own gradient; the step applies both",
        _clear(seen, names),
        why="backward() adds to the gradients that are there, so each step repeats all earlier "
        "ones.",
    )


def _clear(seen: UpdatesSeen, names: Sequence[str]) -> str:
    """Return what to write so that gradients are cleared."""
    if len(names) < len([p for p in seen.parameters if p.steps]):
        return f"clear the gradients of {listed(names)} too, once for every step"
    if any(use.by_hand for use in seen.optimizers):
        return "set p.grad = None for every parameter p once for every step, after the update"
    return "call optimizer.zero_grad() once for every step, before loss.backward()"


def unregistered(watched: HasUpdates) -> Iterator[Finding]:
    """Find layers that the model uses and does not register, so that no optimizer has them."""
    seen = watched.updates
    if seen is None:
        return
    lost = [p for p in seen.parameters if p.left_out and not p.registered and not p.holder]
    if lost:
        yield Finding(
            "unregistered-layers",
            SURE,
            f"{listed([p.name for p in lost])}, used at {lost[0].place}, get gradients, but "
            "model.parameters() does not have them and no optimizer changes them",
            "keep the layers in nn.ModuleList([...]) (or nn.ModuleDict, nn.ParameterList) instead "
            "of a Python list or dict",
            place=lost[0].place,
            why="A module registers only modules and parameters that are its attributes; what lies "
            "in a Python list stays as it was at the start.",
        )


def left_out(watched: HasUpdates) -> Iterator[Finding]:
    """Find parameters that get gradients and are in no optimizer."""
    seen = watched.updates
    if seen is None or not (out := _without_holder(seen.parameters)):
        return
    stepping = [use for use in seen.optimizers if use.steps]
    strangers = _never_reaching(seen.parameters)
    cause = _part_left_out(seen.parameters, out)
    if not stepping:
        yield _no_step_at_all(out)
    elif _replaced(out, strangers):
        yield _wrong_model(out, strangers, stepping[0])
    elif not (_learned(watched) and cause in ("embedding-left-out", "part-left-out")):
        yield _held_by_none(out, cause, stepping)


def constant(watched: HasUpdates) -> Iterator[Finding]:
    """Find weights for which a function's gradients are not asked for."""
    seen = watched.updates
    if seen is None or seen.constant is None or _learned(watched):
        return
    one = seen.constant
    yield Finding(
        "part-left-out",
        LIKELY,
        f"{one.matrices} matrices that layers multiply by, the last one here, are the same from "
        f"first to last, while {one.trained} others are trained: their gradients are not computed",
        "take the gradients with respect to all parameters, and update them all",
        place=one.place,
        why="These weights keep their random first values, and the rest must make do with them.",
    )


def _without_holder(parameters: Sequence[ParameterSeen]) -> list[ParameterSeen]:
    """Return the model's own parameters that get gradients and that no optimizer holds.

    A single number that takes gradients may be a loss that the script has made anew.
    """
    return [p for p in parameters if p.left_out and p.registered and not p.holder and p.shape]


def _never_reaching(parameters: Sequence[ParameterSeen]) -> list[ParameterSeen]:
    """Return the parameters that an optimizer steps and of which the loss is not made."""
    return [p for p in parameters if p.steps and not p.reaches]


def _learned(watched: HasUpdates) -> bool:
    """Return whether the training is known to have learned."""
    return watched.rates is not None and watched.rates.learned


def _no_step_at_all(out: Sequence[ParameterSeen]) -> Finding:
    return Finding(
        "optimizer-not-stepped",
        LIKELY,
        f"no optimizer stepped while the script was watched; {listed([p.name for p in out])} get "
        "gradients and keep their first values",
        "write optimizer.step() after loss.backward()",
        why="Backward passes only compute gradients; the step is what changes the weights.",
    )


def _wrong_model(
    out: Sequence[ParameterSeen], strangers: Sequence[ParameterSeen], use: OptimizerUse
) -> Finding:
    """Return the finding for an optimizer that holds other tensors of the shapes left out."""
    return Finding(
        "wrong-model-optimized",
        SURE,
        f"{listed([p.name for p in out])} get gradients and are in no optimizer, while {use.name} "
        f"({use.kind}, made at {use.place}) holds {len(strangers)} tensors of the same "
        "shapes that the model does not use",
        f"make {use.name} after the model has all its final layers (again after a "
        "layer is replaced)",
        place=use.place,
        why="The optimizer changes weights of a model or layer that is no longer in use; those "
        "in use keep their first values.",
    )


def _held_by_none(
    out: Sequence[ParameterSeen], cause: str, stepping: Sequence[OptimizerUse]
) -> Finding:
    by_hand = all(use.by_hand for use in stepping)
    return Finding(
        cause,
        SURE,
        f"{listed([p.name for p in out])} get gradients (norm up to "
        f"{max(p.own for p in out):.3g}) but "
        + ("the script does not update them" if by_hand else "are in no optimizer")
        + ": from the first recorded step to the last they did not change",
        _add_to(stepping, cause),
        place=stepping[0].place,
        why="Weights that nothing updates keep their random first values.",
    )


def _replaced(out: Sequence[ParameterSeen], strangers: Sequence[ParameterSeen]) -> bool:
    """Return whether the optimizer holds unused parameters of the shapes that are left out."""
    shapes = [p.shape for p in strangers]
    for parameter in out:
        if parameter.shape not in shapes:
            return False
        shapes.remove(parameter.shape)
    return True


def _part_left_out(parameters: Sequence[ParameterSeen], out: Sequence[ParameterSeen]) -> str:
    """Return the cause that names the part of the model to which the parameters left out belong."""
    if all(p.embedding for p in out):
        return "embedding-left-out"
    left = [
        part for part in ("encoder", "decoder") if _share_of(part, parameters, out) >= NEARLY_ALL
    ]
    return f"{left[0]}-left-out" if len(left) == 1 else "part-left-out"


def _share_of(
    part: str, parameters: Sequence[ParameterSeen], out: Sequence[ParameterSeen]
) -> float:
    """Return how much of a part's values that get gradients are left out; 0 if it has none."""
    whole = sum(p.size for p in parameters if p.part == part and p.own > 0)
    return sum(p.size for p in out if p.part == part) / whole if whole else 0.0


def _add_to(stepping: Sequence[OptimizerUse], cause: str) -> str:
    part = cause.removesuffix("-left-out")
    if all(use.by_hand for use in stepping):
        return f"update them too, where the others are: {stepping[0].place}"
    if part in ("encoder", "decoder"):
        return (
            f"give the {part}'s parameters to an optimizer too: {stepping[0].kind}("
            f"list(encoder.parameters()) + list(decoder.parameters()), ...)"
        )
    return f"give them to {stepping[0].name} too: {stepping[0].kind}(model.parameters(), ...)"


def detached(watched: HasUpdates) -> Iterator[Finding]:
    """Find trained parameters whose gradients the script cuts off."""
    seen = watched.updates
    if seen is None or not seen.cuts:
        return
    lost = _without_gradient(seen.parameters)
    where = ", ".join(f"{cut.place} ({_written(cut.call)})" for cut in seen.cuts[:3])
    if lost:
        yield _cut_off(
            "encoder-detached" if _whole_encoder(lost, seen.parameters) else "graph-cut",
            SURE,
            f"{listed([p.name for p in lost])} are in {lost[0].holder} and get no gradient; "
            f"without the cut at {where} they do",
            "What is cut off from the loss is never told how to change.",
            seen.cuts[0],
        )
    elif seen.cosine < WAYS_PART and not _learned(watched):
        yield _cut_off(
            "graph-cut",
            LIKELY,
            f"gradients are cut at {where}: with and without the cut they differ "
            f"(cosine {seen.cosine:.2f})",
            "Earlier steps are not told what later steps needed from them.",
            seen.cuts[0],
        )
    elif (rebuilt := _rebuilt(seen.cuts)) is not None and seen.accuracy < NEARLY_RIGHT:
        yield _cut_off(
            "graph-cut",
            LIKELY,
            f"what is used at {rebuilt.place} holds the numbers of a tensor that the model made "
            f"and is a new one: no gradient passes. {seen.accuracy:.0%} of the predictions are "
            "right",
            "What computed these numbers is never told how to change.",
            rebuilt,
        )


def _rebuilt(cuts: Sequence[CutSeen]) -> CutSeen | None:
    """Return the first cut at which a tensor was made anew from its numbers."""
    return next((cut for cut in cuts if cut.call == "rebuilt"), None)


def _without_gradient(parameters: Sequence[ParameterSeen]) -> list[ParameterSeen]:
    """Return the trained parameters that get a gradient only where nothing is cut."""
    return [p for p in parameters if p.steps and p.own == 0 and p.uncut > 0]


def _cut_off(cause: str, sure: str, evidence: str, why: str, cut: CutSeen) -> Finding:
    change = f"let the gradient pass: take away {_written(cut.call)} at {cut.place}"
    return Finding(cause, sure, evidence, change, place=cut.place, why=why)


def _whole_encoder(lost: Sequence[ParameterSeen], parameters: Sequence[ParameterSeen]) -> bool:
    """Return whether the parameters that lost their gradient are nearly all of an encoder's."""
    encoder = [p for p in parameters if p.part == "encoder" and p.uncut > 0]
    size = sum(p.size for p in lost if p.part == "encoder")
    return bool(encoder) and size >= NEARLY_ALL * sum(p.size for p in encoder)


WRITTEN = {
    "detach": ".detach()",
    "data.__get__": ".data",
    "tensor": "torch.tensor(...)",
    "no_grad": "torch.no_grad()",
    "rebuilt": "the new tensor (made by numpy(), tolist() or item())",
}
"""How a student writes what cuts gradients, by the name of the call."""


def _written(call: str) -> str:
    return WRITTEN.get(call, call)


def badly_clipped(watched: HasUpdates) -> Iterator[Finding]:
    """Find gradients that are clipped after the step, or others than those applied."""
    seen = watched.updates
    rates = watched.rates
    if seen is None or rates is None or rates.learned or not rates.unstable:
        return
    yield from _clipped_late(seen.clips)
    yield from _clipped_elsewhere(
        [clip for clip in seen.clips if not clip.after and clip.limit == clip.limit]
    )


def _clipped_late(clips: Sequence[ClipSeen]) -> Iterator[Finding]:
    """Find gradients that are clipped when the step has applied them."""
    for clip in clips:
        if clip.after and clip.norm > clip.limit:
            yield Finding(
                "clip-after-step",
                LIKELY,
                f"gradients are clipped to {clip.limit:g} at {clip.place}, after the step; the "
                f"step applied a norm of {clip.applied:.3g}",
                "clip between loss.backward() and optimizer.step()",
                place=clip.place,
                why="The optimizer has used the gradients before they are clipped, so single "
                "batches can throw the weights far off.",
            )


def _clipped_elsewhere(clips: Sequence[ClipSeen]) -> Iterator[Finding]:
    """Find clipping before the step that misses most of the gradient."""
    covered = sum(clip.clipped**2 for clip in clips) ** 0.5
    if clips and clips[0].norm > 2 * clips[0].limit and covered < CLIPPED_FEW * clips[0].norm:
        yield Finding(
            "clip-of-wrong-parameters",
            LIKELY,
            f"{clips[0].place} clips gradients of norm {covered:.3g} of {clips[0].norm:.3g} in "
            f"all; those applied have norm {clips[0].applied:.3g}",
            "clip the parameters of all modules that the optimizer holds",
            place=clips[0].place,
            why="The gradients that grow too large are not among those that are clipped.",
        )


def unused_layers(watched: HasUpdates) -> Iterator[Finding]:
    """Find layers that the optimizer holds and that the loss never reaches."""
    seen = watched.updates
    if seen is None or watched.rates is None or watched.rates.learned:
        return
    called = list(filter(_called_in_vain, seen.parameters))
    has_gradients = any(p.own > 0 for p in seen.parameters)
    if has_gradients and not all(p.embedding for p in called):
        where = f" at {called[0].place}" if called[0].place else ""
        yield Finding(
            "unused-layer",
            LIKELY,
            f"{listed([p.name for p in called])}: what is computed with them{where} never "
            "reaches the loss",
            "use the result of that layer, or take the layer away",
            place=called[0].place,
            why="A layer whose result is thrown away cannot help the model, and never learns.",
        )


def _called_in_vain(parameter: ParameterSeen) -> bool:
    """Return whether an optimizer holds a parameter that is used and does not reach the loss."""
    trained = parameter.steps > 0 and parameter.registered and parameter.used
    return trained and parameter.own == 0 and not parameter.reaches


def listed(names: Sequence[str]) -> str:
    """Return names as text; of many, some and their number."""
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[: MOST_NAMES - 1])} and {len(names) - MOST_NAMES + 1} more"
