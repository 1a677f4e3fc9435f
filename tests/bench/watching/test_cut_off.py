"""What is cut off is found: targets at a limit, answers of a batch at the first that ends, sources.

Each slip has a sound twin, in which nothing is found.
"""

from __future__ import annotations

from pathlib import Path

from tests.bench.watching.scripts import causes, findings

CUT = (
    "targets = [torch.tensor([1] + [target_ids[text] for text in target] + [2]) ",
    "targets = [torch.tensor(([1] + [target_ids[text] for text in target] + [2])[:5]) ",
)
IN_BATCHES = (
    "right = sum(answer(source) == pair[1] for source, pair in zip(sources[:40], pairs[:40]))",
    """
@torch.no_grad()
def answers(rows):
    lengths = torch.tensor([len(sources[row]) for row in rows])
    source = pad_sequence([sources[row] for row in rows], batch_first=True)
    state = model.encode(source, lengths)
    token, said = torch.full((len(rows), 1), 1), []
    done = torch.zeros(len(rows), dtype=torch.bool)
    for _ in range(7):
        logits, state = model.decode(token, state)
        token = logits.argmax(-1)
        said.append(token[:, 0])
        done |= token[:, 0] == 2
        if done.all():
            break
    return torch.stack(said, 1).tolist()


right = sum(len(answers(range(begin, begin + 16))) for begin in range(0, 64, 16))
""",
)
STOPS_AT_ANY = ("        if done.all():", "        if done.any():")
SMOOTHED = (
    "loss_of = nn.CrossEntropyLoss(ignore_index=0)",
    "loss_of = nn.CrossEntropyLoss(ignore_index=0, label_smoothing=0.1)",
)
SHORT_ONLY = (
    "    order = list(range(len(pairs)))",
    "    order = [row for row in range(len(pairs)) if len(sources[row]) == 3]",
)
LONG_IN_EVALUATION = (
    "right = sum(answer(source) == pair[1] for source, pair in zip(sources[:40], pairs[:40]))",
    "right = sum(len(answer(source)) for source in sources if len(source) == 4)",
)
OF_ONE_LENGTH = (
    "range(begin, begin + 16))) for begin in range(0, 64, 16))",
    "[row for row in range(begin, begin + 16) if len(sources[row]) < 4])) "
    "for begin in range(0, 64, 16))",
)
OTHER_NUMBERS = (
    "right = sum(answer(source)",
    "random.shuffle(LETTERS)\n"
    "source_ids = {text: number for number, text in enumerate(['<pad>', '<unk>'] + LETTERS)}\n"
    "sources = [torch.tensor([source_ids[text] for text in pair[0]]) for pair in pairs]\n"
    "right = sum(answer(source)",
)
CARRIED = (
    "        state = model.encode(source, lengths)\n        logits",
    "        before = state[:, :1].detach() if epoch or 'state' in globals() else 0.0\n"
    "        state = model.encode(source, lengths) + 0.1 * before\n        logits",
)
FEW_NEIGHBOURS = (
    "    letters = [random.choice(LETTERS) for _ in range(random.randint(2, 4))]",
    "    letters = [random.choice(LETTERS)]\n"
    "    for _ in range(random.randint(2, 4)):\n"
    "        letters.append(LETTERS[(LETTERS.index(letters[-1]) + random.randint(1, 2)) % 8])",
)
IN_ORDER = (
    ('LETTERS = list("abcdefgh")', 'LETTERS = list("abcdef")'),
    ("range(0, len(order), 16)", "range(0, len(order), 50)"),
    ("begin : begin + 16]", "begin : begin + 50]"),
    (
        "    letters = [random.choice(LETTERS) for _ in range(random.randint(2, 4))]",
        "    letters = [random.choice(LETTERS) for _ in range(5)]",
    ),
    ("letters, [letter.upper() for letter in letters]", "letters, sorted(map(str.upper, letters))"),
    (" for text in target] + [2])", " for text in target])"),
    ("    for _ in range(7):", "    for _ in range(5):"),
    ("        if token.item() == 2:\n            break\n", ""),
)


def test_targets_that_are_cut_off_at_a_limit(tmp_path: Path) -> None:
    assert findings(tmp_path, CUT) == [("sequences-cut-off", "likely")]


def test_targets_of_one_length_have_no_end(tmp_path: Path) -> None:
    """Letters in order often end with the largest one, repeated, which looks like padding."""
    assert causes(tmp_path, IN_ORDER) == []


def test_a_batch_that_stops_when_its_first_example_has_ended(tmp_path: Path) -> None:
    assert causes(tmp_path, [IN_BATCHES]) == []
    assert findings(tmp_path, IN_BATCHES, STOPS_AT_ANY) == [("stops-too-early", "certain")]
    # smoothed targets give gradients of nearly 0, from which no end can be read
    assert causes(tmp_path, [IN_BATCHES, SMOOTHED]) == []
    found = findings(tmp_path, IN_BATCHES, SMOOTHED, STOPS_AT_ANY)
    assert found == [("stops-too-early", "certain")]


def test_sources_that_are_longer_than_all_of_training(tmp_path: Path) -> None:
    found = causes(tmp_path, [SHORT_ONLY, LONG_IN_EVALUATION])
    assert found == ["sources-unlike-training"]


def test_parts_of_a_stream_are_shorter_than_the_stream(tmp_path: Path) -> None:
    found = causes(tmp_path, [SHORT_ONLY, LONG_IN_EVALUATION, CARRIED])
    assert "sources-unlike-training" not in found


def test_padding_that_training_does_not_need(tmp_path: Path) -> None:
    assert causes(tmp_path, [SHORT_ONLY, IN_BATCHES, OF_ONE_LENGTH]) == []


def test_sources_numbered_anew_for_the_evaluation(tmp_path: Path) -> None:
    assert causes(tmp_path, [FEW_NEIGHBOURS]) == []
    assert causes(tmp_path, [FEW_NEIGHBOURS, OTHER_NUMBERS]) == ["sources-unlike-training"]
