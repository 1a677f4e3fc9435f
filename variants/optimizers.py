"""The optimizers by name, all of them torch's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from torch import nn, optim

Named = Sequence[tuple[str, nn.Parameter]]
"""Parameters with their names in the model."""


class Choice(NamedTuple):
    """An optimizer to choose. build: (named parameters, learning rate, weight decay) -> it."""

    build: Callable[[Named, float, float], optim.Optimizer]
    about: str


def _bare(named: Named) -> list[nn.Parameter]:
    return [parameter for _, parameter in named]


def _sgd(named: Named, lr: float, decay: float, momentum: float, nesterov: bool) -> optim.SGD:
    return optim.SGD(
        _bare(named),
        lr=lr,
        weight_decay=decay,
        momentum=momentum,
        nesterov=nesterov,
        # not fused: a first step that overflows, as fp16's may, would leave its buffers unset
        foreach=True,
    )


class CombinedOptimizer(optim.Optimizer):
    """Optimizers that share out a model's parameters, used as one."""

    def __init__(self, *optimizers: optim.Optimizer) -> None:
        self.optimizers = optimizers
        super().__init__(
            [group for optimizer in optimizers for group in optimizer.param_groups], {}
        )
        # the same objects as theirs, so that a learning rate changed here is changed there
        self.param_groups = [group for optimizer in optimizers for group in optimizer.param_groups]

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take one step of every optimizer."""
        for optimizer in self.optimizers:
            optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of each optimizer, by its place."""
        return {str(place): own.state_dict() for place, own in enumerate(self.optimizers)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        for place, optimizer in enumerate(self.optimizers):
            optimizer.load_state_dict(state_dict[str(place)])
        self.param_groups = [
            group for optimizer in self.optimizers for group in optimizer.param_groups
        ]


EDGES = ("embedding.table", "output.weight", "keyword.weight", "position.weight")
"""Endings of the names of matrices at a model's ends, which muon leaves to AdamW."""


def _muon(named: Named, lr: float, decay: float) -> CombinedOptimizer:
    def is_inner(name: str, parameter: nn.Parameter) -> bool:
        return parameter.ndim == 2 and min(parameter.shape) > 1 and not name.endswith(EDGES)

    inner = [p for name, p in named if is_inner(name, p)]
    rest = [p for name, p in named if not is_inner(name, p)]
    optimizers: list[optim.Optimizer] = []
    if inner:
        optimizers.append(
            # its updates as large as AdamW's, so that learning rates compare
            optim.Muon(inner, lr=lr, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
        )
    if rest:
        optimizers.append(optim.AdamW(rest, lr=lr, weight_decay=decay, fused=True))
    return CombinedOptimizer(*optimizers)


OPTIMIZERS: dict[str, Choice] = {
    "sgd": Choice(
        lambda p, lr, decay: _sgd(p, lr, decay, 0.0, False),
        "stochastic gradient descent (Robbins and Monro 1951)",
    ),
    "momentum": Choice(
        lambda p, lr, decay: _sgd(p, lr, decay, 0.9, False), "sgd, momentum 0.9 (Polyak 1964)"
    ),
    "nesterov": Choice(
        lambda p, lr, decay: _sgd(p, lr, decay, 0.9, True),
        "sgd, Nesterov momentum 0.9 (Sutskever et al. 2013, eq. 3 and 4)",
    ),
    "rmsprop": Choice(
        lambda p, lr, decay: optim.RMSprop(_bare(p), lr=lr, weight_decay=decay, foreach=True),
        "Hinton's lecture 6e, smoothing 0.99",
    ),
    "adagrad": Choice(
        lambda p, lr, decay: optim.Adagrad(_bare(p), lr=lr, weight_decay=decay, foreach=True),
        "Duchi et al. 2011, figure 1, diagonal",
    ),
    "adadelta": Choice(
        lambda p, lr, decay: optim.Adadelta(_bare(p), lr=lr, weight_decay=decay, foreach=True),
        "Zeiler 2012, algorithm 1, rho 0.9; made for learning_rate=1",
    ),
    "adam": Choice(
        lambda p, lr, decay: optim.Adam(_bare(p), lr=lr, weight_decay=decay, fused=True),
        "Kingma and Ba 2015, algorithm 1",
    ),
    "adamw": Choice(
        lambda p, lr, decay: optim.AdamW(_bare(p), lr=lr, weight_decay=decay, fused=True),
        "Loshchilov and Hutter 2019, algorithm 2: decays the weights themselves; the others add "
        "decay to the gradient",
    ),
    "nadam": Choice(
        lambda p, lr, decay: optim.NAdam(_bare(p), lr=lr, weight_decay=decay, foreach=True),
        "Dozat 2016, algorithm 8",
    ),
    "radam": Choice(
        lambda p, lr, decay: optim.RAdam(_bare(p), lr=lr, weight_decay=decay, foreach=True),
        "Liu et al. 2020, algorithm 2",
    ),
}
if hasattr(optim, "Muon"):
    OPTIMIZERS["muon"] = Choice(
        _muon,
        "Jordan et al. 2024: orthogonalised momentum on inner matrices, AdamW on vectors, "
        "embeddings and output layers, which are told by the names they have here; scaled as in "
        "Moonshot AI 2025, so that AdamW's learning rates serve; decays weights as adamw",
    )
