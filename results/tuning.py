"""Chooses values by tuning runs: the best score on validation, per variant, task and setting.

Tuning runs have seeds from TUNING_SEED on, and their specs name the axes that they help to choose.
A choice is a function of stored tuning runs alone, so whoever reads a store finds the one that was
made when its runs were planned. Runs that are reported have other seeds.
"""

from __future__ import annotations

import itertools
import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from results import metrics
from results.naming import text
from results.record import Record, TunedAxes, deciding_metric
from results.seeds import TUNING_SEED

APART = ("seed", "variant", "tuning", "execution", "decoding", "budget")
"""Keys of a spec in which tuning runs may differ from the runs that they choose for."""
EVALUATION = ("every", "stop")
"""Keys of a budget that say when a run is evaluated, and ends because of what was seen."""
FAILED = ("diverged", "failed")
"""Statuses that count as the worst score."""
EQUAL = 1e-9
"""Difference of mean scores that is rounding."""


@dataclass(frozen=True)
class Candidate:
    """Holds what was tried: the value of each tuned axis, and its score on validation.

    Attributes:
        mean: over tuning seeds; a failure counts as the worst score.
        spread: standard deviation over tuning seeds; None for one seed.
        failed: number of runs that diverged or failed.
        loss: mean loss on validation, which decides between equal scores; infinite if a run failed
            or has none.
    """

    values: Mapping[str, Any]
    mean: float
    spread: float | None
    failed: int
    loss: float = math.inf


@dataclass(frozen=True)
class TunedChoice:
    """Holds what tuning chose for one variant on one task.

    Attributes:
        example: a tuning run of the candidate that was chosen.
        metric: key of the score on validation that decided.
        best: the candidate that was chosen.
        second: the next best; None if there was no other.
        candidates: all, in order of their values.
        edges: axes on whose smallest (False) or largest (True) value the choice lies, if no other
            candidate is as good: a plateau says nothing of what lies beyond.
        seeds: number of tuning runs of each candidate.
        runs, steps, seconds: what all candidates together took.
    """

    example: Record
    metric: str
    best: Candidate
    second: Candidate | None
    candidates: tuple[Candidate, ...]
    edges: Mapping[str, bool]
    seeds: int
    runs: int
    steps: int
    seconds: float

    @property
    def task(self) -> str:
        """Return the label of the task."""
        return self.example.task

    @property
    def variant(self) -> Mapping[str, Any]:
        """Return every axis of the variant, with the values that were chosen."""
        return self.example.variant

    @property
    def values(self) -> Mapping[str, Any]:
        """Return the value of each tuned axis that was chosen."""
        return self.best.values

    @property
    def equal(self) -> bool:
        """Return whether the next best has the same score as the best, so that the loss decided."""
        return self.second is not None and not abs(self.best.mean - self.second.mean) > EQUAL

    @property
    def tied(self) -> bool:
        """Return whether the next best is as good as the best, in score and in loss."""
        return self.second is not None and _tied(self.best, self.second)

    @property
    def flat(self) -> bool:
        """Return whether the next best lies within the spread, so that chance may have chosen."""
        if self.second is None:
            return False
        spread = max(each.spread or 0.0 for each in (self.best, self.second))
        return self.equal or abs(self.best.mean - self.second.mean) <= spread


