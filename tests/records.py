"""Finished runs made by hand, for tests of what is done with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from results.record import Record

BASE = {"cell": "gru", "attention": "none", "hidden": 64, "encoder_depth": 1, "decoder_depth": 1}
SUITE = dict(BASE)


def spec(seed: int = 0, task: str = "opposites", **changes: Any) -> dict[str, Any]:
    """A spec. changes: keys of the spec or of its budget, or else axes of the variant."""
    plain: dict[str, Any] = {
        "task": task,
        "data": "d" * 32,
        "variant": dict(BASE),
        "budget": {
            "steps": 100,
            "tokens": 0,
            "seconds": 0.0,
            "batch": 32,
            "every": 0,
            "stop": "budget",
        },
        "seed": seed,
        "device": "cpu",
        "torch": "2.13.0",
        "execution": "eager",
        "decoding": "greedy",
        "fault": "",
        "plugin": "",
        "numerics": 1,
        "host": "",
    }
    if "tuning" in changes:  # of runs that are reported, a spec does not have it
        plain["tuning"] = changes.pop("tuning")
    for key, value in changes.items():
        place = next((p for p in (plain, plain["budget"]) if key in p), plain["variant"])
        place[key] = value
    return plain


def record(
    seed: int = 0,
    score: float | None = 0.5,
    tokens_to: int | None = None,
    *,
    status: str = "",
    run: str = "",
    metric: str = "exact_match",
    signature: str | None = None,
    task: str = "opposites",
    spent: int = 4000,
    **changes: Any,
) -> Record:
    """A finished run. tokens_to: tokens to the target, None if it was never reached; score None:
    it diverged before it had any."""
    settings = spec(seed, task, **changes)
    reached = None if tokens_to is None else {"steps": tokens_to // 40, "tokens": tokens_to}
    curve = [
        {"step": step, "tokens": step * 40, "loss": 1 / step, "valid_loss": 2 / step, metric: 0.1}
        for step in (10, 20, 30)
    ]
    outcome = {
        "status": status or ("diverged" if score is None else "solved" if reached else "finished"),
        "metric": metric,
        "solved_at": 1.0,
        "memorisation": False,
        "signatures": {} if signature is None else {metric: signature},
        "steps": 100,
        "tokens": spent,
        "to_target": reached,
        "best_step": 30,
        "valid": {metric: score},
        "scores": {} if score is None else {"test": {metric: score, "forced_accuracy": 0.25}},
        "parameters": 12345,
        "curve": curve,
        "samples": [{"source": "人", "reference": "ab", "output": "ac", "ended": True}],
    }
    measured = {
        "train_seconds": 1.0,
        "tokens_per_second": 4000.0 + seed,
        "seconds_to_target": None if tokens_to is None else tokens_to / 1000,
        "run_seconds": 2.0,
        "peak_bytes": 2**28,
        "host": "here",
        "beside": 0,
        "machine": {"processor": "P", "threads": 1, "cores": 2, "torch": "2.13.0"},
        "clock": [{"train_seconds": 0.1, "evaluate_seconds": 0.1}] * 3,
    }
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"))  # as RunSpec.id does
    identity = run or hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    return Record(identity, settings, outcome, measured)


def with_curve(of: Record, scores: Sequence[float], every: int = 10) -> Record:
    """The run with this curve of its score on valid, 40 tokens and 0.1 s a step; the loss stays."""
    metric, steps = of.outcome["metric"], [every * place for place in range(1, len(scores) + 1)]
    curve = [
        {"step": step, "tokens": 40 * step, "loss": 1.0, "valid_loss": 1.0, metric: score}
        for step, score in zip(steps, scores, strict=True)
    ]
    clock = [{"train_seconds": 0.1 * step, "evaluate_seconds": 0.1} for step in steps]
    outcome = {**of.outcome, "curve": curve, "steps": steps[-1], "tokens": 40 * steps[-1]}
    return Record(of.id, of.spec, outcome, {**of.measured, "clock": clock})


def failed(seed: int = 0, run: str = "", **changes: Any) -> Record:
    """A run that an exception ended before it began."""
    whole = record(seed, run=run, **changes)
    outcome = {"status": "failed", "error": "ValueError: no", "traceback": "Traceback ..."}
    return Record(whole.id, whole.spec, outcome, {"beside": 0})
