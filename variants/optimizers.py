"""Optimizers by name, all torch's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import nn, optim

Build = Callable[[Iterable[nn.Parameter], float, float], optim.Optimizer]
"""(parameters, learning rate, weight decay) -> optimizer."""

OPTIMIZERS: dict[str, Build] = {
    "sgd": lambda p, lr, decay: optim.SGD(p, lr=lr, weight_decay=decay),
    "momentum": lambda p, lr, decay: optim.SGD(p, lr=lr, weight_decay=decay, momentum=0.9),
    "rmsprop": lambda p, lr, decay: optim.RMSprop(p, lr=lr, weight_decay=decay),
    "adam": lambda p, lr, decay: optim.Adam(p, lr=lr, weight_decay=decay, fused=True),
    # AdamW alone decays the weights themselves; in the others decay is added to the gradient
    "adamw": lambda p, lr, decay: optim.AdamW(p, lr=lr, weight_decay=decay, fused=True),
}
