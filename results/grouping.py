"""Groups the runs that may be compared, and names what each group has in common.

A group is a task with a setting: the text of everything that all runs of one table share, such
as budget and device.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from results import metrics, naming
from results.record import SPENT_KEYS, Record

STOP_TEXTS = {"budget": "", "solved": "stops at the target", "plateau": "stops when flat"}
"""What a setting says of the moments at which training can end; nothing of the usual one."""
HIDDEN_KEYS = ("torch", "data", "execution", "numerics", "host")
"""Keys of a spec that a setting names only where runs differ in them."""


Groups = dict[tuple[str, str], list[Record]]
"""Runs that may be compared, by task and setting."""


def grouped(records: Iterable[Record]) -> Groups:
    """Group runs that may be compared, by task and setting, in alphabetical order.

    Runs that share the text of a setting may still differ in something else that is part of a
    run's id (torch's version, the data, ...) or in how their scores were computed. Those are kept
    apart too, and their settings then name the difference.
    """
    found: Groups = {}
    for (task, setting), runs in by_setting(records).items():
        for record, details in zip(runs, _distinctions(runs), strict=True):
            found.setdefault((task, ", ".join([setting, *details])), []).append(record)
    return dict(sorted(found.items()))


def by_setting(records: Iterable[Record]) -> Groups:
    """Group runs by task and the text of their setting alone."""
    found: Groups = {}
    for record in records:
        found.setdefault((record.task, setting_text(record)), []).append(record)
    return found


def _distinctions(runs: Sequence[Record]) -> list[list[str]]:
    """Return for each of these runs what sets it apart from the others; mostly nothing."""
    differing = [key for key in HIDDEN_KEYS if _differs(runs, key)]
    signatures = _signatures(runs)
    found = [[f"{key} {_hidden(run, key)}" for key in differing] for run in runs]
    if len(signatures) > 1:
        for run, details in zip(runs, found, strict=True):
            # a failed run has no scores and so no signature; it stays with the first
            details.append(f"scored by {signature(run.outcome) or signatures[0]}")
    return found


def _differs(runs: Sequence[Record], key: str) -> bool:
    """Return whether runs differ in a hidden value; mostly not even the values of specs do."""
    if len({run.spec.get(key) for run in runs}) == 1:
        return False
    return len({_hidden(run, key) for run in runs}) > 1


def _signatures(runs: Sequence[Record]) -> list[str]:
    return sorted({signed for run in runs if (signed := signature(run.outcome))})


def _hidden(record: Record, key: str) -> Any:
    """Return a value of the spec; pretrained vectors belong to the variant, not to the data."""
    value = record.spec.get(key)
    if key == "execution" and value == "replicas":
        return "eager"  # but for rounding, a replica is the run that it would be alone
    return value.partition("+")[0] if key == "data" and isinstance(value, str) else value


def signature(outcome: Mapping[str, Any]) -> str | None:
    """Return the signature of the deciding score, as sacrebleu gives one; None without one."""
    signed = outcome.get("signatures", {}).get(outcome.get("metric"))
    return None if signed is None else str(signed)


def setting_text(record: Record) -> str:
    """Return what must be equal for runs to stand in one table: `800 steps, batch 32, cpu`."""
    budget = record.spec["budget"]
    limit = next(f"{_plain_number(budget[k])} {k}" for k in SPENT_KEYS if budget[k])
    parts = [limit, f"batch {budget['batch']}", str(record.spec["device"])]
    parts += [f"{budget['batching']} batches"] if "batching" in budget else []
    parts += [f"evaluated every {budget['every']}"] if budget["every"] else []
    parts += [text] if (text := STOP_TEXTS.get(budget["stop"], str(budget["stop"]))) else []
    parts += [str(record.spec["fault"])] if record.spec["fault"] else []
    if record.spec["decoding"] != "greedy":
        parts.append(str(record.spec["decoding"]))
    return ", ".join(parts)


def budget_of(setting: str) -> str:
    """Return the budget that a setting begins with: `800 steps`."""
    return setting.partition(",")[0]


def _plain_number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def by_variant(records: list[Record], base: Mapping[str, Any]) -> dict[str, list[Record]]:
    """Group runs by the name of their variant.

    One name may stand for different models if a plugin's source or the pretrained vectors
    changed; then the names say in brackets which is which.
    """
    variants = [record.named for record in records]
    names = {id(variant): naming.name(variant, base) for variant in naming.objects(variants)}
    named: dict[str, dict[str, list[Record]]] = {}
    for record, variant in zip(records, variants, strict=True):
        versions = named.setdefault(names[id(variant)], {})
        versions.setdefault(_version(record), []).append(record)
    return {
        name if len(versions) == 1 else f"{name} [{version}]": runs
        for name, versions in named.items()
        for version, runs in versions.items()
    }


def namings(
    group: Sequence[Record], suite: Mapping[str, Any]
) -> Iterator[tuple[Mapping[str, Any], dict[str, list[Record]]]]:
    """Yield the base of a table and its runs by name relative to it, then those of the suite.

    Names that are compared must come from one of the two, because `base` of the one may be a
    variant that has another name in the other. Where tuning chose values, names with these values
    instead of `tuned` come last.
    """
    for base in (naming.shared_base([record.named for record in group], suite), suite):
        yield base, by_variant(list(group), base)
    if any(record.tuned for record in group):
        yield from namings([replace(record, tuned=None) for record in group], suite)


def called(named: Mapping[str, list[Record]], name: str) -> list[Record] | None:
    """Return the runs of a name; of a name with several versions, those of the latest.

    named: runs by name, as `by_variant` gives them.
    """
    if name in named:
        return named[name]
    versions = [runs for other, runs in named.items() if other.startswith(f"{name} [")]
    return max(versions, key=_last_begun) if versions else None


def latest_version(runs: Sequence[Record]) -> list[Record]:
    """Return the runs of a variant that were done with the latest version of its plugin."""
    versions: dict[str, list[Record]] = {}
    for record in runs:
        versions.setdefault(_version(record), []).append(record)
    return max(versions.values(), key=_last_begun)


def _last_begun(runs: Sequence[Record]) -> float:
    return max(float(run.measured.get("began") or 0.0) for run in runs)


def _version(record: Record) -> str:
    plugin, vectors = record.spec.get("plugin"), record.spec.get("data", "").partition("+")[2]
    details = [f"plugin {plugin}"] * bool(plugin) + [f"vectors {vectors}"] * bool(vectors)
    return ", ".join(details)


def core_share(records: Iterable[Record]) -> float | None:
    """Return the smallest share of its training time that a run had a CPU core for.

    The rest of the time the core served other programs. None if no run measured it.
    """
    shares = [record.measured.get("core_share") for record in records]
    return min((share for share in shares if share is not None), default=None)


def counted_score(outcome: Mapping[str, Any], metric: str) -> float | None:
    """Return the score that a run counts with: its own, or the worst one if it has none.

    It is None if a run has no score, and the metric no worst value.
    """
    score = test_score(outcome)
    return metrics.worst(metric) if score is None else score


def test_score(outcome: Mapping[str, Any]) -> float | None:
    """Return the deciding score on test; None if the run has none."""
    score = outcome.get("scores", {}).get("test", {}).get(outcome.get("metric"))
    return None if score is None else float(score)
