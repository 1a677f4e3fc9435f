"""Proves that every claim of the suite can be tried, and that mistakes in a file are reported."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.cli.app import main
from bench.plan import claim_file
from bench.plan.matrix import Plan
from bench.specs import RunSpec
from bench.training.process import cached_task
from results.compare.measures import COMPARED_COSTS
from results.record import Record
from tasks import Task

TINY = """
about = "Adam learns, SGD does not"
source = "nobody"
reported = "1 and 0"
checked = "yes"
scaled = "no"
trained = "for a week"
rates = "common"
task = "opposites"
base = { hidden = 24, embedding = 16, learning_rate = 0.02 }
steps = 60
every = 20
seeds = 6

[side]
adam = {}
sgd = { optimizer = "sgd" }

[[compare]]
says = "Adam is better than SGD"
a = "adam"
b = "sgd"
expected = "EXPECTED"
"""


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    labels = {claim_file.read_claim(name).task for name in claim_file.names()}
    return {label: cached_task(label, None) for label in labels}


@pytest.mark.parametrize("name", claim_file.names())
def test_every_claim_can_be_tried(name: str, tasks: dict[str, Task]) -> None:
    claim = claim_file.read_claim(name)
    texts = (claim.about, claim.source, claim.reported, claim.checked, claim.scaled)
    assert all((*texts, claim.trained))
    rates = {block.base.learning_rate for block in claim.blocks.values()}
    assert (claim.rates == "compared") == (len(rates) > 1)
    assert claim.checked.startswith(("yes", "no"))
    task = tasks[claim.task]
    plans = claim.plans(task, "cpu", None).plans
    assert all(len(plan.specs) >= 6 for plan in plans.values())
    used = {side for one in claim.comparisons for side in (one.a, one.b)}
    assert used == set(claim.blocks), "a side that nothing is compared with"
    for one in claim.comparisons:
        assert one.key in ("", "loss", "exposure_gap", *COMPARED_COSTS)


def test_all_that_were_asked_for_are_there() -> None:
    own = "inc-floor tf-rate exposure lr-grid sgd-flat emb-tuned attention context"
    own += " swap inc-grid opposites"
    assert set(own.split()) <= set(claim_file.names())
    assert len(claim_file.names()) >= 8 + 10


def test_experiments_that_went_wrong_tell_their_story(capsys: pytest.CaptureFixture[str]) -> None:
    told = "lr-grid tf-rate exposure sgd-flat emb-tuned swap inc-grid opposites"
    assert {name for name in claim_file.names() if claim_file.read_claim(name).story} == set(
        told.split()
    )
    assert main(["claims", "show", "opposites", "--store", "nowhere"]) == 0
    out = capsys.readouterr().out
    assert "as the author saw it: translate('man')" in out
    assert "cured: outputs begin at step 0" in out
    told = " ".join(out.split())
    assert "trained: Adam at 0.001" in told
    assert "trained to the end, 9 seeds; one learning rate for all sides, 0.001, tuned" in told


def test_the_grid_of_rates_is_the_authors_own() -> None:
    """Sixteen cells, none with attention; of these the author saw eleven losses fall."""
    claim = claim_file.read_claim("lr-grid")
    cells = {name: next(block.variants()) for name, block in claim.blocks.items()}
    grid = {n: v for n, v in cells.items() if n.startswith(("adam", "sgd"))}
    assert len({(v.optimizer, v.learning_rate) for v in grid.values()}) == 16
    assert {v.attention for v in cells.values()} == {"none"}
    fell = [c for c in claim.comparisons if c.key == "loss" and c.expected == "better"]
    assert len(fell) == 8 + 3


def written(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which the claims of `TINY` find the runs that others have trained."""
    return tmp_path_factory.mktemp("trained") / "store"