def tuned_axes(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the axes that a run helps to choose; none for a run that is reported."""
    return tuple(filter(None, str(spec.get("tuning", "")).split(",")))


def is_reported(spec: Mapping[str, Any]) -> bool:
    """Return whether tables, comparisons and pages show a run; False for one that tunes."""
    return int(spec["seed"]) < TUNING_SEED


def question(spec: Mapping[str, Any], axes: Sequence[str]) -> str:
    """Return what is asked where these axes are tuned: all of a spec that no candidate changes."""
    rest = {key: value for key, value in spec.items() if key not in APART}
    # pretrained vectors belong to the variant
    rest["data"] = str(rest.get("data", "")).partition("+")[0]
    rest["budget"] = {k: value for k, value in spec["budget"].items() if k not in EVALUATION}
    rest["variant"] = {key: v for key, v in spec["variant"].items() if key not in axes}
    return json.dumps([sorted(axes), rest], sort_keys=True)


def choices(records: Iterable[Record]) -> dict[str, TunedChoice]:
    """Return what tuning runs choose, by `question`; runs that are reported are not looked at.

    The best mean score on validation is chosen, and of equal scores the lowest mean loss there. Of
    those that are equal in both it is the middle one in the order of their values (of an even
    number the smaller one), which is the safest place of a plateau.
    Candidates that have fewer runs than others are not finished yet, and wait.
    """
    groups: dict[str, list[Record]] = {}
    for record in records:
        if axes := tuned_axes(record.spec):
            groups.setdefault(question(record.spec, axes), []).append(record)
    return {key: _choice(group) for key, group in groups.items()}


def _choice(records: Sequence[Record]) -> TunedChoice:
    """Return what the tuning runs of one question choose."""
    axes, metric = tuned_axes(records[0].spec), deciding_metric(records)
    finished = _finished(records, axes)
    candidates = tuple(
        candidate(dict(zip(axes, values, strict=True)), finished[values], metric)
        for values in sorted(finished, key=_order)
    )
    best = best_of(candidates, metric)
    others = [each for each in candidates if each is not best]
    second = best_of(others, metric) if others else None
    tied = second is not None and _tied(best, second)
    runs_of_best = finished[tuple(best.values[axis] for axis in axes)]
    return TunedChoice(
        example=runs_of_best[0],
        metric=metric,
        best=best,
        second=second,
        candidates=candidates,
        edges={} if tied else _edges(best, candidates),
        seeds=len(runs_of_best),
        runs=len(records),
        steps=sum(map(_steps, records)),
        seconds=sum(map(_seconds, records)),
    )


def _steps(record: Record) -> int:
    return int(record.outcome.get("steps") or 0)


def _seconds(record: Record) -> float:
    return float(record.measured.get("run_seconds") or 0.0)


def _finished(
    records: Iterable[Record], axes: Sequence[str]
) -> dict[tuple[Any, ...], list[Record]]:
    """Return the runs of each candidate that has as many seeds as any, by its values of the axes.

    Of several runs with one seed it is the last.
    """
    by_values: dict[tuple[Any, ...], dict[int, Record]] = {}
    for record in records:
        values = tuple(record.variant[axis] for axis in axes)
        by_values.setdefault(values, {})[record.seed] = record
    seeds = max(map(len, by_values.values()))
    return {values: list(runs.values()) for values, runs in by_values.items() if len(runs) == seeds}


def _order(values: Sequence[Any]) -> tuple[tuple[bool, Any], ...]:
    """Return a sorting key: numbers by size, names by the alphabet."""
    return tuple((isinstance(value, str), value) for value in values)


def candidate(values: Mapping[str, Any], runs: Sequence[Record], metric: str) -> Candidate:
    """Return what a candidate reached: its score on validation over these runs."""
    scores = [_counted(run, metric) for run in runs]
    mean = statistics.fmean(scores)
    spread = statistics.stdev(scores) if len(scores) > 1 and math.isfinite(mean) else None
    losses = [run.outcome.get("valid", {}).get("valid_loss") for run in runs]
    failed = sum(run.status in FAILED for run in runs)
    known = not failed and all(loss is not None for loss in losses)
    loss = statistics.fmean(losses) if known else math.inf
    return Candidate(values, mean, spread, failed, loss)


def valid_score(record: Record) -> float | None:
    """Return a run's deciding score on validation; None if it has none."""
    score = record.outcome.get("valid", {}).get(record.outcome.get("metric"))
    return None if score is None else float(score)


def _counted(record: Record, metric: str) -> float:
    """Return a run's score on validation, or the worst one if it diverged, failed or has none."""
    score = valid_score(record)
    if score is None or record.status in FAILED:
        worst = metrics.worst(metric)
        return math.inf if worst is None else worst
    return score


def best_of(candidates: Sequence[Candidate], metric: str) -> Candidate:
    """Return the best candidate by score, then by loss; the middle one of those equally good."""
    sign = 1.0 if metrics.score(metric).higher else -1.0
    highest = max(sign * each.mean for each in candidates)
    equal = [each for each in candidates if not sign * each.mean < highest - EQUAL]
    lowest = min(equal, key=lambda each: each.loss)
    tied = [each for each in equal if not _lower(lowest, each)]
    return tied[(len(tied) - 1) // 2]


def _tied(best: Candidate, second: Candidate) -> bool:
    """Return whether the next best is as good as the best, in score and in loss."""
    return not abs(best.mean - second.mean) > EQUAL and not _lower(best, second)


def _lower(one: Candidate, other: Candidate) -> bool:
    """Return whether a candidate's loss is lower than another's by more than rounding."""
    return one.loss < other.loss and not math.isclose(one.loss, other.loss, rel_tol=EQUAL)


def _edges(best: Candidate, candidates: Sequence[Candidate]) -> dict[str, bool]:
    """Return the axes of numbers whose smallest (False) or largest (True) value is the best one."""
    found = {}
    for axis, value in best.values.items():
        known = {each.values[axis] for each in candidates}
        named = any(isinstance(each, str) for each in known)
        if len(known) > 1 and not named and value in (min(known), max(known)):
            found[axis] = value == max(known)
    return found


def next_value(values: Sequence[Any], upwards: bool) -> float | None:
    """Return the number with which a grid goes on beyond one of its ends; None if it cannot.

    Equal steps go on by the step (0.1, 0.2, 0.3: 0.4), all others as the last three do: 1, 3, 10
    goes on with 30, and 1, 2, 4 with 8. Two values go on by their ratio.
    """
    known = sorted(set(values), key=lambda value: _order([value]))
    if len(known) < 2 or any(isinstance(value, str) for value in known):
        return None
    end, inner, *further = known[::-1] if upwards else known
    if further and _equal_steps(known):
        step = end - inner
        grown = 0.0 if abs(end + step) < 1e-6 * abs(step) else end + step
    elif min(known) <= 0:
        return None
    else:
        # 1, 3, 10: from the last but one by as much as from the last but two to the last
        grown = inner * end / further[0] if further else end * end / inner
    return _like(grown, known)


def _equal_steps(known: Sequence[float]) -> bool:
    steps = [after - before for before, after in itertools.pairwise(known)]
    return math.isclose(min(steps), max(steps), rel_tol=1e-6)


def _like(grown: float, known: Sequence[float]) -> float | None:
    """Return a number with three digits in the kind of the others; None if it is no new one.

    Whole numbers go on with whole numbers above 0.
    """
    rounded = float(f"{grown:.3g}")
    if rounded in known or rounded < 0:
        return None
    if all(isinstance(value, int) for value in known):
        return int(rounded) if rounded.is_integer() and rounded >= 1 else None
    return rounded


def labelled(record: Record, made: Mapping[str, TunedChoice]) -> Record:
    """Return a run that is reported, with the axes on which it has the values that tuning chose.

    made: of `choices`.
    """
    # of several choices that fit, that of most axes says most
    marks = sorted({tuple(c.values) for c in made.values()}, key=lambda axes: (-len(axes), axes))
    for axes in marks:
        choice = made.get(question(record.spec, axes))
        if choice and all(record.variant.get(axis) == choice.values[axis] for axis in axes):
            tuned = TunedAxes(axes, len(choice.candidates), tuple(choice.edges))
            return replace(record, tuned=tuned)
    return record


def chosen_text(record: Record) -> str:
    """Return which values tuning chose for a run: `learning_rate=0.003 of 3 tried`; or nothing."""
    if record.tuned is None:
        return ""
    values = ",".join(f"{axis}={text(record.variant[axis])}" for axis in record.tuned.axes)
    edge = ", at the edge" * bool(record.tuned.edges)
    return f"{values}{edge} of {record.tuned.candidates} tried"
