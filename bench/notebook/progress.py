"""Shows the progress of runs in a notebook: one bar that moves, below the cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from bench.cli.terminal.progress import Progress
from bench.specs import RunSpec
from results.escapes import for_html
from results.show.terminal import SafeConsole

if TYPE_CHECKING:
    from IPython.display import DisplayHandle


def progress_of(
    specs: Mapping[str, RunSpec], cost: Callable[[RunSpec], float], workers: int
) -> Progress:
    """Return what shows progress where this runs: in a notebook, on a terminal, or in a log.

    Arguments as of `Progress`.
    """
    console = SafeConsole(stderr=True)
    kind = NotebookProgress if console.is_jupyter else Progress
    return kind(specs, cost, workers, console)


class NotebookProgress(Progress):
    """Shows the same as on a terminal as HTML, which a notebook replaces in place."""

    interval = 0.5
    _display: DisplayHandle

    def __enter__(self) -> Progress:
        # IPython is there where a notebook is
        from IPython.display import HTML, display

        self._display = display(HTML(self._html()), display_id=True)  # type: ignore[no-untyped-call]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tell()

    def _tell(self) -> None:
        from IPython.display import HTML

        self._display.update(HTML(self._html()))  # type: ignore[no-untyped-call]

    def _html(self) -> str:
        lines = "<br>".join(map(for_html, self._run_lines()))
        return (
            f'<progress value="{self._remaining.share:.3f}" max="1"></progress> '
            f"{for_html(self._summary())}<br><small>{lines}</small>"
        )
