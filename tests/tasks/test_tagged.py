"""Proves that tagged files of every scheme are read as seqeval reads them, and scored alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.corpora import catalogue
from bench.corpora.catalogue import Given
from bench.corpora.tables import ReadOptions
from tasks import build
from tasks.keyphrase import Keyphrase
from tasks.spans import kinds_of, phrases_of_tags, span_scores, typed_scores
from tasks.tagged import TagForm, TaggedText, document_of, read_tagged, scheme_of

timeless = settings(deadline=None, max_examples=60)
KINDS = ("PER", "LOC")


def tags_of(letters: str) -> st.SearchStrategy[list[str]]:
    tags = ["O", *(f"{letter}-{kind}" for letter in letters for kind in KINDS)]
    return st.lists(st.sampled_from(tags), min_size=1, max_size=12)


@pytest.mark.parametrize("letters", ["BI", "BIES"])
@timeless
@given(data=st.data())
def test_phrases_are_those_of_seqeval(letters: str, data: st.DataObject) -> None:
    labeling = pytest.importorskip("seqeval.metrics.sequence_labeling")
    tags = data.draw(tags_of(letters))
    found = [(p.kind, p.start, p.stop - 1) for p in phrases_of_tags(tags)]
    assert found == labeling.get_entities(tags)


@timeless
@given(
    texts=st.lists(
        st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=8),
        min_size=1,
        max_size=4,
    ),
    data=st.data(),
)
def test_typed_and_untyped_f1_are_those_of_seqeval(
    texts: list[list[tuple[int, int]]], data: st.DataObject
) -> None:
    """Outputs may be any classes; references are well formed, as those of a corpus are."""
    metrics = pytest.importorskip("seqeval.metrics.v1")
    scheme = pytest.importorskip("seqeval.scheme").IOBES
    references = [
        document_of(["x"] * len(text), phrases_of_tags(data.draw(fixed_tags(len(text)))))
        for text in texts
    ]
    positions = [np.array([p for p, _ in text], dtype=np.int32) for text in texts]
    kinds = [np.array([k for _, k in text], dtype=np.int32) for text in texts]
    true_positions = [np.array(text.positions, dtype=np.int32) for text in references]
    true_kinds = [
        np.array(kinds_of(text.phrases, KINDS, len(text.tokens)), dtype=np.int32)
        for text in references
    ]
    untyped = span_scores(positions, true_positions)
    typed = typed_scores([positions, kinds], [true_positions, true_kinds])
    for found, given_tags, true_tags in (
        (untyped, tags_from(positions), tags_from(true_positions)),
        (typed, tags_from(positions, kinds), tags_from(true_positions, true_kinds)),
    ):
        expected = metrics.precision_recall_fscore_support(
            true_tags, given_tags, scheme=scheme, average="micro", zero_division=0
        )
        assert found == pytest.approx(expected[:3])


def fixed_tags(length: int) -> st.SearchStrategy[list[str]]:
    tags = ["O", *(f"{letter}-{kind}" for letter in "BI" for kind in KINDS)]
    return st.lists(st.sampled_from(tags), min_size=length, max_size=length)


def tags_from(positions: list[Any], kinds: list[Any] | None = None) -> list[list[str]]:
    """Return the tags that classes stand for; a token inside of no kind has a kind of its own."""
    rows = []
    for place, row in enumerate(positions):
        names = ["X"] * len(row) if kinds is None else [("", *KINDS)[k] for k in kinds[place]]
        rows.append(
            [
                "O" if not position or not name else f"{'OSBIE'[position]}-{name}"
                for position, name in zip(row, names, strict=True)
            ]
        )
    return rows


@pytest.mark.parametrize(
    ("tags", "scheme", "said"),
    [
        ("O B-X I-X", "bio", ""),
        ("O I-X I-X", "bio", ""),
        ("O I-X", "bio", "iob1"),
        ("S-X B-X E-X", "bioes", ""),
        ("B-X M-X E-X", "bmes", ""),
        ("U-X B-X L-X", "bilou", ""),
        ("NOUN VERB", "plain", ""),
        ("B I O", "bio", ""),
        ("O O", "bio", ""),
        ("B-X I-X", "plain", "plain"),
    ],
)
def test_tags_tell_their_scheme(tags: str, scheme: str, said: str) -> None:
    text = TaggedText(("x",) * len(tags.split()), tuple(tags.split()))
    assert scheme_of([text], said) == scheme


@pytest.mark.parametrize(
    ("tags", "said", "message"),
    [
        ("B-X S-X", "bio", "said to be bio, but they are bioes"),
        ("B-X NOUN", "", "'NOUN' is not; correct it, or give --scheme plain"),
        ("B-X", "bioe", "did you mean bioes"),
    ],
)
def test_other_tags_are_refused(tags: str, said: str, message: str) -> None:
    text = TaggedText(("x",) * len(tags.split()), tuple(tags.split()))
    with pytest.raises(ValueError, match=message):
        scheme_of([text], said)


def test_comments_and_document_marks_are_passed_over() -> None:
    lines = [
        "-DOCSTART- -X- O O",
        "",
        "# sent_id = 1",
        "EU NNP I-NP B-ORG",
        "# NN I-NP O",
        "",
        "Peter NNP I-NP B-PER",
    ]
    found = read_tagged(lines, "here", TagForm((0, 3)))
    assert found == [
        TaggedText(("EU", "#"), ("B-ORG", "O")),
        TaggedText(("Peter",), ("B-PER",)),
    ]
    with pytest.raises(ValueError, match=r"line 1 has 4 columns; .*--columns 1,4"):
        read_tagged(["EU NNP I-NP B-ORG"], "here", TagForm())
    with pytest.raises(ValueError, match=r"line 1: 'EU' has no token and tag"):
        read_tagged(["EU"], "here", TagForm())


def conll(count: int, end: str = "\n") -> bytes:
    names = (f"W{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(count))
    lines = [
        f"{name} NN B-PER{end}<pad> NN I-PER{end}sees VB O{end}<unk> NN B-LOC{end}{end}"
        for name in names
    ]
    return "".join(lines).encode()


def added(folder: Path, content: bytes, **said: Any) -> Keyphrase:
    file = folder / "any.conll"
    file.write_bytes(content)
    form = ReadOptions(columns=("1", "3"), separator="space")
    catalogue.add_tagged_files("tags", [file], folder / "data", Given({}, "", form), **said)
    task = build("keyphrase:corpus=tags,kinds=scored", folder / "data")
    assert isinstance(task, Keyphrase)
    return task


def test_special_symbols_are_ordinary_tokens(tmp_path: Path) -> None:
    task = added(tmp_path, b"\xef\xbb\xbf" + conll(60) + b"\xef\xbb\xbf" + conll(3, "\r\n"))
    assert sum(len(task.splits[name]) for name in ("train", "valid", "test")) == 63
    ids = task.encode("x")
    assert ids.tolist() == [3]
    words = task.source.decode(task.splits["train"].source[0])
    assert words[1] == "<pad>"
    assert task.splits["train"].source[0][1] > 3
    assert task.kinds == ("LOC", "PER")
    assert task.facts.target_sizes == (2, 5, 3)
    test = task.splits["test"]
    scores = task.score([list(stream) for stream in test.targets], test)
    assert scores["typed_f1"] == scores["span_f1"] == 1
    assert task.metric == "typed_f1"


def test_typed_words_come_back_from_a_tagger(tmp_path: Path) -> None:
    task = added(tmp_path, conll(60))
    text = "Peter saw 1.5 <pad>"
    streams = [np.array(row) for row in ([1, 0, 0, 0], [1, 0, 0, 0], [2, 0, 0, 0])]
    count = len(task.tokenize(text))
    rows = [np.concatenate([row, np.zeros(count - 4, dtype=np.int64)]) for row in streams]
    shown, marked = task.typed_answer(rows, text)
    assert shown.startswith("Peter saw 1.5")
    assert marked.startswith("[Peter]/PER saw 1.5")


def test_one_text_without_a_blank_line_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no blank line"):
        added(tmp_path, conll(50).replace(b"\n\n", b"\n"))


def test_an_official_test_is_whole(tmp_path: Path) -> None:
    for name, count in (("train", 60), ("test", 9)):
        (tmp_path / name).write_bytes(conll(count) + conll(2))
    form = ReadOptions(columns=("1", "3"), separator="space")
    splits = {"train": [tmp_path / "train"], "test": [tmp_path / "test"]}
    catalogue.add_tagged_files("tags", [], tmp_path / "data", Given(splits, "", form))
    task = build("keyphrase:corpus=tags", tmp_path / "data")
    assert isinstance(task, Keyphrase)
    assert len(task.splits["test"]) == 11
    assert task.dropped["train"] > 0
    assert "left out of train: it stands in valid or test" in task.summary


def test_kinds_need_kinds(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="kinds=scored needs a corpus with kinds"):
        build("keyphrase:kinds=scored,documents=20")
    with pytest.raises(ValueError, match="did you mean scored"):
        build("keyphrase:kinds=score")
