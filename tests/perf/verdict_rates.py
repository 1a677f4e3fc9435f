"""Measures how often verdicts are wrong, by simulated tables whose truth is known.

`python -m tests.perf.verdict_rates` prints the tables of docs/verdicts.md; names of parts after it
print those alone. Runs are drawn, paired and judged by the code that `bench compare` uses.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from results.compare.along import leaders
from results.compare.judging import verdict_at, weigh
from results.compare.measures import measure
from results.compare.pairs import Pairs
from results.compare.stretches import turns
from results.stats import families, inference, verdicts
from results.stats.along import Band, paired_band, unpaired_band
from results.stats.failures import highest_rate
from results.stats.families import Sample
from results.stats.inference import ALPHA, Mask, Values
from results.stats.sequential import looks
from results.stats.verdicts import Verdict

Draw = Callable[..., Values]
Correct = Callable[[Sequence[Sample]], list[float]]
SCORE, TOKENS = measure("exact_match"), measure("tokens_to_target")
WORDS = ("better", "worse")
SPREAD = 0.05
"""Standard deviation of the scores of a side that does not fail."""


class Sizes(NamedTuple):
    """Says how many tables are simulated: of two variants or an axis, and of whole pages."""

    tables: int = 2000
    pages: int = 200


# what is drawn


def normal(random: np.random.Generator, *size: int) -> Values:
    """Scores around one half."""
    return random.normal(0.5, SPREAD, size)


def bounded(random: np.random.Generator, *size: int) -> Values:
    """Scores near 1, skewed."""
    return random.beta(8, 2, size)


def heavy(random: np.random.Generator, *size: int) -> Values:
    """Scores with outliers on either side."""
    return 0.5 + 0.03 * random.standard_t(5, size)


def failing(rate: float, level: float = 0.95) -> Draw:
    """Scores of which a share fails."""

    def draw(random: np.random.Generator, *size: int) -> Values:
        learned = random.normal(level, 0.02, size)
        return np.where(random.random(size) < rate, random.normal(0.2, 0.05, size), learned)

    return draw


SHAPES: dict[str, Draw] = {
    "normal": normal,
    "skewed, near 1": bounded,
    "heavy tails": heavy,
    "10 % fail": failing(0.1),
    "30 % fail": failing(0.3),
}


def pairs_of(a: Values, b: Values, never: Mask | None = None) -> Pairs:
    """Return the pairs of two sides with one context; never: (N, 2), where a cost was cut off."""
    values = np.stack([a, b], axis=1)[:, None]
    known = SCORE if never is None else TOKENS
    cut_off = np.zeros(values.shape, dtype=bool) if never is None else never[:, None]
    return Pairs(known, tuple(range(len(a))), values, cut_off, 0, 0, None, "")


def words_of(family: Sequence[Pairs], correct: Correct = families.family_wise) -> list[Verdict]:
    """Return the verdicts on a family, without the seeds that would decide."""
    weighed = [weigh(pairs) for pairs in family]
    p_values = iter(correct([sample for one in weighed for sample in one.evidence.tested]))
    return [
        verdicts.word(
            one.evidence,
            one.interval,
            [next(p_values) for _ in one.evidence.tested],
            pairs.measure.margin,
        )
        for one, pairs in zip(weighed, family, strict=True)
    ]


def wrong(found: Sequence[Verdict]) -> bool:
    """Return whether any of these is better or worse, where nothing differs."""
    return any(one.word in WORDS for one in found)


def percent(share: float) -> str:
    """Write a share in percent with one decimal."""
    return f"{100 * share:.1f}"


# families


def axis_table(sizes: Sizes) -> Iterator[list[str]]:
    """Tables of an axis: how many hold a false word, of values that do not differ from the base."""
    yield ["values that share one base", *(f"{count} seeds" for count in (6, 8, 10, 20))]
    for values, differ in ((1, 0), (3, 0), (9, 0), (9, 4)):
        title = f"{values}, of which {differ} differ" if differ else str(values)
        for name in SHAPES:
            shares = [
                _axis_share(name, values, count, sizes.tables, differ) for count in (6, 8, 10)
            ]
            shares.append(_axis_share(name, values, 20, sizes.pages, differ))
            yield [f"{title}, {name}", *map(percent, shares)]


def _axis_share(name: str, values: int, count: int, tables: int, differ: int = 0) -> float:
    """Return the share of tables with a false word; the first values score half as much."""
    # draws of their own for each shape, so that a chance deviation stays with one
    random = np.random.default_rng([values, count, differ, list(SHAPES).index(name)])
    false = 0
    for _ in range(tables):
        base, *others = SHAPES[name](random, values + 1, count)
        others = [other / 2 if place < differ else other for place, other in enumerate(others)]
        family = [pairs_of(other, base) for other in others]
        false += wrong(words_of(family)[differ:])
    return false / tables


def page_table(sizes: Sizes) -> Iterator[list[str]]:
    """Pages of 6 tasks with 40 values each against one base per task, 10 seeds."""
    yield [
        "values that differ",
        "pages with a false word",
        "false among the words",
        "the worst page in 20",
        "true ones found",
        "tasks with a false word by Holm within axes of two",
    ]
    for name, draw in SHAPES.items():
        for share in (0.0, 0.1, 0.5):
            yield [f"{share:.0%}, {name}", *_page_rates(draw, share, sizes.pages)]


def _page_rates(draw: Draw, share: float, pages: int) -> list[str]:
    tasks, values = 6, 40
    random = np.random.default_rng([int(10 * share), tasks])
    differ = np.arange(values) < share * values
    rates, found, before = [], [], []
    for _ in range(pages):
        family = []
        for _task in range(tasks):
            base, *others = draw(random, values + 1, 10)
            # of the runs that do not fail
            spread = 1.48 * float(np.median(np.abs(others - np.median(others))))
            family += [
                # two standard deviations of a difference
                pairs_of(other - 2 * 2**0.5 * spread * moved, base)
                for other, moved in zip(others, differ, strict=True)
            ]
        said = [one.word in WORDS for one in words_of(family, families.page_wise)]
        words = np.array(said).reshape(tasks, values)
        before += _false_by_axis(family, differ)
        rates.append(words[:, ~differ].sum() / max(1, words.sum()))
        found.append(words[:, differ].mean() if differ.any() else math.nan)
    return [
        percent(float(np.mean(np.array(rates) > 0))),
        percent(float(np.mean(rates))),
        percent(float(np.quantile(rates, 0.95))),
        "" if not differ.any() else percent(float(np.mean(found))),
        percent(float(np.mean(before))),
    ]


def _false_by_axis(family: Sequence[Pairs], differ: Mask, axis: int = 2) -> list[bool]:
    """Return which tasks hold a false word where each axis of so many values is on its own.

    That was the rule before: sign-flip tests of the mean, corrected by Holm 1979 within an axis.
    """
    raw = np.array([inference.sign_flip(pairs.differences) for pairs in family])
    ordered = np.sort(raw.reshape(-1, len(differ) // axis, axis), axis=2)
    steps = np.arange(axis, 0, -1)
    # the smallest p counts as often as there are tests, the next once less
    rejected = np.logical_and.accumulate(ordered * steps <= ALPHA, axis=2).sum(axis=2)
    ranks = raw.reshape(-1, len(differ) // axis, axis).argsort(axis=2).argsort(axis=2)
    words = (ranks < rejected[..., None]).reshape(-1, len(differ))
    return [bool(false) for false in words[:, ~differ].any(axis=1)]


# failures


def failure_table(sizes: Sizes) -> Iterator[list[str]]:
    """A side that fails now and then against another, by what is the same of both."""
    yield [
        "of one side fail",
        "seeds",
        "equal where they learn: wrongly better or worse",
        "equal means: better or worse, a failure seen",
        "the same, none seen",
        "interval covers the mean, a failure seen",
        "interval covers where they learn, none seen",
    ]
    for rate in (0.05, 0.1, 0.2, 0.3):
        for count in (6, 8, 10, 20):
            yield [f"{rate:.0%}", str(count), *_failure_rates(rate, count, sizes.tables)]


def _failure_rates(rate: float, count: int, tables: int) -> list[str]:
    random = np.random.default_rng([int(100 * rate), count])
    draw, mean = failing(rate), 0.95 * (1 - rate) + 0.2 * rate
    wrongly = 0
    seen, called, covered = np.zeros(2), np.zeros(2), np.zeros(2)
    for _ in range(tables):
        other = draw(random, count)
        # the side that fails more is no better
        (found,) = words_of([pairs_of(other, random.normal(0.95, 0.02, count))])
        wrongly += found.word == "better"
        pairs = pairs_of(other, random.normal(mean, 0.02, count))
        one = weigh(pairs)
        (found,) = words_of([pairs])
        none = int(sum(one.failed) == 0)
        truth = 0.95 - mean if none else 0.0
        seen[none] += 1
        called[none] += found.word in WORDS
        covered[none] += one.interval.low <= truth <= one.interval.high
    return [
        percent(wrongly / tables),
        percent(called[0] / tables),
        percent(called[1] / tables),
        *(percent(share) for share in covered / np.maximum(seen, 1)),
    ]


def both_fail_table(sizes: Sizes) -> Iterator[list[str]]:
    """Two sides that fail equally often and learn equally well: words that are false."""
    yield ["of both sides fail", *(f"{count} seeds" for count in (6, 8, 10, 16))]
    for rate in (0.05, 0.1, 0.2, 0.3, 0.5):
        shares = []
        for count in (6, 8, 10, 16):
            random = np.random.default_rng([count, int(100 * rate)])
            draw = failing(rate)
            drawn = (draw(random, 2, count) for _ in range(sizes.tables))
            shares.append(sum(wrong(words_of([pairs_of(*both)])) for both in drawn) / sizes.tables)
        yield [f"{rate:.0%}", *map(percent, shares)]


def all_or_nothing(random: np.random.Generator, *size: int) -> Values:
    """Scores of a side that reaches 1 in nine runs of ten, and else nothing."""
    return np.where(random.random(size) < 0.1, 0.0, 1.0)


def tie_table(sizes: Sizes) -> Iterator[list[str]]:
    """1.000 in every run against a side that fails in 10 % of them."""
    yield ["seeds", "tie", "no difference seen", "worse", "undecided", "rate that is excluded"]
    for count in (3, 5, 8, 10, 20, 29, 40):
        random = np.random.default_rng(count)
        found = [
            words_of([pairs_of(np.where(random.random(count) < 0.1, 0.0, 1.0), np.ones(count))])[
                0
            ].word
            for _ in range(sizes.tables // 4 if count > 16 else sizes.tables)
        ]
        shares = [found.count(word) / len(found) for word in ("tie", "alike", "worse", "undecided")]
        yield [str(count), *map(percent, shares), f"{highest_rate(0, count):.0%}"]


# censored costs


def censored_table(sizes: Sizes) -> Iterator[list[str]]:
    """Costs to a target, cut off at a budget: how a ratio of 1 and one of 2 are read, 10 seeds."""
    yield [
        "runs of a that never got there",
        "ratio 1: false words",
        "ratio 2: worse",
        "ratio 2: read as (median)",
        "by the mean of what was spent",
        "only a bound or unknown",
        "interval covers 2",
    ]
    for cut in (3.0, 1.0, 0.5, 0.0, -0.5):
        never = 0.5 * math.erfc(cut / 2**0.5)
        yield [f"{never:.0%}", *_censored_rates(cut, sizes.tables)]


def _censored_rates(cut: float, tables: int, count: int = 10, spread: float = 0.4) -> list[str]:
    random = np.random.default_rng(int(10 * cut) + 20)
    false = found = inside = 0
    read, spent = [], []
    for _ in range(tables):
        a, b, c = random.normal(0.0, spread, (3, count))
        budget = math.log(2) + cut * spread
        # of two that take as long, both are cut off as often
        false += wrong(words_of([_cut_off(c + math.log(2), b + math.log(2), budget)]))
        pairs = _cut_off(a + math.log(2), b, budget)
        found += words_of([pairs])[0].word == "worse"
        spent.append(float(pairs.differences.mean()))
        one = weigh(pairs)
        if not one.open:
            read.append(-one.interval.estimate)
        inside += -one.interval.high <= math.log(2) <= -one.interval.low
    known = f"×{math.exp(float(np.median(read))):.2f}" if read else "never known"
    shares = [false / tables, found / tables]
    bounds = percent(1 - len(read) / tables)
    mean = f"×{math.exp(float(np.mean(spent))):.2f}"
    return [*map(percent, shares), known, mean, bounds, percent(inside / tables)]


def _cut_off(a: Values, b: Values, budget: float) -> Pairs:
    never = np.stack([a > budget, b > budget], axis=1)
    return pairs_of(np.minimum(a, budget), np.minimum(b, budget), never)


# power, looks, and following by hand


def power_table(sizes: Sizes) -> Iterator[list[str]]:
    """Differences that are said to be found in 80 % of cases: how often they are."""
    yield ["values of the axis", *(f"{count} seeds" for count in (6, 7, 8, 10, 16))]
    for values in (1, 3, 9):
        shares = []
        for count in (6, 7, 8, 10, 16):
            random = np.random.default_rng([values, count, 1])
            tables = sizes.tables if count < 16 else sizes.tables // 4
            effect = inference.detectable(SPREAD * 2**0.5, count, ALPHA / values)
            found = 0
            for _ in range(tables):
                base, first, *others = normal(random, values + 1, count)
                samples = [first + effect - base, *(other - base for other in others)]
                numbered = [dict(enumerate(map(float, sample))) for sample in samples]
                found += families.family_wise(numbered)[0] <= ALPHA
            shares.append(found / tables)
        yield [str(values), *map(percent, shares)]


def looks_table(sizes: Sizes) -> Iterator[list[str]]:
    """`--until-decided` with at most 40 seeds: verdicts, and the seeds that they took."""
    yield ["true difference", "better or worse", "seeds on average", "one test of 40 seeds"]
    tables = sizes.tables // 2
    for name, draw in SHAPES.items():
        yield [f"none, {name}", *_look_rates(draw, 0.0, tables)]
    for effect in (0.5, 0.8, 1.5):
        yield [f"{effect} standard deviations", *_look_rates(normal, effect, tables)]


def _look_rates(draw: Draw, effect: float, tables: int, most: int = 40) -> list[str]:
    random = np.random.default_rng(int(10 * effect))
    found = seeds = alone = 0
    for _ in range(tables):
        a, b = draw(random, 2, most)
        a = a + effect * SPREAD * 2**0.5
        for look in looks(most):
            pairs = pairs_of(a[: look.pairs], b[: look.pairs])
            weighed = weigh(pairs, look.alpha)
            p_values = families.family_wise(weighed.evidence.tested)
            said = verdicts.word(
                weighed.evidence, weighed.interval, p_values, SCORE.margin, look.alpha
            )
            if said.word != "undecided":
                break
        found += said.word in WORDS
        seeds += look.pairs
        alone += inference.sign_flip(a - b) <= ALPHA
    return [percent(found / tables), f"{seeds / tables:.0f}", percent(alone / tables)]


def by_hand_table(sizes: Sizes) -> Iterator[list[str]]:
    """Following `n more seeds` again and again, up to 100 seeds, where nothing differs."""
    rounds = (0, 1, 2, 5, 20)
    yield ["first seeds", *(f"followed {count} times" for count in rounds)]
    for first in (3, 6, 10):
        random = np.random.default_rng(first)
        found = np.zeros(rounds[-1] + 1)
        tables = sizes.tables // 2
        for _ in range(tables):
            place = _followed(normal(random, 2, 100), first, rounds[-1])
            if place is not None:
                found[place:] += 1
        yield [str(first), *(percent(found[count] / tables) for count in rounds)]


def _followed(drawn: Values, seeds: int, rounds: int) -> int | None:
    """Return after how many rounds a difference was called; None if it never was."""
    a, b = drawn
    for place in range(rounds + 1):
        pairs = pairs_of(a[:seeds], b[:seeds])
        weighed = weigh(pairs)
        p_values = families.family_wise(weighed.evidence.tested)
        said = verdict_at(pairs, weighed, p_values)
        if said.word in WORDS:
            return place
        if not said.more or seeds == len(a):
            return None
        seeds = min(len(a), seeds + said.more)
    return None


# curves


def curves_of(name: str, random: np.random.Generator, runs: int) -> Values:
    """Return curves of scores at 20 evaluations, which rise from 0 up to a run's last score.

    A run's last score is drawn from a shape. It begins to learn around the eighth evaluation,
    earlier or later, and an evaluation is off by a little.
    """
    last, onset = SHAPES[name](random, runs, 1), random.normal(8, 2, (runs, 1))
    curves: Values = last / (1 + np.exp(onset - np.arange(20)))
    return curves + random.normal(0, 0.01, (runs, 20))


def along_table(sizes: Sizes) -> Iterator[list[str]]:
    """Curves of two sides, compared along all of 20 evaluations.

    Where nothing differs: tables in which a side is said to be ahead anywhere. Where the order
    truly turns: how often the band holds the whole curve of true differences, how often a turn is
    found, and how often the true one is between the evaluations that are named.
    """
    yield [
        "curves",
        "seeds",
        "nothing differs: somebody ahead anywhere",
        "the order turns: the band holds the whole curve",
        "a turn is found",
        "of these, it is where it says",
    ]
    for name in SHAPES:
        for count in (6, 8, 10, 12, 20):
            tables = sizes.tables if count < 12 else sizes.tables // 4
            yield [name, str(count), *_along_rates(name, count, tables, paired_band_of)]
    for name in SHAPES:
        yield [f"{name}, no common seed", "6 and 6", *_along_rates(name, 6, sizes.tables, apart)]


def paired_band_of(ours: Values, theirs: Values) -> Band:
    """Return the band of two sides whose runs are pairs."""
    return paired_band(ours - theirs)


def apart(ours: Values, theirs: Values) -> Band:
    """Return the band of two sides that share no seeds."""
    return unpaired_band(ours, theirs)


def _along_rates(
    name: str, count: int, tables: int, band_of: Callable[[Values, Values], Band]
) -> list[str]:
    random = np.random.default_rng([count, list(SHAPES).index(name), 9])
    # ahead by 0.2 at the end, behind by as much at the start; it turns between the 10th and 11th
    truth = 0.2 * np.tanh((np.arange(20) - 9.5) / 3)
    false = covered = found = right = 0
    for _ in range(tables):
        a, b, c = (curves_of(name, random, count) for _ in range(3))
        false += any(_leaders(band_of(b, c)))
        band = band_of(a + truth, b)
        covered += bool(((band.low <= truth) & (truth <= band.high)).all())
        turned = turns(_leaders(band))
        found += bool(turned)
        right += any(one <= 9 and other >= 10 for one, other in turned)
    shares = [false / tables, covered / tables, found / tables]
    return [*map(percent, shares), percent(right / found) if found else ""]


def _leaders(band: Band) -> list[str]:
    return list(leaders(band, SCORE.key))


PARTS: dict[str, tuple[str, Callable[[Sizes], Iterator[list[str]]]]] = {
    "axis": ("Tables of one axis that hold a false word, in percent", axis_table),
    "page": ("Pages of all axes (6 tasks, 40 values each, 10 seeds), in percent", page_table),
    "failures": ("A side that fails against one that does not, in percent", failure_table),
    "both": ("Two sides that fail equally often: false words, in percent", both_fail_table),
    "ties": ("1.000 against a side that fails in 10 % of runs, in percent", tie_table),
    "censored": ("Costs to a target that not all runs reach, 10 seeds, in percent", censored_table),
    "power": ("A difference that is said to be found in 80 % of cases: found in", power_table),
    "looks": ("`--until-decided`, at most 40 seeds, in percent", looks_table),
    "along": ("Two sides along 20 evaluations, in percent", along_table),
    "hand": ("`n more seeds` followed by hand: false words, in percent", by_hand_table),
}


def markdown(lines: Iterator[list[str]]) -> Iterator[str]:
    """Yield a table as Markdown, line by line as it is made."""
    for place, cells in enumerate(lines):
        yield f"| {' | '.join(cells)} |"
        if place == 0:
            yield "| --- |" + " ---: |" * (len(cells) - 1)


def main(names: Sequence[str]) -> None:
    """Print the tables of these parts, or of all."""
    began = time.process_time()
    for name in names or PARTS:
        title, part = PARTS[name]
        print(f"\n**{title}**\n", flush=True)
        for line in markdown(part(Sizes())):
            print(line, flush=True)
    print(f"\n{(time.process_time() - began) / 60:.1f} minutes of one core")


if __name__ == "__main__":
    main(sys.argv[1:])
