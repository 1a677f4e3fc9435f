"""Proves that the table of the doctor's record on wild scripts counts as it says."""

from __future__ import annotations

from typing import Any

from tests.perf.wild_doctor import table
from tests.wild.scripts import WildScript

Causes = tuple[tuple[str, ...], ...]


def row(
    name: str, causes: Causes, *said: str, unseen: tuple[str, ...] = ()
) -> tuple[WildScript, int, dict[str, Any]]:
    """Return a script with these causes and what was said of it, each `cause` or `cause!`."""
    findings = [
        {"cause": text.rstrip("!"), "sure": "certain" if text.endswith("!") else "likely"}
        for text in said
    ]
    result = {"findings": findings, "unseen": list(unseen), "error": "", "steps": 9}
    return WildScript("building", "style", name, "", causes), 0, result


ONE: Causes = (("a", "also-a"),)
TWO: Causes = (("a",), ("b",))


def lines(*rows: tuple[WildScript, int, dict[str, Any]]) -> list[str]:
    return [line.strip() for line in table(list(rows)).splitlines()]


def test_single_faults() -> None:
    found = lines(
        row("first", ONE, "a!"),
        row("other-name", ONE, "also-a"),
        row("second", ONE, "z", "a"),
        row("third", ONE, "z!", "y", "a"),
        row("nothing", ONE),
    )
    assert "single faults: 5" in found
    assert "named first: 2 of 5 (40.0%)" in found
    assert "among the first two: 3 of 5 (60.0%)" in found
    assert "nothing said: 1 of 5 (20.0%)" in found
    assert "a wrong cause called certain: 1 of 5 (20.0%)" in found
    # each miss is printed with what was said instead
    assert "style/second seed 0: a; said z (likely), a (likely)" in found
    assert "style/nothing seed 0: a; said nothing" in found
    assert not any("style/first" in line or "style/other-name" in line for line in found)


def test_pairs_of_faults() -> None:
    found = lines(
        row("both", TWO, "b", "a"),
        row("both-late", TWO, "a", "z", "b"),
        row("too-late", TWO, "a", "z", "y", "b"),
        row("neither", TWO, "z"),
    )
    assert "pairs of faults: 4" in found
    assert "one of them first: 3 of 4 (75.0%)" in found
    assert "both among the first three: 2 of 4 (50.0%)" in found
    assert "style/neither seed 0: a + b; said z (likely)" in found
    assert "single faults: 0" in found
    assert "named first: none" in found


def test_sound_scripts() -> None:
    found = lines(row("quiet", ()), row("likely", (), "a"), row("certain", (), "a!"))
    assert "sound scripts: 3" in found
    assert "a false finding: 2 of 3 (66.7%)" in found
    assert "a false finding called certain: 1 of 3 (33.3%)" in found
    assert "style/likely seed 0: sound; said a (likely)" in found


def test_errors_of_our_own_are_printed() -> None:
    text = "a part of the judgement, because of an error in bench itself (ValueError: x)"
    found = lines(row("broken", (), unseen=(text, "compiled code")))
    assert f"style/broken: {text}" in found
    assert not any("compiled" in line for line in found)
