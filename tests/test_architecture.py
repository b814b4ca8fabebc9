"""The rules of the house: imports point downwards, frameworks stay in their adapters, files stay short."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "polykeras"
FILES = sorted(PACKAGE.rglob("*.py"))
FRAMEWORKS = ("tensorflow", "torch", "jax", "jaxlib", "autograd")

# From the ground up: a module may import from its own row at the top level, and from rows below.
LEVELS = [
    ["config", "tree"],
    ["core.dtypes", "core.trees", "core.geometry", "core.operators", "core.naming", "core.context", "core.interrupts"],
    ["backends"],
    ["core"],
    ["dtype_policies", "devices"],
    ["ops", "random"],
    ["initializers", "regularizers", "constraints", "activations"],
    ["backend"],
    ["losses", "metrics", "optimizers"],
    ["callbacks", "datasets", "mixed_precision", "objectives"],
    ["layers", "training", "models", "utils", "saving", "interop"],
    ["engine", "legacy", "preprocessing", "visualization", "wrappers", "parity", "testing", "cli"],
    ["", "__main__"],
]


def module_name(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def level(name):
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        for place, row in enumerate(LEVELS):
            if prefix in row:
                return place
    return len(LEVELS) - 1 if name in ("", "__init__") else None


def top_level_imports(path):
    """Names of polykeras modules that are imported when a file is, not inside functions."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                is_module = (PACKAGE.parent / inner.replace(".", "/")).with_suffix(".py").exists()
                is_package = (PACKAGE.parent / inner.replace(".", "/") / "__init__.py").exists()
                yield inner if is_module or is_package else node.module


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_downwards(path):
    own = level(module_name(path))
    assert own is not None, f"{path.name} has no place in LEVELS"
    for name in top_level_imports(path):
        if name == "polykeras" or not name.startswith("polykeras."):
            continue
        other = name.removeprefix("polykeras.")
        assert level(other) is not None, f"{other} has no place in LEVELS"
        assert level(other) <= own, f"{path.relative_to(PACKAGE)} imports {other}, which lies above it"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_frameworks_are_named_in_their_adapters_only(path):
    if path.parent.name == "backends" or path.parent.name == "interop":
        return
    for node in ast.walk(ast.parse(path.read_text())):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not [n for n in names if n.split(".")[0] in FRAMEWORKS]
        if isinstance(node, ast.Compare):
            text = ast.unparse(node)
            assert not re.search(r"(==|!=| in ).*['\"](tensorflow|torch|jax)['\"]", text), text


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_keep_the_budget_of_800_lines(path):
    assert len(path.read_text().splitlines()) <= 800


def run_fresh(code):
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(PACKAGE.parent), "KERAS_VERBOSE": "0"}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    ).stdout


def test_building_and_summarising_a_model_loads_no_framework():
    code = """
import sys
import polykeras as keras
model = keras.Sequential([keras.Input((16,))] + [keras.layers.Dense(16, activation="relu") for _ in range(50)])
model.summary(print_fn=lambda line: None)
print([name for name in ("tensorflow", "torch", "jax", "autograd") if name in sys.modules])
"""
    assert run_fresh(code).strip() == "[]"