@pytest.mark.usefixtures("no_workers")
@pytest.mark.parametrize(
    ("expected", "word", "strict"),
    [("better", "reproduced", 0), ("worse", "the other way round at this budget", 1)],
)
def test_a_claim_of_your_own(
    expected: str,
    word: str,
    strict: int,
    tmp_path: Path,
    trained: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = written(tmp_path, TINY.replace("EXPECTED", expected))
    assert main(["claims", "list", path, "--store", str(tmp_path / "store")]) == 0
    assert "not run yet" in capsys.readouterr().out
    store = ["--store", str(trained)]
    assert main(["claims", "run", path, *store, "--workers", "2", "--strict"]) == strict
    assert word in capsys.readouterr().out
    # all runs are done by now, and a note on stderr says so
    assert main(["claims", "run", path, *store, "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["rows"]
    assert "12 of 12 runs are finished already" in captured.err
    assert main(["claims", "list", path, *store, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["claim"], row["word"], row["verdict_of_claim"]) == ("mine", word, word)
    assert row["runs"] == 12
    assert main(["claims", "show", path, *store]) == 0
    out = capsys.readouterr().out
    assert "mine: Adam learns, SGD does not" in out
    assert "optimizer=sgd" in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("about =", "abut ="), "about"),
        (('task = "opposites"', 'task = "opposite"'), "opposites"),
        (('a = "adam"', 'a = "adamm"'), "adam"),
        (("EXPECTED", "nicer"), "better"),
        (('optimizer = "sgd"', 'fault = "typo"'), "softmax-over-time"),
        (('optimizer = "sgd"', 'attention = "no"'), "attention"),
        (("steps = 60", "steps = 0"), "budget"),
        (("seeds = 6", "seeds = 0"), "seeds=0"),
        (('source = "nobody"', ""), "source"),
        (('rates = "common"', 'rates = "best"'), "compared"),
        (('rates = "common"', 'rates = "tuned"'), "tune.learning_rate is missing"),
        (
            ("steps = 60", "tune.learning_rate = [0.1, 0.2]\nsteps = 60"),
            "is tuned, so neither base",
        ),
        (("steps = 60", "tune.clip = [1]\nsteps = 60"), "clip has one candidate"),
        (("steps = 60", "tune.clip = 1\nsteps = 60"), "is not a list of values"),
        (("steps = 60", "tune = 1\nsteps = 60"), "items"),
        (('optimizer = "sgd"', "learning_rate = 0.5"), "said to be common, and its sides have"),
        (("[side]", "[side"), "not TOML"),
        (("sgd = {", "bridge = {"), "bridge"),
        (('scaled = "no"', 'scaled = "no"\nstory = ["seen"]'), "as the author saw it, what it was"),
    ],
)
def test_a_file_with_a_mistake_is_reported(
    change: tuple[str, str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = TINY.replace(*change).replace("EXPECTED", "better")
    code = main(["claims", "list", written(tmp_path, text), "--store", str(tmp_path / "s")])
    captured = capsys.readouterr()
    assert code == 2
    assert said in captured.err
    assert captured.err.count("\n") == 1


def test_a_claim_is_tried_with_other_seeds(tasks: dict[str, Task], tmp_path: Path) -> None:
    claim = claim_file.read_claim("opposites")
    task = tasks[claim.task]

    def seeds(tried: claim_file.Claim) -> set[int]:
        plans = tried.plans(task, "cpu", None).plans
        return {spec.seed for plan in plans.values() for spec in plan.specs}

    own = seeds(claim)
    assert min(own) == 0
    assert seeds(claim.with_seeds(None)) == own
    other = claim.with_seeds("100:110")
    assert seeds(other) == set(range(100, 110))
    assert other.description()["budget"].endswith("10 seeds (100 to 109)")
    text = TINY.replace("EXPECTED", "better").replace("seeds = 6", 'seeds = "100:106"')
    assert seeds(claim_file.read_claim(written(tmp_path, text))) == set(range(100, 106))


def test_names_that_are_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims", "show", "inc-flor"]) == 2
    assert "inc-floor" in capsys.readouterr().err
    assert main(["claims", "show", "nowhere.toml"]) == 2
    assert "there is no claim file nowhere.toml" in capsys.readouterr().err


# claims whose sides are tuned

TUNED = TINY.replace("EXPECTED", "worse").replace("learning_rate = 0.02 ", "clip = 1 ")
TUNED = TUNED.replace(
    'rates = "common"', 'rates = "tuned"\ntune.learning_rate = [0.003, 0.01, 0.03]'
)


def tuning_runs(specs: Sequence[RunSpec], best: Mapping[str, float]) -> list[Record]:
    """The records of tuning runs: the nearer to its optimizer's best rate, the better."""
    return [
        Record(
            spec.id,
            spec.plain(),
            {
                "status": "finished",
                "metric": "exact_match",
                "valid": {"exact_match": -abs(rate - best[str(spec.variant["optimizer"])])},
            },
            {},
        )
        for spec in specs
        if (rate := float(spec.variant["learning_rate"]))
    ]


def rates(plan: Plan) -> set[float]:
    return {float(spec.variant["learning_rate"]) for spec in plan.specs}


def test_the_sides_of_a_tuned_claim_get_the_same_candidates(
    tasks: dict[str, Task], tmp_path: Path
) -> None:
    """SGD does best at the largest rate, so one more is tried of Adam too."""
    claim = claim_file.read_claim(written(tmp_path, TUNED))
    task = tasks["opposites"]
    first = claim.plans(task, "cpu", None)
    assert not first.chosen
    assert rates(first.tuning) == {0.003, 0.01, 0.03}
    assert len(first.tuning.specs) == 2 * 3 * 3
    best = {"adam": 0.01, "sgd": 1.0}
    known = tuning_runs(first.tuning.specs, best)
    grown = claim.plans(task, "cpu", None, known)
    assert not grown.chosen
    assert rates(grown.tuning) == {0.003, 0.01, 0.03, 0.1}
    assert len(grown.tuning.specs) == 2 * 4 * 3
    final = claim.plans(task, "cpu", None, tuning_runs(grown.tuning.specs, best))
    assert final.chosen
    assert {side: rates(plan) for side, plan in final.plans.items()} == {
        "adam": {0.01},
        "sgd": {0.1},
    }
    assert {spec.seed for plan in final.plans.values() for spec in plan.specs} == set(range(6))
    told = claim.description()
    assert told["rates"].endswith("that validation chose for it, of 0.003, 0.01, 0.03 at first")
    assert "optimizer=sgd,learning_rate=tuned" in told["sides"]["sgd"]


def test_a_planted_fault_is_tuned_too(tasks: dict[str, Task], tmp_path: Path) -> None:
    """Sides that differ in a fault alone are two, each with its own choice."""
    text = TUNED.replace('optimizer = "sgd"', 'fault = "never-stops"')
    claim = claim_file.read_claim(written(tmp_path, text))
    task = tasks["opposites"]
    first = claim.plans(task, "cpu", None)
    assert {spec.fault for spec in first.tuning.specs} == {"", "never-stops"}
    known = [
        replace(record, outcome={**record.outcome, "valid": {"exact_match": score}})
        for spec, record in zip(
            first.tuning.specs,
            tuning_runs(first.tuning.specs, {"adam": 0.01}),
            strict=True,
        )
        if (score := float(spec.variant["learning_rate"] == (0.01 if spec.fault else 0.003))) >= 0
    ]
    # 0.003 is the smallest, so the grid grows once for both
    grown = claim.plans(task, "cpu", None, known)
    assert min(rates(grown.tuning)) < 0.003
    more = [s for s in grown.tuning.specs if s.id not in {record.id for record in known}]
    assert {spec.fault for spec in more} == {"", "never-stops"}
    final = claim.plans(task, "cpu", None, [*known, *tuning_runs(more, {"adam": 9.0})])
    assert {side: rates(plan) for side, plan in final.plans.items()} == {
        "adam": {0.003},
        "sgd": {0.01},
    }
    assert {spec.fault for spec in final.plans["sgd"].specs} == {"never-stops"}


@pytest.mark.usefixtures("no_workers")
def test_a_tuned_claim_compares_tuned_with_tuned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")  # at 80 the column `tuned` may have no room
    text = TUNED.replace("steps = 60", "steps = 4").replace("every = 20", "every = 2")
    path = written(tmp_path, text.replace("hidden = 24", "hidden = 8"))
    store = ["--store", str(tmp_path / "store"), "--device", "cpu"]
    assert main(["claims", "show", path, *store]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "what it takes: 12 runs and 18 that tune, about " in shown
    assert main(["claims", "run", path, *store, "--workers", "1", "--notes"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "first 18 runs, which choose by validation alone" in out
    assert "mine, adam (a) against sgd (b): both tuned on validation: a learning_rate=0." in out
    assert "no difference, each side" in out
    assert main(["claims", "list", path, *store, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["runs"] == 12
    assert row["tuned"].startswith("both tuned on validation")
    assert main(["claims", "show", path, *store]) == 0
    assert "tuned" in capsys.readouterr().out.partition("each side")[2].splitlines()[1]
    # nothing is left to do, and nothing to tune
    assert main(["claims", "run", path, *store, "--workers", "1"]) == 0
    captured = capsys.readouterr()
    assert "12 of 12 runs are finished already" in captured.out + captured.err
    assert "choose by validation" not in captured.out
