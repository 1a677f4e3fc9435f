"""Proves that chance in sentences is sacrebleu's, and that both sources cover the truth."""

from __future__ import annotations

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER
from sacrebleu.significance import PairedTest, Result

from results.stats import aggregates, sentences
from results.stats.inference import Values
from results.stats.sentences import CountsOfRun, over_sentences
from tasks.parallel.rescoring import text_counts, text_score
from tasks.parallel.scores import Scorer

WORDS = "我 你 他 她 看见 喜欢 认识 狗 茶 书 房子 米饭 的 了".split()


def texts(chance: np.random.Generator, count: int) -> list[str]:
    return ["".join(chance.choice(WORDS, size=chance.integers(3, 9))) + "。" for _ in range(count)]


def garbled(chance: np.random.Generator, given: list[str], rate: float) -> list[str]:
    """Return texts of which some letters are others."""
    return [
        "".join(str(chance.choice(list("我你狗茶"))) if chance.random() < rate else c for c in text)
        for text in given
    ]


@pytest.mark.parametrize("rates", [(0.2, 0.3), (0.25, 0.25), (0.1, 0.5)])
def test_it_is_sacrebleus_own_paired_bootstrap(
    monkeypatch: pytest.MonkeyPatch, rates: tuple[float, float]
) -> None:
    monkeypatch.delenv("SACREBLEU_SEED", raising=False)
    chance = np.random.default_rng(3)
    references = texts(chance, 60)
    base, system = (garbled(chance, references, rate) for rate in rates)
    theirs = PairedTest(
        [("base", base), ("system", system)],
        {
            "BLEU": BLEU(tokenize="zh"),
            "chrF": CHRF(),
            "chrF++": CHRF(word_order=2),
            "TER": TER(normalized=True, asian_support=True),
        },
        [references],
        test_type="bs",
    )()[1]
    wanted = [(text,) for text in references]
    counts: list[dict[str, CountsOfRun]] = [
        {
            **Scorer("zh", "").statistics(side, wanted),
            **{name: text_counts(name, side, wanted, "zh") for name in ("chrf++", "ter")},
        }
        for side in (system, base)
    ]
    names = {"bleu": "BLEU", "chrf": "chrF2", "chrf++": "chrF2++", "ter": "TER"}
    for name, key in names.items():
        found = over_sentences(name, [counts[0][name]], [counts[1][name]])
        first, second = (one for one in theirs[key] if isinstance(one, Result))
        assert first.mean is not None
        assert second.mean is not None
        assert found.effect == pytest.approx(second.score - first.score, abs=1e-9)
        assert found.sentences.p == pytest.approx(second.p_value, abs=2e-3)  # float32 there
        drawn = sentences.resampled_differences(name, [counts[0][name]], [counts[1][name]])
        assert drawn.mean() == pytest.approx(second.mean - first.mean, abs=1e-3)
        assert found.both == (None, None, None)  # one seed says nothing about others


@pytest.mark.parametrize("name", ["bleu", "chrf", "chrf++", "ter", "cer", "wer"])
@pytest.mark.parametrize("tokens", ["zh", "13a"])
def test_counts_of_texts_sum_to_their_score(name: str, tokens: str) -> None:
    chance = np.random.default_rng(5)
    references = texts(chance, 20)
    outputs = [*garbled(chance, references[1:], 0.4), ""]
    wanted = [(text, other) for text, other in zip(references, references[::-1], strict=True)]
    counts = text_counts(name, outputs, wanted, tokens)
    (found,) = aggregates.scores(name, counts.sum(axis=0, keepdims=True))
    assert found == pytest.approx(text_score(name, outputs, wanted, tokens)[0])


def right_and_all(right_N: Values) -> CountsOfRun:
    return np.stack([right_N, np.full_like(right_N, 100)], axis=1).astype(np.int64)


def made_up(
    chance: np.random.Generator, seeds: int, examples: int, of_seeds: float, of_sentences: float
) -> tuple[list[CountsOfRun], list[CountsOfRun]]:
    """Return runs whose true difference is 0: seeds and sentences each favour a side by chance."""
    sentence = chance.normal(0, of_sentences, examples)
    ours, theirs = [], []
    for _ in range(seeds):
        by_seed = chance.normal(0, of_seeds)
        noise = chance.normal(0, 5, examples)
        ours.append(right_and_all(np.clip(50 + sentence + by_seed + noise, 0, 100).round()))
        theirs.append(right_and_all(np.full(examples, 50.0)))
    return ours, theirs


@pytest.mark.parametrize(
    ("of_seeds", "of_sentences"), [(2.0, 0.0), (0.0, 14.0), (2.0, 14.0)], ids=str
)
@pytest.mark.parametrize("seeds", [2, 5])
def test_both_together_cover_a_true_difference_of_none(
    monkeypatch: pytest.MonkeyPatch, seeds: int, of_seeds: float, of_sentences: float
) -> None:
    """Where both seeds and sentences matter, neither alone covers as it says."""
    monkeypatch.setattr(sentences, "RESAMPLINGS", 200)
    chance, trials = np.random.default_rng(1), 120
    covered = {"sentences": 0, "both": 0, "found": 0}
    for _ in range(trials):
        found = over_sentences("exact_match", *made_up(chance, seeds, 40, of_seeds, of_sentences))
        for name in ("sentences", "both"):
            low, high, _ = getattr(found, name)
            covered[name] += low <= 0 <= high
        assert found.both.p is not None
        assert found.both.low is not None
        covered["found"] += found.both.p < 0.05
    assert covered["both"] >= 0.91 * trials
    assert covered["found"] <= 0.09 * trials
    if not of_sentences:
        assert covered["sentences"] < 0.9 * trials  # it knows nothing of seeds


def test_equal_runs_differ_by_nothing() -> None:
    ours, _ = made_up(np.random.default_rng(0), 3, 10, 1.0, 1.0)
    found = over_sentences("exact_match", ours, ours)
    assert found.effect == 0
    assert found.both == (0.0, 0.0, 1.0)
    assert found.sentences == (0.0, 0.0, 1.0)  # sacrebleu's 1 / 1001 would read as sure
