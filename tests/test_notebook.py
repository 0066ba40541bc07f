"""The notebook of the documentation, executed from its first cell to its last."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


def read() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def test_nothing_is_stored_that_differs_from_run_to_run() -> None:
    notebook = read()
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs"), cell.source
        assert cell.get("execution_count") is None
        assert not cell.metadata


def test_it_runs_and_shows_tables_and_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    # the kernel is to import what is tested here, wherever that is found
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *filter(None, sys.path)]))
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    notebook = read()
    folder = tmp_path / "work"
    folder.mkdir()
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    assert list(folder.iterdir()) == []  # it says that it writes nothing
    shown = [data for cell in notebook.cells for data in outputs(cell)]
    kinds = ["".join(sorted(kind for kind in data if kind != "text/plain")) for data in shown]
    tables, figure, numbers = ["text/html"] * 4, ["image/png"], [""]
    assert kinds == [*tables, *figure, "text/html", *numbers, "text/html"]
    assert all(len(data["text/plain"]) < 1000 for data in shown)
    assert shown[0]["text/html"].count("<img") == 10
    assert "<b>dataset: scenes test</b>" in shown[0]["text/html"]
    assert "<b>classifier: small</b>" in shown[1]["text/html"]
    assert float(shown[6]["text/plain"].split("'accuracy': ")[1].split(",")[0]) > 0.5


def outputs(cell: Any) -> list[Any]:
    """What a cell shows, what it prints aside."""
    for output in cell.get("outputs", ()):
        assert output.output_type in ("execute_result", "stream"), output
        assert output.get("name") != "stderr" or output.text.startswith("note: "), output.text
    return [output.data for output in cell.get("outputs", ()) if output.output_type == "execute_result"]
