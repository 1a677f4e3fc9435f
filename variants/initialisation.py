"""First values of every parameter, each drawn by its own name.

So two variants that share a seed and a parameter of one name and shape share its values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

Drawer = Callable[[str], torch.Generator]
"""The generator for a parameter's name."""


@runtime_checkable
class OwnValues(Protocol):
    """A part that draws its own parameters; others get torch's defaults."""

    def first_values(self, parameter: Tensor, generator: torch.Generator) -> None:
        """Set one parameter of the part's own."""


@torch.no_grad()
def initialise(model: nn.Module, generator: Drawer) -> None:
    """Set all parameters: by the part that holds them if it says how, else by torch's defaults,
    uniform within 1 / sqrt(H) for recurrent layers and 1 / sqrt(fan in) for linear ones."""
    for module_name, module in model.named_modules():
        for name, parameter in module.named_parameters(module_name, recurse=False):
            drawn = generator(name)
            if isinstance(module, OwnValues):
                module.first_values(parameter, drawn)
            elif isinstance(module, nn.RNNBase):
                parameter.uniform_(
                    -(module.hidden_size**-0.5), module.hidden_size**-0.5, generator=drawn
                )
            elif isinstance(module, nn.Linear):
                parameter.uniform_(
                    -(module.in_features**-0.5), module.in_features**-0.5, generator=drawn
                )
            else:
                raise AssertionError(f"nobody says how {name} of {type(module).__name__} begins")
