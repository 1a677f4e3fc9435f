"""Proves that a streamed corpus trains like one in memory.

It has the same ids and splits that share no sentence, an epoch has every example once, and a run
can be resumed anywhere in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from bench.cli.app import main as bench
from bench.corpora import catalogue, streamed
from bench.corpora.catalogue import Given
from bench.corpora.streamed import StreamOptions
from bench.runner import execute
from bench.specs import Budget, make
from bench.training import checkpoint
from bench.training.batching import DataPosition, endless
from bench.training.checkpoint import Checkpoint
from tasks import Task, build, mapped
from tasks.mapped import Mapped
from tasks.pairs import TranslationTask
from tasks.parallel.streamed import StreamedTranslation
from tasks.sentence_pairs import key
from tasks.sentences import chinese_characters, english_symbols
from variants import BASE
from variants.axes import parse

NOUNS = "cat dog bird fish horse cow pig hen fox wolf bear deer".split()
BEASTS = "猫狗鸟鱼马牛猪鸡狐狼熊鹿"
VERBS = "sees likes finds hears fears knows".split()
ACTS = "看爱找听怕懂"


def lines() -> Iterator[str]:
    """Yield pairs: some repeated, one empty, and several English sentences for one Chinese one."""
    for copy in range(3):
        for verb, act in zip(VERBS, ACTS, strict=True):
            for one, beast in zip(NOUNS, BEASTS, strict=True):
                for other, prey in zip(NOUNS, BEASTS, strict=True):
                    end = "." if copy < 2 else "!"
                    yield f"The {one} {verb} the {other}{end}\t{beast}{act}{prey}。"
    yield "\t。"
    yield " ".join(["very"] * 60) + "\t很"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with the corpus `zoo`, written in many small pieces."""
    folder = tmp_path_factory.mktemp("streamed")
    file = folder / "zoo.tsv"
    file.write_text("\n".join(lines()) + "\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streamed, "BUFFERED_IDS", 50)
        options = StreamOptions("characters", 50, 100)
        catalogue.add_streamed_files("zoo", [file], folder / "data", None, options)
    return folder


@pytest.fixture
def zoo(store: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    monkeypatch.setattr(mapped, "BLOCK_EXAMPLES", 16)
    monkeypatch.setattr(mapped, "BLOCKS_AT_ONCE", 8)
    return build("en-zh:corpus=zoo", store / "data")


def test_training_ids_are_the_text(zoo: Task) -> None:
    train = zoo.splits["train"]
    assert isinstance(train.source, Mapped)
    assert not train.source.ids.flags.writeable
    held_out = {key(pair.split("\t")[0]) for name in ("valid", "test") for pair in texts(zoo, name)}
    chinese = {key(pair.split("\t")[1]) for name in ("valid", "test") for pair in texts(zoo, name)}
    expected = []
    for line in lines():
        english, target = line.split("\t")
        short = len(english_symbols(english)) <= 50
        held = key(english) in held_out or key(target) in chinese
        if english and short and not held:
            expected.append((english_symbols(english), chinese_characters(target)))
    found = [
        (zoo.source.decode(source), zoo.target.decode(target))
        for source, target in zip(train.source, train.targets[0], strict=True)
    ]
    assert found == expected
    assert 0 < len(found) < 2592


def texts(task: Task, name: str) -> list[str]:
    split = task.splits[name]
    return [
        f"{task.source_text(source)}\t{texts[0]}"
        for source, texts in zip(split.source, split.references, strict=True)  # type: ignore[attr-defined]
    ]


def test_splits_share_no_sentence(zoo: Task) -> None:
    sides: dict[str, list[set[str]]] = {}
    for name, split in zoo.splits.items():
        sources = {key(zoo.source_text(ids)) for ids in split.source}
        targets = {key(zoo.target_text([ids], ids)) for ids in split.targets[0]}
        sides[name] = [sources, targets]
    assert all(min(map(len, side)) >= 10 for side in sides.values())
    for one, other in (("train", "valid"), ("train", "test"), ("valid", "test")):
        for left, right in zip(sides[one], sides[other], strict=True):
            assert not left & right


def test_stored_lengths_are_the_real_ones(zoo: Task) -> None:
    for ragged in (zoo.splits["train"].source, zoo.splits["train"].targets[0]):
        assert isinstance(ragged, Mapped)
        assert ragged.longest == ragged.lengths.max()
        assert ragged.mean_length == pytest.approx(ragged.lengths.mean())
    assert zoo.facts.length_limit == zoo.splits["train"].targets[0].longest + 10


def test_every_example_once_an_epoch_in_another_order_each(zoo: Task) -> None:
    train = zoo.splits["train"]
    epochs: dict[int, list[int]] = {0: [], 1: []}
    for indices, position in endless(train, 10, 3, DataPosition()):
        if position.epoch == 2:
            break
        epochs[position.epoch] += indices.tolist()
    for order in epochs.values():
        assert sorted(order) == list(range(len(train)))
    assert epochs[0] != epochs[1]
    first, other = (
        [indices.tolist() for indices, _ in islice(endless(train, 10, seed, DataPosition()), 5)]
        for seed in (3, 4)
    )
    assert first != other


def test_reading_resumes_from_any_position(zoo: Task) -> None:
    train = zoo.splits["train"]
    steps = list(islice(endless(train, 32, 3, DataPosition()), 150))
    assert steps[-1][1].epoch >= 1
    for at in range(0, len(steps) - 3, 7):
        follow = islice(endless(train, 32, 3, steps[at][1]), 3)
        for (indices, position), (expected, place) in zip(follow, steps[at + 1 :], strict=False):
            assert position == place
            np.testing.assert_array_equal(indices, expected)


def test_a_batch_is_of_one_part(zoo: Task) -> None:
    train = zoo.splits["train"]
    for indices, _ in islice(endless(train, 8, 0, DataPosition()), 30):
        assert len(np.unique(indices // 16)) <= 8


def test_released_pages_are_read_again(zoo: Task) -> None:
    train = zoo.splits["train"]
    before = train.source.ids[:100].copy()
    assert isinstance(train.source, Mapped)
    train.source.release()
    np.testing.assert_array_equal(train.source.ids[:100], before)


SCRIPTS: dict[str, tuple[str, str, list[str]]] = {
    "en-zh": ("I live in New York City", "我住在New York City", []),
    "de-en": ("Der Hund, „groß“, läuft", 'The dog, "big", runs', []),
    "en-ja": ("parliament of", "東京の議会 New York", ["bleu_tokens=char"]),
    "en-th": ("I like", "ฉันชอบ แมว", []),
    "ru-ar": ("Привет, мир", "مرحبا يا عالم", []),
    "hi-ko": ("नमस्ते दुनिया", "안녕 세상", ["bleu_tokens=char"]),
}


@pytest.mark.parametrize("languages", SCRIPTS)
def test_plain_and_streamed_reading_give_the_same_ids(tmp_path: Path, languages: str) -> None:
    """Each target holds spaces, which are symbols where text is cut into characters."""
    source, target, settings = SCRIPTS[languages]
    rows = [f"{source} {n} {chr(97 + n % 26)}.\t{target} {n}。" for n in range(10, 1_210)]
    file = tmp_path / "any.tsv"
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    data, given = tmp_path / "data", Given({}, languages)
    catalogue.add("plain", [file], data, given)
    catalogue.add_streamed_files("disk", [file], data, given)
    name = "en-zh" if languages == "en-zh" else "pairs"
    plain = build(f"{name}:corpus=plain" + "".join(f",{one}" for one in settings), data)
    disk = build(f"{name}:corpus=disk", data)
    assert isinstance(plain, TranslationTask)
    assert isinstance(disk, StreamedTranslation)
    of_text = {row.split("\t")[0]: row.split("\t")[1] for row in rows}
    train = disk.splits["train"]
    shared = 0
    for task in (plain, disk):
        for split in task.splits.values():
            assert (split.targets[0].ids == 3).mean() < 0.02
    for ids, targets in zip(train.source, train.targets[0], strict=True):
        text = plain.source_text(plain.source.encode(disk.source.decode(ids)))
        shared += disk.source_text(ids) == text
        assert "<unk>" not in disk.target.decode(targets)
    assert shared == len(train)
    known = {
        tuple(disk.source.decode(ids)): tuple(disk.target.decode(targets))
        for ids, targets in zip(train.source, train.targets[0], strict=True)
    }
    for one, other in of_text.items():
        symbols = tuple(plain.tokenize(one))
        if symbols in known:
            assert known[symbols] == tuple(plain._target.cutter.symbols(other))
    assert len(known) > 1_000


class StoppedError(KeyboardInterrupt):
    """Stands for the end of a process that is killed."""


def test_a_run_resumes_in_the_middle_of_a_part(
    zoo: Task, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "EVERY", 0.0)
    variant = asdict(parse("hidden=8,embedding=6", BASE))
    budget = Budget(steps=30, batch=8, every=15, stop="budget")
    spec = make("en-zh:corpus=zoo", zoo.digest(), variant, budget, 0, "cpu")
    whole = execute(spec, store / "data", lambda *_: None)
    assert whole["outcome"]["status"] == "finished"
    file = tmp_path / "one.safetensors"
    kept = Checkpoint.write

    def keep(self: Checkpoint, states: list[object], shared: None = None) -> None:
        kept(self, states, shared)  # type: ignore[arg-type]
        if states[0].step == 21:  # type: ignore[attr-defined]
            raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "write", keep)
        with pytest.raises(StoppedError):
            execute(spec, store / "data", lambda *_: None, checkpoint=file)
    record = execute(spec, store / "data", lambda *_: None, checkpoint=file)
    assert record["measured"]["resumed"] == 1
    assert record["outcome"] == whole["outcome"]


def test_settings_other_than_the_prepared_ones_are_refused(store: Path) -> None:
    with pytest.raises(ValueError, match="prepared with tokens=han and longest=50; leave"):
        build("en-zh:corpus=zoo,pairs=10", store / "data")


@pytest.mark.parametrize(
    "file", ["source.ids", "target.offsets", "vocabulary.json", "valid.source"]
)
@pytest.mark.parametrize("content", [None, b"", b"12345678" * 9, b"\xff\xfe"])
def test_a_damaged_corpus_is_reported(
    store: Path, tmp_path: Path, file: str, content: bytes | None
) -> None:
    import shutil

    shutil.copytree(store / "data" / "zoo", tmp_path / "zoo")
    if content is None:
        (tmp_path / "zoo" / file).unlink()
    else:
        (tmp_path / "zoo" / file).write_bytes(content)
    with pytest.raises(ValueError, match=r"is missing|its hash differs.*bench data remove zoo"):
        build("en-zh:corpus=zoo", tmp_path)


def test_streamed_corpora_on_the_command_line(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["data", "add", "zoo", str(store / "zoo.tsv"), "--streamed", "--store", str(tmp_path)]
    assert bench(given) == 0
    assert isinstance(build("en-zh:corpus=zoo", tmp_path / "data"), StreamedTranslation)
    same = build("en-zh:corpus=zoo", store / "data")
    assert isinstance(same, StreamedTranslation)
    assert bench(given) == 2  # it is there
    assert bench([*given[:4], "no.tsv", "no.tsv", *given[4:]]) == 2  # three files
    small = tmp_path / "small.tsv"
    small.write_text("a\t一\n")
    assert bench([*given[:2], "tiny", str(small), *given[4:]]) == 2
    assert "leave --streamed out" in capsys.readouterr().err
    assert bench(["data", "list", "--store", str(tmp_path)]) == 0
    assert "zoo: " in capsys.readouterr().out
