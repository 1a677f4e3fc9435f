"""Proves that texts from outside are never more than text, and that code from outside fails its own
run alone: what it prints is not in the way, and no verb ends in a traceback."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings

from bench.cli import app
from bench.plugins import guarding, loading
from results.store import reading, writing
from tests.bench.cli.commands import Bench
from tests.hostile import (
    CONTROL,
    EXPORT_FORMATS,
    PIECES,
    READING_VERBS,
    hostile_records,
    names,
)
from tests.records import SUITE
from tests.reports import shown_by_scripts

CELL = """
import os, sys, time
from variants.cells import CELLS
class Quiet(Exception):
    def __str__(self):
        raise KeyError("no text")
class Strange(BaseException):
    pass
{top}
class Mine(CELLS["rnn"]):
    def project(self, inputs):
        {body}
        return super().project(inputs)
PARTS = {{"cell": {{"mine": Mine}}}}
"""
RUN = "run --task opposites --vary cell=rnn,mine --seeds 1 --budget 5 --workers 1".split()


def plugin(folder: Path, body: str = "pass", top: str = "") -> str:
    path = folder / "mine.py"
    path.write_text(CELL.format(body=body, top=top))
    return str(path)


@pytest.mark.usefixtures("no_workers", "registries_put_back")
@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("sys.exit(3)", "SystemExit: 3"),
        ("exit()", "SystemExit: None"),
        ("raise Strange('odd')", "Strange: odd"),
        ("raise Quiet", "Quiet: its message cannot be read"),
        ("raise ValueError('half \\udc80 a pair')", "ValueError: half \udc80 a pair"),
        ("raise ValueError('x' * 1_000_000)", "more characters)"),
        ("raise ValueError('[/red]\\x1b[2J')", "ValueError: [/red]\x1b[2J"),
    ],
)
def test_whatever_a_part_raises_fails_its_run_alone(
    bench: Bench, store: Path, tmp_path: Path, body: str, error: str
) -> None:
    code, out, err = bench(*RUN, "--plugin", plugin(tmp_path, body))
    assert (code, err) == (0, "")
    with reading(store) as opened:
        found = {entry.variant["cell"]: entry for entry in opened.records(details=True)}
    assert found["rnn"].status != "failed"
    assert found["mine"].status == "failed"
    assert error in found["mine"].outcome["error"]
    assert len(found["mine"].outcome["error"]) < 3_000
    for verb in (["show", found["mine"].id], ["table"], ["doctor", "--all"], ["curves"]):
        code, out, err = bench(*verb)
        assert code == 0
        assert "\x1b" not in out + err
        assert len(out) < 100_000
    assert bench("verify")[0] == 0
    code, out, _ = bench("check", "cell=mine", "--json", "--plugin", plugin(tmp_path, body))
    assert code == 1
    assert any(error in row["wrong"] for row in json.loads(out)["rows"])


@pytest.mark.usefixtures("no_workers", "registries_put_back")
def test_what_a_plugin_prints_is_not_in_the_way(bench: Bench, tmp_path: Path) -> None:
    noisy = plugin(tmp_path, "print('noise')", "print('more noise')")
    code, out, err = bench("check", "cell=mine", "--json", "--plugin", noisy)
    assert code in (0, 1)  # whatever is wrong with a cell that prints
    assert json.loads(out)["rows"]
    assert "more noise" in err
    code, out, _ = bench("list", "--json", "--plugin", noisy)
    assert json.loads(out)["rows"]
    code, out, _ = bench(*RUN, "--plugin", noisy)
    assert code == 0
    assert "noise" not in out
    assert "cell=mine" in out


@pytest.mark.usefixtures("no_workers", "registries_put_back")
@pytest.mark.parametrize("where", ["top", "body"])
def test_a_plugin_that_changes_the_directory_moves_nothing(
    bench: Bench, tmp_path: Path, where: str
) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    moving = plugin(tmp_path, **{where: f"os.chdir({str(other)!r})"})
    code, _, err = bench(*RUN, "--plugin", moving, "--store", "here", "--keep-weights")
    assert (code, err) == (0, "")
    assert Path.cwd() == tmp_path
    assert list(other.iterdir()) == []
    assert len(list((tmp_path / "here" / "weights").glob("*.safetensors"))) == 2


@pytest.mark.usefixtures("registries_put_back")
def test_an_import_that_swallows_interrupts_ends_its_process(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hang for ever, and no Ctrl-C would help."""
    ended = threading.Event()
    monkeypatch.setattr(loading, "IMPORT_SECONDS", 0.2)
    monkeypatch.setattr(guarding, "GRACE", 0.2)
    monkeypatch.setattr("os._exit", lambda code: ended.set())
    monkeypatch.setattr(guarding, "ended", ended, raising=False)
    stubborn = """
from bench.plugins import guarding
while not guarding.ended.is_set():
    try:
        time.sleep(0.01)
    except BaseException:
        pass
"""
    _, _, err = bench("list", "--plugin", plugin(tmp_path, top=stubborn))
    assert "hangs and does not let itself be interrupted" in err


# names and texts of a store

TAGS = re.compile(r"<script>alert|</?red|<b>x")


class Tags(HTMLParser):
    """Collects the names of tags, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)


def tags(path: Path) -> list[str]:
    parser = Tags()
    parser.feed(path.read_text("utf-8"))
    return [tag for tag in parser.tags if tag not in ("path", "use", "g", "defs", "text")]


@settings(
    max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@example("a" + "".join(PIECES))
@given(text=names)
def test_no_text_of_a_store_does_anything_but_be_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    folder = tmp_path / str(abs(hash(text)))
    with writing(folder) as opened:
        for entry in hostile_records(text):
            opened.add(entry, commit=False)
        opened.commit()
        opened.set_plan([], SUITE)
        run = next(entry.id for entry in hostile_records(text))
        sick = hostile_records(text)[-1].id
    capsys.readouterr()
    for verb in (
        *READING_VERBS,
        ["show", run],
        ["show", sick],
        ["show", run, "--json"],
        ["doctor", sick],
    ):
        code = app.main([*verb, "--store", str(folder)])
        out, err = capsys.readouterr()
        assert code in (0, 2), (verb, err)
        assert "Traceback (most recent" not in err
        assert not CONTROL.search(out + err), verb
        if "--json" in verb or "json" in verb:
            assert code == 2 or json.loads(out)["rows"]
        elif "csv" in verb and code == 0:
            cells = [cell for row in csv.reader(io.StringIO(out)) for cell in row]
            assert not any(cell.lstrip().startswith(("=", "@")) for cell in cells)
    assert app.main(["report", "--output", str(folder / "r.html"), "--store", str(folder)]) == 0
    plain = tmp_path / "plain"
    if not plain.exists():
        with writing(plain) as opened:
            for entry in hostile_records("ax"):
                opened.add(entry)
            opened.set_plan([], SUITE)
        app.main(["report", "--output", str(plain / "r.html"), "--store", str(plain)])
    page = (folder / "r.html").read_text("utf-8")
    assert not TAGS.search(page)
    assert set(tags(folder / "r.html")) <= set(tags(plain / "r.html"))
    # two hold data, which is compressed, and one is the page's own
    assert tags(folder / "r.html").count("script") == 3
    assert not CONTROL.search(json.dumps(shown_by_scripts(page), ensure_ascii=False))
    for form in EXPORT_FORMATS:
        file = folder / f"x.{form}"
        command = ["export", "--format", form, "--output", str(file), "--store", str(folder)]
        assert app.main(command) == 0
        assert not CONTROL.search(file.read_text("utf-8"))
