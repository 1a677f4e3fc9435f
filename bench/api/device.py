"""Chooses the device that runs are trained on, from what a user asked for."""

from __future__ import annotations

from tasks.choices import one_of

DEVICE_CHOICES = ("auto", "cpu", "cuda")
"""What a user may ask for."""


def device_of(asked: str) -> str:
    """Return `cpu` or `cuda`; `auto` is cuda where torch finds a GPU.

    Raises:
        ValueError: The device is unknown, or torch finds none.
    """
    import torch  # slow to load, and not every verb needs it

    one_of("device", asked, DEVICE_CHOICES)
    has_cuda = torch.cuda.is_available()
    if asked == "cuda" and not has_cuda:
        raise ValueError("device=cuda, but torch sees none here; give --device cpu")
    return ("cuda" if has_cuda else "cpu") if asked == "auto" else asked
