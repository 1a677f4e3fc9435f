"""Proves that files are read as people have them, and that a file of another form is refused.

Each refusal names the option that reads the file.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import os
import threading
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.corpora import catalogue
from bench.corpora.catalogue import Given
from bench.corpora.preparation import Prepared
from bench.corpora.tables import ReadOptions

PAIRS = [(f"Ein Hund, Nummer {n}, läuft.", f'A dog, number {n}, "runs".') for n in range(40)]
CREDIT = "CC-BY 2.0 (France) Attribution: tatoeba.org #1 (A) & #2 (B)"


def tsv(rows: Sequence[tuple[str, ...]], end: str = "\n") -> bytes:
    return "".join("\t".join(row) + end for row in rows).encode()


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return buffer.getvalue()


def add(folder: Path, content: bytes, name: str = "any.tsv", **said: Any) -> Prepared:
    file = folder / name
    file.write_bytes(content)
    languages = said.pop("languages", "de-en")
    reading = ReadOptions(**said)
    return catalogue.add("own", [file], folder / "data", Given({}, languages, reading))


def stored(prepared: Prepared, split: str = "all") -> list[tuple[str, str]]:
    source, target = (
        (prepared.folder / f"{split}.{side}").read_text("utf-8").split("\n")[:-1]
        for side in ("source", "target")
    )
    return list(zip(source, target, strict=True))


def comma_separated(rows: list[tuple[str, str]], separator: str = ",") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(rows)
    return text.getvalue().encode()


def json_lines(rows: list[tuple[str, str]]) -> bytes:
    records = ({"id": n, "translation": {"de": s, "en": t}} for n, (s, t) in enumerate(rows))
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def tmx(rows: list[tuple[str, str]]) -> bytes:
    from xml.sax.saxutils import escape

    units = "".join(
        f'<tu><tuv xml:lang="de-DE"><seg>{escape(s)}</seg></tuv>'
        f'<tuv xml:lang="en-US"><seg>{escape(t)}</seg></tuv></tu>'
        for s, t in rows
    )
    head = '<?xml version="1.0"?><tmx version="1.4"><header srclang="de"/><body>'
    return f"{head}{units}</body></tmx>".encode()


FORMS: dict[str, tuple[str, Callable[[], bytes], dict[str, Any]]] = {
    "plain": ("a.tsv", lambda: tsv(PAIRS), {}),
    "carriage returns": ("a.tsv", lambda: tsv(PAIRS, "\r\n"), {}),
    "old carriage returns": ("a.tsv", lambda: tsv(PAIRS, "\r"), {}),
    "a mark at each joined file": (
        "a.tsv",
        lambda: b"\xef\xbb\xbf" + tsv(PAIRS[:20]) + b"\xef\xbb\xbf" + tsv(PAIRS[20:]),
        {},
    ),
    "utf-16": ("a.tsv", lambda: tsv(PAIRS).decode().encode("utf-16"), {}),
    "cp1252": (
        "a.tsv",
        lambda: tsv(PAIRS).decode().encode("cp1252"),
        {"encoding": "cp1252"},
    ),
    "gz": ("a.tsv.gz", lambda: gzip.compress(tsv(PAIRS)), {}),
    "gz by another name": ("a.txt", lambda: gzip.compress(tsv(PAIRS)), {}),
    "bz2": ("a.tsv.bz2", lambda: bz2.compress(tsv(PAIRS)), {}),
    "xz": ("a.tsv.xz", lambda: lzma.compress(tsv(PAIRS)), {}),
    "zip": ("a.zip", lambda: zipped(a__tsv=tsv(PAIRS), README=b"about"), {}),
    "zip of two sides": (
        "a.zip",
        lambda: zipped(
            a__en="".join(t + "\n" for _, t in PAIRS).encode(),
            a__de="".join(s + "\n" for s, _ in PAIRS).encode(),
            LICENSE=b"x",
        ),
        {},
    ),
    "csv": ("a.csv", lambda: comma_separated(PAIRS), {}),
    "csv with semicolons": ("a.csv", lambda: comma_separated(PAIRS, ";"), {"separator": ";"}),
    "csv with a header": (
        "a.csv",
        lambda: comma_separated([("de", "en"), *PAIRS]),
        {"header": True},
    ),
    "columns by number": (
        "a.tsv",
        lambda: tsv([(str(n), s, str(n), t) for n, (s, t) in enumerate(PAIRS)]),
        {"columns": ("2", "4")},
    ),
    "columns by name, swapped": (
        "a.tsv",
        lambda: tsv([("en", "score", "de"), *((t, "0.5", s) for s, t in PAIRS)]),
        {"columns": ("de", "en"), "header": True},
    ),
    "swapped columns": (
        "a.tsv",
        lambda: tsv([(t, s) for s, t in PAIRS]),
        {"columns": ("2", "1")},
    ),
    "bars": (
        "a.txt",
        lambda: "".join(f"{s} ||| {t}\n" for s, t in PAIRS).encode(),
        {"separator": " ||| "},
    ),
    "json lines": ("a.jsonl", lambda: json_lines(PAIRS), {}),
    "json lines by names": (
        "a.jsonl",
        lambda: "".join(
            json.dumps({"id": "1", "text": s, "label": t}) + "\n" for s, t in PAIRS
        ).encode(),
        {"columns": ("text", "label")},
    ),
    "tmx": ("a.tmx", lambda: tmx(PAIRS), {}),
    "tmx in gz": ("a.tmx.gz", lambda: gzip.compress(tmx(PAIRS)), {}),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_any_form_gives_the_same_corpus(tmp_path: Path, form: str) -> None:
    name, content, said = FORMS[form]
    assert stored(add(tmp_path, content(), name, **said)) == PAIRS


@pytest.mark.parametrize("nested", [False, True])
def test_parquet(tmp_path: Path, nested: bool) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    records = [
        {"translation": {"de": s, "en": t}} if nested else {"de": s, "en": t} for s, t in PAIRS
    ]
    file = tmp_path / "train-00000-of-00001.parquet"
    parquet.write_table(arrow.Table.from_pylist(records), file)
    prepared = catalogue.add("own", [file], tmp_path / "data", Given({}, "de-en"))
    assert stored(prepared) == PAIRS
    catalogue.remove("own", tmp_path / "data")
    with pytest.raises(ValueError, match="is no whole Parquet file"):
        add(tmp_path, file.read_bytes()[:-50], "cut.parquet")


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = gzip.compress(tsv(PAIRS))
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    prepared = catalogue.add("own", [pipe], tmp_path / "data", Given({}, "de-en"))
    writer.join()
    assert stored(prepared) == PAIRS
    import hashlib

    assert prepared.about["sha256"] == hashlib.sha256(content).hexdigest()


REFUSED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "ids first": (
        "a.tsv",
        lambda: tsv([(str(n), s, str(n), t) for n, (s, t) in enumerate(PAIRS)]),
        r"numbers in its first column; read it with: --columns 2,4",
    ),
    "scores first": (
        "a.tsv",
        lambda: tsv([(f"0.{n}", s, t) for n, (s, t) in enumerate(PAIRS)]),
        r"--columns 2,3",
    ),
    "three columns": (
        "a.tsv",
        lambda: tsv([(s, t, "news") for s, t in PAIRS]),
        r"has 3 columns; .* --columns 1,2",
    ),
    "a header": ("a.tsv", lambda: tsv([("source", "target"), *PAIRS]), "with --header, or"),
    "a header of codes": ("a.csv", lambda: comma_separated([("de", "en"), *PAIRS]), "--header"),
    "csv without its name": (
        "a.txt",
        lambda: "".join(f'"{n} a","{n} b"\n' for n in range(30)).encode(),
        "looks like CSV; read it with: --format csv",
    ),
    "quoted tsv": (
        "a.tsv",
        lambda: "".join(f'"{n} a b"\t"{n} b c"\n' for n in range(30)).encode(),
        "quoted columns; read it with: --format csv --separator tab",
    ),
    "bars": (
        "a.txt",
        lambda: "".join(f"{s} ||| {t}\n" for s, t in PAIRS).encode(),
        r"--separator ' \|\|\| '",
    ),
    "tags": (
        "a.txt",
        lambda: b"The\tO\ndog\tB-Task\n\nA\tO\ncat\tI-Task\n" * 20,
        "--tagged --columns 1,2",
    ),
    "tags with spaces": ("a.txt", lambda: b"The O\ndog B-X\n\n" * 20, "--tagged --separator space"),
    "one column": ("a.txt", lambda: b"a sentence\nanother one\n", "hold no TAB"),
    "nothing": ("a.tsv", lambda: b"", "is empty"),
    "blank lines": ("a.tsv", lambda: b"\n\n\n", "is empty"),
    "half of a gz": ("a.gz", lambda: gzip.compress(tsv(PAIRS))[:-40], "is damaged or cut off"),
    "zstandard": ("a.zst", lambda: b"\x28\xb5\x2f\xfd" + bytes(9), "unpack it first"),
    "no text in zip": ("a.zip", lambda: zipped(README=b"about"), "holds no text, but README"),
    "half of json": ("a.jsonl", lambda: b'{"de": "a", "en"', "line 1 is not JSON"),
    "names of json": (
        "a.jsonl",
        lambda: b'{"a": "x", "b": "y", "c": "z"}\n',
        "--columns NAME,NAME",
    ),
    "half of tmx": ("a.tmx", lambda: tmx(PAIRS)[:-30], "is no whole TMX file"),
    "gbk": ("a.tsv", lambda: tsv([("a b", "你好")]).decode().encode("gbk"), "--encoding|save it"),
}


@pytest.mark.parametrize("form", REFUSED)
def test_a_file_of_another_form_is_refused_with_the_option_that_reads_it(
    tmp_path: Path, form: str
) -> None:
    name, content, said = REFUSED[form]
    with pytest.raises(ValueError, match=said):
        add(tmp_path, content(), name)
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize(
    ("languages", "rows", "said"),
    [
        ("en-zh", [("我认识他。", "I know him.")], "columns look swapped: give --columns 2,1"),
        ("de-ru", [("Ein Hund.", "A dog.")], "target is said to be ru, but .* Latin script"),
        ("ja-en", [("나는 학생입니다.", "I am.")], "source is said to be ja, but .* Korean"),
    ],
)
def test_a_script_that_contradicts_is_refused(
    tmp_path: Path, languages: str, rows: list[tuple[str, str]], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        add(tmp_path, tsv(rows * 30), languages=languages)


def test_the_files_of_manythings_keep_their_attribution(tmp_path: Path) -> None:
    rows = [(f"Go {n}.", f"Geh {n}.", CREDIT) for n in range(30)]
    content = zipped(deu__txt=tsv(rows), _about__txt=b"about")
    prepared = add(tmp_path, content, "deu-eng.zip", languages="")
    assert prepared.about["languages"] == ["en", "de"]
    assert stored(prepared) == [row[:2] for row in rows]
    assert (prepared.folder / "all.attribution").read_text() == f"{CREDIT}\n" * 30


def test_what_is_dropped_from_training_is_counted_by_reason(tmp_path: Path) -> None:
    content = tsv([*PAIRS, PAIRS[0], ("", "x"), ("y", " ")]) + b"alone\n\n"
    prepared = add(tmp_path, content)
    assert prepared.about["splits"]["all"]["dropped"] == {
        "repeated pair": 1,
        "empty side": 2,
        "no second column": 1,
    }
    assert prepared.about["pairs"] == len(PAIRS)


def test_line_breaks_within_a_sentence_are_counted(tmp_path: Path) -> None:
    prepared = add(tmp_path, comma_separated([("a\nb c", "d\r\ne"), *PAIRS]), "a.csv")
    assert stored(prepared)[0] == ("a b c", "d e")
    (changed,) = prepared.about["splits"]["all"]["changed"].values()
    assert changed == 2


texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\t\n\r\ufeff"),
    min_size=1,
    max_size=20,
).filter(str.strip)


@settings(deadline=None, max_examples=50)
@given(rows=st.lists(st.tuples(texts, texts), min_size=1, max_size=12, unique=True))
def test_what_is_stored_is_what_was_given(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    sides = []
    for place, side in enumerate(("source", "target")):
        file = folder / side
        file.write_bytes("".join(row[place] + "\n" for row in rows).encode())
        sides.append(file)
    prepared = catalogue.add("own", sides, folder / "data", Given({}, "und-und"))
    assert stored(prepared) == rows


# --- folders and splits --------------------------------------------------------------------

LAYOUTS: dict[str, dict[str, bytes]] = {
    "moses": {
        f"{split}.{side}": "".join(row[place] + "\n" for row in PAIRS).encode()
        for split in ("train", "dev", "test")
        for place, side in enumerate(("de", "en"))
    },
    "moses in gz": {
        f"corpus/{split}_2016.{side}.gz": gzip.compress(
            "".join(row[place] + "\n" for row in PAIRS).encode()
        )
        for split in ("training", "val", "test")
        for place, side in enumerate(("de", "en"))
    },
    "a file each": {f"{split}.tsv": tsv(PAIRS) for split in ("train", "valid", "test")},
    "hugging face": {
        f"data/{split}-00000-of-00001.jsonl": json_lines(PAIRS)
        for split in ("train", "validation", "test")
    },
    "folders": {f"{split}/part.jsonl": json_lines(PAIRS) for split in ("train", "dev", "test")},
    "shards": {
        "train-00000-of-00002.jsonl": json_lines(PAIRS[:20]),
        "train-00001-of-00002.jsonl": json_lines(PAIRS[20:]),
        "dev.jsonl": json_lines(PAIRS),
        "test.jsonl": json_lines(PAIRS),
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_splits_of_a_folder_are_found(tmp_path: Path, layout: str) -> None:
    for name, content in {**LAYOUTS[layout], "README.md": b"about"}.items():
        file = tmp_path / "given" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    given_languages = Given({}, "de-en")
    prepared = catalogue.add("own", [tmp_path / "given"], tmp_path / "data", given_languages)
    for split in ("train", "valid", "test"):
        assert stored(prepared, split) == PAIRS


def test_a_folder_without_names_of_splits_says_what_to_give(tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "corpus.de").write_text("a\n")
    with pytest.raises(ValueError, match="with --train, --valid and --test"):
        catalogue.add("own", [tmp_path / "given"], tmp_path / "data")
    for name in ("train.de", "train.en", "test_a.de", "test_a.en", "test_b.de", "test_b.en"):
        (tmp_path / "given" / name).write_text("a\n")
    with pytest.raises(ValueError, match=r"several files could be test: .*--test FILE"):
        catalogue.add("own", [tmp_path / "given"], tmp_path / "data")
