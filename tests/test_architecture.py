"""The rules of the house: imports point downwards, frameworks stay in their adapters, files stay short."""

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

from polykeras.compat.paths import home_of

PACKAGE = Path(__file__).parent.parent / "polykeras"
FILES = sorted(PACKAGE.rglob("*.py"))
FRAMEWORKS = ("tensorflow", "torch", "jax", "jaxlib", "autograd")

# From the ground up: a module may import from its own row at the top level, and from rows below.
LEVELS = [
    ["config", "tree", "compat.paths", "compat.loaders", "capture.stamp", "capture.lru_cache", "capture.namespaces"],
    [
        *("core.dtypes", "core.trees", "core.window_geometry", "core.operators", "core.naming", "core.lazy"),
        *("core.context", "core.interrupts", "core.types"),
    ],
    ["capture.tape"],
    ["backends"],
    ["core", "serialization"],
    ["dtype_policies", "devices", "distribution", "capture.numbers"],
    ["ops", "random"],
    ["initializers", "regularizers", "constraints", "activations", "quantizers"],
    ["compat.keras2.backend"],
    ["losses", "metrics", "optimizers"],
    ["callbacks", "mixed_precision", "saving.files", "saving.hdf5"],
    ["layers"],
    ["capture"],
    ["training"],
    ["models"],
    ["saving"],
    ["utils"],
    ["datasets"],
    ["interop"],
    [
        "applications",
        "compat",
        "distillation",
        "export",
        "preprocessing",
        "visualization",
        "wrappers",
        "parity",
        "testing",
        "cli",
    ],
    ["", "__main__"],
]

# Imports that point upwards, from a package to what it reaches, and why: inside functions, by ``lazy.names``, or in
# the file of a public package that shows names.
UPWARD_IMPORTS = {
    ("config", "backends"): "set_backend and its like are settings by name, and act on the engines",
    ("config", "compat"): "an era is a setting by name, and acts on defaults everywhere",
    ("config", "dtype_policies"): "keras.config shows the global policy, which needs dtypes",
    ("config", "serialization"): "safe mode is a setting by name, and acts on what is deserialized",
    ("backends", "interop"): "TensorFlow takes models into its checkpoints only as objects of a class of its own",
    ("core", "initializers"): "a variable takes the name of an initializer",
    ("dtype_policies", "ops"): "DTypePolicy.convert_input casts symbolic tensors too",
    ("callbacks", "training"): "BackupAndRestore keeps the position of a fit",
    ("callbacks", "saving"): "checkpoints of the orbax library are written by saving",
    ("callbacks", "models"): "TensorBoard draws models",
    ("callbacks", "utils"): "TensorBoard draws models",
    ("distribution", "interop"): "a dataset of tf.data is divided among processes by TensorFlow's own tools",
    ("layers", "compat"): "keras.layers.Merge and merge, of Keras 1",
    ("layers", "interop"): "wrappers of the engines' own modules are layers by name",
    ("training", "interop"): "a dataset may become one of tf.data",
    ("training", "models"): "a step builds a model that has no weights yet",
    ("metrics", "compat"): "base classes of metrics in Keras 2",
    ("saving", "compat"): "files of Keras 2 leave to its defaults what they do not say",
    ("models", "interop"): "layers around an engine's own objects cannot move to another backend",
    ("models", "saving"): "model.save and its like are methods of models",
    ("compat", "losses"): "keras.backend has focal losses",
    ("optimizers", "compat"): "keras.optimizers.legacy",
    ("optimizers", "interop"): "minimize takes TensorFlow's tapes, and updates of rows its functions",
    ("utils", "compat"): "tools of Keras 2 are shown under their old names",
    ("utils", "datasets"): "Keras keeps get_file and what makes datasets among its utils",
}


