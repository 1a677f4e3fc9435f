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
LIGHT_END = (
    "loss_of = nn.CrossEntropyLoss(ignore_index=0)",
    "weights = torch.ones(len(target_texts))\n"
    "weights[2] = 1e-3\n"
    "loss_of = nn.CrossEntropyLoss(weights, ignore_index=0)",
)
GIVEN_THE_MODEL = (
    "loss_of = nn.CrossEntropyLoss(ignore_index=0)",
    "class Criterion(nn.Module):\n"
    "    def forward(self, model, source, lengths, target):\n"
    "        logits = model(source, lengths, target)\n"
    "        return nn.functional.cross_entropy(\n"
    "            logits.flatten(0, 1), target[:, 1:].flatten(), ignore_index=0)\n"
    "criterion = Criterion()",
)
CALLED = (
    "        state = model.encode(source, lengths)\n"
    "        logits, _ = model.decode(target[:, :-1], state)\n"
    "        loss = loss_of(logits.flatten(0, 1), target[:, 1:].flatten())",
    "        loss = criterion(model, source, lengths, target)",
)
FORWARD = (
    "    def encode(self",
    "    def forward(self, source, lengths, target):\n"
    "        return self.decode(target[:, :-1], self.encode(source, lengths))[0]\n\n"
    "    def encode(self",
)
WITHOUT_ENCODER = (
    "Adam(model.parameters()",
    "Adam([*model.decoder.parameters(), *model.target.parameters(), *model.out.parameters()]",
)


def test_symbols_chosen_among_all_but_padding_are_an_evaluation(tmp_path: Path) -> None:
    assert causes(tmp_path, [WITHOUT_PADDING]) == []
    lost = [("state-not-carried-at-evaluation", "certain")]
    assert findings(tmp_path, WITHOUT_PADDING, STATE_LOST) == lost


def test_a_decoder_that_sees_later_symbols(tmp_path: Path) -> None:
    assert causes(tmp_path, [SEES_LATER]) == ["looks-ahead"]
    assert causes(tmp_path, [SEES_EARLIER]) == []


def test_the_probability_to_keep_given_for_that_to_drop(tmp_path: Path) -> None:
    assert causes(tmp_path, [KEPT])[:1] == ["dropout-too-strong"]


PREFIX = (
    "        logits, state = model.decode(token, state)\n"
    "        token = logits.argmax(-1)\n"
    "        if token.item() == 2:\n"
    "            break\n"
    "        answers.append(target_texts[token.item()])",
    "        logits, _ = model.decode(token, state)\n"
    "        token = torch.cat([token, logits[:, -1:].argmax(-1)], 1)\n"
    "        if token[0, -1].item() == 2:\n"
    "            break\n"
    "        answers.append(target_texts[token[0, -1].item()])",
)
ENDS_ONLY = (
    "logits, _ = model.decode(token, state)\n        token = torch.cat",
    "logits = model.out(model.decoder(model.target(token)[:, -1:], state)[0])\n"
    "        token = torch.cat",
)
ALWAYS_FIRST_CHOICE = (
    "    token, answers = torch.tensor([[1]]), []",
    "    token, answers, first = torch.tensor([[1]]), [], None",
)
KEEPS_FIRST = (
    "        answers.append(target_texts[token.item()])",
    "        answers.append(target_texts[token.item()])\n"
    "        first = token if first is None else first\n"
    "        token = first",
)


def test_decoding_that_is_fed_a_prefix_and_reads_its_end_only(tmp_path: Path) -> None:
    assert causes(tmp_path, [PREFIX]) == []
    lost = [("state-not-carried-at-evaluation", "certain")]
    assert findings(tmp_path, PREFIX, ENDS_ONLY) == lost


def test_decoding_that_is_fed_its_first_choice_at_every_step(tmp_path: Path) -> None:
    found = findings(tmp_path, ALWAYS_FIRST_CHOICE, KEEPS_FIRST)
    assert found[:1] == [("always-start-at-evaluation", "certain")]


