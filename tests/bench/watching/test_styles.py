"""Watches scripts as people write them who come from elsewhere: sound, and with one slip each.

Ports from Keras with one-hot data, functions of parameters as in JAX, loops without optimizer or
classes, a Learner, an optimizer class of its own, fit() and predict(). The scripts lie in `styles`;
each learns its task when it is given more steps than here (its first argument).
"""

from __future__ import annotations

import io
import runpy
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from bench.watching.watch import Watch

STYLES = Path(__file__).parent / "styles"
SCRIPTS = sorted(path.stem for path in STYLES.glob("*.py"))
Replaced = list[tuple[str, str]]
UPDATE = "params = tree_map(partial(sgd, 0.5), params, grads)"
UPDATE_OF_DECODER = """
    for part in ('decoder', 'head'):
        params = {**params, part: tree_map(partial(sgd, 0.5), params[part], grads[part])}
"""


def watched(
    folder: Path, style: str, replaced: Replaced, monkeypatch: pytest.MonkeyPatch, *steps: int
) -> Watch:
    """Watch a script with some texts replaced by others, and return the watch."""
    text = (STYLES / f"{style}.py").read_text("utf-8")
    for old, new in replaced:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / "train.py"
    path.write_text(text, "utf-8")
    monkeypatch.setattr(sys, "argv", [str(path), *map(str, steps)])
    with redirect_stdout(io.StringIO()), Watch() as doctor:
        runpy.run_path(str(path), run_name="__main__")
    return doctor


@pytest.mark.parametrize("style", SCRIPTS)
def test_sound_scripts_are_read_whole_and_clean(
    style: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor = watched(tmp_path, style, [], monkeypatch)
    assert ([finding.cause for finding in doctor.findings], doctor.watched.unseen) == ([], ())
    assert doctor.steps > 0
    seen = doctor.watched
    assert seen.losses is not None
    assert seen.evaluations is not None
    assert seen.evaluations.forced is None
    # one has no decoder that is fed anything
    assert style == "roman" or (seen.feeding is not None and seen.feeding.fed)
    assert style == "roman" or seen.evaluations.free


@pytest.mark.parametrize(
    ("style", "replaced", "cause"),
    [
        (
            "keras_port",
            [("[target_texts[r] for r in rows]", "[target_texts[r][1:] for r in rows]")],
            "unshifted-targets",
        ),
        (
            "keras_port",
            [
                (
                    "torch.softmax(self.dense(outputs), dim=-1)",
                    "torch.softmax(self.dense(outputs), 1)",
                )
            ],
            "softmax-over-time",
        ),
        ("functional", [("return p - lr * g", "return p + lr * g")], "loss-maximised"),
        (
            "functional",
            [("log_softmax(logits, dim=-1)", "log_softmax(logits, dim=1)")],
            "softmax-over-time",
        ),
        (
            "functional",
            [(UPDATE, UPDATE_OF_DECODER)],
            "encoder-left-out",
        ),
        ("by_hand", [("            p.grad.zero_()\n", "")], "uncleared-gradients"),
        (
            "by_hand",
            [("list(enc.parameters()) + list(dec.parameters())", "list(dec.parameters())")],
            "encoder-left-out",
        ),
        ("no_classes", [("        y = onehot(answers[:, t], nout)\n", "")], "always-start"),
        (
            "no_classes",
            [
                (
                    "        scores, h = step(y, h)\n        loss",
                    "        scores, _ = step(y, h)\n        loss",
                )
            ],
            "state-not-advanced",
        ),
        ("learner", [("self.model.eval()", "self.model.train()")], "dropout-in-evaluation"),
        ("own_optimizer", [("optim.zero_grad()\n        loss", "loss")], "uncleared-gradients"),
        (
            "own_optimizer",
            [("MyAdam(model.parameters()", "MyAdam(model.decoder.parameters()")],
            "encoder-left-out",
        ),
        (
            "roman",
            [("torch.log(y_pred + 1e-9).permute", "y_pred.permute")],
            "logits-as-log-probabilities",
        ),
        (
            "roman",
            [("torch.softmax(self.dense(out), dim=-1)", "torch.softmax(self.dense(out), dim=1)")],
            "softmax-over-time",
        ),
        ("dates", [("y = Yoh[:, t]\n", "y = Yoh[:, min(t + 1, Ty - 1)]\n")], "unshifted-targets"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_slip_is_named_first(
    style: str,
    replaced: Replaced,
    cause: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    doctor = watched(tmp_path, style, replaced, monkeypatch)
    assert [finding.cause for finding in doctor.findings][:1] == [cause]
