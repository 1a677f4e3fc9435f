"""Learns subwords from training text by sentencepiece, and keeps the model next to the corpus.

The text is taken as it is: no normalisation, no space added. A character that the model has not
learned is written as bytes, so that every sentence comes back.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.parallel.tokenisers import Tokeniser

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

SUBWORDS_FOLDER = "subwords"
"""Folder of learned models in the folder of a corpus."""
SPACE_MARK = "▁"
"""sentencepiece's character for a space."""
COVERAGE = 0.9995
"""Share of the training text's characters that get symbols of their own; the rest are bytes."""
_LOST = f"the character {SPACE_MARK}, which comes back as a space"


class Subwords:
    """A learned model: its symbols in the order of their ids, and a tokeniser."""

    def __init__(self, name: str, model: bytes) -> None:
        self.digest = hashlib.blake2b(model, digest_size=16).hexdigest()
        self._processor = _processor(model)
        count = self._processor.get_piece_size()
        # the first is sentencepiece's own symbol for unknown text, which bytes make needless
        self.symbols = tuple(self._processor.id_to_piece(index) for index in range(1, count))
        self.tokeniser = Tokeniser(
            name, self._cut, self._join, _LOST, lambda text: text.replace(SPACE_MARK, " ")
        )

    def _cut(self, text: str) -> list[str]:
        pieces: list[str] = self._processor.encode(text, out_type=str)
        return pieces

    def _join(self, symbols: Sequence[str]) -> str:
        return str(self._processor.decode(list(symbols)))


def learned(name: str, sentences: Sequence[str], folder: Path | None) -> Subwords:
    """Return the subwords of some training sentences, learned now or kept from an earlier time.

    Args:
        name: `bpe:8000` or `unigram:8000`.
        sentences: The training sentences of one side.
        folder: The folder of the corpus, or None to keep nothing.

    Raises:
        ValueError: The text gives fewer symbols, or needs more.
    """
    by = version("sentencepiece")
    state = hashlib.blake2b(f"{name} {COVERAGE} {by}".encode(), digest_size=16)
    for sentence in sentences:
        state.update(sentence.encode("utf-8", "surrogatepass") + b"\n")
    file = None
    if folder is not None and folder.is_dir():
        file = folder / SUBWORDS_FOLDER / f"{name.replace(':', '-')}-{state.hexdigest()}.model"
        if file.is_file() and (model := _read_kept(file)):
            return Subwords(name, model)
    model = _train(name, sentences)
    if file is not None:
        _keep(file, model)
    return Subwords(name, model)


def _processor(model: bytes) -> SentencePieceProcessor:
    from sentencepiece import SentencePieceProcessor

    return SentencePieceProcessor(model_proto=model)


def _read_kept(file: Path) -> bytes | None:
    """Return a kept model, or None if the file is not what was written."""
    content = file.read_bytes()
    digest, model = content[:16], content[16:]
    return model if hashlib.blake2b(model, digest_size=16).digest() == digest else None


def _keep(file: Path, model: bytes) -> None:
    """Write a model and, before it, its digest; a folder that cannot be written is left alone."""
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        file.parent.mkdir(exist_ok=True)
        part.write_bytes(hashlib.blake2b(model, digest_size=16).digest() + model)
        part.replace(file)
    except OSError:
        part.unlink(missing_ok=True)


def _train(name: str, sentences: Iterable[str]) -> bytes:
    from sentencepiece import SentencePieceTrainer

    kind, _, size = name.partition(":")
    written = io.BytesIO()
    try:
        SentencePieceTrainer.train(
            sentence_iterator=(s for s in sentences if s),
            model_writer=written,
            model_type=kind,
            vocab_size=int(size) + 1,  # its symbol for unknown text, which is never needed
            character_coverage=COVERAGE,
            byte_fallback=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=False,
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            num_threads=1,  # so that the same text gives the same model
            max_sentence_length=1 << 20,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise ValueError(
            f"{name} cannot be learned from this training text: {_reason(error)}"
        ) from None
    return written.getvalue()


def _reason(error: RuntimeError) -> str:
    """Return what sentencepiece says of a size, in the suite's own numbers."""
    said = str(error)
    if found := re.search(r"too high .*<= (\d+)", said):
        return f"it gives at most {int(found[1]) - 1} symbols; give a smaller size"
    if found := re.search(r"smaller than required_chars. \d+ vs (\d+)", said):
        return f"its characters and bytes alone are {found[1]} symbols; give a larger size"
    return f"{said.strip().splitlines()[-1].rsplit('] ', 1)[-1]}; give more text"
