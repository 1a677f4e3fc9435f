"""Scores translations as text: BLEU, chrF2, exact match, and error rates of short tokens."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

from tasks.choices import one_of
from tasks.scoring import Statistics, exact_statistics, statistics_of

BLEU_TOKENS = ("13a", "intl", "zh", "ja-mecab", "ko-mecab", "char", "none")
"""sacrebleu's tokenizers that a setting may name."""
SELECTED_BY = ("bleu", "chrf", "exact_match")
"""Scores that a run may select by."""
SHORTEST_FOR_BLEU = 4.0
"""Mean length of references below which chrF2 selects, as BLEU counts four tokens in a row."""
STATISTICS_COLUMNS = {"bleu": 10, "chrf": 18}
"""Number of counts that sacrebleu's scores are computed from."""
_NEEDS = {"ja-mecab": ("MeCab", "ja"), "ko-mecab": ("mecab_ko", "ko")}


class Scorer(NamedTuple):
    """Scores the outputs of a task.

    tokens: sacrebleu's tokenizer of the target language. error_rate: the score of symbols that are
    counted one by one, `character_error_rate`, `token_error_rate` or "".
    """

    tokens: str
    error_rate: str

    def scores(
        self, outputs: Sequence[str], references: Sequence[tuple[str, ...]]
    ) -> tuple[dict[str, float], dict[str, str]]:
        """Return the scores of all outputs, and sacrebleu's signatures.

        BLEU and chrF2 are between 0 and 100, exact match is a share, and an error rate is the
        edits per symbol of the first reference.
        """
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF

        normal = [tuple(map(composed, texts)) for texts in references]
        streams = reference_streams(normal)
        bleu, chrf = BLEU(tokenize=self.tokens), CHRF()
        scores = {
            "bleu": bleu.corpus_score(outputs, streams).score,
            "chrf": chrf.corpus_score(outputs, streams).score,
            "exact_match": sum(out in texts for out, texts in zip(outputs, normal, strict=True))
            / max(len(normal), 1),
        }
        if self.error_rate:
            scores[self.error_rate] = error_rate(
                outputs, [texts[0] for texts in normal], self.error_rate
            )
        # a signature says how many references there were, so it is complete only after scoring
        found = {"bleu": bleu.get_signature(), "chrf": chrf.get_signature()}
        signatures = {name: signature.format() for name, signature in found.items()}
        if self.error_rate:
            signatures[self.error_rate] = f"jiwer:{version('jiwer')}"
        return scores, signatures

    def statistics(
        self, outputs: Sequence[str], references: Sequence[tuple[str, ...]]
    ) -> dict[str, Statistics]:
        """Return the counts of each output behind `scores`: of BLEU (N, 10) and chrF2 (N, 18) as
        sacrebleu sums them, of exact match and of the error rate (N, 2)."""
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF

        normal = [tuple(map(composed, texts)) for texts in references]
        streams = reference_streams(normal)
        # forced: sacrebleu warns of spaces before full stops, which `scores` has let it do
        counted = {"bleu": BLEU(tokenize=self.tokens, force=True), "chrf": CHRF()}
        found = {
            name: statistics_of(
                metric._extract_corpus_statistics(outputs, streams), STATISTICS_COLUMNS[name]
            )
            for name, metric in counted.items()
        }
        right = (out in texts for out, texts in zip(outputs, normal, strict=True))
        found["exact_match"] = exact_statistics(right)
        if self.error_rate:
            found[self.error_rate] = error_statistics(
                outputs, [texts[0] for texts in normal], self.error_rate
            )
        return found


def composed(text: str) -> str:
    """Return the same text with its characters composed, as outputs are."""
    return unicodedata.normalize("NFC", text)


def reference_streams(references: Sequence[tuple[str, ...]]) -> list[list[Any]]:
    """Return references as sacrebleu takes them: a stream for each, None where there are fewer."""
    most = max(map(len, references), default=1)
    return [
        [texts[place] if place < len(texts) else None for texts in references]
        for place in range(most)
    ]


def error_rate(outputs: Sequence[str], references: Sequence[str], kind: str) -> float:
    """Return the edits per character, or per token between spaces, by jiwer.

    Pairs whose reference is empty count as many edits as their output has symbols.
    """
    import jiwer

    # jiwer refuses empty references, whose edits are all insertions
    split, process = (
        (list, jiwer.process_characters)
        if kind == "character_error_rate"
        else (str.split, jiwer.process_words)
    )
    pairs = [(r.strip(), o.strip()) for r, o in zip(references, outputs, strict=True)]
    inserted = sum(len(split(output)) for reference, output in pairs if not reference)
    wanted = [pair for pair in pairs if pair[0]]
    if not wanted:
        return float(inserted > 0)
    found = process([r for r, _ in wanted], [o for _, o in wanted])
    edits = found.substitutions + found.deletions + found.insertions
    symbols = found.substitutions + found.deletions + found.hits
    return float(edits + inserted) / max(symbols, 1)


def error_statistics(outputs: Sequence[str], references: Sequence[str], kind: str) -> Statistics:
    """Return the edits of each output, and the symbols of its reference (N, 2), by jiwer."""
    import jiwer

    split, process = (
        (list, jiwer.process_characters)
        if kind == "character_error_rate"
        else (str.split, jiwer.process_words)
    )
    rows = []
    for output, reference in zip(outputs, references, strict=True):
        wanted, given = reference.strip(), output.strip()
        if not wanted:  # jiwer refuses empty references, whose edits are all insertions
            rows.append((len(split(given)), 0))
            continue
        found = process(wanted, given)
        edits = found.substitutions + found.deletions + found.insertions
        rows.append((edits, found.substitutions + found.deletions + found.hits))
    return statistics_of(rows, 2)


def check_scorer(tokens: str) -> None:
    """Raise ValueError for an unknown tokenizer, or one that needs what is not installed."""
    from importlib.util import find_spec

    one_of("bleu_tokens", tokens, BLEU_TOKENS)
    module, extra = _NEEDS.get(tokens, ("", ""))
    if module and find_spec(module) is None:
        raise ValueError(
            f"BLEU with {tokens} needs MeCab; install it with: pip install "
            f"'seq2seq-bench[{extra}]', or set bleu_tokens=char"
        )


def selecting_metric(setting: str, references: Sequence[str], spaced: bool) -> str:
    """Return the score that selects: the setting's, or by default the one that suits the length.

    References of fewer than SHORTEST_FOR_BLEU words or characters, such as single words to be
    transliterated, have hardly any four tokens in a row that BLEU could count. spaced: whether the
    language separates its words by spaces.
    """
    if setting != "default":
        return setting
    mean = _mean_tokens(references) if spaced else _mean_letters(references)
    return "chrf" if mean < SHORTEST_FOR_BLEU else "bleu"


def _mean_tokens(texts: Sequence[str]) -> float:
    """Return the mean number of parts between spaces."""
    return sum(len(text.split()) for text in texts) / max(len(texts), 1)


def _mean_letters(texts: Sequence[str]) -> float:
    """Return the mean number of characters."""
    return sum(map(len, texts)) / max(len(texts), 1)
