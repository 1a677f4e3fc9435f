"""Proves that every reader reads any file or reports it in one sentence, and changes nothing.

Readers of matrix files, journals, vectors and checkpoints are tested with their modules.
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.corpora import catalogue, preparation
from bench.corpora.preparation import Simplifier
from bench.corpora.streamed import StreamOptions
from bench.guard import baseline
from bench.guard.processes import GuardError
from results.errors import StoreError
from results.guard import pytest_benchmark
from results.store import Store, reading, rebuild, writing
from tasks import build
from tasks.tagged import TAGGED_FILES
from tests.records import SUITE, record

FEW = settings(max_examples=60, deadline=None)
LINES = st.text(st.sampled_from("ab 我。\t\n\r\0\x85\u2028é'OBI-S_"), max_size=60)
ANYTHING = st.binary(max_size=120) | LINES.map(str.encode) | st.text(max_size=60).map(str.encode)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def check_sentence(error: Exception) -> None:
    """Check that an error is one sentence without a traceback."""
    text = str(error)
    assert 10 < len(text) < 600
    assert "Traceback" not in text


def read_or_reported(read: Callable[[], object], *kinds: type[Exception]) -> None:
    try:
        read()
    except kinds as error:
        check_sentence(error)


@pytest.fixture(autouse=True, scope="module")
def simplify() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparation, "simplifier", lambda: Simplifier(str, "0"))
        yield


@FEW
@given(content=ANYTHING, copies=st.sampled_from([1, 30]))
@example(content="A dog.\t狗。\n".encode(), copies=30)
@example(content=b"\xff\t\xfe\n", copies=30)
def test_pairs(content: bytes, copies: int) -> None:
    with folder() as place:
        file = place / "any.tsv"
        file.write_bytes(b"\n".join([content] * copies))
        before = file.read_bytes()

        def read() -> None:
            catalogue.add("any", [file], place / "data")
            build("pairs:corpus=any,least=1,bleu_tokens=13a", place / "data")

        read_or_reported(read, ValueError)
        assert file.read_bytes() == before


@FEW
@given(contents=st.tuples(ANYTHING, ANYTHING, ANYTHING))
@example(contents=(b"a\tB\nb\tI\n\n", b"a\tO\n", b"a\tO\n"))
def test_tagged_documents(contents: tuple[bytes, bytes, bytes]) -> None:
    with folder() as place:
        source = place / "tagged"
        source.mkdir()
        for name, content in zip(TAGGED_FILES.values(), contents, strict=True):
            (source / name).write_bytes(content)

        def read() -> None:
            catalogue.add_tagged_files("any", [source], place / "data")
            build("keyphrase:corpus=any", place / "data")

        read_or_reported(read, ValueError)


@FEW
@given(line=LINES, copies=st.sampled_from([1, 1000]), places=st.data())
def test_streamed_pairs(line: str, copies: int, places: st.DataObject) -> None:
    text = "\n".join(f"{number} {line}" for number in range(copies))
    with folder() as place:
        file = place / "any.tsv"
        file.write_text(text, encoding="utf-8")

        def read() -> None:
            options = StreamOptions("characters", 20, 30)
            catalogue.add_streamed_files("any", [file], place / "data", None, options)
            made = place / "data" / "any"
            damaged = places.draw(st.sampled_from(sorted(made.iterdir())))
            content = damaged.read_bytes()
            at = places.draw(st.integers(0, len(content)))
            damaged.write_bytes(content[:at] + places.draw(st.binary(max_size=5)))
            build("pairs:corpus=any", place / "data")

        read_or_reported(read, ValueError, FileNotFoundError)


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("cmn.txt", "A dog.\t狗。\n" * 50)
    return file.getvalue()


WHOLE = archive()


@FEW
@given(at=st.integers(0, len(WHOLE) - 1), change=st.integers(0, 255), cut=st.booleans())
def test_archives(at: int, change: int, cut: bool) -> None:
    with folder() as place:
        file = place / "any.zip"
        file.write_bytes(WHOLE[:at] + (b"" if cut else bytes([change]) + WHOLE[at + 1 :]))
        read_or_reported(lambda: preparation.member(file, "cmn.txt"), ValueError)
        assert [path.name for path in place.iterdir()] == ["any.zip"]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("stored") / "store"
    with writing(place) as opened:
        for seed in range(12):
            one = record(seed)
            opened.begin(one.id, one.spec)
            opened.add(one)
        opened.set_plan([], SUITE)
    for ending in ("-wal", "-shm"):  # all is in the one file
        assert not Path(f"{place / 'store.sqlite3'}{ending}").exists()
    return place


def everything(opened: Store) -> None:
    opened.ids(), opened.plan(), opened.base()
    assert list(opened.records(details=True)) is not None


@settings(max_examples=150, deadline=None)
@given(at=st.floats(0, 1, exclude_max=True), noise=st.binary(min_size=1, max_size=40))
def test_store_files(stored: Path, at: float, noise: bytes) -> None:
    with folder() as place:
        shutil.copytree(stored, place / "store")
        file = place / "store" / "store.sqlite3"
        content = file.read_bytes()
        start = int(at * len(content))
        file.write_bytes(content[:start] + noise + content[start + len(noise) :])
        before = file.read_bytes()

        def read() -> None:
            with reading(place / "store") as opened:
                everything(opened)

        read_or_reported(read, StoreError)
        assert file.read_bytes() == before
        # and it can be rebuilt from the journals, whatever happened to it
        assert rebuild(place / "store", SUITE) == 12
        read()


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["counts", "schema", "benchmarks", "stats", "fullname", "median", "kind"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@FEW
@given(content=ANYTHING | ANY_JSON.map(lambda value: json.dumps(value).encode()))
def test_files_of_guards(content: bytes) -> None:
    with folder() as place:
        file = place / "any.json"
        file.write_bytes(content)
        read_or_reported(lambda: baseline.read(file, "cpu"), GuardError)
        kind = pytest_benchmark.PytestBenchmarkError
        read_or_reported(lambda: pytest_benchmark.compare_benchmark_files(file, file, 0.05), kind)


@FEW
@given(content=ANYTHING | ANY_JSON.map(lambda value: json.dumps(value).encode()))
def test_word_of_a_driver(content: bytes) -> None:
    with folder() as place, writing(place / "store") as opened:
        (place / "store" / "engine.json").write_bytes(content)
        assert isinstance(opened.engine_state(), dict)


@FEW
@given(content=ANYTHING | ANY_JSON.map(lambda value: json.dumps(value).encode()))
def test_about_files(content: bytes) -> None:
    with folder() as place:
        (place / "any").mkdir()
        (place / "any" / "about.json").write_bytes(content)
        read_or_reported(lambda: catalogue.listing(place), ValueError)
        read_or_reported(lambda: build("en-zh:corpus=any", place), ValueError, FileNotFoundError)
