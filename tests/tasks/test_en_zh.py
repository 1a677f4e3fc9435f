"""Proves that English to Chinese loses no text, keeps its splits apart, and scores text.

Joining symbols restores the text exactly; no sentence is in two splits, however often a corpus
repeats it; references keep symbols that the vocabulary lacks; wrong settings are refused.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tasks
from bench.corpora import catalogue as corpora
from results import packing
from results.outputs import SplitOutputs, encode
from tasks import sentence_pairs
from tasks.en_zh import EnZh, Settings, TextSplit
from tasks.ragged import Ragged
from tasks.sentence_pairs import TextPair
from tasks.sentences import (
    chinese_characters,
    chinese_text,
    chinese_words,
    english_symbols,
    english_text,
    normalise_chinese,
    normalise_english,
)
from tasks.vocabulary import EOS, UNK

jieba_is_here = pytest.mark.skipif(
    importlib.util.find_spec("jieba") is None, reason="jieba is not installed"
)
timeless = settings(deadline=None)
TRICKY = "我你他汤姆说：“”？！。，、…·（）％《》「」 　Tom's CDs iPhone3.5,10:30+$-\"'[]\u200b"
chinese_like = st.text(st.one_of(st.sampled_from(TRICKY), st.characters()), max_size=30)
VERBS = (("see", "看见"), ("know", "认识"), ("like", "喜欢"), ("hear", "听见"))


# --- sentences -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("I don't know.", "i do n't know ."),
        ("I'm sure Tom's here", "i 'm sure tom 's here"),
        ("It’s “fine”, isn’t it?", "it 's \" fine \" , is n't it ?"),
        ("You can't; we won't've.", "you ca n't ; we wo n't 've ."),
        ("It's 7 o'clock a.m.", "it 's 7 o'clock a.m."),
        ("A well-known 10:30 train, $500", "a well - known 1 0 : 3 0 train , $ 5 0 0"),
        ("I don'tx", "i don'tx"),
        ("", ""),
    ],
)
def test_english_is_cut_like_the_treebank(text: str, symbols: str) -> None:
    assert english_symbols(text) == symbols.split()


@timeless
@given(st.text(max_size=40))
def test_english_loses_nothing_but_case_and_spaces(text: str) -> None:
    symbols = english_symbols(text)
    assert "".join(symbols) == "".join(normalise_english(text).lower().split())
    assert all(symbol and not symbol.isspace() for symbol in symbols)


def test_english_is_shown_as_it_is_written() -> None:
    text = "he said, \"i don't have $10,000 at 10:30 (or 50%), tom's well-known!\""
    assert english_text(english_symbols(text)) == text


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("他 16 歲了.", "他16歲了。"),
        ("比賽在 2：30 開始", "比賽在2:30開始"),
        ("是的, 他會!", "是的，他會！"),
        ('"几点了?""10点半。"', "“几点了？”“10点半。”"),
        ("「認識。」", "“認識。”"),
        ("大約10,000日元，3.4％。", "大約10,000日元，3.4%。"),
        ("请\u200b借我,１２本。。。", "请借我，12本……"),
        ("Ｍａｒｋ Knopfler 说", "Mark Knopfler说"),
        ("汤姆(Tom)", "汤姆（Tom）"),
        ("我? . . .", "我？……"),
    ],
)
def test_chinese_is_written_one_way(text: str, normal: str) -> None:
    assert normalise_chinese(text) == normal


@timeless
@given(chinese_like)
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise_chinese(text)
    assert normalise_chinese(once) == once


@timeless
@given(chinese_like)
def test_characters_are_joined_again_exactly(text: str) -> None:
    for one in (text, normalise_chinese(text)):
        assert chinese_text(chinese_characters(one)) == one


def test_characters_keep_latin_words_and_their_spaces() -> None:
    assert chinese_characters("我爱New York的3") == ["我", "爱", "New", " ", "York", "的", "3"]


@jieba_is_here
@timeless
@given(chinese_like)
def test_words_are_joined_again_exactly(text: str) -> None:
    normal = normalise_chinese(text)
    assert chinese_text(chinese_words(normal)) == normal


@jieba_is_here
def test_words_are_longer_than_characters() -> None:
    assert chinese_words("我们认识汤姆。") == ["我们", "认识", "汤姆", "。"]


@jieba_is_here
def test_jieba_is_loaded_without_warnings_or_chatter(tmp_path: Path) -> None:
    # A fresh cache of compiled files makes Python see its unescaped strings again.
    options = ["-W", "error", "-X", f"pycache_prefix={tmp_path}"]
    program = "from tasks.sentences import chinese_words; chinese_words('我们认识汤姆')"
    done = subprocess.run(
        [sys.executable, *options, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_words_without_jieba_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jieba", None)
    with pytest.raises(ValueError, match=r"needs jieba; .*pip install 'seq2seq-bench\[zh\]'"):
        chinese_words("我们")


# --- splits --------------------------------------------------------------------------------


def assert_no_leak(splits: dict[str, list[TextPair]]) -> None:
    for side in (0, 1):
        keys = [{sentence_pairs.key(pair[side]) for pair in pairs} for pairs in splits.values()]
        assert len(set().union(*keys)) == sum(map(len, keys))


numbered = st.tuples(st.integers(0, 60), st.integers(0, 60), st.sampled_from(["", "!", " ?"]))


@timeless
@given(st.lists(numbered, min_size=40, max_size=120), st.integers(0, 5))
def test_no_sentence_stands_in_two_splits(numbers: list[tuple[int, int, str]], seed: int) -> None:
    pairs = [TextPair(f"Dog {en}{end}", f"{end}狗{zh}") for en, zh, end in numbers]
    try:
        splits = sentence_pairs.divide(pairs, np.random.default_rng(seed))
    except ValueError:  # all of them hang together
        assert max(map(len, sentence_pairs.components(pairs))) > len(pairs) // 20
        return
    assert_no_leak(splits)
    assert sorted(chain.from_iterable(splits.values())) == sorted(pairs)
    assert all(0 < len(splits[name]) <= len(pairs) // 20 for name in ("valid", "test"))


@timeless
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=25))
def test_components_are_the_connected_ones(numbers: list[tuple[int, int]]) -> None:
    groups = sentence_pairs.components([TextPair(f"e{en}", f"字{zh}") for en, zh in numbers])
    assert sorted(place for group in groups for place in group) == list(range(len(numbers)))
    for group in groups:  # reached from one of its pairs, step by step, and nothing beyond
        reached = {group[0]}
        for _ in group:
            english = {numbers[place][0] for place in reached}
            chinese = {numbers[place][1] for place in reached}
            reached = {
                place for place, (en, zh) in enumerate(numbers) if en in english or zh in chinese
            }
        assert reached == set(group)


def test_held_out_splits_have_their_full_size() -> None:
    pairs = [TextPair(f"dog {n}", f"狗{n}") for n in range(400)]
    splits = sentence_pairs.divide(pairs, np.random.default_rng(0))
    assert {name: len(pairs) for name, pairs in splits.items()} == {
        "train": 360,
        "valid": 20,
        "test": 20,
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [("It's OK.", "its ok"), ("ＯＫ？", "ok"), ("他 说：“好”。", "他说好"), ("1,000", "１０００")],
)
def test_keys_ignore_all_but_letters_and_digits(one: str, other: str) -> None:
    assert sentence_pairs.key(one) == sentence_pairs.key(other)


def test_keys_of_nothing_but_punctuation_differ() -> None:
    assert sentence_pairs.key("!") != sentence_pairs.key("?")


# --- the task ------------------------------------------------------------------------------


def line(number: int) -> str:
    english, chinese = VERBS[number % 4]
    name = chr(97 + number // 26) + chr(97 + number % 26) + "son"
    return f"I {english} {name}.\t我{chinese}{number}。\tby {number}\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Write a corpus of 200 pairs, one of them long, each with a name and a rare character."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    rows = [line(n).replace("。", chr(0x4E00 + n) + "。") for n in range(200)]
    rows[7] = f"I {'really ' * 60}know you.\t我{'真' * 60}认识你。\t\n"
    (folder / "pairs.tsv").write_text("".join(rows), encoding="utf-8")
    return tmp_path


def tiny(data: Path, **changed: int) -> EnZh:
    return EnZh(Settings(corpus="tiny", **changed), data)  # type: ignore[arg-type]


def test_rare_symbols_are_unknown_but_references_keep_them(data: Path) -> None:
    task = tiny(data)
    split = task.splits["test"]
    assert all((target == UNK).sum() == 1 for target in split.targets[0] if len(target) < 20)
    for target, text in zip(split.targets[0], split.references, strict=True):
        shown = task.target_text([target], split.source[0])
        assert len(shown) == len(text)
        assert "⁇" in shown
        assert "⁇" not in text


def test_scores_are_of_the_original_references(data: Path) -> None:
    task = tiny(data)
    split = task.splits["test"]
    scores = task.score([list(split.targets[0])], split)
    assert scores["token_accuracy"] == 1.0
    assert scores["exact_match"] == 0.0  # each reference has a symbol that no output can have
    assert 20 < scores["bleu"] < 90
    assert set(scores) == {"bleu", "chrf", "exact_match", "token_accuracy"}


def test_right_outputs_score_full_and_sign_it(data: Path) -> None:
    task = tiny(data, least=1)
    train = task.splits["train"].take(np.arange(30))
    assert task.signatures == {}
    scores = task.score([list(train.targets[0])], train)
    assert [round(scores[name], 6) for name in ("bleu", "chrf", "exact_match")] == [100, 100, 1]
    assert "tok:zh" in task.signatures["bleu"]
    assert "nc:6|nw:0" in task.signatures["chrf"]
    wrong = [target[:-2] for target in train.targets[0]]
    worse = task.score([wrong], train)
    assert worse["exact_match"] == 0
    assert 0 < worse["bleu"] < 100


def test_outputs_of_nothing_or_of_specials_can_be_scored(data: Path) -> None:
    task = tiny(data)
    split = task.splits["valid"]
    for ids in ([], [EOS, UNK]):
        outputs = [np.asarray(ids, dtype=np.int32)] * len(split)
        assert task.score([outputs], split)["bleu"] == 0.0
    assert task.target_text([np.asarray([0, 1, 2, 3])], split.source[0]) == "⁇⁇⁇⁇"


def test_taken_examples_keep_their_references(data: Path) -> None:
    split = tiny(data).splits["train"]
    some = split.take(np.asarray([5, 0, 5]))
    assert isinstance(some, TextSplit)
    assert some.references == tuple(split.references[i] for i in (5, 0, 5))
    assert np.array_equal(some.source[1], split.source[0])


def test_only_training_is_cut_by_length(data: Path) -> None:
    short, long = (
        {name: len(split) for name, split in tiny(data, longest=n, data_seed=3).splits.items()}
        for n in (50, 100)
    )
    assert short | {"train": 0} == long | {"train": 0}
    # the one long pair is in training, or in a split that keeps it
    held = [
        max(map(len, tiny(data, data_seed=seed).splits["test"].references)) for seed in range(40)
    ]
    assert max(held) > 60
    lengths = tiny(data, longest=50).splits["train"].source.lengths
    assert lengths.max() <= 50


def test_fewer_pairs_are_the_first_of_all(data: Path) -> None:
    few, all_ = tiny(data, pairs=20).splits, tiny(data).splits
    assert few["train"].references == all_["train"].references[:20]
    assert few["test"].references == all_["test"].references


def test_vocabularies_come_from_training_alone(data: Path) -> None:
    task = tiny(data, least=1)
    train = task.splits["train"]
    assert len(task.source) == len(np.union1d(np.unique(train.source.ids), np.arange(4)))
    assert len(task.target) == task.facts.target_sizes[0]
    assert len(task.target) == len(np.union1d(np.unique(train.targets[0].ids), np.arange(4)))


def test_the_digest_covers_the_seed_and_every_reference(data: Path) -> None:
    before = tiny(data)
    assert before.digest() == tiny(data).digest()
    assert before.digest() != tiny(data, data_seed=1).digest()
    file = data / "tiny" / "pairs.tsv"
    rare = "\u4e03"  # unknown before and after, so no id changes
    file.write_text(file.read_text("utf-8").replace(rare, "\u9f98"), encoding="utf-8")
    after = tiny(data)
    name = "train"
    assert np.array_equal(before.splits[name].targets[0].ids, after.splits[name].targets[0].ids)
    assert before.digest() != after.digest()


def test_a_typed_sentence_is_encoded(data: Path) -> None:
    task = tiny(data)
    assert task.tokenize(" I don't  KNOW you. ") == ["i", "do", "n't", "know", "you", "."]
    assert task.source_text(task.encode("I know xylophones.")) == "i know ⁇."
    with pytest.raises(ValueError, match="give an English sentence"):
        task.tokenize("  ")


def test_decoding_has_room_for_the_longest_target(data: Path) -> None:
    task = tiny(data, pairs=20)
    longest = task.splits["train"].targets[0].lengths.max()
    assert task.facts.length_limit == min(longest + 10, 80)
    assert not task.facts.memorisation


def test_building_loads_no_scorer_and_no_converter(data: Path) -> None:
    program = (
        "import sys, tasks, pathlib; tasks.build('en-zh:corpus=tiny', pathlib.Path(sys.argv[1]));"
        "print({'sacrebleu', 'opencc', 'jieba', 'torch'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", program, str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_importing_tasks_makes_no_tables_of_the_grammar() -> None:
    program = "import sys, tasks; print([name for name in sys.modules if 'grammar' in name])"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"tokens": "word"}, "did you mean words"),
        ({"pairs": -1}, "pairs=-1 is below 0"),
        ({"least": 0}, "least=0 is below 1"),
        ({"corpus": "tiny", "pairs": 1_000}, "has 179 training pairs|has 180 training pairs"),
        ({"corpus": "tiny", "longest": 1}, "has 0 training pairs"),
        ({"corpus": "../tiny"}, "cannot name a corpus"),
        ({"corpus": "generated"}, "cannot name a corpus"),
    ],
)
def test_wrong_settings_are_refused(data: Path, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EnZh(Settings(**wrong), data)


def test_a_corpus_too_small_to_split_is_refused(data: Path) -> None:
    (data / "tiny" / "pairs.tsv").write_text("".join(map(line, range(19))), encoding="utf-8")
    with pytest.raises(ValueError, match="19 pairs cannot be split; give at least 20"):
        tiny(data)


@pytest.mark.parametrize("given_folder", [True, False])
def test_a_missing_corpus_says_how_to_fetch_it(tmp_path: Path, given_folder: bool) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        EnZh(Settings(corpus="tatoeba"), tmp_path if given_folder else None)
    message = str(caught.value)
    assert "fetch it with: bench data get tatoeba" in message
    assert "bench data add" in message
    assert ("the corpus 'tatoeba' is not in " + str(tmp_path) in message) == given_folder


# --- the grammar ---------------------------------------------------------------------------


def test_generated_sentences_need_no_data() -> None:
    task = tasks.build("en-zh")
    sizes = {name: len(split) for name, split in task.splits.items()}
    assert sizes["train"] == 20_000
    assert sizes["valid"] == sizes["test"] == 1_000
    assert sizes["unseen"] > 0
    assert task.digest() == tasks.build("en-zh").digest()


def test_few_generated_pairs_keep_the_test() -> None:
    few, more = (EnZh(Settings(pairs=pairs, least=1)) for pairs in (50, 500))
    assert [len(task.splits["train"]) for task in (few, more)] == [50, 500]
    for name in ("valid", "test", "unseen"):
        assert few.splits[name].references == more.splits[name].references
    assert more.digest() != EnZh(Settings(pairs=500, least=1, data_seed=1)).digest()
    for split in more.splits.values():
        for text in split.references:
            assert chinese_text(chinese_characters(text)) == text == normalise_chinese(text)


# --- the real corpus -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def tatoeba(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if "BENCH_DATA" not in os.environ:
        pytest.skip("BENCH_DATA is not set")
    pytest.importorskip("opencc")
    folder = tmp_path_factory.mktemp("corpora")
    archive = Path(os.environ["BENCH_DATA"]) / "tatoeba" / "cmn-eng.zip"
    corpora.get("tatoeba", folder, archive=archive)
    return folder


def test_no_sentence_of_tatoeba_is_in_two_splits(tatoeba: Path) -> None:
    pairs = sentence_pairs.read("tatoeba", tatoeba)
    splits = sentence_pairs.divide(pairs, np.random.default_rng(0))
    sizes = {name: len(split) for name, split in splits.items()}
    assert sizes == {"train": 29_878, "valid": 1_000, "test": 1_000}
    assert_no_leak(splits)
    assert sorted(chain.from_iterable(splits.values())) == sorted(pairs)


def test_tatoeba_is_joined_again_exactly(tatoeba: Path) -> None:
    for _, chinese in sentence_pairs.read("tatoeba", tatoeba):
        assert chinese_text(chinese_characters(chinese)) == chinese == normalise_chinese(chinese)


@jieba_is_here
def test_tatoeba_in_words_is_joined_again_exactly(tatoeba: Path) -> None:
    for _, chinese in sentence_pairs.read("tatoeba", tatoeba):
        assert chinese_text(chinese_words(chinese)) == chinese


def test_few_symbols_of_tatoeba_are_unknown(tatoeba: Path) -> None:
    task = tasks.build("en-zh:corpus=tatoeba", tatoeba)
    test = task.splits["test"]
    assert isinstance(test, TextSplit)
    assert np.mean(test.source.ids == UNK) < 0.03
    assert np.mean(test.targets[0].ids == UNK) < 0.01
    assert task.score([list(test.targets[0])], test)["bleu"] > 98
    assert isinstance(test.source, Ragged)


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.6, 0.9])
def test_kept_outputs_of_tatoeba_take_little_room(tatoeba: Path, rate: float) -> None:
    """Outputs are references of which a share of the symbols are others, drawn as in training."""
    task = tasks.build("en-zh:corpus=tatoeba", tatoeba)
    test, random = task.splits["test"], np.random.default_rng(0)
    common = task.splits["train"].targets[0].ids
    outputs = [
        np.where(random.random(len(row)) < rate, random.choice(common, len(row)), row)
        for row in test.targets[0]
    ]
    kept = SplitOutputs([outputs], np.ones(len(test), dtype=bool), task.statistics([outputs], test))
    assert len(packing.pack(encode({"test": kept}))) < 20_000