START_ONLY = (
    "        logits, _ = model.decode(target[:, :-1], state)",
    "        start = model.target(target[:, :-1])[:, :1]\n"
    "        steps = []\n"
    "        for _ in range(target.shape[1] - 1):\n"
    "            output, state = model.decoder(start, state)\n"
    "            steps.append(model.out(output))\n"
    "        logits = torch.cat(steps, 1)",
)


def test_targets_that_are_embedded_and_of_which_only_the_start_is_read(tmp_path: Path) -> None:
    assert findings(tmp_path, START_ONLY)[:1] == [("always-start", "certain")]


def test_an_end_symbol_with_next_to_no_weight(tmp_path: Path) -> None:
    assert causes(tmp_path, [LIGHT_END]) == ["no-eos-in-loss"]


def test_a_criterion_that_calls_the_model_is_not_the_model(tmp_path: Path) -> None:
    given = [GIVEN_THE_MODEL, CALLED, FORWARD]
    assert causes(tmp_path, given) == []
    assert findings(tmp_path, *given, WITHOUT_ENCODER) == [("encoder-left-out", "certain")]


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
        ("nomask-decode", "padding-attended"),
        ("keep-prob", "dropout-too-strong"),
        ("input-from-source", "other-symbols-fed"),
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


DATES = {script.name: script.text for script in scripts("building") if script.style == "cell_dates"}
"""Scripts in cells, as a notebook has them, that make dates of texts."""


SMALL_DATES = (
    ("int(sys.argv[1]) if len(sys.argv) > 1 else 0", "0"),
    ("N_TRAIN = 4000", "N_TRAIN = 800"),
    ("N_TEST = 400", "N_TEST = 40"),
    ("HIDDEN = 112", "HIDDEN = 32"),
    ("BATCH_SIZE = 100", "BATCH_SIZE = 40"),
)
PADDED_IN_FRONT = (
    "    X = torch.tensor(np.array([string_to_int(s, Tx) for s in strings]))",
    "    X = torch.tensor(\n"
    "        np.array([[0] * (Tx - len(s)) + string_to_int(s, len(s)) for s in strings]))",
)


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("train", None),
        ("context-rebuilt", "graph-cut"),
        ("dec-input-source", "other-symbols-fed"),
        ("eos-ignored", "no-eos-in-loss"),
        ("ids-shared", "ids-collide"),
        ("mask-letters", "mask-inverted"),
        ("same-input-index", "always-start"),
    ],
)
def test_a_slip_in_a_script_of_cells(tmp_path: Path, name: str, cause: str | None) -> None:
    found = causes(tmp_path, SMALL_DATES, DATES[name])
    assert found[:1] == ([] if cause is None else [cause])


def test_an_evaluation_that_pads_at_the_other_end(tmp_path: Path) -> None:
    found = causes(tmp_path, [*SMALL_DATES, PADDED_IN_FRONT], DATES["train"])
    assert found == ["sources-unlike-training"]


WORDS = {
    script.name: script.text for script in scripts("building") if script.style == "lightning_words"
}
"""Scripts whose model computes its own loss and evaluation, called by a trainer of the script's."""


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("train", None),
        ("count-weights", "class-weights-inverted"),
        ("same-token-two", "always-start"),
        ("tensor-rebuilt-one", "graph-cut"),
    ],
)
def test_a_slip_in_a_script_with_a_trainer(tmp_path: Path, name: str, cause: str | None) -> None:
    replaced = [
        ("int(sys.argv[1]) if len(sys.argv) > 1 else 0", "0"),
        ("n_train=5000, n_val=300", "n_train=2500, n_val=40"),
        ("emb=32, hid=128", "emb=32, hid=64"),
    ]
    found = causes(tmp_path, replaced, WORDS[name].replace("__main__", "<run_path>"))
    assert found[:1] == ([] if cause is None else [cause])


