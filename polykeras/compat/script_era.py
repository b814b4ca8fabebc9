"""Which Keras version a script was written for, determined from the names in it, without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_MODULES = (
    "backend.tensorflow_backend", "callbacks.callbacks", "engine", "initializations", "layers.advanced_activations",
    "layers.convolutional", "layers.convolutional_recurrent", "layers.core", "layers.cudnn_recurrent",
    "layers.embeddings", "layers.local", "layers.merge", "layers.noise", "layers.normalization", "layers.pooling",
    "layers.recurrent", "layers.wrappers", "legacy.interfaces", "legacy.layers", "objectives", "preprocessing.text",
    "utils.conv_utils", "utils.data_utils", "utils.generic_utils", "utils.io_utils", "utils.layer_utils",
    "utils.multi_gpu_utils", "utils.np_utils", "utils.test_utils", "utils.training_utils", "utils.vis_utils",
    "utils.visualize_util", "wrappers.scikit_learn",
)  # fmt: skip
_NAMES = {
    "layers": """
        AtrousConvolution1D AtrousConvolution2D ConvRecurrent2D CuDNNGRU CuDNNLSTM Deconvolution2D Deconvolution3D
        Highway LocallyConnected1D LocallyConnected2D MaxoutDense Merge Recurrent ThresholdedReLU merge
    """,
    "models": "Graph Merge model_from_yaml",
    "optimizers": "adadelta adagrad adam adamax nadam rmsprop sgd",
    "preprocessing.image": "ImageDataGenerator Iterator NumpyArrayIterator DirectoryIterator",
    "preprocessing.sequence": "TimeseriesGenerator make_sampling_table skipgrams",
    "utils": "HDF5Matrix multi_gpu_model np_utils print_summary vis_utils",
}
#: Everything that the module ``backend`` has in Keras 3.
_BACKEND_OF_KERAS_3 = (
    "Variable", "backend", "clear_session", "epsilon", "floatx", "get_uid", "image_data_format", "is_float_dtype",
    "is_int_dtype", "is_keras_tensor", "name_scope", "result_type", "set_epsilon", "set_floatx",
    "set_image_data_format", "standardize_dtype",
)  # fmt: skip
_METHODS = {"evaluate_generator", "fit_generator", "predict_classes", "predict_generator", "to_yaml"}
_ARGUMENTS = {
    "W_constraint", "W_regularizer", "U_regularizer", "b_regularizer", "border_mode", "dim_ordering", "dropout_U",
    "dropout_W", "filter_length", "inner_activation", "inner_init", "nb_col", "nb_filter", "nb_row", "schedule_decay",
    "subsample", "subsample_length",
}  # fmt: skip
_ARGUMENTS_OF_METHODS = {"nb_epoch", "nb_val_samples", "nb_worker", "samples_per_epoch", "val_samples"}
_OPTIMIZERS = {"adadelta", "adagrad", "adam", "adamax", "nadam", "rmsprop", "sgd"}


def older_name(source: str) -> str | None:
    """Return the first name in a script that Keras 1 and 2 have but Keras 3 does not; None if there is none.

    Scripts that import Keras from ``tensorflow.keras`` do not count: its defaults are those of Keras 3.

    Args:
        source: str, source of the script.

    >>> older_name("from keras.layers.core import Dense"), older_name("from keras.layers import Dense")
    ('keras.layers.core.Dense', None)
    >>> older_name("import keras.backend as K\\nK.mean(x)")
    'keras.backend.mean'
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:  # running the script will report it
        return None
    modules = dict(_modules(tree))
    if not modules:
        return None
    used = [*_imported(tree), *_attributes(tree, modules), *_calls(tree, modules)]
    return next((name for name in used if not name.startswith("keras.") or _is_older(name)), None)


def _modules(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the names under which a script imports modules of Keras, with their paths."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "keras":
                    yield (alias.asname, alias.name) if alias.asname else ("keras", "keras")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "keras":
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("keras."))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "keras":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _attributes(tree: ast.AST, modules: dict[str, str]) -> Iterator[str]:
    """Yield the full names of everything that a script uses from modules of Keras."""
    for node in ast.walk(tree):
        path = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
        first, _, rest = path.partition(".")
        if first in modules and "(" not in path:
            yield f"{modules[first]}.{rest}"


def _calls(tree: ast.AST, modules: dict[str, str]) -> Iterator[str]:
    """Yield the methods and arguments in a script's calls that are older than Keras 3.

    What a script takes from elsewhere does not count: ``torch.optim.Adam(lr=)`` is no optimizer of Keras.
    """
    elsewhere = set(_imported_elsewhere(tree))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        owner = ast.unparse(node.func).partition(".")[0]
        function = getattr(node.func, "attr", getattr(node.func, "id", ""))
        arguments = set()
        if owner in modules or ("*" in modules and isinstance(node.func, ast.Name)):
            name = modules.get(owner, owner).rpartition(".")[2] if isinstance(node.func, ast.Name) else function
            old = {"decay", "lr"} if name.lower() in _OPTIMIZERS else {"input", "output"} & _both(node, function)
            arguments = _ARGUMENTS | old
        elif isinstance(node.func, ast.Attribute) and owner not in elsewhere:
            arguments = _ARGUMENTS_OF_METHODS
            if function in _METHODS:
                yield f"{function}()"
        yield from (f"{function}({key.arg}=)" for key in node.keywords if key.arg in arguments)


def _imported_elsewhere(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a script imports from other packages than Keras."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                if (getattr(node, "module", None) or alias.name).split(".")[0] != "keras":
                    yield alias.asname or alias.name.split(".")[0]


def _both(call: ast.Call, function: str) -> set[str]:
    return {key.arg for key in call.keywords if key.arg} if function == "Model" else set()


def _is_older(name: str) -> bool:
    path = name.removeprefix("keras.")
    if any(path == module or path.startswith(f"{module}.") for module in _MODULES):
        return True
    if path.startswith("backend."):
        return path.split(".")[1] not in _BACKEND_OF_KERAS_3
    module, _, last = path.rpartition(".")
    return last in _NAMES.get(module, "").split()
