"""Configs as Keras 3 writes them, so that either library reads the other's files."""

from __future__ import annotations

import json
import warnings
from typing import Any

from polykeras.core import trees
from polykeras.serialization import bytecode, registry

#: The Keras version whose layout is written.
KERAS_VERSION = "3.15.1"

_FUNCTIONAL = {"layers", "input_layers", "output_layers"}

#: Arguments that a class accepts here, but not in Keras.
_NOT_IN_KERAS = {
    **dict.fromkeys(("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"), ("trainable",)),
    **dict.fromkeys(("Discretization", "HashedCrossing"), ("trainable",)),
    "Pipeline": ("trainable", "dtype"),
    **dict.fromkeys(("Equalization", "ContrastLimitedAdaptiveHistogramEqualization"), ("seed",)),
}

#: Classes that files refer to by their public names.
_PUBLIC_NAMES = {"GroupedQueryAttention": "GroupQueryAttention"}


def describe(model: Any, with_compile: bool = True) -> dict:
    """Return the config of a model in the spelling of Keras 3.

    Args:
        model: model with a config.
        with_compile: bool, whether to add the arguments of ``compile``. If these contain something without a name, such
            as a lambda, they are omitted with a warning.

    >>> import polykeras as keras
    >>> describe(keras.Sequential([keras.layers.Dense(2)]))["class_name"]
    'Sequential'
    """
    with registry.describing_shared():
        config = registry.without_single(spell(registry.serialize(model)))
    added = getattr(model, "_added_in_graph", ())
    if added and "added" not in config["config"]:
        warnings.warn(
            f"Model {model.name!r} is saved without what was added to it: {[tensor.name for tensor, _, _ in added]}. "
            "Its get_config has to keep what Model.get_config returns.",
            stacklevel=3,
        )
    if with_compile and getattr(model, "compiled", False):
        try:
            compiled = registry.serialize(model.get_compile_config() or {})
            if "optimizer" in compiled:  # its settings may have changed since compile
                compiled["optimizer"] = registry.serialize(model.optimizer)
            if _holds_code(compiled):
                raise ValueError("Expected named functions. Received: a lambda.")
            if compiled:
                config["compile_config"] = spell(compiled)
        except (TypeError, ValueError) as error:
            warnings.warn(f"Model {model.name!r} is saved without the arguments of compile. {error}", stacklevel=3)
    return config


def _holds_code(value: Any) -> bool:
    return bytecode.holds_code(value) or any(_holds_code(x) for x in trees.children(value))


def spell(value: Any) -> Any:
    """Rewrite a description: built-in objects have lists for tuples, and their names in Keras 3."""
    if isinstance(value, list):
        return [spell(x) for x in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == "__tuple__":
        return [spell(x) for x in value["items"]]
    if isinstance(value.get("build_config"), dict):
        value = value | {"build_config": _spell_shapes(value["build_config"])}
    is_ours = value.get("registered_name") in (None, "function")
    result = {k: spell(v) if is_ours or k != "config" else v for k, v in value.items()}
    if "inbound_nodes" in value:
        result["inbound_nodes"] = value["inbound_nodes"]  # calls keep their tuples
    if is_ours and value.get("module") in ("keras.layers", "keras.models"):
        if value["class_name"] in ("Model", "Functional") and set(value["config"]) >= _FUNCTIONAL:
            result |= {"module": "keras.src.models.functional", "class_name": "Functional"}
        elif value["class_name"] == "Sequential":
            result["module"] = "keras"
        name = _PUBLIC_NAMES.get(value["class_name"], value["class_name"])
        config = {k: v for k, v in result["config"].items() if k not in _NOT_IN_KERAS.get(name, ())}
        result |= {"class_name": name, "config": config} if name not in ("Sequential", "Functional", "Model") else {}
    elif value.get("module") == "keras.dtype_policies":
        result["module"] = "keras"
    return result


def _spell_shapes(config: dict) -> dict:
    """Name a single shape as Keras does, whatever ``build`` calls its argument; return anything else unchanged."""
    shapes = {key: value for key, value in config.items() if key.endswith("_shape")}
    rest = {key: value for key, value in config.items() if key not in shapes}
    if len(shapes) == 1:
        return {"input_shape": next(iter(shapes.values())), **rest}
    return {"shapes_dict": shapes, **rest} if shapes else rest


def parse(text: str) -> Any:
    """Return the config in a JSON text.

    Raises:
        ValueError: for invalid JSON, or JSON that is nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("Expected a config in JSON. Received: one that is nested too deeply.") from None


def is_of_keras_3(metadata: dict) -> bool:
    """True for the metadata in a file that Keras 3 wrote, not polykeras."""
    return str(metadata.get("keras_version")).startswith("3") and not metadata.get("polykeras_version")


def without_modes(value: Any) -> Any:
    """Drop ``training``, and masks of None, from a graph's calls: Keras 3 stores them, but ignores them.

    >>> without_modes({"inbound_nodes": [{"args": [1], "kwargs": {"training": False}}]})
    {'inbound_nodes': [{'args': [1], 'kwargs': {}}]}
    """
    if isinstance(value, list):
        return [without_modes(x) for x in value]
    if not isinstance(value, dict):
        return value
    is_call = set(value) == {"args", "kwargs"} and isinstance(value["kwargs"], dict)
    result = {key: without_modes(x) for key, x in value.items()}
    if is_call:
        kwargs = result["kwargs"].items()
        result["kwargs"] = {k: x for k, x in kwargs if k != "training" and (k != "mask" or x is not None)}
    return result


def read(value: Any) -> Any:
    """Rewrite a description written by Keras or by ``spell`` for the registry.

    >>> read({"build_config": {"shapes_dict": {"query_shape": [None, 2]}}})
    {'build_config': {'query_shape': [None, 2]}}
    """
    if isinstance(value, list):
        return [read(x) for x in value]
    if not isinstance(value, dict):
        return value
    result = {key: read(x) for key, x in value.items()}
    built = result.get("build_config")
    if isinstance(built, dict) and isinstance(built.get("shapes_dict"), dict):
        rest = {key: x for key, x in built.items() if key != "shapes_dict"}
        result["build_config"] = {**built["shapes_dict"], **rest}
    return result
