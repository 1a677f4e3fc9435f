"""Reads claims from the literature from TOML files: what was reported, and how it is tried here.

about = "LSTM is ahead of GRU"
source = "Britz et al. 2017, table 2"
reported = "BLEU, EN-DE: LSTM 22.22 ± .08, GRU 21.78 ± .05"
checked = "no"                          # or how the figures were checked
scaled = "generated en-zh, hidden 64"   # what the experiment was scaled down to
trained = "Adam at 0.0001, 2.5 M steps" # how the source trained: rate, length, when it ended
rates = "common"                        # one rate for all sides; or tuned, or compared
tune.learning_rate = [1e-3, 3e-3, 1e-2] # with rates = "tuned": chosen for each side by validation
story = ["as seen", "what it was", "cured"]   # optional, for experiments that went wrong
task = "en-zh"
base = { attention = "additive" }
steps = 800
seeds = 10                              # or "100:110" for 100 to 109

[side]
lstm = { cell = "lstm" }
gru = {}
broken = { fault = "unshifted-targets" }

[[compare]]
says = "LSTM is better than GRU"
a = "lstm"
b = "gru"
expected = "better"                     # better, worse or tie: a against b
measure = "loss"                        # the task's score if left out
near = 0.2314                           # optional: the reported mean of a,
within = 0.02                           # and the largest relative deviation from it
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from bench.doctor.faults import read_faults
from bench.plan.matrix import Block, Matrix, Plan, axis_values, check_tuned, plan
from bench.plan.tuning import Candidates, TunedSides, tune_sides
from bench.specs import make_budget
from results import naming
from results.compare.claims import Comparison
from results.record import TUNED, Record
from results.seeds import Seeds, describe_seeds, read_seeds
from tasks import Task, canonical
from tasks.choices import one_of
from variants import BASE, axes

CLAIMS = Path(__file__).parents[1] / "claims"
"""Folder of the claims that come with the suite."""
TEXT_KEYS = ("about", "source", "reported", "checked", "scaled", "trained", "rates", "task")
CLAIM_BUDGET_KEYS = ("steps", "epochs", "batch", "every", "stop", "batching")
CLAIM_KEYS = (*TEXT_KEYS, "story", *CLAIM_BUDGET_KEYS, "base", "tune", "seeds", "side", "compare")
COMPARISON_KEYS = ("says", "a", "b", "expected", "measure", "near", "within")
STORY = ("as the author saw it", "what it was", "cured")
"""Parts of a claim's story."""
EXPECTED = ("better", "worse", "tie")
RATES = {
    "common": "one learning rate for all sides, {}, tuned for none",
    "tuned": "each side at the learning rate that validation chose for it, of {} at first",
    "compared": "learning rates are part of what is compared",
}
"""What `rates` of a claim says of its sides; {} is their rate, or the candidates."""
RATE = "learning_rate"
"""The axis of which `rates` speaks."""
ENDS = {
    "budget": "trained to the end",
    "solved": "or until the target was reached",
    "plateau": "or until it was flat",
}
"""What a claim's budget says of the end of its runs."""


class PlannedSides(NamedTuple):
    """Holds the runs of a claim.

    plans: those of each side that are reported; of a claim that is to be tuned yet, as they would
    be without tuning. tuning: the runs that choose first. chosen: nothing is left to choose.
    """

    plans: Mapping[str, Plan]
    tuning: Plan
    chosen: bool


