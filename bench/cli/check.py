"""bench check: does a part or a task keep the contract?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.shared import (
    STORE,
    CommandError,
    JsonOption,
    PluginOption,
    StoreOption,
    load_plugins,
    usage,
    writes_unicode,
)

if TYPE_CHECKING:
    from bench.plugins.contract import Finding
    from variants import Variant


def check(
    name: Annotated[
        str, typer.Argument(help="A variant (cell=mine), a value alone (mine), or a task.")
    ],
    tagging: Annotated[
        bool, typer.Option("--tagging", help="Check the variant as a tagger.")
    ] = False,
    as_rows: JsonOption = False,
    plugin: PluginOption = None,
    store: StoreOption = STORE,
) -> None:
    """Run the contract tests on a part or task, and say in plain words what fails."""
    load_plugins(plugin)
    from pathlib import Path

    from bench.plugins import contract
    from bench.training.process import cached_task
    from results.export.files import as_json
    from tasks import TASKS, build
    from variants import inapplicable

    with usage():
        if name.partition(":")[0] in [entry.name for entry in TASKS]:
            cached_task(name, Path(store) / "data")  # what is wrong with its label is the user's
            findings = contract.of_task(lambda: build(name, Path(store) / "data"))
        else:
            variant = _variant(name)
            reason = inapplicable(variant, tagging)
            if reason is not None:
                raise ValueError(f"{name} does not apply: {reason}")
            findings = contract.of_variant(variant, tagging)
    if as_rows:
        print(as_json([f._asdict() for f in findings], ascii_only=not writes_unicode()))
    else:
        _show(findings)
    failed = sum(bool(finding.wrong) for finding in findings)
    if failed:
        raise CommandError(f"{name} fails {failed} of {len(findings)} checks", 1)


def _variant(name: str) -> Variant:
    """From `axis=value,...`, or a value that one axis has."""
    from tasks import TASKS
    from tasks.choices import one_of
    from variants import axes

    small = axes.parse("hidden=32,embedding=16,learning_rate=0.01")
    if "=" in name:
        return axes.parse(name, small)
    found = [axis for axis in axes.AXES if name in axes.values(axis)]
    if not found:
        every = dict.fromkeys(value for axis in axes.AXES for value in axes.values(axis))
        one_of("part or task", name, [*every, *(entry.name for entry in TASKS)])
    if len(found) > 1:
        said = " or ".join(f"{axis}={name}" for axis in found)
        raise ValueError(f"{name!r} is a value of {len(found)} axes; say which, {said}")
    return axes.parse(f"{found[0]}={name}", small)


def _show(findings: list[Finding]) -> None:
    for finding in findings:
        print(f"{'fails' if finding.wrong else 'holds'}  {finding.what}")
        if finding.wrong:
            print(f"       {finding.wrong}")
