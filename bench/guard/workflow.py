"""Writes the GitHub workflow that guards a plugin's repository."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path

from bench.guard.processes import GuardError

WORKFLOW = Path(".github/workflows/guard.yml")
"""Where the workflow is written, from the root of the repository."""
WORKFLOW_TEXT = """\
name: guard
on: pull_request
jobs:
  guard:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v5
        with: {fetch-depth: 0}
      - uses: actions/setup-python@v6
        with: {python-version: "3.11"}
      - run: pip install torch==%(torch)s --index-url https://download.pytorch.org/whl/cpu
      - run: pip install %(suite)s
      - name: counts of operations, exact
        run: bench guard %(plugins)s--baseline %(baseline)s --markdown "$GITHUB_STEP_SUMMARY"
      - name: time
        run: |
          bench guard %(plugins)s%(chosen)s--against "origin/${{ github.base_ref }}" \\
            --markdown "$GITHUB_STEP_SUMMARY" || code=$?
          # 3: this runner was too noisy to tell, which is no fault of the change
          [ "${code:-0}" = 3 ] && echo "::warning::bench guard cannot tell" && exit 0
          exit "${code:-0}"
      - name: quality
        run: bench guard %(plugins)s%(chosen)s--quality --against "origin/${{ github.base_ref }}"
"""


def workflow_text(
    baseline: Path, variants: Sequence[str], tasks: Sequence[str], plugins: Sequence[Path]
) -> str:
    """Return a workflow that guards these variants with these plugins."""

    def options(name: str, values: Sequence[object]) -> str:
        return "".join(f"{name} {shlex.quote(str(value))} " for value in values)

    return WORKFLOW_TEXT % {
        "torch": distribution("torch").version.partition("+")[0],
        "suite": shlex.quote(_address()),
        "baseline": shlex.quote(str(baseline)),
        "plugins": options("--plugin", plugins),
        "chosen": options("--variant", variants) + options("--task", tasks),
    }


def _address() -> str:
    """Return what pip installs this suite from: where it came from here, else its release."""
    suite = distribution("seq2seq-bench")
    known = json.loads(suite.read_text("direct_url.json") or "{}")
    version = known.get("vcs_info")
    if version:
        return f"{version['vcs']}+{known['url']}@{version['commit_id']}"
    return f"seq2seq-bench=={suite.version}"


def write_workflow(text: str) -> None:
    """Write the workflow; GuardError if there is one already, which may have been changed."""
    if WORKFLOW.exists():
        raise GuardError(f"{WORKFLOW} is there already; move it away, or use --update alone")
    WORKFLOW.parent.mkdir(parents=True, exist_ok=True)
    WORKFLOW.write_text(text, encoding="utf-8")
