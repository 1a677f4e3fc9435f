"""A loss that is computed part by part to save memory, as OpenNMT's authors do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.watching.scripts import causes, findings

DECODES = "        logits, _ = model.decode(target[:, :-1], state)\n"
STATES = """        states, _ = model.decoder(model.target(target[:, :-1]), state)
"""
LOSS = "        loss = loss_of(logits.flatten(0, 1), target[:, 1:].flatten())\n"
UPDATE = """        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""
CUT = "cut = torch.autograd.Variable(states.data, requires_grad=True)"
ONE_LEAF = """        optimizer.zero_grad()
        {cut}
        for part, asked in zip(cut.split(2, 1), target[:, 1:].split(2, 1)):
            loss = loss_of(model.out(part).flatten(0, 1), asked.flatten()) * (asked != 0).sum() / 80
            loss.backward()
        {second}
        optimizer.step()
"""
LEAVES = """        optimizer.zero_grad()
        leaves = []
        for part, asked in zip(states.split(2, 1), target[:, 1:].split(2, 1)):
            leaf = part.data.clone()
            leaf.requires_grad = True
            leaves.append(leaf)
            loss = sums(model.out(leaf).flatten(0, 1), asked.flatten()) / 80
            loss.backward()
        torch.autograd.backward(states.split(2, 1), [leaf.grad for leaf in leaves])
        optimizer.step()
"""
SUMS = (
    "model.train()\n",
    "sums = nn.CrossEntropyLoss(ignore_index=0, reduction='sum')\nmodel.train()\n",
)


def in_parts(how: str, *, goes_on: bool = True) -> list[tuple[str, str]]:
    """Return what is replaced so that each part of the steps has a backward pass."""
    second = "states.backward(cut.grad)" if goes_on else ""
    update = LEAVES if how == "leaves" else ONE_LEAF.format(cut=CUT, second=second)
    return [(DECODES, STATES), (LOSS, ""), (UPDATE, update), SUMS]


@pytest.mark.parametrize("how", ["Variable", "leaves"])
def test_a_loss_in_parts_accuses_nobody(how: str, tmp_path: Path) -> None:
    assert causes(tmp_path, in_parts(how)) == []


@pytest.mark.parametrize("how", ["Variable", "leaves"])
def test_what_is_fed_is_seen_in_all_parts(how: str, tmp_path: Path) -> None:
    unshifted = ("model.target(target[:, :-1])", "model.target(target[:, 1:])")
    (old, new), *others = in_parts(how)
    found = causes(tmp_path, [(old, new.replace(*unshifted)), *others])
    assert found[:1] == ["unshifted-targets"]


def test_gradients_that_are_left_at_the_cut_are_the_only_fault(tmp_path: Path) -> None:
    found = findings(tmp_path, *in_parts("Variable", goes_on=False))
    assert found[0] in [("encoder-detached", "certain"), ("graph-cut", "certain")]
    assert len(found) == 1
