"""Sets the first values of every parameter, each drawn by its own name.

So two variants that share a seed and a parameter of one name and shape share its values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from variants.cells import Cell

WEIGHT_INITS = {
    "default": "torch's for recurrent and linear layers: uniform within 1 / sqrt(H) and within "
    "1 / sqrt(fan in); the Transformer's attention as linear layers too",
    "xavier": "Glorot and Bengio 2010, eq. 16, gate by gate; biases 0",
    "orthogonal": "recurrent matrices orthogonal, gate by gate (Saxe et al. 2014, section 3), the "
    "rest as default",
}

Drawer = Callable[[str], torch.Generator]
"""Returns the generator for a parameter's name."""


@runtime_checkable
class OwnValues(Protocol):
    """A part that draws its own parameters; others get what `weight_init` says."""

    def first_values(self, parameter: Tensor, generator: torch.Generator) -> None:
        """Set one of the part's own parameters, of any shape."""


@torch.no_grad()
def initialise(
    model: nn.Module, generator: Drawer, weight_init: str = "default", forget_bias: float = 0.0
) -> None:
    """Set all parameters of a model.

    The part that holds a parameter sets it if it says how; else `weight_init` does, as far as it
    belongs to a linear, recurrent or attention layer.

    forget_bias: added to the bias of every forget gate (Jozefowicz et al. 2015, section 3.1).
    """
    cells = {name: cell for name, cell in model.named_modules() if isinstance(cell, Cell)}
    owner = {module: cell for cell in cells.values() for module in cell.modules()}
    for module_name, module in model.named_modules():
        for name, parameter in module.named_parameters(module_name, recurse=False):
            _set(parameter, name, module, owner.get(module), weight_init, generator(name))
    for cell_name, cell in cells.items():
        if weight_init == "orthogonal" and cell.recurrent:
            _set_orthogonal(cell, generator(f"{cell_name}.orthogonal"))
        _add_forget_bias(cell, forget_bias)


def _add_forget_bias(cell: Cell, forget_bias: float) -> None:
    """Add to the bias of a cell's forget gate, if it has one."""
    bias = cell.forget_bias()
    if bias is not None:
        bias.add_(forget_bias)


def _set_orthogonal(cell: Cell, drawn: torch.Generator) -> None:
    """Set each recurrent matrix of a cell to an orthogonal one, gate by gate."""
    for block in cell.recurrent_blocks():
        nn.init.orthogonal_(block, generator=drawn)


def _set(
    parameter: Tensor,
    name: str,
    module: nn.Module,
    cell: Cell | None,
    weight_init: str,
    drawn: torch.Generator,
) -> None:
    """Set one parameter, of any shape. module: what holds it. cell: the cell that module is in."""
    if isinstance(module, OwnValues):
        module.first_values(parameter, drawn)
    elif isinstance(module, nn.LayerNorm):
        parameter.fill_(float(name.endswith("weight")))
    elif (fan_in := _fan_in(module, cell)) is None:
        pass  # a part from outside keeps what its constructor gave it
    elif weight_init == "xavier":
        # torch's own attention stacks its three projections
        blocks = 3 if name.endswith("in_proj_weight") else 1
        if cell is not None:
            blocks = max(len(parameter) // cell.hidden, 1)
        _xavier(parameter, blocks, drawn)
    else:
        parameter.uniform_(-(fan_in**-0.5), fan_in**-0.5, generator=drawn)


def _xavier(parameter: Tensor, blocks: int, drawn: torch.Generator) -> None:
    """Set a bias (O) to zeros, or each block that a weight (O, I) stacks by Glorot's rule."""
    if parameter.ndim == 1:
        parameter.zero_()
        return
    for block in parameter.chunk(blocks):
        nn.init.xavier_uniform_(block, generator=drawn)


def _fan_in(module: nn.Module, cell: Cell | None) -> int | None:
    """Return what torch's default bounds depend on: H in a cell, else a linear layer's inputs.

    None for other modules.
    """
    if isinstance(module, nn.RNNBase):
        return module.hidden_size
    if isinstance(module, nn.MultiheadAttention):
        return int(module.embed_dim)
    size = getattr(module, "in_features", None)
    if not isinstance(size, int):
        return None
    return size if cell is None else cell.hidden
