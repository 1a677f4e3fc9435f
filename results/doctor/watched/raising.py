"""Judges the error that ended a training script: what it means, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from results.doctor.examined import SURE, Finding


@dataclass(frozen=True)
class RaisedSeen:
    """The error that ended the training, and the line of the user's code where it came up."""

    kind: str
    """The error's class, as TypeError."""
    message: str
    place: str = ""
    uncalled: tuple[str, ...] = ()
    """Functions and methods that this line uses as if they were values, as `random.random`."""
    facts: tuple[str, ...] = ()
    """Further facts, as clauses: sizes and ids at the call that failed."""


class Explanation(NamedTuple):
    """Errors that match a pattern, why they happen, and the line to change."""

    pattern: str
    """Matches `Kind: message`."""
    why: str
    change: str


EXPLANATIONS = (
    Explanation(
        r"^IndexError: index out of range in self",
        "an id is not smaller than the number of rows of the embedding that looks it up",
        "nn.Embedding(num_embeddings, ...) with num_embeddings = the largest id + 1; count the "
        "padding, start, end and unknown symbols too",
    ),
    Explanation(
        r"^IndexError: Target -?\d+ is out of bounds",
        "a target id is not smaller than the number of values that the last layer gives for each "
        "symbol",
        "give the last layer one output per target symbol, nn.Linear(hidden_size, "
        "target_vocabulary_size), or correct the ids",
    ),
    Explanation(
        r"device-side assert",
        "on a GPU this nearly always is an id that is too large for an embedding, or a target that "
        "is too large for the loss; a GPU reports late, so the line shown may not be the one",
        "run it on the CPU, where the error names the line: CUDA_VISIBLE_DEVICES= bench doctor ...",
    ),
    Explanation(
        r"^(Runtime|Value)Error: .*(batch_size \(\d+\) to match target batch_size|"
        r"Expected target size)",
        "the loss gets another number of predictions than of targets; CrossEntropyLoss takes "
        "predictions (N, symbols) with targets (N), or (N, symbols, steps) with targets (N, steps)",
        "loss = criterion(output.reshape(-1, output.shape[-1]), target.reshape(-1)), after both "
        "are cut to the same steps",
    ),
    Explanation(
        r"^RuntimeError: (mat1 and mat2 shapes|size mismatch|input\.size\(-1\) must be equal|"
        r"Expected hidden|Sizes of tensors must match|The size of tensor a|The expanded size|"
        r"Expected size for first two dimensions|shape '\[|For (un)?batched)",
        "the shapes of two tensors do not fit together on this line",
        "print the shapes of the tensors on this line; common causes: (batch, time) where (time, "
        "batch) is expected (batch_first=True), a missing unsqueeze, the sizes of two layers",
    ),
    Explanation(
        r"^RuntimeError: Trying to backward through the graph a second time",
        "a tensor of an earlier batch, most often the hidden state, is still connected to that "
        "batch's graph",
        "begin each batch with a new hidden state, or cut it off: hidden = hidden.detach()",
    ),
    Explanation(
        r"^RuntimeError: one of the variables needed for gradient computation has been modified",
        "a tensor that backward still needs was changed in place",
        "write x = x + y instead of x += y, and fill a list with torch.stack at its end instead of "
        "outputs[t] = ...",
    ),
    Explanation(
        r"^RuntimeError: element 0 of tensors does not require grad",
        "no parameter is connected to the loss: it was computed under no_grad, from detached or "
        "argmax values, or of data alone",
        "compute the loss from the model's own outputs, without .data, .detach(), .item(), argmax "
        "or torch.no_grad()",
    ),
    Explanation(
        r"(contains either `inf`, `nan`|cannot convert float NaN|invalid values:\s*tensor\(\[+nan|"
        r"returned nan values)",
        "a value has become NaN (not a number), and everything computed from it is NaN as well",
        "print the loss of each step to see where it starts; then a smaller learning rate, "
        "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0) before optimizer.step(), and no "
        "log(0), division by 0 or row that is masked whole",
    ),
    Explanation(
        r"Expected all tensors to be on the same device",
        "the model and the batch, or a tensor made in between, are on different devices",
        "tensor = tensor.to(device) for the batch, and device=x.device where a tensor is made",
    ),
    Explanation(
        r"^ValueError: optimizer got an empty parameter list",
        "the model has no registered parameters, for example because its layers are in a Python "
        "list",
        "self.layers = nn.ModuleList([...]) in place of a list",
    ),
    Explanation(
        r"expected (m1 and m2 to have the same dtype|scalar type)|of the following scalar types",
        "a tensor has another type than this call takes: ids must be integers (long), inputs of "
        "layers floats",
        "ids.long() for symbols and targets, x.float() for inputs of a layer",
    ),
    Explanation(
        r"(out of memory|not enough memory|MemoryError)",
        "the tensors of this step do not fit into memory",
        "a smaller batch, or loss.item() where losses are summed for printing: a kept loss keeps "
        "its whole graph",
    ),
)
"""The first that matches counts."""


def script_raises(raised: RaisedSeen) -> Iterator[Finding]:
    """Yield the error that ended the training."""
    error = f"{raised.kind}: {raised.message}" if raised.message else raised.kind
    why, change = _explained(raised, error)
    evidence = "; ".join([_first_lines(error), *raised.facts])
    yield Finding("script-raises", SURE, evidence, change, place=raised.place, why=why)


def _explained(raised: RaisedSeen, error: str) -> tuple[str, str]:
    if raised.uncalled:
        names = " and ".join(f"`{name}`" for name in raised.uncalled)
        calls = " and ".join(f"`{name}()`" for name in raised.uncalled)
        return (
            f"{names} is the function itself and not the value that it returns, because the "
            "brackets after it are missing",
            f"write {calls} on this line",
        )
    for known in EXPLANATIONS:
        if re.search(known.pattern, error, re.S):
            return known.why, known.change
    return (
        "the script ends here, so nothing after this line runs",
        "correct this line; the traceback above shows how the script came to it",
    )


def _first_lines(error: str, most: int = 300) -> str:
    text = " ".join(error.split())
    return text if len(text) <= most else text[: most - 4] + " ..."


RAISING_RULES = (script_raises,)
