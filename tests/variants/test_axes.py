"""Proves that a variant's name is read back as that variant, and that what is not one is refused.

Refusals name what is near; every rule of `inapplicable` fires for a case, not for its neighbour.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results import naming
from variants import inapplicable
from variants.applicable import NEEDS
from variants.axes import AXES, BASE, TOGETHER, Variant, change, parse, values


def axis_values(axis: str) -> st.SearchStrategy[Any]:
    """Any allowed value, base's own among them."""
    metadata, base = AXES[axis].metadata, getattr(BASE, axis)
    if values(axis):
        return st.sampled_from(values(axis))
    if axis == "window":
        return st.integers(0, 49).map(lambda half: 2 * half + 1)
    if isinstance(base, str):
        return st.from_regex(NAME, fullmatch=True)
    low, high = metadata["low"], metadata["high"]
    if isinstance(base, int):
        return st.one_of(st.just(base), st.integers(low, high))
    return st.one_of(st.just(base), st.floats(low, high))


NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}|"
any_variant = st.builds(Variant, **{axis: axis_values(axis) for axis in AXES})


@given(any_variant)
def test_name_is_read_back(variant: Variant) -> None:
    assert parse(naming.name(asdict(variant), asdict(BASE))) == variant


@given(any_variant, any_variant)
def test_name_is_read_back_from_any_base(variant: Variant, base: Variant) -> None:
    assert parse(naming.name(asdict(variant), asdict(base)), base) == variant


@given(any_variant)
def test_matrix_values_are_read_as_given(variant: Variant) -> None:
    """A matrix file gives numbers, a command line texts."""
    assert change(BASE, asdict(variant)) == variant
    assert change(BASE, {axis: str(value) for axis, value in asdict(variant).items()}) == variant


def test_names_agree_with_results() -> None:
    assert naming.SHORTHANDS == TOGETHER


def test_base_is_allowed() -> None:
    assert change(BASE, asdict(BASE)) == BASE == parse("base") == parse("") == parse(" base ")
    assert inapplicable(BASE, tagging=False) is None
    assert inapplicable(BASE, tagging=True) is None


def test_depth_is_both() -> None:
    deep = parse("depth=3")
    assert (deep.encoder_depth, deep.decoder_depth) == (3, 3)
    assert naming.name(asdict(deep), asdict(BASE)) == "depth=3"
    uneven = parse("encoder_depth=3,decoder_depth=2")
    assert naming.name(asdict(uneven), asdict(BASE)) == "encoder_depth=3,decoder_depth=2"
    one = parse("encoder_depth=3")
    assert naming.name(asdict(one), asdict(BASE)) == "encoder_depth=3"


