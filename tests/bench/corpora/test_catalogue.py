"""Proves that a corpus is fetched and prepared completely, or refused with a reason.

The tests make their own archives; downloads come from a local server.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.corpora import catalogue, download, preparation
from bench.corpora.preparation import Simplifier

CREDIT = "CC-BY 2.0 (France) Attribution: tatoeba.org #1 (A) & #2 (B)"
TEXT = (
    f"Hi.\t嗨。\t{CREDIT}\n"
    f"He turned 16.\t他 16 歲了.\t{CREDIT}\n"
    f"He turned 16.\t他16岁了。\tanother\n"
    f"It’s  OK.\t好\u2028的!\t{CREDIT}\n"
    f"Nothing.\t\t{CREDIT}\n"
)
PAIRS = f"Hi.\t嗨。\t{CREDIT}\nHe turned 16.\t他16岁了。\t{CREDIT}\nIt's OK.\t好的！\t{CREDIT}\n"


def zipped(text: str | bytes = TEXT, name: str = "cmn.txt", **others: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in (others | {name: text}).items():
            entry = zipfile.ZipInfo(member, (2026, 2, 13, 6, 17, 18))
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(autouse=True)
def simplify(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace OpenCC: these texts hold a single traditional character."""
    stand_in = Simplifier(lambda text: text.replace("歲", "岁"), "none")
    monkeypatch.setattr(preparation, "simplifier", lambda: stand_in)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that makes tatoeba a download of some content at a URL."""

    def change(content: bytes, url: str = "http://127.0.0.1:9/refused.zip") -> None:
        entry = replace(catalogue.DOWNLOADS["tatoeba"], url=url, sha256=sha(content))
        monkeypatch.setitem(catalogue.DOWNLOADS, "tatoeba", entry)

    return change


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


# --- from a file ---------------------------------------------------------------------------


def test_an_archive_becomes_clean_pairs(tmp_path: Path, known: Callable[..., None]) -> None:
    archive, folder = tmp_path / "a.zip", tmp_path / "data"
    archive.write_bytes(content := zipped(**{"_about.txt": "x", "../../evil.txt": "x"}))
    known(content)
    prepared = catalogue.get("tatoeba", folder, archive=archive)
    assert (folder / "tatoeba" / "pairs.tsv").read_bytes() == PAIRS.encode()
    assert prepared.folder == folder / "tatoeba"
    assert prepared.about["pairs"] == 3
    assert prepared.about["dropped"] == {"empty": 1, "duplicate": 1}
    assert prepared.about["date"] == "2026-02-13"
    assert prepared.about["sha256"] == sha(content)
    assert catalogue.listing(folder) == [prepared]
    assert archive.exists()
    assert names(tmp_path) == ["a.zip", "data"]
    assert names(folder) == ["tatoeba"]
    assert names(folder / "tatoeba") == ["about.json", "pairs.tsv"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zipped(name="../cmn.txt"), r"has no cmn\.txt, it holds \.\./cmn\.txt"),
        (zipped(name="/cmn.txt"), r"has no cmn\.txt"),
        (zipped()[:-30], "not a whole zip archive"),
        (b"<html>not found</html>", "not a whole zip archive"),
        (b"", "not a whole zip archive"),
        (zipped(b"Hi.\t\xc4\xe3\tGBK"), r"cmn\.txt in .* is not UTF-8: byte 4 is 0xc4; save"),
        (zipped("no tab here\n"), "no line given for the corpus 'tatoeba'"),
    ],
)
def test_a_bad_archive_is_refused_in_one_sentence(
    tmp_path: Path, known: Callable[..., None], content: bytes, message: str
) -> None:
    archive, folder = tmp_path / "a.zip", tmp_path / "data"
    archive.write_bytes(content)
    known(content)
    with pytest.raises(ValueError, match=message):
        catalogue.get("tatoeba", folder, archive=archive)
    assert names(folder) == []
    assert names(tmp_path) in (["a.zip"], ["a.zip", "data"])


def test_a_damaged_member_is_refused(tmp_path: Path, known: Callable[..., None]) -> None:
    content = bytearray(zipped())
    content[60] ^= 0xFF  # inside the compressed text
    (tmp_path / "a.zip").write_bytes(content)
    known(bytes(content))
    with pytest.raises(ValueError, match="not a whole zip archive"):
        catalogue.get("tatoeba", tmp_path / "data", archive=tmp_path / "a.zip")


def test_an_encrypted_member_is_refused(tmp_path: Path, known: Callable[..., None]) -> None:
    content = bytearray(zipped())
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    known(bytes(content))
    with pytest.raises(ValueError, match="is encrypted; give one that is not"):
        catalogue.get("tatoeba", tmp_path / "data", archive=tmp_path / "a.zip")


def test_too_large_a_member_is_refused(
    tmp_path: Path, known: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = zipped("Hi.\t嗨。\tx\n" * 1_000)
    (tmp_path / "a.zip").write_bytes(content)
    known(content)
    monkeypatch.setattr(preparation, "LARGEST_MEMBER_BYTES", 10_000)
    with pytest.raises(ValueError, match="unpacks to more than the 10000 bytes"):
        catalogue.get("tatoeba", tmp_path / "data", archive=tmp_path / "a.zip")


def test_another_archive_is_accepted_only_by_its_checksum(
    tmp_path: Path, known: Callable[..., None]
) -> None:
    known(zipped("Hi.\t嗨。\told\n"))
    newer = zipped()
    (tmp_path / "a.zip").write_bytes(newer)
    with pytest.raises(ValueError, match=f"accept it with: --sha256 {sha(newer)}") as caught:
        catalogue.get("tatoeba", tmp_path, archive=tmp_path / "a.zip")
    assert catalogue.DOWNLOADS["tatoeba"].sha256 in str(caught.value)
    assert names(tmp_path) == ["a.zip"]
    catalogue.get("tatoeba", tmp_path, archive=tmp_path / "a.zip", sha256=sha(newer).upper())
    assert names(tmp_path) == ["a.zip", "tatoeba"]


def test_an_interrupted_get_leaves_the_older_corpus(
    tmp_path: Path, known: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    for content in (zipped("Hi.\t嗨。\told\n"), zipped()):
        known(content)
        (tmp_path / "a.zip").write_bytes(content)
        with monkeypatch.context() as patch:
            patch.setattr("json.dumps", interrupt)
            with pytest.raises(KeyboardInterrupt):
                catalogue.get("tatoeba", folder, archive=tmp_path / "a.zip")
        assert len(catalogue.listing(folder)) == len(names(folder)) == (content == zipped())
        catalogue.get("tatoeba", folder, archive=tmp_path / "a.zip")
    assert (folder / "tatoeba" / "pairs.tsv").read_text("utf-8") == PAIRS
    assert names(folder) == ["tatoeba"]


def interrupt(*_: object, **__: object) -> str:
    raise KeyboardInterrupt


def test_names_and_files_that_do_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'wmt' cannot be fetched, only tatoeba and pairs of"):
        catalogue.get("wmt", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"nothing\.zip does not exist"):
        catalogue.get("tatoeba", tmp_path, archive=tmp_path / "nothing.zip")


def test_a_missing_opencc_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "opencc", None)
    with pytest.raises(ValueError, match=r"needs OpenCC; .*pip install 'seq2seq-bench\[zh\]'"):
        preparation.simplifier()


# --- over the network ----------------------------------------------------------------------


@dataclass
class Host:
    """A server of `content` that may break off a download.

    breaks_after: the number of bytes after which it breaks off. resumes: whether it supports the
    header Range.
    """

    content: bytes = b""
    breaks_after: int | None = None
    resumes: bool = True
    ranges: list[str | None] = field(default_factory=list)
    url: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.resumes else 0
        if start and start >= len(self.content):
            request.send_error(416)
            return
        body = self.content[start:]
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: self.breaks_after])


@pytest.fixture
def host() -> Iterator[Host]:
    served = Host()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_address[1]}/cmn-eng.zip"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_download_is_prepared_once(
    tmp_path: Path, known: Callable[..., None], host: Host
) -> None:
    host.content = zipped()
    known(host.content, host.url)
    prepared = catalogue.get("tatoeba", tmp_path)
    assert (prepared.folder / "pairs.tsv").read_text("utf-8") == PAIRS
    assert names(tmp_path) == ["tatoeba"]
    assert catalogue.get("tatoeba", tmp_path) == prepared
    assert host.ranges == [None]  # the second get asked nobody


@pytest.mark.parametrize("resumes", [True, False])
def test_a_broken_download_is_resumed(
    tmp_path: Path, known: Callable[..., None], host: Host, resumes: bool
) -> None:
    host.content, host.breaks_after, host.resumes = zipped(), 100, resumes
    known(host.content, host.url)
    with pytest.raises(FileNotFoundError, match=r"broke off after 100 bytes, of .* --from FILE"):
        catalogue.get("tatoeba", tmp_path)
    assert (tmp_path / "tatoeba.zip.part").read_bytes() == host.content[:100]
    host.breaks_after = None
    prepared = catalogue.get("tatoeba", tmp_path)
    assert (prepared.folder / "pairs.tsv").read_text("utf-8") == PAIRS
    assert host.ranges == [None, "bytes=100-"]


@pytest.mark.parametrize("stale", [b"half of an older archive", b"x" * 100_000])
def test_a_part_of_another_archive_is_dropped(
    tmp_path: Path, known: Callable[..., None], host: Host, stale: bytes
) -> None:
    (tmp_path / "tatoeba.zip.part").write_bytes(stale)
    host.content = zipped()
    known(host.content, host.url)
    catalogue.get("tatoeba", tmp_path)
    assert names(tmp_path) == ["tatoeba"]
    assert len(host.ranges) == 2
    assert host.ranges[1] is None


def test_a_newer_download_is_kept_until_it_is_accepted(
    tmp_path: Path, known: Callable[..., None], host: Host
) -> None:
    host.content = zipped()
    known(b"the older archive", host.url)
    with pytest.raises(ValueError, match="accept it with: --sha256"):
        catalogue.get("tatoeba", tmp_path)
    assert names(tmp_path) == ["tatoeba.zip.part"]
    catalogue.get("tatoeba", tmp_path, sha256=sha(host.content))
    assert names(tmp_path) == ["tatoeba"]
    assert host.ranges == [None, f"bytes={len(host.content)}-"]  # nothing was left to send


def test_without_a_network_the_error_names_the_option_for_a_file(
    tmp_path: Path, known: Callable[..., None], host: Host
) -> None:
    known(b"")
    with pytest.raises(FileNotFoundError, match=r"Connection refused.* give it with --from FILE"):
        catalogue.get("tatoeba", tmp_path)
    host.content = b"x" * 10
    (tmp_path / "tatoeba.zip.part").unlink(missing_ok=True)
    known(b"", host.url.replace("http", "ftp+none"))
    with pytest.raises(FileNotFoundError, match="unknown url type"):
        catalogue.get("tatoeba", tmp_path)


def test_any_pair_of_manythings_is_fetched_by_its_name(
    tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "".join(f"Go {n}.\tGeh {n}, ja.\t{CREDIT}\n" for n in range(30))
    host.content = zipped(rows, "deu.txt", **{"_about.txt": "x"})
    monkeypatch.setattr(catalogue, "MANYTHINGS_URL", host.url.replace("cmn-eng", "{name}"))
    prepared = catalogue.get("deu-eng", tmp_path)
    assert sides(prepared.folder)[1] == [f"Geh {n}, ja." for n in range(30)]
    assert prepared.about["languages"] == ["en", "de"]
    assert "tatoeba.org" in prepared.about["licence"]
    assert names(tmp_path) == ["deu-eng"]
    assert catalogue.get("deu-eng", tmp_path, sha256=sha(host.content)).about == prepared.about
    assert host.ranges == [None]  # the second get asked nobody
    with pytest.raises(ValueError, match="has the sha256"):
        catalogue.get("deu-eng", tmp_path, sha256="0" * 64)


def test_a_refusing_host_is_named(
    tmp_path: Path, known: Callable[..., None], host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Host, "answer", lambda _, request: request.send_error(403))
    known(b"", host.url)
    with pytest.raises(FileNotFoundError, match="the host answers 403"):
        catalogue.get("tatoeba", tmp_path)


def test_an_endless_download_is_stopped(
    tmp_path: Path, known: Callable[..., None], host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.content = b"x" * 10_000
    known(host.content, host.url)
    monkeypatch.setattr(download, "LARGEST_BYTES", 5_000)
    with pytest.raises(ValueError, match="larger than the 5000 bytes"):
        catalogue.get("tatoeba", tmp_path)


def test_the_pinned_download_is_over_tls() -> None:
    assert all(entry.url.startswith("https://") for entry in catalogue.DOWNLOADS.values())


# --- one's own -----------------------------------------------------------------------------


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def sides(folder: Path, split: str = "all") -> tuple[list[str], list[str]]:
    """Return the sentences of a corpus as they are stored."""
    source, target = (
        (folder / f"{split}.{side}").read_text("utf-8").split("\n")[:-1]
        for side in ("source", "target")
    )
    return source, target


def test_own_pairs_in_one_file(tmp_path: Path) -> None:
    file = written(tmp_path / "mine.tsv", "\ufeffHi.\t嗨.\r\nonly english\r\nBye.\t再見。\n")
    prepared = catalogue.add("mine-2", [file], tmp_path / "data")
    assert sides(prepared.folder) == (["Hi.", "Bye."], ["嗨.", "再見。"])
    assert prepared.about["splits"]["all"]["dropped"] == {"no second column": 1}
    assert prepared.about["languages"] == ["und", "zh"]
    assert prepared.about["languages_from"] == "guessed from the script"
    assert prepared.about["source"] == "mine.tsv"
    assert prepared.about["kind"] == "parallel"


def test_own_pairs_in_two_files(tmp_path: Path) -> None:
    english = written(tmp_path / "a.en", "Hi.\nA\tB\n\n")
    chinese = written(tmp_path / "a.zh", "嗨。\n甲乙\n丙")
    catalogue.add("two", [english, chinese], tmp_path)
    assert sides(tmp_path / "two") == (["Hi.", "A\tB"], ["嗨。", "甲乙"])
    written(chinese, "嗨。\n甲乙\n")
    with pytest.raises(ValueError, match=r"a\.en has 3 lines and .*a\.zh has 2 lines"):
        catalogue.add("uneven", [english, chinese], tmp_path)
    assert "uneven" not in names(tmp_path)


def test_tagged_documents_are_read_when_they_are_added(tmp_path: Path) -> None:
    source = tmp_path / "tagged"
    source.mkdir()
    for name in ("train", "dev", "test"):
        written(source / f"{name}.txt", f"{name}\tO\r\nWide\tB-X\r\n\r\nb\tI-X\r\n\r\n")
    prepared = catalogue.add_tagged_files("tags", [source], tmp_path / "data")
    assert prepared.about["kind"] == "tagged"
    for split, name in (("train", "train"), ("valid", "dev"), ("test", "test")):
        records = (prepared.folder / f"{split}.jsonl").read_text("utf-8").split("\n")
        assert [json.loads(record) for record in records[:-1]] == [
            {"tokens": [name, "Wide"], "phrases": [[1, 2, "X"]]},
            {"tokens": ["b"], "phrases": [[0, 1, "X"]]},
        ]
    assert [prepared.name for prepared in catalogue.listing(tmp_path / "data")] == ["tags"]


def test_another_encoding_is_named_with_its_place(tmp_path: Path) -> None:
    file = written(tmp_path / "gbk.tsv", "Hi.\t你".encode("gbk"))
    with pytest.raises(ValueError, match=r"gbk\.tsv is not UTF-8: byte 4 is 0xc4; save it as"):
        catalogue.add("gbk", [file], tmp_path)


@pytest.mark.parametrize("name", ["", "grammar", "generated", "../up", "A", "a/b", "-a", "a.b"])
def test_names_that_cannot_be_folders(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a corpus; take lower-case letters"):
        catalogue.add(name, [written(tmp_path / "x.tsv", "a\t甲\n")], tmp_path)


def test_names_that_are_taken(tmp_path: Path) -> None:
    file = written(tmp_path / "x.tsv", "a\t甲\n")
    with pytest.raises(ValueError, match="bench data get tatoeba"):
        catalogue.add("tatoeba", [file], tmp_path)
    catalogue.add("mine", [file], tmp_path)
    with pytest.raises(ValueError, match="'mine' is already in"):
        catalogue.add("mine", [file], tmp_path)


@pytest.mark.parametrize("count", [0, 3])
def test_a_wrong_number_of_files(tmp_path: Path, count: int) -> None:
    file = written(tmp_path / "x.tsv", "a\t甲\n")
    said = {0: "no training text was given", 3: "3 files were given: .* give one of columns"}
    with pytest.raises(ValueError, match=said[count]):
        catalogue.add("mine", [file] * count, tmp_path)


def test_listing_of_nothing_is_empty(tmp_path: Path) -> None:
    assert catalogue.listing(tmp_path / "nowhere") == []


# --- the real archive ----------------------------------------------------------------------


def test_the_real_archive_is_as_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "BENCH_DATA" not in os.environ:
        pytest.skip("BENCH_DATA is not set")
    pytest.importorskip("opencc")
    monkeypatch.undo()  # the real OpenCC
    archive = Path(os.environ["BENCH_DATA"]) / "tatoeba" / "cmn-eng.zip"
    about = catalogue.get("tatoeba", tmp_path, archive=archive).about
    assert about["pairs"] + sum(about["dropped"].values()) == 32_028
    assert about["dropped"] == {"empty": 0, "duplicate": 150}
    assert about["date"] == "2026-02-13"
    text = (tmp_path / "tatoeba" / "pairs.tsv").read_text("utf-8")
    assert all(line.count("\t") == 2 for line in text.split("\n")[:-1])
    assert text.count("tatoeba.org #") == about["pairs"]
    assert "岁" in text
    assert not set("歲學們時東") & set(text)
