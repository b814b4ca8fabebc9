"""Creating a layer from the arguments in its config."""

from __future__ import annotations

import inspect
from typing import Any

from polykeras import dtype_policies

#: The arguments of the base class that are part of every config.
_BASE = ("name", "trainable", "dtype")


def make(cls: Any, arguments: dict[str, Any]) -> Any:
    """Return a layer of a class; arguments of the base class that its ``__init__`` does not take are set afterwards.

    >>> import polykeras as keras
    >>> class Plain(keras.layers.Layer):
    ...     def __init__(self):
    ...         super().__init__()
    >>> make(Plain, {"name": "mine", "trainable": False}).name
    'mine'
    """
    parameters = inspect.signature(cls.__init__).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return cls(**arguments)
    apart = {key: arguments[key] for key in _BASE if key in arguments and key not in parameters}
    layer = cls(**{key: value for key, value in arguments.items() if key not in apart})
    if "name" in apart:
        layer.name = layer.path = apart["name"]
    if "trainable" in apart:
        layer._start_layer(apart["trainable"])
        layer._freeze_new_weights()
    policy = apart.get("dtype")
    if policy is not None and dtype_policies.get(policy).name != layer.dtype_policy.name:
        layer._set_policy(policy)
    return layer
