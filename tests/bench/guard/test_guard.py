"""Proves that a guard counts exactly, times what was asked for, and refuses wrong comparisons."""

from __future__ import annotations

import io
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.cli.app import main
from bench.guard import baseline, checkout, counts, processes, quality, subjects, timing
from bench.guard.processes import GuardError, GuardSetup, ProcessTrio, VersionProcess
from bench.guard.subjects import Subject
from bench.guard.worker import PROTOCOL
from bench.speed.cases import Case
from results.guard.verdict import GuardRow, exact_rows, exit_code
from variants.fast import matmul
from variants.fast.forms import plain_forms
from variants.seq2seq import Seq2Seq

SUBJECTS = [
    Subject("opposites", variant, work)
    for variant in ("base", "cell=lstm,attention=general", "attention=additive,input_feeding=on")
    for work in ("training", "decoding")
]


def counted(subject: Subject) -> counts.Counts:
    return counts.count_work(subjects.prepare_case(subject, "cpu", None))


@pytest.fixture(scope="module")
def healthy() -> dict[str, counts.Counts]:
    return {subject.name: counted(subject) for subject in SUBJECTS}


# counts


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_counts_are_the_same_again(subject: Subject, healthy: dict[str, counts.Counts]) -> None:
    again = counted(subject)
    assert again == healthy[subject.name]
    assert all(again[name] for name in ("operations", "flops", "bytes", "peak_bytes", "parameters"))


def test_counts_do_not_depend_on_the_library_that_is_faster_here() -> None:
    """OneDNN allocates what suits the processor, and does other operations."""
    case = subjects.prepare_case(SUBJECTS[0], "cpu", None)
    chosen, found = matmul.onednn_from(), []
    try:
        for smallest in (None, 0):
            matmul.use_onednn_from(smallest)
            found.append(counts.count_work(case))
            assert matmul.onednn_from() == smallest
    finally:
        matmul.use_onednn_from(chosen)
    assert found[0] == found[1]


def test_bytes_are_those_of_torch() -> None:
    case = subjects.prepare_case(SUBJECTS[0], "cpu", None)

    class Known(Case):
        def once(self) -> None:
            first = torch.empty(1000, dtype=torch.uint8)
            del first
            kept = torch.empty(3000, dtype=torch.uint8)
            torch.empty(500, dtype=torch.uint8)
            del kept

    given = (case.name, case.variant, case.workload, case.work, case.state, case.flops)
    known = Known(*given, case.memory)
    found = counts.count_work(known)
    assert (found["operations"], found["bytes"], found["peak_bytes"]) == (3, 4500, 3500)


def _one_more_operation(patch: pytest.MonkeyPatch) -> None:
    read = Seq2Seq._read
    patch.setattr(Seq2Seq, "_read", lambda *given: _touched(read(*given)))


def _touched(read: Any) -> Any:
    return read._replace(outputs_BSD=read.outputs_BSD.view_as(read.outputs_BSD))


def _one_more_copy(patch: pytest.MonkeyPatch) -> None:
    read = Seq2Seq._read
    patch.setattr(
        Seq2Seq,
        "_read",
        lambda *given: (r := read(*given))._replace(outputs_BSD=r.outputs_BSD.clone()),
    )


def _no_fast_path(patch: pytest.MonkeyPatch) -> None:
    for name in ("_read", "_readout", "step"):
        patch.setattr(Seq2Seq, name, _plainly(getattr(Seq2Seq, name)))


def _plainly(function: Callable[..., Any]) -> Callable[..., Any]:
    def plain(*given: Any) -> Any:
        with plain_forms():
            return function(*given)

    return plain


def _twice_the_memory(patch: pytest.MonkeyPatch) -> None:
    """Let the encoder's outputs take twice the memory."""
    read = Seq2Seq._read

    def roomy(*given: Any) -> Any:
        found = read(*given)
        return found._replace(
            outputs_BSD=torch.cat([found.outputs_BSD] * 2)[: len(given[1].source_BS)]
        )

    patch.setattr(Seq2Seq, "_read", roomy)


