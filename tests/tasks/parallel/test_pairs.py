"""Proves that `pairs` keeps text as it was given, scores against it, and says what it left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.corpora import catalogue
from bench.corpora.catalogue import Given
from tasks import build
from tasks.pairs import ReferencedSplit, Settings, TranslationTask
from tasks.parallel.scores import error_rate, reference_streams, selecting_metric
from tasks.vocabulary import UNK

GERMAN = "Hund Katze Vogel Fisch Pferd Kuh Schwein Huhn Fuchs Wolf Bär Reh".split()
ENGLISH = "dog cat bird fish horse cow pig hen fox wolf bear deer".split()


def rows() -> list[tuple[str, str]]:
    """Return 144 pairs, with commas and quotes on both sides."""
    return [
        (f"Der {one}, „der“ {other} sieht: 1,5.", f'The {two}, "who" sees a {three}.')
        for one, two in zip(GERMAN, ENGLISH, strict=True)
        for other, three in zip(GERMAN, ENGLISH, strict=True)
    ]


def added(
    folder: Path, name: str, pairs: list[tuple[str, ...]] | list[tuple[str, str]], **said: Any
) -> Path:
    """Add pairs as a corpus, and return the data folder."""
    file = folder / f"{name}.tsv"
    file.write_text("".join("\t".join(pair) + "\n" for pair in pairs), encoding="utf-8")
    catalogue.add(name, [file], folder / "data", Given({}, **said))
    return folder / "data"


def task_of(label: str, data: Path) -> TranslationTask:
    task = build(label, data)
    assert isinstance(task, TranslationTask)
    return task


def test_a_german_target_keeps_its_commas_and_quotes(tmp_path: Path) -> None:
    turned = [(english, german) for german, english in rows()]
    data = added(tmp_path, "own", turned, languages="en-de")
    task = task_of("pairs:corpus=own,least=1", data)
    given = {german for german, _ in rows()}
    for split in task.splits.values():
        assert {texts[0] for texts in split.references} <= given
        for ids, texts in zip(split.targets[0], split.references, strict=True):
            assert task.target_text([ids], ids) == texts[0]


def test_japanese_characters_stay_japanese(tmp_path: Path) -> None:
    pairs = [(f"Parliament {n} met.", f'議会は第{n}回、開いた。“A"') for n in range(60)]
    data = added(tmp_path, "own", pairs, languages="en-ja")
    task = task_of("pairs:corpus=own,least=1,bleu_tokens=char", data)
    test = task.splits["test"]
    assert all("議会" in texts[0] and '“A"' in texts[0] for texts in test.references)
    assert [task.target_text([ids], ids) for ids in test.targets[0]] == [
        texts[0] for texts in test.references
    ]


def test_references_score_full_and_sign_it(tmp_path: Path) -> None:
    data = added(tmp_path, "own", rows(), languages="de-en")
    task = task_of("pairs:corpus=own,least=1", data)
    test = task.splits["test"]
    scores = task.score([list(test.targets[0])], test)
    assert [round(scores[name], 6) for name in ("bleu", "chrf", "exact_match")] == [100, 100, 1]
    assert "tok:13a" in task.signatures["bleu"]
    assert task.metric == "bleu"
    assert task.solved_at is None


def test_references_are_the_original_text_whatever_is_normalised(tmp_path: Path) -> None:
    pairs = [(f"he {n} is here", f"他 {n} 歲了,「真」的.") for n in range(40)]
    data = added(tmp_path, "own", pairs)
    task = task_of("pairs:corpus=own,target_normal=chinese,least=1", data)
    test = task.splits["test"]
    assert all("歲了,「真」的." in texts[0] for texts in test.references)
    assert "，“真”的。" in task.target_text([test.targets[0][0]], test.source[0])


def test_the_languages_turn_round(tmp_path: Path) -> None:
    data = added(tmp_path, "own", rows(), languages="de-en")
    there = task_of("pairs:corpus=own", data)
    back = task_of("pairs:corpus=own,direction=en-de", data)
    assert there.languages.text == "de-en"
    assert back.languages.text == "en-de"
    assert back.splits["test"].references[0][0].startswith("Der")
    assert there.digest() != back.digest()
    with pytest.raises(ValueError, match="own is de-en; give that, or its languages the other way"):
        build("pairs:corpus=own,direction=en-fr", data)


def test_characters_and_given_tokens_have_error_rates(tmp_path: Path) -> None:
    words = [
        (f"w{chr(97 + n % 26)}{chr(97 + n // 26)}rd", f"W A{n % 9} B{n // 9} D") for n in range(80)
    ]
    data = added(tmp_path, "g2p", words, languages="en-und")
    label = "pairs:corpus=g2p,source_tokens=characters,target_tokens=given,least=1"
    task = task_of(label, data)
    assert task.tokenize("word") == ["w", "o", "r", "d"]
    test = task.splits["test"]
    right = task.score([list(test.targets[0])], test)
    assert right["token_error_rate"] == 0
    short = task.score([[ids[:-1] for ids in test.targets[0]]], test)
    assert short["token_error_rate"] == pytest.approx(1 / 4)
    spelled = task_of("pairs:corpus=g2p,target_tokens=characters,least=1", data)
    assert "character_error_rate" in spelled.score(
        [list(spelled.splits["test"].targets[0])], spelled.splits["test"]
    )


@pytest.mark.parametrize(
    ("outputs", "references", "kind", "rate"),
    [
        (["abc"], ["abd"], "character_error_rate", 1 / 3),
        (["a b c"], ["a b d"], "token_error_rate", 1 / 3),
        ([""], ["ab"], "character_error_rate", 1.0),
        (["xy", "a"], ["", "a"], "character_error_rate", 2.0),
        (["", ""], ["", ""], "token_error_rate", 0.0),
    ],
)
def test_error_rates_are_edits_per_symbol(
    outputs: list[str], references: list[str], kind: str, rate: float
) -> None:
    assert error_rate(outputs, references, kind) == pytest.approx(rate)


def test_single_words_are_selected_by_chrf() -> None:
    assert selecting_metric("default", ["word", "other"], True) == "chrf"
    assert selecting_metric("default", ["a sentence of some words"], True) == "bleu"
    assert selecting_metric("default", ["我认识他。"], False) == "bleu"
    assert selecting_metric("exact_match", ["word"], True) == "exact_match"


def test_fewer_references_leave_gaps_in_streams() -> None:
    assert reference_streams([("a", "b"), ("c",)]) == [["a", "c"], ["b", None]]


def test_several_references_are_scored(tmp_path: Path) -> None:
    for side, place in (("de", 0), ("en", 1)):
        text = "".join(row[place] + "\n" for row in rows())
        (tmp_path / f"train.{side}").write_text(text, encoding="utf-8")
    names = {"test.de": "Ein Satz .", "test.en": "One sentence here .", "test.en2": "A sentence ."}
    for name, text in names.items():
        (tmp_path / name).write_text(f"{text}\n", encoding="utf-8")
    splits = {
        "train": [tmp_path / "train.de", tmp_path / "train.en"],
        "test": [tmp_path / name for name in names],
    }
    catalogue.add("own", [], tmp_path / "data", Given(splits, "de-en"))
    task = task_of("pairs:corpus=own,least=1", tmp_path / "data")
    test = task.splits["test"]
    assert test.references == (("One sentence here .", "A sentence ."),)
    outputs = [task.target.encode("A sentence .".split())]
    scores = task.score([outputs], test)
    assert "nrefs:2" in task.signatures["bleu"]
    assert scores["exact_match"] == (UNK not in outputs[0])


def test_the_longest_reference_can_be_reached_and_left_out_pairs_are_counted(
    tmp_path: Path,
) -> None:
    long = " ".join(["sehr"] * 120)
    pairs = [*rows(), *((f"{n} {long}", f"{n} {long}") for n in range(60))]
    data = added(tmp_path, "own", pairs, languages="de-en")
    task = task_of("pairs:corpus=own", data)
    train = task.counts["train"]
    held = sum(max(map(len, split.source)) > 100 for split in task.splits.values())
    assert train.dropped == {"longer than 100 symbols": 60 - held_out_long(task)}
    assert held
    for split in task.splits.values():
        assert split.targets[0].longest < task.facts.length_limit
    assert "longer than 100 symbols" in task.summary


def held_out_long(task: TranslationTask) -> int:
    return sum(len(ids) > 100 for name in ("valid", "test") for ids in task.splits[name].targets[0])


def test_an_official_test_is_whole_and_its_sentences_leave_training(tmp_path: Path) -> None:
    for name, chosen in (("train", rows()), ("test", [*rows()[:5], *rows()[:2], ("", "")])):
        text = "".join("\t".join(row) + "\n" for row in chosen)
        (tmp_path / f"{name}.tsv").write_text(text, encoding="utf-8")
    (tmp_path / "test.de").write_text(
        "\n".join(r[0] for r in [*rows()[:5], rows()[0], ("",)]) + "\n"
    )
    (tmp_path / "test.en").write_text(
        "\n".join(r[-1] for r in [*rows()[:5], rows()[0], ("",)]) + "\n"
    )
    splits = {
        "train": [tmp_path / "train.tsv"],
        "test": [tmp_path / "test.de", tmp_path / "test.en"],
    }
    catalogue.add("own", [], tmp_path / "data", Given(splits, "de-en"))
    task = task_of("pairs:corpus=own", tmp_path / "data")
    assert len(task.splits["test"]) == 7  # repeated and empty ones too
    assert task.counts["train"].dropped["its sentence stands in valid or test"] == 5
    kept = {texts[0] for texts in task.splits["train"].references}
    assert not kept & {english for _, english in rows()[:5]}
    assert len(task.splits["valid"]) > 0
    outputs = [np.zeros(0, dtype=np.int32)] * 7
    assert task.score([outputs], task.splits["test"])["exact_match"] == pytest.approx(1 / 7)


def test_unknown_shares_are_counted_for_each_side(tmp_path: Path) -> None:
    data = added(tmp_path, "own", rows(), languages="de-en")
    task = task_of("pairs:corpus=own,least=30", data)
    for name, split in task.splits.items():
        counts = task.counts[name]
        assert counts.pairs == len(split)
        assert counts.source.unknown == pytest.approx(np.mean(split.source.ids == UNK))
        assert counts.target.symbols == len(split.targets[0].ids)
    assert "unknown in test: source" in task.summary


def test_a_composed_and_a_decomposed_sentence_are_the_same(tmp_path: Path) -> None:
    pairs = [(f"n{n} da", f"caf\u0065\u0301 nu{chr(98 + n % 20)} {n}") for n in range(60)]
    data = added(tmp_path, "own", pairs, languages="und-fr")
    task = task_of("pairs:corpus=own,least=1", data)
    train = task.splits["train"].take(np.arange(20))
    assert "caf\u0065\u0301" in train.references[0][0]  # as it was given
    assert "café" in task.target.symbols
    assert task.score([list(train.targets[0])], train)["exact_match"] == 1


def test_taken_examples_keep_their_references(tmp_path: Path) -> None:
    data = added(tmp_path, "own", rows(), languages="de-en")
    split = task_of("pairs:corpus=own", data).splits["train"]
    some = split.take(np.asarray([5, 0, 5]))
    assert isinstance(some, ReferencedSplit)
    assert some.references == tuple(split.references[place] for place in (5, 0, 5))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("source_tokens=word", "did you mean words"),
        ("target_normal=chinese", "is for Chinese, and the target is en"),
        ("metric=blue", "did you mean bleu"),
        ("direction=en", "two codes"),
        ("longest=1", "has 0 training pairs of at most 1 symbols"),
        ("pairs=100000", "training pairs of at most 100 symbols; ask for fewer"),
        ("target_tokens=bpe:90000", "gives at most"),
    ],
)
def test_wrong_settings_are_refused(tmp_path: Path, setting: str, said: str) -> None:
    data = added(tmp_path, "own", rows(), languages="de-en")
    with pytest.raises(ValueError, match=said):
        build(f"pairs:corpus=own,{setting}", data)


def test_en_zh_is_a_preset(tmp_path: Path) -> None:
    pairs = [(f"I'm dog {n}.", f"我是New York狗 {n} 號.") for n in range(60)]
    pytest.importorskip("opencc")
    data = added(tmp_path, "own", pairs)
    task = task_of("en-zh:corpus=own,least=1", data)
    assert task.tokenize("I'm dog 7.") == ["i", "'m", "dog", "7", "."]
    assert {"New", "York", "号", "。"} <= set(task.target.symbols)
    assert task.solved_at is None
    german = added(tmp_path, "german", rows(), languages="de-en")
    with pytest.raises(ValueError, match="german is de-en; use the task pairs:corpus=german"):
        build("en-zh:corpus=german", german)


def test_default_settings_are_the_generated_corpus() -> None:
    assert Settings().corpus == "grammar"
    task = build("pairs:pairs=200,least=1")
    assert set(task.splits) == {"train", "valid", "test", "unseen"}
    assert task.solved_at == 90
