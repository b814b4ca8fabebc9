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
    [
        *("core.dtypes", "core.trees", "core.geometry", "core.operators", "core.naming"),
        *("core.context", "core.interrupts"),
    ],
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


def lazy_modules(call, package):
    """Names of the modules in a call of ``lazy.names``."""
    arguments = {keyword.arg: keyword.value for keyword in call.keywords}
    if isinstance(arguments.get("modules"), ast.List):
        yield from (f"{package}.{name.value}" for name in arguments["modules"].elts)
    if "members" in arguments:
        yield from (module.value for module in arguments["members"].keys)


def top_level_imports(path):
    """Names of polykeras modules that are imported when a file is, or at first use, not inside functions."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("lazy.names("):
            yield from lazy_modules(node.value, ".".join(["polykeras", *module_name(path).split(".")]).strip("."))
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


def test_the_import_loads_nothing_slow():
    code = """
import sys
before = set(sys.modules)
import polykeras
print(sorted({name.split(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))
print(sorted(set(sys.modules) & {"concurrent.futures", "hashlib", "html", "http", "logging", "multiprocessing",
                                 "socket", "ssl", "tarfile", "urllib.request", "xml", "zipfile"}))
"""
    third_party, slow = map(ast.literal_eval, run_fresh(code).splitlines())
    # The last two are loaded for optree and NumPy by some of their versions.
    assert set(third_party) <= {"polykeras", "numpy", "ml_dtypes", "optree", "typing_extensions", "_distutils_hack"}
    assert slow == []


def test_names_that_load_later_are_there_in_every_way_to_ask():
    code = """
import polykeras as keras
print("datasets" in dir(keras), "FeatureSpace" in dir(keras.utils), "TensorBoard" in dir(keras.callbacks))
from polykeras.utils import plot_model
from polykeras import wrappers, objectives
print(plot_model is keras.utils.plot_model, keras.datasets.mnist.__name__, keras.preprocessing.image.__name__)
print(hasattr(keras, "no_such_name"), hasattr(keras.utils, "no_such_name"))
"""
    assert run_fresh(code).split() == [
        *("True", "True", "True"),
        *("True", "polykeras.datasets.mnist", "polykeras.preprocessing.image"),
        *("False", "False"),
    ]


def test_every_public_name_that_loads_later_is_there():
    import polykeras as keras

    for package in (keras, keras.callbacks, keras.datasets, keras.models, keras.saving, keras.utils, keras.wrappers):
        assert set(package.__all__) <= set(dir(package))
        for name in package.__all__:
            if package is not keras.wrappers:  # these need scikit-learn
                assert getattr(package, name) is not None, name


def test_a_saved_feature_space_is_found_before_its_module_is_loaded():
    code = """
import polykeras as keras
print(keras.saving.get_registered_object("keras.utils>FeatureSpace").__name__)
"""
    assert run_fresh(code).strip() == "FeatureSpace"
