"""Proves that PPMI vectors are their equation, and that vectors from files reach their words."""

from __future__ import annotations

import gzip
import io
import math
import subprocess
import sys
import zipfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.corpora import catalogue as corpora
from bench.corpora import vectors
from bench.plan.matrix import from_options, plan
from bench.runner import execute
from bench.training.pretrained import CONTEXT_WINDOW, SMOOTHING, look_up, ppmi, pretrained
from bench.training.randomness import torch_generator
from tasks import Ragged, Vocabulary
from tasks import build as build_task
from variants import build
from variants.axes import parse

ROOT = Path(__file__).parents[3]
SENTENCES = [[3, 4, 5, 3], [4, 5], [6], [5, 3, 4, 4, 6]]


def naive(sentences: list[list[int]], symbols: int) -> np.ndarray:
    """Levy et al. 2015: max(0, log P(w, c) / (P(w) P_0.75(c))), by counting."""
    together: Counter[tuple[int, int]] = Counter()
    for sentence in sentences:
        for i, word in enumerate(sentence):
            for j, context in enumerate(sentence):
                if i != j and abs(i - j) <= CONTEXT_WINDOW:
                    together[word, context] += 1
    total = sum(together.values())
    alone = [sum(n for (word, _), n in together.items() if word == w) for w in range(symbols)]
    smooth = sum(count**SMOOTHING for count in alone)
    found = np.zeros((symbols, symbols))
    for (word, context), count in together.items():
        ratio = (count / total) / (alone[word] / total * alone[context] ** SMOOTHING / smooth)
        found[word, context] = max(0.0, math.log(ratio))
    return found


@settings(max_examples=25)
@given(
    st.lists(st.lists(st.integers(3, 8), min_size=1, max_size=7), min_size=1, max_size=8).filter(
        lambda sentences: max(map(len, sentences)) > 1
    )
)
def test_ppmi_is_its_equation(sentences: list[list[int]]) -> None:
    """The product of the vectors of a full-rank decomposition is what the paper's matrix gives:
    U sqrt(S) (U sqrt(S))^T = U S U^T, and that matrix squared has U S^2 U^T."""
    symbols = 9
    values, known = ppmi(Ragged.of(sentences), symbols, symbols)
    matrix = naive(sentences, symbols)
    kept = np.linalg.svd(matrix)[1][: symbols - 1]
    # columns beyond the rank are 0, the others are as long as sqrt(S)
    lengths = np.sort(np.linalg.norm(values, axis=0) ** 2)[::-1][: symbols - 1]
    np.testing.assert_allclose(lengths, kept, atol=1e-4)
    scaled = values.astype(float)
    squares = scaled @ np.diag((scaled**2).sum(0)) @ scaled.T
    np.testing.assert_allclose(squares, matrix @ matrix.T, atol=1e-3)
    lone = {w for s in sentences if len(s) > 1 for w in s}
    assert set(np.flatnonzero(known)) == lone


def test_ppmi_is_the_same_twice_and_smaller_is_a_part() -> None:
    ragged = Ragged.of(SENTENCES)
    one, other = ppmi(ragged, 9, 4), ppmi(ragged, 9, 4)
    np.testing.assert_array_equal(one[0], other[0])
    assert one[0].shape == (9, 4)
    np.testing.assert_allclose(ppmi(ragged, 9, 2)[0], one[0][:, :2], atol=1e-5)


@pytest.mark.parametrize("label", ["reversal", "opposites"])
def test_ppmi_is_the_same_in_another_process(label: str) -> None:
    """Also where the vocabulary is smaller than the embedding, so that the rank is."""
    program = (
        "import hashlib, numpy as np\n"
        "from bench.training.pretrained import ppmi\n"
        "from tasks import build\n"
        f"task = build({label!r})\n"
        "found = ppmi(task.splits['train'].source, task.facts.source_size, 64)[0]\n"
        "print(hashlib.sha256(found.tobytes()).hexdigest(), found[:, 40:].any())\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT
        ).stdout
        for _ in range(2)
    }
    assert len(said) == 1
    assert said.pop().endswith("False\n")