def test_spaces_do_not_matter() -> None:
    assert parse(" cell = lstm , attention=dot ") == parse("cell=lstm,attention=dot")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("cell=gruu", "did you mean gru"),
        ("cell=LSTM", "is not one of rnn, rnn-relu, gru"),
        ("atention=dot", "did you mean attention"),
        ("attention=doot", "did you mean dot"),
        ("attention=scaled_dot", "did you mean scaled-dot"),
        ("optimizer=adm", "did you mean adam"),
        ("direction=backward", "forward, reversed, bidirectional"),
        ("learning-rate=0.1", "did you mean learning_rate"),
        ("dept=2", "did you mean depth"),
        ("cell", "is not axis=value"),
        ("cell=gru,cell=lstm", "stands twice"),
        ("cell=lstm,,attention=dot", "is not axis=value"),
        ("depth=two", "a whole number from 1 to 16"),
        ("depth=1.5", "a whole number from 1 to 16"),
        ("depth=0", "a whole number from 1 to 16"),
        ("encoder_depth=17", "a whole number from 1 to 16"),
        ("hidden=0", "a whole number from 1"),
        ("dropout=0.96", "a number from 0 to 0.95"),
        ("dropout=-0.1", "a number from 0 to 0.95"),
        ("dropout=nan", "a number from 0 to 0.95"),
        ("forcing_rate=1.01", "a number from 0 to 1"),
        ("learning_rate=inf", "a number from 0 to 1000"),
        ("learning_rate=", "a number from 0 to 1000"),
        ("window=4", "is even"),
        ("window=0", "a whole number from 1 to 99"),
        ("window=101", "a whole number from 1 to 99"),
    ],
)
def test_refusals_say_what_is_allowed(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        parse(text)


@pytest.mark.parametrize("given", [True, None, [1], 1.5, float("inf"), float("nan"), 10**400])
def test_odd_numbers_are_refused(given: object) -> None:
    with pytest.raises(ValueError, match=r"hidden=.*is not a whole number"):
        change(BASE, {"hidden": given})


@pytest.mark.parametrize("axis", [axis for axis in AXES if "low" in AXES[axis].metadata])
def test_bounds_are_allowed_and_no_more(axis: str) -> None:
    low, high = AXES[axis].metadata["low"], AXES[axis].metadata["high"]
    kind = type(getattr(BASE, axis))
    for bound in (low, high):
        assert getattr(change(BASE, {axis: bound}), axis) == bound
        assert type(getattr(change(BASE, {axis: str(bound)}), axis)) is kind
    for beyond in (low - 1, high + 1):
        with pytest.raises(ValueError, match=axis):
            change(BASE, {axis: beyond})


def test_every_axis_is_described() -> None:
    for axis, field in AXES.items():
        assert field.metadata["about"], axis
        if values(axis):
            assert getattr(BASE, axis) in values(axis)


RULES = [
    # text, tagging, what the reason names, a neighbour that applies
    ("attention=dot", True, "attention=dot: a tagger", "direction=reversed"),
    ("decoder_input=context", True, "decoder_input=context: a tagger", "cell=lstm"),
    ("forcing=never", True, "forcing=never: a tagger", "base"),
    ("coin=step", True, "coin=step: a tagger", "dropout=0.1"),
    ("window=5", False, "window: only a tagger", "window=3"),
    (
        "forcing=never,decoder_input=state",
        False,
        "forcing=never: decoder_input=state",
        "forcing=never,decoder_input=output",
    ),
    (
        "forcing=linear,decoder_input=context",
        False,
        "forcing=linear: decoder_input=context",
        "forcing=linear,decoder_input=output+context",
    ),
    ("coin=step", False, "coin=step: forcing=always", "coin=step,forcing=constant"),
    ("coin=sequence,forcing=never", False, "forcing=never tosses none", "coin=step,forcing=linear"),
    ("forcing_rate=0.7", False, "only constant does", "forcing_rate=0.7,forcing=constant"),
    ("forcing_rate=0.7,forcing=linear", False, "only constant does", "forcing=linear"),
    ("forcing_steps=9", False, "does not decay", "forcing_steps=9,forcing=linear"),
    (
        "forcing_steps=9,forcing=constant",
        False,
        "forcing=constant does not decay",
        "forcing_steps=9,forcing=inverse-sigmoid",
    ),
    ("forcing_rate=0.7", True, "only constant does", "base"),
    ("forcing_steps=9", True, "does not decay", "base"),
    (
        "embedding_range=0.2,embedding_init=normal",
        False,
        "embedding_init=normal has no range",
        "embedding_range=0.2,embedding_init=uniform",
    ),
    (
        "attention=dot,direction=bidirectional",
        False,
        "attention=general compares",
        "attention=general,direction=bidirectional",
    ),
    (
        "attention=scaled-dot,direction=bidirectional",
        False,
        "attention=scaled-dot: bidirectional",
        "attention=scaled-dot,direction=reversed",
    ),
    ("attention_order=before", False, "attention=none", "attention_order=before,attention=dot"),
    ("input_feeding=on", False, "attention=none has no", "input_feeding=on,attention=local-p"),
    ("input_feeding=on,attention=dot", True, "attention=dot: a tagger", "base"),
    ("heads=2", False, "attention=none has no heads", "heads=2,attention=multihead"),
    ("heads=2,attention=dot", False, "attention=dot has no heads", "heads=2,cell=transformer"),
    ("heads=3,attention=multihead", False, "hidden=64 is not", "heads=8,attention=multihead"),
    ("cell=transformer,hidden=50", False, "heads=4: hidden=50", "hidden=50"),
    ("attention_span=5,attention=dot", False, "not local", "attention_span=5,attention=local-m"),
    ("stack=residual", False, "one layer stands on none", "stack=residual,decoder_depth=2"),
    ("stack=residual", True, "one layer stands on none", "stack=residual,depth=2"),
    ("bridge=zero", True, "bridge=zero: a tagger", "initial_state=learned"),
    ("bridge=zero", False, "never reach the decoder", "bridge=zero,attention=additive"),
    (
        "bridge=zero,decoder_input=state",
        False,
        "never reach the decoder",
        "bridge=zero,decoder_input=context",
    ),
    (
        "bridge=linear-tanh,direction=bidirectional",
        False,
        "bridge=copy is that already",
        "bridge=linear-tanh,direction=reversed",
    ),
    ("output_weights=tied,hidden=65", False, "hidden=65 differ", "output_weights=tied"),
    ("output_weights=tied", True, "output_weights=tied: a tagger", "base"),
    ("recurrent_dropout=0.1,cell=mingru", False, "no recurrent weights", "recurrent_dropout=0.1"),
    ("weight_init=orthogonal,cell=minlstm", False, "no recurrent weights", "weight_init=xavier"),
    ("weight_init=orthogonal,cell=transformer", False, "no recurrent", "weight_init=orthogonal"),
    ("forget_bias=1", False, "cell=gru has no forget gate", "forget_bias=1,cell=slstm"),
    ("forget_bias=1,cell=mingru", False, "cell=mingru has no", "forget_bias=1,cell=minlstm"),
    (
        "learning_rate_steps=9,learning_rate_schedule=inverse-sqrt",
        False,
        "never arrives at 0",
        "learning_rate_steps=9,learning_rate_schedule=cosine",
    ),
    (
        "warmup=9,learning_rate_schedule=cosine,learning_rate_steps=9",
        False,
        "fewer steps of warm-up",
        "warmup=8,learning_rate_schedule=cosine,learning_rate_steps=9",
    ),
    ("vectors=glove", False, "embedding_init=uniform reads none", "base"),
    ("embedding_init=vectors", False, "say which", "embedding_init=vectors,vectors=glove"),
    ("cell=transformer,attention=dot", False, "attention=dot: cell=transformer", "attention=dot"),
    ("cell=transformer,direction=reversed", False, "cell=transformer", "cell=transformer,depth=2"),
    ("cell=transformer,direction=reversed", True, "cell=transformer", "cell=transformer,window=5"),
    ("cell=transformer,bridge=zero", False, "does not read it", "cell=transformer,forcing=never"),
    ("embedding=8,embedding_init=one-hot", False, "as many inputs", "embedding_init=one-hot"),
    (
        "embedding_trained=frozen,embedding_init=one-hot",
        False,
        "never learns",
        "embedding_trained=frozen,embedding_init=normal",
    ),
    (
        "output_weights=tied,embedding_init=one-hot",
        False,
        "no table to tie",
        "embedding_init=one-hot",
    ),
    ("cell=attn-decoder-rnn,attention=dot", False, "does not read", "cell=attn-decoder-rnn"),
    ("cell=attn-decoder-rnn", True, "not built for tagging", "base"),
    ("cell=transformer,recurrent_dropout=0.1", False, "not read", "cell=transformer,dropout=0.1"),
]


@pytest.mark.parametrize(("text", "tagging", "reason", "neighbour"), RULES)
def test_inapplicable(text: str, tagging: bool, reason: str, neighbour: str) -> None:
    found = inapplicable(parse(text), tagging)
    assert found is not None
    assert reason in found
    assert inapplicable(parse(neighbour), tagging) is None


def test_window_applies_to_a_tagger() -> None:
    assert inapplicable(parse("window=5"), tagging=True) is None
    assert inapplicable(parse("attention=dot"), tagging=False) is None


def test_every_need_has_a_rule_here() -> None:
    fired = {text.split(",")[0].split("=")[0] for text, *_ in RULES}
    assert {need.axis for need in NEEDS} <= fired


def test_names_are_checked() -> None:
    assert parse("vectors=glove.6B").vectors == "glove.6B"
    for odd in ("../x", "a b", "-x", "a/b", "x" * 65):
        with pytest.raises(ValueError, match=r"vectors=.*is not a name"):
            parse(f"vectors={odd}")
