"""Names of torch calls that the recorder treats in a way of their own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

MAKERS = frozenset(
    "zeros ones full arange empty tensor eye as_tensor from_numpy LongTensor linspace".split()
)
"""Calls that make tensors of no tensor."""
UNRECORDED = frozenset(
    "grad.__get__ _record_function_enter_new _record_function_exit is_leaf.__get__ "
    "requires_grad.__get__ __format__ __repr__ is_sparse.__get__ retain_grad".split()
)
"""Calls that return a tensor which no value of the training depends on, or a gradient."""
CLIPPING = frozenset(
    "_foreach_norm _foreach_mul_ linalg_vector_norm norm mul_ stack clamp _foreach_clamp_min_ "
    "_foreach_clamp_max_ clamp_ to isfinite".split()
)
"""Calls that torch's functions for clipping gradients make."""
CLIPS = ("nn/utils/clip_grad.py",)
CLIP_FUNCTIONS = frozenset({"clip_grad_norm_", "clip_grad_value_"})
OPTIMIZERS = ("/torch/optim/",)
AFTER_STEP = ("/torch/optim/", "/torch/amp/", "/torch/cuda/amp/")
"""Folders of torch's code whose calls belong to the step that was just taken."""
ASKING = frozenset(
    "dim numel nelement size shape.__get__ data.__get__ data_ptr is_floating_point __len__ "
    "device.__get__ "
    "dtype.__get__ ndim.__get__ requires_grad_ detach to cpu cuda float is_sparse.__get__ "
    "is_cuda.__get__ untyped_storage storage_offset stride is_contiguous".split()
)
"""Calls on parameters with which no forward pass begins: scripts count and move them."""
COMPUTING = frozenset("T mT H mH real imag".split())
"""Properties of a tensor that are computed from it."""


def asks(name: str) -> bool:
    """Return whether a call only asks for a fact about a tensor, or moves it."""
    owner, _, method = name.rpartition(".")
    return name in ASKING or (method == "__get__" and owner not in COMPUTING)


LOOKUPS = frozenset("embedding __getitem__ index_select".split())


def looks_up(name: str, args: Iterable[Any]) -> bool:
    """Return whether a call takes rows of a matrix by the ids of symbols."""
    if name not in LOOKUPS:
        return False
    tensors = [one for one in args if isinstance(one, Tensor)]
    matrix = any(one.dim() == 2 and one.is_floating_point() for one in tensors)
    return matrix and any(one.dtype == torch.int64 for one in tensors)


RANDOM = frozenset(
    "dropout dropout_ feature_dropout alpha_dropout bernoulli bernoulli_ rand randn randint "
    "rand_like randn_like randint_like normal normal_ uniform_ multinomial randperm gru lstm "
    "rnn_tanh rnn_relu rrelu gumbel_softmax random_ exponential_ scaled_dot_product_attention "
    "multi_head_attention_forward dropout1d dropout2d".split()
)
"""Calls that may draw random numbers: the generator's state is kept with them."""
CHANGING = frozenset({"__setitem__", "data.__set__", "requires_grad.__set__"})
"""Calls that are kept although they return no tensor, because they change one."""
HANDING = frozenset("tolist item numpy __int__ __index__ __float__ __array__".split())
"""Calls that hand values over to Python."""
SKIPPED = HANDING | {"backward", "grad.__set__", "requires_grad.__set__"}
"""Calls that are kept and not run again."""

CUTTING = frozenset({"detach", "data.__get__", "tensor"})
"""Calls whose result is the argument, cut off from its history."""

VIEWS = frozenset(
    "view view_as reshape transpose t __getitem__ expand squeeze unsqueeze detach permute chunk "
    "split unbind narrow select flatten".split()
)
"""Calls that may return their argument's memory without writing to it."""
