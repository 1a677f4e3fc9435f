"""Scores texts by metrics that no task selects by: those of sacrebleu, and error rates."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.parallel.scores import composed, error_rate, error_statistics, reference_streams

ASIAN = ("zh", "ja-mecab", "ko-mecab", "char")
"""Tokenizers of languages whose words TER cannot tell by spaces: it then edits characters."""
ERROR_RATES = {"cer": "character_error_rate", "wer": "token_error_rate"}
METRICS = ("bleu", "chrf", "chrf++", "ter", *ERROR_RATES)
"""Names of the metrics: BLEU, chrF2, chrF2++ and TER of sacrebleu, from 0 to 100 (TER may be more);
edits per character (cer) and per token between spaces (wer), as shares."""


def text_score(
    name: str, outputs: Sequence[str], references: Sequence[tuple[str, ...]], tokens: str
) -> tuple[float, str]:
    """Return a score of all outputs, and the signature that says how it was computed.

    Args:
        name: one of METRICS.
        outputs: texts.
        references: one or more texts for each output; error rates take the first.
        tokens: sacrebleu's tokenizer of the language.
    """
    references = [tuple(map(composed, texts)) for texts in references]
    if name in ERROR_RATES:
        firsts = [texts[0] for texts in references]
        return error_rate(outputs, firsts, ERROR_RATES[name]), f"jiwer:{version('jiwer')}"
    metric = _metric(name, tokens)
    score = metric.corpus_score(outputs, reference_streams(references)).score
    return float(score), str(metric.get_signature().format())


def text_counts(
    name: str, outputs: Sequence[str], references: Sequence[tuple[str, ...]], tokens: str
) -> npt.NDArray[np.float64]:
    """Return the counts of each output (N, K) whose sums `text_score` is computed from.

    Arguments as of `text_score`. Whole numbers, but for TER's mean length of several references.
    """
    references = [tuple(map(composed, texts)) for texts in references]
    if name in ERROR_RATES:
        firsts = [texts[0] for texts in references]
        return error_statistics(outputs, firsts, ERROR_RATES[name]).astype(float)
    metric = _metric(name, tokens)
    rows = metric._extract_corpus_statistics(outputs, reference_streams(references))
    return np.array(rows, dtype=float).reshape(len(outputs), -1)


def _metric(name: str, tokens: str) -> Any:
    """Return sacrebleu's metric of that name."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF
    from sacrebleu.metrics.ter import TER

    if name == "bleu":
        return BLEU(tokenize=tokens)
    if name == "ter":
        asian = tokens in ASIAN
        return TER(normalized=asian, asian_support=asian)
    return CHRF(word_order=2 if name == "chrf++" else 0)