@pytest.mark.parametrize("label", ["increment", "opposites", "keyphrase", "en-zh"])
def test_ppmi_is_made_for_every_task(label: str) -> None:
    task = build_task(label)
    variant = parse("embedding_init=ppmi,embedding=16,embedding_range=0.2")
    source, target = pretrained(variant, task, None)
    assert source is not None
    assert (target is None) == task.facts.tagging
    sides = [(source, task.facts.source_size)]
    sides += [(target, task.facts.target_sizes[0])] if target else []
    for side, symbols in sides:
        assert side.values_VE.shape == (symbols, 16)
        assert side.values_VE.isfinite().all()
        assert not side.known_V[:3].any(), "pad, bos and eos stand in no text"
        size = float(side.values_VE[side.known_V].square().mean().sqrt())
        assert size == pytest.approx(0.2 / math.sqrt(3), rel=1e-4)


def test_similar_words_are_near() -> None:
    """What the generated corpus uses alike, lies together: numbers near numbers."""
    task = build_task("en-zh")
    values, _ = ppmi(task.splits["train"].source, task.facts.source_size, 32)
    unit = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9)

    def near(one: str, other: str) -> float:
        ids = [int(task.source.encode([word])[0]) for word in (one, other)]
        return float(unit[ids[0]] @ unit[ids[1]])

    assert near("he", "she") > near("he", "the") + 0.2


def test_a_model_begins_with_its_vectors() -> None:
    task = build_task("opposites")
    variant = parse("embedding_init=ppmi,embedding=8")
    tables = pretrained(variant, task, None)
    model = build(
        variant,
        task.facts.source_size,
        task.facts.target_sizes,
        False,
        lambda name: torch_generator(0, "init", name),
        longest=9,
        pretrained=tables,
    )
    for name, table in zip(("embedding.table", "decoder.embedding.table"), tables, strict=True):
        assert table is not None
        mine = model.get_parameter(name)
        assert (mine[table.known_V] == table.values_VE[table.known_V]).all()
        assert (mine[~table.known_V].abs() <= 0.1).all()
        assert mine[~table.known_V].abs().sum() > 0


# files

WORD2VEC = "3 2\nman 1 2\nwoman 3 4.5\n猫 -1e-1 0\n"
GLOVE = "man 1 2\nwoman 3 4.5\n猫 -1e-1 0\n"


@pytest.mark.parametrize("text", [WORD2VEC, GLOVE, GLOVE + "man 7 7\n"])
def test_both_formats_are_read(text: str) -> None:
    found, _ = vectors.parse(text.splitlines(), "f")
    assert found.words == ["man", "woman", "猫"]
    np.testing.assert_allclose(found.values_VE, [[1.0, 2.0], [3.0, 4.5], [-0.1, 0.0]])


def test_repeats_are_counted_and_blanks_may_be_doubled() -> None:
    found, repeated = vectors.parse(["man  1\t2 ", " woman 3  4.5", "man 7 7"], "f")
    assert (found.words, repeated) == (["man", "woman"], 1)
    np.testing.assert_allclose(found.values_VE, [[1.0, 2.0], [3.0, 4.5]])


def binary(words: dict[str, list[float]]) -> bytes:
    size = len(next(iter(words.values())))
    rows = [f"{w} ".encode() + np.array(v, dtype="<f4").tobytes() + b"\n" for w, v in words.items()]
    return f"{len(words)} {size}\n".encode() + b"".join(rows)


FEW_WORDS = {"man": [1.0, 2.0], "woman": [3.0, 4.5], "猫": [-0.125, 0.0]}


@pytest.mark.parametrize("form", ["text", "mark", "gz", "zip", "binary", "binary gz"])
def test_files_of_vectors_are_read_as_they_come(tmp_path: Path, form: str) -> None:
    content = binary(FEW_WORDS) if "binary" in form else WORD2VEC.replace("-1e-1", "-.125").encode()
    if form == "mark":
        content = b"\xef\xbb\xbf" + content
    elif form == "zip":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("words.vec", content)
        content = packed.getvalue()
    file = tmp_path / "any.vec"
    file.write_bytes(gzip.compress(content) if "gz" in form else content)
    about = corpora.add_vectors("few", file, tmp_path / "data").about
    assert (about["words"], about["size"]) == (3, 2)
    found = vectors.load("few", tmp_path / "data")
    assert found.words == list(FEW_WORDS)
    np.testing.assert_allclose(found.values_VE, [*FEW_WORDS.values()])


