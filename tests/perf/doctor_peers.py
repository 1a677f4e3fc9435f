"""Compares the doctor with another public tool on the wild scripts on which its rules are made.

    make doctor-peers                           # an environment with torchtest2 and TrainCheck
    python -m tests.perf.doctor_peers number_words trainer_class

Each script of the styles goes through torchtest2 (see torchtest2_worker.py), seed 0, in a folder
that keeps what is done. Printed is what it said of each script, then the counts:

- noticed: a check failed or warned that passes on the style's sound script `train`;
- named: such a check is for this cause, by the table in torchtest2's own documentation;
- accused: a sound script with a check that failed, or warned.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.wild.scripts import WildScript, scripts

HERE = Path(__file__).parent
NAMES: Mapping[str, frozenset[str]] = {
    "gradient_flow": frozenset("encoder-detached graph-cut unused-layer source-cut".split()),
    "optimizer_coverage": frozenset(
        "encoder-left-out decoder-left-out embedding-left-out part-left-out unregistered-layers "
        "wrong-model-optimized".split()
    ),
    "params_change": frozenset(
        "encoder-left-out decoder-left-out embedding-left-out part-left-out unregistered-layers "
        "wrong-model-optimized encoder-detached graph-cut".split()
    ),
    "input_dependency": frozenset("source-cut wrong-state-passed state-reset".split()),
    "batch_independence": frozenset(
        "axes-swapped view-for-transpose attention-over-batch softmax-over-batch "
        "softmax-over-features".split()
    ),
    "eval_determinism": frozenset("dropout-in-evaluation dropout-on-state".split()),
    "initial_loss": frozenset("initialisation-too-large saturating-embedding".split()),
    "loss": frozenset("graph-cut".split()),
    "overfit_batch": frozenset("rate-too-low rate-too-high loss-maximised".split()),
}
"""Causes that a check is meant for, as torchtest2's documentation lists typical bugs it catches."""


@dataclass(frozen=True)
class Said:
    """What the other tool said of one script: the checks that failed and that warned."""

    script: WildScript
    failed: frozenset[str]
    warned: frozenset[str]
    error: str = ""
    """Why it could not run; empty if it could."""


def main() -> None:
    """Run the tool on the scripts of some styles and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("styles", nargs="+")
    parser.add_argument("--python", default=".venv-doctor-peers/bin/python")
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "doctor_peers")
    options = parser.parse_args()
    chosen = [script for script in scripts("building") if script.style in options.styles]
    options.out.mkdir(parents=True, exist_ok=True)
    for script in chosen:
        _path(options.out, script).write_text(script.text, "utf-8")
    worker = HERE / "torchtest2_worker.py"
    subprocess.run([options.python, str(worker), str(options.out)], check=True)
    found = [_read(_path(options.out, script), script) for script in chosen]
    print(table(found), file=sys.stdout)


def _path(folder: Path, script: WildScript) -> Path:
    return folder / f"{script.title.replace('/', '__')}.py"


def _read(path: Path, script: WildScript) -> Said:
    given = json.loads(path.with_suffix(".json").read_text("utf-8"))
    checks = {
        status: frozenset(name for name, found, _ in given["results"] if found == status)
        for status in ("FAIL", "WARN")
    }
    return Said(script, checks["FAIL"], checks["WARN"], given["error"])


def table(found: Sequence[Said]) -> str:
    """Return what was said of each script, then the counts."""
    twins = {said.script.style: said for said in found if said.script.name == "train"}
    lines = []
    for said in found:
        wanted = " + ".join(group[0] for group in said.script.causes) or "sound"
        checks = ", ".join(sorted(said.failed) + [f"{name}?" for name in sorted(said.warned)])
        lines.append(f"{said.script.title}: {wanted}; {said.error or checks or 'nothing'}")
    ran = [said for said in found if not said.error]
    faulty = [said for said in ran if said.script.causes]
    sound = [said for said in ran if not said.script.causes]
    new = {said.script.title: _new(said, twins) for said in faulty}
    lines += ["", f"scripts tried: {len(found)}, could run: {len(ran)}"]
    lines.append(f"faulty scripts: {len(faulty)}")
    lines.append(f"  noticed: {sum(map(bool, new.values()))}")
    named = [said for said in faulty if _names(new[said.script.title], said.script)]
    lines.append(f"  named rightly: {len(named)}")
    lines.append(f"sound scripts: {len(sound)}")
    lines.append(f"  accused by a check that failed: {sum(bool(s.failed) for s in sound)}")
    lines.append(f"  by one that warned: {sum(bool(s.warned - s.failed) for s in sound)}")
    return "\n".join(lines)


def _new(said: Said, twins: Mapping[str, Said]) -> frozenset[str]:
    """Return the checks that speak of a script and not of its sound twin."""
    twin = twins.get(said.script.style)
    before = frozenset() if twin is None else twin.failed | twin.warned
    return (said.failed | said.warned) - before


def _names(checks: frozenset[str], script: WildScript) -> bool:
    causes = {name for group in script.causes for name in group}
    return any(NAMES.get(check, frozenset()) & causes for check in checks)


if __name__ == "__main__":
    main()
