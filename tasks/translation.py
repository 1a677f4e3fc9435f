"""Builds the tasks `pairs` and `en-zh` for any corpus: generated, prepared, added or streamed.

`en-zh` is `pairs` with the tokens that Tatoeba is cut into; Tatoeba itself and the generated
corpus stay what they always were, in `tasks/en_zh.py`.
"""

from __future__ import annotations

from pathlib import Path

from tasks import en_zh, pairs
from tasks.parallel.languages import UNKNOWN_LANGUAGE, Languages, base_language
from tasks.parallel.stored import PARALLEL_KIND, check_whole, read_about, wrong_kind
from tasks.parallel.streamed import STREAMED_KIND, StreamedTranslation, check_settings
from tasks.task import Task


def build_pairs(settings: pairs.Settings, data: Path | None) -> Task:
    """Build `pairs` for a corpus; ValueError or FileNotFoundError if there is none such."""
    about = None if settings.corpus == pairs.GRAMMAR else read_about(settings.corpus, data)
    if about is None or data is None or about.get("kind") != STREAMED_KIND:
        return pairs.TranslationTask(settings, pairs.corpus_of(settings, data))
    folder = data / settings.corpus
    check_whole(folder, about)
    check_settings(settings, pairs.Settings(corpus=settings.corpus), about)
    return StreamedTranslation(settings.corpus, folder, about)


def build_en_zh(settings: en_zh.Settings, data: Path | None) -> Task:
    """Build `en-zh` for a corpus; ValueError or FileNotFoundError if there is none such."""
    if settings.corpus == pairs.GRAMMAR:
        return en_zh.EnZh(settings, data)
    about = read_about(settings.corpus, data)
    if about is None or data is None:
        return en_zh.EnZh(settings, data)
    folder = data / settings.corpus
    check_whole(folder, about)
    kind = about.get("kind")
    if kind == STREAMED_KIND:
        check_settings(settings, en_zh.Settings(corpus=settings.corpus), about)
        task = StreamedTranslation(settings.corpus, folder, about)
        _check_languages(settings.corpus, task.languages)
        return task
    if kind == PARALLEL_KIND:
        return _preset(settings, data)
    if kind not in ("pairs", None):
        raise ValueError(wrong_kind(settings.corpus, about, "English and Chinese text"))
    return en_zh.EnZh(settings, data)


def _preset(settings: en_zh.Settings, data: Path) -> pairs.TranslationTask:
    """Build `pairs` with the tokens of `en-zh`; ValueError for other languages."""
    asked = pairs.Settings(
        corpus=settings.corpus,
        source_tokens="treebank",
        target_tokens="han" if settings.tokens == "characters" else "jieba",
        target_normal="simplified",
        pairs=settings.pairs,
        longest=settings.longest,
        least=settings.least,
        symbols=0,
        data_seed=settings.data_seed,
    )
    corpus = pairs.corpus_of(asked, data)
    _check_languages(settings.corpus, corpus.languages)
    return pairs.TranslationTask(asked, corpus)


def _check_languages(corpus: str, languages: Languages) -> None:
    source, target = map(base_language, languages)
    if source not in ("en", UNKNOWN_LANGUAGE) or target != "zh":
        raise ValueError(
            f"en-zh is English to Chinese, and {corpus} is {languages.text}; "
            f"use the task pairs:corpus={corpus}"
        )
