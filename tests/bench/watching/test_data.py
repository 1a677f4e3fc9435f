"""Plants slips of data and vocabularies in a small script: each is named, its sound twin is not."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.watching.record.vocabularies import Vocabularies
from tests.bench.watching.scripts import causes

Replaced = list[tuple[str, str]]

SORTED_SOURCES = (
    "        yield (\n            pad_sequence([sources[row] for row in rows], batch_first=True),",
    "        lengths, falling = lengths.sort(descending=True)\n        yield (\n"
    "            pad_sequence([sources[row] for row in rows], batch_first=True)[falling],",
)
SORTED_BOTH = (
    "        rows = order[begin : begin + 16]\n",
    "        rows = sorted(order[begin : begin + 16], key=lambda row: -len(sources[row]))\n",
)
NOT_PACKED = (
    """        packed = pack_padded_sequence(
            self.source(source), lengths, batch_first=True, enforce_sorted=False
        )
        return self.encoder(packed)[1]""",
    "        return self.encoder(self.source(source))[1]",
)
PADDED_EVALUATION = (
    "    state = model.encode(source[None], torch.tensor([len(source)]))",
    "    padded = torch.cat([source, torch.zeros(5 - len(source), dtype=torch.long)])\n"
    "    state = model.encode(padded[None], torch.tensor([len(source)]))",
)
FEW_WORDS = ("LETTERS\ntarget_texts", "LETTERS[:2]\ntarget_texts")
UNKNOWN_SOURCES = ("source_ids[text] for", "source_ids.get(text, 1) for")
OTHER_SIDE: Replaced = [
    ("target_ids[text] for", "source_ids.get(text, 1) for"),
    ("def make_pair", "source_texts += ['<bos>', '<eos>']\n\n\ndef make_pair"),
    (
        "self.target = nn.Embedding(len(target_texts)",
        "self.target = nn.Embedding(len(source_texts)",
    ),
    ("nn.Linear(48, len(target_texts))", "nn.Linear(48, len(source_texts))"),
]


SORTED_APART = (
    "def batches():",
    "random.shuffle(targets)\nsources.sort(key=len)\ntargets.sort(key=len)\n\n\ndef batches():",
)
SORTED_TOGETHER = (
    "def batches():",
    "sources.sort(key=len)\ntargets.sort(key=len)\n\n\ndef batches():",
)
LETTERS_FROM_ONE = (
    "target_ids = {text: number for",
    "target_ids = {text: max(number - 3, 0) for",
)
IN_ORDER = [
    ("random.randint(2, 4))]", "random.randint(3, 6))]"),
    ("    return letters, [", "    letters.sort()\n    return letters, ["),
]
BACKWARDS = ("answer(source) ==", "answer(source.flip(0)) ==")


@pytest.mark.parametrize(
    ("replaced", "cause"),
    [
        ([SORTED_SOURCES], "pairs-misaligned"),
        ([SORTED_APART], "pairs-misaligned"),
        ([LETTERS_FROM_ONE], "ids-collide"),
        ([*IN_ORDER, BACKWARDS], "sources-unlike-training"),
        ([NOT_PACKED], "padding-in-state"),
        ([FEW_WORDS, UNKNOWN_SOURCES], "too-many-unknown"),
        (OTHER_SIDE, "other-vocabulary"),
        (
            [
                (
                    "answers.append(target_texts[token.item()])",
                    "answers.append(source_texts[min(token.item(), 9)])",
                )
            ],
            "other-vocabulary",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_slip_is_named_first(tmp_path: Path, replaced: Replaced, cause: str) -> None:
    assert causes(tmp_path, replaced)[:1] == [cause]


@pytest.mark.parametrize(
    "replaced",
    [
        [],
        [SORTED_BOTH],
        [NOT_PACKED, PADDED_EVALUATION],
        [UNKNOWN_SOURCES],
        [SORTED_TOGETHER],
        IN_ORDER,
    ],
    ids=["plain", "sorted", "padded", "few unknown", "together", "in order"],
)
def test_sound_twins_are_clean(tmp_path: Path, replaced: Replaced) -> None:
    assert causes(tmp_path, replaced) == []


def test_vocabularies_are_found_in_tuples_of_objects() -> None:
    words = {"<pad>": 0, "<unk>": 1, "red": 2, "car": 3}
    sides = namedtuple("sides", "source target")
    vocab = sides(SimpleNamespace(word2id=dict(words)), SimpleNamespace(id2word=[*words, "hen"]))
    both = (SimpleNamespace(word2id={**words, "hen": 4, "dog": 5}), 7)
    found = Vocabularies()
    found.look()
    texts = {number: word for word, number in words.items()}
    assert found.of_size(len(words)) == {"words": texts, "vocab.source.word2id": texts}
    assert [*found.of_size(len(vocab.target.id2word))] == ["vocab.target.id2word"]
    assert [*found.of_size(len(both[0].word2id))] == ["both[0].word2id"]
