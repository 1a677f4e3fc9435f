"""Proves that the comparison with another tool counts as it says."""

from __future__ import annotations

from tests.perf.doctor_peers import Said, table
from tests.wild.scripts import WildScript


def said(name: str, cause: str, failed: str = "", warned: str = "", error: str = "") -> Said:
    causes = ((cause,),) if cause else ()
    script = WildScript("building", "style", name, "", causes)
    return Said(script, frozenset(failed.split()), frozenset(warned.split()), error)


def test_counts() -> None:
    lines = [
        line.strip()
        for line in table(
            [
                said("train", "", warned="overfit_batch"),
                said("accused", "", failed="gradient_flow"),
                said("quiet", ""),
                said("named", "graph-cut", failed="gradient_flow"),
                said("other-name", "unshifted-targets", failed="gradient_flow"),
                # the sound twin has this warning too
                said("as-before", "rate-too-low", warned="overfit_batch"),
                said("failed", "axes-swapped", error="no model"),
            ]
        ).splitlines()
    ]
    assert "style/as-before: rate-too-low; overfit_batch?" in lines
    assert "style/failed: axes-swapped; no model" in lines
    assert "scripts tried: 7, could run: 6" in lines
    assert lines[lines.index("faulty scripts: 3") + 1 :] == [
        "noticed: 2",
        "named rightly: 1",
        "sound scripts: 3",
        "accused by a check that failed: 1",
        "by one that warned: 1",
    ]
