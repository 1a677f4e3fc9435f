"""Plans a stored run once more: as this installation does it, or as a finding advises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from bench import specs
from bench.plugins.loading import digest_of
from bench.specs import RunSpec
from results.doctor.examined import Finding
from results.record import Record
from variants import axes


def as_installed(spec: RunSpec, **changes: Any) -> RunSpec:
    """Return a spec for this installation's torch and plugins, with eager execution.

    changes: fields of the spec to replace.
    """
    spec = replace(spec, **changes)
    return specs.make(
        spec.task,
        spec.data,
        spec.variant,
        spec.budget,
        spec.seed,
        spec.device,
        spec.decoding,
        digest_of(spec.task, spec.variant),
        fault=spec.fault,
        tuning=spec.tuning,
    )


def as_advised(
    record: Record, finding: Finding, remedy: Mapping[str, Any] | None = None
) -> RunSpec:
    """Return the run that tests a finding's advice: axes changed, no fault, today's code.

    remedy: the axes to change, the finding's first remedy if left out.

    Raises:
        ValueError: The advised run has the same id as the stored run, so it would test nothing.
    """
    spec = RunSpec.read(dict(record.spec))
    variant = asdict(
        axes.change(
            axes.from_record(spec.variant), dict(finding.remedy if remedy is None else remedy)
        )
    )
    advised = as_installed(spec, variant=variant, fault="")
    if advised.id == record.id:
        raise ValueError(
            f"nothing has changed since run {record.id}; first: {finding.change}; then run this "
            "command again, with --plugin if your code is a plugin"
        )
    return advised