def module_name(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def level(name):
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        for index, row in enumerate(LEVELS):
            if prefix in row:
                return index
    return len(LEVELS) - 1 if name in ("", "__init__") else None


def is_module(name):
    path = PACKAGE.parent / name.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def lazy_modules(call, package):
    """Names of the modules in a call of ``lazy.names``."""
    arguments = {keyword.arg: keyword.value for keyword in call.keywords}
    if isinstance(arguments.get("modules"), ast.List):
        yield from (f"{package}.{name.value}" for name in arguments["modules"].elts)
    if isinstance(arguments.get("members"), ast.Dict):
        yield from (module.value for module in arguments["members"].keys)


@functools.cache
def imports(path):
    """The polykeras modules that a file imports, each with whether it does so when it is imported itself."""
    found = []
    tree = ast.parse(path.read_text())
    at_once = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "lazy.names":
            package = ".".join(["polykeras", *module_name(path).split(".")]).strip(".")
            names = [home_of(name) or name for name in lazy_modules(node, package)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if is_module(name) else node.module for name in inner]
        else:
            continue
        for name in names:
            if name.startswith("polykeras."):
                found.append((name.removeprefix("polykeras."), id(node) in at_once))
    return found


def upward_imports(path):
    """Yield the modules above its own level that a file imports, and whether it does so when it is imported itself."""
    own = level(module_name(path))
    yield from ((other, is_at_once) for other, is_at_once in imports(path) if level(other) > own)


def packages(path, other):
    return module_name(path).partition(".")[0], other.partition(".")[0]


def test_every_module_has_a_level():
    assert [path.name for path in FILES if level(module_name(path)) is None] == []
    assert [(path.name, other) for path in FILES for other, _ in imports(path) if level(other) is None] == []


def test_imports_point_downwards():
    wrong = [
        f"{module_name(path)} imports {other}"
        for path in FILES
        for other, is_at_once in upward_imports(path)
        if packages(path, other) not in UPWARD_IMPORTS or is_at_once and path.name != "__init__.py"
    ]
    assert wrong == []


def test_every_upward_import_that_has_a_reason_is_there():
    assert {packages(path, other) for path in FILES for other, _ in upward_imports(path)} == set(UPWARD_IMPORTS)


def frameworks_in(path):
    """Yield what a file says of frameworks: imports of them, and comparisons with their names."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        yield from (name for name in names if name.split(".")[0] in FRAMEWORKS)
        if isinstance(node, ast.Compare):
            text = ast.unparse(node)
            if re.search(r"(==|!=| in ).*['\"](tensorflow|torch|jax)['\"]", text):
                yield text


def test_frameworks_are_named_in_their_adapters_only():
    others = [path for path in FILES if path.relative_to(PACKAGE).parts[0] not in ("backends", "interop")]
    assert [(path.name, text) for path in others for text in frameworks_in(path)] == []


def code_lines(path):
    """The number of lines that are neither blank nor comments nor docstrings."""
    text = path.read_text()
    lines = {number for number, line in enumerate(text.splitlines(), 1) if line.strip() and line.lstrip()[0] != "#"}
    for node in ast.walk(ast.parse(text)):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        if is_text and isinstance(first.value.value, str):
            lines -= set(range(first.lineno, first.end_lineno + 1))
    return len(lines)


def test_files_keep_the_budget_of_700_lines_of_code():
    assert {path.name: code_lines(path) for path in FILES if code_lines(path) > 700} == {}


def test_an_adapter_does_everything_in_800_lines():
    adapters = list(PACKAGE.glob("backends/*/adapter.py"))
    assert {path.parent.name for path in adapters} >= {"numpy", "torch", "jax", "tensorflow"}
    assert {path: len(path.read_text().splitlines()) for path in adapters if code_lines(path) > 800} == {}


def additions_of_identities(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called == "id" and (isinstance(node.args[0], ast.Call) or ast.unparse(node.args[0]).endswith(".value")):
            yield node.lineno
        if called.endswith(".add"):
            yield from (node.lineno for x in node.args if ast.unparse(x).startswith("id("))
        if called == "map" and ast.unparse(node.args[0]) == "id" and isinstance(node.args[1], ast.Call):
            yield node.lineno


def test_sets_of_identities_keep_what_they_name():
    """The id of a thing that is freed goes to the next one: note ``seen[id(x)] = x``, not ``seen.add(id(x))``.

    Nor are identities taken of what a call or a property returns and nobody holds: ``map(id, f())``, ``id(v.value)``.
    """
    assert [(path.name, line) for path in FILES for line in additions_of_identities(path)] == []


def is_of_a_live_namespace(node):
    """Whether an expression is ``vars(x)`` or ``x.__dict__``, or a view of it; ``vars`` of a class by name is not."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("items", "values"):
        return is_of_a_live_namespace(node.func.value)
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "vars":
        return not ast.unparse(node.args[0])[0].isupper()
    return isinstance(node, ast.Attribute) and node.attr == "__dict__"


def iterated(node):
    """The expressions that a statement, a comprehension or a call goes through, or may go through."""
    if isinstance(node, ast.For | ast.comprehension):
        return [node.iter]
    at_once = ("dict", "list", "set", "frozenset", "update", "_set")
    is_slow = isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] not in at_once
    views = ("items", "values")
    is_view = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in views
    return node.args if is_slow and not is_view else []


