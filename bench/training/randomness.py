"""Makes one generator for each purpose, keyed by seed, purpose and name; global ones are not used.

So two variants that share a seed share all that they can share: the first values of parameters
of one name and shape, the order of the data, the tosses of the coin.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch


def key(seed: int, purpose: str, name: str = "") -> int:
    """Return 63 bits that depend on all three and on nothing else."""
    text = f"{seed}\0{purpose}\0{name}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def torch_generator(
    seed: int, purpose: str, name: str = "", device: str = "cpu"
) -> torch.Generator:
    """Return a torch generator with that key as its seed."""
    return torch.Generator(device).manual_seed(key(seed, purpose, name))


def numpy_generator(seed: int, purpose: str, name: str = "") -> np.random.Generator:
    """Return a numpy generator with that key as its seed."""
    return np.random.default_rng(key(seed, purpose, name))
