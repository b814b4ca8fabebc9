"""Objects as plain configs, in the layout of Keras 2: ``{"class_name": ..., "config": ...}``."""

from __future__ import annotations

import inspect
from typing import Any

from polykeras.serialization import registry


def serialize_keras_object(instance: Any) -> Any:
    """Return the config of an object with ``get_config``, or the name of a function; None stays None.

    Raises:
        ValueError: for anything else.

    >>> import polykeras as keras
    >>> serialize_keras_object(keras.initializers.Zeros())
    {'class_name': 'Zeros', 'config': {}}
    """
    if instance is None:
        return None
    if hasattr(instance, "get_config"):
        return {"class_name": registry.get_registered_name(type(instance)), "config": instance.get_config()}
    if hasattr(instance, "__name__"):
        return registry.get_registered_name(instance)
    raise ValueError(f"Expected an object with get_config, or a function. Received: {instance!r}.")


def deserialize_keras_object(
    identifier: Any,
    module_objects: dict | None = None,
    custom_objects: dict | None = None,
    printable_module_name: str = "object",
) -> Any:
    """Return the object described by ``serialize_keras_object``.

    Args:
        identifier: a config, a name, None, or a function, which is returned unchanged.
        module_objects: dict of objects by name; default None.
        custom_objects: dict of further objects, which take precedence; default None.
        printable_module_name: str, what kind of object it is, for messages; default "object".

    Raises:
        ValueError: for an unknown name, or an unsupported type of identifier.

    >>> import polykeras as keras
    >>> config = {"class_name": "Zeros", "config": {}}
    >>> type(deserialize_keras_object(config, vars(keras.initializers))).__name__
    'Zeros'
    """
    if identifier is None or inspect.isfunction(identifier):
        return identifier
    known = {**(module_objects or {}), **registry.get_custom_objects(), **(custom_objects or {})}
    is_config = isinstance(identifier, dict) and {"class_name", "config"} <= set(identifier)
    if not is_config and not isinstance(identifier, str):
        raise ValueError(f"Expected the config or the name of a {printable_module_name}. Received: {identifier!r}.")
    name = identifier["class_name"] if is_config else identifier
    found = known.get(name) or registry.get_registered_object(name)
    if found is None:
        raise ValueError(f"Expected a known {printable_module_name}. Received: {name!r}. Pass it in custom_objects.")
    if not is_config:
        return found() if inspect.isclass(found) else found
    if not hasattr(found, "from_config"):
        return found(**identifier["config"])
    with registry.custom_object_scope(custom_objects or {}):
        return found.from_config(identifier["config"])
