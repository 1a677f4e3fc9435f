"""Measures how often the doctor is right about strangers' training scripts.

    python -m tests.perf.wild_doctor building            # or held_out, starting
    python -m tests.perf.wild_doctor building --only time_first --processes 2

Each script of `tests/wild` runs whole, under the watch, in a process of its own. Results are kept
in the folder of `--out` by script, seed and code, so that a run that was stopped goes on. A fault
counts as named first if the first finding has one of its names, and a finding on a sound script
as false.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import multiprocessing
import runpy
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.wild.scripts import WildScript, scripts

ROOT = Path(__file__).parents[2]
CODE = ("bench/watching", "results/doctor")
"""Folders whose change makes results worthless."""


@dataclass(frozen=True)
class Job:
    """A script to be watched with one seed; `path` is where its result is kept."""

    script: WildScript
    seed: int
    path: Path


def main() -> None:
    """Watch the scripts of a half and print what was found beside what is true."""
    options = _options()
    jobs = list(_jobs(options))
    todo = [job for job in jobs if not job.path.exists()]
    # a process for each script, begun as a copy of this one, which has torch loaded
    import bench.watching.watch  # noqa: F401  (loads torch before the processes begin)

    context = multiprocessing.get_context("fork")
    with context.Pool(options.processes, maxtasksperchild=1) as pool:
        for done, title in enumerate(pool.imap_unordered(_watch, todo), 1):
            print(f"{done}/{len(todo)} {title}", file=sys.stderr, flush=True)
    print(table([(job.script, job.seed, json.loads(job.path.read_text())) for job in jobs]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("half", choices=("building", "held_out", "starting"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="+", default=[], help="parts of titles")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "wild_doctor")
    return parser.parse_args()


def _jobs(options: argparse.Namespace) -> Iterator[Job]:
    code = hashlib.sha256()
    for folder in CODE:
        for path in sorted((ROOT / folder).rglob("*.py")):
            code.update(path.read_bytes())
    options.out.mkdir(parents=True, exist_ok=True)
    for script in scripts(options.half):
        if options.only and not any(part in script.title for part in options.only):
            continue
        for seed in options.seeds:
            key = hashlib.sha256(code.digest() + f"{seed}{script.text}".encode()).hexdigest()[:16]
            name = script.title.replace("/", "__")
            yield Job(script, seed, options.out / f"{name}-{seed}-{key}.json")


def _watch(job: Job) -> str:
    import torch

    from bench.watching.watch import Watch

    torch.set_num_threads(1)
    doctor, error = Watch(), ""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.py"
        path.write_text(job.script.text, "utf-8")
        sys.argv = [str(path), str(job.seed)]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                with doctor:
                    runpy.run_path(str(path), run_name="__main__")
            except (Exception, SystemExit) as raised:
                error = repr(raised)
    found = [
        {"cause": f.cause, "sure": f.sure, "place": f.place, "evidence": f.evidence}
        for f in doctor.findings
    ]
    unseen = list(doctor.watched.unseen)
    result = {"findings": found, "unseen": unseen, "error": error, "steps": doctor.watched.steps}
    job.path.write_text(json.dumps(result))
    return f"{job.script.title} seed {job.seed}"


def table(results: list[tuple[WildScript, int, dict[str, Any]]]) -> str:
    """Return what was found: each miss and each false finding, then the counts."""
    lines: list[str] = []
    single = [(s, seed, r) for s, seed, r in results if len(s.causes) == 1]
    pairs = [(s, seed, r) for s, seed, r in results if len(s.causes) > 1]
    sound = [(s, seed, r) for s, seed, r in results if not s.causes]
    for script, seed, result in results:
        causes = [finding["cause"] for finding in result["findings"]]
        if script.causes and not _first(script, causes):
            wanted = " + ".join(group[0] for group in script.causes)
            lines.append(f"{script.title} seed {seed}: {wanted}; said {_said(result)}")
        elif not script.causes and causes:
            lines.append(f"{script.title} seed {seed}: sound; said {_said(result)}")
        errors = [text for text in result["unseen"] if "error in bench itself" in text]
        lines += [f"  {script.title}: {text}" for text in errors]
    lines += ["", f"single faults: {len(single)}"]
    lines.append(_share("  named first", [_first(s, _causes(r)) for s, _, r in single]))
    lines.append(_share("  among the first two", [_second(s, _causes(r)) for s, _, r in single]))
    lines.append(_share("  nothing said", [not _causes(r) for _, _, r in single]))
    lines.append(_share("  a wrong cause called certain", [_wrong(s, r) for s, _, r in single]))
    lines.append(f"pairs of faults: {len(pairs)}")
    lines.append(_share("  one of them first", [_first(s, _causes(r)) for s, _, r in pairs]))
    lines.append(
        _share("  both among the first three", [_both(s, _causes(r)) for s, _, r in pairs])
    )
    lines.append(f"sound scripts: {len(sound)}")
    lines.append(_share("  a false finding", [bool(_causes(r)) for _, _, r in sound]))
    lines.append(_share("  a false finding called certain", [_wrong(s, r) for s, _, r in sound]))
    return "\n".join(lines)


def _causes(result: dict[str, Any]) -> list[str]:
    return [finding["cause"] for finding in result["findings"]]


def _said(result: dict[str, Any]) -> str:
    said = [f"{f['cause']} ({f['sure']})" for f in result["findings"]]
    return ", ".join(said) or "nothing"


def _first(script: WildScript, causes: list[str]) -> bool:
    return bool(causes) and any(causes[0] in names for names in script.causes)


def _second(script: WildScript, causes: list[str]) -> bool:
    return any(cause in names for cause in causes[:2] for names in script.causes)


def _both(script: WildScript, causes: list[str]) -> bool:
    return all(set(causes[:3]) & set(names) for names in script.causes)


def _wrong(script: WildScript, result: dict[str, Any]) -> bool:
    """Return whether a finding that names none of the faults is called certain."""
    known = {name for names in script.causes for name in names}
    return any(f["sure"] == "certain" and f["cause"] not in known for f in result["findings"])


def _share(label: str, values: list[bool]) -> str:
    count, total = sum(values), len(values)
    return f"{label}: {count} of {total} ({count / total:.1%})" if total else f"{label}: none"


if __name__ == "__main__":
    main()