PLANTS = {
    "an operation": _one_more_operation,
    "a copy": _one_more_copy,
    "a lost fast path": _no_fast_path,
    "twice the memory": _twice_the_memory,
}


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_planted_work_is_counted(
    plant: str, subject: Subject, healthy: dict[str, counts.Counts], monkeypatch: pytest.MonkeyPatch
) -> None:
    PLANTS[plant](monkeypatch)
    rows = exact_rows({subject.name: healthy[subject.name]}, {subject.name: counted(subject)})
    assert exit_code(rows) == 1


# the baseline


def test_a_baseline_read_back_is_what_was_counted(
    tmp_path: Path, healthy: dict[str, counts.Counts]
) -> None:
    file, choice = tmp_path / "b.json", baseline.Selection(("base",), ("opposites",))
    baseline.write(file, healthy, choice, "cpu")
    assert baseline.read(file, "cpu") == (healthy, choice)
    # one line per subject
    assert len(file.read_text().splitlines()) == len(healthy) + 2


def test_a_baseline_of_elsewhere_is_refused(
    tmp_path: Path, healthy: dict[str, counts.Counts], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "b.json"
    with pytest.raises(GuardError, match=r"no baseline .*bench guard --update"):
        baseline.read(file, "cpu")
    baseline.write(file, healthy, baseline.Selection((), ()), "cpu")
    with pytest.raises(GuardError, match=r"for cpu on .* for cuda .*--update"):
        baseline.read(file, "cuda")
    monkeypatch.setattr(torch, "__version__", "9.9.9")
    with pytest.raises(GuardError, match=r"this is torch 9\.9\.9"):
        baseline.read(file, "cpu")
    with pytest.raises(GuardError, match="cannot be written"):
        baseline.write(tmp_path / "no" / "b.json", healthy, baseline.Selection((), ()), "cpu")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"counts": {"a": 1}}', '{"counts": {}}', "\xff"]
)
def test_a_file_that_is_no_baseline_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "b.json"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(GuardError, match="is no baseline of counts"):
        baseline.read(file, "cpu")


# timing, of processes that only say how long they took


class Scripted:
    """Answers like a process whose passes take a given time.

    noise: the standard deviation of the logarithm of that time. slowed: returns the factor by
    which a timing is slowed down.
    """

    def __init__(
        self, seconds: float, noise: float, slowed: Callable[[float], float] = lambda took: 1.0
    ) -> None:
        self.seconds, self.noise, self.slowed = seconds, noise, slowed
        self.cores: list[int] = []
        self.folder, self.draw = Path(), np.random.default_rng(int(1e9 * seconds) + id(self) % 1000)
        self.pending: dict[str, Any] = {}

    def send(self, question: dict[str, Any]) -> None:
        self.pending = question

    def answer(self) -> dict[str, Any]:
        if "count" in self.pending:
            return {"operations": round(1e6 * self.seconds)}
        spread = float(np.exp(self.noise * self.draw.standard_normal()))
        seconds = self.pending["passes"] * self.seconds * spread
        return {"seconds": seconds * self.slowed(seconds)}

    def pin(self, core: int) -> None:
        self.cores.append(core)

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        self.send(question)
        return self.answer()


def guarded(
    slower: float,
    noise: float = 0.02,
    minutes: float = 0.02,
    slowed: Callable[[float], float] = lambda took: 1.0,
) -> tuple[list[GuardRow], list[ProcessTrio]]:
    """Guard code that is slower by a factor; return the rows and the sets of processes it took."""
    sets: list[ProcessTrio] = []

    @contextmanager
    def start(sides: GuardSetup, asked: Sequence[Subject]) -> Iterator[Any]:
        each = [Scripted(0.006 * by, noise, slowed) for by in (1.0, slower, 1.0)]
        sets.append(ProcessTrio(*each))  # type: ignore[arg-type]
        yield sets[-1]

    nowhere = GuardSetup(Path(), Path(), "cpu", None, ())
    rows = timing.time_versions(nowhere, SUBJECTS[:2], 0.05, minutes, lambda _: None, start)
    return rows, sets


