"""Proves that the keyphrase task labels, reads and scores phrases as its head says.

- Spans and labels are converted as a second, independent implementation converts them.
- Scores equal a count made by hand, and are 0 where a division by zero would occur.
- Generated documents are determined by their seed, disjoint, within bounds, and labelled the same
  by both heads. A label follows from the context (the sentence and how the document opens), not
  from the word: word lists score low.
- Tagged files are read exactly or refused in one sentence, and repeated documents are dropped.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tasks
from tasks import Ids, Ragged, Split
from tasks.keyphrase import HELD_OUT_DOCUMENTS, Keyphrase, Settings
from tasks.keyphrase_documents import (
    FRAMES,
    LONGEST,
    PHRASE_ADJECTIVES,
    PHRASE_NOUNS,
    SHORTEST,
    WORDS,
    documents,
)
from tasks.spans import (
    BEGIN,
    END,
    OUTSIDE,
    Span,
    class_scores,
    positions_of,
    span_scores,
    spans_of,
    spans_of_tags,
)
from tasks.tagged import read_corpus, tokens_of

SCORES = {
    *(f"{what}_{score}" for what in ("span", "keyword") for score in ("precision", "recall", "f1")),
    *("keyword_accuracy", "keyphrase_accuracy"),
}
DATA = os.environ.get("BENCH_DATA", "")
needs_semeval = pytest.mark.skipif(
    not DATA or not (Path(DATA) / "semeval2017").is_dir(),
    reason="BENCH_DATA names no folder with semeval2017",
)
CONTENT = {*PHRASE_NOUNS, *PHRASE_ADJECTIVES}
any_labels = st.lists(st.integers(0, 4), max_size=30)


@st.composite
def phrases(draw: st.DrawFn) -> tuple[list[Span], int]:
    """Draw spans that may touch but not overlap, and the length of a text that holds them."""
    spans: list[Span] = []
    end = 0
    for gap, size in draw(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), max_size=8)):
        spans.append((end + gap, end + gap + size))
        end += gap + size
    return spans, end + draw(st.integers(0, 3))


def by_regex(given: Sequence[int] | Ids) -> list[Span]:
    """Return spans by a second implementation: a search in the string of class letters."""
    letters = "".join("OSBME"[label] for label in given)
    return [match.span() for match in re.finditer("S|BM*E", letters)]


def ids(*values: int) -> Ids:
    return np.array(values, dtype=np.int32)


@pytest.fixture(scope="module")
def task() -> Keyphrase:
    return Keyphrase(Settings())


# spans and labels


@given(phrases())
def test_spans_to_labels_and_back_are_the_same(drawn: tuple[list[Span], int]) -> None:
    spans, length = drawn
    assert spans_of(positions_of(spans, length)) == spans
    assert len(positions_of(spans, length)) == length


@given(any_labels)
def test_spans_equal_those_of_a_regular_expression(given: list[int]) -> None:
    assert spans_of(given) == by_regex(given)
    assert spans_of(np.array(given, dtype=np.int32)) == by_regex(given)


@pytest.mark.parametrize(
    ("letters", "spans"),
    [
        ("SS", [(0, 1), (1, 2)]),
        ("BMME", [(0, 4)]),
        ("BEBE", [(0, 2), (2, 4)]),
        ("BBE", [(1, 3)]),
        ("BSE", [(1, 2)]),
        ("BOE", []),
        ("BM", []),
        ("ME", []),
        ("BEE", [(0, 2)]),
    ],
)
def test_only_complete_phrases_count(letters: str, spans: list[Span]) -> None:
    assert spans_of(["OSBME".index(letter) for letter in letters]) == spans


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("O O", []),
        ("B-X I-X O B-X", [(0, 2), (3, 4)]),
        ("B-X B-X I-X", [(0, 1), (1, 3)]),
        ("I-X I-X O I-X", [(0, 2), (3, 4)]),
        ("B-X I-Y I-Y", [(0, 1), (1, 3)]),
        ("B-X O I-X", [(0, 1), (2, 3)]),
    ],
)
def test_an_inside_tag_without_its_begin_begins_a_phrase(tags: str, spans: list[Span]) -> None:
    assert spans_of_tags(tags.split()) == spans


@given(phrases())
def test_spans_to_tags_and_back_are_the_same(drawn: tuple[list[Span], int]) -> None:
    spans, length = drawn
    tags = ["O"] * length
    for start, stop in spans:
        tags[start:stop] = ["B-X", *["I-X"] * (stop - start - 1)]
    assert spans_of_tags(tags) == spans


# scores


def test_scores_of_a_worked_example(task: Keyphrase) -> None:
    positions = Ragged.of([[0, 2, 3, 4, 0, 1], [1, 0, 2, 4]])
    keywords = Ragged.of([[0, 1, 1, 1, 0, 1], [1, 0, 1, 1]])
    split = Split(positions, (keywords, positions))
    heads = (
        [ids(0, 1, 1, 0, 0, 1), ids(1, 1, 0, 0)],  # right: 2 + 1 and 1; given 3 + 2; wanted 7
        [ids(0, 2, 4, 0, 0, 1), ids(0, 0, 2, 4)],  # right: (5, 6) and (2, 4); given 3; wanted 4
    )
    assert task.score(heads, split) == pytest.approx(
        {
            "keyword_precision": 4 / 5,
            "keyword_recall": 4 / 7,
            "keyword_f1": 2 * 4 / (5 + 7),
            "span_precision": 2 / 3,
            "span_recall": 2 / 4,
            "span_f1": 2 * 2 / (3 + 4),
            "keyword_accuracy": 4 / 7,  # of the labelled words alone, which is head 1's recall
            "keyphrase_accuracy": (2 + 2) / 7,
        }
    )


def test_the_references_score_one_and_silence_zero(task: Keyphrase) -> None:
    test = task.splits["test"]
    perfect = task.score([list(target) for target in test.targets], test)
    assert perfect == dict.fromkeys(SCORES, 1.0)
    assert task.metric in perfect
    silence = [np.zeros_like(source) for source in test.source]
    assert task.score((silence, silence), test) == dict.fromkeys(SCORES, 0.0)


def test_nothing_given_and_nothing_wanted_is_zero() -> None:
    assert span_scores([ids(0, 0)], [ids(0, 0)]) == (0.0, 0.0, 0.0)
    assert class_scores([ids(0, 0)], [ids(0, 0)]) == (0.0, 0.0, 0.0)


@given(
    st.lists(
        st.integers(0, 20).flatmap(
            lambda n: st.tuples(*[st.lists(st.integers(0, 4), min_size=n, max_size=n)] * 2)
        ),
        max_size=5,
    )
)
def test_scores_equal_a_second_count(texts: list[tuple[list[int], list[int]]]) -> None:
    given = {(i, span) for i, (output, _) in enumerate(texts) for span in by_regex(output)}
    wanted = {(i, span) for i, (_, reference) in enumerate(texts) for span in by_regex(reference)}
    precision = len(given & wanted) / len(given) if given else 0.0
    recall = len(given & wanted) / len(wanted) if wanted else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    outputs, references = [ids(*o) for o, _ in texts], [ids(*r) for _, r in texts]
    assert span_scores(outputs, references) == pytest.approx((precision, recall, f1))


def test_outputs_must_be_as_long_as_the_source() -> None:
    with pytest.raises(AssertionError, match="one label a token"):
        span_scores([ids(0)], [ids(0, 0)])
    with pytest.raises(AssertionError, match="one label a token"):
        class_scores([ids(0)], [ids(0, 0)])


# the generated corpus


def words_of(task: Keyphrase, split: str) -> list[list[str]]:
    return [task.source.decode(source) for source in task.splits[split].source]


def runs(marks: Sequence[bool]) -> list[Span]:
    """Return the longest runs of True."""
    return [match.span() for match in re.finditer("1+", "".join("01"[mark] for mark in marks))]


def test_a_seed_determines_the_task() -> None:
    settings = Settings(documents=20, data_seed=4)
    assert Keyphrase(settings).digest() == Keyphrase(settings).digest()
    other = Settings(documents=20, data_seed=5)
    assert Keyphrase(settings).digest() != Keyphrase(other).digest()


def test_splits_are_disjoint_and_of_the_sizes_asked_for(task: Keyphrase) -> None:
    sizes = {name: len(split) for name, split in task.splits.items()}
    assert sizes == {"train": 1_000, "valid": HELD_OUT_DOCUMENTS, "test": HELD_OUT_DOCUMENTS}
    texts = [" ".join(words) for name in sizes for words in words_of(task, name)]
    assert len(set(texts)) == sum(sizes.values())


def test_more_training_documents_leave_valid_and_test_as_they_are() -> None:
    few, more = documents(30, seed=0), documents(40, seed=0)
    assert more[:30] == few
    small, large = Keyphrase(Settings(documents=500)), Keyphrase(Settings(documents=600))
    assert words_of(small, "test") == words_of(large, "test")
    assert words_of(small, "train") == words_of(large, "train")[:500]


def test_targets_are_as_long_as_the_source_and_the_heads_agree(task: Keyphrase) -> None:
    for split in task.splits.values():
        keywords, positions = split.targets
        assert keywords.lengths.tolist() == positions.lengths.tolist()
        assert keywords.lengths.tolist() == split.source.lengths.tolist()
        assert np.array_equal(keywords.ids, positions.ids != OUTSIDE)
        assert keywords.ids.dtype == positions.ids.dtype == np.int32
        for labels in positions:
            assert np.array_equal(positions_of(spans_of(labels), len(labels)), labels)


def test_documents_have_the_lengths_and_sentences_stated(task: Keyphrase) -> None:
    lengths = np.concatenate([split.source.lengths for split in task.splits.values()])
    assert SHORTEST <= lengths.min() < lengths.max() <= LONGEST
    assert task.facts.length_limit == lengths.max()
    sentences = {words.count(".") for words in words_of(task, "train")}
    assert sentences == {2, 3, 4, 5}


def test_keyphrases_are_complete_noun_phrases_of_one_to_four_words(task: Keyphrase) -> None:
    sizes = Counter[int]()
    for words, labels in zip(words_of(task, "train"), task.splits["train"].targets[1], strict=True):
        for start, stop in spans_of(labels):
            kinds = ["A" if word in PHRASE_ADJECTIVES else "N" for word in words[start:stop]]
            assert re.fullmatch("A{0,2}N{1,3}", "".join(kinds))
            assert {*words[start:stop]} <= CONTENT
            assert not {words[start - 1], words[stop]} & CONTENT
            sizes[stop - start] += 1
    assert set(sizes) == {1, 2, 3, 4}
    assert min(sizes.values()) > 0.1 * sizes.total()


def test_the_lexicon_holds_each_word_once_and_none_of_the_frames() -> None:
    content = [*PHRASE_NOUNS, *PHRASE_ADJECTIVES]
    assert len(set(content)) == len(content)
    function = " ".join((*FRAMES, *WORDS.values())).replace("~", " ").split()
    assert not set(content) & set(function)


def sentences_of(words: list[str]) -> list[tuple[int, int]]:
    """Return the first token of each sentence, and the one after its full stop."""
    stops = [index + 1 for index, word in enumerate(words) if word == "."]
    return list(zip([0, *stops[:-1]], stops, strict=True))


def test_labels_follow_from_the_sentence_and_the_opening(task: Keyphrase) -> None:
    """Without content words, a sentence under one opening never has two labellings."""
    content = dict.fromkeys(PHRASE_NOUNS, "N") | dict.fromkeys(PHRASE_ADJECTIVES, "A")
    with_opening: dict[tuple[str, str], set[str]] = defaultdict(set)
    alone: dict[str, set[str]] = defaultdict(set)
    seen = Counter[str]()
    for name, split in task.splits.items():
        for words, labels in zip(words_of(task, name), split.targets[1], strict=True):
            for start, stop in sentences_of(words):
                frame = " ".join(content.get(word, word) for word in words[start:stop])
                tags = str(labels[start:stop].tolist())
                with_opening[words[0], frame].add(tags)
                alone[frame].add(tags)
                seen[frame] += 1
    assert sum(count > 1 for count in seen.values()) > 300, "too few frames are met twice"
    assert all(len(tags) == 1 for tags in with_opening.values())
    # no sentence but those of "it" needs the opening
    several = {frame.split()[0] for frame, tags in alone.items() if len(tags) > 1}
    assert several == {"it"}


def noun_phrases(sentence: Sequence[str]) -> list[Span]:
    """Return the runs of content words, without adjectives that stand alone, as in `is distant`."""
    found = runs([word in CONTENT for word in sentence])
    return [
        (start, stop)
        for start, stop in found
        if not (start and sentence[start - 1] in ("is", "was", "seems"))
    ]


def rule(sentence: str, own: bool) -> str | None:
    """Return a pattern of the keyphrases (K) and other noun phrases (N) of such a sentence."""
    if re.match(
        r"(here )?(they|others|critics|rivals|an older|their|that early|another) ", sentence
    ):
        return "N*"
    if re.match(r"we (do not (?!only)|saw|visited|left|passed|recalled)", sentence):
        return "N*"
    if sentence.startswith("it "):
        return "K+" if own else "N+"
    if sentence.startswith("unlike "):
        return "NK"
    if re.search(r" (is|was|seems) the \w+ of (this|our|the present) ", sentence):
        return "K"
    return None


def test_labels_are_those_of_rules_written_a_second_time(task: Keyphrase) -> None:
    checked = Counter[str]()
    for words, labels in zip(words_of(task, "train"), task.splits["train"].targets[1], strict=True):
        own = words[0] in ("abstract", "summary", "preface", "proposal")
        for start, stop in sentences_of(words)[1:]:
            sentence = words[start:stop]
            marks = [
                "N" if labels[start + at] == OUTSIDE else "K" for at, _ in noun_phrases(sentence)
            ]
            if wanted := rule(" ".join(sentence), own):
                assert re.fullmatch(wanted, "".join(marks)), sentence
                checked[wanted] += 1
    assert set(checked) == {"N*", "K+", "N+", "NK", "K"}
    assert min(checked.values()) > 30


def test_word_lists_score_low(task: Keyphrase) -> None:
    """Neither each word's commonest label nor runs of words that are mostly keywords score well."""
    train, test = task.splits["train"], task.splits["test"]
    counts: dict[int, Counter[int]] = defaultdict(Counter)
    for word, label in zip(train.source.ids.tolist(), train.targets[1].ids.tolist(), strict=True):
        counts[word][label] += 1
    commonest = {word: count.most_common(1)[0][0] for word, count in counts.items()}
    mostly = {word: 2 * count[OUTSIDE] < count.total() for word, count in counts.items()}
    sources = [source.tolist() for source in test.source]
    labels = [ids(*(commonest.get(word, OUTSIDE) for word in source)) for source in sources]
    marked = [
        ids(*positions_of(runs([mostly.get(word, False) for word in source]), len(source)))
        for source in sources
    ]
    assert span_scores(labels, test.targets[1])[2] < 0.3
    assert span_scores(marked, test.targets[1])[2] < 0.3


