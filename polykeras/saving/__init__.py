"""Saving and loading models: whole models, weights alone, or architectures alone."""

import inspect
from typing import Any

from polykeras.saving.editor import KerasFileEditor
from polykeras.saving.files import Limits, limits
from polykeras.saving.models import load_model, load_weights, model_from_json, save_model, save_weights
from polykeras.serialization.registry import (
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from polykeras.serialization.registry import deserialize as _deserialize
from polykeras.serialization.registry import serialize as _serialize

CustomObjectScope = custom_object_scope


def serialize_keras_object(obj: Any) -> Any:
    """Return a JSON-ready description of an object.

    Args:
        obj: any object.

    >>> import polykeras as keras
    >>> keras.saving.serialize_keras_object(keras.regularizers.L1(0.5))["class_name"]
    'L1'
    """
    return _serialize(obj)


def deserialize_keras_object(
    config: Any, custom_objects: dict | None = None, safe_mode: bool = True, **kwargs: Any
) -> Any:
    """Return the object of a description; only built-in, registered and ``custom_objects`` classes are instantiated.

    Args:
        config: a description, or a tree of them.
        custom_objects: dict of names for your classes and functions, besides the registered ones; default None.
        safe_mode: bool, whether to refuse code, such as a lambda as bytecode; default True.
        **kwargs: ``module_objects``, a dict of further names, as in Keras, and Keras 2's ``printable_module_name``,
            which is ignored.

    Raises:
        ValueError: for an unknown name, and for code in safe mode.
        TypeError: for unknown arguments.

    >>> import polykeras as keras
    >>> deserialize_keras_object(serialize_keras_object(keras.layers.Dense(2))).units
    2
    """
    shipped = kwargs.pop("module_objects", None) or {}
    names: dict[str, Any] = {**shipped, **(custom_objects or {})}
    kwargs.pop("printable_module_name", None)
    if kwargs:
        raise TypeError(f"Expected arguments of deserialize_keras_object. Received: unknown {sorted(kwargs)}.")
    if isinstance(config, str) and config in names:
        named = names[config]
        # A name among a module's own means an instance with defaults, a name among custom objects the object itself.
        return named() if inspect.isclass(named) and config in shipped and shipped[config] is named else named
    return _deserialize(config, names, safe_mode)


__all__ = [
    "CustomObjectScope",
    "KerasFileEditor",
    "Limits",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "limits",
    "load_model",
    "load_weights",
    "model_from_json",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
]
