"""The notebook runs from its first cell to its last."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SMALL = {"NUM_LEAVES = 4000": "NUM_LEAVES = 100", "TOTAL_KIMG = 30": "TOTAL_KIMG = 0.2", "RESOLUTION = 32": "RESOLUTION = 16"}


@pytest.mark.slow  # trains
def test_quickstart(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat", reason="needs the extra `notebook`")
    nbclient = pytest.importorskip("nbclient", reason="needs the extra `notebook`")
    pytest.importorskip("ipykernel", reason="needs the extra `notebook`")
    notebook = nbformat.read(ROOT / "notebooks" / "quickstart.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells)
    for cell in notebook.cells:
        for old, new in SMALL.items():
            cell.source = cell.source.replace(old, new)
    assert all(any(new in cell.source for cell in notebook.cells) for new in SMALL.values())
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    client = nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    shown = [name for cell in notebook.cells for output in cell.get("outputs", []) for name in output.get("data", {})]
    assert shown.count("image/png") == 5  # the dataset, the grid of the run, images, the walk, truncation
