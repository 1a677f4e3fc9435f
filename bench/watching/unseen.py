"""Says what a recorder could not see of a training, and why."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from bench.watching.record.recorder import Recorder


def unseen(recorder: Recorder) -> list[str]:
    """Return sentences that say what could not be seen, each with its reason."""
    return [*_steps(recorder), *_elsewhere(recorder), *_inside(recorder)]


def _steps(recorder: Recorder) -> Iterator[str]:
    """Yield why steps were not seen."""
    error = recorder.error
    if error is not None:
        text = " ".join(str(error).split())[:200]
        yield (
            f"what came after step {recorder.steps:,}, because recording ended by an error in "
            f"bench itself ({type(error).__name__}: {text}); the training went on; please report it"
        )
    elif recorder.steps == 0 and recorder.backwards:
        yield (
            f"any training step: gradients were computed {recorder.backwards:,} times, but no "
            "optimizer of torch took a step, and no weight was seen to be changed by its gradient"
        )
    elif recorder.steps == 0:
        yield (
            "any training step: no gradient was computed, by backward() or torch.autograd.grad, "
            "and no optimizer took a step; give the script that trains, with the arguments that "
            "it needs"
        )


def _elsewhere(recorder: Recorder) -> Iterator[str]:
    """Yield what ran in other threads and processes."""
    for name, steps in recorder.other_threads.items():
        yield (
            f"{steps:,} optimizer steps in the thread {name}: only the thread that entered the "
            "watch is watched"
        )
    if recorder.processes:
        yield (
            f"{recorder.processes} processes that the script started itself: only the process of "
            "the script is watched"
        )
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        yield (
            f"the other processes of this training ({torch.distributed.get_world_size()} in all): "
            "what is found holds for one of them"
        )


def _inside(recorder: Recorder) -> Iterator[str]:
    """Yield what is hidden inside the calls that were seen."""
    compiled = [n for n, m in recorder.names.modules() for p in m.modules() if _is_compiled(p)]
    if compiled:
        yield (
            f"the calls inside {', '.join(dict.fromkeys(compiled))}: compiled code makes no calls "
            "that can be seen; watch it once without torch.compile and torch.jit"
        )
    devices = {
        root.storage.device.type for one in recorder.rounds for root in one.tape.roots.values()
    }
    if devices - {"cpu"}:
        yield (
            f"the random numbers that were drawn on {', '.join(sorted(devices - {'cpu'}))}: steps "
            "with dropout cannot be run again there exactly; watch it on the CPU to be sure"
        )


def _is_compiled(module: nn.Module) -> bool:
    compiled = getattr(module, "_compiled_call_impl", None) is not None
    return (
        compiled
        or isinstance(module, torch.jit.ScriptModule)
        or type(module).__name__ == "OptimizedModule"
    )