def test_attributes_that_other_threads_may_set_are_copied_before_a_loop():
    """A dict that grows during a loop ends it: ``vars(x).copy().items()`` and ``list(vars(x))`` take one step."""
    found = [
        (path.name, ast.unparse(expression))
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        for expression in iterated(node)
        if is_of_a_live_namespace(expression)
    ]
    assert found == []


def dense_code(path):
    """Lines that say more than a reader takes in at once."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.IfExp) and any(isinstance(x, ast.IfExp) for x in (node.body, node.orelse)):
            yield node.lineno, "a choice inside a choice: use if"
        if isinstance(node, ast.Assign):
            target = node.targets[0]
            if isinstance(target, ast.Name) and isinstance(node.value, ast.Lambda):
                yield node.lineno, "a lambda with a name: use def"
            is_pair = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
            if is_pair and len(target.elts) > 2 and all(isinstance(x, ast.Attribute) for x in target.elts):
                yield node.lineno, "three attributes set at once: use a line each"


def test_code_is_not_dense():
    assert [(path.name, *finding) for path in FILES for finding in dense_code(path)] == []


def run_fresh(code):
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(PACKAGE.parent), "KERAS_VERBOSE": "0"}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True, timeout=100
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

    for package in (
        keras,
        keras.applications,
        keras.callbacks,
        keras.datasets,
        keras.models,
        keras.saving,
        keras.utils,
        keras.wrappers,
    ):
        assert set(package.__all__) <= set(dir(package))
        for name in package.__all__:
            if package is not keras.wrappers:  # these need scikit-learn
                assert getattr(package, name) is not None, name


def test_threads_may_be_the_first_to_use_names_that_load_later():
    code = """
import threading
import polykeras as keras
start = threading.Barrier(16)
missing = []
def use(names):
    start.wait()
    missing.extend(name for name in names if getattr(keras, name, None) is None)
names = [name for name in keras.__all__ if name != "wrappers"]  # these need scikit-learn
threads = [threading.Thread(target=use, args=(names[index::16],)) for index in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(missing)
"""
    for _ in range(8):
        assert run_fresh(code).strip() == "[]"


def test_no_module_needs_a_name_that_loads_later_while_it_is_imported():
    """It would wait for a thread that loads such a name, and that thread perhaps for this module."""
    code = """
import importlib, sys
import polykeras
from polykeras.core import lazy

class Imports:
    def import_module(name):
        frame = sys._getframe(2)
        while frame is not None:
            if frame.f_code.co_name == "<module>" and "polykeras" in frame.f_code.co_filename:
                print(name, frame.f_code.co_filename)
            frame = frame.f_back
        return importlib.import_module(name)

lazy.importlib = Imports
for package in (polykeras, polykeras.layers, polykeras.models, polykeras.utils, polykeras.callbacks, polykeras.metrics):
    for name in set(dir(package)) - {"wrappers"}:
        getattr(package, name)
"""
    assert run_fresh(code) == ""


def test_a_saved_feature_space_is_found_before_its_module_is_loaded():
    code = """
import polykeras as keras
print(keras.saving.get_registered_object("keras.utils>FeatureSpace").__name__)
"""
    assert run_fresh(code).strip() == "FeatureSpace"
