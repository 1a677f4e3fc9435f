"""Plants slips of rows, feeding and data that show in a few steps; their sound twins are clean."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.watching.scripts import causes

Replaced = list[tuple[str, str]]

LONGER = ("randint(2, 4)", "randint(4, 6)")
"""Sequences whose shift by two shows: of three steps it would show at one."""
TWICE = ("letter.upper() for letter in letters]", "letter.upper() for letter in letters * 2]")
"""Targets that are not as long as their sources, so that an end symbol is needed."""
FEW_STEPS: Replaced = [("range(400)", "range(64)"), ("range(6):", "range(1):")]
PACKED = """        packed = pack_padded_sequence(
            self.source(source), lengths, batch_first=True, enforce_sorted=False
        )
        return self.encoder(packed)[1]"""
SORTED = """        order = lengths.argsort(descending=True)
        packed = pack_padded_sequence(self.source(source)[order], lengths[order], batch_first=True)
        return self.encoder(packed)[1]"""
BATCHES = "for source, lengths, target in batches():"
LOGITS = "model.decode(target[:, :-1], state)"
LOSS = "loss_of(logits.flatten(0, 1), target[:, 1:].flatten())"
DROPOUT = "        self.dropout = nn.Dropout(0.1)\n"
KEPT = DROPOUT + "        self.kept = torch.zeros(1, 16, 48)\n"
CARRIED = """        packed = pack_padded_sequence(
            self.source(source), lengths, batch_first=True, enforce_sorted=False
        )
        state = self.encoder(packed, self.kept[:, : len(source)])[1]
        if self.training:
            self.kept = state.detach()
        return state"""
BRIDGE = DROPOUT + "        self.bridge = nn.Linear(24, 48)\n"
SUMMED = "        return self.bridge(self.source(source).sum(1))[None]"


@pytest.mark.parametrize(
    ("replaced", "cause"),
    [
        ([(PACKED, SORTED)], "rows-not-restored"),
        ([(PACKED, CARRIED), (DROPOUT, KEPT)], "state-carried"),
        ([(PACKED, SUMMED), (DROPOUT, BRIDGE)], "source-order-lost"),
        (
            [LONGER, (LOGITS, LOGITS.replace(":-1", ":-2")), (LOSS, LOSS.replace("1:", "2:"))],
            "targets-shifted",
        ),
        ([(LOGITS, LOGITS.replace(":-1", "1:"))], "unshifted-targets"),
        ([(BATCHES, "for source, lengths, target in [next(batches())] * 4:")], "same-batch-only"),
        ([TWICE, (" + [2])", ")")], "no-eos-in-loss"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_slip_is_named_first(tmp_path: Path, replaced: Replaced, cause: str) -> None:
    assert causes(tmp_path, FEW_STEPS + replaced)[:1] == [cause]


@pytest.mark.parametrize(
    "replaced",
    [
        [],
        [(PACKED, SORTED + "[:, order.argsort()]")],
        [(PACKED, CARRIED.replace("state.detach()", "state.detach() * 0")), (DROPOUT, KEPT)],
    ],
    ids=["plain", "sorted and put back", "fresh state"],
)
def test_sound_twins_are_clean(tmp_path: Path, replaced: Replaced) -> None:
    assert causes(tmp_path, FEW_STEPS + replaced) == []
