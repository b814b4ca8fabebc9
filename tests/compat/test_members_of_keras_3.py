"""Public methods and attributes of all public classes of Keras 3, compared by name, and what the rarer ones do."""

import ast
import functools
import importlib
import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import polykeras as keras
from polykeras import ops

real = pytest.importorskip("keras")

MODULES = [
    *("callbacks", "constraints", "distillation", "dtype_policies", "initializers", "layers", "losses", "metrics"),
    *("optimizers", "optimizers.schedules", "random", "regularizers", "utils"),
]

#: Members that are missing, and why.
QUANTIZED = "how Keras's own layers compute with quantized weights"
HELPERS = "a helper of Keras's own implementation, without documentation"
LEFT_OUT = {
    "quantized_call": QUANTIZED,
    "quantized_build": QUANTIZED,
    "get_quantization_layer_structure": QUANTIZED,
    "variable_serialization_spec": QUANTIZED,
    "convert_weight": HELPERS,
    "get_transformed_x_y": HELPERS,
    "get_shifted_bbox": HELPERS,
    "get_clipped_bbox": HELPERS,
    "get_elastic_transform_params": HELPERS,
    "linear_to_mel_weight_matrix": HELPERS,
    "normalized_weights": HELPERS,
    "output_dtype": HELPERS,
    "transpose_last_axis": HELPERS,
    "zeropower_via_newtonschulz5": HELPERS,
    "inner_loop": HELPERS,
    "compute_loss_and_updates": "the JAX trainer's; steps are captured on all backends alike",
    "jax_state_sync": "the JAX trainer's; variables are always current",
    "summary": "TensorBoard's files are written without TensorFlow",
    "rematerialized_call": "of Operation; layers have it",
}
#: Classes that are missing altogether are those of methods of quantization.
CLASSES = re.compile("AWQ|GPTQ|Float8")


def classes(module):
    """The public classes of a module of real Keras."""
    found = vars(importlib.import_module(f"keras.{module}"))
    return [name for name, cls in found.items() if inspect.isclass(cls) and not CLASSES.search(name)]


@functools.cache
def assigned(module):
    """The names of attributes that the code of a module assigns or declares."""
    source = Path(importlib.import_module(module).__file__).read_text()
    nodes = list(ast.walk(ast.parse(source)))
    stored = {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    return stored | {node.target.id for node in nodes if isinstance(node, ast.AnnAssign) and hasattr(node.target, "id")}


def has(cls, name):
    """Whether objects of a class have an attribute: of the class, assigned by its code, or an argument of its cell."""
    modules = {base.__module__ for base in cls.__mro__ if base.__module__.startswith("polykeras")}
    cell = getattr(cls, "cell_class", None)
    is_of_cell = cell is not None and name in inspect.signature(cell.__init__).parameters
    return hasattr(cls, name) or is_of_cell or any(name in assigned(module) for module in modules)


@pytest.mark.parametrize("module", MODULES)
def test_classes_have_the_public_members_of_keras(module):
    missing = {}
    for name in classes(module):
        ours = getattr(importlib.import_module(f"polykeras.{module}"), name)
        theirs = getattr(importlib.import_module(f"keras.{module}"), name)
        own = [base for base in theirs.__mro__ if re.match(r"keras\.src\.(?!backend\.torch)", base.__module__)]
        public = {member for base in own for member in vars(base) if not member.startswith("_")} - LEFT_OUT.keys()
        absent = sorted(member for member in public if not has(ours, member))
        missing |= {name: absent} if absent else {}
    assert missing == {}


def test_inputs_are_converted_and_floats_are_cast(backend):
    policy = keras.DTypePolicy("mixed_float16")
    assert policy.quantization_mode is None
    kinds = ("float32", "float64", "int32", "bool")
    converted = [policy.convert_input(np.ones(2, kind), True, "float16") for kind in kinds]
    assert [keras.backend.standardize_dtype(x.dtype) for x in converted] == ["float16", "float16", "int32", "bool"]
    assert policy.convert_input(keras.Input((2,)), True, "float16").dtype == "float16"
    assert policy.convert_input(keras.Input((2,)), False, "float16").dtype == "float32"
    assert policy.convert_input("text", True, "float16") == "text"


def test_gradients_are_told_to_be_finite(backend):
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
    finite, infinite = ops.ones((2,)), ops.array([1.0, np.inf])
    told = [optimizer.check_finite(grads) for grads in ([finite, None], [finite, infinite], [None])]
    assert [bool(value) for value in told] == [True, False, True]


def test_the_area_below_precision_by_recall_is_the_result_of_its_metric(backend):
    metric, other = keras.metrics.AUC(20, curve="PR"), keras.metrics.AUC(20, curve="ROC")
    y, p = np.array([0, 0, 1, 1, 1]), np.array([0.1, 0.6, 0.35, 0.8, 0.9], "float32")
    metric.update_state(y, p)
    other.update_state(y, p)
    np.testing.assert_allclose(ops.convert_to_numpy(other.interpolate_pr_auc()), float(metric.result()), rtol=1e-6)


def test_a_list_of_callbacks_has_its_model_and_a_scope_its_losses():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    assert keras.callbacks.CallbackList([], model=model).model is model
    assert keras.callbacks.CallbackList([]).model is None
    with keras.StatelessScope() as scope:
        scope.add_loss(2.0)
    assert scope.losses == [2.0]


def test_normalization_is_final_at_any_time(backend):
    layer = keras.layers.Normalization()
    layer.adapt(np.array([[1.0], [3.0]], "float32"))
    layer.finalize_state()
    np.testing.assert_allclose(ops.convert_to_numpy(layer(np.array([[3.0]], "float32"))), [[1.0]], rtol=1e-5)
