"""English to Chinese from a corpus that is larger than memory.

Training pairs stay on disk as ids, prepared once by `bench data add --streamed`; valid and test are
text, as in every corpus.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tasks import sentence_pairs
from tasks.en_zh import SOLVED_REAL, EnZh, Settings, cut_pairs, facts_of
from tasks.mapped import Mapped
from tasks.sentence_pairs import ABOUT_FILE, TextPair
from tasks.sentences import chinese_characters, chinese_words
from tasks.task import Split
from tasks.vocabulary import Vocabulary

VOCABULARY_FILE = "vocabulary.json"
"""File of the symbols of both sides, in the order of their ids."""
HELD_OUT_FILES = {"valid": "valid.tsv", "test": "test.tsv"}
"""Files of the pairs that are kept as text."""
KIND = "streamed pairs"
"""The kind that about.json gives to a streamed corpus."""


def about(name: str, data: Path | None) -> dict[str, Any] | None:
    """Return the description of a streamed corpus; None for any other, or a missing one."""
    if data is None:
        return None
    sentence_pairs.check_name(name)
    try:
        found = json.loads((data / name / ABOUT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("kind") == KIND else None


def build(settings: Settings, data: Path | None) -> EnZh:
    """Build the task for any corpus, streamed or not."""
    known = None if settings.corpus == "grammar" else about(settings.corpus, data)
    if known is None:
        return EnZh(settings, data)
    assert data is not None
    return StreamedEnZh(settings, data / settings.corpus, known)


class StreamedEnZh(EnZh):
    """The translation task on a streamed corpus.

    Args:
        folder: The folder of the corpus.
        known: The content of its about.json.

    Raises:
        ValueError: The corpus is damaged, or was prepared with other settings.
    """

    def __init__(self, settings: Settings, folder: Path, known: dict[str, Any]) -> None:
        try:
            tokens, longest = str(known["tokens"]), int(known["longest"])
            self._known_digest = str(known["digest"])
            symbols = json.loads((folder / VOCABULARY_FILE).read_text(encoding="utf-8"))
            self.source = Vocabulary(tuple(map(str, symbols["source"])))
            self.target = Vocabulary(tuple(map(str, symbols["target"])))
            source, target = (
                Mapped.open(folder / side, int(known[side]["longest"]), float(known[side]["mean"]))
                for side in ("source", "target")
            )
            train = Split(source, (target,))
            held_out = {name: _text(folder / file) for name, file in HELD_OUT_FILES.items()}
        except (OSError, KeyError, TypeError, ValueError, AssertionError) as error:
            raise ValueError(
                f"the corpus in {folder} is damaged ({error}); remove the folder and add it again"
            ) from None
        if settings != Settings(corpus=settings.corpus):
            raise ValueError(
                f"the corpus {settings.corpus!r} is streamed, prepared with tokens={tokens} and "
                f"longest={longest}; leave settings other than corpus out"
            )
        self.solved_at = SOLVED_REAL
        self.facts = facts_of(self.source, self.target, target.longest)
        cut = chinese_characters if tokens == "characters" else chinese_words
        splits = {name: self._indexed(cut_pairs(held_out[name], cut)) for name in held_out}
        # training compares ids only, so these pairs have no text
        self.splits = {"train": train, **splits}  # type: ignore[dict-item]

    def digest(self) -> str:
        """Return the digest stored when the corpus was prepared; reading it all takes minutes."""
        return self._known_digest


def _text(file: Path) -> list[TextPair]:
    """Read English TAB Chinese lines."""
    lines = file.read_text(encoding="utf-8").split("\n")
    return [TextPair(*line.split("\t")[:2]) for line in lines if line]
