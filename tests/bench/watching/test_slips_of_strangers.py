"""Plants slips that people made in scripts of their own; each is named, its sound twin is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.watching.scripts import causes, findings
from tests.wild.scripts import scripts

WITHOUT_PADDING = (
    "        token = logits.argmax(-1)",
    "        token = logits[..., 1:].argmax(-1) + 1",
)
STATE_LOST = (
    "        logits, state = model.decode(token, state)",
    "        logits, _ = model.decode(token, state)",
)
SEES_LATER = (
    "        output, state = self.decoder(self.target(fed), state)",
    "        seen = self.target(fed)\n"
    "        output, state = self.decoder(seen.flip(1).cumsum(1).flip(1), state)",
)
SEES_EARLIER = (
    "        output, state = self.decoder(self.target(fed), state)",
    "        output, state = self.decoder(self.target(fed).cumsum(1), state)",
)
KEPT = ("nn.Dropout(0.1)", "nn.Dropout(0.9)")


def test_symbols_chosen_among_all_but_padding_are_an_evaluation(tmp_path: Path) -> None:
    assert causes(tmp_path, [WITHOUT_PADDING]) == []
    lost = [("state-not-carried-at-evaluation", "certain")]
    assert findings(tmp_path, WITHOUT_PADDING, STATE_LOST) == lost


def test_a_decoder_that_sees_later_symbols(tmp_path: Path) -> None:
    assert causes(tmp_path, [SEES_LATER]) == ["looks-ahead"]
    assert causes(tmp_path, [SEES_EARLIER]) == []


def test_the_probability_to_keep_given_for_that_to_drop(tmp_path: Path) -> None:
    assert causes(tmp_path, [KEPT])[:1] == ["dropout-too-strong"]


FUNCTIONAL = {
    script.name: script.text
    for script in scripts("building")
    if script.style == "functional_digits"
}
"""Scripts without modules and optimizers: a function, its gradients by torch.func, and an Adam
written out."""


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("train", None),
        ("half-grads", "part-left-out"),
        ("eos-weight", "no-eos-in-loss"),
        ("wrong-sign", "loss-maximised"),
        ("decay-per-step", "schedule-too-fast"),
        ("ids-collide", "ids-collide"),
        ("test-ids", "sources-unlike-training"),
    ],
)
def test_a_slip_in_a_functional_script(tmp_path: Path, name: str, cause: str | None) -> None:
    replaced = [
        ("BATCH, STEPS = 64, 500", "BATCH, STEPS = 16, 110"),
        ("WARMUP = 50", "WARMUP = 5"),
        ("make_data(k_train, 8000)", "make_data(k_train, 400)"),
        ('if __name__ == "__main__":', "if True:"),
        ("int(sys.argv[1]) if len(sys.argv) > 1 else 0", "0"),
    ]
    found = causes(tmp_path, replaced, FUNCTIONAL[name])
    assert found[:1] == ([] if cause is None else [cause])