def test_marking_every_noun_phrase_does_not_solve_it(task: Keyphrase) -> None:
    test = task.splits["test"]
    marked = [
        ids(*positions_of(runs([word in CONTENT for word in words]), len(words)))
        for words in words_of(task, "test")
    ]
    precision, recall, f1 = span_scores(marked, test.targets[1])
    assert recall == 1.0, "phrases are found by their words; which are key is the question"
    assert precision < 0.5
    assert f1 < 0.65


def test_nearly_every_content_word_is_met_in_both_roles(task: Keyphrase) -> None:
    train = task.splits["train"]
    met, key = Counter[int](), Counter[int]()
    for word, label in zip(train.source.ids.tolist(), train.targets[0].ids.tolist(), strict=True):
        met[word] += 1
        key[word] += label
    content = [task.source.encode([word]).item() for word in (*PHRASE_NOUNS, *PHRASE_ADJECTIVES)]
    shares = [key[word] / met[word] for word in content]
    assert np.mean([0.2 < share < 0.8 for share in shares]) > 0.95
    assert 200 < len(task.source) < 500


# the reader


def write(folder: Path, **files: str) -> Path:
    """Write a small corpus, in which only the given files differ from the usual ones."""
    texts = {"train": "a\tO\nb\tB-X\n", "dev": "c\tB-X\n", "test": "d\tO\n"} | files
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8", newline="")
    return folder


