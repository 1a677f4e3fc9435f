"""How often is the doctor right? Faults planted in runs that would have learned, and healthy runs.

Thresholds in `results.doctor.rules` were set on the half `tuned`; figures are of the half
`held-out`, which has other tasks, cells and seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from bench.doctor.faults import FAULTS
from bench.plan.matrix import Block
from bench.specs import Budget
from variants import Variant, axes

SEEDS = 3


@dataclass(frozen=True)
class Setting:
    """Runs that learn, into which faults are planted. base: their variant. only: these faults; all
    that make sense there if empty."""

    half: str
    task: str
    base: str
    steps: int
    only: tuple[str, ...] = ()

    @property
    def variant(self) -> Variant:
        """As axes."""
        return axes.parse(self.base)

    @property
    def seeds(self) -> range:
        """Those of the half held-out were never looked at: not 3 to 5 either, which were before
        two thresholds were set anew."""
        first = 0 if self.half == "tuned" else 2 * SEEDS
        return range(first, first + SEEDS)


DEEP = "cell=rnn-relu,depth=3,hidden=128,weight_init=xavier,optimizer=momentum,learning_rate=0.1"
"""Whose gradients explode: at common settings clipping, or its absence, changes nothing."""
SMALL = "hidden=50,embedding=50,learning_rate=0.01,clip=3"
SETTINGS = (
    Setting("tuned", "increment", SMALL, 150),
    Setting("tuned", "increment", f"{SMALL},cell=lstm,forcing=constant,dropout=0.1", 200),
    Setting(
        "tuned",
        "reversal",
        "cell=lstm,attention=general,dropout=0.1,forcing=constant,learning_rate=0.005",
        400,
    ),
    Setting("tuned", "keyphrase", "dropout=0.2", 100),
    Setting("tuned", "increment", f"{DEEP},clip=0.5", 200, ("unclipped",)),
    Setting(
        "held-out",
        "reversal",
        "attention=additive,direction=bidirectional,dropout=0.2,learning_rate=0.005",
        400,
    ),
    Setting("held-out", "reversal", "cell=lstm,forcing=constant,learning_rate=0.005,clip=0.5", 500),
    Setting("held-out", "opposites", "cell=rnn,forcing=constant,learning_rate=0.005", 200),
    Setting("held-out", "increment:data_seed=3", f"{SMALL},cell=rnn,depth=2,dropout=0.1", 200),
    Setting(
        "held-out",
        "increment",
        "cell=rnn-relu,depth=3,hidden=100,weight_init=orthogonal,optimizer=rmsprop,"
        "learning_rate=0.002,clip=0.3",
        200,
        ("unclipped",),
    ),
    Setting("held-out", "keyphrase", "cell=lstm,dropout=0.3,direction=bidirectional", 100),
    Setting(
        "held-out",
        "en-zh",
        "attention=general,forcing=constant,dropout=0.1,learning_rate=0.01,direction=bidirectional",
        300,
    ),
)

STAR: Mapping[str, tuple[axes.Value, ...]] = {
    "cell": ("rnn", "lstm", "lstm-layernorm", "mingru", "slstm", "rnn-relu"),
    "attention": ("dot", "general", "additive", "multihead"),
    "depth": (2, 3),
    "direction": ("reversed", "bidirectional"),
    "decoder_input": ("output+context", "context"),
    "forcing": ("constant", "linear", "inverse-sigmoid"),
    "optimizer": ("momentum", "adamw", "rmsprop", "adagrad"),
    "learning_rate": (0.0005, 0.003, 0.01),
    "clip": (0, 0.3, 5),
    "weight_decay": (0.0001, 0.001),
    "hidden": (16, 32, 128),
    "embedding": (8, 100),
    "embedding_init": ("normal", "xavier"),
    "embedding_trained": ("frozen",),
    "dropout": (0.3,),
    "recurrent_dropout": (0.2,),
    "label_smoothing": (0.1,),
    "weight_init": ("orthogonal",),
    "output_weights": ("tied",),
    "precision": ("bf16",),
}
TAGGING = (
    "cell",
    "direction",
    "optimizer",
    "learning_rate",
    "clip",
    "weight_decay",
    "hidden",
    "dropout",
)
"""What of it a tagger has."""
HEALTHY = {
    "tuned": (("increment", "learning_rate=0.005"), ("keyphrase", "")),
    "held-out": (("reversal", "learning_rate=0.002"), ("opposites", "learning_rate=0.005")),
}
BUDGETS: Mapping[str, tuple[int, ...]] = {
    "increment": (40, 200),
    "keyphrase": (30,),
    "reversal": (60, 400),
    "opposites": (30, 200),
}


class Planted(NamedTuple):
    """A fault in a setting; no fault: the healthy twin."""

    setting: Setting
    fault: str
    block: Block


def applies(fault: str, setting: Setting, tagging: bool) -> bool:
    """Whether the setting has what the fault would break."""
    known, variant = FAULTS[fault], setting.variant
    if setting.only and fault not in setting.only:
        return False
    if not (known.tagging if tagging else known.sequences):
        return False
    return {
        "always-forced": variant.forcing != "always",
        "dropout-stays": variant.dropout > 0,
        "unclipped": variant.clip > 0,
    }.get(fault, True)


def planted(half: str) -> Iterator[Planted]:
    """Every fault in every setting of a half, each after its healthy twin."""
    for setting in SETTINGS:
        if setting.half != half:
            continue
        budget = Budget(steps=setting.steps, batch=32, every=setting.steps // 10)
        tagging = setting.task.startswith("keyphrase")
        for fault in ("", *(name for name in FAULTS if applies(name, setting, tagging))):
            block = Block(
                (setting.task,), setting.variant, {}, {}, setting.seeds.stop, budget, fault=fault
            )
            yield Planted(setting, fault, block)


def healthy(half: str) -> Iterator[Block]:
    """Sound runs of many kinds: slow, small, under-trained, solved at once, always forced."""
    for task, base in HEALTHY[half]:
        star = {a: v for a, v in STAR.items() if task != "keyphrase" or a in TAGGING}
        for steps in BUDGETS[task]:
            budget = Budget(steps=steps, batch=32, every=max(steps // 10, 1))
            yield Block((task,), axes.parse(base or "base"), star, {}, SEEDS, budget)
