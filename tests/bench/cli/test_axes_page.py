"""Proves that docs/axes.md is what the registry says today, and that every value says something."""

from __future__ import annotations

from pathlib import Path

from bench.cli.pages.axes import axes_page
from variants import AXES
from variants.axes import meaning, registry

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_is_of_today() -> None:
    written = (DOCS / "axes.md").read_text(encoding="utf-8")
    assert written == axes_page(), "make it again: bench list --markdown > docs/axes.md"


def test_every_axis_and_value_has_a_row() -> None:
    written = axes_page()
    for axis in AXES:
        assert f"\n## {axis}\n" in written
        for value, part in registry(axis).items():
            assert f"\n| `{value}` | " in written
            assert len(meaning(part)) > 5, f"{axis}={value} has no description"


def test_parts_cite_their_source() -> None:
    """What has equations names where they are from."""
    for axis in ("cell", "attention", "optimizer"):
        for value, part in registry(axis).items():
            if part is not None:
                text = meaning(part)
                assert any(str(year) in text for year in range(1950, 2027)) or "lecture" in text, (
                    f"{axis}={value} cites nothing"
                )