@dataclass(frozen=True)
class Claim:
    """A claim with the runs of its sides and what is compared between them.

    Attributes:
        about: The claim in a few words.
        source: Where it was published.
        reported: The figures that were reported.
        checked: Whether and how the figures were checked.
        scaled: What the experiment was scaled down to.
        trained: How the source trained: its learning rate, and for how long.
        rates: One of RATES.
        story: What the author saw, what it was, and how it is cured; empty for a claim that is no
            story of a mistake.
        task: The task's label.
        blocks: The runs of each side, by the side's name.
    """

    name: str
    about: str
    source: str
    reported: str
    checked: str
    scaled: str
    trained: str
    rates: str
    story: tuple[str, ...]
    task: str
    blocks: Mapping[str, Block]
    comparisons: tuple[Comparison, ...]

    @property
    def tune(self) -> Candidates:
        """Return the candidates that are tried of each side; none of a claim that tunes nothing."""
        return next(iter(self.blocks.values())).tune

    def with_seeds(self, seeds: Seeds | None) -> Claim:
        """Return the claim tried with other seeds; with its own for None."""
        if seeds is None:
            return self
        chosen = read_seeds(seeds)
        blocks = {side: replace(block, seeds=chosen) for side, block in self.blocks.items()}
        return replace(self, blocks=blocks)

    def plans(
        self, task: Task, device: str, data: Path | None, known: Sequence[Record] = ()
    ) -> PlannedSides:
        """Return the runs of each side, and those that choose its values first.

        Args:
            task: The task on which the claim is tried.
            device: `cpu` or `cuda`.
            data: The folder of corpora and word vectors.
            known: The tuning runs of a store.

        Raises:
            ValueError: A side does not apply.
        """

        def plan_of(matrix: Matrix) -> Plan:
            return plan(matrix, {self.task: task}, device, data)

        def plans_of(blocks: Mapping[str, Block]) -> dict[str, Plan]:
            return {side: plan_of(Matrix(self.name, (each,))) for side, each in blocks.items()}

        plain = plans_of(self.blocks)
        for side, planned in plain.items():
            if planned.inapplicable:
                reason = planned.inapplicable[0].reason
                raise ValueError(f"claim {self.name}, side {side} does not apply: {reason}")
        if not self.tune:
            return PlannedSides(plain, Plan((), ()), True)
        tuned: TunedSides = tune_sides(self.blocks, known, plan_of)
        chosen = bool(tuned.blocks)
        return PlannedSides(plans_of(tuned.blocks) if chosen else plain, tuned.plan, chosen)

    def description(self) -> dict[str, Any]:
        """Return what the claim says and how it is tried, by the keys of `bench claims show`."""
        block = next(iter(self.blocks.values()))
        tuned = dict.fromkeys(self.tune, TUNED)
        sides = {
            side: naming.name({**asdict(next(block.variants())), **tuned}, asdict(BASE))
            + (f", fault {block.fault}" if block.fault else "")
            for side, block in self.blocks.items()
        }
        end = ENDS[block.budget.stop]
        budget = f"{block.budget.text()} of {block.budget.batch} examples, {end}"
        told = self.tune.get(RATE, (block.base.learning_rate,))
        rates = RATES[self.rates].format(", ".join(map(naming.text, told)))
        return {
            "claim": self.name,
            "about": self.about,
            "says": [comparison.says for comparison in self.comparisons],
            "source": self.source,
            "reported": self.reported,
            "checked": self.checked,
            "scaled": self.scaled,
            "trained": self.trained,
            "rates": rates,
            "story": dict(zip(STORY, self.story, strict=False)),
            "task": self.task,
            "budget": f"{budget}, {describe_seeds(block.seeds)}",
            "sides": sides,
        }


def names() -> list[str]:
    """Return the names of the claims that come with the suite."""
    return sorted(path.stem for path in CLAIMS.glob("*.toml"))


def read_claim(name: str) -> Claim:
    """Read a claim of the suite by its name, or a TOML file by its path.

    Raises:
        ValueError: There is no such claim, or its file has a mistake.
    """
    path = Path(name)
    if path.suffix != ".toml":
        one_of("claim", name, names())
        path = CLAIMS / f"{name}.toml"
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        return _claim(path.stem, raw)
    except FileNotFoundError:
        raise ValueError(f"there is no claim file {path}; give the path of one") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not TOML ({error}); correct it") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path}: {error!r}; see bench/plan/claim_file.py for what a claim needs"
        ) from None


