"""What every test runs under: one thread, no clock in any assertion, repeatable draws in CI."""

from __future__ import annotations

import os

import torch
from hypothesis import settings

torch.set_num_threads(1)

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
