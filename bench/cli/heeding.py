"""Refuses options that a verb could not heed in the way in which it is used.

A verb with several ways of use names, for each, the options that belong to it. An option that was
given and belongs to another way is an error, for what is ignored looks as if it had been done.
"""

from __future__ import annotations

from collections.abc import Mapping

import typer

from bench.cli.shared import CommandError

OF_COMPARISON = frozenset({"task", "seeds", "notes", "as_json", "store"})
"""Options that every way of comparing heeds."""
OF_GUARD = frozenset({"variant", "task", "markdown", "junit", "as_json", "plugin", "store"})
"""Options that the guard heeds unless it reads two files."""
OF_TRAINING = frozenset({
    *("task", "seeds", "budget", "decoding", "device", "execution", "workers", "engine"),
    *("address", "time_limit", "memory_limit", "plugin", "store"),
})  # fmt: skip
"""Options that every way of running heeds."""
OF_MATRIX = OF_TRAINING | {
    "stop",
    "batching",
    "tune",
    "fault",
    "rerun",
    "keep_weights",
    "layers",
    "dry_run",
    "notes",
}
"""Options that runs of any matrix heed."""

OF_PAIRS = frozenset({
    *("name", "files", "languages", "columns", "separator", "encoding", "target", "store"),
})  # fmt: skip
"""Options that every way of adding parallel text heeds."""
OF_SPLITS = frozenset({"train", "valid", "test"})
"""Options that give files of splits."""
OF_TRYING = frozenset({"run", "decoding", "plugin", "store"})
"""Options that every way of trying a model heeds."""
OF_OUTPUTS = frozenset({"task", "split", "as_json", "plugin", "store"})
"""Options that every way of showing outputs heeds."""

HEEDED: Mapping[str, Mapping[str, frozenset[str]]] = {
    "run": {
        "a matrix": OF_MATRIX | {"matrix"},
        "--vary": OF_MATRIX | {"vary", "base", "grid", "batch", "every"},
        "--base": OF_MATRIX | {"base", "batch", "every"},
        "--until-decided": OF_TRAINING | {"until_decided", "base", "batch", "every"},
    },
    "compare": {
        "two variants": OF_COMPARISON | {"a", "b", "metric", "plugin"},
        "two variants, at equal cost": OF_COMPARISON | {"a", "b", "fair", "plugin"},
        "two variants, along curves": OF_COMPARISON | {"a", "b", "along"},
        "--axis": OF_COMPARISON | {"axis", "again"},
        "--with-store": OF_COMPARISON | {"with_store"},
        "--dates": OF_COMPARISON | {"dates"},
    },
    "doctor": {
        "a script": frozenset({
            *("run", "arguments", "module", "steps", "time_limit", "memory_limit", "as_json"),
        }),
        "one run": frozenset({"run", "confirm", "task", "as_json", "plugin", "store"}),
        "--all": frozenset({"everything", "task", "as_json", "store"}),
    },
    "export": {
        "tables": frozenset({
            *("form", "output", "effects", "again", "layers", "runs", "task", "store"),
        }),
        "a tracker": frozenset({"form", "output", "follow", "task", "store"}),
    },
    "guard": {
        "--update": frozenset({
            *("update", "baseline", "variant", "task", "device", "plugin", "store"),
        }),
        "--init": frozenset({
            *("init", "baseline", "variant", "task", "device", "plugin", "store"),
        }),
        "a baseline": OF_GUARD | {"against", "baseline", "device"},
        "--against a revision": OF_GUARD | {"against", "minutes", "threshold", "device"},
        "--quality": OF_GUARD | {"against", "quality", "matrix"},
        "--pytest-benchmark": frozenset({
            *("pytest_benchmark", "threshold", "markdown", "junit", "as_json"),
        }),
    },
    "throughput": {
        "--task": frozenset({
            *("variants", "base", "task", "batches", "batch", "sweep", "plot", "work", "repeats"),
            *("replicas", "device", "as_json", "plugin", "store"),
        }),
        "made-up batches": frozenset({
            *("variants", "base", "batch", "source", "target", "vocabulary", "sweep", "plot"),
            *("work", "repeats", "replicas", "device", "as_json", "plugin", "store"),
        }),
    },
    "data add": {
        "a corpus": OF_PAIRS | OF_SPLITS | {"header", "form"},
        "--vectors": frozenset({"name", "files", "vectors", "store"}),
        "--streamed": OF_PAIRS | {
            *("header", "form", "streamed", "tokens", "longest", "symbols"),
        },
        "--tagged": OF_SPLITS | {
            *("name", "files", "columns", "separator", "encoding", "tagged", "scheme", "store"),
        },
    },
    "show": {
        "one run": frozenset({"run", "task", "layers", "as_json", "store"}),
        "--errors": OF_OUTPUTS | {"run", "errors"},
        "two runs": OF_OUTPUTS | {"run", "other"},
    },
    "try": {
        "a text": OF_TRYING | {"text", "as_json"},
        "--file": OF_TRYING | {"file", "output", "best", "reference"},
    },
    "list": {
        "names": frozenset({"name", "as_json", "plugin"}),
        "--markdown": frozenset({"markdown", "plugin"}),
    },
}  # fmt: skip
"""Parameters that each way of using a verb heeds; verbs that are not here heed all they have."""

EXCLUDED: Mapping[str, Mapping[str, frozenset[str]]] = {
    "table": {"as_json": frozenset({"notes"})},
    "compare": {"as_json": frozenset({"notes"})},
    "claims run": {"as_json": frozenset({"notes"})},
    "claims list": {"as_json": frozenset({"notes"})},
    "claims show": {"as_json": frozenset({"markdown"})},
    "status": {"watch": frozenset({"as_json"})},
    "drop": {"purge": frozenset({"runs", "task", "status", "every"})},
}
"""Parameters that do nothing beside another, by the verb and by that other one."""


def refuse_excluded(context: typer.Context, verb: str) -> None:
    """Raise a CommandError for an option that was typed and does nothing beside another one."""
    for chosen, without_effect in EXCLUDED.get(verb, {}).items():
        if not is_typed(context, chosen):
            continue
        for name in sorted(without_effect):
            if is_typed(context, name):
                raise CommandError(
                    f"{_written(context, name)} does nothing with {_written(context, chosen)}; "
                    "leave one out"
                )


def is_typed(context: typer.Context, name: str) -> bool:
    """Return whether a parameter was given on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _written(context: typer.Context, name: str) -> str:
    """Return a parameter as it is typed: `--json`, or the name of an argument."""
    (parameter,) = (known for known in context.command.params if known.name == name)
    return next((word for word in parameter.opts if word.startswith("--")), name)


def refuse_unheeded(context: typer.Context, verb: str, way: str) -> None:
    """Raise a CommandError for an option that was typed and does nothing in this way of use.

    Args:
        context: of the command, which knows what was typed.
        verb: the verb's name, as in HEEDED.
        way: one of its ways.
    """
    heeded = HEEDED[verb][way]
    for parameter in context.command.params:
        name = str(parameter.name)
        if name not in heeded and is_typed(context, name):
            ways = " or ".join(other for other, names in HEEDED[verb].items() if name in names)
            option = _written(context, name)
            raise CommandError(f"{option} does nothing with {way}; it goes with {ways}")
    refuse_excluded(context, verb)