def _claim(name: str, raw: dict[str, Any]) -> Claim:
    for key in raw:
        one_of(f"key of the claim {name}", key, CLAIM_KEYS)
    task = canonical(raw["task"])
    blocks = _sides(raw, task)
    comparisons = tuple(_comparison(name, given, list(blocks)) for given in raw["compare"])
    texts = {key: str(raw[key]) for key in TEXT_KEYS if key != "task"}
    _check_rates(texts["rates"], name, blocks)
    return Claim(
        name=name,
        task=task,
        blocks=blocks,
        comparisons=comparisons,
        story=_story(name, raw.get("story", [])),
        **texts,
    )


def _check_rates(rates: str, name: str, blocks: Mapping[str, Block]) -> None:
    """Raise ValueError for an unknown word, or for one rate where the sides have several."""
    one_of(f"rates of the claim {name}", rates, tuple(RATES))
    tuned = any(RATE in block.tune for block in blocks.values())
    if (rates == "tuned") != tuned:
        raise ValueError(
            f"rates of the claim {name} are said to be {rates}, and tune.{RATE} is "
            f"{'there' if tuned else 'missing'}; write both or neither"
        )
    several = len({block.base.learning_rate for block in blocks.values()}) > 1
    if rates == "common" and several:
        raise ValueError(
            f"rates of the claim {name} are said to be common, and its sides have several; write "
            f"compared, or tuned with tune.{RATE} = [...] instead of rates of the sides"
        )


def _story(name: str, given: object) -> tuple[str, ...]:
    """Return the parts of a story; ValueError unless there are none, or one for each of STORY."""
    if not isinstance(given, list) or len(given) not in (0, len(STORY)):
        raise ValueError(f"story of the claim {name} needs {len(STORY)} texts: {', '.join(STORY)}")
    return tuple(str(text) for text in given)


def _sides(raw: dict[str, Any], task: str) -> dict[str, Block]:
    """Return the runs of each side: its changes to the claim's base, and any planted fault."""
    base = axes.change(BASE, raw.get("base", {}))
    tune = _candidates(raw)
    budget = make_budget(**{key: raw[key] for key in CLAIM_BUDGET_KEYS if key in raw})
    seeds = read_seeds(raw.get("seeds", 10))
    blocks = {}
    for side, given in raw["side"].items():
        changes = {key: value for key, value in given.items() if key != "fault"}
        fault = given.get("fault", "")
        if fault:
            fault = read_faults(fault)
        variant = axes.change(base, changes)
        blocks[side] = Block((task,), variant, {}, {}, seeds, budget, fault=fault, tune=tune)
    return blocks


def _candidates(raw: dict[str, Any]) -> Candidates:
    """Return the values by axis of which one is chosen for each side."""
    tune = {axis: axis_values(axis, given) for axis, given in raw.get("tune", {}).items()}
    check_tuned(tune, ())
    given = {axis for each in (raw.get("base", {}), *raw["side"].values()) for axis in each}
    for axis in given.intersection(tune):
        raise ValueError(
            f"{axis} is tuned, so neither base nor a side sets it; leave one of both out"
        )
    return tune


def _comparison(name: str, raw: dict[str, Any], sides: list[str]) -> Comparison:
    for key in raw:
        one_of(f"key of a comparison of the claim {name}", key, COMPARISON_KEYS)
    for side in (raw["a"], raw["b"]):
        one_of(f"side of the claim {name}", side, sides)
    one_of("expected", raw["expected"], EXPECTED)
    return Comparison(
        says=raw["says"],
        a=raw["a"],
        b=raw["b"],
        key=raw.get("measure", ""),
        expected=raw["expected"],
        near=raw.get("near"),
        within=raw.get("within", 0.0),
    )