def test_documents_are_read_between_blank_lines(tmp_path: Path) -> None:
    train = "\nWide\tB-X\nGraphs2\tI-X\n.\tO\n\n\n\nunit\u2028s\tO\n \nlast\tI-Y"
    splits, dropped = read_corpus(write(tmp_path, train=train))
    assert [document.tokens for document in splits["train"]] == [
        ("wide", "graphs0", "."),
        ("unit\u2028s",),
        ("last",),
    ]
    assert [document.positions for document in splits["train"]] == [(BEGIN, END, 0), (0,), (1,)]
    assert dropped == {"train": 0, "valid": 0, "test": 0}


def test_carriage_returns_and_a_byte_order_mark_are_no_part_of_a_token(tmp_path: Path) -> None:
    splits, _ = read_corpus(write(tmp_path, train="\ufeffa\tO\r\nb\tB-X\r\n\r\ne\tO\r\n"))
    assert [document.tokens for document in splits["train"]] == [("a", "b"), ("e",)]


def test_training_texts_that_stand_in_valid_or_test_are_dropped(tmp_path: Path) -> None:
    train = ["a\tO", "b\tO", "c\tO", "c\tO", "f\tO"]
    dev = ["B\tB-X", "d\tO"]  # the first stands in training, whatever its case and tags
    test = ["e\tO", "c\tO", "d\tO", "a\tO", "a\tO\na\tO"]
    for step in (1, -1):
        files = {"train": train[::step], "dev": dev[::step], "test": test[::step]}
        texts = {name: "\n\n".join(documents) for name, documents in files.items()}
        splits, dropped = read_corpus(write(tmp_path, **texts))
        assert dropped == {"train": 4, "valid": 0, "test": 0}
        assert [document.tokens for document in splits["train"]] == [("f",)]
        assert [len(splits[name]) for name in ("valid", "test")] == [2, 5]