@pytest.mark.parametrize(
    ("slower", "word", "code"), [(1.0, "fine", 0), (1.1, "slower", 1), (0.8, "faster", 0)]
)
def test_verdicts_of_a_guard(slower: float, word: str, code: int) -> None:
    rows, sets = guarded(slower)
    assert {row["verdict"] for row in rows} == {word}
    assert exit_code(rows) == code
    # an alarm is confirmed in fresh processes, and nothing else is
    assert len(sets) == (1 if slower == 1.0 else 2)
    expected = {} if slower == 1.0 else {"operations": [6000, round(6000 * slower)]}
    assert all(row["counts"] == expected for row in rows)


def test_noise_gives_no_verdict_and_never_fine() -> None:
    rows, _ = guarded(1.0, noise=2.0)
    assert {row["verdict"] for row in rows} == {"cannot tell"}
    assert exit_code(rows) == 3


class OtherProgram:
    """Slows timings down for a moment, again and again, as another program on the machine does."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self, took: float) -> float:
        self.now += took
        return 1.6 if self.now % 0.2 < 0.09 else 1.0


def test_another_program_slows_both_versions_equally() -> None:
    same, _ = guarded(1.0, slowed=OtherProgram())
    slower, _ = guarded(1.1, slowed=OtherProgram())
    assert [{row["verdict"] for row in rows} for rows in (same, slower)] == [{"fine"}, {"slower"}]


def test_processes_share_a_core_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "_cores", lambda: [2, 5])
    _, ((reference, present, again),) = guarded(1.0)
    assert reference.cores == present.cores == again.cores  # type: ignore[attr-defined]
    assert {*reference.cores} == {2, 5}  # type: ignore[attr-defined]


def test_a_process_is_pinned_to_a_core(tmp_path: Path) -> None:
    core = min(os.sched_getaffinity(0))
    side = VersionProcess(tmp_path, ["sleep", "60"])
    side.pin(core)
    assert os.sched_getaffinity(side.process.pid) == {core}
    side.close()
    side.pin(core)  # the process has ended


def test_no_time_gives_no_verdict() -> None:
    rows, _ = guarded(1.0, minutes=1e-9)
    assert exit_code(rows) == 3


# the command, in a repository of its own


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a git repository whose only commit has a plugin."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "mine.py").write_text(
        "from variants.cells.torch_cells import GRU\n\n\nclass Mine(GRU):\n    '''As GRU.'''\n\n\n"
        "PARTS = {'cell': {'mine': Mine}}\n"
    )
    for command in (
        "init -q -b main",
        "add -A",
        "-c user.name=n -c user.email=e commit -q -m first",
    ):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)
    return folder


@pytest.fixture
def guard(
    repository: Path,
    registries_put_back: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs `bench guard` in the repository.

    It returns exit code, standard output and standard error. The guard starts processes only for
    the versions that it times.
    """
    monkeypatch.chdir(repository)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["guard", *arguments])
        return (code, *capsys.readouterr())

    return call


