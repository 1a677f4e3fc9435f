"""Number formats that a model computes in; its weights stay in float32."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from variants.contract import Batch, Encoded, Model, Readout, Step

PRECISIONS = {
    "fp32": "float32 throughout",
    "tf32": "float32 whose matrix products read 10 bits of each mantissa (NVIDIA A100 whitepaper, "
    "2020); CUDA alone",
    "bf16": "bfloat16 where torch's autocast takes it, float32 elsewhere",
    "fp16": "float16 likewise, the loss scaled so that small gradients survive (Micikevicius et "
    "al. 2018, section 3.2)",
}
TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def missing(precision: str, device: str) -> str | None:
    """Why a format is not to be had on a device; None if it is."""
    return f"tf32 is CUDA's, not of {device}" if precision == "tf32" and device != "cuda" else None


def allow(precision: str) -> None:
    """Let CUDA's libraries use tf32 or not, from here on: there it is a switch of the process."""
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"


class Autocast(Model):
    """A model whose passes run in a smaller format; its logits are float32."""

    def __init__(self, model: Model, precision: str) -> None:
        super().__init__()
        self.model = model
        self._type = TYPES[precision]

    def encode(self, batch: Batch) -> Encoded:
        with torch.autocast(batch.source_BS.device.type, dtype=self._type):
            return self.model.encode(batch)

    def step(self, tokens_B: Tensor, state: Any, memory: Any) -> Step:
        with torch.autocast(tokens_B.device.type, dtype=self._type):
            logits_BV, state, attention_BS = self.model.step(tokens_B, state, memory)
        weights = None if attention_BS is None else attention_BS.float()
        return Step(logits_BV.float(), state, weights)

    def score(
        self, batch: Batch, fed_BT: Tensor | None = None, dropout: torch.Generator | None = None
    ) -> tuple[Tensor, ...]:
        with torch.autocast(batch.source_BS.device.type, dtype=self._type):
            logits = self.model.score(batch, fed_BT, dropout)
        return tuple(head_NV.float() for head_NV in logits)

    def readouts(
        self, batch: Batch, fed_BT: Tensor | None = None, dropout: torch.Generator | None = None
    ) -> tuple[Readout, ...] | None:
        if not isinstance(self.model, Model):  # one from outside offers none
            return None
        with torch.autocast(batch.source_BS.device.type, dtype=self._type):
            return self.model.readouts(batch, fed_BT, dropout)
