"""Holds the options of `bench run`, each with its help."""

from __future__ import annotations

from typing import Annotated

import typer

MatrixOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="A matrix of the suite (see bench list), or FILE.toml. Default: quick.",
    ),
]
VaryOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="AXIS",
        help="axis=a,b,c: vary this axis around --base, instead of a matrix. Repeatable.",
    ),
]
BaseOption = Annotated[
    str,
    typer.Option(metavar="VARIANT", help="The variant to vary around, as axis=value,axis=value."),
]
TuneOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="AXIS",
        help="axis=a,b,c: choose one of these for each variant, by validation, on seeds of its own "
        "that are not reported; then run each with its choice. Repeatable.",
    ),
]
GridOption = Annotated[
    bool, typer.Option("--grid", help="With --vary: cross all axes with each other.")
]
UntilDecidedOption = Annotated[
    tuple[str, str] | None,
    typer.Option(
        metavar="A B",
        help="Two variants, with --task and --base: add seeds until a verdict stands on each "
        "task, or up to --seeds (default: 40).",
    ),
]
SeedsOption = Annotated[
    str | None,
    typer.Option(
        metavar="N|A:B",
        help="N seeds, from 0 to N - 1; or A:B, from A to B - 1, to try again with other seeds. "
        "Default: the matrix's; with --vary as many as a verdict takes (6).",
    ),
]
BudgetOption = Annotated[
    str | None,
    typer.Option(
        metavar="LENGTH", help="Length of training: 500steps, 2000000tokens, 3epochs or 60s."
    ),
]
StopOption = Annotated[
    str | None,
    typer.Option(
        metavar="WHEN",
        help="When training ends: with its budget (budget); when the run has flattened, but with "
        "its budget at the latest (plateau); or already at the task's target (solved), which says "
        "how soon, and scores are then not compared. Default: the matrix's, or budget.",
    ),
]
BatchingOption = Annotated[
    str | None,
    typer.Option(
        metavar="KIND",
        help="Batches of like lengths, which pad little (length), or in random order (random), "
        "which on some tasks needs far fewer steps. Default: the matrix's, or length.",
    ),
]
BatchOption = Annotated[
    int | None,
    typer.Option(metavar="N", help="With --vary: examples per training step. Default: 32."),
]
EveryOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="With --vary: steps between two evaluations. Default: a twentieth of the budget.",
    ),
]
DecodingOption = Annotated[
    str | None,
    typer.Option(
        metavar="HOW",
        help="Decoding of the test set: greedy, beam=5 or beam=5,length_penalty=0.6.",
    ),
]
FaultOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Plant this fault in every run, for bench doctor to find (see bench list). "
        "Repeatable: several are planted together.",
    ),
]
ExecutionOption = Annotated[
    str,
    typer.Option(
        metavar="MODE",
        help="replicas: train seeds and learning rates of a variant as one stacked model where "
        "possible; eager: train each run alone; auto: replicas on cuda, else eager.",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Number of worker processes, one thread each. Default: one per core."
    ),
]
EngineOption = Annotated[
    str,
    typer.Option(metavar="NAME", help="local, or ray to use a Ray cluster (needs the extra ray)."),
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="With --engine ray: address of the cluster, or auto for one that runs on this "
        "machine. Default: start one on this machine.",
    ),
]
TimeLimitOption = Annotated[
    float,
    typer.Option(metavar="MINUTES", help="Time limit of one run, in minutes; 0 for none."),
]
MemoryLimitOption = Annotated[
    float,
    typer.Option(metavar="GIB", help="Memory limit of one run's process, in GiB; 0 for none."),
]
RerunOption = Annotated[
    str,
    typer.Option(
        "--rerun",
        metavar="[all|failed]",
        help="Do finished runs of the matrix again: all (also without a word), or those that "
        "failed. Each keeps its outcome until it has a new one.",
    ),
]
KeepWeightsOption = Annotated[
    bool,
    typer.Option(
        "--keep-weights",
        help="Keep each run's best weights, for bench try, and its training state, from which a "
        "larger --budget goes on.",
    ),
]
LayersOption = Annotated[
    bool,
    typer.Option(
        "--layers",
        help="Record every parameter and layer at evaluations (20 steps apart or more), for bench "
        "curves --layers and bench show RUN --layers. Changes no result.",
    ),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Print the planned runs and the estimated hours only.")
]
