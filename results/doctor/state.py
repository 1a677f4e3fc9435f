"""Says what state a run ended in: solved, still learning, stuck, and where.

It is read from the curve alone, so that it can be said of every run, examined or not. How fast the
loss falls is the median of the slopes between all pairs of evaluations in the second half of the
curve, with its 95 % interval (Theil 1950, Sen 1968); the loss is taken to fall by one share every
step, as an exponential does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, Literal, NamedTuple

from results import commands, metrics
from results.doctor.examined import LEARNED, examined_run
from results.grouping import test_score
from results.record import Record

StateKind = Literal[
    "solved",
    "solved late",
    "still learning",
    "learns only its examples",
    "stuck at guessing",
    "stuck above guessing",
    "worse than guessing",
    "diverged",
    "failed",
    "unclear",
]
LATE = 0.75
"""Share of the budget after which a target is reached late."""
FEWEST_POINTS = 4
"""Evaluations in the second half of a curve that a slope takes."""
SLOW_FALL = 0.02
"""Share by which the loss must fall in the second half of the curve to count as falling."""
SOLVED_LOSS = 0.05
"""Loss at which a task is taken to be solved if no run of the store has solved it, in nats."""
LONGEST = 50
"""Times its budget up to which a run is advised to go on."""
HARDLY_MOVED = 0.9
"""Share of the first loss above which a run that was not examined is taken to guess."""
WORSE = 1.05
"""Times the loss of guessing evenly above which a run is worse than that."""


class StepsToGo(NamedTuple):
    """Further steps that a run would take, with the bounds of their 95 % interval.

    most is None where the loss might as well not reach the level at all.
    """

    least: int
    about: int
    most: int | None


class RunState(NamedTuple):
    """Says what came of a run.

    kind: in two or three words. says: in sentences. steps: how many more it would take, where it
    still learns. command: trains it for longer; empty where that would not help.
    """

    kind: StateKind
    says: str
    steps: StepsToGo | None = None
    command: str = ""


class Slope(NamedTuple):
    """Change of a quantity with each step, with the bounds of its 95 % interval."""

    least: float
    about: float
    most: float


def state_of(record: Record, suite: Mapping[str, Any], others: Sequence[Record] = ()) -> RunState:
    """Return what state a run ended in.

    Args:
        record: the run, with its curve.
        suite: the suite's base variant, for the command.
        others: runs of the store; those that solved the task say at which loss that is.
    """
    outcome = record.outcome
    if record.status == "failed":
        return RunState("failed", f"an error ended it: {outcome.get('error', 'unknown')}")
    if record.status == "diverged":
        last = outcome.get("curve", [{}])[-1].get("step", "unknown")
        return RunState("diverged", f"the loss exploded or is not finite, at step {last}")
    if outcome.get("to_target"):
        return _solved(record)
    return _unsolved(record, suite, others)


def _solved(record: Record) -> RunState:
    reached, budget = record.outcome["to_target"]["steps"], record.spec["budget"]["steps"]
    if budget and reached > LATE * budget:
        return RunState("solved late", f"the target was reached at step {reached} of {budget}")
    return RunState("solved", f"the target was reached at step {reached}")


def _unsolved(record: Record, suite: Mapping[str, Any], others: Sequence[Record]) -> RunState:
    losses = _second_half(record, "valid_loss")
    if len(losses) < FEWEST_POINTS:
        return RunState(
            "unclear",
            f"{_scored(record)}; too few evaluations to say whether it still learned: "
            f"{len(record.outcome.get('curve', []))}, where {2 * FEWEST_POINTS} would do",
        )
    fall = _slope([(step, math.log(max(loss, 1e-12))) for step, loss in losses])
    span = losses[-1][0] - losses[0][0]
    if fall.most < 0 and fall.about * span < math.log(1 - SLOW_FALL):
        return _still_learning(record, losses, fall, suite, others)
    return _stuck(record, losses)


def _second_half(record: Record, key: str) -> list[tuple[int, float]]:
    """Return the steps and finite values of the second half of the curve."""
    curve = record.outcome.get("curve", [])
    points = [(point["step"], point[key]) for point in curve if point.get(key) is not None]
    return points[len(points) // 2 :]


def _slope(points: Sequence[tuple[int, float]]) -> Slope:
    from scipy.stats import theilslopes  # imported here, so that tables are printed quickly

    steps, values = zip(*points, strict=True)
    found = theilslopes(values, steps, 0.95)
    return Slope(float(found.low_slope), float(found.slope), float(found.high_slope))


def _still_learning(
    record: Record,
    losses: Sequence[tuple[int, float]],
    fall: Slope,
    suite: Mapping[str, Any],
    others: Sequence[Record],
) -> RunState:
    step, loss = losses[-1]
    level, source = _solved_level(record, others)
    least, about, most = (_share(slope) for slope in (fall.most, fall.about, fall.least))
    says = (
        f"{_scored(record)}; its validation loss, {loss:.3g}, still falls by {about} per 100 steps "
        f"({least} to {most})"
    )
    if loss <= level:
        says += f"; it is where {source}, so what is missing is not in the loss"
        return RunState("still learning", says)
    further = [_steps_to(level, loss, slope) for slope in (fall.least, fall.about, fall.most)]
    steps = StepsToGo(int(further[0]), int(further[1]), _whole(further[2], step))
    least, about, most = map(_about, steps)
    says += (
        f". At that rate it takes about {about} more steps ({least} to {most}) to a loss of "
        f"{level:.2g}, where {source}"
    )
    total = _rounded_up(step + (steps.most or 2 * steps.about))
    if total > LONGEST * step:
        return RunState("still learning", f"{says}: too slow to wait for", steps)
    return RunState("still learning", says, steps, commands.longer(record, suite, total))


def _about(steps: int | None) -> str:
    """Return a number of steps with two digits."""
    return "no bound" if steps is None else f"{int(float(f'{steps:.2g}')):,}"


def _share(slope: float) -> str:
    """Return by which share a loss falls in 100 steps."""
    return f"{100 * (1 - math.exp(100 * slope)):.2g} %"


def _steps_to(level: float, loss: float, slope: float) -> float:
    return math.log(level / loss) / slope if slope < 0 else math.inf


def _whole(steps: float, taken: int) -> int | None:
    return int(steps) if steps <= 10 * LONGEST * taken else None


def _rounded_up(steps: int) -> int:
    """Return a number of steps with two digits that is not smaller."""
    size = int(10 ** max(len(str(steps)) - 2, 0))
    return -(-steps // size) * size


def _solved_level(record: Record, others: Sequence[Record]) -> tuple[float, str]:
    """Return the validation loss at which the task counts as solved, and who says so."""
    losses = [
        float(loss)
        for other in others
        if other.task == record.task and other.status == "solved"
        if (loss := other.outcome.get("valid", {}).get("valid_loss")) is not None and loss > 0
    ]
    if not losses:
        return SOLVED_LOSS, "most tasks are solved (none of these runs solved this one)"
    return median(losses), f"the runs that solved it were ({len(losses)} in this store)"


def _stuck(record: Record, losses: Sequence[tuple[int, float]]) -> RunState:
    """Return at which level a run is stuck whose validation loss does not fall any more."""
    loss, training = losses[-1][1], _second_half(record, "loss")
    since = f"its validation loss has not clearly fallen since step {losses[0][0]}"
    falls = len(training) >= FEWEST_POINTS and _falls(training)
    run = examined_run(record)
    even = run.health.loss.even if run else None
    if falls:
        says = (
            f"{_scored(record)}; {since} ({loss:.3g}), while its training loss still falls (to "
            f"{training[-1][1]:.3g}): more steps teach it its examples, not the task"
        )
        return RunState("learns only its examples", says)
    if even is None:
        return _stuck_at(record, since, loss)
    if loss > WORSE * even:
        says = f"{since}: it is {loss:.3g}, where uniform guessing gives {even:.3g}"
        return RunState("worse than guessing", f"{_scored(record)}; {says}")
    if loss > LEARNED * even:
        says = f"{since} ({loss:.3g}; uniform guessing gives {even:.3g})"
        return RunState("stuck at guessing", f"{_scored(record)}; {says}")
    says = f"{since}: it stays at {loss:.3g}, where uniform guessing gives {even:.3g}"
    return RunState("stuck above guessing", f"{_scored(record)}; {says}")


def _stuck_at(record: Record, since: str, loss: float) -> RunState:
    """Return the level of a run of which it is not known what uniform guessing gives."""
    first = record.outcome["curve"][0].get("loss")
    if first and loss > HARDLY_MOVED * first:
        return RunState("stuck at guessing", f"{_scored(record)}; {since} ({loss:.3g})")
    says = f"{_scored(record)}; {since}: it stays at {loss:.3g}"
    return RunState("stuck above guessing", says)


def _falls(points: Sequence[tuple[int, float]]) -> bool:
    fall = _slope([(step, math.log(max(loss, 1e-12))) for step, loss in points])
    return fall.most < 0 and fall.about * (points[-1][0] - points[0][0]) < math.log(1 - SLOW_FALL)


def _scored(record: Record) -> str:
    """Return the test score beside the target."""
    score, metric = test_score(record.outcome), metrics.score(str(record.outcome["metric"]))
    known = "no score" if score is None else f"{metric.title} {metric.write(score)}"
    return f"{known}, target {metric.write(float(record.outcome['solved_at']))}"
