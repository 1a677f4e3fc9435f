"""Proves that hostile texts are harmless in every form, and that harmless ones stay as they are."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from results.escapes import (
    SHORTENED_TO,
    for_csv,
    for_html,
    for_json,
    for_latex,
    for_markdown,
    one_line,
    plain,
    shortened,
    without_passwords,
)
from results.show.terminal import SafeConsole
from tests.hostile import CONTROL, texts

ORDINARY = "cell=lstm,attention=dot  (800 steps, batch 32, cpu) 0.969 注意 a_b é"


@pytest.mark.parametrize("form", [plain, one_line, for_html, for_csv, for_json, for_latex])
def test_ordinary_text_stays(form: object) -> None:
    assert callable(form)
    expected = ORDINARY.replace("_", r"\_") if form is for_latex else ORDINARY
    assert form(ORDINARY) == expected
    assert for_markdown(ORDINARY) == ORDINARY


@given(texts)
def test_no_control_character_is_left(text: str) -> None:
    assert not CONTROL.search(plain(text))
    for form in (one_line, for_markdown, for_latex):
        assert not CONTROL.search(form(text))
        assert "\n" not in form(text)
    for form in (for_html, for_csv):
        assert not CONTROL.search(form(text))
    assert plain(plain(text)) == plain(text)


@given(texts)
def test_a_terminal_shows_text_as_it_is(text: str) -> None:
    """Brackets are no styles, and nothing but the console's own moves the cursor."""
    for printed in (shown(text), shown(Text(text)), shown(in_table(text))):
        assert not CONTROL.search(printed)
        # rich leaves some control characters out, and folds what is between words
        assert visible(printed) == visible(plain(text))


def shown(what: RenderableType) -> str:
    """Return what a terminal is sent."""
    file = io.StringIO()
    console = SafeConsole(file=file, width=10_000, force_terminal=True, color_system=None)
    console.print(what, soft_wrap=isinstance(what, str))
    return file.getvalue()


def in_table(text: str) -> Table:
    grid = Table(box=None, show_header=False)
    grid.add_column(min_width=9_000)  # rich takes no tab into account for a width
    grid.add_row(text)
    return grid


def visible(text: str) -> str:
    return re.sub(r"[\s\u2407\u2408\u240b-\u240d\u241c-\u241f\u2424\ufffd]", "", text)


class Tags(HTMLParser):
    """Collects the tags and the text of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@given(texts)
def test_html_gets_no_tag_of_it(text: str) -> None:
    parser = Tags()
    parser.feed(f'<p title="{for_html(text)}">{for_html(text)}</p>')
    parser.close()
    assert parser.tags == ["p"]
    assert parser.text == html.unescape(for_html(text)) == plain(text)


@given(st.lists(texts, min_size=1))
def test_no_cell_of_csv_is_a_formula(cells: list[str]) -> None:
    file = io.StringIO()
    csv.writer(file).writerow([*map(for_csv, cells), "end"])
    (read,) = csv.reader(io.StringIO(file.getvalue(), newline=""))
    assert read == [*map(for_csv, cells), "end"]
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in read)


@given(texts)
def test_markdown_keeps_its_cells(text: str) -> None:
    written = for_markdown(text)
    bare = re.sub(r"\\[\\`*\[\]|~#$_]", "", written)
    assert not re.search(r"[\\`*\[\]|<]", bare)


@given(texts)
def test_latex_has_nothing_bare(text: str) -> None:
    written = for_latex(text)
    for known in (r"\textbackslash{}", r"\textasciitilde{}", r"\textasciicircum{}"):
        written = written.replace(known, "")
    for known in (r"\textbar{}", "{[}", "{]}", "{*}", r"$\pm$", r"$\times$", "$>$", "$<$"):
        written = written.replace(known, "")
    assert not re.search(r"[&%$#_{}\\~^\[\]*|<>]", re.sub(r"\\[&%$#_{}]", "", written))


@given(texts)
def test_json_reads_back(text: str) -> None:
    written = for_json(json.dumps({"x": text}, ensure_ascii=False, indent=1))
    assert json.loads(written) == {"x": text}
    assert not CONTROL.search(written)
    written.encode()


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://me:secret@host/x", "http://***@host/x"),
        ("postgresql://h/db?user=me&password=secret", "postgresql://h/db?user=me&password=***"),
        ("https://h/api?api_token=secret says: no", "https://h/api?api_token=*** says: no"),
        ("mssql://h/db?PWD=secret;x=1", "mssql://h/db?PWD=***;x=1"),
        ("sqlite:///runs.db?mode=ro", "sqlite:///runs.db?mode=ro"),
    ],
)
def test_no_secret_of_a_uri_is_shown(uri: str, shown: str) -> None:
    assert without_passwords(uri) == shown


def test_long_texts_are_cut_and_say_so() -> None:
    assert shortened("x" * SHORTENED_TO) == "x" * SHORTENED_TO
    assert shortened("x" * 1_000_000).endswith("... (998,000 more characters)")
