"""Proves that a comparison of scores says both sources of chance, from what runs keep."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from results import packing
from results.compare.sentences import SentencesRow, kept_counts, rows_over_sentences
from results.compare.two_variants import compare_variants
from results.outputs import SplitOutputs, encode
from results.show.comparisons import show_chance
from results.show.terminal import SafeConsole
from results.stats import aggregates
from results.store import Store, reading, writing
from tasks.parallel.scores import Scorer
from tests.records import SUITE, record

SENTENCES = 30


def counts(seed: int, rate: float) -> np.typing.NDArray[np.int64]:
    """Return BLEU's counts of outputs of which each letter is wrong at a rate."""
    chance = np.random.default_rng(seed)
    texts = ["".join(chance.choice(list("我你他看见书茶"), size=8)) for _ in range(SENTENCES)]
    given = ["".join("狗" if chance.random() < rate else c for c in text) for text in texts]
    return Scorer("zh", "").statistics(given, [(text,) for text in texts])["bleu"]


def keep(
    store: Store,
    seed: int,
    rate: float,
    kept: bool = True,
    cell: str = "gru",
    metric: str = "bleu",
    memorised: bool = False,
) -> None:
    """Add a run whose outputs have a rate of mistakes, scored as text or by whole examples."""
    found = counts(seed, rate)
    if metric != "bleu":
        right = (found[:, 2] == found[:, 6]).astype(np.int64)
        found = np.stack([right, *[np.ones_like(right)] * (2 if metric == "span_f1" else 1)], 1)
    score = float(aggregates.scores(metric, found.sum(axis=0, keepdims=True))[0])
    one = record(seed, score, metric=metric, signature="tok:zh", cell=cell)
    content = encode({
        "test": SplitOutputs(
            [[np.zeros(0, dtype=np.int32)] * SENTENCES], np.ones(SENTENCES, bool), {metric: found}
        )
    })  # fmt: skip
    outcome = {**one.outcome, "memorisation": memorised}
    if kept:
        outcome["outputs"] = packing.digest(content)
        store.keep_outputs(one.id, content)
    store.add(replace(one, outcome=outcome))


def rows(folder: Path) -> list[SentencesRow]:
    with reading(folder) as store:
        records = list(store.records())
        compared = compare_variants(records, SUITE, "cell=lstm", "base")
        return rows_over_sentences(partial(kept_counts, store), records, SUITE, compared)


def shown(found: list[SentencesRow]) -> str:
    out = io.StringIO()
    show_chance(found, SafeConsole(file=out, width=80))
    return out.getvalue()


@pytest.mark.parametrize("seeds", [1, 4])
def test_both_sources_are_said_in_words(tmp_path: Path, seeds: int) -> None:
    with writing(tmp_path) as store:
        for seed in range(seeds):
            keep(store, seed, 0.1, cell="lstm")
            keep(store, seed, 0.3)
    (row,) = rows(tmp_path)
    assert (row["sentences"], row["seeds"], row["seeds_without_outputs"]) == (30, seeds, 0)
    assert row["difference"] is not None
    assert row["sentences_low"] is not None
    assert row["sentences_low"] < row["difference"]
    text = shown([row])
    assert max(map(len, text.splitlines())) <= 80
    assert "BLEU of a minus b" in text
    assert "these models, on other sentences" in text
    if seeds == 1:
        assert row["both_p"] is None
        assert text.count("one seed") == 2
    else:
        assert row["both_low"] is not None
        assert row["both_low"] < row["sentences_low"]


def test_seeds_without_outputs_are_left_out_and_said(tmp_path: Path) -> None:
    with writing(tmp_path) as store:
        for seed in range(3):
            keep(store, seed, 0.1, cell="lstm")
            keep(store, seed, 0.3, kept=seed > 0)
    (row,) = rows(tmp_path)
    assert (row["seeds"], row["seeds_without_outputs"]) == (2, 1)
    assert "leave out 1 seeds without outputs" in " ".join(shown([row]).split())


def test_an_old_store_says_that_outputs_were_not_kept(tmp_path: Path) -> None:
    with writing(tmp_path) as store:
        for seed in range(2):
            keep(store, seed, 0.1, kept=False, cell="lstm")
            keep(store, seed, 0.3, kept=False)
    (row,) = rows(tmp_path)
    assert row["difference"] is None
    assert "were not kept (by an older version)" in " ".join(shown([row]).split())


@pytest.mark.parametrize("metric", ["exact_match", "span_f1"])
def test_any_score_of_single_examples_has_both_sources(tmp_path: Path, metric: str) -> None:
    with writing(tmp_path) as store:
        for seed in range(3):
            keep(store, seed, 0.02, cell="lstm", metric=metric)
            keep(store, seed, 0.2, metric=metric)
    (row,) = rows(tmp_path)
    assert (row["measure"], row["sentences"], row["seeds"]) == (metric, 30, 3)
    assert row["both_p"] is not None
    text = shown([row])
    assert "these models, on other examples" in text
    assert "sentences" not in text


def test_sides_that_are_equal_everywhere_need_no_table(tmp_path: Path) -> None:
    with writing(tmp_path) as store:
        keep(store, 0, 0, cell="lstm", metric="exact_match")
        keep(store, 0, 0, metric="exact_match")
    assert "both sides are equal on each of 30 examples" in shown(rows(tmp_path))


def test_what_says_nothing_of_other_examples_has_no_row(tmp_path: Path) -> None:
    with writing(tmp_path / "memorised") as store:
        for seed in range(2):
            keep(store, seed, 0.1, cell="lstm", metric="exact_match", memorised=True)
            keep(store, seed, 0.3, metric="exact_match", memorised=True)
    assert rows(tmp_path / "memorised") == []
    with writing(tmp_path / "old") as store:  # of an older version, and no text
        for seed in range(2):
            store.add(record(seed))
            store.add(record(seed, cell="lstm"))
    assert rows(tmp_path / "old") == []