def test_training_of_nothing_but_repeated_documents_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"every training text stands in valid or test"):
        read_corpus(write(tmp_path, train="a\tO\n", test="a\tO\n"))


@pytest.mark.parametrize(
    "line",
    ["token", "token O", "token\tB", "token\tX-Task", "token\tO\tO", "\tO", "to ken\tO", "a\tB-"],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str) -> None:
    folder = write(tmp_path, dev=f"fine\tO\n\n{line}\nfine\tO\n")
    with pytest.raises(ValueError, match="is not a token, a TAB and a tag") as caught:
        read_corpus(folder)
    text = str(caught.value)
    assert "dev.txt, line 3: " in text
    assert repr(line) in text
    assert "tags are O, B- or I- and a kind, such as B-Task" in text


def test_a_long_malformed_line_is_shortened(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"line 1: 'x{60}\.\.\.' is"):
        read_corpus(write(tmp_path, train="x" * 5_000))


@pytest.mark.parametrize("text", ["", "\n\n \n"])
def test_an_empty_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"train\.txt is empty; give it lines"):
        read_corpus(write(tmp_path, train=text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (write(tmp_path) / "dev.txt").unlink()
    with pytest.raises(
        FileNotFoundError,
        match=r"holds no dev\.txt; a tagged corpus has train\.txt, dev\.txt and test\.txt",
    ):
        read_corpus(tmp_path)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (write(tmp_path) / "test.txt").write_bytes("fä\tO\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"test\.txt is not UTF-8 at byte 1; save it as UTF-8"):
        read_corpus(tmp_path)


# the task


def test_the_facts_say_that_there_are_two_heads(task: Keyphrase) -> None:
    facts = task.facts
    assert facts.tagging
    assert not facts.memorisation
    assert facts.target_sizes == (2, 5)
    assert facts.head_weights == (0.3, 0.7)
    assert facts.source_size == len(task.source)
    assert (task.metric, task.solved_at) == ("span_f1", 0.90)


def test_texts_are_tokenised_as_the_corpora_are(task: Keyphrase) -> None:
    assert tokens_of("Don't  use semi-classical (1.5 nm) methods.") == (
        "don't use semi-classical ( 0.0 nm ) methods .".split()
    )
    text = "we study wide graph partition ."
    assert task.tokenize(text) == text.split()
    assert task.source_text(task.encode(text)) == text
    with pytest.raises(ValueError, match="holds no word to tag; give a sentence or more"):
        task.encode("  ")


def test_probes_are_made_of_known_words(task: Keyphrase) -> None:
    for probe in task.probes:
        assert task.source_text(task.encode(probe)) == probe


def test_keyphrases_are_shown_in_brackets(task: Keyphrase) -> None:
    source = task.encode("unlike garden , we study wide graph partition .")
    positions = ids(0, 1, 0, 0, 0, 2, 3, 4, 0)
    shown = task.target_text((ids(*[0] * 9), positions), source)
    assert shown == "unlike [garden] , we study [wide graph partition] ."


def test_the_registry_builds_it() -> None:
    built = tasks.build("keyphrase:documents=30,data_seed=2")
    assert isinstance(built, Keyphrase)
    assert len(built.splits["train"]) == 30
    assert tasks.canonical("keyphrase:documents=1000") == "keyphrase"


def test_a_corpus_is_found_by_name_or_by_path(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    write(folder, train="a\tO\na\tB-X\nb\tI-X\n")
    by_name = Keyphrase(Settings(corpus="mine"), tmp_path)
    assert by_name.digest() == Keyphrase(Settings(corpus=str(folder))).digest()
    assert by_name.source.symbols[3:] == ("<unk>", "a"), "a word seen once is unknown"
    assert by_name.splits["train"].targets[1][0].tolist() == [0, 2, 4]
    assert by_name.facts.length_limit == 3


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"documents": 0}, ValueError, "documents=0 is below 1"),
        ({"data_seed": -1}, ValueError, "data_seed=-1 is below 0"),
        ({"corpus": "x", "documents": 5}, ValueError, "documents=5 is for corpus=generated"),
        ({"corpus": "x", "data_seed": 5}, ValueError, "data_seed=5 is for corpus=generated"),
        ({"corpus": "x"}, FileNotFoundError, "corpus=x .* there is none; add data first"),
        ({"corpus": "./no/such"}, FileNotFoundError, "no/such is no folder; add it with"),
    ],
)
def test_wrong_settings_are_refused(
    settings: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        Keyphrase(Settings(**settings))


def test_a_name_that_is_not_fetched_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"corpus=generatd is not there.*corpus=generated"):
        Keyphrase(Settings(corpus="generatd"), tmp_path)