def test_a_binary_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cut.bin").write_bytes(binary(FEW_WORDS)[:-6])
    with pytest.raises(ValueError, match="ends after 2 of 3 words"):
        corpora.add_vectors("few", tmp_path / "cut.bin", tmp_path / "data")


def test_marks_of_spaces_are_no_part_of_a_word() -> None:
    found, _ = vectors.parse([", 1 2", "man 3 4"], "f")
    _, known = look_up(found, Vocabulary.closed(["￭,", "▁man", "￭;"]))
    assert known.tolist() == [False, False, False, True, True, False]


def test_words_may_hold_spaces_where_the_size_is_known() -> None:
    found, _ = vectors.parse(["2 2", "at name 1 2", "b 3 4"], "f")
    assert found.words == ["at name", "b"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "holds no vectors"),
        ("3 2\n", "holds no vectors"),
        ("man 1 2\nwoman 3\n", "line 2"),
        ("man 1 2\nwoman 3 x\n", "line 2"),
        ("man 1 nan\n", "line 1"),
        ("man 1 inf\n", "line 1"),
        ("man\n", "line 1"),
        ("2 2\n 1 2\n", "line 2"),
        ("2 2\nman 1 2\n", "says 2 words, and 1 follow"),
        ("1 2\nman 1.5 2 3\n", "line 2 is not a word and 2 numbers, as its first line says 2"),
    ],
)
def test_other_files_are_refused(text: str, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        vectors.parse(text.splitlines(), "f")


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    said, found = "", None
    try:
        found, _ = vectors.parse(text.split("\n"), "f")
    except ValueError as error:
        said = str(error)
    if found is None:
        assert "word2vec or GloVe" in said or "take its first line away" in said
    else:
        assert len(found.words) == len(found.values_VE) > 0


def test_look_up_prefers_the_word_itself() -> None:
    found, _ = vectors.parse(["man 1 2", "Man 5 6", "woman 3 4"], "f")
    values, known = look_up(found, Vocabulary.closed(["Man", "WOMAN", "dog"]))
    assert known.tolist() == [False, False, False, True, True, False]
    np.testing.assert_allclose(values[3:5], [[5, 6], [3, 4]])
    assert (values[~known] == 0).all()


def glove(folder: Path, numbers: int = 4) -> Path:
    file = folder / "glove.txt"
    letters = "abcdefghijklmnopqrstuvwxyz"
    rows = np.random.default_rng(0).normal(size=(26, numbers))
    lines = [" ".join([c, *map(str, row)]) for c, row in zip(letters, rows, strict=True)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def planned(folder: Path, base: str):  # type: ignore[no-untyped-def]
    matrix = from_options(["opposites"], base, [], False, "20steps", 6)
    return plan(matrix, {"opposites": build_task("opposites")}, "cpu", folder)


def test_a_run_with_vectors(tmp_path: Path) -> None:
    corpora.add_vectors("letters", glove(tmp_path), tmp_path / "data")
    (listed,) = corpora.listing(tmp_path / "data")
    assert (listed.about["words"], listed.about["size"]) == (26, 4)
    folder = tmp_path / "data"
    base = "embedding_init=vectors,vectors=letters,embedding=4,embedding_trained=frozen"
    spec = planned(folder, base).specs[0]
    record = execute(spec, folder, lambda point, timed: None)
    assert record["outcome"]["status"] in ("finished", "solved"), record["outcome"].get("error")
    # the vectors are part of what the run learned from
    assert spec.data.startswith(build_task("opposites").digest() + "+")
    assert planned(folder, "embedding=4").specs[0].data == build_task("opposites").digest()


def test_vectors_that_will_not_do(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with pytest.raises(FileNotFoundError, match="bench data add none FILE --vectors"):
        planned(folder, "embedding_init=vectors,vectors=none")
    corpora.add_vectors("letters", glove(tmp_path), folder)
    with pytest.raises(ValueError, match="give embedding=4"):
        planned(folder, "embedding_init=vectors,vectors=letters")
    with pytest.raises(ValueError, match="already in"):
        corpora.add_vectors("letters", glove(tmp_path), folder)
    assert asdict(parse("vectors=letters"))["vectors"] == "letters"
