"""The contract of a model: what training, decoding, probes and planted faults may use of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from variants.fast.forms import newer
from variants.fast.matmul import linear


class Batch(NamedTuple):
    """A batch of padded examples. Padding has id 0 and is marked False in the masks.

    lengths_B: source lengths, int64, on the CPU. even: every source fills its row, so that nothing
    needs masking (known on the host, no synchronisation). inputs_BT: bos and the target without
    eos, what is fed when the reference is fed; for a tagger the source. targets: (B, T) of each
    stream, target and eos; for a tagger the labels of each head. mask_BT: real target positions.
    places_N: the same as indices into rows laid end to end, made on the host, so that picking the
    real ones waits for no device. tokens: N.
    """

    source_BS: Tensor
    source_mask_BS: Tensor
    lengths_B: Tensor
    even: bool
    inputs_BT: Tensor
    targets: tuple[Tensor, ...]
    mask_BT: Tensor
    places_N: Tensor
    tokens: int


def real(values_BTX: Tensor, batch: Batch) -> Tensor:
    """Return the values at a batch's real target positions, (B, T, ...) -> (N, ...), row-major."""
    return values_BTX.flatten(0, 1).index_select(0, batch.places_N)


class Step(NamedTuple):
    """The result of one decoding step. attention_BS: weights over the source; None without."""

    logits_BV: Tensor
    state: Any
    attention_BS: Tensor | None


class Readout(NamedTuple):
    """The input of a model's last layer at the N real positions, and that layer's weights.

    Its logits_NV are values W' + bias. The values may be of a smaller number format, in which the
    product is then made.
    """

    values_NH: Tensor
    weight_VH: Tensor
    bias_V: Tensor

    def logits(self) -> Tensor:
        """Return all logits_NV, in the weights' number format."""
        kind = self.values_NH.dtype
        logits_NV = linear(self.values_NH, self.weight_VH.to(kind), self.bias_V.to(kind))
        return logits_NV.to(self.weight_VH.dtype)


class Encoded(NamedTuple):
    """The sources as a decoder takes them up.

    memory: what the decoder reads at every step and never changes. state: where it starts. Both
    are tensors whose first axis is B, or tuples (nested, named) of such and of plain values, so
    that beam search can pick rows.
    """

    memory: Any
    state: Any


class ModelParts(NamedTuple):
    """The parts of a model that probes watch and planted faults change, named by what they do.

    A model calls each of them as a module, so torch's forward hooks see what passes through a
    part and may replace it.

    source_embedding: source ids_BS -> (B, S, E). embeddings: every embedding, the source's first.
    encoder: (embedded_BSE, padding, dropout) -> variants.encoder.Read; None for a tagger.
    bridge: (the encoder's last states, the decoder's cells) -> the decoder's first states; None
    where a decoder starts from no state.
    """

    source_embedding: nn.Module
    embeddings: tuple[nn.Module, ...]
    encoder: nn.Module | None
    bridge: nn.Module | None


class Model(nn.Module):
    """A trainable model: `encode`, `step` and `score` are all that training and decoding call.

    dropout is the generator that masks are drawn from; None means no dropout, so there is no
    mode that could be left on by mistake. A tagger offers `score` alone.
    """

    number_format: torch.dtype | None = None
    """The smaller format that passes run in, by torch's autocast; None for the weights' own."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # inherited readouts do not make the scores of a class that scores in its own way
        if newer(cls, "score", than="readouts"):
            cls.readouts = Model.readouts  # type: ignore[method-assign]
        for name, widened in PASSES.items():
            home = next(kind for kind in cls.__mro__ if name in vars(kind))
            # what is inherited from another Model runs in its number format already
            if home is cls or not issubclass(home, Model):
                setattr(cls, name, _in_number_format(getattr(cls, name), widened))

    def encode(self, batch: Batch) -> Encoded:
        """Read the sources, without dropout."""
        raise NotImplementedError

    def step(self, tokens_B: Tensor, state: Any, memory: Any) -> Step:
        """Feed one token to each row, without dropout."""
        raise NotImplementedError

    def score(
        self, batch: Batch, fed_BT: Tensor | None = None, dropout: torch.Generator | None = None
    ) -> tuple[Tensor, ...]:
        """Return the logits_NV of each target stream at the N real positions, in row-major order.

        fed_BT: True where the reference token is the input, else the model's own most likely
        last token is; None feeds the reference everywhere. The first input is always bos.
        """
        raise NotImplementedError

    def readouts(
        self, batch: Batch, fed_BT: Tensor | None = None, dropout: torch.Generator | None = None
    ) -> tuple[Readout, ...] | None:
        """Return what `score` makes its logits of, for losses that never hold them all at once.

        None if the logits are made in another way.
        """
        return None

    def parts(self) -> ModelParts | None:
        """Return the parts that probes and planted faults use; None if the model shows none."""
        return None

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Load weights; names as models in half precision once had them are read too."""
        # half precision was a wrapper that held the model under the name `model`
        if state_dict.keys() == {f"model.{name}" for name in self.state_dict()}:
            state_dict = {name.removeprefix("model."): v for name, v in state_dict.items()}
        return super().load_state_dict(state_dict, strict, assign)


def with_number_format(module: nn.Module, number_format: torch.dtype) -> Model:
    """Return the module itself as a Model whose passes run in a smaller number format.

    A module from outside whose class is no Model gets Model's defaults added to its class.
    """
    if not isinstance(module, Model):
        kind = type(module)
        module.__class__ = type(kind.__name__, (kind, Model), {})
    assert isinstance(module, Model)
    module.number_format = number_format
    return module


def _in_number_format(
    method: Callable[..., Any], widened: Callable[[Any], Any]
) -> Callable[..., Any]:
    """Return a pass of a model that runs in the model's number format; `widened` its results."""

    @wraps(method)
    def within(self: Model, *args: Any, **named: Any) -> Any:
        if self.number_format is None:
            return method(self, *args, **named)
        device = next(self.parameters()).device.type
        # a pass that another one calls is part of that one, which widens the results in the end
        if torch.is_autocast_enabled(device):
            return method(self, *args, **named)
        with torch.autocast(device, dtype=self.number_format):
            result = method(self, *args, **named)
        return widened(result)

    return within


def _as_it_is(result: Any) -> Any:
    return result


def _wide_step(result: Step) -> Step:
    """Return a step with logits_BV and attention_BS in float32."""
    logits_BV, state, attention_BS = result
    return Step(logits_BV.float(), state, None if attention_BS is None else attention_BS.float())


def _wide_logits(heads: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return logits_NV of each head in float32."""
    return tuple(head_NV.float() for head_NV in heads)


PASSES: Mapping[str, Callable[[Any], Any]] = {
    "encode": _as_it_is,
    "step": _wide_step,
    "score": _wide_logits,
    "readouts": _as_it_is,
}
"""The methods that run in a model's number format, and what makes their logits float32."""