def test_a_plugin_is_guarded_in_one_line(
    guard: Callable[..., tuple[int, str, str]], repository: Path
) -> None:
    mine = ("--plugin", "mine.py", "--variant", "cell=mine", "--task", "opposites")
    code, _, err = guard(*mine)
    assert (code, "--update" in err) == (3, True)
    assert guard(*mine, "--update")[0] == 0
    # without options, the selection of the baseline is guarded again
    code, out, err = guard("--plugin", "mine.py")
    assert (code, "2 the same" in out) == (0, True), err
    code, out, _ = guard(
        *mine, "--against", "HEAD", "--minutes", "0.01", "--json",
        "--markdown", "m.md", "--junit", "j.xml",
    )  # fmt: skip
    rows = json.loads(out)["rows"]
    assert [row["subject"] for row in rows] == [
        "opposites cell=mine training",
        "opposites cell=mine decoding",
    ]
    assert all(row["counts"] == {} for row in rows)
    assert code == exit_code(rows)
    assert (repository / "m.md").read_text().startswith("### bench guard")
    assert "testsuite" in (repository / "j.xml").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--against", "nowhere"), 3, "is no revision"),
        (("--quality",), 2, "name one"),
        (("--update", "--against", "HEAD"), 2, "--against does nothing with --update"),
        (("--against", "HEAD", "--minutes", "0"), 2, "minutes above 0"),
        (("--against", "HEAD", "--variant", "cell=gur"), 2, "did you mean"),
        (("--pytest-benchmark", "no.json", "no.json"), 2, "cannot be read"),
        (("--against", "HEAD", "--quality", "--matrix", "no.toml"), 2, "no matrix file"),
        (("--against", "HEAD", "--plugin", __file__), 2, "plugin"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_refusals(
    guard: Callable[..., tuple[int, str, str]], arguments: tuple[str, ...], code: int, says: str
) -> None:
    found, out, err = guard(*arguments)
    assert (found, out) == (code, "")
    assert says in err
    assert "Traceback" not in err


def test_an_older_version_without_the_guard_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "__init__.py").touch()
    setup = GuardSetup(tmp_path, tmp_path, "cpu", None, ())
    with (
        pytest.raises(GuardError, match="older than bench guard"),
        processes.started(setup, SUBJECTS[:1]),
    ):
        pass


def test_different_work_is_refused() -> None:
    answer = {"protocol": PROTOCOL, "strays": [], "workloads": {"a": "1"}}
    side: Any = Scripted(1.0, 0.0)
    processes._check(side, answer, answer)
    with pytest.raises(GuardError, match="the same batches of a"):
        processes._check(side, answer, {**answer, "workloads": {"a": "2"}})
    with pytest.raises(GuardError, match="protocol"):
        processes._check(side, {**answer, "protocol": 0}, answer)


def test_a_revision_outside_a_repository(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match="git says"):
        checkout.Revision("HEAD", tmp_path)


MATRIX = """
seeds = 8
[[block]]
tasks = ["opposites"]
base = { hidden = 32, embedding = 32, learning_rate = 0.01 }
steps = 100
every = 50
"""


@pytest.mark.usefixtures("no_workers")
def test_quality_of_two_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version with a ruined learning rate is worse than the reference.

    The reference is the code of this process, so it is run here rather than in another process.
    """
    here = Path(__file__).parents[3]
    run_in_folder = quality._run

    def run(folder: Path, store: Path, *more: Any) -> None:
        if folder != here:
            run_in_folder(folder, store, *more)
            return
        file, seeds, tasks = more[:3]
        options = ["--matrix", str(file), "--store", str(store), "--workers", "1"]
        options += ["--seeds", str(seeds)] if seeds else []
        assert main(["run", *options, *(part for task in tasks for part in ("--task", task))]) == 0

    monkeypatch.setattr(quality, "_run", run)
    worse = tmp_path / "worse"
    worse.mkdir()
    for part in ("bench", "tasks", "variants", "results"):
        subprocess.run(["cp", "-r", str(here / part), str(worse)], check=True)
    matrix = tmp_path / "m.toml"
    matrix.write_text(MATRIX)
    known = tmp_path / "known"
    said = io.StringIO()
    with redirect_stdout(said):
        rows = quality.compare_quality(here, worse, known, matrix, 1, print)
    assert [row["verdict"] for row in rows] == ["same"]
    rates = "variant.learning_rate, variant.weight_decay"
    (file,) = (f for f in (worse / "bench").rglob("*.py") if rates in f.read_text())
    file.write_text(file.read_text().replace(rates, "1e-9, 0.0"))
    rows = quality.compare_quality(here, worse, known, matrix, 1, lambda _: None)
    assert {row["measure"]: row["verdict"] for row in rows}["exact match"] == "worse"
    assert exit_code(rows) == 1
