"""Proves that code from outside changes nothing for the runs that come after it in its process."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bench.training.surroundings import put_back_after, torch_settings


@pytest.mark.parametrize(
    "change",
    [
        lambda: torch.set_default_dtype(torch.float64),
        lambda: torch.set_grad_enabled(False),
        lambda: torch.set_default_device("meta"),
        lambda: torch.use_deterministic_algorithms(
            not torch.are_deterministic_algorithms_enabled()
        ),
        lambda: torch.set_num_threads(torch.get_num_threads() + 1),
        lambda: os.chdir("/"),
    ],
)
@pytest.mark.parametrize("raises", [False, True])
def test_what_was_changed_is_put_back(change: Callable[[], object], raises: bool) -> None:
    before = (torch_settings(), Path.cwd())
    try:
        with put_back_after():
            change()
            assert (torch_settings(), Path.cwd()) != before
            if raises:
                raise SystemExit
    except SystemExit:
        assert raises
    assert (torch_settings(), Path.cwd()) == before
