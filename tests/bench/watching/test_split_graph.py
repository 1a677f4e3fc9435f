"""A model that is cut in two, whose second backward pass goes on from the gradients at the cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.watching.scripts import causes, findings

CUTS = (
    "torch.autograd.Variable(state.data, requires_grad=True)",
    "state.detach().requires_grad_()",
)
DECODES = "logits, _ = model.decode(target[:, :-1], state)"
BACKWARD = "        loss.backward()\n"


def cut_in_two(cut: str, *, goes_on: bool = True) -> list[tuple[str, str]]:
    """Return what is replaced so that encoder and decoder have a graph each."""
    decodes = f"cut = {cut}\n        logits, _ = model.decode(target[:, :-1], cut)"
    second = "        state.backward(cut.grad)\n" if goes_on else ""
    return [(DECODES, decodes), (BACKWARD, BACKWARD + second)]


@pytest.mark.parametrize("cut", CUTS)
def test_gradients_that_are_handed_on_are_no_cut(cut: str, tmp_path: Path) -> None:
    assert causes(tmp_path, cut_in_two(cut)) == []


def test_gradients_that_are_not_handed_on_are_one(tmp_path: Path) -> None:
    found = findings(tmp_path, *cut_in_two(CUTS[1], goes_on=False))
    assert found[:1] == [("encoder-detached", "certain")]


def test_what_is_fed_is_seen_beyond_the_cut(tmp_path: Path) -> None:
    fed = ("target[:, :-1], cut", "target[:, 1:], cut")
    (old, new), *others = cut_in_two(CUTS[0])
    assert causes(tmp_path, [(old, new.replace(*fed)), *others])[:1] == ["unshifted-targets"]