# real documents


@pytest.fixture(scope="module")
def semeval() -> Keyphrase:
    return Keyphrase(Settings(corpus="semeval2017"), Path(DATA))


@needs_semeval
def test_semeval_loses_the_five_training_documents_that_stand_in_test(
    semeval: Keyphrase,
) -> None:
    assert {name: len(split) for name, split in semeval.splits.items()} == {
        "train": 345,
        "valid": 50,
        "test": 100,
    }
    assert semeval.dropped == {"train": 5, "valid": 0, "test": 0}
    assert "left out of train: it stands in valid or test 5" in semeval.summary


@needs_semeval
def test_semeval_holds_as_many_phrases_as_begin_tags(semeval: Keyphrase) -> None:
    """Every inside tag there has its begin, so phrases can also be counted as lines."""
    lines = (Path(DATA) / "semeval2017" / "test.txt").read_text(encoding="utf-8").split("\n")
    test = semeval.splits["test"]
    begins = sum(line.partition("\t")[2].startswith("B-") for line in lines)
    assert sum(len(spans_of(labels)) for labels in test.targets[1]) == begins > 1_000
    marked = sum(line.partition("\t")[2] not in ("", "O") for line in lines)
    assert int(test.targets[0].ids.sum()) == marked
    assert len(test.source.ids) == sum(line != "" for line in lines)
    assert semeval.facts.length_limit == 399


@needs_semeval
def test_semeval_words_are_lower_case_without_digits_and_mostly_known(semeval: Keyphrase) -> None:
    words = semeval.source.symbols[4:]
    assert not any(re.search("[1-9]|[A-Z]", word) for word in words)
    for name, most in (("train", 0.07), ("valid", 0.14), ("test", 0.16)):
        assert 0 < np.mean(semeval.splits[name].source.ids == 3) < most
