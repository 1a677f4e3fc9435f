"""Proves that specs are read from a store as JSON says, though most share their nested values."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.files import json_text
from results.store import rows
from tests.records import record

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just('"seed": 1, '),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.just("seed"), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text() | st.sampled_from(["seed", "variant"]), VALUES, max_size=5))
def test_a_spec_is_read_as_json(spec: dict[str, Any]) -> None:
    text = json_text(spec)
    found = rows._spec(text)
    assert found == json.loads(text) == spec
    assert list(found) == list(spec)


@pytest.mark.parametrize(
    "text",
    [
        '{"seed": 1.5}',
        '{"seed": 1e5}',
        '{"seed": true}',
        '{"seed": -3, "a": {"seed": 3}}',
        '{"a": {"seed": 3}}',
        '[{"seed": 3}]',
        '{"seed": 1, "seed": 2}',
        '{"a": "\\"seed\\": 1}"}',
    ],
)
def test_a_seed_that_is_none_changes_nothing(text: str) -> None:
    found = rows._spec(text)
    assert json_text(found) == json_text(json.loads(text))


INTEGERS = st.integers(-(2**63), 2**64 - 1)
PLAIN = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), PLAIN, max_size=5), st.booleans())
def test_what_a_run_measured_is_read_as_json(value: dict[str, Any], ascii_only: bool) -> None:
    """Holds for every float to its last digit, NaN and halves of surrogate pairs too."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert repr(rows._parsed(text)) == repr(json.loads(text))


@pytest.mark.parametrize("text", ['{"a": 01}', '{"a": 1', '{"a": 1}}', "", "a", "[" * 10**5])
def test_a_damaged_text_is_an_error(text: str) -> None:
    with pytest.raises((json.JSONDecodeError, RecursionError)):
        rows._parsed(text)


@pytest.mark.parametrize("text", ['{"seed": 01}', '{"seed": 1', '{"seed": 1}}', "", "seed"])
def test_a_damaged_spec_is_an_error(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        rows._spec(text)


def test_runs_that_differ_in_their_seed_share_their_variant() -> None:
    """Reading ten thousand runs is fast because of it."""
    first, second = (rows._spec(json_text(record(seed).spec)) for seed in (3, 4))
    assert (first["seed"], second["seed"]) == (3, 4)
    assert first["variant"] is second["variant"]
