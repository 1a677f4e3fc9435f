"""Specs: everything that determines a run, and the id that is a hash of it. Loads no torch."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import asdict, dataclass, fields
from functools import cache, cached_property
from importlib.metadata import version
from typing import Any

NUMERICS = 4
"""Changes when the numbers of a run change; golden losses in a test hold it."""
EXECUTIONS = ("eager", "replicas")
"""Ways to carry out the steps of a run that a user can ask for."""
STOPS = ("budget", "solved", "plateau")
"""Moments at which training can end: at the end of the budget, or already at the task's target, or
when the run has flattened."""
BATCHING = ("length", "random")
"""Kinds of batches: of like source lengths, or of any."""
RERUNS = ("all", "failed")
"""Finished runs that may be done again: every one, or those that failed."""
LARGEST_BUDGET = 10**15
"""Largest number of steps, tokens or seconds: finite, and exact as a float."""
LARGEST_BATCH = 1_000_000
"""Largest number of examples for each step."""


@dataclass(frozen=True)
class Budget:
    """The length of a run's training, and the size of its batches.

    Exactly one of steps, tokens (non-padding target tokens) and seconds (of training, evaluation
    excluded) is set. batch: examples for each step. every: steps between evaluations, 0 for a
    twentieth of the steps, or 100. stop: at the budget's end, so that runs are compared at equal
    work, or already at the task's target on validation (`solved`), or when the run has flattened
    (`plateau`, see `results.stats.flattening`). batching: how an epoch's batches are made: of like
    source lengths (`length`), which pads little, or at random (`random`), which on some tasks needs
    far fewer steps (docs/speed.md). ValueError for anything else.
    """

    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    batch: int = 32
    every: int = 0
    stop: str = "budget"
    batching: str = "length"

    def __post_init__(self) -> None:
        limits = [name for name in ("steps", "tokens", "seconds") if getattr(self, name)]
        if len(limits) != 1 or not 0 < getattr(self, limits[0]) <= LARGEST_BUDGET:
            raise ValueError(
                f"a budget of steps={self.steps}, tokens={self.tokens}, seconds={self.seconds:g} "
                "does not say how long to train; give one of the three, above 0, at most 1e15"
            )
        if not 1 <= self.batch <= LARGEST_BATCH or self.every < 0:
            raise ValueError(
                f"batch={self.batch} and every={self.every} must be from 1 to {LARGEST_BATCH} and "
                "at least 0; change them"
            )
        if self.stop not in STOPS:
            raise ValueError(f"stop={self.stop!r} is not one of {', '.join(STOPS)}; give one")
        if self.batching not in BATCHING:
            allowed = ", ".join(BATCHING)
            raise ValueError(f"batching={self.batching!r} is not one of {allowed}; give one")

    @property
    def interval(self) -> int:
        """Number of steps between evaluations."""
        return self.every or (max(self.steps // 20, 1) if self.steps else 100)

    def plain(self) -> dict[str, Any]:
        """Return the budget as plain values; batches of like lengths are not written down."""
        values = asdict(self)
        if self.batching == BATCHING[0]:
            del values["batching"]  # ids are older than the choice
        return values

    def text(self) -> str:
        """Return the budget in words, `500 steps` for example."""
        if self.steps:
            return f"{self.steps} steps"
        return f"{self.tokens} tokens" if self.tokens else f"{self.seconds:g} s"


@dataclass(frozen=True)
class Epochs:
    """A budget in passes over the training split; it becomes steps when the task is known.

    The other fields are those of Budget. ValueError for fewer than one pass.
    """

    epochs: int
    batch: int = 32
    every: int = 0
    stop: str = "budget"
    batching: str = "length"

    def __post_init__(self) -> None:
        if not 1 <= self.epochs <= LARGEST_BUDGET:
            raise ValueError(f"epochs={self.epochs} is not from 1 to 1e15; give how many passes")
        self.over(1)  # raises where the other fields are wrong

    def over(self, examples: int) -> Budget:
        """Return the budget in steps for so many training examples, the last batch included."""
        steps = self.epochs * -(-examples // max(self.batch, 1))
        return Budget(
            steps=steps,
            batch=self.batch,
            every=self.every,
            stop=self.stop,
            batching=self.batching,
        )

    def text(self) -> str:
        """Return the budget in words, `3 epochs` for example."""
        return f"{self.epochs} epoch{'s' * (self.epochs != 1)}"


def make_budget(epochs: int = 0, **limits: Any) -> Budget | Epochs:
    """Return a budget in epochs if any are given, else one of the limits of Budget."""
    if not epochs:
        return Budget(**limits)
    others = [name for name in ("steps", "tokens", "seconds") if limits.pop(name, 0)]
    if others:
        raise ValueError(f"a budget has epochs={epochs} and {others[0]} too; give one of them")
    return Epochs(epochs, **limits)


@dataclass(frozen=True)
class RunSpec:
    """One task x variant x seed, with everything that determines its outcome.

    A budget in seconds is the exception: what it buys depends on the load of the machine, so two
    such runs need not be equal.

    task: canonical label. data: the task's digest. variant: every axis and its value. device:
    cpu or cuda. torch: its version. execution: how steps are carried out, one of EXECUTIONS or
    the mode of an engine that has one of its own. decoding: how outputs of the test split are
    made; while training, they are made greedily. fault: name of a planted fault. plugin: digest of
    a plugin's source. numerics: NUMERICS. host: the machine, where the budget is in seconds, else
    empty. tuning: the axes that the run helps to choose, separated by commas; empty for a run that
    is reported, whose spec is written without it.
    """

    task: str
    data: str
    variant: dict[str, Any]
    budget: Budget
    seed: int
    device: str
    torch: str
    execution: str = "eager"
    decoding: str = "greedy"
    fault: str = ""
    plugin: str = ""
    numerics: int = NUMERICS
    host: str = ""
    tuning: str = ""

    def plain(self) -> dict[str, Any]:
        """Return the spec as plain values, as JSON has them."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if not self.tuning:
            del values["tuning"]  # ids are older than tuning
        return {**values, "variant": dict(self.variant), "budget": self.budget.plain()}

    @cached_property
    def id(self) -> str:
        """The run's id: 16 hexadecimal digits."""
        text = json.dumps(self.plain(), sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @cached_property
    def course(self) -> str:
        """A digest of all that determines the training steps and evaluations, but not their number.

        Of two runs of one course, the longer one goes through the state in which the shorter one
        ended, if that was at a multiple of the interval.
        """
        plain = self.plain()
        budget: dict[str, Any] = {
            "batch": self.budget.batch,
            "interval": self.budget.interval,
        }
        if self.budget.batching != BATCHING[0]:
            budget["batching"] = self.budget.batching
        text = json.dumps({**plain, "budget": budget, "decoding": ""}, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @classmethod
    def read(cls, plain: dict[str, Any]) -> RunSpec:
        """Return the spec of what `plain` returned; ValueError for unknown or missing keys."""
        names = {field.name for field in fields(cls)}
        wrong = sorted((set(plain) | {"tuning"}) ^ names)
        if wrong:
            raise ValueError(f"a run's settings do not have these keys right: {', '.join(wrong)}")
        try:
            return cls(**{**plain, "budget": Budget(**plain["budget"])})
        except TypeError as error:
            raise ValueError(f"a run's budget is of another bench: {error}") from error


def make(
    task: str,
    data: str,
    variant: dict[str, Any],
    budget: Budget,
    seed: int,
    device: str,
    decoding: str = "greedy",
    plugin: str = "",
    execution: str = "eager",
    fault: str = "",
    tuning: str = "",
) -> RunSpec:
    """Return a spec for the torch, the suite and, if its budget is in seconds, the host here."""
    return RunSpec(
        task=task,
        data=data,
        variant=variant,
        budget=budget,
        seed=seed,
        device=device,
        torch=_torch_version(),
        execution=execution,
        decoding=decoding,
        fault=fault,
        plugin=plugin,
        host=platform.node() if budget.seconds else "",
        tuning=tuning,
    )


@cache
def _torch_version() -> str:
    """Return torch's version without loading it, once, as thousands of specs ask for it."""
    return version("torch")
