"""Proves that JoeyNMT 2.3.0 and this suite compute the same, given the same weights.

Its recurrent encoder and decoder, with Bahdanau's and Luong's attention, input feeding, LSTM and
GRU, give our logits and attention within 1e-5 on padded batches.
JoeyNMT lives in an environment of its own, whose Python the variable JOEYNMT_PYTHON names; see
.ci/run, which makes it.
"""

from __future__ import annotations

import json
import os
import subprocess
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.training.batching import collate
from bench.training.randomness import torch_generator
from tasks import Facts, Ragged, Split
from tests.peers.joeynmt_weights import theirs
from variants import Batch, build
from variants.axes import parse
from variants.cells import HiddenAndCell
from variants.decoder import Decoder, State
from variants.seq2seq import Seq2Seq

PYTHON = os.environ.get("JOEYNMT_PYTHON", "")
pytestmark = pytest.mark.skipif(not PYTHON, reason="no JoeyNMT (set JOEYNMT_PYTHON)")
SOURCES, TARGETS, HIDDEN, EMBEDDING = 17, 13, 8, 6
ATTENTIONS = {"bahdanau": "additive", "luong": "general"}
CASES = [
    *product(("lstm", "gru"), ATTENTIONS, (True, False), (1, 2), ("zero",)),
    *product(("lstm", "gru"), ATTENTIONS, (True, False), (1,), ("bridge",)),
]


def ours(cell: str, attention: str, feeding: bool, depth: int, start: str) -> Seq2Seq:
    text = (
        f"cell={cell},attention={ATTENTIONS[attention]},depth={depth},direction=bidirectional,"
        f"input_feeding={'on' if feeding else 'off'},hidden={HIDDEN},embedding={EMBEDDING}"
    )
    text += ",bridge=zero" if start == "zero" else ""
    variant = parse(text)
    model = build(
        variant,
        SOURCES,
        (TARGETS,),
        False,
        lambda name: torch_generator(3, "init", name),
        longest=9,
    ).double()
    assert isinstance(model, Seq2Seq)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2.0)  # far from where everything is linear
        # theirs has none
        model.get_parameter("decoder.output.bias").zero_()
    return model


def batch() -> Batch:
    """Padded, longest source first, as theirs wants it."""
    random = np.random.default_rng(5)
    sources = [random.integers(3, SOURCES, size=n).tolist() for n in (9, 7, 7, 4, 1)]
    targets = [random.integers(3, TARGETS, size=n).tolist() for n in (5, 8, 1, 6, 3)]
    split = Split(Ragged.of(sources), (Ragged.of(targets),))
    return collate(split, Facts(SOURCES, (TARGETS,), 10), "cpu")


def run_ours(model: Seq2Seq, given: Batch) -> tuple[Tensor, Tensor]:
    """Logits_BTV and attention_BTS. Theirs bridges h alone, and starts c from it too."""
    memory, state = model.encode(given)
    assert isinstance(model.decoder, Decoder)
    if model.decoder.bridge.narrow:
        assert isinstance(state, State)
        alike = tuple(
            HiddenAndCell(layer.h_BH, layer.h_BH) if isinstance(layer, HiddenAndCell) else layer
            for layer in state.layers
        )
        state = state._replace(layers=alike)
    logits, weights = [], []
    for t in range(given.inputs_BT.shape[1]):
        logits_BV, state, weights_BS = model.step(given.inputs_BT[:, t], state, memory)
        assert weights_BS is not None
        logits.append(logits_BV)
        weights.append(weights_BS)
    return torch.stack(logits, 1), torch.stack(weights, 1)


Case = tuple[str, str, bool, int, str]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[Case, Path]:
    """What JoeyNMT gives for every case, by one process, as its imports take seconds."""
    found = {case: tmp_path_factory.mktemp("case") for case in CASES}
    for case, folder in found.items():
        ask(case, folder)
    script = Path(__file__).with_name("joeynmt_logits.py")
    command = [PYTHON, str(script), *map(str, found.values())]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return found


@torch.no_grad()
def ask(case: Case, folder: Path) -> None:
    """Write our weights and a batch for JoeyNMT."""
    model, given = ours(*case), batch()
    assert isinstance(model.decoder, Decoder)
    arrays = {name: value.numpy() for name, value in theirs(model).items()}
    arrays |= {
        "sources": model.embedding(given.source_BS).numpy(),
        "targets": model.decoder.embedding(given.inputs_BT).numpy(),
        "lengths": given.lengths_B.numpy(),
        "mask": given.source_mask_BS.numpy(),
    }
    names = ("cell", "attention", "feeding", "depth", "start")
    sizes = {"hidden": HIDDEN, "embedding": EMBEDDING, "symbols": TARGETS}
    (folder / "case.json").write_text(json.dumps(dict(zip(names, case, strict=True)) | sizes))
    np.savez(folder / "given.npz", **arrays)  # type: ignore[arg-type]


@pytest.mark.parametrize("case", CASES, ids=str)
@torch.no_grad()
def test_the_same_logits(case: Case, folders: dict[Case, Path]) -> None:
    model, given = ours(*case), batch()
    found = np.load(folders[case] / "logits.npz")
    logits, attention = run_ours(model, given)
    real = given.mask_BT.numpy()
    np.testing.assert_allclose(logits.numpy()[real], found["logits"][real], rtol=0, atol=1e-5)
    np.testing.assert_allclose(attention.numpy()[real], found["attention"][real], rtol=0, atol=1e-5)
    # and it is not that everything is alike
    assert np.ptp(found["logits"][real]) > 0.1
    # what training computes is what stepping computes
    cell, _, _, _, start = case
    if start == "zero" or cell == "gru":
        (scored,) = model.score(given)
        np.testing.assert_allclose(scored.numpy(), found["logits"][real], rtol=0, atol=1e-5)
