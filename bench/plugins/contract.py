"""Runs named checks of a contract and reports each as a plain sentence.

`model_checks` and `task_checks` hold what `bench check` tests on a part or task from outside. The
suite's own parts are held to more by tests/variants/test_contract.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from torch import Tensor

from bench.training.surroundings import put_back_after
from results.escapes import error_text
from variants import Batch

Checked = TypeVar("Checked")


class CheckResult(NamedTuple):
    """The result of one check: what was checked, and what is wrong, empty if it holds."""

    what: str
    wrong: str


class ContractError(Exception):
    """A part or task breaks the contract; the message is a sentence that says how."""


def run_checks(
    checks: Sequence[tuple[str, Callable[[Checked], None]]], checked: Checked
) -> Iterator[CheckResult]:
    """Run all checks, also after one that fails, and yield their results.

    Args:
        checks: What each check says in words, and the function that raises ContractError.
        checked: The argument of every check.
    """
    for what, check in checks:
        try:
            with put_back_after():
                check(checked)
        except ContractError as broken:
            yield CheckResult(what, str(broken))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever code from outside raises, or exits
            yield CheckResult(what, f"it raises {error_text(error)}")
        else:
            yield CheckResult(what, "")


def check_shapes(logits: object, batch: Batch, sizes: tuple[int, ...]) -> None:
    """Raise ContractError unless logits have the shapes that `score` should return.

    Args:
        logits: What `score` returned: a tuple of (N, V), one for each target stream, where N is
            the number of real target positions in the batch.
        sizes: V of each target stream.
    """
    wanted = [(batch.tokens, size) for size in sizes]
    found = (
        [tuple(head.shape) for head in logits]
        if isinstance(logits, tuple) and all(isinstance(head, Tensor) for head in logits)
        else type(logits).__name__
    )
    if found != wanted:
        raise ContractError(
            f"score gives {found}; it should give a tuple of logits, {wanted}: a row for each "
            "real target position, a column for each symbol"
        )
