"""The models of specs: built with their first weights, and kept in files with trained ones."""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import nn

from bench.specs import RunSpec
from bench.training.pretrained import pretrained
from bench.training.process import RunError
from bench.training.randomness import torch_generator
from results.errors import FULL, PATIENCE, PAUSE
from tasks import Task
from variants import Model, Variant
from variants import build as build_model
from variants.axes import from_record


def build_initial(spec: RunSpec, task: Task, data: Path | None = None) -> Model:
    """Return the model of a spec before its first step, on the CPU.

    data: folder of word vectors, where the variant starts from such.
    """
    return first_model(from_record(spec.variant), task, spec.seed, data)


def first_model(variant: Variant, task: Task, seed: int, data: Path | None = None) -> Model:
    """Return a variant's model for a task with the first weights of a seed, on the CPU.

    data: folder of word vectors, where the variant starts from such.
    """
    return build_model(
        variant,
        task.facts.source_size,
        task.facts.target_sizes,
        task.facts.tagging,
        lambda name: torch_generator(seed, "init", name),
        longest=task.splits["train"].source.longest,
        pretrained=pretrained(variant, task, data),
    )


def save_weights(model: nn.Module, spec: RunSpec, path: Path) -> None:
    """Write a model's weights to a safetensors file, with the spec that made them.

    The file is written whole or not at all. While the disk is full, wait for room.

    Raises:
        RunError: where the file cannot be written, or there is no room for too long.
    """
    # copies, as safetensors refuses tensors that share memory, which tied weights do
    tensors = {
        name: value.detach().clone(memory_format=torch.contiguous_format)
        for name, value in model.state_dict().items()
    }
    content = save(tensors, metadata={"spec": json.dumps(spec.plain())})
    began = time.monotonic()
    while True:
        try:
            return _write(content, path)
        except OSError as error:
            # what was trained is worth waiting for, as the driver does for what it writes
            if error.errno not in FULL or time.monotonic() - began > PATIENCE:
                raise RunError(
                    f"weights cannot be kept in {path.parent} ({error}); free some space"
                ) from error
        time.sleep(PAUSE)


def _write(content: bytes, path: Path) -> None:
    unfinished = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


def load_trained(spec: RunSpec, task: Task, data: Path | None, path: Path) -> Model:
    """Return the model of a spec with the weights that `save_weights` wrote to a file."""
    model = build_initial(spec, task, data)
    model.load_state_dict(load_file(path))
    return model
