"""The number formats that a model computes in; its weights stay in float32."""

from __future__ import annotations

import torch

PRECISIONS = {
    "fp32": "float32 throughout",
    "tf32": "float32 whose matrix products read 10 bits of each mantissa (NVIDIA A100 whitepaper, "
    "2020); CUDA alone",
    "bf16": "bfloat16 where torch's autocast takes it, float32 elsewhere",
    "fp16": "float16 likewise, the loss scaled so that small gradients survive (Micikevicius et "
    "al. 2018, section 3.2)",
}
"""The values of the axis precision."""
TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""The formats that torch's autocast brings about, by the values of the axis."""


def missing(precision: str, device: str) -> str | None:
    """Return why a format cannot be had on a device; None if it can."""
    return f"tf32 is CUDA's, not of {device}" if precision == "tf32" and device != "cuda" else None


def allow(precision: str) -> None:
    """Let CUDA's libraries use tf32 or not from here on; there it is a switch of the process."""
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
