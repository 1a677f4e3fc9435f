"""Proves which variant is checked when a value of an axis is named alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.api.check import check_part, variant_of


def test_a_value_alone_finds_its_axis() -> None:
    assert variant_of("mingru") == variant_of("cell=mingru")
    assert variant_of("mingru").hidden == 32


def test_a_value_of_several_axes_needs_its_axis() -> None:
    with pytest.raises(ValueError, match="is a value of 2 axes; say which, "):
        variant_of("xavier")


@pytest.mark.parametrize(
    ("name", "message"),
    [("gruu", "did you mean gru"), ("opposites:x=1", "no settings"), ("cel=gru", "cell")],
)
def test_what_cannot_be_checked(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        check_part(name, False, tmp_path)


def test_what_does_not_apply_to_a_tagger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not apply"):
        check_part("attention=dot", True, tmp_path)
