"""First values of every parameter, each drawn by its own name.

So two variants that share a seed and a parameter of one name and shape share its values.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Drawer = Callable[[str], torch.Generator]
"""The generator for a parameter's name."""


@torch.no_grad()
def initialise(model: nn.Module, generator: Drawer, embedding: str, spread: float) -> None:
    """Set all parameters, by torch's own defaults.

    Recurrent layers: uniform within 1 / sqrt(H). Linear layers: weight and bias uniform within
    1 / sqrt(fan in). Embeddings: `normal` is N(0, 1), `uniform` is within +-spread, `xavier` as
    Glorot and Bengio 2010.
    """
    for module_name, module in model.named_modules():
        for name, parameter in module.named_parameters(module_name, recurse=False):
            drawn = generator(name)
            if isinstance(module, nn.Embedding):
                _embed(parameter, drawn, embedding, spread)
            elif isinstance(module, nn.RNNBase):
                bound = module.hidden_size**-0.5
                parameter.uniform_(-bound, bound, generator=drawn)
            elif isinstance(module, nn.Linear):
                bound = module.in_features**-0.5
                parameter.uniform_(-bound, bound, generator=drawn)
            else:
                raise AssertionError(f"no rule for {name} of {type(module).__name__}")


def _embed(table: Tensor, drawn: torch.Generator, init: str, spread: float) -> None:
    if init == "normal":
        table.normal_(generator=drawn)
    elif init == "uniform":
        table.uniform_(-spread, spread, generator=drawn)
    else:
        nn.init.xavier_uniform_(table, generator=drawn)
