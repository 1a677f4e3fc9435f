"""Evaluations are seen from their first lookup, whatever else runs without gradients."""

from __future__ import annotations

from pathlib import Path

from tests.bench.watching.scripts import causes, findings
from tests.bench.watching.test_cut_off import IN_BATCHES

AVERAGED = (
    "        optimizer.step()\n",
    "        optimizer.step()\n"
    "        with torch.no_grad():\n"
    "            for mean, weight in zip(averaged.parameters(), model.parameters()):\n"
    "                mean.mul_(0.8).add_(weight, alpha=0.2)\n",
)
KEPT = (
    "loss_of = nn.CrossEntropyLoss(ignore_index=0)",
    "loss_of = nn.CrossEntropyLoss(ignore_index=0)\n"
    "import copy\n"
    "averaged = copy.deepcopy(model).requires_grad_(False)",
)
EVALUATED = ("model.eval()\n", "model = averaged.eval()\n")
PLAIN_LOOKUP = (
    "            self.source(source), lengths, batch_first=True, enforce_sorted=False",
    "            self.source.weight[source], lengths, batch_first=True, enforce_sorted=False",
)
BACKWARDS = (
    "right = sum(answer(source) == pair[1] for source, pair in zip(sources[:40], pairs[:40]))",
    "right = sum(answer(source.flip(0)) == pair[1] for source, pair in zip(sources, pairs))",
)
IN_ONE_BATCH = (
    "answers(range(begin, begin + 16))) for begin in range(0, 64, 16))",
    "answers(range(begin, begin + 64))) for begin in [0])",
)
BATCH_BACKWARDS = (
    "    source = pad_sequence([sources[row] for row in rows], batch_first=True)",
    "    source = pad_sequence([sources[row].flip(0) for row in rows], batch_first=True)",
)
TEACHES = (
    "    token, answers = torch.tensor([[1]]), []",
    "    logits, _ = model.decode(torch.tensor([[1, 5, 6, 7]]), state)\n"
    "    loss = loss_of(logits[0], torch.tensor([5, 6, 7, 2]))\n"
    "    token, answers = torch.tensor([[1]]), []",
)
STATE_LOST = (
    "        logits, state = model.decode(token, state)",
    "        logits, _ = model.decode(token, state)",
)
ONE_DIRECTION = (
    "    letters = [random.choice(LETTERS) for _ in range(random.randint(2, 4))]",
    "    letters = sorted(random.sample(LETTERS, random.randint(2, 4)))",
)
LONG = (
    "        token = logits.argmax(-1)\n",
    "        for _ in range(40):\n"
    "            logits = logits + 0\n"
    "        token = logits.argmax(-1)\n",
)
VALIDATED = (
    "        optimizer.zero_grad()\n",
    "        if random.random() < 0.1:\n"
    "            model.eval()\n"
    "            with torch.no_grad():\n"
    "                for source, lengths, target in batches():\n"
    "                    logits, _ = model.decode(target[:, :-1], model.encode(source, lengths))\n"
    "                    loss_of(logits.flatten(0, 1), target[:, 1:].flatten()).item()\n"
    "            model.train()\n"
    "        optimizer.zero_grad()\n",
)


def test_weights_that_are_averaged_after_each_step(tmp_path: Path) -> None:
    averaging = [AVERAGED, KEPT, EVALUATED, PLAIN_LOOKUP, ONE_DIRECTION, IN_BATCHES, IN_ONE_BATCH]
    assert causes(tmp_path, averaging) == []
    assert causes(tmp_path, [*averaging, BATCH_BACKWARDS]) == ["sources-unlike-training"]


def test_a_loss_that_is_computed_beside_the_choices(tmp_path: Path) -> None:
    """The reference that is fed for the loss is not what the choices are made of."""
    assert causes(tmp_path, [TEACHES]) == []
    lost = [("state-not-carried-at-evaluation", "certain")]
    assert findings(tmp_path, TEACHES, STATE_LOST) == lost


def test_code_that_evaluates_for_the_first_time_after_many_validations(tmp_path: Path) -> None:
    validated = [VALIDATED, LONG, ONE_DIRECTION]
    assert causes(tmp_path, validated) == []
    found = causes(tmp_path, [*validated, BACKWARDS])
    assert found == ["sources-unlike-training"]
