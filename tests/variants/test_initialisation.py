"""Proves that first values are what the axes weight_init, forget_bias and initial_state say."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.small import SMALL, built, close
from variants import Model
from variants.axes import parse
from variants.cells import CELLS, Cell
from variants.initialisation import WEIGHT_INITS
from variants.seq2seq import Seq2Seq

LARGE = parse("hidden=40,embedding=30", SMALL)


def cells(model: Model) -> list[Cell]:
    return [module for module in model.modules() if isinstance(module, Cell)]


@pytest.mark.parametrize("cell", [name for name, kind in CELLS.items() if kind.recurrent])
def test_orthogonal(cell: str) -> None:
    model = built(f"cell={cell},weight_init=orthogonal,depth=2", base=LARGE)
    plain = built(f"cell={cell},depth=2", base=LARGE)
    for one, other in zip(cells(model), cells(plain), strict=True):
        blocks = one.recurrent_blocks()
        assert len(blocks) == one.gates
        for block in blocks:
            unit = block @ block.T - torch.eye(40, dtype=torch.float64)
            assert unit.abs().max() < 1e-5  # drawn in float32
        assert not torch.allclose(blocks[0], other.recurrent_blocks()[0])
    # nothing else changed
    changed = {
        name
        for (name, value), other in zip(model.named_parameters(), plain.parameters(), strict=True)
        if not torch.equal(value, other)
    }
    assert all("hh" in name or "recurrence" in name for name in changed)


@pytest.mark.parametrize("cell", [*CELLS, "transformer"])
def test_xavier(cell: str) -> None:
    """Uniform within sqrt(6 / (fan in + fan out)), gate by gate; biases 0."""
    model = built(f"cell={cell},weight_init=xavier", base=LARGE)
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            assert (module.weight == 1).all()
    for one in cells(model):
        for parameter in one.parameters():
            if parameter.ndim == 2:
                for block in parameter.chunk(one.gates):
                    bound = (6 / sum(block.shape)) ** 0.5
                    assert 0.8 * bound < block.abs().max() <= bound
    output = model.get_parameter("decoder.output.weight")
    bound = (6 / sum(output.shape)) ** 0.5
    assert 0.8 * bound < output.abs().max() <= bound
    assert (model.get_parameter("decoder.output.bias") == 0).all()


@pytest.mark.parametrize("how", WEIGHT_INITS)
@pytest.mark.parametrize("cell", ["lstm", "lstm-layernorm", "slstm", "minlstm"])
def test_forget_bias_is_added(cell: str, how: str) -> None:
    if how == "orthogonal" and not CELLS[cell].recurrent:
        return
    text = f"cell={cell},weight_init={how}"
    plain, raised = built(text), built(f"{text},forget_bias=1.5")
    for one, other in zip(cells(plain), cells(raised), strict=True):
        before, after = one.forget_bias(), other.forget_bias()
        assert before is not None
        assert after is not None
        torch.testing.assert_close(after, before + 1.5, rtol=0, atol=1e-6)  # added in float32
        after.data.copy_(before)
    for mine, theirs in zip(plain.parameters(), raised.parameters(), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
@pytest.mark.parametrize("cell", CELLS)
def test_initial_states(cell: str, direction: str) -> None:
    text = f"cell={cell},direction={direction},encoder_depth=2"
    plain, learned, normal = (
        dict(built(f"{text},initial_state={kind}").named_parameters())
        for kind in ("zeros", "learned", "normal")
    )
    added = learned.keys() - plain.keys()
    assert added == normal.keys() - plain.keys()
    assert len(added) == (4 if direction == "bidirectional" else 2)
    for name in added:
        assert learned[name].shape == (CELLS[cell].given, 8)
        assert learned[name].requires_grad
        assert (learned[name] == 0).all()
        assert not normal[name].requires_grad
        assert 0.1 < normal[name].std() < 3


def test_learned_zeros_begin_as_zeros() -> None:
    """Before a step, what is to be learned is what it would be without."""
    from tests.small import rows, sequences

    batch = sequences(rows(3, 4))
    for cell in CELLS:
        if cell == "slstm":
            continue  # there a given c counts as read once
        plain, learned = (
            built(f"cell={cell},initial_state={kind}").score(batch)[0]
            for kind in ("zeros", "learned")
        )
        close(plain, learned)


def test_states_that_are_drawn_anew() -> None:
    """In training each row and batch has its own; in testing one is kept, so outputs repeat."""
    from tests.small import rows, sequences

    model, batch = built("cell=lstm,initial_state=drawn"), sequences(rows(3, 4))
    assert isinstance(model, Seq2Seq)
    generator = torch.Generator().manual_seed(0)
    (first,), (second,) = (model.score(batch, None, generator) for _ in range(2))
    assert not torch.equal(first, second)
    generator.manual_seed(0)
    close(model.score(batch, None, generator)[0], first)
    close(model.score(batch)[0], model.score(batch)[0])
    # by torch's own LSTM, from the state that the generator draws first
    names = dict(model.named_parameters())
    lstm = torch.nn.LSTM(5, 8, batch_first=True).double()
    for part in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        getattr(lstm, part).data = names[f"encoder.stack.cells.0.layer.{part}"].data
    h, c = torch.randn((2, 4, 8), generator=generator.manual_seed(0), dtype=torch.float64)
    embedded = torch.nn.functional.embedding(batch.source_BS, names["embedding.table"])
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        embedded, batch.lengths_B, batch_first=True, enforce_sorted=False
    )
    _, (last, _) = lstm(packed, (h[None], c[None]))
    read = model._read(batch, generator.manual_seed(0))
    close(read.states[0].h_BH, last[0])


def test_one_hot_inputs_choose_columns() -> None:
    """A linear map of a one-hot vector is a column of its weights: an embedding of its own."""
    from tests.small import rows, sequences

    base = "embedding=64,embedding_init=one-hot"
    model, batch = built(base), sequences(rows(3, 4))
    assert isinstance(model, Seq2Seq)
    vectors = model.embedding(batch.source_BS)
    assert vectors.shape == (*batch.source_BS.shape, 11)
    assert torch.equal(vectors.argmax(-1), batch.source_BS)
    assert (vectors.sum(-1) == 1).all()
    assert all(not p.requires_grad for n, p in model.named_parameters() if "embedding.table" in n)
    weight_GV = dict(model.named_parameters())["encoder.stack.cells.0.layer.weight_ih_l0"]
    close(vectors @ weight_GV.T, torch.nn.functional.embedding(batch.source_BS, weight_GV.T))