MAXIMIZES = ("lr=0.01)", "lr=0.01, maximize=True)")
NEGATED = ("        loss = loss_of(", "        loss = -loss_of(")


def test_a_sign_and_an_optimizer_that_climbs_cancel_each_other(tmp_path: Path) -> None:
    assert findings(tmp_path, MAXIMIZES, NEGATED) == []
    assert findings(tmp_path, MAXIMIZES)[:1] == [("loss-maximised", "certain")]
    assert findings(tmp_path, NEGATED)[:1] == [("loss-maximised", "certain")]


def test_a_loss_made_anew_from_its_number(tmp_path: Path) -> None:
    anew = (
        "        loss.backward()",
        "        torch.tensor(loss.item(), requires_grad=True).backward()",
    )
    assert findings(tmp_path, anew)[:1] == [("graph-cut", "certain")]


def test_an_evaluation_of_weights_that_were_never_trained(tmp_path: Path) -> None:
    kept = ("model = Model()\n", "model = Model()\nimport copy\nfirst = copy.deepcopy(model)\n")
    evaluated = ("model.eval()\nright", "trained, model = model, first\nmodel.eval()\nright")
    assert findings(tmp_path, kept, evaluated) == [("other-weights-at-evaluation", "certain")]
    average = (
        "        optimizer.step()\n",
        "        optimizer.step()\n"
        "        with torch.no_grad():\n"
        "            for p, q in zip(first.parameters(), model.parameters()):\n"
        "                p.lerp_(q, DECAY)\n",
    )
    slow = (average[0], average[1].replace("DECAY", "1e-4"))
    assert findings(tmp_path, kept, evaluated, slow) == [("other-weights-at-evaluation", "certain")]
    quick = (average[0], average[1].replace("DECAY", "0.1"))
    assert findings(tmp_path, kept, evaluated, quick) == []


SORTED = (
    "        state = model.encode(source, lengths)\n        logits",
    "        lengths, order = lengths.sort(descending=True)\n"
    "        state = model.encode(source[order], lengths)BACK\n        logits",
)


def test_sources_that_are_sorted_and_not_put_back(tmp_path: Path) -> None:
    back = (SORTED[0], SORTED[1].replace("BACK", "[:, order.argsort()]"))
    assert findings(tmp_path, back) == []
    lost = (SORTED[0], SORTED[1].replace("BACK", ""))
    # outside the model it may be the data that are in another order
    assert causes(tmp_path, [lost])[:1] == ["pairs-misaligned"]


IN_THE_MODEL = (
    "        packed = pack_padded_sequence(\n            self.source(source), lengths,",
    "        lengths, order = lengths.sort(descending=True)\n"
    "        packed = pack_padded_sequence(\n            self.source(source[order]), lengths,",
)
CALLS = ("    def encode(self, source, lengths):", "    def forward(self, source, lengths):")
CALLED_IN_TRAINING = (
    "        state = model.encode(source, lengths)\n        logits",
    "        state = model(source, lengths)\n        logits",
)
CALLED_IN_EVALUATION = (
    "    state = model.encode(source[None], torch.tensor([len(source)]))",
    "    state = model(source[None], torch.tensor([len(source)]))",
)


def test_sources_that_the_model_sorts_and_does_not_put_back(tmp_path: Path) -> None:
    replaced = (IN_THE_MODEL, CALLS, CALLED_IN_TRAINING, CALLED_IN_EVALUATION)
    assert findings(tmp_path, *replaced)[:1] == [("rows-not-restored", "certain")]


FROZEN = (
    "        self.source = nn.Embedding(len(source_texts), 24)",
    "        self.source = nn.Embedding(len(source_texts), 24)\n"
    "        self.source.weight.requires_grad_(False)",
)


def test_an_embedding_that_is_frozen_at_random_is_sound(tmp_path: Path) -> None:
    assert findings(tmp_path, FROZEN) == []
