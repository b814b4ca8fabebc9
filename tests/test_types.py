"""What type checkers and editors read is what the package holds, also where names are loaded when first asked for."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAZY = [
    "", "applications", "callbacks", "datasets", "layers", "metrics", "models", "optimizers", "parity",
    "utils", "wrappers"
]  # fmt: skip
LISTED = ["backends", "initializers", "layers", "losses", "metrics", "ops"]


def package(name):
    return importlib.import_module(f"polykeras.{name}" if name else "polykeras")


def shown_to_type_checkers(module):
    """The objects that a package imports under ``if TYPE_CHECKING``, by name."""
    tree = ast.parse(Path(module.__file__).read_text())
    blocks = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imports = [statement for block in blocks for statement in block.body]
    return {alias.asname: _imported(node.module, alias.name) for node in imports for alias in node.names}


def _imported(module, name):
    found = importlib.import_module(module)
    return getattr(found, name) if hasattr(found, name) else importlib.import_module(f"{module}.{name}")


def names_loaded_late(module):
    if not hasattr(module, "__getattr__"):
        return set()
    table = inspect.getclosurevars(module.__getattr__).nonlocals
    return {*table["modules"], *table["homes"]}


@pytest.mark.parametrize("name", LAZY)
def test_names_loaded_late_are_shown_to_type_checkers(name):
    module = package(name)
    shown = shown_to_type_checkers(module)
    assert shown.keys() == names_loaded_late(module)
    assert all(getattr(module, each) is value for each, value in shown.items())


@pytest.mark.parametrize("name", LISTED)
def test_packages_that_gather_names_list_all_of_them(name):
    module = package(name)
    gathered = {
        each
        for each, value in vars(module).items()
        if not each.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__.startswith("polykeras.")
        and not value.__module__.startswith("polykeras.core.")
    }
    internal = {"Kernels", "check_labels", "Reduction"}  # the last one where Keras is replaced
    assert gathered - internal - names_loaded_late(module) <= set(module.__all__)
    assert all(hasattr(module, each) for each in module.__all__)


def test_all_lazy_packages_are_tested():
    # Names of older Keras, in compat/, are there for programs that are written already.
    files = [file for file in (ROOT / "polykeras").rglob("__init__.py") if "compat" not in file.parts]
    found = [file.parent.relative_to(ROOT / "polykeras") for file in files if "lazy.names(" in file.read_text()]
    assert sorted("" if str(path) == "." else str(path) for path in found) == sorted(LAZY)


def test_calls_of_users_have_types(tmp_path):
    pytest.importorskip("mypy")
    program = """
import numpy as np
import polykeras as keras
class Own(keras.Model):
    pass
reveal_type(keras.layers.Dense(3))
reveal_type(keras.Sequential([keras.layers.Dense(3)]).fit(np.ones(3)))
reveal_type(Own())
reveal_type(keras.Input((3,)))
reveal_type(keras.callbacks.TensorBoard())
reveal_type(keras.ops.matmul)
keras.layers.Dense("three")
keras.layers.Dense(3, activation="relu", nonsense=keras.layers.Nonsense)
"""
    file = tmp_path / "program.py"
    file.write_text(program)
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), str(file)]
    lines = subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout.splitlines()
    revealed = [line.partition('Revealed type is "')[2].rstrip('"') for line in lines if "Revealed" in line]
    short = [text.replace("polykeras.", "").rpartition(".")[2] for text in revealed[:5]]
    assert short == ["Dense", "History", "Own", "KerasTensor", "TensorBoard"]
    assert "x1" in revealed[5]
    errors = [line for line in lines if "error:" in line]
    assert len(errors) == 2
    assert 'expected "int"' in errors[0] and '"Nonsense"' in errors[1]
