"""Executes the notebook of docs/ in a fresh folder, as a reader does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[3]


def notebook() -> Any:
    """Return the notebook as it is stored."""
    return nbformat.read(ROOT / "docs" / "notebook.ipynb", 4)  # type: ignore[no-untyped-call]


# what jupyter's own packages warn of is not ours to mend
@pytest.mark.filterwarnings("default")
def test_the_notebook_runs_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    book = notebook()
    client = NotebookClient(book, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    shown = {
        index: "".join(
            output.get("data", {}).get("text/plain", "") for output in cell.get("outputs", ())
        )
        for index, cell in enumerate(book.cells)
    }
    texts = "\n".join(shown.values())
    assert "cell=leaky" in texts
    assert "failed" not in texts
    assert "rate-too-low" in texts
    assert "exact match" in texts
    pictures = [
        output
        for cell in book.cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 2
    bars = [
        html
        for cell in book.cells
        for output in cell.get("outputs", ())
        if "<progress" in (html := output.get("data", {}).get("text/html", ""))
    ]
    # a table is shown once
    assert not [
        cell.source
        for cell in book.cells
        if sum(
            "<pre" in output.get("data", {}).get("text/html", "")
            for output in cell.get("outputs", ())
        )
        > 1
    ]
    # each was replaced in place until its work was done, and no line was printed besides
    assert bars
    assert all('value="1.000"' in bar and "100% of the work, done" in bar for bar in bars)
    assert not [
        output
        for cell in book.cells
        for output in cell.get("outputs", ())
        if "of the work" in output.get("text", "")
    ]


def test_the_notebook_is_stored_without_outputs() -> None:
    book = notebook()
    assert not [cell for cell in book.cells if cell.get("outputs")]
